//! Large and deep input: it builds, it runs, and what is said about it stays short.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;

use rune_abi::ElementType;
use rune_codegen::{Options, Output};
use rune_ir::eval::Data;
use rune_testsuite::{
    engines::{self, Outcome},
    overlay::Overlay,
};
use runec::Compilation;

fn compile(text: &str, world: &Overlay) -> Compilation<Output> {
    runec::compile(
        "Runefile",
        "limits",
        text.as_bytes(),
        world,
        &Options::default(),
    )
}

fn build(text: &str, world: &Overlay) -> Output {
    let compiled = compile(text, world);
    let rendered = engines::rendered(&compiled);
    compiled.output.unwrap_or_else(|| {
        panic!("{}", rendered.chars().take(2000).collect::<String>());
    })
}

fn texts(output: &Output, feed: Vec<u8>) -> Vec<String> {
    let outcomes = engines::run(output, &[vec![feed]]);
    let Outcome::Outputs(outputs) = &outcomes[0] else {
        panic!("{outcomes:?}");
    };
    match &outputs[0].as_ref().unwrap()[0] {
        Data::Strings(texts) => texts.clone(),
        Data::Bytes(bytes) => panic!("{bytes:?}"),
    }
}

/// 150,000 labels, 2 MB.
fn labels() -> Vec<String> {
    let labels: Vec<String> = (0..150_000).map(|i| format!("label-{i:07}")).collect();
    assert!(labels.iter().map(|l| l.len() + 1).sum::<usize>() > 2_000_000);
    labels
}

const LABELLED: &str = "FROM runicos/base\nCAPABILITY<U32[2]> RAW index\nOUT SERIAL\n";

fn indices() -> Vec<u8> {
    [149_999u32, 70_000]
        .iter()
        .flat_map(|i| i.to_le_bytes())
        .collect()
}

#[test]
fn two_megabytes_of_labels_in_a_line() {
    let world = Overlay::new(".");
    let list = labels().join(",");
    let text = format!(
        "{LABELLED}PROC_BLOCK runicos/label label --labels {list}\nRUN index label serial\n"
    );
    let output = build(&text, &world);
    assert_eq!(
        texts(&output, indices()),
        ["label-0149999", "label-0070000"]
    );
}

#[test]
fn two_megabytes_of_labels_in_a_file() {
    let world = Overlay::new(".").with("./labels.txt", labels().join("\n").into_bytes());
    let text = format!(
        "{LABELLED}RESOURCE ./labels.txt labels\nPROC_BLOCK runicos/label label --labels $labels\nRUN index label serial\n"
    );
    let output = build(&text, &world);
    assert_eq!(
        texts(&output, indices()),
        ["label-0149999", "label-0070000"]
    );
}

#[test]
fn what_is_said_about_a_long_line_is_short() {
    let list = labels().join(",");
    for (argument, code) in [
        (format!("--labels {list} --wrong 1"), "R0201"),
        (format!("--wrong {list}"), "R0201"),
        (format!("--labels [{list}"), "R0001"),
        (format!("--labels {list} --labels {list}"), "R0205"),
    ] {
        let text = format!(
            "{LABELLED}PROC_BLOCK runicos/label label {argument}\nRUN index label serial\n"
        );
        let compiled = compile(&text, &Overlay::new("."));
        assert!(compiled.output.is_none());
        let rendered = engines::rendered(&compiled);
        let shown: String = rendered.chars().take(2000).collect();
        assert!(
            compiled.diagnostics.iter().any(|d| d.code.number() == code),
            "{shown}"
        );
        assert!(
            rendered.len() < 4000,
            "{} bytes for {code}: {shown}",
            rendered.len()
        );
    }
}

#[test]
fn long_labels_of_any_script() {
    let labels: Vec<String> = ["Füße", "直线", "👩‍🚀", "é́"]
        .iter()
        .map(|s| s.repeat(1000))
        .collect();
    let text = format!(
        "FROM runicos/base\nCAPABILITY<U32[4]> RAW index\nPROC_BLOCK runicos/label label --labels {}\nOUT SERIAL\nRUN index label serial\n",
        labels
            .iter()
            .map(|l| format!("\"{l}\""))
            .collect::<Vec<_>>()
            .join(",")
    );
    let output = build(&text, &Overlay::new("."));
    let feed = (0..4u32).flat_map(u32::to_le_bytes).collect();
    assert_eq!(texts(&output, feed), labels);
    // The same in a place of fault: cut between characters.
    let compiled = compile(
        &text.replace("CAPABILITY<U32[4]>", "CAPABILITY<U33[4]>"),
        &Overlay::new("."),
    );
    assert!(compiled.output.is_none());
    let wrong = compile(&text.replace("--labels ", "--label "), &Overlay::new("."));
    assert!(wrong.output.is_none());
    assert!(engines::rendered(&wrong).len() < 4000);
}

#[test]
fn five_hundred_stages_in_a_row() {
    let mut text = String::from("FROM runicos/base\nCAPABILITY<F32[1]> RAW x\nOUT SERIAL\n");
    let mut run = String::from("RUN x");
    for i in 0..500 {
        writeln!(
            text,
            "PROC_BLOCK runicos/modulo m{i} --modulus {}",
            1000 - i
        )
        .unwrap();
        write!(run, " m{i}").unwrap();
    }
    let output = build(&format!("{text}{run} serial\n"), &Overlay::new("."));
    let outcomes = engines::run(&output, &[vec![1502.0f32.to_le_bytes().to_vec()]]);
    // 1502 mod 1000 = 502, mod 999, 998, ... 503 the same, and mod 502 = 0; the last modulus is 501.
    let expected = Data::Bytes(0.0f32.to_le_bytes().to_vec());
    assert_eq!(outcomes, [Outcome::Outputs(vec![Some(vec![expected])])]);
}

#[test]
fn forty_capabilities() {
    let mut text = String::from("FROM runicos/base\n");
    for i in 0..40 {
        writeln!(
            text,
            "CAPABILITY<U8[2]> RAW x{i}\nOUT SERIAL s{i}\nRUN x{i} s{i}"
        )
        .unwrap();
    }
    let output = build(&text, &Overlay::new("."));
    assert_eq!(output.manifest.capabilities.len(), 40);
    let feed: Vec<Vec<u8>> = (0..40).map(|i| vec![i, 2 * i]).collect();
    let expected = feed
        .iter()
        .map(|b| Some(vec![Data::Bytes(b.clone())]))
        .collect();
    assert_eq!(engines::run(&output, &[feed]), [Outcome::Outputs(expected)]);
    assert!(
        output
            .manifest
            .capabilities
            .iter()
            .all(|c| c.ty.element() == ElementType::U8)
    );
}

/// A manifest holds 64 capabilities; one more is an error with a place and no rune.
#[test]
fn too_many_capabilities() {
    let mut text = String::from("FROM runicos/base\n");
    for i in 0..65 {
        writeln!(
            text,
            "CAPABILITY<U8[2]> RAW x{i}\nOUT SERIAL s{i}\nRUN x{i} s{i}"
        )
        .unwrap();
    }
    let compiled = compile(&text, &Overlay::new("."));
    assert!(compiled.output.is_none());
    let rendered = engines::rendered(&compiled);
    assert_eq!(compiled.diagnostics.len(), 1, "{rendered}");
    assert_eq!(compiled.diagnostics[0].code.number(), "R0701", "{rendered}");
}
