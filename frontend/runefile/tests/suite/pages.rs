//! The page of every code: its form, and that its example fails with that code and the repair does not.

use rune_ir::diag::{Code, has_errors};
use rune_runefile::Format;

use crate::{language::fences, world::compile_as};

/// The codes whose examples fail when the Runefile is read; those of the others fail in later checks.
const FOUND_HERE: [Code; 35] = [
    Code::Syntax,
    Code::UnknownInstruction,
    Code::BadValue,
    Code::UnknownStage,
    Code::DuplicateName,
    Code::UnknownCapability,
    Code::UnknownOutput,
    Code::UnknownBlock,
    Code::UnknownImage,
    Code::UnknownResource,
    Code::UnknownElementType,
    Code::OldWordOrder,
    Code::ContradictingArguments,
    Code::BadDimension,
    Code::TypeCount,
    Code::YamlSyntax,
    Code::MissingField,
    Code::UnknownField,
    Code::BadField,
    Code::ResourceSource,
    Code::ResourceType,
    Code::ModelFormat,
    Code::UnusedArgument,
    Code::MissingFrom,
    Code::DuplicateFrom,
    Code::NoInputs,
    Code::NoOutputs,
    Code::EmptyRun,
    Code::LayerCycle,
    Code::LayerDepth,
    Code::LayerUnusable,
    Code::LayerInRegistry,
    Code::NotInherited,
    Code::InterfaceChanged,
    Code::FileMissing,
];

fn page(code: Code) -> String {
    let path = format!("../../docs/errors/{code}.md");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
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
        assert!(
            page.lines().all(|l| l.chars().count() <= 120),
            "{code}: long lines"
        );
    }
}

#[test]
fn every_example_fails_as_it_says_and_is_repaired() {
    // The page of this one has examples in TOML.
    for code in Code::ALL.iter().filter(|c| **c != Code::BadConfig) {
        let page = page(*code);
        let format = if page.contains("```yaml") {
            Format::Yaml
        } else {
            Format::Text
        };
        let page = page.replace("```yaml", "```runefile");
        let examples = fences(&page);
        let [(_, faulty), (_, repaired)] = examples.as_slice() else {
            panic!(
                "{code} has {} examples, not a faulty and a repaired one",
                examples.len()
            );
        };
        let (.., found) = compile_as(format, faulty.as_bytes());
        let is_found = FOUND_HERE.contains(code);
        assert_eq!(
            found.iter().any(|d| d.code == *code),
            is_found,
            "{code}\n{faulty}\n{found:#?}"
        );
        let others = found.iter().filter(|d| d.code != *code).count();
        assert_eq!(others, 0, "{code}: other findings\n{found:#?}");
        let (.., found) = compile_as(format, repaired.as_bytes());
        assert!(
            !has_errors(&found) && found.is_empty(),
            "{code}\n{repaired}\n{found:#?}"
        );
        assert_ne!(faulty, repaired, "{code}");
    }
}
