//! What is in an image, a rune as machine code, read from its bytes alone.

use std::{
    fmt::{self, Write as _},
    fs::File,
    io::Read as _,
    ops::Range,
    path::Path,
};

use rune_abi::{Manifest, ManifestView, image::ImageView};
use serde_json::{Value, json};

use super::{
    hex,
    text::{clean, columns, heading, interface},
};
use crate::device::count;

/// What is in an image.
pub(crate) struct Machine {
    bytes: Vec<u8>,
    manifest: Manifest,
}

impl Machine {
    /// Reads the file of a path, if it begins as an image does. What is wrong with one is a sentence, with its place.
    pub(crate) fn open(path: &Path) -> Option<Result<Self, String>> {
        let mut file = File::open(path).ok()?;
        let mut head = [0; 8];
        file.read_exact(&mut head).ok()?;
        if !ImageView::is_one(&head) {
            return None;
        }
        let mut bytes = head.to_vec();
        Some(match file.read_to_end(&mut bytes) {
            Ok(_) => Self::read(bytes),
            Err(error) => Err(error.to_string()),
        })
    }

    fn read(bytes: Vec<u8>) -> Result<Self, String> {
        let damaged = |what: &dyn fmt::Display| format!("the image is damaged: {what}");
        let view = ImageView::new(&bytes).map_err(|error| damaged(&error))?;
        if rune_ir::digest(&view.digested().concat()) != view.digest() {
            return Err(damaged(&"its digest, at byte 128, is another's"));
        }
        let manifest = ManifestView::parse(view.manifest());
        let manifest = manifest.map_err(|error| damaged(&format!("its manifest: {error}")))?;
        let manifest = manifest.to_owned();
        Ok(Self { bytes, manifest })
    }

    fn view(&self) -> ImageView<'_> {
        ImageView::new(&self.bytes).expect("it was read before")
    }

    /// Functions in their order, where they begin from the start of the image, and their bytes.
    fn functions(&self) -> Vec<(&str, Range<usize>)> {
        let view = self.view();
        let mut functions: Vec<(&str, Range<usize>)> = Vec::new();
        for place in view.code().step_by(2) {
            let Some(name) = view.function_at(place) else {
                continue;
            };
            let end = (place + 2).min(view.code().end);
            match functions.last_mut() {
                // The same name in the table is the same function.
                Some((last, range)) if std::ptr::eq(*last, name) => range.end = end,
                _ => functions.push((name, place..end)),
            }
        }
        functions
    }

    fn imports(&self) -> Vec<&'static str> {
        self.view().imports().map(rune_abi::Import::name).collect()
    }

    /// What people read.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let view = self.view();
        let Manifest { name, version, .. } = &self.manifest;
        let target = view.target().name();
        writeln!(out, "{name} {version}, machine code for {target}")?;
        let containment = format!(
            "{}: {}",
            view.containment().name(),
            if view.containment().is_native() {
                "the code checks itself and runs with the rights of the runtime"
            } else {
                "the protection unit keeps it within its memory"
            }
        );
        let signers: Vec<String> = view
            .signatures()
            .map(|s| format!("ed25519:{}", hex(s.key)))
            .collect();
        let facts = [
            ("contained", containment),
            ("sha256", hex(view.digest())),
            ("graph", hex(view.graph_digest())),
            ("calls", self.imports().join(", ")),
            ("signed by", signers.join(", ")),
        ];
        for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
            writeln!(out, "  {name:9}  {value}")?;
        }

        heading(out, "Interface", "")?;
        interface(out, &self.manifest)?;

        let memory = view.memory();
        let [block, stack] = [view.block_bytes(), view.stack_bytes()];
        heading(out, "RAM", &format!("{} bytes", bytes(block + stack)))?;
        let about = [
            ("context", memory.start, "variables of its code"),
            (
                "memory",
                memory.len(),
                "all that addresses of the rune mean",
            ),
            (
                "spare",
                block - memory.end,
                "what masked accesses may reach beyond",
            ),
            (
                "stack",
                stack,
                "the most that its calls need, with two exceptions",
            ),
        ];
        rows(out, &about)?;

        heading(out, "File", &format!("{} bytes", bytes(self.bytes.len())))?;
        let [constants, code] = [view.constants().len(), view.code().len()];
        let manifest = view.manifest().len();
        let signatures = self.bytes.len() - view.signed().len();
        let rest = view.signed().len() - manifest - constants - code;
        let about = [
            ("constants", constants, "weights and tables, read in place"),
            ("code", code, "run in place"),
            ("manifest", manifest, "what it needs, for its runtime"),
            ("rest", rest, "header, names of functions, padding"),
            ("signatures", signatures, "who signed it"),
        ];
        rows(out, &about)?;

        heading(out, "Functions", "in bytes from the start of the image")?;
        let list = self.functions().into_iter().map(|(name, range)| {
            let size = bytes(range.len());
            [format!("{:#x}", range.start), size, clean(name)]
        });
        columns(out, &list.collect::<Vec<_>>(), &[0, 1])
    }

    /// What programs read.
    pub(crate) fn json(&self) -> Value {
        let view = self.view();
        let functions = self.functions();
        let functions = functions
            .iter()
            .map(|(name, range)| json!({ "name": name, "at": range.start, "bytes": range.len() }));
        let keys = view.signatures().map(|s| format!("ed25519:{}", hex(s.key)));
        json!({
            "name": self.manifest.name,
            "version": self.manifest.version.to_string(),
            "target": view.target().name(),
            "containment": view.containment().name(),
            "sha256": hex(view.digest()),
            "graph": hex(view.graph_digest()),
            "imports": self.imports(),
            "resets": view.resets(),
            "file_bytes": self.bytes.len(),
            "code_bytes": view.code().len(),
            "constant_bytes": view.constants().len(),
            "block_bytes": view.block_bytes(),
            "memory_bytes": view.memory().len(),
            "stack_bytes": view.stack_bytes(),
            "entry": view.entry(),
            "signed_by": keys.collect::<Vec<_>>(),
            "functions": functions.collect::<Vec<_>>(),
        })
    }
}

fn bytes(number: usize) -> String {
    count(number as u64)
}

/// Parts that are there, with their bytes and what they are.
fn rows(out: &mut String, parts: &[(&str, usize, &str)]) -> fmt::Result {
    let parts = parts.iter().filter(|(_, size, _)| *size > 0);
    let rows =
        parts.map(|(name, size, about)| [(*name).to_owned(), bytes(*size), (*about).to_owned()]);
    columns(out, &rows.collect::<Vec<_>>(), &[1])
}
