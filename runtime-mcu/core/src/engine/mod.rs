//! What runs the code of runes. An engine knows no sources, outputs or clocks: it calls its [`Host`].

mod engines;
mod interpreter;

use alloc::boxed::Box;
use core::fmt;

use rune_abi::{Import, WasmFeatures};
use rune_saga::Failure;

pub use engines::{Either, Engines};
pub use interpreter::{Interpreter, Running};

use crate::{Checked, text::Text};

/// The host side of the functions that runes import.
pub trait Host {
    /// One call of a function of the contract, with its arguments, those it lacks 0, and the rune's whole memory.
    ///
    /// # Errors
    /// The rune is to be stopped; the host knows why.
    fn import(&mut self, import: Import, args: [u32; 3], memory: &mut [u8]) -> Result<i32, Stop>;

    /// When the operation must have ended that runs, by the clock of the host; never, where nobody says. Engines that
    /// count no steps stop code by it.
    fn deadline_ns(&self) -> u64 {
        u64::MAX
    }

    /// An engine says which function trapped, where it knows, right before it gives [`Stop::Trap`].
    fn trapped(&mut self, _function: &'static str) {}
}

impl<H: Host + ?Sized> Host for Box<H> {
    #[inline]
    fn import(&mut self, import: Import, args: [u32; 3], memory: &mut [u8]) -> Result<i32, Stop> {
        (**self).import(import, args, memory)
    }

    #[inline]
    fn deadline_ns(&self) -> u64 {
        (**self).deadline_ns()
    }

    fn trapped(&mut self, function: &'static str) {
        (**self).trapped(function);
    }
}

/// Why a call did not return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The host stopped it.
    Host,
    /// A trap, or [`Failure::Deadline`] where the fuel or the time was used up.
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
    /// Time of starting, in nanoseconds, for engines that count no steps.
    pub call_ns: u64,
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
    /// It is an image, and this engine runs modules.
    NoImages,
    /// It is a module, and this engine runs images.
    NoModules,
    /// The image cannot run here; in words of the engine.
    Image(Text<160>),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Module(what) => write!(f, "not a valid module: {what}"),
            Self::Data => f.write_str("some of its data lies outside its memory"),
            Self::Memory => f.write_str("there is not enough memory for it"),
            Self::Instance => f.write_str("its tables cannot be filled"),
            Self::NoImages => {
                f.write_str("it is an image of machine code, and this runtime interprets modules")
            }
            Self::NoModules => f.write_str("it is a module, and this runtime has no interpreter"),
            Self::Image(what) => write!(f, "the image cannot run: {what}"),
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

    /// The same between what the host does before and after it; gives what that makes of it.
    #[inline]
    fn call_between<R>(
        &mut self,
        before: impl FnOnce(&mut H),
        after: impl FnOnce(&mut H, Result<i32, Stop>) -> R,
    ) -> R {
        before(self.host_mut());
        let returned = self.call();
        after(self.host_mut(), returned)
    }

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
