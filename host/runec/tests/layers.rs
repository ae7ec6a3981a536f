//! A rune built of layers is, byte for byte, the rune of the one Runefile that says the same.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// An empty folder that is of one test alone.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("layers")
        .join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn put(folder: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn example(path: &str) -> Vec<u8> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    fs::read(examples.join(path)).unwrap()
}

/// Runs the program in a folder: exit status and standard error.
fn runec(folder: &Path, args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_runec"))
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), said)
}

/// Builds the Runefile at a path.
#[track_caller]
fn build(folder: &Path, path: &str, more: &[&str]) -> Vec<u8> {
    let args = [&["build", path, "-o", "out.rune"], more].concat();
    let (status, said) = runec(folder, &args);
    assert_eq!(status, 0, "{path}: {said}");
    fs::read(folder.join("out.rune")).unwrap()
}

const BASE: &str = "\
FROM runicos/base
LABEL name=base version=1.2.3 licence=MIT author=us
FOR runicos/linux
RESOURCE ./names.txt names
CAPABILITY ACCEL accelerometer
PROC_BLOCK runicos/normalize normalize
MODEL ../models/gesture.tflite gesture
PROC_BLOCK runicos/most-confident-indices best
PROC_BLOCK runicos/label label --labels $names
OUT SERIAL
RUN accelerometer normalize gesture best label
";

const MIDDLE: &str = "\
FROM ../base AS base
LABEL licence=Apache name=middle
SET best --count 2
CAPABILITY<F32[1]> RAW x
MODEL ./sine.tflite sine
OUT SERIAL sines
RUN x sine sines
";

const TOP: &str = "\
FROM ../middle/Runefile AS middle
LABEL name=top
RESOURCE words --text \"a\\nb\\nc\\nd\"
SET accelerometer --hz 50
SET best --count 3
SET label --labels $words
REPLACE CAPABILITY RAND x --samples 1 --max 6.28
OUT SERIAL scores
RUN gesture scores
";

const FLAT: &str = "\
FROM runicos/base
LABEL name=top licence=Apache author=us
FOR runicos/linux
RESOURCE words --text \"a\\nb\\nc\\nd\"
CAPABILITY ACCEL accelerometer --hz 50
PROC_BLOCK runicos/normalize normalize
MODEL ../models/gesture.tflite gesture
PROC_BLOCK runicos/most-confident-indices best --count 3
PROC_BLOCK runicos/label label --labels $words
OUT SERIAL
CAPABILITY RAND x --samples 1 --max 6.28
MODEL ./sine.tflite sine
OUT SERIAL sines
OUT SERIAL scores
RUN accelerometer normalize gesture best label serial
RUN x sine sines
RUN gesture scores
";

/// Three layers in folders of their own, and one Runefile that says the same.
fn chain(name: &str) -> PathBuf {
    let folder = folder(name);
    put(&folder, "base/Runefile", BASE);
    put(&folder, "base/names.txt", "Wing\nRing\nSlope\nUnknown\n");
    put(&folder, "middle/Runefile", MIDDLE);
    put(&folder, "top/Runefile", TOP);
    put(&folder, "flat/Runefile", FLAT);
    put(
        &folder,
        "models/gesture.tflite",
        example("gesture/gesture.tflite"),
    );
    for place in ["middle", "flat"] {
        put(
            &folder,
            &format!("{place}/sine.tflite"),
            example("sine/sine.tflite"),
        );
    }
    folder
}

#[test]
fn layers_give_the_rune_of_the_flat_runefile() {
    let folder = chain("flat");
    let flat = build(&folder, "flat", &[]);
    assert_eq!(build(&folder, "top", &[]), flat);
    // And the same from a Runefile that only names it.
    put(&folder, "thin/Runefile", "FROM ../top\nLABEL name=top\n");
    assert_eq!(build(&folder, "thin", &[]), flat);
}

#[test]
fn a_rune_with_its_sources_is_as_good_a_base_as_its_runefile() {
    let folder = chain("sources");
    let flat = build(&folder, "flat", &[]);
    let middle = build(&folder, "middle", &["--with-source"]);
    assert_eq!(
        middle,
        build(&folder, "middle", &["--with-source"]),
        "the same bytes each time"
    );
    let plain = build(&folder, "middle", &[]);
    assert_eq!(
        middle[..plain.len()],
        plain[..],
        "the section is put at the end"
    );
    // Alone in another folder, with nothing of what it was built from.
    let alone = folder.join("alone");
    put(&alone, "middle.rune", &middle);
    put(
        &alone,
        "top/Runefile",
        TOP.replace("../middle/Runefile", "../middle.rune"),
    );
    assert_eq!(build(&alone, "top", &[]), flat);
    // Once more: what is built on a rune with sources carries all of them again.
    put(&alone, "top.rune", build(&alone, "top", &["--with-source"]));
    fs::remove_file(alone.join("middle.rune")).unwrap();
    put(
        &alone,
        "thin/Runefile",
        "FROM ../top.rune\nLABEL name=top\n",
    );
    assert_eq!(build(&alone, "thin", &[]), flat);
}

const TEXT_WITH_BLOCK: &str = "\
FROM runicos/base
CAPABILITY<F32[4]> RAW x
PROC_BLOCK ./gain gain
OUT SERIAL
RUN x gain serial
";

#[test]
fn a_rune_with_sources_carries_folder_blocks_as_built() {
    let folder = folder("blocks");
    let (status, said) = runec(&folder, &["new", "--block", "gain"]);
    assert_eq!(status, 0, "{said}");
    put(&folder, "Runefile", TEXT_WITH_BLOCK);
    let (status, said) = runec(&folder, &["build", "-o", "gain.rune", "--with-source"]);
    if status != 0 && said.contains("R0606") {
        // There is no compiler for blocks on this machine.
        assert!(said.contains("cannot build block"), "{said}");
        return;
    }
    assert_eq!(status, 0, "{said}");
    put(
        &folder,
        "plain.Runefile",
        format!("{TEXT_WITH_BLOCK}LABEL name=plain\n"),
    );
    let plain = build(&folder, "plain.Runefile", &[]);
    fs::remove_dir_all(folder.join("gain")).unwrap();
    put(
        &folder,
        "thin.Runefile",
        "FROM ./gain.rune\nLABEL name=plain\n",
    );
    assert_eq!(build(&folder, "thin.Runefile", &[]), plain);
}

#[test]
fn a_link_does_not_hide_a_circle() {
    let folder = folder("link");
    put(&folder, "a/Runefile", "FROM ../b\n");
    put(&folder, "b/Runefile", "FROM ../c\n");
    #[cfg(unix)]
    std::os::unix::fs::symlink("a", folder.join("c")).unwrap();
    #[cfg(not(unix))]
    put(&folder, "c/Runefile", "FROM ../a\n");
    let (status, said) = runec(&folder, &["check", "a"]);
    assert_eq!(status, 1);
    assert!(said.contains("R0801"), "{said}");
    assert!(
        said.contains("`a/Runefile` -> `b/Runefile` -> `c/Runefile`"),
        "{said}"
    );
}

#[test]
fn a_damaged_rune_is_refused_at_its_from() {
    let folder = chain("damaged");
    let mut rune = build(&folder, "base", &["--with-source"]);
    put(&folder, "on/Runefile", "FROM ../base.rune\n");
    put(&folder, "base.rune", &rune[..rune.len() - 1]);
    let (status, said) = runec(&folder, &["check", "on"]);
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains("R0803") && said.contains("base.rune is damaged"),
        "{said}"
    );
    // The Runefile in it is read as any other, and faults have its name.
    let at = rune.windows(10).rposition(|w| w == b"PROC_BLOCK").unwrap();
    rune[at] = b'Q';
    put(&folder, "base.rune", &rune);
    let (status, said) = runec(&folder, &["check", "on"]);
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains("R0002") && said.contains("base.rune/Runefile:9:1"),
        "{said}"
    );
}

#[test]
fn text_and_yaml_lie_on_each_other() {
    let folder = folder("yaml");
    let text = "FROM runicos/base\nCAPABILITY<F32[4]> RAW x\nPROC_BLOCK runicos/modulo m --modulus 2\nOUT SERIAL\nRUN x m serial\n";
    put(&folder, "text.Runefile", text);
    put(&folder, "base/README", "");
    let (status, said) = runec(
        &folder,
        &["convert", "text.Runefile", "-o", "base/Runefile.yml"],
    );
    assert_eq!(status, 0, "{said}");
    put(
        &folder,
        "child/Runefile",
        "FROM ../base\nLABEL name=x\nSET m --modulus 3\n",
    );
    let flat = text.replace("--modulus 2", "--modulus 3") + "LABEL name=x\n";
    put(&folder, "flat.Runefile", flat);
    assert_eq!(
        build(&folder, "child", &[]),
        build(&folder, "flat.Runefile", &[])
    );
}
