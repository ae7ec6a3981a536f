//! The YAML form: what each part means, what is said of each fault and where, that no text harms, and that
//! conversion loses nothing.
#![allow(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "texts of a test need not be made fast"
)]

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use rune_ir::diag::{Code, Diagnostic, FileId, Severity, has_errors};
use rune_runefile::{
    Format, Tree, convert, read,
    tree::{Instruction, Value},
};

use crate::world::{World, compile_as, root, show_pipeline, show_tree};

/// A document that uses every part of version 1.
const COMPLETE: &str = "\
# Tells words apart.
version: 1
image: runicos/base

pipeline:
  audio:
    capability: SOUND # from the microphone
    outputs:
    - type: i16
      dimensions: [1, 16000]
    args: {hz: \"16000\", sample_duration_ms: 1000}
  # The spectrum.
  fft:
    proc-block: \"hotg-ai/rune#proc_blocks/fft\"
    inputs:
    - audio
    outputs: [{type: U32, dimensions: [1, 1960]}]
  net:
    model: $NET
    inputs: [fft.0]
    args:
      format: tensorflow-lite
  label:
    proc-block: hotg-ai/rune#proc_blocks/label
    inputs: [net, fft.1]
    outputs:
    - {type: UTF8}
    args:
      wordlist: |
        silence
        light jog
      labels: [a, b c, 3]
      threshold: 0.5
      name: $WORDS
      mask: 0x10
      yes: true
  serial:
    out: serial
    inputs: [label]

resources:
  NET:
    path: ./model.tflite
    type: binary
  WORDS:
    inline: |
      up
      down
";

fn found(text: &str) -> Vec<Diagnostic> {
    compile_as(Format::Yaml, text.as_bytes()).2
}

fn line(text: &str, diagnostic: &Diagnostic) -> usize {
    text[..diagnostic.primary.span.start as usize]
        .matches('\n')
        .count()
        + 1
}

fn pipeline(format: Format, text: &str) -> String {
    let (tree, pipeline, found) = compile_as(format, text.as_bytes());
    let mut out = String::new();
    show_tree(&tree, &mut out).expect("a string takes everything");
    if let Some(pipeline) = pipeline {
        show_pipeline(&pipeline, &mut out).expect("a string takes everything");
    }
    // In whatever order, a part that other parts name is the same.
    let mut lines: Vec<&str> = out.lines().collect();
    lines.sort_unstable();
    let faults = found.iter().filter(|d| d.severity == Severity::Error);
    let codes: BTreeSet<_> = faults.map(|d| d.code.number()).collect();
    format!("{}\n{codes:?}\n", lines.join("\n"))
}

#[test]
fn every_part_of_version_1_is_read() {
    let (_, _, faults) = compile_as(Format::Yaml, COMPLETE.as_bytes());
    assert_eq!(faults, [], "{faults:#?}");
    assert_eq!(
        pipeline(Format::Yaml, COMPLETE),
        "\
audio = capability SOUND --hz 16000 --sample_duration_ms 1000 < -> I16[1, 16000]>
fft = block runicos/fft <_ -> U32[1, 1960]> reads audio.0
from runicos/base
label = block runicos/label --wordlist \"silence\\nlight jog\" --labels [\"a\", \"b c\", \"3\"] --threshold 0.5 \
--name resource of 8 bytes --mask 16 --yes \"true\" <_, _ -> UTF8[1]> reads net.0, fft.1
net = model $NET (14 bytes) reads fft.0
resource NET = \"./model.tflite\"
resource WORDS = \"text\"
serial = output SERIAL reads label.0
{}
"
    );
}

#[test]
fn every_part_has_its_place() {
    let (tree, _) = read(Format::Yaml, FileId(0), COMPLETE.as_bytes());
    let at = |span: rune_ir::diag::Span| &COMPLETE[span.start as usize..span.end as usize];
    let mut seen = 0;
    for instruction in &tree.instructions {
        match instruction {
            Instruction::From(from) => assert_eq!(at(from.span), "image: runicos/base"),
            Instruction::Resource(resource) => {
                assert_eq!(at(resource.name.span), resource.name.value);
            }
            Instruction::Stage(stage) => {
                let name = stage.second.as_ref().expect("every stage has a name");
                assert_eq!(at(name.span), name.text);
                assert_eq!(at(stage.first.span).trim_matches('"'), stage.first.text);
                assert!(at(stage.span).starts_with(&format!("{}:", name.text)));
                for arg in &stage.args {
                    assert_eq!(at(arg.name.span), arg.name.value);
                    seen += 1;
                    if let Value::List(items) = &arg.value.value {
                        assert_eq!(at(arg.value.span), "[a, b c, 3]");
                        assert!(items.iter().all(|i| at(i.span) == i.value));
                    }
                }
            }
            Instruction::Run(run) => {
                for input in &run.steps[0].stages {
                    let port = input
                        .port
                        .map_or(String::new(), |p| format!(".{}", at(p.span)));
                    assert_eq!(at(input.span), format!("{}{port}", at(input.name.span)));
                }
            }
            other @ (Instruction::For(_)
            | Instruction::Label(_)
            | Instruction::Set(_)
            | Instruction::Faulty(_)) => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, 9);
    let comments: Vec<&str> = tree.comments.iter().map(|c| at(*c)).collect();
    assert_eq!(
        comments,
        [
            "# Tells words apart.",
            "# from the microphone",
            "# The spectrum."
        ]
    );
}

/// Text, and line, code and message of what is found.
type Case = (&'static str, &'static [(usize, &'static str, &'static str)]);

const FAULTS: &[Case] = &[
    (
        "",
        &[
            (1, "R0006", "missing field `version`"),
            (1, "R0006", "missing field `image`"),
            (1, "R0006", "missing field `pipeline`"),
        ],
    ),
    (
        "# only\nversion: 1\npipeline: {}\n",
        &[(2, "R0006", "missing field `image`")],
    ),
    (
        "version: 2\nimage: runicos/base\npipeline: {}\n",
        &[(
            1,
            "R0008",
            "invalid value: integer `2`, expected version to be 1",
        )],
    ),
    (
        "version: \"1\"\nimage: runicos/base\npipeline: {}\n",
        &[(
            1,
            "R0008",
            "invalid type: string \"1\", expected version to be 1",
        )],
    ),
    (
        "- a\n",
        &[(
            1,
            "R0008",
            "invalid type: sequence, expected a map of version, image and pipeline",
        )],
    ),
    (
        "version: 1\nimage: a b\npipeline: {}\n",
        &[(2, "R0008", "unable to parse the path `a b`")],
    ),
    (
        "version: 1\nimage: runicos/base\npipeline:\n  r:\n    capability: RAW\n  r:\n    out: serial\n",
        &[(6, "R0102", "The name \"r\" is defined multiple times")],
    ),
    (
        "version: 1\nimage: runicos/base\npipeline:\n  a b:\n    capability: RAW\n",
        &[(4, "R0008", "\"a b\" should be a valid identifier")],
    ),
    (
        "version: 1\nimage: runicos/base\npipeline:\n  a:\n    procblock: fft\n",
        &[
            (5, "R0007", "unknown field `procblock`"),
            (5, "R0008", "\"a\" does not say what it is"),
        ],
    ),
    (
        "version: 1\nimage: runicos/base\npipeline:\n  r:\n    capability: RAW\n    outputs:\n    - type: str\n      dimensions: [2]\n    - type: string\n  s:\n    out: serial\n    inputs: [\"1x\", r.2, a.b.c]\n",
        &[
            (7, "R0108", "Unknown element type, \"str\""),
            (
                12,
                "R0008",
                "Expected something like \"fft\" or \"fft.2\", found string \"1x\"",
            ),
            (
                12,
                "R0008",
                "Expected something like \"fft\" or \"fft.2\", found string \"a.b.c\"",
            ),
        ],
    ),
    (
        "version: 1\nimage: runicos/base\npipeline:\n  r:\n    capability: RAW\n  m:\n    model: $1x\n    inputs: [r]\n",
        &[(7, "R0008", "`$1x` is not the name of a resource")],
    ),
    (
        "version: 1\nimage: runicos/base\npipeline:\n  m:\n    model: $r\n    inputs: [r, x]\n  r:\n    capability: RAW\n    args: {a: $B, c: }\n",
        &[
            (5, "R0112", "\"r\" is not a resource"),
            (
                6,
                "R0101",
                "Unable to find \"x\" to use as an input for \"m\"",
            ),
            (9, "R0003", "this argument has no value"),
            (9, "R0107", "No definition for \"$B\""),
        ],
    ),
    (
        "version: 1\nimage: runicos/base\nresources:\n  A:\n    path: ./model.tflite\n    inline: x\n  B: {}\n  C: {path: ./m.tflite, type: string}\n  $D: {inline: x}\npipeline:\n  m:\n    model: $C\n",
        &[
            (
                6,
                "R0111",
                "The resource \"A\" can't specify both a \"path\" and \"inline\" default value",
            ),
            (
                7,
                "R0111",
                "the resource \"B\" has neither a file nor a text",
            ),
            (9, "R0008", "\"$D\" should be a valid identifier"),
            (12, "R0112", "\"$C\" should be a binary resource"),
        ],
    ),
    (
        "version: 1\nimage: runicos/base\npipeline:\n  m:\n    model: ./model.tflite\n    args: {format: caffe, b: 1, c: 2}\n  n:\n    model: ./gone.tflite\n    args: {format: onnx}\n",
        &[
            (
                6,
                "R0113",
                "Expected the format to be one of onnx, tensorflow, tensorflow-js, tensorflow-lite, but found \"caffe\"",
            ),
            (6, "R0114", "Unused arguments for m: b, c"),
            (8, "R0901", "cannot read the model `./gone.tflite`"),
        ],
    ),
    (
        "version: 1\nimage: asdf\npipeline:\n  r: {capability: RAW, out: serial}\n",
        &[
            (2, "R0106", "there is no base image `asdf`"),
            (4, "R0008", "\"r\" is two kinds of stage at once"),
        ],
    ),
    (
        "version: 1\nimage: runicos/base\npipeline:\n\ta: 1\n",
        &[(4, "R0005", "")],
    ),
    ("version: 1\nimage: @x\n", &[(2, "R0005", "")]),
    (
        "version: 1\n---\nimage: x\n",
        &[(2, "R0005", "a second document begins here")],
    ),
];

#[test]
fn every_fault_is_found_where_it_is_and_in_known_words() {
    for (text, expected) in FAULTS {
        let found = found(text);
        let shown: Vec<_> = found
            .iter()
            .map(|d| (line(text, d), d.code.number(), d.message.as_str()))
            .collect();
        let mut sorted = shown.clone();
        sorted.sort_by_key(|(line, code, _)| (*line, *code));
        let same = sorted.len() == expected.len()
            && sorted
                .iter()
                .zip(*expected)
                .all(|(f, e)| (f.0, f.1) == (e.0, e.1) && (e.2.is_empty() || f.2 == e.2));
        assert!(
            same,
            "{text}
{sorted:#?}"
        );
    }
}

#[test]
fn no_text_takes_long() {
    let head = "version: 1\nimage: runicos/base\npipeline:\n";
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for i in 1..=20 {
        let (before, name) = (char::from(b'a' + i - 1), char::from(b'a' + i));
        bomb += &format!(
            "{name}: &{name} [{}]\n",
            vec![format!("*{before}"); 9].join(",")
        );
    }
    let stages: String = (0..20_000)
        .map(|i| format!("  s{i}: {{capability: RAW}}\n"))
        .collect();
    let texts = [
        bomb,
        "a: &a [*a]\n".to_owned(),
        format!(
            "a: &a {}\n{}",
            "x".repeat(1 << 20),
            "b: *a\n".repeat(1 << 12)
        ),
        "[".repeat(1 << 20),
        "{a: ".repeat(1 << 18),
        "- ".repeat(1 << 18),
        "? ".repeat(1 << 18),
        "&a ".repeat(1 << 16),
        format!("{head}{stages}"),
        format!("{head}{}", "  a: {out: x}\n".repeat(20_000)),
        format!("version: 1\n{}", "x: 1\n".repeat(50_000)),
        format!(
            "{head}  a:\n    proc-block: label\n    args:\n      labels: [{}]\n",
            "a, ".repeat(100_000)
        ),
        "\"".repeat(100_000),
        "#\n".repeat(300_000),
        " ".repeat(300_000),
        ":\n".repeat(100_000),
    ];
    for text in texts {
        let start = Instant::now();
        let (_, found) = read(Format::Yaml, FileId(0), text.as_bytes());
        let shown: String = text.chars().take(60).collect();
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{shown}: {:?}",
            start.elapsed()
        );
        drop(found);
    }
    let deep = format!("{head}  a: {}{}\n", "[".repeat(40), "]".repeat(40));
    assert!(
        found(&deep)
            .iter()
            .any(|d| d.message.contains("nest deeper"))
    );
}

#[test]
fn aliases_stand_for_values() {
    let text = "version: 1\nimage: runicos/base\npipeline:\n  a: &a\n    capability: RAND\n    outputs: &out [{type: F32, dimensions: [4]}]\n  b: *a\n  m:\n    proc-block: modulo\n    inputs: [a]\n    outputs: *out\n    args: {modulus: &m 2.5}\n  s: {out: serial, inputs: [m, b]}\n";
    assert_eq!(found(text), []);
    let shown = pipeline(Format::Yaml, text);
    assert!(
        shown.contains("b = capability RAND < -> F32[4]>"),
        "{shown}"
    );
    assert!(
        shown.contains("--modulus 2.5 <_ -> F32[4]> reads a.0"),
        "{shown}"
    );
}

#[test]
fn merged_maps_are_said_to_be_none() {
    let text = "version: 1\nimage: runicos/base\npipeline:\n  a: &a\n    capability: RAND\n    \
                outputs: [{type: F32}]\n  b:\n    <<: *a\n    capability: RAND\n    \
                outputs: [{type: F32}]\n  o:\n    out: SERIAL\n    inputs: [a, b]\n";
    let found = found(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].message, "unknown field `<<`");
    assert_eq!(line(text, &found[0]), 8);
    assert!(found[0].hints[0].starts_with("maps are not merged"));
}

/// Converts a text to the other form.
fn converted(format: Format, text: &str) -> Option<(Tree, String)> {
    let (tree, found) = read(format, FileId(0), text.as_bytes());
    if tree.flawed || has_errors(&found) {
        return None;
    }
    let other = convert(&tree, text, &World).ok()?;
    Some((tree, other.text))
}

/// Text to YAML to text, or the other way: each means the same, and the second round changes nothing.
fn round_trip(format: Format, text: &str) -> bool {
    let other = match format {
        Format::Text => Format::Yaml,
        Format::Yaml => Format::Text,
    };
    let Some((tree, there)) = converted(format, text) else {
        return false;
    };
    // An output that nothing feeds has no text form.
    let (tree_there, _) = read(other, FileId(0), there.as_bytes());
    if let Err(faults) = convert(&tree_there, &there, &World)
        && faults.iter().all(|d| d.code == Code::UnreachableOutput)
    {
        return false;
    }
    let (second, back) = converted(other, &there).unwrap_or_else(|| {
        panic!(
            "not read again:\n{text}\n{there}\n{:#?}",
            read(other, FileId(0), there.as_bytes()).1
        )
    });
    let (_, again) = converted(format, &back).unwrap_or_else(|| panic!("{back}"));
    // Where a comment on a RUN goes has no way back.
    let bare = |text: &str| {
        let lines = text
            .lines()
            .map(|l| l.split('#').next().unwrap_or("").trim_end());
        lines
            .filter(|l| !l.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(
        bare(&there),
        bare(&again),
        "not the same the second time:\n{text}\n{back}"
    );
    assert_eq!(
        tree.comments.len(),
        second.comments.len(),
        "comments\n{text}\n{there}"
    );
    assert_eq!(
        pipeline(format, text),
        pipeline(other, &there),
        "another meaning:\n{text}\n{there}"
    );
    true
}

/// Runefiles that use what the reference's YAML does not have.
const LAYERED: &str = "\
# Over another.
FROM ./other/Runefile AS below # the base

FOR runicos/portenta-h7
LABEL name=x version=1.2.3 title=\"two words: # no comment\" empty=\"\"
RESOURCE labels.txt labels --type string
RESOURCE words --text \"a\\nb\\n\"
REPLACE MODEL \"./my model.tflite\" net # better
SET fft --width 3 --x \"7\" --y \"$no\" --z \"0x10\" --e \"\" --n null
PROC_BLOCK<F32[3], _ -> U32[<=4, _], F32> modulo m --modulus 1. --list [a, \"b, c\", \"\", \"$d\"]
MODEL ./m.tflite two --input [1,1] --input [1, 2] --output [1]
# How it goes.
RUN [fft, fft.1] m two.0 serial
RUN m.1 net # into the layer below
OUT SERIAL copy
# The end.
";

#[test]
fn conversion_loses_nothing() {
    assert!(round_trip(Format::Yaml, COMPLETE));
    assert!(round_trip(Format::Text, LAYERED));
    let mut count = 0;
    for folder in ["testsuite/run", "testsuite/compile", "testsuite/ui"] {
        for entry in fs::read_dir(root().join(folder)).expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            if path.extension().is_some_and(|e| e == "rune")
                && let Ok(text) = fs::read_to_string(&path)
            {
                count += usize::from(round_trip(Format::Text, &text));
            }
        }
    }
    for example in ["sine", "gesture", "digits", "paper"] {
        let path = root().join("examples").join(example).join("Runefile");
        let text = fs::read_to_string(path).expect("the example is there");
        assert!(round_trip(Format::Text, &text), "{text}");
    }
    assert!(
        count > 50,
        "only {count} Runefiles of the suite were converted"
    );
}

#[test]
fn comments_stay_with_their_parts() {
    let (_, yaml) = converted(Format::Text, LAYERED).expect("it is without fault");
    for line in [
        "# Over another.\nversion: 1\nimage: ./other/Runefile  # the base",
        "  net:  # better",
        "    # How it goes.",
        "inputs: [m.1]  # into the layer below",
    ] {
        assert!(yaml.contains(line), "{line}\n{yaml}");
    }
    assert!(yaml.ends_with("# The end.\n"), "{yaml}");
    let (tree, _) = read(Format::Yaml, FileId(0), COMPLETE.as_bytes());
    let text = convert(&tree, COMPLETE, &World).expect("it is without fault");
    assert!(
        text.text
            .starts_with("# Tells words apart.\nFROM runicos/base\n"),
        "{}",
        text.text
    );
    assert!(
        text.text.contains("# The spectrum.\nPROC_BLOCK"),
        "{}",
        text.text
    );
    // It stood beside the kind, which is on the line of the stage now.
    assert_eq!(text.moved, [tree.comments[1]]);
}

#[test]
fn names_that_the_text_form_has_not_are_changed_everywhere() {
    let text = "version: 1\nimage: runicos/base\npipeline:\n  run: {capability: RAND}\n  RUN: {model: $MODEL, inputs: [run]}\n  s: {out: serial, inputs: [RUN]}\nresources:\n  MODEL: {path: ./model.tflite}\n";
    let (_, text) = converted(Format::Yaml, text).expect("it is without fault");
    assert!(
        text.contains("MODEL $model run_\n") && text.contains("RUN run run_ s\n"),
        "{text}"
    );
    assert!(text.contains("RESOURCE ./model.tflite model\n"), "{text}");
}

#[test]
fn an_output_that_nothing_feeds_is_not_fed_by_conversion() {
    let text = "version: 1\nimage: runicos/base\npipeline:\n  a: {capability: RAND}\n  s: {out: serial, inputs: [a]}\n  t: {out: serial}\n";
    let (tree, _) = read(Format::Yaml, FileId(0), text.as_bytes());
    let faults = convert(&tree, text, &World).expect_err("t is not fed");
    assert_eq!(faults[0].message, "nothing is written to `t`");
}

/// Marsaglia's xorshift, 64 bits.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

const PIECES: [&str; 30] = [
    ":", ": ", "- ", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ",", "#", " # ", "&a ", "*a",
    "!!str ", "|\n", ">-\n", "\"", "'", "\t", "\r", "---", "?", "@", "%", "ü", "\u{FEFF}", "\0",
    "inputs",
];

#[test]
fn damaged_yaml_gives_diagnostics_and_never_a_panic() {
    let mut random = Random(0x5eed);
    let (mut sound, mut faulty) = (0, 0);
    for _ in 0..4000 {
        let mut text = COMPLETE.as_bytes().to_vec();
        for _ in 0..=random.below(3) {
            let at = random.below(text.len());
            let end = (at + random.below(12)).min(text.len());
            match random.below(5) {
                0 => text[at] ^= 1 << random.below(8),
                1 => drop(text.drain(at..end)),
                2 => drop(text.splice(at..at, PIECES[random.below(PIECES.len())].bytes())),
                3 => drop(text.splice(at..end, PIECES[random.below(PIECES.len())].bytes())),
                _ => {
                    let piece = text[at..end].to_vec();
                    let to = random.below(text.len());
                    drop(text.splice(to..to, piece));
                }
            }
        }
        let (tree, _, found) = compile_as(Format::Yaml, &text);
        let shown = String::from_utf8_lossy(&text);
        for label in found
            .iter()
            .flat_map(|d| d.secondary.iter().chain([&d.primary]))
        {
            let (from, to) = (label.span.start as usize, label.span.end as usize);
            if std::str::from_utf8(&text).is_ok() {
                assert!(shown.get(from..to).is_some(), "{shown}\n{found:#?}");
            }
        }
        assert!(!tree.flawed || has_errors(&found), "{shown}");
        if has_errors(&found) {
            faulty += 1;
        } else {
            sound += 1;
            // What YAML warns of may be an error of the text form.
            if found.is_empty() {
                round_trip(Format::Yaml, &shown);
            }
        }
    }
    assert!(
        sound > 400 && faulty > 1000,
        "{sound} sound, {faulty} faulty"
    );
}

/// A Runefile of random stages, arguments and edges in the text form.
fn generated(random: &mut Random) -> String {
    const WORDS: [&str; 20] = [
        "a",
        "3",
        "-7",
        "1.5",
        ".5",
        "1.",
        "1e-3",
        "true",
        "null",
        "~",
        "\"\"",
        "\"a b\"",
        "\"a: b\"",
        "\"# x\"",
        "\"7\"",
        "\"é ✓\\n two \\\\ \\\"\"",
        "[a, \"b, c\", 3]",
        "[]",
        "a,b,\"- c\"",
        "\"one\\ntwo\\nthree\"",
    ];
    let mut text = String::from("FROM runicos/base\n");
    let mut names: Vec<String> = Vec::new();
    for i in 0..=random.below(6) {
        let name = format!("{}{i}", ["s", "no", "true-", "_x"][random.below(4)]);
        let types = ["", "<_>", "<F32[3]>", "<U8[<=3, _]>", "<_[4]>"][random.below(5)];
        let two = [
            "",
            "<_ -> F32[3]>",
            "<F32[3] -> UTF8>",
            "<_, F32 -> _, I8[2]>",
        ][random.below(4)];
        let head = match random.below(4) {
            0 => format!("CAPABILITY{types} RAND {name}"),
            1 => format!("PROC_BLOCK{two} modulo {name}"),
            2 => format!("PROC_BLOCK{two} ./gain {name}"),
            _ => format!("MODEL{two} ./model.tflite {name}"),
        };
        text += &head;
        for j in 0..random.below(3) {
            text += &format!(" --arg{j} {}", WORDS[random.below(WORDS.len())]);
        }
        text += ["\n", " # beside\n", "\n# before\n"][random.below(3)];
        names.push(name);
    }
    for _ in 0..random.below(4) {
        text += "RUN";
        for _ in 0..2 + random.below(3) {
            let name = &names[random.below(names.len())];
            let other = &names[random.below(names.len())];
            text += &match random.below(4) {
                0 => format!(" [{name}, {other}.1]"),
                1 => format!(" {name}.{}", random.below(3)),
                _ => format!(" {name}"),
            };
        }
        text += &format!(" {}\n", names[random.below(names.len())]);
    }
    text += ["OUT SERIAL\n", "OUT SERIAL\nOUT serial two\n", ""][random.below(3)];
    text
}

#[test]
fn generated_runefiles_survive_conversion() {
    let mut random = Random(77);
    let mut count = 0;
    for _ in 0..2000 {
        count += usize::from(round_trip(Format::Text, &generated(&mut random)));
    }
    assert!(count > 1500, "{count}");
}
