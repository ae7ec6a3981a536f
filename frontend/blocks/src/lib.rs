//! Block bytes to signature, object and snapshot.
//!
//! [`read`] checks a module against the contract of `docs/abi.md` and takes it apart; [`Wasmi`] runs it
//! as it came, for its `init` and for the evaluator.

mod engine;
pub mod object;
mod signature;
mod snapshot;

use std::{fmt, sync::Arc};

use rune_abi::section;
use rune_ir::{
    block::{Block, PortDim, Signature},
    object::{FunctionType, Machine, Object},
    ty::ElementType,
};
use wasmparser::{ExternalKind, Parser, Payload};

pub use engine::{Limits, Wasmi};
pub use object::ObjectError;
pub use signature::SignatureError;

/// Most combinations of element types a block may have.
const MAX_VARIANTS: usize = 1024;

/// Why bytes are not a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockError {
    /// The bytes are no module at all.
    NotModule(Alien),
    /// The module is not valid, or not one that can be taken apart.
    Module(ObjectError),
    /// There is no section `rune.block`; whether there are exports as a block has them tells a block
    /// that lost its section from another module.
    NoSection,
    /// There is more than one section `rune.block`.
    TwoSections,
    /// The section is not UTF-8.
    NotText,
    /// The signature is wrong.
    Signature(SignatureError),
    /// An export is missing, of the wrong type, or too much; the sentence names it.
    Export(String),
}

impl fmt::Display for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotModule(what) => {
                let what = match what {
                    Alien::Empty => "empty",
                    Alien::Model => "a TensorFlow Lite model",
                    Alien::Text => "text",
                    Alien::Other => "something else",
                };
                write!(f, "it is {what}, not a WebAssembly module")
            }
            Self::Module(error) => write!(f, "{error}"),
            Self::NoSection => f.write_str("the module has no section `rune.block`, where a block states its arguments and types"),
            Self::TwoSections => f.write_str("the module has two sections `rune.block`"),
            Self::NotText => f.write_str("the section `rune.block` is not UTF-8"),
            Self::Signature(error) => write!(f, "{error}"),
            Self::Export(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for BlockError {}

impl BlockError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotModule(Alien::Model) => "a model is named by MODEL",
            Self::NotModule(Alien::Text) => {
                "a block's sources are named by their folder, which `runec build` compiles"
            }
            Self::NotModule(Alien::Empty | Alien::Other) => {
                "name a block of the catalogue, a folder of sources or a `.wasm`"
            }
            Self::Module(_) => {
                "build it with `runec build`, or link it with `--no-entry --gc-sections --emit-relocs`, and let nothing strip or optimise it afterwards"
            }
            Self::NoSection | Self::TwoSections | Self::NotText => {
                "the signature is one section of text: `block!` or `RUNE_BLOCK` of the SDK makes it, and a tool that strips custom sections takes it away"
            }
            Self::Signature(_) => "change the signature; `docs/abi.md` says what it may hold",
            Self::Export(_) => "let the signature and the exports agree; `docs/abi.md` lists them",
        }
    }
}

/// What a file is that is no module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alien {
    /// Nothing is in it.
    Empty,
    /// A TensorFlow Lite model.
    Model,
    /// Text, such as a block's source.
    Text,
    /// Anything else.
    Other,
}

impl Alien {
    /// What bytes are that do not begin as a module does.
    fn of(bytes: &[u8]) -> Option<Self> {
        let head = &bytes[..bytes.len().min(512)];
        match bytes {
            [0, b'a', b's', b'm', ..] => None,
            [] => Some(Self::Empty),
            [_, _, _, _, b'T', b'F', b'L', b'3', ..] => Some(Self::Model),
            _ if head.contains(&0) => Some(Self::Other),
            _ => Some(Self::Text),
        }
    }
}

/// Reads and checks a block.
///
/// # Errors
/// The first rule of the contract that the module breaks.
pub fn read(bytes: Arc<[u8]>) -> Result<Block, BlockError> {
    if let Some(what) = Alien::of(&bytes) {
        return Err(BlockError::NotModule(what));
    }
    let object = object::read(&bytes).map_err(BlockError::Module)?;
    let (text, exports) = outline(&bytes)?;
    let signature = signature::parse(text).map_err(BlockError::Signature)?;
    check_exports(&object, &exports, &signature).map_err(BlockError::Export)?;
    Ok(Block {
        signature,
        object,
        bytes,
    })
}

type Exports<'a> = Vec<(&'a str, ExternalKind)>;

/// The text of the section and the exports of a valid module.
fn outline(bytes: &[u8]) -> Result<(&str, Exports<'_>), BlockError> {
    let module = |error: wasmparser::BinaryReaderError| BlockError::Module(error.into());
    let mut text = None;
    let mut exports = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(module)?;
        if let Payload::CustomSection(custom) = &payload
            && custom.name() == section::BLOCK
        {
            let found = str::from_utf8(custom.data()).map_err(|_| BlockError::NotText)?;
            if text.replace(found).is_some() {
                return Err(BlockError::TwoSections);
            }
        } else if let Payload::ExportSection(section) = payload {
            for export in section {
                let export = export.map_err(module)?;
                exports.push((export.name, export.kind));
            }
        }
    }
    Ok((text.ok_or(BlockError::NoSection)?, exports))
}

/// `memory`, `init`, one `run` per combination of element types, and no other `run`; `shape` exactly where
/// an output leaves its dimensions to it.
fn check_exports(
    object: &Object,
    exports: &[(&str, ExternalKind)],
    signature: &Signature,
) -> Result<(), String> {
    if !exports.contains(&("memory", ExternalKind::Memory)) {
        return Err("the module exports no memory called `memory`".to_owned());
    }
    let wanted = variants(signature)?;
    function(object, "init", 1)?;
    for name in &wanted {
        function(object, name, 4)?;
    }
    let has_shape = exports.iter().any(|(name, _)| *name == "shape");
    match signature
        .outputs
        .iter()
        .find(|p| p.dims.contains(&PortDim::Told))
    {
        Some(port) if !has_shape => {
            return Err(format!(
                "the type of the output `{}` is `?`, but the module exports no function `shape` to tell it",
                port.name
            ));
        }
        Some(_) => function(object, "shape", 1)?,
        None if has_shape => {
            return Err("the module exports `shape`, but no output of its signature leaves its type to it: write `[?]`".to_owned());
        }
        None => {}
    }
    for (name, _) in exports {
        let runs = *name == "run" || name.starts_with("run.");
        if runs && !wanted.iter().any(|w| w == name) {
            return Err(format!(
                "the module exports `{name}`, which no choice of `[types]` calls for"
            ));
        }
    }
    Ok(())
}

/// The name of the export for every combination of element types.
fn variants(signature: &Signature) -> Result<Vec<String>, String> {
    let mut bound: Vec<Vec<ElementType>> = vec![Vec::new()];
    for (_, choices) in &signature.types {
        if bound.len() * choices.len() > MAX_VARIANTS {
            return Err(format!(
                "`[types]` allows more than {MAX_VARIANTS} combinations"
            ));
        }
        let longer = |head: &Vec<ElementType>, last: &ElementType| [&head[..], &[*last]].concat();
        bound = bound
            .iter()
            .flat_map(|head| choices.iter().map(move |last| longer(head, last)))
            .collect();
    }
    Ok(bound.iter().map(|b| signature.export(b)).collect())
}

/// Whether `name` is an exported function from so many i32 to one.
fn function(object: &Object, name: &str, params: usize) -> Result<(), String> {
    let Some((_, id)) = object.exports.iter().find(|(n, _)| n == name) else {
        return Err(format!("the module exports no function `{name}`"));
    };
    let wanted = FunctionType {
        params: vec![Machine::I32; params],
        results: vec![Machine::I32],
    };
    let words = ["i32"; 4];
    if object.functions[*id].ty != wanted {
        return Err(format!(
            "`{name}` is not of type ({}) -> i32",
            words[..params].join(", ")
        ));
    }
    Ok(())
}
