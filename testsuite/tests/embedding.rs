//! The page on embedding shows the example of the crate and the one in C, and its commands do what it says. The library
//! compiles runes by the program `rune` where it is told to.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../../host/runtime/tests/runtime/page.rs"]
mod page;

use std::{
    env,
    ffi::CString,
    fs,
    mem::MaybeUninit,
    os::unix::{ffi::OsStringExt, fs::symlink},
    path::PathBuf,
    process::Command,
    ptr,
};

use rune_testsuite::{pages, root, skip};
use runicos::runicos_status_t;

/// A folder of tools with the program `rune`.
fn tools(name: &str) -> PathBuf {
    let tools = pages::folder(env!("CARGO_TARGET_TMPDIR"), name);
    symlink(env!("CARGO_BIN_EXE_xtask"), tools.join("rune")).unwrap();
    tools
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn the_page_does_what_it_says() {
    if Command::new("cc").arg("--version").output().is_err() {
        return skip("the_page_does_what_it_says", "there is no `cc` here");
    }
    let tools = tools("embedding/tools");
    let top = pages::folder(env!("CARGO_TARGET_TMPDIR"), "embedding/top");
    let lib = top.join("lib");
    fs::create_dir(&lib).unwrap();
    // Cargo leaves it beside the tests that depend on it.
    let built = env::current_exe().unwrap().with_file_name("librunicos.so");
    symlink(built, lib.join("librunicos.so")).unwrap();
    symlink(root().join("host/capi/include"), top.join("include")).unwrap();
    let model = root().join("examples/sine/sine.tflite");
    fs::copy(model, top.join("sine.tflite")).unwrap();
    let commands = page::run_page(&tools, &top, &text("docs/book/embedding.md"));
    assert_eq!(commands, 5);
}

#[test]
fn the_page_shows_the_examples_as_they_are() {
    let page = text("docs/book/embedding.md");
    let shown = |info: &str| {
        let mut fences = pages::fences(&page).into_iter();
        fences.find(|fence| fence.info == info).unwrap().text
    };
    assert_eq!(shown("c main.c"), text("examples/embedding/main.c"));
    assert_eq!(shown("runefile"), text("examples/sine/raw.Runefile"));
    let docs = text("host/runtime/src/lib.rs");
    let example = docs.split("//! ```\n").nth(1).unwrap().lines();
    let example = example.map(|line| line.trim_start_matches("//!"));
    let example = example.map(|line| line.strip_prefix(' ').unwrap_or(line));
    let example = example.filter(|line| !line.starts_with("# "));
    let example: String = example.flat_map(|line| [line, "\n"]).collect();
    assert_eq!(shown("rust"), example);
}

#[test]
#[expect(unsafe_code, reason = "it calls what C calls")]
fn runes_are_compiled_by_a_worker() {
    let folder = tools("embedding/worker");
    let built = Command::new(folder.join("rune"))
        .arg("build")
        .arg(root().join("examples/sine"))
        .arg("-o")
        .arg(folder.join("sine.rune"))
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
    let c = |path: PathBuf| CString::new(path.into_os_string().into_vec()).unwrap();
    let (worker, path) = (c(folder.join("rune")), c(folder.join("sine.rune")));
    let (mut runtime, mut rune) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    let (mut grants, mut instance) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    let mut result = MaybeUninit::uninit();
    let ok = |status| assert_eq!(status, runicos_status_t::RUNICOS_OK);
    // SAFETY: the strings are such, what is made is made when it is taken, and everything is ended once.
    unsafe {
        let (worker, none) = (worker.as_ptr(), ptr::null());
        ok(runicos::runicos_runtime_new(
            worker,
            none,
            Some(&mut runtime),
            None,
        ));
        ok(runicos::runicos_rune_open(
            path.as_ptr(),
            Some(&mut rune),
            None,
        ));
        ok(runicos::runicos_grants_new(Some(&mut grants), None));
        let runtime = Box::from_raw(runtime.assume_init());
        let rune = Box::from_raw(rune.assume_init());
        let grants = Box::from_raw(grants.assume_init());
        ok(runicos::runicos_instance_start(
            Some(&runtime),
            Some(&rune),
            Some(grants),
            Some(&mut instance),
            None,
        ));
        let instance = Box::from_raw(instance.assume_init());
        ok(runicos::runicos_instance_call(
            Some(&instance),
            Some(&mut result),
            None,
        ));
        let result = Box::from_raw(result.assume_init());
        let outcome = runicos::runicos_result_outcome(Some(&result));
        assert_eq!(outcome, runicos::runicos_outcome_t::RUNICOS_OUTPUT);
    }
}
