//! The examples: what they read, and what they are to give.

use rune_abi::CapabilityKind;
use rune_runtime::SourceFlag;

use crate::root;

/// A Runefile with an input; paths in `examples/`.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// The Runefile.
    pub runefile: &'static str,
    /// The kind of capability that is fed.
    pub kind: CapabilityKind,
    /// A file, or a seed for RAND.
    pub input: &'static str,
    /// The lines that it gives.
    pub expected: &'static str,
}

impl Example {
    /// The flag of `rune run` that gives it its input.
    pub fn flag(&self) -> SourceFlag {
        let value = if self.kind == CapabilityKind::Rand {
            self.input.to_owned()
        } else {
            let path = root().join("examples").join(self.input);
            path.display().to_string()
        };
        SourceFlag {
            kind: self.kind,
            value,
        }
    }
}

const fn example(
    runefile: &'static str,
    kind: CapabilityKind,
    input: &'static str,
    expected: &'static str,
) -> Example {
    Example {
        runefile,
        kind,
        input,
        expected,
    }
}

/// Every one.
pub const EXAMPLES: &[Example] = &[
    example(
        "sine/Runefile",
        CapabilityKind::Rand,
        "0",
        "sine/expected.jsonl",
    ),
    example(
        "sine/raw.Runefile",
        CapabilityKind::Raw,
        "sine/input.bin",
        "sine/raw.expected.jsonl",
    ),
    example(
        "sine/int8.Runefile",
        CapabilityKind::Raw,
        "sine/input.bin",
        "sine/int8.expected.jsonl",
    ),
    example(
        "gesture/Runefile",
        CapabilityKind::Accel,
        "gesture/ring.csv",
        "gesture/ring.expected.jsonl",
    ),
    example(
        "gesture/Runefile",
        CapabilityKind::Accel,
        "gesture/wing.csv",
        "gesture/wing.expected.jsonl",
    ),
    example(
        "gesture/Runefile",
        CapabilityKind::Accel,
        "gesture/slope.csv",
        "gesture/slope.expected.jsonl",
    ),
    example(
        "gesture/Runefile",
        CapabilityKind::Accel,
        "gesture/unknown.csv",
        "gesture/unknown.expected.jsonl",
    ),
    example(
        "digits/Runefile",
        CapabilityKind::Image,
        "digits/0.png",
        "digits/0.expected.jsonl",
    ),
    example(
        "digits/Runefile",
        CapabilityKind::Image,
        "digits/3.png",
        "digits/3.expected.jsonl",
    ),
    example(
        "digits/Runefile",
        CapabilityKind::Image,
        "digits/7.png",
        "digits/7.expected.jsonl",
    ),
    example(
        "digits/Runefile",
        CapabilityKind::Image,
        "digits/7-large.png",
        "digits/7-large.expected.jsonl",
    ),
    example(
        "digits/Runefile",
        CapabilityKind::Image,
        "digits/9.png",
        "digits/9.expected.jsonl",
    ),
    example(
        "keyword/Runefile",
        CapabilityKind::Sound,
        "keyword/words.wav",
        "keyword/words.expected.jsonl",
    ),
    example(
        "paper/Runefile",
        CapabilityKind::Sound,
        "paper/input.wav",
        "paper/expected.jsonl",
    ),
];
