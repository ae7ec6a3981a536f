//! Runefiles with faults in them: `#~ CODE` on a line says that a diagnostic of this code points there,
//! and a snapshot beside the file holds what a person sees. No other diagnostic may come. A first line
//! `# built with: --simd relaxed` says that the case is about that option.

use std::{collections::BTreeSet, fs, path::Path};

use rune_ir::diag::{Code, FileId};
use rune_runefile::lint::Level;
use rune_testsuite::{cases, engines, root};
use runec::{Compilation, Output, config::Config};

#[test]
fn every_diagnostic_is_where_its_mark_is() {
    let mut failures = Vec::new();
    for path in cases("ui") {
        let compiled = compile(&path);
        let mut expected: Vec<(FileId, usize, String)> = compiled
            .sources
            .iter()
            .flat_map(|(file, _, text)| marks(text).into_iter().map(move |(l, c)| (file, l, c)))
            .collect();
        expected.sort();
        let mut found: Vec<(FileId, usize, String)> = compiled
            .diagnostics
            .iter()
            .map(|d| {
                let span = d.primary.span;
                let before = &compiled.sources.text(span.file)[..span.start as usize];
                let line = before.matches('\n').count() + 1;
                (span.file, line, d.code.number().to_owned())
            })
            .collect();
        found.sort();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if found != expected {
            failures.push(format!(
                "{name}: marked {expected:?}, found {found:?}\n{}",
                engines::rendered(&compiled)
            ));
            continue;
        }
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../ui");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name, engines::rendered(&compiled)));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Compiles a case, and looks for lints where it has marks of lints; those are on, whatever their default.
/// A file `CASE.toml` stands for the Rune.toml.
fn compile(path: &Path) -> Compilation<Output> {
    let text = String::from_utf8_lossy(&fs::read(path).expect("a case can be read")).into_owned();
    let marked = marks(&text).into_iter();
    let lints: Vec<Code> = marked
        .filter_map(|(_, code)| Code::from_number(&code).filter(|c| c.is_lint()))
        .collect();
    let mut options = rune_codegen::Options::default();
    if text.starts_with("# built with: --simd relaxed\n") {
        options.simd = rune_codegen::Simd::Relaxed;
    }
    let toml = path.with_extension("toml");
    if lints.is_empty() && !toml.exists() {
        return engines::compile(path, &options);
    }
    let configuration = fs::read_to_string(&toml).unwrap_or_default();
    let shown = toml.strip_prefix(root()).unwrap_or(&toml);
    let mut config = Config::parse(&shown.display().to_string(), &configuration);
    for code in lints.into_iter().filter(|c| !c.on_by_default()) {
        config.levels.set(code, Level::Note);
    }
    engines::lint(path, config)
}

/// The lines with marks, from 1, with their codes.
fn marks(text: &str) -> Vec<(usize, String)> {
    let mut marks: Vec<(usize, String)> = text
        .lines()
        .enumerate()
        .filter_map(|(i, line)| Some((i + 1, line.split_once("#~")?.1)))
        .flat_map(|(line, codes)| {
            codes
                .split_whitespace()
                .map(move |code| (line, code.to_owned()))
                .collect::<Vec<_>>()
        })
        .collect();
    marks.sort();
    marks
}

#[test]
fn every_code_has_a_case() {
    let layers = fs::read_dir(root().join("testsuite/ui/layers")).unwrap();
    let layers = layers.map(|entry| entry.unwrap().path());
    let deep = root().join("testsuite/ui/layers/deep/16.Runefile");
    let marked: BTreeSet<String> = cases("ui")
        .into_iter()
        .chain(layers.filter(|path| path.is_file()))
        .chain([deep, root().join("testsuite/ui/bad-config.toml")])
        .flat_map(|p| marks(&String::from_utf8_lossy(&fs::read(p).unwrap())))
        .map(|(_, code)| code)
        .collect();
    let missing: Vec<&str> = Code::ALL
        .iter()
        .map(|c| c.number())
        .filter(|c| !marked.contains(*c))
        .collect();
    assert!(
        missing.is_empty(),
        "codes without a case in testsuite/ui: {missing:?}"
    );
    let unknown: Vec<&String> = marked
        .iter()
        .filter(|c| Code::from_number(c).is_none())
        .collect();
    assert!(
        unknown.is_empty(),
        "marks of codes that do not exist: {unknown:?}"
    );
}
