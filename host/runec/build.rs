//! Lists the files of the block SDK, for `runec new --block` to write beside a block, and the pages about
//! diagnostics, for `runec explain`.

use std::{
    env,
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../..");
    let sdk = root.join("proc-blocks/sdk");
    let mut rust = Vec::new();
    find(&sdk.join("src"), "src/", &mut rust)?;
    // Shared with the runtime, and so outside of the SDK's folder.
    for name in ["element.rs", "fault.rs"] {
        let path = root.join("stdlib/abi/src").join(name);
        rust.push((format!("src/{name}"), path));
    }
    let mut c = Vec::new();
    find(&sdk, "", &mut c)?;
    c.retain(|(name, _)| [".h", ".hpp", ".a"].iter().any(|end| name.ends_with(end)));
    let mut text = String::new();
    for (name, files) in [("RUST", rust), ("C", c)] {
        writeln!(text, "pub(super) const {name}: &[(&str, &[u8])] = &[")
            .map_err(io::Error::other)?;
        for (name, path) in files {
            println!("cargo::rerun-if-changed={}", path.display());
            let path = path.display().to_string();
            writeln!(text, "({name:?}, include_bytes!({path:?})),").map_err(io::Error::other)?;
        }
        text += "];\n";
    }
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("sdk.rs"), text)?;
    let mut pages = Vec::new();
    find(&root.join("docs/errors"), "", &mut pages)?;
    let mut text = "pub(super) const PAGES: &[(&str, &str)] = &[".to_owned();
    for (name, path) in pages {
        println!("cargo::rerun-if-changed={}", path.display());
        let (code, path) = (name.trim_end_matches(".md"), path.display().to_string());
        writeln!(text, "({code:?}, include_str!({path:?})),").map_err(io::Error::other)?;
    }
    fs::write(out.join("pages.rs"), text + "];\n")
}

/// Every file of a folder and those in it, by name.
fn find(folder: &Path, prefix: &str, found: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = format!("{prefix}{}", entry.file_name().display());
        if entry.file_type()?.is_dir() {
            find(&entry.path(), &format!("{name}/"), found)?;
        } else {
            found.push((name, entry.path()));
        }
    }
    Ok(())
}
