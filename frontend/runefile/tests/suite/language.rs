//! The examples of the language reference: each must mean what the page says of it.

use std::fs;

use crate::world::{compile, root};

/// The fenced blocks of a page that are Runefiles: the words after `runefile`, and the text.
pub(crate) fn fences(page: &str) -> Vec<(Vec<&str>, String)> {
    let mut fences = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let body: Vec<&str> = lines.by_ref().take_while(|l| *l != "```").collect();
        if let Some(marks) = info.strip_prefix("runefile") {
            let marks = marks.split([',', ' ']).filter(|m| !m.is_empty());
            fences.push((marks.collect(), body.join("\n") + "\n"));
        }
    }
    fences
}

#[test]
fn every_example_means_what_the_page_says() {
    let page = fs::read_to_string(root().join("grammar/LANGUAGE.md")).expect("the page is there");
    let examples = fences(&page);
    assert!(examples.len() >= 25, "only {} examples", examples.len());
    for (marks, text) in examples {
        let (.., found) = compile(text.as_bytes());
        let found: Vec<String> = found
            .iter()
            .map(|d| {
                let severity = d.severity.name();
                format!("{severity} {}: {}", d.code, d.message)
            })
            .collect();
        match marks.as_slice() {
            [] | ["canonical"] => assert!(found.is_empty(), "{text}\n{found:#?}"),
            ["untidy"] => {
                let is_order = |found: &String| found.starts_with("warning R0110:");
                assert!(found.iter().all(is_order), "{text}\n{found:#?}");
            }
            [severity, code] => {
                let start = format!("{severity} {code}:");
                let right = found.len() == 1 && found[0].starts_with(&start);
                assert!(right, "{text}\nexpected only {start}\n{found:#?}");
            }
            other => panic!("unknown marks {other:?}"),
        }
    }
}
