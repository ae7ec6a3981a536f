//! The type checker on small pipelines made by hand: what fits, what does not, and what is said about it.
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of a test fail it by panicking"
)]

mod builder;

use std::time::Instant;

use builder::{Builder, Checked, block, new};
use rune_ir::check::TypedKind;

#[test]
fn blocks_take_what_their_signature_says() {
    for (given, signature, types) in [
        ("F32[4]", "T[n] -> T[n]", "F32[4] -> F32[4]"),
        ("F32[1, 4]", "T[n] -> T[n]", "F32[4] -> F32[4]"),
        ("F32[4]", "T[n, m] -> T[m]", "F32[1, 4] -> F32[4]"),
        ("F32[]", "T[...s, n] -> T[n]", "F32[1] -> F32[1]"),
        (
            "F32[2, 3, 4]",
            "T[...s, n] -> T[n, ...s]",
            "F32[2, 3, 4] -> F32[4, 2, 3]",
        ),
        (
            "F32[2, 3, 4]",
            "T[n, ...s] -> T[...s, n*2]",
            "F32[2, 3, 4] -> F32[3, 4, 4]",
        ),
        ("F32[4, 6]", "T[n, 6] -> T[<=n]", "F32[4, 6] -> F32[<=4]"),
        ("F32[4]", "T[<=n] -> T[<=n]", "F32[4] -> F32[<=4]"),
        ("F32[4]", "T[<=9] -> T[1]", "F32[4] -> F32[1]"),
        ("F32[9]", "T[n] -> U32[count]", "F32[9] -> U32[3]"),
        ("F32[2, 3]", "T[...] -> T[1]", "F32[2, 3] -> F32[1]"),
        ("F32[2, 3]", "T[..., n] -> T[n]", "F32[2, 3] -> F32[3]"),
        (
            "F32[2, 3]",
            "T[...<=s] -> T[...<=s]",
            "F32[2, 3] -> F32[2, 3]",
        ),
        ("F32[2, 3]", "T[...] -> T[?]", "F32[2, 3] -> F32[6]"),
    ] {
        assert_eq!(
            block(given, signature).types("b"),
            types,
            "{given} into {signature}"
        );
    }
}

#[test]
fn blocks_take_nothing_else() {
    for (given, signature, codes) in [
        ("F64[4]", "T[n] -> T[n]", "R0301"),
        ("F32[4, 2]", "T[n] -> T[n]", "R0302"),
        ("F32[4, 2]", "T[n, n] -> T[n]", "R0302"),
        ("F32[4, 1]", "T[n, n] -> T[n]", "R0302"),
        ("F32[4, 5]", "T[n, 6] -> T[n]", "R0302"),
        ("F32[10]", "T[<=9] -> T[1]", "R0302"),
        ("F32[4]", "T[n] -> T[n-5]", "R0302"),
        ("F32[70000]", "T[n] -> T[n*n]", "R0302"),
        ("F32[20000]", "T[n] -> T[n*n]", "R0306"),
        ("F32[60000]", "T[n] -> T[n*n, n*n, n*n]", "R0306"),
        (
            "F32[1, 1, 1, 1, 1, 1, 1, 2]",
            "T[...s] -> T[...s, 2]",
            "R0306",
        ),
    ] {
        assert_eq!(
            block(given, signature).codes(),
            codes,
            "{given} into {signature}"
        );
    }
    let open = new()
        .stage("x", "RAW", "", "", "")
        .stage("b", "T[n] -> T[n]", "x", "", "")
        .out("b");
    assert_eq!(open.codes(), "R0303");
}

#[test]
fn an_argument_decides_its_dimension() {
    let with = |args: &str, types: &str| {
        new()
            .stage("x", "RAW", "", "F32[9]", "")
            .stage("b", "T[n] -> U32[count]", "x", types, args)
            .out("b")
    };
    assert_eq!(with("count=5", "").types("b"), "F32[9] -> U32[5]");
    assert_eq!(
        with("count=5", "_ -> U32[5]").types("b"),
        "F32[9] -> U32[5]"
    );
    assert_eq!(with("", "_ -> U32[5]").codes(), "R0302");
    assert_eq!(with("count=0", "").codes(), "R0302");
    assert_eq!(with("count=1000000000000", "").codes(), "R0302");
    let found = with("", "_ -> U32[5]").check(&[]).found;
    assert!(found[0].hints[0].contains("--count"), "{found:?}");
}

#[test]
fn the_pipeline_fixes_what_a_model_leaves_open() {
    let open = |given: &str, model: &str| {
        new()
            .stage("x", "RAW", "", given, "")
            .stage("m", &format!("open {model}"), "x", "", "")
            .out("m")
    };
    for (given, model, types) in [
        (
            "F32[5, 4]",
            "F32[_, 4] -> F32[_, 2]",
            "F32[5, 4] -> F32[5, 2]",
        ),
        // A batch of 1 is added where the rest fits.
        ("F32[4]", "F32[_, 4] -> F32[_, 2]", "F32[1, 4] -> F32[1, 2]"),
        (
            "F32[9, 7, 3]",
            "F32[_, _, _, 3] -> F32[_, _]",
            "F32[1, 9, 7, 3] -> F32[1, 9]",
        ),
        // What nobody says is 1.
        ("", "F32[_, 4] -> F32[_, 2]", "F32[1, 4] -> F32[1, 2]"),
    ] {
        assert_eq!(open(given, model).types("m"), types, "{given} into {model}");
    }
    assert_eq!(open("F32[5, 3]", "F32[_, 4] -> F32[_, 2]").codes(), "R0302");
    let refused = || open("F32[13, 4]", "F32[_, 4] -> F32[_, 2]");
    assert_eq!(refused().codes(), "R0503");
    let found = refused().check(&[]).found;
    assert!(found[0].message.contains("bad luck"), "{found:?}");
    // A later model is fixed by an earlier.
    let chain = new()
        .stage("x", "RAW", "", "F32[6, 4]", "")
        .stage("a", "open F32[_, 4] -> F32[_, 2]", "x", "", "")
        .stage("b", "open F32[_, 2] -> F32[_, 1]", "a", "", "")
        .out("b");
    assert_eq!(chain.types("b"), "F32[6, 2] -> F32[6, 1]");
    // Types that are written for it fix it too, and its outputs are checked.
    let written = |types: &str| {
        new()
            .stage("x", "RAW", "", "", "")
            .stage("m", "open F32[_, 4] -> F32[_, 2]", "x", types, "")
            .out("m")
    };
    assert_eq!(
        written("F32[3, 4] -> _").types("m"),
        "F32[3, 4] -> F32[3, 2]"
    );
    // Also in another rank than the file has them.
    assert_eq!(written("F32[4] -> F32[2]").types("m"), "F32[4] -> F32[2]");
    assert_eq!(written("F32[3, 4] -> F32[3, 1]").codes(), "R0305");
}

#[test]
fn two_inputs_of_one_variable_are_both_shown() {
    let two = |a: &str, b: &str| {
        new()
            .stage("a", "RAW", "", a, "")
            .stage("b", "RAW", "", b, "")
            .stage("sum", "T[n], T[n] -> T[n]", "a b", "", "")
            .out("sum")
            .check(&[])
    };
    let shapes = two("F32[4]", "F32[5]");
    assert_eq!(shapes.codes(), "R0302");
    assert_eq!(
        shapes.found[0].message,
        "`sum` wants F32[4], but `b` gives F32[5]"
    );
    let labels: Vec<&str> = shapes.found[0]
        .secondary
        .iter()
        .map(|l| l.message.as_str())
        .collect();
    assert!(labels.contains(&"F32[5] is written here"), "{labels:?}");
    assert!(labels.contains(&"F32[4] follows from this"), "{labels:?}");
    let elements = two("F32[4]", "U8[4]");
    assert_eq!(elements.codes(), "R0301");
    assert!(elements.found[0].message.ends_with("asked for F32 and U8"));
    let matrices = new()
        .stage("a", "RAW", "", "F32[1, 4]", "")
        .stage("b", "RAW", "", "F32[4, 1]", "")
        .stage("sum", "T[n, m], T[n, m] -> T[n, m]", "a b", "", "")
        .out("sum")
        .check(&[]);
    assert_eq!(matrices.codes(), "R0304", "reshaped, and said so");
    assert_eq!(matrices.types("sum"), "F32[1, 4], F32[1, 4] -> F32[1, 4]");
}

#[test]
fn a_bound_fits_only_a_bound() {
    let after = |reader: &str| {
        new()
            .stage("x", "RAW", "", "F32[4]", "")
            .stage("some", "T[n] -> T[<=n]", "x", "", "")
            .stage("b", reader, "some", "", "")
            .out("b")
            .check(&[])
    };
    assert_eq!(after("T[<=n] -> T[n]").types("b"), "F32[<=4] -> F32[4]");
    assert_eq!(after("T[n] -> T[n]").codes(), "R0302");
    assert_eq!(after("T[...s] -> T[...s]").codes(), "R0302");
    let model = after("model F32[4] -> F32[4]");
    assert_eq!(model.codes(), "R0302");
    assert!(
        model.found[0].hints[0].contains("always full"),
        "{:?}",
        model.found
    );
    let rand = new()
        .stage("x", "RAND", "", "", "")
        .stage("b", "T[<=n] -> T[n]", "x", "F32[<=4] -> _", "")
        .out("b");
    assert_eq!(rand.codes(), "R0306", "a capability fills its tensor");
}

#[test]
fn a_rest_with_a_bound_passes_the_bound_on() {
    let after = |signature: &str, from: &str| {
        new()
            .stage("x", "RAW", "", "F32[4, 3]", "")
            .stage("some", "T[n, m] -> T[<=n, m]", "x", "", "")
            .stage("b", signature, from, "", "")
            .out("b")
    };
    assert_eq!(
        after("T[...<=s] -> U8[...<=s]", "some").types("b"),
        "F32[<=4, 3] -> U8[<=4, 3]"
    );
    assert_eq!(
        after("T[...<=s] -> U8[...s]", "some").types("b"),
        "F32[<=4, 3] -> U8[4, 3]"
    );
    // Whichever of two inputs is the shorter one.
    for from in ["some x", "x some"] {
        let both = after("T[...<=s], T[...<=s] -> T[...<=s]", from).types("b");
        assert!(both.ends_with(" -> F32[<=4, 3]"), "{both}");
    }
    assert_eq!(after("T[...s] -> T[...s]", "some").codes(), "R0302");
    assert_eq!(after("T[...] -> T[1]", "some").codes(), "R0302");
    let shape_differs = after("T[...<=s], T[...<=s] -> T[...<=s]", "some some.0");
    assert_eq!(shape_differs.codes(), "");
}

#[test]
fn many_inputs_follow_one_pattern() {
    let into = |signature: &str, from: &str| {
        new()
            .stage("x", "RAW", "", "F32[2, 3]", "")
            .stage("y", "RAW", "", "F32[4, 3]", "")
            .stage("z", "RAW", "", "U8[4, 3]", "")
            .stage("b", signature, from, "", "")
            .out("b")
    };
    let types = into("T[n, 3]+ -> T[n]", "x x x").check(&[]);
    assert_eq!(types.codes(), "R0405 R0405");
    assert_eq!(
        types.types("b"),
        "F32[2, 3], F32[2, 3], F32[2, 3] -> F32[2]"
    );
    let types = into("T[...]+ -> T[?]", "x y").check(&[]);
    assert_eq!(types.types("b"), "F32[2, 3], F32[4, 3] -> F32[18]");
    let few = into("D[1], T[...]+ -> T[?]", "x");
    assert!(few.codes().contains("R0410"));
    let many = ["x"; 65].join(" ");
    assert!(into("T[...]+ -> T[?]", &many).codes().contains("R0410"));
    // The variables are of all of them.
    assert!(into("T[n, 3]+ -> T[n]", "x y").codes().contains("R0302"));
    assert!(into("T[...]+ -> T[?]", "x z").codes().contains("R0301"));
}

#[test]
fn what_a_block_tells_meets_what_is_wanted() {
    assert_eq!(
        block("F32[4]", "T[n] -> T[?]").types("b"),
        "F32[4] -> F32[4]"
    );
    // Said by the block, for the inputs it is asked about.
    let refused = block("F32[101]", "T[n] -> T[?]").check(&[]);
    assert_eq!(refused.said(), ["R0602 `b` refuses this: 101 are too many"]);
    let zero = new()
        .stage("x", "RAW", "", "F32[4]", "")
        .stage("b", "T[n] -> T[?]", "x", "_ -> F32[5]", "")
        .out("b");
    assert_eq!(
        zero.check(&[]).said(),
        ["R0302 `b` gives F32[4] as `t`, but F32[5] is wanted"]
    );
    let reader = new()
        .stage("x", "RAW", "", "F32[4]", "")
        .stage("b", "T[n] -> T[?]", "x", "", "")
        .stage("c", "T[7] -> T[1]", "b", "", "")
        .out("c");
    assert_eq!(
        reader.check(&[]).said(),
        ["R0302 `c` wants F32[7], but `b` gives F32[4]"]
    );
    // A written shape of the same elements stays.
    let reshaped = new()
        .stage("x", "RAW", "", "F32[4]", "")
        .stage("b", "T[n] -> T[?]", "x", "_ -> F32[1, 4]", "")
        .out("b");
    assert_eq!(reshaped.types("b"), "F32[4] -> F32[1, 4]");
    // It is not asked before the inputs are known, and then nothing else decides.
    let open = new()
        .stage("x", "RAW", "", "", "")
        .stage("b", "T[n] -> T[?]", "x", "_ -> F32[4]", "")
        .out("b");
    assert_eq!(open.codes(), "R0303");
}

#[test]
fn types_flow_back_to_what_can_give_them() {
    let into = |kind: &str, given: &str, args: &str, reader: &str| {
        new()
            .stage("x", kind, "", given, args)
            .stage("b", reader, "x", "", "")
            .out("b")
            .check(&[])
    };
    for (kind, given, args, reader, types) in [
        ("RAW", "", "", "model F32[1, 4] -> U8[1]", " -> F32[1, 4]"),
        (
            "RAW",
            "",
            "length=16",
            "model F32[1, 4] -> U8[1]",
            " -> F32[4]",
        ),
        (
            "RAW",
            "F32[_]",
            "",
            "model F32[1, 4] -> U8[1]",
            " -> F32[4]",
        ),
        (
            "ACCEL",
            "",
            "",
            "model F32[1, 128, 3] -> U8[1]",
            " -> F32[128, 3]",
        ),
        (
            "SOUND",
            "",
            "",
            "model I16[1, 800] -> U8[1]",
            " -> I16[1, 800]",
        ),
        (
            "SOUND",
            "",
            "sample-duration-ms=50",
            "model I16[800] -> U8[1]",
            " -> I16[800]",
        ),
        (
            "IMAGE",
            "",
            "",
            "model U8[1, 96, 64, 3] -> U8[1]",
            " -> U8[96, 64, 3]",
        ),
        (
            "IMAGE",
            "U8[96, 96]",
            "pixel-format=grayscale",
            "model U8[1, 96, 96, 1] -> U8[1]",
            " -> U8[96, 96]",
        ),
    ] {
        let checked = into(kind, given, args, reader);
        assert!(
            checked.verified.is_some(),
            "{kind} {args}: {:#?}",
            checked.found
        );
        assert_eq!(checked.types("x"), types, "{kind} {args}");
    }
    for (kind, given, args, reader, codes) in [
        ("RAW", "", "length=8", "model F32[1] -> U8[1]", "R0302"),
        ("RAW", "", "length=7", "model F32[1] -> U8[1]", "R0204"),
        ("RAW", "F32[_]", "", "model F32[2, 4] -> U8[1]", "R0302"),
        ("RAND", "", "samples=4", "UTF8[n] -> U8[1]", "R0301"),
        ("RAW", "", "length=4", "UTF8[n] -> U8[1]", "R0301"),
        ("ACCEL", "", "samples=4", "U8[n, m] -> U8[1]", "R0301"),
        ("ACCEL", "", "", "T[n, m] -> U8[1]", "R0303"),
        ("ACCEL", "", "", "T[n] -> U8[1]", "R0303"),
        ("ACCEL", "F32[384]", "", "T[n] -> U8[1]", "R0302"),
        ("SOUND", "", "", "I16[n] -> U8[1]", "R0303"),
        (
            "SOUND",
            "",
            "hz=1 sample-duration-ms=1",
            "I16[n] -> U8[1]",
            "R0306",
        ),
        (
            "SOUND",
            "",
            "samples=10 sample-duration-ms=50",
            "I16[n] -> U8[1]",
            "R0206",
        ),
        ("IMAGE", "U8[1, 96, 96]", "", "T[...s] -> U8[1]", "R0302"),
        ("IMAGE", "", "", "model U8[1, 96, 96, 1] -> U8[1]", "R0302"),
        ("RAW", "F32[4]", "", "model BOOL[4] -> U8[1]", "R0503"),
        ("RAW", "F32[268435456]", "", "T[n] -> U8[1]", "R0306"),
    ] {
        let checked = into(kind, given, args, reader);
        assert_eq!(
            checked.codes(),
            codes,
            "{kind} {given} {args} {reader}: {:#?}",
            checked.found
        );
    }
}

#[test]
fn a_written_shape_is_seen_on_the_edge_and_the_signature_s_by_the_block() {
    let checked = new()
        .stage("x", "RAW", "", "F32[4]", "")
        .stage("b", "T[n] -> T[n]", "x", "F32[4, 1] -> F32[1, 4]", "")
        .out("b")
        .check(&[]);
    assert_eq!(checked.types("b"), "F32[4, 1] -> F32[1, 4]");
    let stages = checked.verified.as_ref().unwrap().stages();
    let Some(TypedKind::Block { instance, .. }) = stages.iter().map(|s| &s.kind).nth(1) else {
        panic!("the block is the second stage");
    };
    assert_eq!(instance.inputs[0].to_string(), "F32[4]");
    assert_eq!(instance.outputs[0].to_string(), "F32[4]");
}

#[test]
fn an_element_type_that_only_outputs_have_is_decided_by_readers_or_its_default() {
    let made = |reader: &str| {
        new()
            .stage("x", "RAW", "", "F32[4]", "")
            .stage("b", "T[n] -> D[n]", "x", "", "")
            .stage("c", reader, "b", "", "")
            .out("c")
            .types("b")
    };
    assert_eq!(made("I8[n] -> I8[n]"), "F32[4] -> I8[4]");
    assert_eq!(made("D[n] -> D[n]"), "F32[4] -> F64[4]");
}

#[test]
fn a_written_element_type_does_not_ask_for_a_reshape() {
    let with = |types: &str| {
        new()
            .stage("x", "SOUND", "", "", "samples=4")
            .stage("m", "model I16[4, 1] -> I16[1]", "x", types, "")
            .out("m")
            .codes()
    };
    assert_eq!(with(""), "R0304");
    assert_eq!(with("I16 -> I16"), "R0304");
    assert_eq!(with("I16[4, 1] -> _"), "");
}

#[test]
fn a_port_of_any_number_is_refused() {
    let port = |step: &str| new().stage("x", "RAW", "", "F32[4]", "").out(step).codes();
    assert_eq!(port("x.0"), "");
    assert_eq!(port("x.4294967295"), "R0409");
}

/// Pipelines with choices, faults, fan-out and fan-in, for the laws below.
fn samples() -> Vec<fn() -> Builder> {
    vec![
        || block("F32[4]", "T[n] -> T[n]"),
        || {
            new()
                .stage("x", "RAW", "", "", "")
                .stage("a", "model F32[4, 1] -> F32[2]", "x", "", "")
                .stage("b", "model F32[1, 4] -> F32[3]", "x", "", "")
                .stage("c", "T[...s] -> T[...s]", "x", "", "")
                .out("a b c")
        },
        || {
            new()
                .stage("x", "RAW", "", "", "")
                .stage("a", "model F32[4] -> F32[2]", "x", "", "")
                .stage("b", "model U8[4] -> U8[2]", "x", "", "")
                .out("b a")
        },
        || {
            new()
                .stage("x", "RAW", "", "", "")
                .stage("y", "RAND", "", "", "")
                .stage("s", "T[n], T[n] -> T[n], D[n*2]", "x y", "", "")
                .stage("k", "T[...s] -> T[...s]", "s", "", "")
                .stage("m", "model F32[1, 8] -> F32[1]", "k", "", "")
                .out("m s.1")
        },
        || {
            new()
                .stage("x", "ACCEL", "", "", "samples=100")
                .stage("k", "T[...s] -> T[...s]", "x", "", "")
                .stage("m", "model F32[1, 128, 3] -> F32[1]", "k", "", "")
                .stage("z", "RAW", "", "", "")
                .out("m z")
        },
    ]
}

#[test]
fn the_order_of_the_lines_changes_nothing() {
    let mut seed = 0x2545_f491_u32;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        seed
    };
    for make in samples() {
        let names: Vec<String> = make()
            .stages
            .iter()
            .map(|s| s.0.name.value.clone())
            .collect();
        let types = |checked: &Checked| -> Vec<String> {
            let verified = checked.verified.is_some();
            names
                .iter()
                .filter(|_| verified)
                .map(|n| checked.types(n))
                .collect()
        };
        let first = make().check(&[]);
        for _ in 0..40 {
            let keys: Vec<u32> = names.iter().map(|_| random()).collect();
            let shuffled = make().check(&keys);
            assert_eq!(shuffled.said(), first.said());
            assert_eq!(types(&shuffled), types(&first));
        }
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the time it takes is what is tested"
)]
fn a_long_pipeline_is_checked_in_an_instant() {
    const STAGES: usize = 2000;
    for (given, last, codes) in [
        ("F32[4]", "T[...s] -> T[...s]", ""),
        ("", "model F32[1, 4] -> F32[4]", ""),
        ("", "T[...s] -> T[...s]", "R0303"),
    ] {
        let mut builder = new().stage("s0", "RAW", "", given, "");
        for i in 1..STAGES {
            builder = builder.stage(
                &format!("s{i}"),
                "T[...s] -> T[...s]",
                &format!("s{}", i - 1),
                "",
                "",
            );
        }
        let builder = builder
            .stage("last", last, &format!("s{}", STAGES - 1), "", "")
            .out("last");
        let start = Instant::now();
        assert_eq!(builder.codes(), codes);
        let took = start.elapsed();
        assert!(took.as_secs() < 2, "{STAGES} stages took {took:?}");
    }
}

#[test]
fn a_wrong_element_type_is_shown_where_it_is_written() {
    let found = block("F32[4]", "T[n] -> T[n]")
        .stage("c", "T[n] -> T[n]", "b", "F64[4] -> _", "")
        .out("c")
        .check(&[])
        .found;
    let [mismatch] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(mismatch.message, "`c` wants F64[4], but `b` gives F32[4]");
    let alone = new()
        .stage("x", "RAW", "", "", "length=16")
        .stage("c", "T[n] -> T[n]", "x", "F64[4] -> _", "")
        .out("c")
        .check(&[])
        .found;
    assert_eq!(alone[0].message, "`c` takes F32 or U8, not F64");
    assert_eq!(alone[0].hints, ["write another type here, or leave it out"]);
}
