//! The WebAssembly of a rune as one C99 translation unit and a header, for firmware and for native speed.
//!
//! [`emit`] reads as the list of phases: the module validated and taken apart, its call graph, each function translated
//! while its operand stack becomes expressions, and of the runtime in C just what those functions use.
//!
//! **How a trap leaves.** Generated code calls the context's `trap`, which must not return; who called the rune says
//! where to go on: a host by `longjmp`, a device by leaving the rune's stack. So a call that does not trap pays for the
//! comparison and a branch never taken, calls have no second result to test, and no library is needed. The other
//! way, a status after each call, costs a comparison for every call and a register for the result. What all checks
//! together cost is `bounds` against `mpu` in `cargo test -p rune-testsuite --test c -- --nocapture speed`.

mod calls;
mod ends;
mod flow;
mod function;
mod intrinsic;
mod module;
mod operator;
mod parts;
mod unit;
mod value;

use std::fmt;

pub use intrinsic::{INTRINSICS, Intrinsic};

use ends::Ends;

/// What keeps a rune within its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Every access is compared with the size of memory and traps beyond it: exact WebAssembly.
    #[default]
    Bounds,
    /// Addresses are taken modulo the size of memory, which is a power of two with 16 bytes more after it. Equal to
    /// WebAssembly where that does not trap at an access; elsewhere nothing but memory is touched.
    Mask,
    /// No access is checked: for hardware that confines the code. Equal to WebAssembly where that does not trap at an
    /// access.
    None,
}

/// Where the functions that a rune asks for, and its memory, are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Host {
    /// The context points at memory and at each function.
    #[default]
    Context,
    /// What includes the translation unit defines the functions before: `r_host_NAME(c, ...)` for each import,
    /// `r_host_trap(c, why)`, and `r_host_memory(c)`, where memory is. That begins `NAME_MEMORY_AT` bytes after the context,
    /// in one block with it. Only for memory whose size is fixed.
    Unit,
}

/// How to translate.
#[derive(Clone, Debug)]
pub struct Options {
    /// What every name of the header begins with: a C identifier of at most 64 bytes.
    pub name: String,
    /// What keeps accesses within memory.
    pub mode: Mode,
    /// Bytes of memory where that is less than the module's pages, as a rune's manifest says: what lies beyond traps
    /// although WebAssembly would allow it. Only for modules without `memory.grow`.
    pub memory_bytes: Option<u32>,
    /// Where imports and memory are.
    pub host: Host,
    /// What the address where memory begins is promised to be a multiple of, a power of two of at most 16: then a float
    /// whose address in memory follows from that is loaded as one. Alignments that a module states are never believed.
    pub memory_align: u32,
    /// How many calls of functions that may call themselves can be under way.
    pub call_limit: u32,
    /// The export whose requests at its two ends have names of their own with [`Host::Unit`]: `r_host_first_NAME` what
    /// it always asks for before all else, see [`Output::first`], and `r_host_last_NAME` what it asks for when nothing is
    /// left but to return what the answer makes of it: memory does not change any more.
    pub ends_of: Option<&'static str>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: "rune".to_owned(),
            mode: Mode::default(),
            memory_bytes: None,
            host: Host::default(),
            memory_align: 1,
            call_limit: 256,
            ends_of: None,
        }
    }
}

/// A translated module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The translation unit. It includes `NAME.h`.
    pub source: String,
    /// What is to be saved as `NAME.h`.
    pub header: String,
    /// Every exported function: its name in the module, and in C.
    pub exports: Vec<(String, String)>,
    /// What [`Options::ends_of`] always asks for first.
    pub first: Option<First>,
}

/// A request that is known before anything runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct First {
    /// The name of the import.
    pub import: String,
    /// What it is called with.
    pub arguments: Vec<u32>,
}

/// Why a module is not translated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// It is no valid module of the features a rune may use.
    Invalid {
        /// Where, in bytes from the start of the module.
        offset: u64,
        /// What is wrong.
        message: String,
    },
    /// It is valid, and nothing a rune may have.
    Unsupported {
        /// What it is.
        what: String,
        /// The function it is in.
        function: Option<u32>,
        /// Where, in bytes from the start of the module.
        offset: u64,
    },
    /// It traps before anything of it runs: a segment lies outside of memory or table.
    Instantiation {
        /// Where the segment is, in bytes from the start of the module.
        offset: u64,
    },
    /// The options cannot be met.
    Options(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { offset, message } => write!(f, "at byte {offset}: {message}"),
            Self::Unsupported {
                what,
                function: Some(function),
                offset,
            } => write!(
                f,
                "function {function}, at byte {offset}: C has no translation of {what}"
            ),
            Self::Unsupported { what, offset, .. } => {
                write!(f, "at byte {offset}: C has no translation of {what}")
            }
            Self::Instantiation { offset } => {
                write!(f, "the segment at byte {offset} does not fit")
            }
            Self::Options(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Error {}

impl From<wasmparser::Error> for Error {
    fn from(error: wasmparser::Error) -> Self {
        Self::Invalid {
            offset: error.offset(),
            message: error.message().to_owned(),
        }
    }
}

/// Whether a name means something to C or C++, so that it cannot be [`Options::name`].
pub fn is_word(name: &str) -> bool {
    unit::keyword(name)
}

/// Translates a module. The same bytes and options give the same text.
///
/// # Errors
/// The module is invalid or has what no rune may have, or the options cannot be met for it.
pub fn emit(wasm: &[u8], options: &Options) -> Result<Output, Error> {
    let module = module::read(wasm)?;
    let memory = module::Layout::new(&module, options)?;
    let calls = calls::Calls::of(&module)?;
    let of = options.ends_of.filter(|_| options.host == Host::Unit);
    let ends = of.map(|export| Ends::of(&module, export)).transpose()?;
    let (of, ends) = ends.flatten().unzip();
    let (none, ends) = (Ends::default(), ends.unwrap_or_default());
    let functions = (0..module.bodies.len())
        .map(|index| {
            let ends = if of == Some(index) { &ends } else { &none };
            function::translate(&module, &memory, &calls, ends, index)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut output = unit::assemble(&module, &memory, &calls, &functions, options);
    output.first = ends.first.map(|(first, _)| first);
    Ok(output)
}
