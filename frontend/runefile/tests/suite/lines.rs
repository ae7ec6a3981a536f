//! Lines that are known from another version of a text mean what they meant when all is read anew.

use rune_ir::diag::FileId;
use rune_runefile::{
    Lines, parse,
    tree::{Instruction, Value},
};

use crate::mutations::{Random, SEEDS, mutate};

/// What is special about the end of a line.
const ENDS: [&str; 7] = [
    "PROC_BLOCK l m \\\n  # one \\\n\t# two\n  --n 1 \\  \n --m [a, \\\n# three\n b, $c] # four \\\nRUN\n",
    "OUT A --t \"x \\\n# no comment\" \\\r\n\r\nOUT B --t 'never closed \\\n # in it\n\nOUT C --t 'nor this\n",
    "# only \\\n# comments\\\r# here\\\n\\\n\\",
    "OUT A --n 1\\\r# c\r --m 2\rOUT B --n= 3 #\n",
    "FROM \u{FEFF}a\n\u{FEFF}FROM b\n",
    "LABEL a=b \\\n\n c=d\nREPLACE MODEL<F32[0] -> F32[2]> a b --n [\\\n\n]\n SET a --b -c\n",
    "RESOURCE a\nOUT A --l a,b,\\\n# why\n c,d\n",
];

#[test]
fn what_is_known_of_lines_is_what_parsing_says() {
    let mut seeds: Vec<&str> = SEEDS.to_vec();
    seeds.extend(ENDS);
    let mut random = Random(0x11_2e5);
    let mut known = 0;
    for _ in 0..300 {
        let lines = Lines::default();
        let mut text = mutate(&mut random, &seeds);
        for version in 0..12 {
            let file = FileId(version % 3);
            let (tree, found) = parse(file, &text);
            let shown = String::from_utf8_lossy(&text).into_owned();
            assert_eq!(lines.parse(file, &text), (tree, found), "{shown:?}");
            known += usize::from(shown.contains('\n'));
            let others = [
                &shown,
                SEEDS[random.below(SEEDS.len())],
                ENDS[random.below(ENDS.len())],
            ];
            text = match random.below(8) {
                0 => others.concat().into_bytes(),
                _ => mutate(&mut random, &[&shown]),
            };
        }
    }
    assert!(known > 1000, "{known}");
}

#[test]
fn a_list_that_only_moves_is_not_copied() {
    let lines = Lines::default();
    let list = |text: &str| {
        let (tree, _) = lines.parse(FileId(0), text.as_bytes());
        let Instruction::Stage(stage) = &tree.instructions[0] else {
            panic!("a stage was expected");
        };
        let Value::List(list) = &stage.args[0].value.value else {
            panic!("a list was expected");
        };
        list.clone()
    };
    let first = list("OUT A --labels a,b");
    let second = list("# typed\nOUT A --labels a,b");
    assert!(std::sync::Arc::ptr_eq(first.texts(), second.texts()));
    let starts = [&first, &second].map(|list| list.place(1).map(|place| place.start));
    assert_eq!(starts, [Some(17), Some(25)]);
}
