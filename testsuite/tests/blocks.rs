//! Every standard block: linked into a rune it gives the bits of the same code on the host, on the vectors of
//! its oracle and on inputs and arguments at random; and a rune carries no more of it than is written down.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
};

use rune_block_native::{BLOCKS, block};
use rune_block_sdk::{
    ElementType,
    testing::{Data, Native, Type},
};
use rune_block_vectors::{Arg, Argument, Case, Expected};
use rune_codegen::Options;
use rune_ir::{
    args::{ArgSpec, ArgType},
    check::Verified,
};
use rune_testsuite::{
    blocks::{self, Stand},
    costs,
    engines::{self, Feed, Outcome},
    random::Random,
    root,
};

#[test]
fn every_block_of_the_catalogue_has_its_code_here() {
    let natives: Vec<String> = BLOCKS.iter().map(|(n, _)| format!("runicos/{n}")).collect();
    let catalogue: Vec<&str> = rune_catalogue::blocks().collect();
    assert_eq!(catalogue, natives);
}

#[test]
fn the_catalogue_has_the_signatures_of_the_sources() {
    for (name, native) in BLOCKS {
        let bytes = rune_catalogue::block(&format!("runicos/{name}")).unwrap();
        let block = rune_blocks::read(bytes.into()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(block.signature.name, *name);
        let text = native.signature().as_bytes();
        let carries = bytes.windows(text.len()).any(|w| w == text);
        assert!(carries, "{name}: run `cargo xtask blocks`");
    }
}

/// The vectors are of an oracle, and the code of the host is held against them in `proc-blocks`.
#[test]
fn linked_blocks_equal_the_code_of_the_host_on_every_vector() {
    for (name, native) in chosen() {
        let cases = blocks::vectors(name, native).cases;
        for case in cases.iter().filter(|c| fits_a_rune(c)) {
            let place = format!("{name}, {}", case.name);
            match &case.expected {
                Expected::Refused(_) => {
                    let stand = Stand::of(name, case, &[]);
                    let checked = engines::check_text(&stand.runefile, &stand.world);
                    assert!(checked.output.is_none(), "{place}: is not refused");
                }
                Expected::Calls(calls) => {
                    let calls: Vec<Vec<Data>> = calls.iter().map(|c| c.inputs.clone()).collect();
                    let stand = Stand::of(name, case, &calls);
                    let verified = verified(&stand, &place);
                    let found = host(native, &verified, &calls, &place);
                    equal(
                        &stand,
                        &verified,
                        &calls,
                        &found,
                        &engines::variants(),
                        &place,
                    );
                }
            }
        }
    }
}

/// Neither code of the host nor a rune stops for any input: an answer, nothing, or a fault, and the same.
#[test]
fn inputs_at_random_never_trap() {
    let mut random = Random::new(3);
    for (name, native) in chosen() {
        for case in &spread(blocks::vectors(name, native).cases) {
            let Expected::Calls(known) = &case.expected else {
                continue;
            };
            let place = format!("{name}, {}", case.name);
            let texts: Vec<String> = known
                .iter()
                .flat_map(|c| c.inputs.iter().flat_map(texts))
                .collect();
            let calls: Vec<Vec<Data>> = (0..24)
                .map(|_| {
                    case.inputs
                        .iter()
                        .map(|ty| wild(ty, &texts, &mut random))
                        .collect()
                })
                .collect();
            let stand = Stand::of(name, case, &calls);
            let verified = verified(&stand, &place);
            fuzz(native, &stand, &verified, &calls, &place);
        }
    }
}

/// Whatever arguments and types a block is given, it refuses them or works; and so does its linked code.
#[test]
fn arguments_at_random_are_refused_or_work() {
    let mut random = Random::new(4);
    for (name, native) in chosen() {
        let bytes = rune_catalogue::block(&format!("runicos/{name}")).unwrap();
        let specs = rune_blocks::read(bytes.into()).unwrap().signature.args;
        let cases = spread(blocks::vectors(name, native).cases);
        let mut worked = 0;
        for round in 0..24 {
            let case = &cases[round % cases.len()];
            let args: Vec<Argument> = case
                .args
                .iter()
                .map(|arg| changed(arg, &specs, &mut random))
                .collect();
            let inputs: Vec<Type> = case
                .inputs
                .iter()
                .map(|ty| resized(ty, &mut random))
                .collect();
            let calls: Vec<Vec<Data>> = (0..3)
                .map(|_| {
                    inputs
                        .iter()
                        .map(|ty| wild(ty, &["a".to_owned()], &mut random))
                        .collect()
                })
                .collect();
            // Where nothing but a written type tells the output, that is the case's.
            let outputs = if specs.is_empty() && inputs == case.inputs {
                Ok(&case.outputs[..])
            } else {
                Err(case.outputs.len())
            };
            let stand = Stand::new(name, &args, &inputs, outputs, &calls);
            let Some(verified) = engines::check_text(&stand.runefile, &stand.world).output else {
                continue;
            };
            worked += 1;
            fuzz(
                native,
                &stand,
                &verified,
                &calls,
                &format!("{name}, round {round}:\n{}", stand.runefile),
            );
        }
        assert!(worked > 0, "{name}: nothing works");
    }
}

/// Up to eight cases with tensors that a rune can have, from all over a list.
fn spread(cases: Vec<Case>) -> Vec<Case> {
    let fits: Vec<Case> = cases.into_iter().filter(fits_a_rune).collect();
    let step = fits.len().div_ceil(8).max(1);
    fits.into_iter().step_by(step).collect()
}

/// A tensor of a rune has an element, and can be shorter only in its first dimension.
fn fits_a_rune(case: &Case) -> bool {
    let mut types = case.inputs.iter().chain(&case.outputs);
    types.all(|ty| !ty.is_empty() && ty.bounds <= 1)
}

/// All blocks, or the one the environment's `RUNE_BLOCK` names.
fn chosen() -> impl Iterator<Item = &'static (&'static str, &'static Native)> {
    let only = std::env::var("RUNE_BLOCK").ok();
    BLOCKS
        .iter()
        .filter(move |(name, _)| only.as_ref().is_none_or(|o| o == name))
}

fn verified(stand: &Stand, place: &str) -> Verified {
    let checked = engines::check_text(&stand.runefile, &stand.world);
    let rendered = engines::rendered(&checked);
    checked
        .output
        .unwrap_or_else(|| panic!("{place} does not check:\n{}\n{rendered}", stand.runefile))
}

fn host(native: &Native, verified: &Verified, calls: &[Vec<Data>], place: &str) -> Vec<Outcome> {
    let types = blocks::output_types(verified);
    let run = || {
        let mut instance = blocks::start(native, verified).unwrap();
        blocks::run(&mut instance, &types, calls)
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| panic!("{place}: panics on the host"))
}

/// Runs the same on the host, on the evaluator, and as one rune.
fn fuzz(native: &Native, stand: &Stand, verified: &Verified, calls: &[Vec<Data>], place: &str) {
    // A fault ends the calls of a rune, so each call after one is the first of another.
    let mut left = calls;
    while !left.is_empty() {
        let found = host(native, verified, left, place);
        equal(stand, verified, left, &found, &two_variants()[1..], place);
        left = &left[found.len()..];
    }
}

fn equal(
    stand: &Stand,
    verified: &Verified,
    calls: &[Vec<Data>],
    expected: &[Outcome],
    variants: &[(&str, Options)],
    place: &str,
) {
    let feeds: Vec<Feed> = calls.iter().map(|c| stand.feed(c)).collect();
    assert_eq!(
        engines::evaluate(verified, &feeds),
        expected,
        "{place}: evaluator"
    );
    for (variant, options) in variants {
        let compiled = engines::compile_text(&stand.runefile, &stand.world, options);
        let rendered = engines::rendered(&compiled);
        let output = compiled
            .output
            .unwrap_or_else(|| panic!("{place}: {rendered}"));
        assert_eq!(
            engines::run(&output, &feeds),
            expected,
            "{place}: {variant}"
        );
    }
}

/// The code of a block is the same in all variants; what is around it differs most in these.
fn two_variants() -> Vec<(&'static str, Options)> {
    let variants = engines::variants().into_iter();
    variants
        .filter(|(name, _)| ["-O0 scalar", "-O1 simd"].contains(name))
        .collect()
}

fn texts(data: &Data) -> Vec<String> {
    match data {
        Data::Texts(texts) => texts.clone(),
        Data::Bytes(_) => Vec::new(),
    }
}

/// A tensor of a type as nobody would expect it.
fn wild(ty: &Type, known: &[String], random: &mut Random) -> Data {
    let count = if ty.bounds == 0 {
        ty.len()
    } else {
        // Whole rows of what lies behind the first dimension.
        let row: usize = ty.dims[1..].iter().map(|d| *d as usize).product();
        random.below(ty.dims[0] as usize + 1) * row
    };
    if ty.element == ElementType::Utf8 {
        let odd = [
            "",
            " ",
            "\u{0}",
            "-",
            "1e999",
            "nan",
            "ﷺ\u{301}",
            "99999999999999999999",
            "\u{10ffff}",
        ];
        let text = |random: &mut Random| {
            let mut text = known[random.below(known.len())].clone();
            if random.below(2) == 0 {
                let at = (0..=text.len())
                    .filter(|i| text.is_char_boundary(*i))
                    .nth(random.below(4));
                text.insert_str(at.unwrap_or(0), odd[random.below(odd.len())]);
            }
            text
        };
        return Data::Texts((0..count).map(|_| text(random)).collect());
    }
    let style = random.below(4);
    let bytes = (0..count).flat_map(|_| {
        let bits = u64::from(random.word()) << 32 | u64::from(random.word());
        element(ty.element, style, bits, random)
    });
    Data::Bytes(bytes.collect())
}

/// One element: 0 any bits, 1 extremes, 2 small, 3 a mixture.
fn element(element: ElementType, style: usize, bits: u64, random: &mut Random) -> Vec<u8> {
    let size = element.size() as usize;
    let style = if style == 3 { random.below(3) } else { style };
    if !matches!(element, ElementType::F32 | ElementType::F64) {
        let extremes = [
            0,
            1,
            u64::MAX,
            1 << (8 * size - 1),
            (1 << (8 * size - 1)) - 1,
        ];
        let bits = [bits, extremes[bits as usize % extremes.len()], bits % 16][style];
        return bits.to_le_bytes()[..size].to_vec();
    }
    let extremes = [
        0.0,
        -0.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::from(f32::MAX),
        f64::from(f32::MIN_POSITIVE),
        1e-42,
        f64::MAX,
        1.0,
    ];
    let value = match style {
        1 => extremes[bits as usize % extremes.len()],
        _ => (bits % 4096) as f64 / 256.0 - 8.0,
    };
    match (element, style) {
        (_, 0) => bits.to_le_bytes()[..size].to_vec(),
        (ElementType::F32, _) => (value as f32).to_le_bytes().to_vec(),
        (_, _) => value.to_le_bytes().to_vec(),
    }
}

/// Another value for an argument, half of the time.
fn changed(arg: &Argument, specs: &[ArgSpec], random: &mut Random) -> Argument {
    let spec = specs.iter().find(|s| s.name == arg.name);
    let Some(spec) = spec.filter(|_| random.below(2) == 0) else {
        return arg.clone();
    };
    let value = match (&spec.ty, &arg.value) {
        (ArgType::Integer { min, max }, _) => {
            let near = [*min, *max, 0, 1, 2, 3, 7, 16, 100];
            Arg::Integer(near[random.below(near.len())].clamp(*min, *max))
        }
        (ArgType::Float { min, max }, _) => {
            let near = [*min, *max, 0.0, 0.5, 1.0, 1e-9, 1e9, -2.25];
            Arg::Float(near[random.below(near.len())].clamp(*min, *max))
        }
        (ArgType::Bool, _) => Arg::Bool(random.below(2) == 0),
        (ArgType::Text { words }, _) if !words.is_empty() => {
            Arg::Text(words[random.below(words.len())].clone())
        }
        (_, Arg::Text(text)) => {
            let mut bytes = text.clone().into_bytes();
            random.mutate(&mut bytes);
            Arg::Text(String::from_utf8_lossy(&bytes).into_owned())
        }
        (_, Arg::Texts(texts)) => {
            let mut texts = texts.clone();
            match random.below(4) {
                0 => drop(texts.pop()),
                1 => texts.push("0".to_owned()),
                2 => texts.push("-1e400".to_owned()),
                _ => texts.insert(0, "x".to_owned()),
            }
            Arg::Texts(texts)
        }
        (_, Arg::Bytes(bytes)) => {
            let mut bytes = bytes.clone();
            random.mutate(&mut bytes);
            Arg::Bytes(bytes)
        }
        (_, other) => other.clone(),
    };
    Argument {
        value,
        given: true,
        ..arg.clone()
    }
}

/// The same type, or one with another dimension.
fn resized(ty: &Type, random: &mut Random) -> Type {
    let mut ty = ty.clone();
    if random.below(3) == 0 && !ty.dims.is_empty() {
        let i = random.below(ty.dims.len());
        let sizes = [1, 2, 3, ty.dims[i] + 1, ty.dims[i].div_ceil(2)];
        ty.dims[i] = sizes[random.below(sizes.len())];
    }
    ty
}

/// A block adds to a rune what the book says, and keeps as much state; nothing that only `init` needed
/// comes along unseen.
#[test]
fn a_rune_carries_as_much_of_a_block_as_the_book_says() {
    let path = root().join("docs/book/block-costs.md");
    let page = fs::read_to_string(path).unwrap();
    let cells = |line: &str| line.split(" | ").map(str::to_owned).collect::<Vec<_>>();
    let book: Vec<Vec<String>> = page
        .lines()
        .filter(|l| l.starts_with("| ") && !l.starts_with("| block "))
        .map(|l| cells(&l[2..])[..4].to_vec())
        .collect();
    let found: Vec<Vec<String>> = costs::rows()
        .iter()
        .map(|row| {
            let verified = verified(&row.stand, row.block);
            let host = blocks::start(block(row.block).unwrap(), &verified).unwrap();
            let (bytes, state) = (costs::added_bytes(row), host.state_bytes());
            [row.block, &row.work, &bytes.to_string(), &state.to_string()]
                .map(str::to_owned)
                .to_vec()
        })
        .collect();
    let bless = "BLESS=1 cargo bench -p rune-testsuite --bench blocks";
    assert_eq!(book, found, "run `{bless}` and look at what changed");
}
