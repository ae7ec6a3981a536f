//! The header is made of the sources, says nothing that C or C++ would not have, and names all that the library has.
//!
//! `BLESS=1` writes it.

use std::{collections::BTreeSet, env, fs, process::Command};

use cbindgen::{Builder, Config};

use crate::{here, is_there, library_folder};

#[test]
fn it_is_fresh() {
    let config = Config::from_file(here("cbindgen.toml")).unwrap();
    let mut builder = Builder::new().with_config(config);
    for file in [
        "lib", "error", "runtime", "rune", "grants", "instance", "result",
    ] {
        builder = builder.with_src(here(&format!("src/{file}.rs")));
    }
    let mut due = vec![];
    builder.generate().unwrap().write(&mut due);
    let due = String::from_utf8(due).unwrap();
    let path = here("include/runicos.h");
    if env::var_os("BLESS").is_some() {
        fs::write(&path, due).unwrap();
    } else {
        let there = fs::read_to_string(&path).unwrap();
        assert!(there == due, "{} is old: run with BLESS=1", path.display());
    }
}

#[test]
fn it_is_c_and_cpp() {
    for (compiler, language) in [
        ("cc", &["-x", "c", "-std=c99"]),
        ("c++", &["-x", "c++", "-std=c++11"]),
    ] {
        if !is_there(compiler) {
            continue;
        }
        let output = Command::new(compiler)
            .args(language)
            .args(["-Wall", "-Wextra", "-pedantic", "-Werror"])
            .arg("-fsyntax-only")
            .arg(here("include/runicos.h"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{compiler}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// The functions of a text: every `runicos_` word before a parenthesis that is no type.
fn functions(header: &str) -> BTreeSet<String> {
    let code = header
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code: String = code.collect::<Vec<_>>().join("\n");
    let code = code.split_once("#include").unwrap().1.to_owned();
    let words = code.split('(').map(|part| {
        let at = part.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        part[at.map_or(0, |at| at + 1)..].to_owned()
    });
    words
        .filter(|word| word.starts_with("runicos_") && !word.ends_with("_t"))
        .collect()
}

#[test]
fn the_library_exports_what_it_names_and_nothing_else() {
    if !is_there("nm") {
        return;
    }
    let output = Command::new("nm")
        .args(["-D", "--defined-only", "--format=posix"])
        .arg(library_folder().join("librunicos.so"))
        .output()
        .unwrap();
    let symbols = String::from_utf8(output.stdout).unwrap();
    let symbols = symbols
        .lines()
        .map(|line| line.split(' ').next().unwrap().to_owned());
    let header = fs::read_to_string(here("include/runicos.h")).unwrap();
    assert_eq!(functions(&header), symbols.collect());
}
