//! Why a run ended: what the fault registers of an Armv7-M processor say, and a form that outlives a reset.

use core::{fmt, ops::Range, panic::Location};

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};
use rune_core::Text;
use rune_link::{Crash, Reason};

/// Bits of the CFSR.
const NOT_PUSHED: u32 = 1 << 4 | 1 << 12;
const MEMORY_ADDRESS: u32 = 1 << 7;
const BUS_ADDRESS: u32 = 1 << 15;

/// Of the eight words that the processor pushes when an exception comes: those that hold `lr` and `pc`.
pub const PUSHED_LR: usize = 5;
/// See [`PUSHED_LR`].
pub const PUSHED_PC: usize = 6;

/// What the processor says of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// The number of the exception, from the ICSR or xPSR.
    pub exception: u32,
    /// Configurable Fault Status Register.
    pub cfsr: u32,
    /// Address of the memory fault.
    pub mmfar: u32,
    /// Address of the bus fault.
    pub bfar: u32,
}

impl Registers {
    /// Whether the processor could push what it returns to: then `pc` and `lr` can be read from the stack.
    pub const fn was_pushed(&self) -> bool {
        self.cfsr & NOT_PUSHED == 0
    }

    /// The reason. `pushed` is `lr` and `pc`, where they could be read; `guard` the end of the stack that may not be
    /// accessed, and `null` the addresses from null on.
    pub fn reason(
        &self,
        pushed: Option<(u32, u32)>,
        guard: &Range<u32>,
        null: &Range<u32>,
    ) -> Reason<'static> {
        let Self { cfsr, .. } = *self;
        let crash = match self.exception {
            2 => Crash::Watchdog,
            4 => Crash::MemManage,
            5 => Crash::BusFault,
            6 => Crash::UsageFault,
            _ => Crash::HardFault,
        };
        let address = match cfsr {
            c if c & MEMORY_ADDRESS != 0 => self.mmfar,
            c if c & BUS_ADDRESS != 0 => self.bfar,
            _ => 0,
        };
        let text = if crash == Crash::Watchdog {
            "the watchdog was not fed"
        } else if guard.contains(&address) || !self.was_pushed() {
            "the stack ran into its end"
        } else if cfsr & MEMORY_ADDRESS != 0 && null.contains(&address) {
            "null was accessed"
        } else {
            ""
        };
        let (lr, pc) = pushed.unwrap_or_default();
        Reason {
            crash,
            pc,
            lr,
            cfsr,
            address,
            text,
        }
    }
}

/// What a console says of the run before.
#[derive(Clone, Copy, Debug)]
pub struct Before<'a>(pub &'a Reason<'a>);

impl fmt::Display for Before<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reason {
            crash,
            pc,
            lr,
            cfsr,
            address,
            text,
        } = self.0;
        write!(
            f,
            "the run before ended with a {}: {text} (pc {pc:#010x}, lr {lr:#010x}, cfsr {cfsr:#010x}, \
             address {address:#010x})",
            crash.name()
        )
    }
}

/// Words of a [`Kept`].
const WORDS: usize = 2 + Reason::BYTES.div_ceil(4);

/// A reason as whole words, with a checksum that tells it from whatever memory holds after power was off. Memory with
/// an ECC takes whole words at once, and may lose the last part of one at a reset.
#[repr(C, align(32))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Length, checksum, encoded reason.
    pub words: [u32; WORDS],
}

impl Kept {
    /// Holds no reason.
    pub const NONE: Self = Self { words: [0; WORDS] };

    /// Of a reason.
    pub fn new(reason: &Reason<'_>) -> Self {
        let mut bytes = [0; Reason::BYTES];
        let encoded = reason.encode(&mut bytes);
        let mut kept = Self::NONE;
        kept.words[0] = encoded.len() as u32;
        kept.words[1] = Self::sum(encoded);
        for (word, part) in kept.words[2..].iter_mut().zip(encoded.chunks(4)) {
            let mut four = [0; 4];
            four[..part.len()].copy_from_slice(part);
            *word = u32::from_le_bytes(four);
        }
        kept
    }

    /// Of a panic: where it was, and not in whose words. Those of all panics, with what they show, are 60 KB, which the
    /// compiler leaves out as long as nobody asks for them. `refused` are the bytes for which the heap had no room the
    /// last time that was so, or 0.
    pub fn panic(place: Option<&Location<'_>>, refused: usize) -> Self {
        let (file, line) = place.map_or(("?", 0), |l| (l.file(), l.line()));
        // One that was refused earlier need not have ended anything.
        let is_full = refused > 0 && file.ends_with("alloc/src/alloc.rs");
        let text: Text<{ Reason::TEXT_BYTES }> = if is_full {
            Text::of(format_args!(
                "{file}:{line}: the heap was full, {refused} bytes were asked for"
            ))
        } else {
            Text::of(format_args!("{file}:{line}"))
        };
        Self::new(&Reason {
            crash: Crash::Panic,
            pc: 0,
            lr: 0,
            cfsr: 0,
            address: 0,
            text: text.as_str(),
        })
    }

    /// The reason, if it holds one; its text is in `bytes`.
    pub fn reason<'a>(&self, bytes: &'a mut [u8; Reason::BYTES]) -> Option<Reason<'a>> {
        for (part, word) in bytes.chunks_mut(4).zip(&self.words[2..]) {
            part.copy_from_slice(&word.to_le_bytes()[..part.len()]);
        }
        let bytes = bytes.get(..self.words[0] as usize)?;
        (Self::sum(bytes) == self.words[1]).then(|| Reason::decode(bytes).ok())?
    }

    /// The checksum of a reason and its length; never that of [`NONE`](Self::NONE).
    fn sum(bytes: &[u8]) -> u32 {
        const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);
        !CRC.checksum(bytes) ^ bytes.len() as u32
    }
}

#[cfg(test)]
mod tests {
    use rune_link::{Crash, Reason};

    use alloc::string::ToString;

    use super::{Before, Kept, Registers};

    const GUARD: core::ops::Range<u32> = 0x2000_0000..0x2000_0100;
    const NULL: core::ops::Range<u32> = 0..0x400;

    fn reason(exception: u32, cfsr: u32, address: u32) -> Reason<'static> {
        let registers = Registers {
            exception,
            cfsr,
            mmfar: address,
            bfar: address,
        };
        let pushed = registers.was_pushed().then_some((1, 2));
        registers.reason(pushed, &GUARD, &NULL)
    }

    #[test]
    fn registers_say_what_happened() {
        // MMARVALID | DACCVIOL at null, in the guard, elsewhere.
        let null = reason(4, 0x82, 8);
        assert_eq!(
            (null.crash, null.text),
            (Crash::MemManage, "null was accessed")
        );
        assert_eq!((null.lr, null.pc, null.address), (1, 2, 8));
        assert_eq!(
            reason(4, 0x82, 0x2000_0010).text,
            "the stack ran into its end"
        );
        assert_eq!(reason(4, 0x82, 0x9000_0000).text, "");
        // MSTKERR: nothing was pushed.
        let stack = reason(4, 0x10, 0);
        assert_eq!((stack.text, stack.pc), ("the stack ran into its end", 0));
        // BFARVALID | PRECISERR; an address that is not valid is not given.
        let bus = reason(5, 0x8200, 0x1234);
        assert_eq!(
            (bus.crash, bus.address, bus.text),
            (Crash::BusFault, 0x1234, "")
        );
        assert_eq!(reason(5, 0x0400, 0x1234).address, 0);
        assert_eq!(reason(6, 0x1_0000, 0).crash, Crash::UsageFault);
        assert_eq!(reason(3, 0, 0).crash, Crash::HardFault);
        assert_eq!(reason(2, 0, 0).text, "the watchdog was not fed");
    }

    #[test]
    fn a_panic_says_where_it_was_and_that_the_heap_was_full() {
        let place = Some(core::panic::Location::caller());
        let mut bytes = [0; Reason::BYTES];
        let text = |kept: Kept, bytes: &mut [u8; Reason::BYTES]| {
            let reason = kept.reason(bytes).unwrap_or_else(|| panic!("it holds one"));
            assert_eq!((reason.crash, reason.pc), (Crash::Panic, 0));
            alloc::string::String::from(reason.text)
        };
        let said = text(Kept::panic(place, 100), &mut bytes);
        assert!(said.contains("src/fault.rs:") && !said.contains("heap"));
        assert_eq!(text(Kept::panic(None, 0), &mut bytes), "?:0");
        let fault = Before(&reason(4, 0x82, 8)).to_string();
        assert!(fault.starts_with(
            "the run before ended with a memory fault: null was accessed (pc 0x00000002"
        ));
    }

    #[test]
    fn a_reason_comes_back_and_garbage_is_none() {
        let text = "x".repeat(Reason::TEXT_BYTES);
        for text in ["", "a", "four", &text] {
            let reason = Reason {
                text,
                ..reason(4, 0x82, 8)
            };
            let kept = Kept::new(&reason);
            assert_eq!(kept.reason(&mut [0; Reason::BYTES]), Some(reason));
            for word in 0..kept.words.len() {
                let mut changed = kept;
                changed.words[word] ^= 1 << (word % 8);
                let mut bytes = [0; Reason::BYTES];
                let read = changed.reason(&mut bytes);
                // Words behind the text may hold anything.
                assert!(read.is_none() || word * 4 >= 8 + 17 + text.len());
            }
        }
        for word in [0, 1, u32::MAX, 0x5A5A_5A5A] {
            let kept = Kept { words: [word; 47] };
            assert_eq!(kept.reason(&mut [0; Reason::BYTES]), None);
        }
    }
}
