//! Instructions of devices: what the functions in WebAssembly compute is what C computes, on this machine and on the
//! processor that has them.

use std::{fmt::Write as _, fs};

use rune_c::{Error, INTRINSICS, Intrinsic, Mode, Options, emit};

use crate::{
    machine::{self, Case, Loose, Ty},
    metal, native,
};

/// A module whose functions are the intrinsics, each called by an exported one, with a section of this text.
fn module(section: &str, body: impl Fn(Intrinsic) -> Vec<u8>) -> Vec<u8> {
    let mut wat = "(module\n".to_owned();
    for intrinsic in Intrinsic::ALL {
        let params = "i32 ".repeat(intrinsic.operands());
        // As long as the body that takes its place.
        let code = "nop ".repeat(intrinsic.body().len() - 4);
        writeln!(
            wat,
            "(func (param {params}) (result i32) {code} i32.const 0)"
        )
        .unwrap();
    }
    for (index, intrinsic) in Intrinsic::ALL.into_iter().enumerate() {
        let count = intrinsic.operands();
        let gets = (0..count).map(|i| format!("local.get {i} "));
        let gets = gets.collect::<Vec<_>>().concat();
        writeln!(
            wat,
            "(func (export \"{}\") (param {}) (result i32) {gets} call {index})",
            intrinsic.name(),
            "i32 ".repeat(count)
        )
        .unwrap();
    }
    let mut wasm = wat::parse_str(wat + ")").unwrap();
    let mut from = 0;
    for intrinsic in Intrinsic::ALL {
        let stub = [
            &[0][..],
            &vec![1; intrinsic.body().len() - 4],
            &[0x41, 0, 0x0b],
        ]
        .concat();
        let found = wasm[from..].windows(stub.len()).position(|w| w == stub);
        let at = from + found.unwrap();
        from = at + stub.len();
        wasm[at..from].copy_from_slice(&body(intrinsic));
    }
    // Custom section: identifier, length of all, length of the name.
    let (name, text) = (INTRINSICS.as_bytes(), section.as_bytes());
    let length = 1 + name.len() + text.len();
    wasm.extend([
        0,
        (length & 127) as u8 | 128,
        (length >> 7) as u8,
        name.len() as u8,
    ]);
    wasm.extend([name, text].concat());
    wasm
}

fn section() -> String {
    let lines = Intrinsic::ALL.iter().enumerate();
    let lines = lines.map(|(index, i)| format!("{} {index}\n", i.name()));
    lines.collect::<Vec<_>>().concat()
}

/// Words of which the halves and bytes are at the edges, and others.
fn words() -> Vec<u32> {
    let mut random = 1_u32;
    let mut words = vec![
        0,
        0x8000_8000,
        0x7fff_7fff,
        0x8000_7fff,
        0xffff_ffff,
        0x80_ff_7f_01,
        0x01_7f_ff_80,
        0x7fff_ffff,
    ];
    words.extend((0..12).map(|_| {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        random
    }));
    words
}

fn case() -> Case {
    let wasm = module(&section(), |i| i.body().to_vec());
    let values = |_: &str, ty| {
        assert_eq!(ty, Ty::I32);
        words().into_iter().map(u128::from).collect()
    };
    Case::new(
        &machine::engine(),
        "intrinsics",
        wasm,
        |_| Loose::Exact,
        values,
    )
}

#[test]
fn intrinsics_compute_what_their_functions_do() {
    let case = case();
    let expected = case.expected(&machine::engine());
    assert!(expected.lines().count() > 3 * 20 * 20 * 20);
    for compiler in native::compilers() {
        let folder = native::folder("intrinsics");
        let found = native::run(&folder, std::slice::from_ref(&case), Mode::Bounds, compiler);
        assert_eq!(found[0], expected, "{compiler:?}");
    }
    let options = Options::default();
    let source = emit(&case.wasm, &options).unwrap().source;
    assert!(source.contains("r_smlad(l0, l1, l2)"), "{source}");
}

/// By the instructions: QEMU runs each on every combination of words and prints the sum of the results.
#[test]
fn a_cortex_m7_computes_the_same() {
    let case = case();
    let folder = native::folder("intrinsics-device");
    let output = emit(&case.wasm, &Options::default()).unwrap();
    fs::write(folder.join("rune.c"), &output.source).unwrap();
    fs::write(folder.join("rune.h"), &output.header).unwrap();
    let words: Vec<String> = words().iter().map(|w| format!("{w}u")).collect();
    let mut main = format!(
        "#include \"metal.h\"\n#include \"rune.h\"\n\nenum {{ N = {} }};\nstatic const uint32_t words[N] = {{{}}};\n\n\
         int main(void) {{\n    static rune_context context;\n    uint32_t a, b, d, sum, i, j = 0, k = 0;\n",
        words.len(),
        words.join(", ")
    );
    for calls_of in &case.calls {
        let (_, c) = output
            .exports
            .iter()
            .find(|(name, _)| *name == calls_of.export)
            .unwrap();
        let arguments = ["", "a", "", "a, b, d"][calls_of.values.len()];
        let more = if calls_of.values.len() == 3 {
            "for (j = 0; j < N; j++) for (k = 0; k < N; k++)"
        } else {
            ""
        };
        writeln!(
            main,
            "    sum = 0;\n    for (i = 0; i < N; i++) {more} {{\n        a = words[i], b = words[j], d = words[k];\n        \
             sum = sum * 31u + {c}(&context, {arguments});\n    }}\n    printf(\"%08x\\n\", (unsigned)sum);\n    j = k = 0;"
        )
        .unwrap();
    }
    main.push_str("    (void)b, (void)d;\n    return 0;\n}\n");
    fs::write(folder.join("main.c"), main).unwrap();
    let expected = case.expected(&machine::engine());
    let mut results = expected.lines().map(|line| {
        let word = line.strip_prefix("gives ").unwrap_or_default();
        u32::from_str_radix(word, 16).unwrap()
    });
    let sums: Vec<u32> = case
        .calls
        .iter()
        .map(|calls| {
            let counts = calls.values.iter().map(|(_, values)| values.len());
            let results = results.by_ref().take(counts.product());
            results.fold(0_u32, |sum, word| sum.wrapping_mul(31).wrapping_add(word))
        })
        .collect();
    let flags = ["-O2", "-Wall", "-Wextra", "-Werror"];
    for cross in metal::compilers() {
        let assembly = metal::assembly(&folder, &cross, "rune.c", &flags);
        for instruction in ["smlad", "smlabb", "smlatt", "sxtb16"] {
            assert!(assembly.contains(instruction), "no {instruction}");
        }
        let sources = ["rune.c", "main.c"].map(str::to_owned);
        let printed = metal::run(&metal::build(&folder, &cross, &sources, &flags));
        let found: Vec<u32> = printed
            .lines()
            .map(|word| u32::from_str_radix(word, 16).unwrap())
            .collect();
        assert_eq!(found, sums, "{}", cross.program);
    }
}

/// A function that is named and is something else would be another function in C.
#[test]
fn what_only_claims_to_be_an_intrinsic_is_refused() {
    let right = module(&section(), |i| i.body().to_vec());
    assert!(emit(&right, &Options::default()).is_ok());
    for wrong in Intrinsic::ALL {
        let other = module(&section(), |i| {
            let mut body = i.body().to_vec();
            if i == wrong {
                // Another local.
                let at = body.iter().position(|b| *b == 0x20).unwrap();
                body[at + 1] = i.operands() as u8 - 1;
                if i.operands() == 1 {
                    // Or another constant.
                    let at = body.iter().rposition(|b| *b == 0x41).unwrap();
                    body[at + 1] = 15;
                }
            }
            body
        });
        let error = emit(&other, &Options::default()).unwrap_err();
        let Error::Unsupported { what, function, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(
            what,
            &format!("an intrinsic `{}` that is something else", wrong.name())
        );
        assert_eq!(
            *function,
            Intrinsic::ALL
                .iter()
                .position(|i| *i == wrong)
                .map(|i| i as u32)
        );
    }
    for text in [
        "smlad",
        "smlad x\n",
        "vmull 0\n",
        "smlad 4294967296\n",
        "smlad 99\n",
        "smlad 7\n",
    ] {
        let wasm = module(text, |i| i.body().to_vec());
        let error = emit(&wasm, &Options::default()).unwrap_err();
        assert!(
            matches!(error, Error::Unsupported { .. }),
            "{text}: {error}"
        );
    }
}
