//! Blocks of one's own as a person meets them: `runec new`, folders of sources, `runec blocks`.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]
#![allow(
    clippy::print_stderr,
    reason = "a skipped test must not look like one that ran"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use runec::toolchain::{Clang, Rust};
use serde_json::Value;

/// An empty folder that is of one test alone.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("blocks")
        .join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Exit status, standard output, standard error; modules are cached in the folder itself.
fn runec(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_runec"))
        .args(args)
        .current_dir(folder)
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// The modules in the cache of a folder.
fn modules(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("cache/rune/blocks"))
        .into_iter()
        .flatten();
    let paths = entries.map(|e| e.unwrap().path());
    paths
        .filter(|p| p.extension().is_some_and(|e| e == "wasm"))
        .collect()
}

const USES: &str = "\
FROM runicos/base
CAPABILITY<F32[4]> RAND x
PROC_BLOCK ./gain louder --factor 2
OUT SERIAL
RUN x louder serial
";

#[test]
fn a_new_rune_checks_and_builds() {
    let folder = folder("rune");
    let (code, out, err) = runec(&folder, &["new", "wand"]);
    assert_eq!((code, &*out), (0, ""));
    assert_eq!(err, "wrote wand/Runefile; next: rune run wand\n");
    assert_eq!(
        runec(&folder, &["check", "wand"]),
        (0, String::new(), String::new())
    );
    assert_eq!(runec(&folder, &["build", "wand"]).0, 0);
    assert!(folder.join("wand.rune").is_file());
}

#[test]
fn what_new_cannot_write_is_wrong_usage() {
    let folder = folder("usage");
    fs::create_dir(folder.join("taken")).unwrap();
    for (args, said) in [
        (&["new", "taken"][..], "there is already a `taken` here"),
        (&["new", "--block", "My_Block"], "did you mean `my-block`?"),
        (&["new", "--block", "sdk"], "cannot be called `sdk`"),
        (&["new", "../up"], "not a name in kebab case"),
        (&["new", "x", "--lang", "c"], "--block"),
        (
            &["new", "--block", "x", "--lang", "ada"],
            "possible values: rust, c, cpp",
        ),
        (&["new"], "<NAME>"),
    ] {
        let (code, out, err) = runec(&folder, args);
        assert_eq!((code, &*out), (2, ""), "{args:?}: {err}");
        assert!(err.contains(said), "{args:?}: {err}");
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn check_warns_of_a_folder_that_build_builds_once() {
    if Clang::find().is_none() {
        eprintln!("skipped: no clang with wasm-ld");
        return;
    }
    let folder = folder("c");
    assert_eq!(
        runec(&folder, &["new", "--block", "gain", "--lang", "c"]).0,
        0
    );
    fs::write(folder.join("Runefile"), USES).unwrap();
    let (code, _, err) = runec(&folder, &["check"]);
    assert_eq!(code, 0, "{err}");
    assert!(
        err.contains("warning[R0606]: block `./gain` is not built"),
        "{err}"
    );
    assert!(err.contains("Runefile:3:12"), "{err}");
    assert_eq!(modules(&folder), [] as [PathBuf; 0]);
    let (code, _, err) = runec(&folder, &["build"]);
    assert_eq!(code, 0, "{err}");
    let built = modules(&folder);
    assert_eq!(built.len(), 1);
    // Now what the signature says is checked.
    assert_eq!(runec(&folder, &["check"]).2, "");
    fs::write(
        folder.join("Runefile"),
        USES.replace("--factor 2", "--factor 2000"),
    )
    .unwrap();
    assert!(runec(&folder, &["check"]).2.contains("error[R0204]"));
    fs::write(folder.join("Runefile"), USES).unwrap();
    // A module that is not as it was written is made again, with the same bytes.
    let bytes = fs::read(&built[0]).unwrap();
    fs::write(&built[0], &bytes[..20]).unwrap();
    assert!(runec(&folder, &["check"]).2.contains("warning[R0606]"));
    assert_eq!(runec(&folder, &["build"]).0, 0);
    assert_eq!(fs::read(&built[0]).unwrap(), bytes);
    // Another place gives the same module.
    fs::rename(folder.join("gain"), folder.join("moved")).unwrap();
    fs::remove_dir_all(folder.join("cache")).unwrap();
    assert_eq!(runec(&folder, &["blocks", "moved"]).0, 0);
    assert_eq!(modules(&folder), built);
    assert_eq!(fs::read(&built[0]).unwrap(), bytes);
}

#[test]
fn what_the_compiler_says_is_in_the_notes() {
    if Clang::find().is_none() {
        eprintln!("skipped: no clang with wasm-ld");
        return;
    }
    let folder = folder("wrong");
    runec(&folder, &["new", "--block", "gain", "--lang", "cpp"]);
    fs::write(folder.join("Runefile"), USES).unwrap();
    let source = folder.join("gain/block.cpp");
    let text = fs::read_to_string(&source).unwrap();
    fs::write(&source, text.replace("return self;", "return selv;")).unwrap();
    let (code, _, err) = runec(&folder, &["build"]);
    assert_eq!(code, 1);
    for part in ["error[R0606]", "does not compile", "block.cpp:", "selv"] {
        assert!(err.contains(part), "{part}: {err}");
    }
    assert_eq!(modules(&folder), [] as [PathBuf; 0]);
    // A block that lacks an export builds, and is no block.
    fs::write(
        &source,
        text.replace("RUNE_RUN int32_t run", "int32_t walk"),
    )
    .unwrap();
    let (code, _, err) = runec(&folder, &["build"]);
    assert_eq!(code, 1);
    assert!(
        err.contains("error[R0601]") && err.contains("`run`"),
        "{err}"
    );
}

#[test]
fn a_new_block_in_rust_is_built_and_shown() {
    if Rust::find().is_none() {
        eprintln!("skipped: no Rust compiler for WebAssembly");
        return;
    }
    let folder = folder("rust");
    assert_eq!(runec(&folder, &["new", "--block", "gain"]).0, 0);
    let (code, out, err) = runec(&folder, &["blocks", "./gain"]);
    assert_eq!((code, &*err), (0, ""));
    assert!(out.starts_with("# gain\n"), "{out}");
    let manifest = folder.join("gain/Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    for (from, to, said) in [
        ("[workspace]", "[metadata]", "has no `[workspace]`"),
        ("\"sdk\" }", "\"../sdk\" }", "outside its folder"),
        ("[lib]", "[lib", "is not TOML"),
    ] {
        fs::write(&manifest, text.replace(from, to)).unwrap();
        let (code, _, err) = runec(&folder, &["blocks", "./gain"]);
        assert_eq!(code, 1);
        assert!(err.contains(said), "{err}");
    }
    fs::write(&manifest, text).unwrap();
    fs::remove_file(folder.join("gain/Cargo.lock")).unwrap();
    let (code, _, err) = runec(&folder, &["blocks", "./gain"]);
    assert_eq!(code, 1);
    assert!(err.contains("help: Cargo.lock is a source too"), "{err}");
    // Nothing is written beside the sources.
    assert!(!folder.join("gain/target").exists());
}

#[test]
fn blocks_lists_and_shows_the_catalogue() {
    let folder = folder("catalogue");
    let (code, list, err) = runec(&folder, &["blocks"]);
    assert_eq!((code, &*err), (0, ""));
    for name in rune_catalogue::blocks() {
        let name = name.rsplit('/').next().unwrap();
        assert!(
            list.lines()
                .any(|l| l.trim_start().split(' ').next() == Some(name)),
            "{name}: {list}"
        );
        let (code, page, _) = runec(&folder, &["blocks", name]);
        assert_eq!(code, 0);
        assert!(page.starts_with(&format!("# {name}\n")), "{page}");
    }
    let (_, json, _) = runec(&folder, &["blocks", "--json"]);
    let all: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        all.as_array().unwrap().len(),
        rune_catalogue::blocks().count()
    );
    let (_, json, _) = runec(&folder, &["blocks", "runicos/label", "--json"]);
    let label: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(label["name"], "label");
    let ty = label["outputs"][0]["type"].as_str().unwrap();
    assert!(ty.starts_with("UTF8["), "{ty}");
    assert_eq!(label["args"][0]["name"], "labels");
    for (name, said) in [
        ("labl", "did you mean `label`?"),
        ("nothing-like-it", "`runec blocks` lists them"),
        ("./none.wasm", "there is no file"),
    ] {
        let (code, out, err) = runec(&folder, &["blocks", name]);
        assert_eq!((code, &*out), (2, ""));
        assert!(err.contains(said), "{err}");
    }
}

#[test]
fn the_environment_changes_no_module() {
    if Clang::find().is_none() {
        eprintln!("skipped: no clang with wasm-ld");
        return;
    }
    let folder = folder("environment");
    assert_eq!(
        runec(&folder, &["new", "--block", "gain", "--lang", "c"]).0,
        0
    );
    // A header of another place must not be found in front of the SDK's.
    let elsewhere = folder.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("math.h"), "#error not this one\n").unwrap();
    let source = folder.join("gain/block.c");
    let text = fs::read_to_string(&source).unwrap();
    fs::write(&source, format!("#include <math.h>\n{text}")).unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_runec"))
        .args(["blocks", "./gain"])
        .current_dir(&folder)
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env("CPATH", &elsewhere)
        .env("C_INCLUDE_PATH", &elsewhere)
        .env("CCC_OVERRIDE_OPTIONS", "# +--no-such-option")
        .output()
        .unwrap();
    assert!(status.status.success(), "{status:?}");
}

#[test]
fn what_a_linker_or_a_header_lacks_is_said_without_paths_of_the_cache() {
    if Clang::find().is_none() {
        eprintln!("skipped: no clang with wasm-ld");
        return;
    }
    let folder = folder("lacks");
    assert_eq!(
        runec(&folder, &["new", "--block", "gain", "--lang", "c"]).0,
        0
    );
    let source = folder.join("gain/block.c");
    let text = fs::read_to_string(&source).unwrap();
    let calls = text.replace("(void)scratch;", "extern void missing(void); missing();");
    for (text, said) in [
        (calls, "error: block.c.o: undefined symbol: missing"),
        (
            format!("#include <stdio.h>\n{text}"),
            "any other header lies in the folder",
        ),
    ] {
        fs::write(&source, text).unwrap();
        let (code, _, err) = runec(&folder, &["blocks", "./gain"]);
        assert_eq!(code, 1);
        assert!(
            err.starts_with("error: cannot build block `./gain`: "),
            "{err}"
        );
        assert!(err.contains(said) && err.contains("\nhelp: "), "{err}");
        assert!(!err.contains("cache"), "{err}");
    }
}

#[test]
fn two_processes_build_one_block_at_once() {
    if Clang::find().is_none() {
        eprintln!("skipped: no clang with wasm-ld");
        return;
    }
    let folder = folder("at-once");
    assert_eq!(
        runec(&folder, &["new", "--block", "gain", "--lang", "cpp"]).0,
        0
    );
    // A link to nothing, as an editor leaves it, is no source.
    #[cfg(unix)]
    std::os::unix::fs::symlink("nobody@nowhere", folder.join("gain/.#block.cpp")).unwrap();
    let start = || {
        Command::new(env!("CARGO_BIN_EXE_runec"))
            .args(["blocks", "./gain", "--json"])
            .current_dir(&folder)
            .env("XDG_CACHE_HOME", folder.join("cache"))
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let running: Vec<_> = (0..6).map(|_| start()).collect();
    for process in running {
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success());
        let page: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(page["name"], "gain");
    }
    assert_eq!(modules(&folder).len(), 1);
}
