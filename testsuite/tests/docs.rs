//! The pages of the blocks in `docs/book/blocks` are made of the catalogue and fresh, and what the blocks say
//! of themselves is complete and true. The examples of the book compile, and the commands it shows exist.
//!
//! `BLESS=1` writes the pages, and removes those of blocks that are gone.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::PathBuf,
};

use rune_codegen::Options;
use rune_ir::{
    block::{Port, Signature},
    diag::Diagnostic,
};
use rune_testsuite::{engines, overlay::Overlay, pages, root};
use runec::{cli, config::Config, reference};
use toml::Table;

/// Ends what is written by hand of the list of blocks.
const MARKER: &str =
    "<!-- What follows is made of the blocks' `block.toml`: run `cargo xtask bless`. -->\n";

/// Ends what is written by hand of the page of the devices.
const IMAGES: &str = "<!-- What follows is made of the images in `stdlib/catalogue/images`: run `cargo xtask bless`. -->\n";

#[test]
fn the_page_of_the_devices_is_fresh() {
    let path = root().join("docs/book/devices.md");
    let text = fs::read_to_string(&path).unwrap();
    let (by_hand, made) = text.split_once(IMAGES).expect("the marker is there");
    let due = runec::device::reference();
    if env::var_os("BLESS").is_some() {
        fs::write(&path, format!("{by_hand}{IMAGES}{due}")).unwrap();
    } else {
        assert_eq!(made, due, "{}: run `cargo xtask bless`", path.display());
    }
}

#[test]
fn the_pages_of_the_blocks_are_fresh() {
    let folder = root().join("docs/book/blocks");
    let bless = env::var_os("BLESS").is_some();
    let mut pages: BTreeMap<PathBuf, String> = BTreeMap::new();
    for signature in signatures() {
        let name = &signature.name;
        let page = format!(
            "{}\n---\nVersion {} · [Source](../../../proc-blocks/{name}) · [All blocks](README.md)\n",
            reference::page(&signature),
            signature.version
        );
        pages.insert(folder.join(format!("{name}.md")), page);
    }
    let index = folder.join("README.md");
    let text = fs::read_to_string(&index).unwrap();
    let (by_hand, _) = text.split_once(MARKER).expect("the marker is there");
    let list = reference::index(&signatures(), "");
    pages.insert(index, format!("{by_hand}{MARKER}\n{list}"));
    if bless {
        for (path, page) in &pages {
            fs::write(path, page).unwrap();
        }
    }
    let there: BTreeSet<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    for stale in there.iter().filter(|path| !pages.contains_key(*path)) {
        assert!(bless, "{} is of no block", stale.display());
        fs::remove_file(stale).unwrap();
    }
    for (path, page) in &pages {
        let is_fresh = fs::read_to_string(path).is_ok_and(|text| text == *page);
        assert!(is_fresh, "{}: run `cargo xtask bless`", path.display());
    }
}

#[test]
fn every_block_is_documented() {
    for signature in signatures() {
        let name = &signature.name;
        let first = signature.doc.trim().split("\n\n").next().unwrap();
        let letter = first.chars().next().unwrap();
        assert!(
            !letter.is_lowercase() && first.contains('.'),
            "{name}: the summary is no sentence: {first}"
        );
        assert!(signature.category.is_some(), "{name} has no category");
        let ports = signature.inputs.iter().chain(&signature.outputs);
        let docs = ports.map(|Port { name, doc, .. }| (name, doc));
        let docs = docs.chain(signature.args.iter().map(|a| (&a.name, &a.doc)));
        for (what, doc) in docs {
            assert!(doc.ends_with('.'), "{name}: the text of {what}: {doc:?}");
        }
    }
}

/// Every page for people who use Rune but those of the errors, by its path from the root.
fn book() -> Vec<(String, String)> {
    let folders = ["", "docs/book", "editors", "examples"];
    let entries = folders
        .into_iter()
        .flat_map(|f| fs::read_dir(root().join(f)).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .collect();
    pages.sort();
    pages.push(root().join("grammar/LANGUAGE.md"));
    let named = pages.into_iter().map(|path| {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        (name, fs::read_to_string(path).unwrap())
    });
    named.collect()
}

/// `writing-a-block.md` and the language have suites of their own.
#[test]
fn the_examples_of_the_book_compile() {
    let mut count = 0;
    let mut wrong = String::new();
    for (name, page) in book() {
        if name.ends_with("writing-a-block.md") || name.ends_with("LANGUAGE.md") {
            continue;
        }
        let top = pages::folder(env!("CARGO_TARGET_TMPDIR"), &format!("book/{name}"));
        for fence in pages::fences(&page) {
            let file = match fence.language() {
                "runefile" => "Runefile",
                "yaml" if fence.text.starts_with("version: ") => "Runefile.yml",
                "toml" if fence.text.starts_with("[lints]") => {
                    let config = Config::parse("Rune.toml", &fence.text);
                    assert!(config.diagnostics.is_empty(), "{name}:{}", fence.line);
                    continue;
                }
                _ => continue,
            };
            let path = match fence.file() {
                Some(path) => top.join(path),
                None => top.join(format!("line-{}", fence.line)).join(file),
            };
            let folder = path.parent().unwrap();
            pages::lay_out(folder);
            pages::write(&folder.join("Rune.toml"), "");
            pages::write(&path, &fence.text);
            let compiled = pages::compile(folder, &Options::default());
            let found = engines::rendered(&compiled);
            let marks: Vec<&str> = fence.info.split(' ').skip(1).collect();
            let is_right = match marks.as_slice() {
                [] => found.is_empty() && compiled.output.is_some(),
                [severity, code] => {
                    let start = format!("{severity}[{code}]");
                    compiled.diagnostics.len() == 1 && found.starts_with(&start)
                }
                _ => false,
            };
            if !is_right {
                wrong.extend([format!("{name}:{}: {marks:?}\n{found}\n", fence.line)]);
            }
            count += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count >= 6, "only {count} examples");
}

#[test]
fn the_commands_that_pages_show_exist() {
    let mut count = 0;
    let mut wrong = String::new();
    let errors = rune_ir::diag::Code::ALL.iter().map(|code| {
        let name = format!("docs/errors/{code}.md");
        let page = fs::read_to_string(root().join(&name)).unwrap();
        (name, page)
    });
    for (name, page) in book().into_iter().chain(errors) {
        for command in pages::commands(&page, "runec") {
            if let Err(reason) = cli::parse(command.iter().map(Into::into)) {
                wrong.extend([format!("{name}: {}\n{reason}\n", command.join(" "))]);
            }
            count += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count > 60, "only {count} commands");
    // And a flag that does not exist would have been noticed.
    assert!(cli::parse(["runec", "check", "--chekc"].map(Into::into)).is_err());
}

/// That the texts are the same as well, `tests/blocks.rs` tests.
#[test]
fn a_block_is_of_the_version_of_its_crate() {
    for signature in signatures() {
        let name = &signature.name;
        let manifest = root().join("proc-blocks").join(name).join("Cargo.toml");
        let manifest: Table = fs::read_to_string(manifest).unwrap().parse().unwrap();
        let version = manifest["package"]["version"].as_str();
        assert_eq!(version, Some(signature.version.as_str()), "{name}");
    }
}

#[test]
fn the_examples_of_the_blocks_are_lines_of_a_runefile() {
    for signature in signatures() {
        let name = &signature.name;
        let line = &signature.example;
        assert!(
            line.contains(&format!(" runicos/{name} ")) && !line.contains('\n'),
            "{name}: {line}"
        );
        let found = faults(line);
        assert!(found.is_empty(), "{line}\n{found:#?}");
        // And a wrong argument would have been noticed.
        let found = faults(&format!("{line} --no-such-argument 1"));
        assert_eq!(found[0].code.number(), "R0201", "{found:#?}");
    }
}

/// What is wrong with one line of a Runefile but for the types and the number of its inputs: those are up to
/// the lines around it.
fn faults(line: &str) -> Vec<Diagnostic> {
    let word = |text: &str| text.split([' ', '=']).next().unwrap().to_owned();
    // A `$` at the end of a word is none.
    let resources = line.split(" $").skip(1).map(word);
    let name = word(
        line.split(" runicos/")
            .nth(1)
            .unwrap()
            .split_once(' ')
            .unwrap()
            .1,
    );
    let mut world = Overlay::new(root());
    let mut lines = vec!["FROM runicos/base".to_owned()];
    for resource in resources {
        lines.push(format!("RESOURCE ./{resource} {resource}"));
        world = world.with(&format!("./{resource}"), *b"1 2\n");
    }
    lines.push("CAPABILITY RAW in".to_owned());
    lines.push(line.to_owned());
    lines.push("OUT SERIAL".to_owned());
    lines.push(format!("RUN in {name} serial"));
    let text = lines.join("\n");
    let checked = engines::check_text(&text, &world);
    let of_the_line = |d: &Diagnostic| ["R00", "R01", "R02"].contains(&&d.code.number()[..3]);
    checked
        .diagnostics
        .into_iter()
        .filter(of_the_line)
        .collect()
}

/// What every block of the catalogue says of itself.
fn signatures() -> Vec<Signature> {
    let read = |entry: &rune_catalogue::Block| rune_blocks::read(entry.bytes.into());
    let blocks = rune_catalogue::entries().iter().map(read);
    blocks.map(|block| block.unwrap().signature).collect()
}
