//! A rune as machine code for a microcontroller, in the form of `rune_abi::image`.
//!
//! [`image`] reads as the list of phases: the module as C, compiled with what an image needs of its own, the stack it
//! takes worked out of the objects, linked at two places that must give the same bytes, and these with the manifest in
//! an image. What a compiler made is not believed where it can be checked: see `docs/book/aot.md`.

mod compiler;
mod elf;
mod rune;
mod stack;
#[cfg(test)]
mod tests;
mod unit;

use std::fmt;

pub use compiler::{Compiler, advice};
use rune_abi::image::{Containment, Image, ImageView, Target};

/// A rune that became an image.
#[derive(Clone, Debug)]
pub struct Built {
    /// The image, without signatures.
    pub bytes: Vec<u8>,
    /// Bytes of code in it.
    pub code_bytes: u32,
    /// Bytes of constants in it.
    pub constant_bytes: u32,
    /// Bytes of RAM for the context and the memory of the rune.
    pub block_bytes: u32,
    /// Bytes of stack.
    pub stack_bytes: u32,
}

/// Why there is no image.
#[derive(Debug)]
pub enum Error {
    /// There is no compiler that could make it, or it cannot be used.
    Compiler(String),
    /// The rune is none, or has what no image may have.
    Rune(String),
    /// The module has no translation to C.
    Translation(rune_c::Error),
    /// A compiler or linker failed.
    Failed {
        /// The program.
        program: String,
        /// What it said.
        said: String,
    },
    /// A file of the work cannot be written or read.
    Files(String),
    /// What was compiled breaks a rule of images.
    Machine(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compiler(reason) | Self::Rune(reason) | Self::Files(reason) => {
                f.write_str(reason)
            }
            Self::Translation(error) => error.fmt(f),
            Self::Failed { program, said } => write!(f, "{program} failed: {said}"),
            Self::Machine(reason) => write!(f, "what was compiled is no image: {reason}"),
        }
    }
}

impl std::error::Error for Error {}

/// Makes an image of a rune. `module` is what is compiled: the rune itself, or the form of it whose constants have a
/// memory of their own. The manifest is the module's, which says how much memory it has; the graph that the
/// image claims is the `rune`'s. The same bytes and compiler give the same image.
///
/// # Errors
/// The rune cannot be compiled, or the compiler made what an image may not have.
pub fn image(
    rune: &[u8],
    module: &[u8],
    target: Target,
    containment: Containment,
    compiler: &Compiler,
) -> Result<Built, Error> {
    let facts = rune::Facts::read(rune, module)?;
    let c = unit::translate(module, facts.memory_bytes, containment)?;
    let room = compiler::Room::new()?;
    let objects = compiler.compile(&room, target, &c)?;
    let (memory_at, memory_bytes, block_bytes) = objects.facts()?;
    let stack_bytes = objects.stack(c.call_limit)?;
    let linked = compiler.link(&room, &objects)?;
    let image = Image {
        target,
        containment,
        imports: facts.imports,
        resets: facts.resets,
        first_read: c.first_read,
        keeps_records: facts.keeps_records,
        block_bytes,
        memory: (memory_at, memory_bytes),
        stack_bytes,
        manifest: facts.manifest,
        linked: linked.bytes,
        constant_bytes: linked.constant_bytes,
        entry: linked.entry,
        functions: facts.names.apply(linked.functions),
        graph_digest: rune_ir::digest(&facts.graph),
    };
    let bytes = image.encode(|parts| rune_ir::digest(&parts.concat()));
    let view = ImageView::new(&bytes).map_err(|error| Error::Machine(error.to_string()))?;
    let code_bytes = view.code().len() as u32;
    Ok(Built {
        code_bytes,
        constant_bytes: image.constant_bytes,
        block_bytes,
        stack_bytes,
        bytes,
    })
}
