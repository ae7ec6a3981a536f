//! What a processing block of Rune is written with: a type, two functions, and one macro.
//!
//! ```
//! use rune_block_sdk::{Block, Call, Fault, Flow, Refusal, Setup};
//!
//! struct Scale {
//!     factor: f32,
//! }
//!
//! impl Block for Scale {
//!     type Inputs = f32;
//!     type Outputs = f32;
//!
//!     fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
//!         let factor = setup.float(0)? as f32;
//!         Ok(Self { factor })
//!     }
//!
//!     fn run(&self, input: &[f32], output: &mut [f32], _: &mut Call<'_>) -> Result<Flow, Fault> {
//!         for (y, x) in output.iter_mut().zip(input) {
//!             *y = x * self.factor;
//!         }
//!         Ok(Flow::Output)
//!     }
//! }
//!
//! // In the crate of a block: rune_block_sdk::block! { "../block.toml", "run" => Scale }
//! let scale = rune_block_sdk::testing::Instance::<Scale>::new(&[3.0.into()], &[&[2]], &[&[2]]);
//! let mut output = [0.0; 2];
//! scale.unwrap().run(&[1.0, 2.0], &mut output).unwrap();
//! assert_eq!(output, [3.0, 6.0]);
//! ```
//!
//! `init` runs in the compiler. Whatever it allocates (`Vec`, `Box`, `String`) and keeps becomes read-only
//! data of the rune, so tables and parsed arguments cost nothing at run time; what it frees is not in the
//! rune. `run` runs in the rune. The contract is `docs/abi.md`.
//!
//! | | `init` and `shape` | `run` |
//! |---|---|---|
//! | read arguments, types | yes, [`Setup`] | no: keep what is needed in the block |
//! | allocate | yes | no: it traps; use [`State`] and [`Scratch`] |
//! | change the block, a `static` | statics end as they began | no |
//! | change its state | its first value: [`Setup::initial_state`] | yes, [`Call::state`](Call) |
//! | work memory | the heap | [`Call::scratch`](Call), with anything in it |
//! | answer texts | | of the block, the inputs, or the state: [`Call::keep_text`] |
//! | fail | [`Refusal`], a sentence for the author of the Runefile | [`Fault`] |
//! | depend on addresses, randomness | no: the compiler runs it twice and compares | no |
//! | panic | a diagnostic: the block is broken | stops the rune |
//!
//! Ports are [`Element`] types, [`Utf8`], [`Bounded`] outputs, and in the last place [`Many`]. Floating
//! point is that of the crate `libm`, so that the host and every rune agree to the bit.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

// Two files of `rune-abi`, rather than the crate: a dependency outside this workspace would bring the
// absolute path of the repository into the symbol names of every block.
#[path = "../../../stdlib/abi/src/element.rs"]
mod element;
#[path = "../../../stdlib/abi/src/fault.rs"]
mod fault;
#[doc(hidden)]
pub mod glue;
mod memory;
mod numbers;
mod ports;
mod raw;
mod setup;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use element::ElementType;
pub use fault::Fault;
pub use memory::{Area, Call, Plain, Scratch, State};
pub use ports::{
    Bounded, BoundedMut, Element, Input, Inputs, Many, Output, Outputs, Parts, PartsMut, Text, Utf8,
};
pub use setup::{Refusal, Setup, TensorType};

/// A processing block for one choice of element types.
pub trait Block: Sized + 'static {
    /// The inputs: an [`Element`] type, [`Utf8`], [`Many`], or a tuple of them.
    type Inputs: Inputs;
    /// The outputs: as the inputs, or [`Bounded`].
    type Outputs: Outputs;

    /// Makes an instance of what the Runefile says; runs once, while compiling.
    ///
    /// # Errors
    /// What the author of the Runefile has to change.
    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal>;

    /// One call: reads the inputs, writes every element of the outputs. Allocating traps.
    ///
    /// # Errors
    /// Why these inputs cannot be processed.
    fn run<'a>(
        &'a self,
        inputs: <Self::Inputs as Inputs>::View<'a>,
        outputs: <Self::Outputs as Outputs>::View<'a>,
        call: &mut Call<'a>,
    ) -> Result<Flow, Fault>;
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The outputs are written.
    Output,
    /// Nothing this time; the stages after this one are skipped.
    Nothing,
}

/// Makes a crate a block: the file of its signature, then each export and the type that serves it.
///
/// The path is relative to the source file. The crate is a `cdylib` for `wasm32-unknown-unknown`; on
/// any other target the macro defines only `SIGNATURE`, the text of the file, and `NATIVE`, the
/// [`Native`](testing::Native) block.
///
/// If an output of the signature is `T[?]`, its dimensions come from a function:
/// `block! { "../block.toml", shape = dims, "run.f32" => X<f32> }` with
/// `fn dims(setup: &Setup<'_>) -> Result<Vec<Vec<u32>>, Refusal>`, the dimensions of each output.
#[macro_export]
macro_rules! block {
    ($signature:literal, $(shape = $shape:path,)? $($export:literal => $block:ty),+ $(,)?) => {
        /// The declarative signature, TOML as `docs/abi.md` has it.
        pub const SIGNATURE: &str = include_str!($signature);

        /// The block as code of the host, for tests.
        #[cfg(not(target_arch = "wasm32"))]
        pub static NATIVE: $crate::testing::Native = $crate::testing::Native::new(
            SIGNATURE,
            &[$($crate::testing::Variant::of::<$block>($export)),+],
            [$(Some($shape as $crate::glue::Shape),)? None].as_slice(),
        );

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            // Public and not `#[used]`: it is a section of the file and takes no memory.
            #[unsafe(link_section = "rune.block")]
            pub static SECTION: [u8; include_bytes!($signature).len()] = *include_bytes!($signature);

            #[unsafe(no_mangle)]
            unsafe extern "C" fn init(context: *mut $crate::glue::Context) -> *const u8 {
                // SAFETY: who calls an export keeps the contract of docs/abi.md.
                unsafe {
                    $(
                        if let Some(instance) = $crate::glue::init::<$block>(context) {
                            return instance;
                        }
                    )+
                    $crate::glue::no_variant(context)
                }
            }

            $(
                // Not called `shape`, which the function of the block may be.
                #[unsafe(export_name = "shape")]
                unsafe extern "C" fn shape_export(context: *mut $crate::glue::Context) -> i32 {
                    // SAFETY: who calls an export keeps the contract of docs/abi.md.
                    unsafe { $crate::glue::shape(context, $shape) }
                }
            )?

            $(
                const _: () = {
                    #[unsafe(export_name = $export)]
                    unsafe extern "C" fn run(
                        instance: *const $crate::glue::Placed<$block>,
                        scratch: *mut u8,
                        inputs: *const $crate::glue::Tensor,
                        outputs: *mut $crate::glue::Tensor,
                    ) -> i32 {
                        // SAFETY: who calls an export keeps the contract of docs/abi.md.
                        unsafe { $crate::glue::run(instance, scratch, inputs, outputs) }
                    }
                };
            )+
        };
    };
}
