//! Damaged Runefiles: whatever comes in, nothing panics, and what is not accepted has a place.

use rune_ir::{
    diag::{Code, Diagnostic, Span, has_errors},
    pipeline::Pipeline,
};
use rune_runefile::tree::Instruction;

use crate::world::compile;

pub(crate) const SEEDS: [&str; 4] = [
    "FROM runicos/base@latest AS base\nLABEL name=gesture title=\"A \\\"ring\\\"\"\n\
     RESOURCE labels.txt labels\n\
     CAPABILITY<F32[128, 3]> ACCEL accel -n 128 --hz 100.5\n\
     PROC_BLOCK<F32[128, 3] -> F32[<=128, _]> normalize norm\n\
     MODEL<F32[128, 3] -> F32[4]> ./m.tflite gesture\n\
     PROC_BLOCK label label --labels=Wing,Ring,Slope,Unbekannt,ü\nOUT SERIAL\n\
     RUN accel norm gesture [gesture.0, norm] label serial\n",
    "FROM runicos/base\r\nCAPABILITY AUDIO audio --hz 16000 \\\r\n  # a comment\r\n  --samples 150\r\n\
     PROC_BLOCK runicos/fft fft\r\nMODEL \"./my model.tflite\" m --input [1,1] --output [1, 1]\r\n\
     RUN audio fft m\r\nOUT serial --x 'é # \\u{2713}' # end",
    "\u{FEFF}# text\nFROM runicos/base\nCAPABILITY<U8> image IMAGE --pixel-format @PixelFormat::RGB\n\
     PROC_BLOCK<_, _> l hotg-ai/rune#proc_blocks/label --labels $labels --n .5 --m 1e-3 --k -7\n\
     RUN image l serial\nOUT SERIAL\nRESOURCE labels.txt labels",
    "CAPABILITY RAND a --list [x, \"y, z\", w]\nCAPABILITY RAND b --list a, b, \\\n c\nRUN [a, b] [x, y]\n",
];

/// Pieces that matter to the grammar.
const PIECES: [&str; 24] = [
    "<",
    ">",
    "[",
    "]",
    ",",
    "\"",
    "'",
    "\\",
    "\\\n",
    "#",
    " # ",
    "$",
    "->",
    "--",
    "-",
    "=",
    ".",
    "\n",
    "\r",
    "\0",
    "ü",
    "\u{FEFF}",
    "RUN",
    "99999999999999999999",
];

/// Marsaglia's xorshift, 64 bits.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number from 0 to `n` - 1; 0 if there is none.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }

    fn range(&mut self, len: usize) -> std::ops::Range<usize> {
        let start = self.below(len + 1);
        start..(start + self.below(20)).min(len)
    }
}

/// One of the texts with up to five changes.
pub(crate) fn mutate(random: &mut Random, seeds: &[&str]) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].as_bytes().to_vec();
    for _ in 0..=random.below(4) {
        match random.below(6) {
            0 if !bytes.is_empty() => {
                let at = random.below(bytes.len());
                bytes[at] ^= 1 << random.below(8);
            }
            1 => drop(bytes.drain(random.range(bytes.len()))),
            2 => {
                let range = random.range(bytes.len());
                let copy = bytes[range.clone()].to_vec();
                bytes.splice(range.end..range.end, copy);
            }
            3 => {
                let at = random.below(bytes.len() + 1);
                let piece = PIECES[random.below(PIECES.len())];
                bytes.splice(at..at, piece.bytes());
            }
            4 => {
                let other = seeds[random.below(seeds.len())].as_bytes();
                let part = other[random.range(other.len())].to_vec();
                let range = random.range(bytes.len());
                bytes.splice(range, part);
            }
            _ => {
                let mut lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
                let (a, b) = (random.below(lines.len()), random.below(lines.len()));
                lines.swap(a, b);
                bytes = lines.join(&b'\n');
            }
        }
    }
    bytes
}

/// Every span of a diagnostic.
fn spans(diagnostic: &Diagnostic) -> impl Iterator<Item = Span> + '_ {
    let labels = std::iter::once(&diagnostic.primary).chain(&diagnostic.secondary);
    labels.map(|label| label.span)
}

/// Every span of a pipeline.
fn pipeline_spans(pipeline: &Pipeline) -> Vec<Span> {
    let stages = pipeline.stages.values();
    stages
        .flat_map(|stage| {
            let args = stage.args.iter().flat_map(|a| [a.name.span, a.value.span]);
            let types = [&stage.declared_inputs, &stage.declared_outputs];
            let types = types.into_iter().flatten().flatten().map(|t| t.span);
            let edges = stage.inputs.iter().map(|e| e.span);
            [stage.name.span, stage.span]
                .into_iter()
                .chain(args)
                .chain(types)
                .chain(edges)
        })
        .collect()
}

#[test]
fn a_thousand_damaged_runefiles() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..1_000 {
        let bytes = mutate(&mut random, &SEEDS);
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let (tree, pipeline, found) = compile(&bytes);
        let text = std::str::from_utf8(&bytes).ok();
        for span in found
            .iter()
            .flat_map(spans)
            .chain(pipeline.iter().flat_map(pipeline_spans))
        {
            let (start, end) = (span.start as usize, span.end as usize);
            assert!(
                start <= end && end <= bytes.len(),
                "round {round}: {span:?}\n{shown}"
            );
            if let Some(text) = text {
                let whole = text.is_char_boundary(start) && text.is_char_boundary(end);
                assert!(whole, "round {round}: {span:?}\n{shown}");
            }
        }
        // Each line that is faulty among the others is faulty alone too, and so has a better message.
        let vague = found
            .iter()
            .any(|d| d.message == "this line is no instruction");
        assert!(!vague, "round {round}\n{shown}");
        if text.is_none() {
            assert_eq!(found[0].code, Code::InvalidUtf8, "round {round}\n{shown}");
        }
        let holes = tree.flawed
            || pipeline.as_ref().is_some_and(|p| p.partial)
            || tree
                .instructions
                .iter()
                .any(|i| matches!(i, Instruction::Faulty(_)));
        assert!(
            !holes || has_errors(&found),
            "round {round}: nothing said\n{shown}"
        );
        if has_errors(&found) {
            refused += 1;
        } else {
            accepted += 1;
        }
    }
    // Both ways must have been tried for the test to mean anything.
    assert!(
        accepted > 50 && refused > 500,
        "{accepted} accepted, {refused} refused"
    );
}

#[test]
fn the_seeds_say_what_they_should() {
    for (seed, errors) in SEEDS.iter().zip([0, 0, 0, 3]) {
        let (.., found) = compile(seed.as_bytes());
        let count = found
            .iter()
            .filter(|d| d.severity == rune_ir::diag::Severity::Error)
            .count();
        assert_eq!(count, errors, "{found:#?}");
    }
}
