//! Our own snippets, each with everything that must come out of it, in `testsuite/ui/reference`.
//!
//! A file is a row of cases: a line `### title`, the snippet, a line `---`, and what comes out.
//! In a snippet `{CR}`, `{NUL}`, `{BOM}` and `{NBSP}` stand for the characters that would not be seen.
//! `BLESS=1` writes what comes out into the files.

use std::{fs, path::PathBuf};

use crate::world::{root, show};

fn files() -> Vec<PathBuf> {
    let folder = root().join("testsuite/ui/reference");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the corpus is there")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|e| e == "cases"))
        .collect();
    files.sort();
    files
}

pub(crate) fn source(written: &str) -> String {
    written
        .replace("{CR}", "\r")
        .replace("{NUL}", "\0")
        .replace("{BOM}", "\u{FEFF}")
        .replace("{NBSP}", "\u{A0}")
}

#[test]
fn every_case_gives_what_it_says() {
    let mut cases = 0;
    let mut wrong = Vec::new();
    for path in files() {
        let text = fs::read_to_string(&path).expect("a readable case file");
        let mut blessed = String::new();
        for case in text.split("### ").skip(1) {
            let (title, rest) = case.split_once('\n').expect("a title is a line");
            let (written, _) = rest.split_once("\n---\n").unwrap_or((rest.trim_end(), ""));
            let outcome = show(source(written).as_bytes());
            blessed.extend(["### ", title, "\n", written, "\n---\n", &outcome, "\n"]);
            cases += 1;
        }
        let blessed = blessed.trim_end().to_owned() + "\n";
        if std::env::var("BLESS").is_ok() {
            fs::write(&path, blessed).expect("a writable case file");
        } else if let Some((expected, actual)) =
            text.lines().zip(blessed.lines()).find(|(a, b)| a != b)
        {
            wrong.push(format!("{}:\n- {expected}\n+ {actual}", path.display()));
        } else if text != blessed {
            wrong.push(format!("{}: too long or too short", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases >= 70, "only {cases} cases were found");
}
