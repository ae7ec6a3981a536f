//! `runec build --aot`, and `runec inspect` of what it writes, as a person or a script meets them.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]
#![allow(clippy::print_stderr, reason = "what is skipped is said")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rune_aot::Compiler;
use serde_json::Value;

/// An empty folder that is of one test alone.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("aot")
        .join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Exit status, standard output, standard error.
fn runec(folder: &Path, environment: &[(&str, &str)], args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runec"));
    command.args(args).current_dir(folder);
    command.envs(environment.iter().copied());
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let status = output.status.code().unwrap();
    (status, text(output.stdout), text(output.stderr))
}

fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/gesture");
    path.to_str().unwrap().to_owned()
}

#[test]
fn an_image_is_written_beside_the_rune_and_shown() {
    if Compiler::all().is_empty() {
        eprintln!("skipped: there is no compiler for microcontrollers");
        return;
    }
    let (here, example) = (folder("shown"), example());
    let (mpu, bounds) = (["--aot", "mpu"], ["--aot", "bounds"]);
    let build = ["build", &example, "--for", "mps2-an500", "-o", "wand.rune"];
    let (status, _, said) = runec(&here, &[], &[&build[..], &mpu].concat());
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("built wand.rune ("), "{said}");
    assert!(
        said.contains("built wand.img for cortex-m7, mpu ("),
        "{said}"
    );
    // The rune is the one for interpreters, not what C is made of.
    let alone = ["build", &example, "--for", "mps2-an500", "-o", "alone.rune"];
    assert_eq!(runec(&here, &[], &alone).0, 0);
    let [rune, alone] = ["wand.rune", "alone.rune"].map(|name| fs::read(here.join(name)).unwrap());
    assert!(rune == alone && rune.starts_with(b"\0asm"));

    let (status, shown, said) = runec(&here, &[], &["inspect", "wand.img"]);
    assert_eq!((status, said.as_str()), (0, ""));
    for part in [
        "gesture 0.0.0, machine code for cortex-m7",
        "mpu: the protection unit",
        "reads   ACCEL",
        "rune_entry",
        "RAM: ",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let (_, json, _) = runec(&here, &[], &["inspect", "--json", "wand.img"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let bytes = fs::read(here.join("wand.img")).unwrap();
    assert_eq!(json["file_bytes"], bytes.len());
    assert_eq!(json["containment"], "mpu");
    let functions = json["functions"].as_array().unwrap();
    let code: u64 = functions.iter().map(|f| f["bytes"].as_u64().unwrap()).sum();
    assert_eq!(json["code_bytes"], code);
    assert_eq!(functions[0]["at"], json["entry"]);

    // The same from another folder, other bytes with checks.
    let there = folder("elsewhere");
    runec(&there, &[], &[&build[..], &mpu].concat());
    assert_eq!(fs::read(there.join("wand.img")).unwrap(), bytes);
    runec(&there, &[], &[&build[..], &bounds].concat());
    assert_ne!(fs::read(there.join("wand.img")).unwrap(), bytes);

    // Damaged anywhere it is not shown, with the place.
    for at in (8..bytes.len()).step_by(bytes.len() / 40) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        fs::write(here.join("bad.img"), &damaged).unwrap();
        fs::write(here.join("cut.img"), &bytes[..at]).unwrap();
        for file in ["bad.img", "cut.img"] {
            let (status, shown, said) = runec(&here, &[], &["inspect", file]);
            assert_eq!((status, shown.as_str()), (1, ""), "byte {at}");
            let words = format!("error: cannot show {file}: the image is damaged: ");
            assert!(said.starts_with(&words) && said.contains("byte "), "{said}");
        }
    }
}

#[test]
fn what_cannot_be_an_image_is_said() {
    let (here, example) = (folder("refused"), example());
    let refused = |environment: &[(&str, &str)], args: &[&str]| {
        let build = ["build", &example, "-o", "wand.rune"];
        let (status, _, said) = runec(&here, environment, &[&build[..], args].concat());
        assert_eq!(status, 2, "{said}");
        assert!(!here.join("wand.img").exists() && !here.join("wand.rune").exists());
        said
    };
    let said = refused(&[], &["--aot", "mpu"]);
    assert!(said.contains("--for <DEVICE>"), "{said}");
    let said = refused(&[], &["--aot", "none", "--for", "mps2-an500"]);
    assert!(said.contains("there are mpu, bounds, mask"), "{said}");
    let said = refused(&[], &["--aot", "mpu", "--for", "linux"]);
    assert!(said.contains("linux takes no machine code"), "{said}");
    // No compiler at all, and such as make no code for microcontrollers.
    let board = ["--aot", "mpu", "--for", "mps2-an500"];
    let said = refused(&[("PATH", "/nowhere")], &board);
    assert!(said.contains("clang") && said.contains("install"), "{said}");
    let said = refused(&[("RUNE_CC", "/nowhere/cc")], &board);
    assert!(
        said.contains("/nowhere/cc cannot make an image: "),
        "{said}"
    );
    let said = refused(&[("RUNE_CC", "sh")], &board);
    assert!(said.contains("sh cannot make an image: "), "{said}");
}
