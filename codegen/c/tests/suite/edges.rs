//! Every instruction that computes, loads or stores, with values at the edges of what it takes.

use std::fmt::Write as _;

use rune_c::Mode;

use crate::{
    machine::{self, Case, Loose, Ty},
    native,
};

macro_rules! rows {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $ty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
        /// Proposal, name, what stands in the instruction, and arity.
        const ROWS: &[[&str; 4]] = &[$([
            stringify!($proposal),
            stringify!($visit),
            concat!($($(stringify!($arg), " "),*)?),
            stringify!($($ann)*),
        ]),*];
    };
}
wasmparser::for_each_operator!(rows);

/// Instructions of a rune with these things in them, by name as in texts, with their arity.
fn instructions(inside: &str) -> Vec<(String, String)> {
    let known = ["mvp", "sign_extension", "saturating_float_to_int", "simd"];
    ROWS.iter()
        .filter(|[proposal, _, arguments, _]| known.contains(proposal) && *arguments == inside)
        .map(|[_, visit, _, arity]| {
            let name = visit.trim_start_matches("visit_").replacen('_', ".", 1);
            (name, (*arity).to_owned())
        })
        .collect()
}

/// Every instruction that loads, the type that it gives, and whether that is a vector of which it replaces a lane.
pub(crate) fn loads() -> Vec<(String, String, bool)> {
    let kinds = [("memarg ", false), ("memarg lane ", true)];
    let all = kinds.into_iter().flat_map(|(inside, lane)| {
        let named = instructions(inside).into_iter();
        named.filter_map(move |(name, _)| {
            let ty = name.split_once(".load")?.0.to_owned();
            Some((name, ty, lane))
        })
    });
    all.collect()
}

/// The type of what an instruction takes first.
fn operand(name: &str) -> &'static str {
    let (prefix, rest) = name.split_once('.').unwrap();
    let scalar = ["i32", "i64", "f32", "f64"];
    if let Some(prefix) = scalar.iter().find(|ty| **ty == prefix) {
        let converts = [
            "wrap",
            "trunc",
            "extend_",
            "convert",
            "demote",
            "promote",
            "reinterpret",
        ];
        let other = rest
            .split('_')
            .find_map(|word| scalar.iter().find(|ty| **ty == word));
        return match other {
            Some(ty) if converts.iter().any(|c| rest.starts_with(c)) => ty,
            _ => prefix,
        };
    }
    match rest {
        "splat" => lane(prefix),
        _ => "v128",
    }
}

fn lane(shape: &str) -> &'static str {
    match shape {
        "i64x2" => "i64",
        "f32x4" => "f32",
        "f64x2" => "f64",
        _ => "i32",
    }
}

fn result(name: &str) -> &'static str {
    let (prefix, rest) = name.split_once('.').unwrap();
    let compares = ["eqz", "eq", "ne", "lt", "gt", "le", "ge"];
    let word = rest.split('_').next().unwrap();
    match prefix {
        "i32" | "i64" | "f32" | "f64" if compares.contains(&word) => "i32",
        "i32" => "i32",
        "i64" => "i64",
        "f32" => "f32",
        "f64" => "f64",
        _ if ["any_true", "all_true", "bitmask"].contains(&rest) => "i32",
        _ => "v128",
    }
}

/// NaNs of these are open: of arithmetic, not of what only moves bits.
fn loose(name: &str) -> Loose {
    let exact = [
        "neg",
        "abs",
        "copysign",
        "pmin",
        "pmax",
        "splat",
        "reinterpret",
        "lane",
    ];
    if exact.iter().any(|word| name.contains(word)) {
        return Loose::Exact;
    }
    match name.split(['.', 'x', '/']).next().unwrap() {
        "f32" => Loose::F32,
        "f64" => Loose::F64,
        _ => Loose::Exact,
    }
}

/// Values at the edges, of a lane of 32 or 64 bits; integers and floats share them, so that each is also seen as the
/// other.
fn edges(ty: Ty, wide: bool) -> Vec<u128> {
    let integers = [
        0,
        1,
        -1,
        i64::MAX,
        i64::MIN,
        0x1234_5678_9abc_def0,
        33,
        64,
        -128,
    ];
    let floats = [
        0.0,
        -0.0,
        0.5,
        -0.5,
        1.5,
        2.5,
        -3.5,
        0.499_999_999_999_999_94,
        -0.999_999,
        8_388_607.5,
        -8_388_609.0,
        4_503_599_627_370_495.5,
        2_147_483_647.0,
        2_147_483_648.0,
        -2_147_483_648.9,
        -2_147_483_649.0,
        4_294_967_295.9,
        4_294_967_296.0,
        9_223_372_036_854_775_807.0,
        -9_223_372_036_854_775_808.0,
        -9_223_372_036_854_777_856.0,
        18_446_744_073_709_551_615.0,
        1e-40,
        f64::MIN_POSITIVE / 8.0,
        3.402_823_466e38,
        3.402_823_567e38,
        1e300,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ];
    let few = |count: usize, all: Vec<u128>| {
        let step = if wide { 1 } else { all.len().div_ceil(count) };
        all.into_iter().step_by(step).collect()
    };
    match ty {
        Ty::I32 => {
            let mut all: Vec<u128> = [
                0,
                1,
                2,
                31,
                32,
                33,
                127,
                128,
                255,
                0x7fff,
                0x8000,
                0xffff,
                0x7fff_ffff,
            ]
            .into_iter()
            .chain([
                0x8000_0000,
                0x8000_0001,
                0xffff_ff80,
                0xffff_ffff,
                0x1234_5678,
            ])
            .collect();
            all.push(0x00ff_00ff);
            all
        }
        Ty::I64 => {
            let mut all: Vec<u128> = integers.map(|v| u128::from(v as u64)).into();
            all.extend([
                31,
                63,
                65,
                0x7fff_ffff,
                0x8000_0000,
                0xffff_ffff,
                0x8000_0000_0000_0001,
            ]);
            all
        }
        Ty::F32 => {
            let mut all: Vec<u128> = floats.map(|v| u128::from((v as f32).to_bits())).into();
            // The least number, NaNs quiet and signalling, and of each sign; neighbours of the limits of integers.
            all.extend([
                1,
                0x7fc0_0000,
                0xffc0_0001,
                0x7f80_0001,
                0xffbf_ffff,
                0x4eff_ffff,
                0xcf00_0001,
                0x5f7f_ffff,
            ]);
            few(12, all)
        }
        Ty::F64 => {
            let mut all: Vec<u128> = floats.map(|v| u128::from(v.to_bits())).into();
            all.extend([
                1,
                0x7ff8_0000_0000_0000,
                0xfff8_0000_0000_0001,
                0x7ff0_0000_0000_0001,
                0xfff7_ffff_ffff_ffff,
                0x41df_ffff_ffff_ffff,
                0x43ef_ffff_ffff_ffff,
            ]);
            few(12, all)
        }
        Ty::V128 => {
            let two = |ty| {
                let all = edges(ty, true);
                let other: Vec<u128> = all.iter().rev().copied().collect();
                (all, other)
            };
            let (i, j) = two(Ty::F32);
            let (k, l) = two(Ty::F64);
            let mut all: Vec<u128> = vec![
                0,
                u128::MAX,
                0x7f80_81ff_0001_7fff_8000_8001_fffe_0102,
                0x8000_0000_7fff_ffff_0000_0001_ffff_ffff,
                0x0f0e_0d0c_0b0a_0908_0706_0504_0302_1f00,
            ];
            all.extend((0..i.len()).step_by(4).map(|n| {
                i[n] | j[n] << 32 | i[(n + 1) % i.len()] << 64 | j[(n + 2) % i.len()] << 96
            }));
            all.extend((0..k.len()).step_by(3).map(|n| k[n] | l[n] << 64));
            all
        }
    }
}

fn compare(name: &str, text: &str, modes: &[Mode]) {
    let compilers = native::compilers();
    let engine = machine::engine();
    let wasm = wat::parse_str(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let case = Case::new(&engine, name, wasm, loose, |export, ty| {
        edges(ty, !export.contains("two"))
    });
    let expected = case.expected(&engine);
    assert!(expected.lines().count() > case.calls.len());
    for compiler in compilers {
        for mode in modes {
            let folder = native::folder(name);
            let found = native::run(&folder, std::slice::from_ref(&case), *mode, compiler);
            let names = case.calls.iter().flat_map(|calls| {
                let count = calls.values.iter().map(|v| v.1.len()).product();
                std::iter::repeat_n(calls.export.as_str(), count)
            });
            let pairs = expected.lines().zip(found[0].lines());
            for ((expected, found), export) in pairs.zip(names.chain(std::iter::repeat("state"))) {
                assert_eq!(found, expected, "{export} {compiler:?} {mode:?}");
            }
            assert_eq!(found[0].lines().count(), expected.lines().count());
        }
    }
}

/// A module with each of the instructions as a function; those of two operands are marked, to get fewer values.
fn module(all: &[(String, String)], of: impl Fn(&str) -> bool) -> String {
    let mut text = "(module\n".to_owned();
    for (name, arity) in all.iter().filter(|(name, _)| of(name)) {
        let ty = operand(name);
        let shift = ["shl", "shr_s", "shr_u"].iter().any(|s| name.ends_with(s));
        let second = if shift && ty == "v128" { "i32" } else { ty };
        let (mark, params, gets) = match arity.as_bytes() {
            [b'1', ..] | [.., b'1', b' ', b'-', b'>', b' ', b'1'] => {
                ("", ty.to_owned(), "local.get 0")
            }
            _ if arity.contains("2 -> 1") => {
                ("/two", format!("{ty} {second}"), "local.get 0 local.get 1")
            }
            _ => (
                "/two",
                format!("{ty} {ty} {ty}"),
                "local.get 0 local.get 1 local.get 0",
            ),
        };
        writeln!(
            text,
            "(func (export \"{name}{mark}\") (param {params}) (result {}) {gets} {name})",
            result(name)
        )
        .unwrap();
    }
    text.push(')');
    text
}

fn computing() -> Vec<(String, String)> {
    let skipped = [
        "unreachable",
        "nop",
        "return",
        "else",
        "end",
        "drop",
        "select",
    ];
    let all = instructions("");
    let all = all.into_iter().filter(|(name, arity)| {
        arity.contains("-> 1") && !skipped.contains(&name.as_str()) && name.contains('.')
    });
    all.collect()
}

#[test]
fn integers_compute_the_same() {
    let all = computing();
    let text = module(&all, |name| {
        name.starts_with("i32.") || name.starts_with("i64.")
    });
    assert!(text.lines().count() > 70, "{text}");
    compare("integers", &text, &[Mode::Bounds]);
}

#[test]
fn floats_compute_the_same() {
    let all = computing();
    let text = module(&all, |name| {
        name.starts_with("f32.") || name.starts_with("f64.")
    });
    assert!(text.lines().count() > 40, "{text}");
    compare("floats", &text, &[Mode::Bounds]);
}

#[test]
fn vectors_compute_the_same() {
    let all = computing();
    let text = module(&all, |name| {
        name.split_once('.')
            .is_some_and(|(shape, _)| shape.len() > 3)
    });
    assert!(text.lines().count() > 190, "{}", text.lines().count());
    compare("vectors", &text, &[Mode::Bounds]);
}

#[test]
fn lanes_are_the_same() {
    let mut text = "(module\n".to_owned();
    for (name, _) in instructions("lane ") {
        let (shape, rest) = name.split_once('.').unwrap();
        let lanes: u32 = shape.split_once('x').unwrap().1.parse().unwrap();
        for index in 0..lanes {
            let (params, gets, result) = if rest.starts_with("extract") {
                ("v128".to_owned(), "local.get 0", lane(shape))
            } else {
                let ty = format!("v128 {}", lane(shape));
                (ty, "local.get 0 local.get 1", "v128")
            };
            writeln!(
                text,
                "(func (export \"{name}/two{index}\") (param {params}) (result {result}) {gets} {name} {index})"
            )
            .unwrap();
        }
    }
    for (index, lanes) in [
        "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15",
        "31 0 30 1 29 2 28 3 27 4 26 5 25 6 24 16",
        "7 7 7 7 23 23 23 23 0 0 0 0 31 31 31 31",
    ]
    .iter()
    .enumerate()
    {
        writeln!(
            text,
            "(func (export \"shuffle/two{index}\") (param v128 v128) (result v128) \
             local.get 0 local.get 1 i8x16.shuffle {lanes})"
        )
        .unwrap();
    }
    text.push(')');
    compare("lanes", &text, &[Mode::Bounds]);
}

/// Loads and stores with every width around the end of memory, with offsets that no address takes back.
#[test]
fn memory_is_the_same_to_its_edge() {
    let mut text = "(module (memory (export \"memory\") 2)\n(data (i32.const 65520) \"0123456789abcdefghijklmnopqrstuvwxyz\")\n".to_owned();
    let mut count = 0;
    for (inside, lanes) in [("memarg ", false), ("memarg lane ", true)] {
        for (name, _) in instructions(inside) {
            let (ty, _) = name.split_once('.').unwrap();
            let store = name.contains(".store");
            for offset in [0_u64, 15, 131_064, 0xffff_ffff] {
                let lane = if lanes { " 1" } else { "" };
                let value = if store || lanes {
                    format!(" {ty}")
                } else {
                    String::new()
                };
                let gets = if value.is_empty() { "" } else { " local.get 1" };
                let result = if store {
                    String::new()
                } else {
                    format!("(result {ty})")
                };
                writeln!(
                    text,
                    "(func (export \"lane {name}/two {offset}\") (param i32{value}) {result} \
                     local.get 0{gets} {name} offset={offset}{lane})"
                )
                .unwrap();
                count += 1;
            }
        }
    }
    assert!(count > 150, "{count}");
    text.push(')');
    let engine = machine::engine();
    let case = Case::new(
        &engine,
        "memory",
        wat::parse_str(&text).unwrap(),
        |_| Loose::Exact,
        |_, ty| match ty {
            Ty::I32 => [
                0_u32,
                8,
                65_519,
                131_056,
                131_064,
                131_068,
                131_070,
                131_071,
                131_072,
                0xffff_fff1,
                0xffff_ffff,
            ]
            .map(u128::from)
            .into(),
            Ty::I64 | Ty::F32 | Ty::F64 | Ty::V128 => {
                edges(ty, true).into_iter().step_by(9).collect()
            }
        },
    );
    let expected = case.expected(&engine);
    for compiler in native::compilers() {
        let folder = native::folder("memory");
        let found = native::run(&folder, std::slice::from_ref(&case), Mode::Bounds, compiler);
        assert!(
            found[0] == expected,
            "{compiler:?}: {}",
            first(&expected, &found[0])
        );
    }
}

fn first(expected: &str, found: &str) -> String {
    let mut pairs = expected.lines().zip(found.lines()).enumerate();
    let pair = pairs.find(|(_, (expected, found))| expected != found);
    format!("{pair:?}")
}
