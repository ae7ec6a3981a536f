//! Extremes: long lines, deep brackets, large numbers, and text that is hardly text.

use rune_ir::diag::{Code, Diagnostic, FileId};
use rune_runefile::{
    MAX_BYTES, Tree, parse,
    tree::{Instruction, Value},
};

use crate::world::compile;

fn read(text: &str) -> (Tree, Vec<Diagnostic>) {
    parse(FileId(0), text.as_bytes())
}

fn codes(found: &[Diagnostic]) -> Vec<Code> {
    found.iter().map(|d| d.code).collect()
}

/// A label as long and as odd as those of a list of landmarks.
fn landmark(i: usize) -> String {
    format!("Kloster_(Łódź)_&_{i}/é")
}

#[test]
fn a_list_of_a_hundred_thousand_labels_on_one_line() {
    for separator in [",", ", "] {
        let labels: Vec<String> = (0..99_424).map(landmark).collect();
        let text = format!(
            "FROM runicos/base\nPROC_BLOCK label l --labels={}\n",
            labels.join(separator)
        );
        assert!(text.len() > 2_200_000);
        let (tree, found) = read(&text);
        assert_eq!(found, []);
        let Instruction::Stage(stage) = &tree.instructions[1] else {
            panic!("a stage was expected");
        };
        let Value::List(items) = &stage.args[0].value.value else {
            panic!("a list was expected");
        };
        assert_eq!(items.len(), labels.len());
        assert!(items.iter().zip(&labels).all(|(item, label)| {
            item.value == label.as_str()
                && text[item.span.start as usize..item.span.end as usize] == **label
        }));
    }
}

#[test]
fn a_long_line_that_is_faulty_at_its_end() {
    for end in [",", ",,x", " x", ", \"x", "\0"] {
        let labels = vec!["label"; 50_000].join(",");
        let text = format!("PROC_BLOCK label l --labels {labels}{end}\nFROM runicos/base");
        let (tree, found) = read(&text);
        assert_eq!(found.len(), 1, "{end:?}");
        assert!(found[0].primary.span.start as usize >= text.find('\n').unwrap() - end.len());
        assert!(matches!(tree.instructions[1], Instruction::From(_)));
    }
}

#[test]
fn many_lines_good_and_bad() {
    let text = "RUN a b # c\nRUN a b)\n\n".repeat(10_000);
    let (tree, found) = read(&text);
    assert_eq!(tree.instructions.len(), 20_000);
    assert_eq!(codes(&found), vec![Code::Syntax; 10_000]);
}

#[test]
fn one_instruction_over_many_lines() {
    let text = format!("RUN a {} b", "\\\n # not a stage\n\\\n".repeat(20_000));
    let (tree, found) = read(&text);
    assert_eq!(found, []);
    let Instruction::Run(run) = &tree.instructions[0] else {
        panic!("a RUN was expected");
    };
    assert_eq!(run.steps.len(), 2);
}

#[test]
fn blanks_in_every_place_of_a_faulty_line() {
    // A million blanks in each place: more than linear time would be felt.
    for blanks in [
        " ".repeat(1_000_000),
        "\\\n".repeat(300_000),
        "\\ ".repeat(300_000),
    ] {
        for (before, after) in [
            ("RUN a)", "b"),
            ("RUN a", "b)"),
            ("CAPABILITY<F32[1", "2]> RAND r"),
            ("CAPABILITY RAND r --a [x", "y]"),
            ("CAPABILITY RAND r --a 'x", "y"),
            ("", "RAN a"),
            ("LABEL a", "=b"),
        ] {
            let (tree, found) = read(&format!("{before}{blanks}{after}\nFROM runicos/base"));
            assert!(!found.is_empty(), "{before} {after}");
            assert!(matches!(
                tree.instructions.last(),
                Some(Instruction::From(_))
            ));
        }
    }
}

#[test]
fn brackets_do_not_nest_however_many_there_are() {
    for open in ["CAPABILITY<", "RUN ", "CAPABILITY RAND r --a "] {
        for bracket in ["[", "<", "(", "\"[", "[a,"] {
            let text = format!("{open}{}", bracket.repeat(100_000));
            let (_, found) = read(&text);
            let is_plain_text = open.ends_with("--a ") && ["<", "("].contains(&bracket);
            assert_eq!(found.is_empty(), is_plain_text, "{open}{bracket}");
        }
    }
}

#[test]
fn dimensions_without_number() {
    let dims = vec!["1"; 100_000].join(",");
    let (_, found) = read(&format!("CAPABILITY<F32[{dims}]> RAND r"));
    assert_eq!(codes(&found), [Code::BadDimension]);
    let types = vec!["F32"; 100_000].join(",");
    let (_, _, found) =
        compile(format!("FROM runicos/base\nPROC_BLOCK<{types}> label l").as_bytes());
    assert_eq!(codes(&found), [Code::TypeCount]);
}

#[test]
fn numbers_of_many_digits() {
    let digits = "9".repeat(100_000);
    let text = format!(
        "CAPABILITY<F32[{digits}]> RAND r --a {digits} --b {digits}.0 --c 0.{digits}\nRUN r.{digits} r"
    );
    let (_, found) = read(&text);
    let expected = [
        Code::BadDimension,
        Code::BadValue,
        Code::BadValue,
        Code::BadValue,
    ];
    assert_eq!(codes(&found), expected);
    assert!(found.iter().all(|d| d.message.len() < 200));
}

#[test]
fn text_that_is_not_utf8_is_told_by_its_offset() {
    let (tree, found) = parse(FileId(7), b"FROM a\nRUN \xff\xfe");
    assert!(tree.instructions.is_empty() && tree.flawed);
    assert_eq!(codes(&found), [Code::InvalidUtf8]);
    let span = found[0].primary.span;
    assert_eq!((span.file, span.start, span.end), (FileId(7), 11, 11));
    assert!(found[0].message.contains("byte 11 is 0xff"));

    let utf16: Vec<u8> = "\u{FEFF}FROM a"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let (_, found) = parse(FileId(0), &utf16);
    assert!(found[0].hints[0].contains("UTF-16"));
}

#[test]
fn a_cut_off_letter_at_the_end_is_not_utf8() {
    let (_, found) = parse(FileId(0), "FROM é".as_bytes().split_last().unwrap().1);
    assert_eq!(codes(&found), [Code::InvalidUtf8]);
}

#[test]
fn a_file_that_is_too_large_is_refused_unread() {
    let (tree, found) = parse(FileId(0), &vec![b' '; MAX_BYTES + 1]);
    assert_eq!(codes(&found), [Code::Syntax]);
    assert!(tree.flawed);
}
