//! Base images and precompiled processing blocks, and the names they go by.
//!
//! The tables are the TOML files of this crate; the bytes of the blocks are in `blocks/`.

mod image;

use std::sync::LazyLock;

use toml::Table;

pub use image::{Bank, Capability, Image, Range, has_image, image, images};

/// A precompiled block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Canonical name, such as `runicos/label`.
    pub name: String,
    /// Other last parts of its name.
    pub aliases: Vec<String>,
    /// SHA-256 of the module, in hexadecimal.
    pub sha256: String,
    /// The module.
    pub bytes: &'static [u8],
}

struct Catalogue {
    toolchain: String,
    blocks: Vec<Block>,
}

macro_rules! modules {
    ($($name:literal),*) => {
        &[$(($name, include_bytes!(concat!("../blocks/", $name, ".wasm")))),*]
    };
}

/// The module of each block, by the last part of its name.
const MODULES: &[(&str, &[u8])] = modules![
    "argmax",
    "audio-float-conversion",
    "audio-frontend",
    "binary-classification",
    "biquad",
    "cast",
    "concat",
    "crop",
    "debounce",
    "dequantize",
    "fft",
    "fir",
    "frame",
    "grayscale",
    "image-normalization",
    "image-resize",
    "kmeans-anomaly",
    "label",
    "mean",
    "mel-spectrogram",
    "mfcc",
    "modulo",
    "most-confident-indices",
    "nms",
    "noise-filtering",
    "normalize",
    "object-filter",
    "parse",
    "quantize",
    "regex-matcher",
    "resample",
    "reshape",
    "segment-output",
    "slice",
    "smooth-scores",
    "softmax",
    "spectrogram",
    "split",
    "std-dev",
    "stft",
    "text-extractor",
    "threshold",
    "tokenizer",
    "top-k",
    "utf8-decode"
];

/// Where the blocks of `runicos/` were found before; what follows is the last part of the name.
const OLD_HOMES: [&str; 3] = [
    "hotg-ai/rune#proc_blocks/",
    "hotg-ai/proc-blocks#",
    "hotg-ai/pb-",
];

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let parse = |text: &str| text.parse::<Table>().expect("the tests read every table");
    let table = parse(include_str!("../catalogue.toml"));
    let blocks = tables(&table, "blocks").map(|block| {
        let name = text(block, "name");
        let module = MODULES.iter().find(|(last, _)| *last == last_part(&name));
        Block {
            aliases: texts(block, "aliases"),
            sha256: text(block, "sha256"),
            bytes: module.expect("the tests look at every module").1,
            name,
        }
    });
    Catalogue {
        toolchain: text(&table, "toolchain"),
        blocks: blocks.collect(),
    }
});

/// What `rustc -V` said of the compiler that made the blocks.
pub fn toolchain() -> &'static str {
    &CATALOGUE.toolchain
}

/// Every block.
pub fn entries() -> &'static [Block] {
    &CATALOGUE.blocks
}

/// The canonical name of every block.
pub fn blocks() -> impl Iterator<Item = &'static str> {
    entries().iter().map(|b| b.name.as_str())
}

/// The module of a block by its canonical name.
pub fn block(name: &str) -> Option<&'static [u8]> {
    entries().iter().find(|b| b.name == name).map(|b| b.bytes)
}

/// The canonical name of the block that a path of a Runefile stands for.
///
/// Paths are `runicos/x`, the reference system's `hotg-ai/rune#proc_blocks/x`,
/// `hotg-ai/proc-blocks#x` and `hotg-ai/pb-x`, each with or without `@version`, and a bare `x`. In the
/// last part `_` is `-`, and case counts for nothing.
pub fn resolve_block(path: &str) -> Option<&'static str> {
    let name = canonical(path)?;
    let last = last_part(&name);
    let is_it = |b: &&Block| b.name == name || b.aliases.iter().any(|a| a == last);
    entries().iter().find(is_it).map(|b| b.name.as_str())
}

/// The name under `runicos/` that a path means, whether there is such a block or not.
fn canonical(path: &str) -> Option<String> {
    // The version stands before `#` where there is one: `hotg-ai/proc-blocks@v0.11#fft`.
    let (before, part) = path.split_once('#').unwrap_or((path, ""));
    let owner = before.split('@').next().unwrap_or(before);
    let plain = if part.is_empty() {
        owner.to_owned()
    } else {
        format!("{owner}#{part}")
    };
    let plain = plain.to_ascii_lowercase();
    let old = OLD_HOMES.iter().find_map(|home| plain.strip_prefix(home));
    let last = match old {
        // A spectrogram, and so not our `fft`.
        Some("fft") => "spectrogram",
        Some(last) => last,
        None => plain.strip_prefix("runicos/").unwrap_or(&plain),
    };
    let is_name = !last.is_empty() && !last.contains(['/', '#', '.']);
    is_name.then(|| format!("runicos/{}", last.replace('_', "-")))
}

fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn tables<'a>(table: &'a Table, key: &str) -> impl Iterator<Item = &'a Table> {
    let items = table.get(key).and_then(|v| v.as_array());
    items.into_iter().flatten().filter_map(|v| v.as_table())
}

fn text(table: &Table, key: &str) -> String {
    let text = table.get(key).and_then(|v| v.as_str());
    text.unwrap_or_default().to_owned()
}

fn texts(table: &Table, key: &str) -> Vec<String> {
    let items = table.get(key).and_then(|v| v.as_array());
    let texts = items.into_iter().flatten().filter_map(|v| v.as_str());
    texts.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_module_has_an_entry_and_every_entry_a_digest() {
        let lasts: Vec<&str> = blocks().map(last_part).collect();
        let modules: Vec<&str> = MODULES.iter().map(|(name, _)| *name).collect();
        assert_eq!(lasts, modules);
        for entry in entries() {
            assert_eq!(entry.sha256.len(), 64, "{}", entry.name);
            assert_eq!(entry.bytes[..4], *b"\0asm", "{}", entry.name);
            assert_eq!(block(&entry.name), Some(entry.bytes));
        }
        assert!(toolchain().starts_with("rustc "));
    }

    #[test]
    fn every_spelling_of_a_block_resolves() {
        let most = Some("runicos/most-confident-indices");
        for path in [
            "runicos/most-confident-indices",
            "runicos/most_confident_indices@1.0",
            "hotg-ai/rune#proc_blocks/most_confident_indices",
            "hotg-ai/rune@v0.3.0#proc_blocks/most_confident_indices",
            "hotg-ai/proc-blocks@v0.11.3#most_confident_indices",
            "hotg-ai/proc-blocks#most-confident-indices",
            "most_confident_indices",
            "Most-Confident-Indices",
        ] {
            assert_eq!(resolve_block(path), most, "{path}");
        }
        assert_eq!(resolve_block("hotg-ai/pb-mod"), Some("runicos/modulo"));
        assert_eq!(resolve_block("fft"), Some("runicos/fft"));
    }

    #[test]
    fn what_is_no_block_does_not_resolve() {
        for path in [
            "",
            "/",
            "#",
            "@",
            "./label",
            "acme/label",
            "label.wasm",
            "runicos/",
            "labels",
            "a#b#c",
        ] {
            assert_eq!(resolve_block(path), None, "{path}");
        }
    }

    #[test]
    fn every_block_of_the_reference_system_resolves() {
        for (old, name) in [
            ("argmax", "argmax"),
            ("audio_float_conversion", "audio-float-conversion"),
            ("binary_classification", "binary-classification"),
            ("fft", "spectrogram"),
            ("image-normalization", "image-normalization"),
            ("label", "label"),
            ("mean", "mean"),
            ("modulo", "modulo"),
            ("most_confident_indices", "most-confident-indices"),
            ("noise-filtering", "noise-filtering"),
            ("normalize", "normalize"),
            ("object_filter", "object-filter"),
            ("parse", "parse"),
            ("regex_matcher", "regex-matcher"),
            ("segment_output", "segment-output"),
            ("softmax", "softmax"),
            ("std_dev", "std-dev"),
            ("text_extractor", "text-extractor"),
            ("tokenizers", "tokenizer"),
            ("utf8_decode", "utf8-decode"),
        ] {
            let due = format!("runicos/{name}");
            for old in [old.to_owned(), old.replace('-', "_"), old.replace('_', "-")] {
                for path in [
                    format!("hotg-ai/rune#proc_blocks/{old}"),
                    format!("hotg-ai/rune@v0.3.0#proc_blocks/{old}"),
                    format!("hotg-ai/proc-blocks#{old}"),
                    format!("hotg-ai/proc-blocks@v0.11.3#{old}"),
                ] {
                    assert_eq!(resolve_block(&path), Some(due.as_str()), "{path}");
                }
            }
        }
    }
}
