//! What runs the code of runes. An engine knows no sources, outputs or clocks: it calls its [`Host`].

mod interpreter;

use alloc::boxed::Box;
use core::fmt;

use rune_abi::{Import, WasmFeatures};
use rune_saga::Failure;

pub use interpreter::{Interpreter, Running};

use crate::{Checked, text::Text};

/// The host side of the functions that runes import.
pub trait Host {
    /// One call of a function of the contract, with its arguments, those it lacks 0, and the rune's whole memory.
    ///
    /// # Errors
    /// The rune is to be stopped; the host knows why.
    fn import(&mut self, import: Import, args: [u32; 3], memory: &mut [u8]) -> Result<i32, Stop>;
}

impl<H: Host + ?Sized> Host for Box<H> {
    fn import(&mut self, import: Import, args: [u32; 3], memory: &mut [u8]) -> Result<i32, Stop> {
        (**self).import(import, args, memory)
    }
}

/// Why a call did not return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The host stopped it.
    Host,
    /// A trap, or [`Failure::Deadline`] where the fuel was used up.
    Trap(Failure),
}

/// What a started rune may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Steps of one call; an engine says what a step is.
    pub fuel: u64,
    /// Values of 8 bytes, of 16 with SIMD, that all functions which are being called have together.
    pub stack_values: usize,
    /// Functions that call each other.
    pub depth: usize,
}

/// Why a rune was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartError {
    /// What is inside its functions is not WebAssembly of the features its manifest names; in words of the engine.
    Module(Text<160>),
    /// Some data lies outside its memory.
    Data,
    /// There is no memory for it.
    Memory,
    /// Filling its table went wrong, or took more than its fuel.
    Instance,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Module(what) => write!(f, "not a valid module: {what}"),
            Self::Data => f.write_str("some of its data lies outside its memory"),
            Self::Memory => f.write_str("there is not enough memory for it"),
            Self::Instance => f.write_str("its tables cannot be filled"),
        }
    }
}

impl core::error::Error for StartError {}

/// Starts runes.
pub trait Engine {
    /// The features of WebAssembly that it has.
    const FEATURES: WasmFeatures;

    /// A rune that was started.
    type Instance<H: Host + 'static>: Instance<H>;

    /// Makes a rune ready to be called. All memory that it will ever need is taken here; where it fails, the host
    /// comes back.
    ///
    /// # Errors
    /// Where it is not valid, or does not fit.
    fn start<H: Host + 'static>(
        &self,
        rune: &Checked<'static>,
        limits: &Limits,
        host: H,
    ) -> Result<Self::Instance<H>, (StartError, H)>;
}

/// A rune that was started. After a call that stopped it must not be called again.
pub trait Instance<H> {
    /// Runs `_call` to its end.
    ///
    /// # Errors
    /// Where it was stopped.
    fn call(&mut self) -> Result<i32, Stop>;

    /// Runs `_reset`, where there is one.
    ///
    /// # Errors
    /// Where it was stopped.
    fn reset(&mut self) -> Result<(), Stop>;

    /// Its host.
    fn host(&self) -> &H;

    /// Its host, for changing it.
    fn host_mut(&mut self) -> &mut H;

    /// Gives back its memory, and the host.
    fn into_host(self) -> H;
}
