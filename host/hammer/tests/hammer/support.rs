//! Folders, runes, images and the program.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use rune_abi::image::{Containment, Image, Target};
use runec::{Options, driver, world::Input};
use sha2::{Digest, Sha256};

/// An empty folder that is of one test alone.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("hammer")
        .join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Runs the program in a folder: exit status, standard output and standard error.
pub(crate) fn hmr(folder: &Path, args: &[&str]) -> (i32, String, String) {
    run(folder, args, &[])
}

/// The same with more in its environment.
pub(crate) fn run(folder: &Path, args: &[&str], more: &[(&str, &Path)]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_hmr"))
        .args(args)
        .envs(more.iter().copied())
        .current_dir(folder)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let status = output.status.code().unwrap();
    (status, text(output.stdout), text(output.stderr))
}

/// The same where it must end well: what it printed.
#[track_caller]
pub(crate) fn done(folder: &Path, args: &[&str]) -> String {
    let (status, printed, said) = hmr(folder, args);
    assert_eq!(status, 0, "{args:?}: {said}");
    printed
}

/// The same where it must be refused: why.
#[track_caller]
pub(crate) fn refused(folder: &Path, args: &[&str]) -> String {
    let (status, printed, said) = hmr(folder, args);
    assert_eq!((status, printed.as_str()), (1, ""), "{args:?}: {said}");
    said
}

/// A key without a password; its id.
pub(crate) fn key(folder: &Path, name: &str, class: &str) -> String {
    let printed = done(folder, &["keygen", name, "--class", class, "--no-password"]);
    printed.trim_end().to_owned()
}

/// The example `sine`, compiled, and its manifest.
fn built() -> &'static (Vec<u8>, Vec<u8>) {
    static BUILT: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();
    BUILT.get_or_init(|| {
        let sine = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/sine");
        let input = Input::open(&sine).unwrap();
        let compiled = driver::generate(driver::analyse(&input.request()), &Options::default());
        let output = compiled.output.unwrap();
        (output.wasm, output.manifest.to_bytes().unwrap())
    })
}

/// A rune.
pub(crate) fn rune() -> Vec<u8> {
    built().0.clone()
}

/// An image with the manifest of that rune. Its code does nothing.
pub(crate) fn image(containment: Containment) -> Vec<u8> {
    let image = Image {
        target: Target::CortexM7,
        containment,
        imports: vec![],
        resets: false,
        first_read: None,
        keeps_records: false,
        block_bytes: 4096,
        memory: (64, 2048),
        stack_bytes: 512,
        manifest: built().1.clone(),
        linked: vec![0; 96],
        constant_bytes: 64,
        entry: 8,
        functions: vec![(0, "entry".to_owned())],
        graph_digest: [7; 32],
    };
    image.encode(|parts| {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
        }
        hash.finalize().into()
    })
}
