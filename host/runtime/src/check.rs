//! Step one of starting a rune: its bytes against the contract, which `rune-core` reads, and what is inside its functions
//! against the features of its manifest.

use rune_abi::{Import, Manifest, WasmFeatures, image::ImageView};
use wasmparser::Validator;

use crate::LoadError;

/// What the check found out.
pub(crate) struct Checked {
    pub(crate) manifest: Manifest,
    /// The functions the module imports.
    pub(crate) imports: Vec<Import>,
}

/// Checks a module against every rule of `docs/abi.md` that can be seen without running it.
pub(crate) fn check(bytes: &[u8]) -> Result<Checked, LoadError> {
    if ImageView::is_one(bytes) {
        let what = "it is an image of machine code for a microcontroller; here its module runs";
        return Err(LoadError::Contract(what.to_owned()));
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(LoadError::Module {
            offset: 0,
            what: r"it does not begin with `\0asm`".to_owned(),
        });
    }
    let checked = rune_core::check(bytes)?;
    let manifest = checked.manifest();
    let mut validator = Validator::new_with_features(validated_with(manifest.features));
    validator
        .validate_all(bytes)
        .map_err(|error| LoadError::Module {
            offset: error.offset(),
            // Some messages have several lines.
            what: error
                .message()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
        })?;
    Ok(Checked {
        manifest: manifest.to_owned(),
        imports: checked.imports().iter().collect(),
    })
}

impl From<rune_core::LoadError<'_>> for LoadError {
    fn from(error: rune_core::LoadError<'_>) -> Self {
        match error {
            rune_core::LoadError::Module { offset, what } => Self::Module {
                offset: offset as u64,
                what: what.to_owned(),
            },
            rune_core::LoadError::Manifest(error) => Self::Manifest(error),
            rune_core::LoadError::AbiVersion(version) => Self::AbiVersion(version),
            error @ (rune_core::LoadError::Image(_) | rune_core::LoadError::Digest) => {
                Self::Contract(error.to_string())
            }
            rune_core::LoadError::Contract(breach) => Self::Contract(breach.to_string()),
        }
    }
}

/// WebAssembly 1.0 and these features, nothing else.
fn validated_with(features: WasmFeatures) -> wasmparser::WasmFeatures {
    use wasmparser::WasmFeatures as Parser;
    // The second is wasmparser's name for having references at all; tables of functions need it.
    let base = Parser::FLOATS | Parser::GC_TYPES;
    [
        (WasmFeatures::MUTABLE_GLOBALS, Parser::MUTABLE_GLOBAL),
        (WasmFeatures::SIGN_EXT, Parser::SIGN_EXTENSION),
        (
            WasmFeatures::SATURATING_FLOAT_TO_INT,
            Parser::SATURATING_FLOAT_TO_INT,
        ),
        (WasmFeatures::BULK_MEMORY, Parser::BULK_MEMORY),
        (WasmFeatures::MULTI_VALUE, Parser::MULTI_VALUE),
        (WasmFeatures::SIMD, Parser::SIMD),
        (WasmFeatures::RELAXED_SIMD, Parser::RELAXED_SIMD),
    ]
    .into_iter()
    .filter(|(feature, _)| features.contains(*feature))
    .fold(base, |all, (_, bit)| all | bit)
}
