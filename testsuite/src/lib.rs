//! What the suites share: where things lie, random numbers, and a rune compiled and run on every engine.

pub mod blocks;
pub mod chart;
pub mod costs;
pub mod device;
pub mod engines;
pub mod examples;
pub mod fleet;
pub mod memory;
pub mod overlay;
pub mod pages;
pub mod play;
pub mod qemu;
pub mod random;
pub mod terminal;

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the suite lies in the repository")
}

/// The folder of reference models, which are not part of the repository: the environment's `RUNE_MODELS`,
/// else `../shared/models` beside the repository. Says so and gives `None` where it is absent.
pub fn reference_models(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("RUNE_MODELS")
        .map_or_else(|| root().join("../shared/models"), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    skip(test, "no folder of reference models; set RUNE_MODELS");
    None
}

/// Says that a test is skipped and why.
#[expect(
    clippy::print_stderr,
    reason = "a skipped test must not look like one that ran"
)]
pub fn skip(test: &str, why: &str) {
    eprintln!("{test}: skipped: {why}");
}

/// The Runefiles of a folder of cases, by name: `.rune` in the text form, `.yml` in YAML.
pub fn cases(folder: &str) -> Vec<PathBuf> {
    let folder = root().join("testsuite").join(folder);
    let entries = std::fs::read_dir(&folder).expect("the folder of cases is there");
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "rune" || e == "yml"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} has cases", folder.display());
    paths
}
