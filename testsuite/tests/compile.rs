//! What the compiler makes of a Runefile: its steps and the shape of the module, as short snapshots.

use std::fmt::Write as _;

use rune_codegen::{Level, Options, Simd};
use rune_testsuite::{cases, engines};
use wasmparser::{Parser, Payload};

#[test]
fn steps_and_shape() {
    for path in cases("compile") {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let options = Options {
            level: Level::O1,
            simd: Simd::Off,
            text: true,
            ..Options::default()
        };
        let compiled = engines::compile(&path, &options);
        let rendered = engines::rendered(&compiled);
        let output = compiled
            .output
            .unwrap_or_else(|| panic!("{name} does not compile:\n{rendered}"));
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../compile");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        // The loops of a kernel have snapshots of their own; here its first line says which it is.
        let steps: String = output
            .text
            .lines()
            .filter(|l| !l.starts_with([' ', '}']) && !l.is_empty())
            .fold(String::new(), |all, l| {
                all + l.trim_end_matches(" {") + "\n"
            });
        settings
            .bind(|| insta::assert_snapshot!(name, format!("{steps}\n{}", shape(&output.wasm))));
    }
}

/// Imports, exports, sections with their contents counted, and memory.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "most of a module has no line here"
)]
fn shape(wasm: &[u8]) -> String {
    let mut text = String::new();
    let mut bodies = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        // Writing to a string does not fail.
        let _ = match payload.expect("a compiled module parses") {
            Payload::ImportSection(section) => section.into_imports().try_for_each(|i| {
                i.map(|i| writeln!(text, "import {}.{}", i.module, i.name).expect("fits"))
                    .map_err(|_| std::fmt::Error)
            }),
            Payload::ExportSection(section) => section
                .into_iter()
                .try_for_each(|e| writeln!(text, "export {}", e.expect("parses").name)),
            Payload::MemorySection(section) => section.into_iter().try_for_each(|m| {
                let m = m.expect("parses");
                writeln!(
                    text,
                    "memory {} to {} pages",
                    m.initial,
                    m.maximum.unwrap_or(0)
                )
            }),
            Payload::TableSection(section) => section
                .into_iter()
                .try_for_each(|t| writeln!(text, "table of {}", t.expect("parses").ty.initial)),
            Payload::GlobalSection(section) => writeln!(text, "globals {}", section.count()),
            Payload::DataSection(section) => section.into_iter().try_for_each(|d| {
                writeln!(text, "data of {} bytes", d.expect("parses").data.len())
            }),
            Payload::CodeSectionEntry(_) => {
                bodies += 1;
                Ok(())
            }
            Payload::CustomSection(section) if section.name() == "rune.graph" => {
                write!(text, "{}", without_digests(section.data()))
            }
            Payload::CustomSection(section) => writeln!(text, "section {}", section.name()),
            _ => Ok(()),
        };
    }
    let _ = writeln!(text, "functions {bodies}");
    text
}

/// The graph but for the digests of blocks, which are others with every compiler of theirs.
fn without_digests(graph: &[u8]) -> String {
    let graph = String::from_utf8_lossy(graph);
    let is_digest = |word: &str| word.len() == 16 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let shown = |word: &str| match word.strip_suffix([' ', ':']) {
        Some(digest) if is_digest(digest) => word.replace(digest, "DIGEST"),
        Some(_) | None => word.to_owned(),
    };
    graph.split_inclusive([' ', ':']).map(shown).collect()
}

#[test]
fn the_same_input_gives_the_same_bytes_in_any_folder() {
    let source = rune_testsuite::root().join("examples/gesture");
    let folder = std::env::temp_dir().join(format!("rune-same-bytes-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["Runefile", "gesture.tflite"] {
        std::fs::copy(source.join(name), folder.join(name)).unwrap();
    }
    for (variant, options) in engines::variants() {
        let here = engines::compile(&source.join("Runefile"), &options)
            .output
            .unwrap()
            .wasm;
        let there = engines::compile(&folder.join("Runefile"), &options)
            .output
            .unwrap()
            .wasm;
        assert_eq!(here, there, "{variant}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
