//! The page on security: every claim names a test that is there, and the commands of `hmr` that pages show exist.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;

use rune_testsuite::{pages, root};

#[test]
fn every_claim_names_a_test() {
    let page = fs::read_to_string(root().join("docs/book/security.md")).unwrap();
    let mut claims = 0;
    for word in page.split('`').filter(|word| word.contains(".rs::")) {
        let (file, name) = word.split_once("::").unwrap();
        let text = fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        let start = format!("fn {name}() {{");
        let place = text
            .find(&start)
            .unwrap_or_else(|| panic!("{file} has no {name}"));
        assert!(
            text[..place].trim_end().ends_with("#[test]"),
            "{file}: {name} is no test"
        );
        claims += 1;
    }
    // Of a table every line makes a claim.
    let lines = page.lines().filter(|line| line.contains(".rs::"));
    assert_eq!(lines.count(), claims);
    assert!(claims > 30, "{claims}");
}

#[test]
fn the_commands_that_pages_show_exist() {
    let mut count = 0;
    for name in ["security.md", "registry.md", "deploying.md", "fleet.md"] {
        let page = fs::read_to_string(root().join("docs/book").join(name)).unwrap();
        for command in pages::commands(&page, "hmr") {
            let parsed = rune_hammer::cli::parse(command.iter().map(Into::into));
            assert_eq!(parsed, Ok(()), "{name}: {}", command.join(" "));
            count += 1;
        }
    }
    assert!(count > 8, "{count}");
    assert!(rune_hammer::cli::parse(["hmr", "sign", "--sing"].map(Into::into)).is_err());
}
