//! What runs the code of runes. An engine knows no sources, outputs or clocks: it calls its [`Host`].

mod engines;
mod interpreter;

use alloc::boxed::Box;
use core::{fmt, ops::Range};

use rune_abi::{Import, WasmFeatures};
use rune_saga::Failure;

pub use engines::{Either, Engines};
pub use interpreter::{Interpreter, Running};

use crate::{Checked, text::Text};

/// The host side of the functions that runes import, see `docs/abi.md`. What a rune names by a place in its memory comes
/// as the bytes there; `None` where it lies outside.
pub trait Host {
    /// Fills the place for a sample of a capability, of so many bytes. Gives their number, or [`Import::END`].
    ///
    /// # Errors
    /// The rune is to be stopped; here and below the host knows why.
    fn read(
        &mut self,
        capability: u32,
        bytes: u32,
        place: Option<&mut [u8]>,
    ) -> Result<i32, Stopped>;

    /// Takes the record at an address of memory for an output.
    ///
    /// # Errors
    /// As of [`read`](Self::read).
    fn write(&mut self, memory: &[u8], output: u32, at: u32) -> Result<(), Stopped>;

    /// Where the elements lie of the record at an address of memory, if it is one tensor of numbers that has the same
    /// shape in every call. An engine that knows that such a record never changes asks once.
    fn elements(&self, _memory: &[u8], _output: u32, _at: u32) -> Option<Range<usize>> {
        None
    }

    /// Takes the elements of a record as [`elements`](Self::elements) has found them.
    ///
    /// # Errors
    /// As of [`read`](Self::read).
    fn write_elements(&mut self, _output: u32, _elements: &[u8]) -> Result<(), Stopped> {
        Err(Stopped)
    }

    /// Takes a line of the log.
    ///
    /// # Errors
    /// As of [`read`](Self::read).
    fn log(&mut self, level: u32, line: Option<&[u8]>) -> Result<(), Stopped>;

    /// Takes the reason of a fault that the call will return.
    ///
    /// # Errors
    /// As of [`read`](Self::read).
    fn fault(&mut self, reason: Option<&[u8]>) -> Result<(), Stopped>;

    /// A stage begins, in phase 0, or ends.
    fn mark(&mut self, stage: u32, phase: u32);

    /// Whether the call has taken all of its time: asked by engines that have no clock before they ask for anything
    /// else.
    ///
    /// # Errors
    /// It has, and is to be stopped.
    fn is_in_time(&mut self) -> Result<(), Stopped>;

    /// The engine has stopped the rune: [`Failure::Deadline`] where its fuel or its time was used up. In this function,
    /// where that is known.
    fn trapped(&mut self, failure: Failure, function: Option<&'static str>);

    /// One call of a function of the contract, with its arguments, those it lacks 0, and the rune's whole memory.
    ///
    /// # Errors
    /// As of [`read`](Self::read).
    fn import(
        &mut self,
        import: Import,
        [a, b, c]: [u32; 3],
        memory: &mut [u8],
    ) -> Result<i32, Stopped> {
        match import {
            Import::Read => self.read(a, c, place(memory, b, c)),
            Import::Write => self.write(memory, a, b).map(|()| 0),
            Import::Log => self.log(a, place(memory, b, c).as_deref()).map(|()| 0),
            Import::Fault => self.fault(place(memory, b, c).as_deref()).map(|()| 0),
            Import::Mark => {
                self.mark(a, b);
                Ok(0)
            }
        }
    }
}

/// So many bytes of memory at an address; `None` where they do not lie in it.
#[must_use]
pub fn place(memory: &mut [u8], at: u32, bytes: u32) -> Option<&mut [u8]> {
    memory.get_mut(at as usize..)?.get_mut(..bytes as usize)
}

/// The rune was stopped, or is to be. Its [`Host`] knows why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

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

    /// Makes a rune ready to be called. All memory that it will ever need is taken here.
    ///
    /// # Errors
    /// Where it is not valid, or does not fit.
    fn start<H: Host + 'static>(
        &self,
        rune: &Checked<'static>,
        limits: &Limits,
    ) -> Result<Self::Instance<H>, StartError>;
}

/// A rune that was started. It is lent its host for each operation, and gives it back at its end; without one it does
/// nothing and is stopped. After an operation that was stopped it must not be called again.
pub trait Instance<H> {
    /// Runs `_call` to its end. Engines that count no steps stop it at the deadline, in nanoseconds of the board's clock.
    ///
    /// # Errors
    /// Where it was stopped.
    fn call(&mut self, host: &mut Lent<H>, deadline_ns: u64) -> Result<i32, Stopped>;

    /// Runs `_reset`, where there is one.
    ///
    /// # Errors
    /// Where it was stopped.
    fn reset(&mut self, host: &mut Lent<H>, deadline_ns: u64) -> Result<(), Stopped>;
}

/// A host, where it is not lent to an instance: an interpreter has it for the time of a call. It is boxed, as it is too
/// large to be moved on the stack of a device.
pub type Lent<H> = Option<Box<H>>;
