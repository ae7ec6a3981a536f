//! The grammars and extensions of editors: the tests and the packaging that need Node, and the parser made anew.

use std::{fs, path::Path, process::Command};

use rune_testsuite::root;

/// The version of tree-sitter's command that made the committed parser; another may write it differently.
const TREE_SITTER: &str = "0.27";

/// What the generator writes and the repository has.
const GENERATED: [&str; 4] = [
    "grammar.json",
    "node-types.json",
    "parser.c",
    "tree_sitter/parser.h",
];

/// Tests and packages the extension of Visual Studio Code, which fetches its packages with npm, and compares
/// the generated parser with its grammar; with `bless` it writes that parser instead. What it has no program
/// for it skips, and says so.
pub(crate) fn run(bless: bool) -> Result<(), String> {
    let vscode = root().join("editors/vscode");
    if version("npm").is_some() && version("node").is_some() {
        call("npm", &["ci", "--ignore-scripts"], &vscode)?;
        if bless {
            call("npm", &["run", "bless"], &vscode)?;
        }
        call("npm", &["test"], &vscode)?;
        call("npm", &["run", "package"], &vscode)?;
    } else {
        println!(
            "== skipped: the extension of Visual Studio Code, since there is no npm or no node"
        );
    }
    let Some(found) = version("tree-sitter") else {
        println!(
            "== skipped: the tree-sitter parser is not made anew; `cargo install tree-sitter-cli` brings the command"
        );
        return Ok(());
    };
    if !found.starts_with(&format!("tree-sitter {TREE_SITTER}.")) {
        println!(
            "== skipped: the parser is made by tree-sitter {TREE_SITTER}, and this is {found}"
        );
        return Ok(());
    }
    generate(bless)
}

/// Makes the parser in a folder of its own and compares what came out, or takes it over.
fn generate(bless: bool) -> Result<(), String> {
    let scratch = std::env::temp_dir().join(format!("rune-tree-sitter-{}", std::process::id()));
    let stale = generate_in(&scratch, bless);
    fs::remove_dir_all(&scratch).map_err(|e| failed("remove", &scratch, &e))?;
    match stale?[..] {
        [] => Ok(()),
        ref stale => Err(format!(
            "not what grammar.js makes: {}; run `cargo xtask editors --bless`",
            stale.join(", ")
        )),
    }
}

/// What is committed otherwise than it is made in a folder; with `bless` that is put right.
fn generate_in(scratch: &Path, bless: bool) -> Result<Vec<&'static str>, String> {
    let grammar = root().join("editors/tree-sitter");
    fs::create_dir_all(scratch).map_err(|e| failed("create", scratch, &e))?;
    for name in ["grammar.js", "tree-sitter.json"] {
        copy(&grammar.join(name), &scratch.join(name))?;
    }
    call("tree-sitter", &["generate", "--abi", "14"], scratch)?;
    let mut stale = Vec::new();
    for name in GENERATED {
        let (new, old) = (
            scratch.join("src").join(name),
            grammar.join("src").join(name),
        );
        if bless {
            copy(&new, &old)?;
            continue;
        }
        let fresh = fs::read(&new).map_err(|e| failed("read", &new, &e))?;
        if fs::read(&old).ok() != Some(fresh) {
            stale.push(name);
        }
    }
    Ok(stale)
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    fs::copy(from, to).map_err(|e| failed("copy", from, &e))?;
    Ok(())
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> String {
    format!("cannot {what} {}: {error}", path.display())
}

/// What a program says of its version, if it is there.
fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn call(program: &str, args: &[&str], folder: &Path) -> Result<(), String> {
    let line = format!("{program} {}", args.join(" "));
    println!("== {line}");
    match Command::new(program)
        .args(args)
        .current_dir(folder)
        .status()
    {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("{line} failed")),
        Err(error) => Err(format!("{program} cannot be run: {error}")),
    }
}
