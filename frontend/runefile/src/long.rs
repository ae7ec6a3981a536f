//! A line with a very long list, read without the parser looking at each character of it.
//!
//! The parser takes some 30 ns a character, which for 100,000 labels is far too long to wait after each key.
//! To the grammar, plain items behind each other are all alike: so it is given the line with only the first two
//! of them, and where it says that these are a list, the others belong to it.

use rune_ir::{
    args::List,
    diag::{FileId, Span, Spanned},
};

use crate::{
    parse::parse,
    shift::Shift,
    tree::{Argument, Instruction, Tree, Value},
};

/// Shorter lines are not worth it.
const LONG: usize = 4096;

/// What [`parse`] gives for a line of file 0, where there is nothing to report of it; `None`: the line is no such
/// line, or is not so simple.
pub(crate) fn read(line: &str) -> Option<Tree> {
    let (start, end) = plain_list(line)?;
    let list = &line[start..end];
    let two = list.match_indices(',').nth(1)?.0;
    let short = [&line[..start + two], &line[end..]].concat();
    let (mut tree, found) = parse(FileId(0), short.as_bytes());
    if !found.is_empty() {
        return None;
    }
    let span = Span::new(FileId(0), start, start + two);
    let stretch = Shift {
        file: FileId(0),
        from: span.end,
        by: (list.len() - two) as u32,
    };
    let argument = |i: &Instruction| args(i).iter().position(|a| a.value.span == span);
    let place = tree
        .instructions
        .iter()
        .position(|i| argument(i).is_some())?;
    let index = argument(&tree.instructions[place])?;
    tree = Tree {
        whole: stretch.of(&tree.whole),
        instructions: tree.instructions.iter().map(|i| stretch.of(i)).collect(),
        comments: stretch.of(&tree.comments),
        ..tree
    };
    let argument = args_mut(&mut tree.instructions[place]).get_mut(index)?;
    let Value::List(items) = &mut argument.value.value else {
        return None;
    };
    *items = split(list, start);
    list.clone_into(&mut argument.text);
    Some(tree)
}

/// The items of a plain list that begins at byte `start`.
fn split(list: &str, start: usize) -> List {
    let mut at = start;
    let items = list.split(',').map(|item| {
        let span = Span::new(FileId(0), at, at + item.len());
        at = span.end as usize + 1;
        Spanned::new(item.to_owned(), span)
    });
    items.collect()
}

/// Where the first long run of plain items stands, if it can be the value of an argument.
fn plain_list(line: &str) -> Option<(usize, usize)> {
    let bytes = line.as_bytes();
    let mut start = 0;
    while bytes.len() - start >= LONG {
        let run = bytes[start..].iter().position(|b| !is_plain(*b));
        let end = run.map_or(bytes.len(), |run| start + run);
        if end - start >= LONG {
            let begins = start > 0 && matches!(bytes[start - 1], b' ' | b'\t' | b'=');
            let ends = bytes
                .get(end)
                .is_none_or(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
            let list = &line.get(start..end)?;
            let is_full = !list.starts_with(',') && !list.ends_with(',') && !list.contains(",,");
            return (begins && ends && is_full).then_some((start, end));
        }
        start = end + 1;
    }
    None
}

/// Whether a byte is a comma, or of a character that means nothing wherever it stands in an item. Of those that
/// are not ASCII, these are U+00C0 to U+07FF, none of which the grammar calls odd.
fn is_plain(byte: u8) -> bool {
    match byte {
        b'"' | b'\'' | b'\\' | b'[' | b']' | b'$' | b'#' | b'=' => false,
        b'!'..=b'~' | 0x80..=0xBF | 0xC3..=0xDF => true,
        _ => false,
    }
}

fn args(instruction: &Instruction) -> &[Argument] {
    match instruction {
        Instruction::Stage(stage) => &stage.args,
        Instruction::Set(set) => &set.args,
        Instruction::Resource(resource) => &resource.args,
        Instruction::From(_)
        | Instruction::For(_)
        | Instruction::Label(_)
        | Instruction::Run(_)
        | Instruction::Faulty(_) => &[],
    }
}

fn args_mut(instruction: &mut Instruction) -> &mut [Argument] {
    match instruction {
        Instruction::Stage(stage) => &mut stage.args,
        Instruction::Set(set) => &mut set.args,
        Instruction::Resource(resource) => &mut resource.args,
        Instruction::From(_)
        | Instruction::For(_)
        | Instruction::Label(_)
        | Instruction::Run(_)
        | Instruction::Faulty(_) => &mut [],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words that begin and end items, and what may stand around a list.
    const WORDS: [&str; 14] = [
        "a", "-5", "--x", "é", "(b)", "<", "->", "\u{A0}", "$c", "\"d\"", "", "[", "1.5", "#",
    ];
    const BEFORE: [&str; 9] = [
        "OUT A --l ",
        "OUT A --l=",
        "PROC_BLOCK a b --k 1 \\\n # why\n --l \t",
        "SET a --l ",
        "RESOURCE a b --l ",
        "LABEL a=",
        "OUT A --l \"",
        "OUT A --l = ",
        "RUN ",
    ];
    const AFTER: [&str; 9] = [
        "",
        "\n",
        " --m x,y,z # why\n",
        "\\\n --m 2\n",
        " \\\r\n # why\r\n -n [a, b]",
        ", z\n",
        "\"\n",
        " x\n",
        "]\r\n",
    ];

    #[test]
    fn it_is_what_parsing_all_of_it_gives() {
        let mut seed = 0x10_06u64;
        let mut below = |n: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed % n as u64) as usize
        };
        let mut read_so = 0;
        for _ in 0..400 {
            let mut items = vec!["label"; LONG / 5];
            for _ in 0..below(3) {
                let at = [0, 1, 2, items.len() - 1, items.len() / 2][below(5)];
                // Mostly the first few, which are plain.
                let words = [6, WORDS.len()][below(2)];
                items[at] = WORDS[below(words)];
            }
            let before = BEFORE[below(BEFORE.len())];
            let line = [before, &items.join(","), AFTER[below(AFTER.len())]].concat();
            if let Some(tree) = read(&line) {
                assert_eq!(
                    (tree, Vec::new()),
                    parse(FileId(0), line.as_bytes()),
                    "{line}"
                );
                read_so += 1;
            }
        }
        assert!(read_so > 50, "{read_so}");
    }
}
