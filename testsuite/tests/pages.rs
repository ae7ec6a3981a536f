//! The page of every code: its form, that its faulty example comes to exactly that code through the whole
//! compiler and the repaired one to nothing, and the index of all pages.
//!
//! `BLESS=1` writes the index.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{collections::BTreeSet, env, fmt::Write, fs, path::Path};

use rune_codegen::{Options, Output, Simd};
use rune_ir::diag::{Code, Severity};
use rune_testsuite::{
    engines,
    pages::{self, Fence},
    root,
};
use runec::Compilation;

/// The words of every group of codes, by the first two digits of their numbers.
const GROUPS: [(&str, &str); 11] = [
    ("R00", "Reading the text"),
    ("R01", "Names, and what they stand for"),
    ("R02", "Arguments"),
    ("R03", "Types"),
    ("R04", "Stages and how they are joined"),
    ("R05", "Models"),
    ("R06", "Blocks"),
    ("R07", "Size and devices"),
    ("R08", "Layers"),
    ("R09", "Files and configuration"),
    ("R10", "Lints: what compiles and was probably not meant"),
];

/// A Runefile for pages that are not about one.
const ANY: &str =
    "FROM runicos/base\nCAPABILITY<F32> RAND numbers\nOUT SERIAL\nRUN numbers serial\n";

fn page(code: Code) -> String {
    let path = root().join(format!("docs/errors/{code}.md"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_page_has_its_title_and_parts() {
    for code in Code::ALL {
        let page = page(*code);
        let title = format!("# {code}: {}\n", code.summary());
        assert!(page.starts_with(&title), "{code}: the title is not {title}");
        let mut rest = page.as_str();
        for heading in ["## What it means", "## Example", "## What to do"] {
            let (_, after) = rest
                .split_once(&format!("\n{heading}\n"))
                .unwrap_or_else(|| panic!("{code} has no `{heading}` in its place"));
            let text = after.split("\n## ").next().unwrap_or("");
            assert!(text.trim().len() > 10, "{code}: nothing under `{heading}`");
            rest = after;
        }
        assert_eq!(page.matches("\n## ").count(), 3, "{code}: other headings");
        let is_narrow = |l: &str| l.chars().count() <= 120;
        assert!(page.lines().all(is_narrow), "{code}: long lines");
        assert!(page.lines().count() <= 75, "{code} is longer than a page");
    }
}

/// The line below the title of every page: the readable name, and of what has a level, which and where to
/// change it.
#[test]
fn every_page_says_its_name_and_level() {
    for code in Code::ALL {
        let due = match level(*code) {
            "error" => format!("`{}`, an error.\n", code.name()),
            level => {
                let level = match level {
                    "off" => "a lint that is off by default",
                    "note" => "a note by default",
                    _ => "a warning by default",
                };
                format!(
                    "`{}`, {level}. [Lints](../book/lints.md) says how to ignore it or set its level.\n",
                    code.name()
                )
            }
        };
        let page = page(*code);
        let (_, after) = page.split_once("\n\n").unwrap();
        assert!(
            after.starts_with(&due),
            "{code}: below the title belongs: {due}"
        );
    }
}

fn level(code: Code) -> &'static str {
    match code.severity() {
        _ if !code.on_by_default() => "off",
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

#[test]
fn every_example_fails_as_it_says_and_is_repaired() {
    let mut wrong = String::new();
    for code in Code::ALL {
        let page = page(*code);
        let (files, examples): (Vec<_>, Vec<_>) = pages::fences(&page)
            .into_iter()
            .filter(|f| ["runefile", "yaml", "toml"].contains(&f.language()))
            .partition(|f| f.file().is_some());
        let [faulty, repaired] = examples.as_slice() else {
            let count = examples.len();
            writeln!(
                wrong,
                "{code} has {count} examples, not a faulty and a repaired one"
            )
            .unwrap();
            continue;
        };
        if faulty.text == repaired.text {
            writeln!(wrong, "{code}: both examples are the same").unwrap();
        }
        let compiled = compile(*code, "faulty", faulty, &files);
        let codes = codes(&compiled);
        // Other findings are those that the page speaks of.
        let is_said = |c: &Code| c == code || page.contains(&format!(" {c}"));
        if !codes.contains(code) || !codes.iter().all(is_said) {
            let rendered = engines::rendered(&compiled);
            writeln!(
                wrong,
                "{code}: the faulty example comes to {codes:?}\n{rendered}"
            )
            .unwrap();
        }
        let compiled = compile(*code, "repaired", repaired, &files);
        if !compiled.diagnostics.is_empty() || compiled.output.is_none() {
            let rendered = engines::rendered(&compiled);
            writeln!(wrong, "{code}: the repaired example comes to\n{rendered}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn codes<T>(compiled: &Compilation<T>) -> BTreeSet<Code> {
    compiled.diagnostics.iter().map(|d| d.code).collect()
}

/// Compiles an example in a folder of its own, beside the files that it names.
fn compile(
    code: Code,
    name: &str,
    example: &Fence<'_>,
    files: &[Fence<'_>],
) -> Compilation<Output> {
    let folder = pages::folder(env!("CARGO_TARGET_TMPDIR"), &format!("pages/{code}/{name}"));
    pages::lay_out(&folder);
    for file in files {
        pages::write(&folder.join(file.file().unwrap()), &file.text);
    }
    if code == Code::LayerDepth {
        chain(&folder);
    }
    let levels = if code.is_lint() && !code.on_by_default() {
        format!("[lints]\n{} = \"warn\"\n", code.name())
    } else {
        String::new()
    };
    let (name, text, config) = match example.language() {
        "yaml" => ("Runefile.yml", example.text.as_str(), levels),
        "toml" => ("Runefile", ANY, example.text.clone()),
        _ => ("Runefile", example.text.as_str(), levels),
    };
    pages::write(&folder.join("Rune.toml"), config);
    // The home of who wrote the page.
    let text = text.replace("/home/me", &folder.display().to_string());
    let mut bytes = text.clone().into_bytes();
    if code == Code::InvalidUtf8 {
        bytes = text.replace('\u{fffd}', "\0").into_bytes();
        let marked = bytes.iter_mut().filter(|b| **b == 0);
        marked.for_each(|b| *b = 0xe9);
    }
    pages::write(&folder.join(name), bytes);
    let mut options = Options::default();
    if code == Code::DeviceFeatures {
        options.simd = Simd::Relaxed;
    }
    pages::compile(&folder, &options)
}

/// Folders `layer-0` to `layer-40`, each on top of the one before.
fn chain(folder: &Path) {
    for number in 0..=40 {
        let from = match number {
            0 => "runicos/base".to_owned(),
            _ => format!("../layer-{}", number - 1),
        };
        let path = folder.join(format!("layer-{number}/Runefile"));
        pages::write(&path, format!("FROM {from}\n"));
    }
}

#[test]
fn the_index_is_fresh() {
    let mut due = "# Errors, warnings and lints\n\n\
        Every message of `runec` has a code, which stays the same from version to version. `runec explain R0301` prints \
        its\npage. Warnings and notes have a level, which can be changed, and can be ignored at a line: \
        [lints](../book/lints.md).\n\n\
        <!-- Made of the codes in `ir/src/diag.rs`: run `cargo xtask bless`. -->\n"
        .to_owned();
    let mut count = 0;
    for (prefix, words) in GROUPS {
        writeln!(
            due,
            "\n## {words}\n\n| code | name | level | |\n|---|---|---|---|"
        )
        .unwrap();
        for code in Code::ALL.iter().filter(|c| c.number().starts_with(prefix)) {
            let (name, summary, level) = (code.name(), code.summary(), level(*code));
            writeln!(
                due,
                "| [{code}]({code}.md) | `{name}` | {level} | {summary} |"
            )
            .unwrap();
            count += 1;
        }
    }
    assert_eq!(count, Code::ALL.len(), "a code of no group");
    let folder = root().join("docs/errors");
    let path = folder.join("README.md");
    if env::var_os("BLESS").is_some() {
        fs::write(&path, &due).unwrap();
    }
    let text = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == due, "{}: run `cargo xtask bless`", path.display());
    let files = fs::read_dir(folder).unwrap().count();
    assert_eq!(
        files,
        Code::ALL.len() + 1,
        "a page of a code that does not exist"
    );
}
