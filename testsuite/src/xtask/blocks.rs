//! `cargo xtask blocks`: the processing blocks as the bytes in `stdlib/catalogue`.
//!
//! The compilers are those that build a user's block, `runec::toolchain`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use rune_testsuite::root;
use runec::toolchain::{self, Rust};

/// A block's name, without the catalogue's, and its module.
type Module = (String, Vec<u8>);

/// Compiles blocks, those of the catalogue where none are named, and puts them into the catalogue. With
/// `check` it only compares, or, where the compiler is another than the recorded one, runs the tests of the
/// blocks with what it made.
///
/// # Errors
/// One sentence: no compiler, a failed command, or the blocks that differ.
pub(crate) fn run(check: bool, names: &[&str]) -> Result<(), String> {
    let rust = Rust::find().ok_or_else(|| {
        format!(
            "no compiler for {}: {}",
            toolchain::TARGET,
            toolchain::advice(true)
        )
    })?;
    println!("compiling the blocks with {}", rust.name());
    let names: Vec<&str> = if names.is_empty() {
        rune_catalogue::blocks().map(last_part).collect()
    } else {
        names.to_vec()
    };
    let modules = build(&rust, &names)?;
    let catalogue = root().join("stdlib/catalogue");
    if !check {
        return write(&catalogue, rust.name(), &modules);
    }
    let recorded = rune_catalogue::toolchain();
    if recorded != rust.name() {
        println!("the catalogue was made with {recorded}, so bytes cannot be compared");
        return test(&modules);
    }
    let differ: Vec<&str> = modules
        .iter()
        .filter(|(name, bytes)| rune_catalogue::block(&format!("runicos/{name}")) != Some(bytes))
        .map(|(name, _)| name.as_str())
        .collect();
    if differ.is_empty() {
        println!("the catalogue has the same bytes");
        return Ok(());
    }
    Err(format!(
        "the catalogue has other bytes for {}; run `cargo xtask blocks`",
        differ.join(", ")
    ))
}

fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Compiles the blocks of these folders.
fn build(rust: &Rust, names: &[&str]) -> Result<Vec<Module>, String> {
    let blocks = root().join("proc-blocks");
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| blocks.join("target"), PathBuf::from);
    if let Some(name) = names
        .iter()
        .find(|n| !blocks.join(n).join("block.toml").is_file())
    {
        return Err(format!("proc-blocks has no block `{name}`"));
    }
    let mut cargo = rust.cargo(&blocks, &target, &[(root(), "rune")]);
    cargo.args(["--locked", "--lib"]);
    for name in names {
        cargo.args(["-p", &format!("rune-block-{name}")]);
    }
    match cargo.status() {
        Ok(status) if status.success() => {}
        Ok(_) => return Err("the blocks do not compile".to_owned()),
        Err(error) => return Err(format!("cargo cannot be run: {error}")),
    }
    let modules = Rust::modules(&target);
    names
        .iter()
        .map(|name| {
            let file = modules.join(format!("rune_block_{}.wasm", name.replace('-', "_")));
            let bytes = fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?;
            Ok(((*name).to_owned(), bytes))
        })
        .collect()
}

fn write(catalogue: &Path, toolchain: &str, modules: &[Module]) -> Result<(), String> {
    let put = |path: &str, bytes: &[u8]| {
        fs::write(catalogue.join(path), bytes).map_err(|e| format!("{path}: {e}"))
    };
    for (name, bytes) in modules {
        put(&format!("blocks/{name}.wasm"), bytes)?;
        println!("{name}: {} bytes", bytes.len());
    }
    let table = fs::read_to_string(catalogue.join("catalogue.toml")).map_err(|e| e.to_string())?;
    // Only these two keys are ours; comments and order stay.
    let mut name = "";
    let lines = table.lines().map(|line| {
        if let Some(value) = line.strip_prefix("name = ") {
            name = last_part(value.trim_matches('"'));
        }
        let module = modules.iter().find(|(n, _)| n == name);
        match (line.split(" = ").next(), module) {
            (Some("toolchain"), _) => format!("toolchain = \"{toolchain}\"\n"),
            (Some("sha256"), Some((_, bytes))) => format!("sha256 = \"{}\"\n", digest(bytes)),
            _ => format!("{line}\n"),
        }
    });
    put("catalogue.toml", lines.collect::<String>().as_bytes())
}

fn digest(bytes: &[u8]) -> String {
    let digits = rune_ir::digest(bytes).map(|b| format!("{b:02x}"));
    digits.concat()
}

/// Runs the tests that run blocks on these modules in place of the catalogue's.
fn test(modules: &[Module]) -> Result<(), String> {
    let folder = env::temp_dir().join(format!("rune-blocks-{}", std::process::id()));
    let write = || {
        fs::create_dir_all(&folder)?;
        modules
            .iter()
            .try_for_each(|(name, bytes)| fs::write(folder.join(format!("{name}.wasm")), bytes))
    };
    write().map_err(|e| format!("{}: {e}", folder.display()))?;
    println!("running the tests of the blocks on what was compiled");
    let status = Command::new("cargo")
        .args(["test", "--quiet", "-p", "rune-blocks"])
        .env("RUNE_BLOCKS", &folder)
        .current_dir(root())
        .status();
    // What is left in a folder for temporary files hurts nobody.
    drop(fs::remove_dir_all(&folder));
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("the blocks do not pass their tests".to_owned()),
        Err(error) => Err(format!("cargo cannot be run: {error}")),
    }
}
