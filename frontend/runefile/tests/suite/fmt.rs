//! The formatter: cases as a person reads them, and what must hold of every Runefile.
//!
//! A case in `testsuite/fmt` is a line `### title`, a Runefile, a line `---`, and its canonical form; marks
//! stand for characters as in `testsuite/ui/reference`. `BLESS=1` writes what comes out into the files.

mod generate;
mod meaning;

use std::{fs, path::Path, time::Instant};

use rune_ir::diag::{Code, FileId};
use rune_runefile::{
    Tree,
    fmt::{Unformatted, format, print},
    parse,
    tree::{Instruction, WordForm},
};

use self::{
    generate::runefile,
    meaning::{comments, facts, tree_facts},
};
use crate::{
    corpus::source,
    language::fences,
    mutations::{Random, mutate},
    world::{World, compile, root},
};

fn formatted(bytes: &[u8]) -> Result<String, Unformatted> {
    format(FileId(0), bytes, &World)
}

fn tree(text: &str) -> Tree {
    parse(FileId(0), text.as_bytes()).0
}

/// Formats a text and checks all that must hold of the result; `None`: the text is faulty.
fn check(bytes: &[u8]) -> Option<String> {
    let shown = String::from_utf8_lossy(bytes).into_owned();
    let out = match formatted(bytes) {
        Ok(out) => out,
        Err(Unformatted::Faulty(found)) => {
            assert!(!found.is_empty(), "refused without a reason\n{shown}");
            return None;
        }
        Err(Unformatted::Changed(out)) => panic!("changed\n{shown}\n===\n{out}"),
    };
    let (before, after) = (facts(bytes), facts(out.as_bytes()));
    assert_eq!(before, after, "{shown}\n===\n{out}");
    assert_eq!(comments(&shown), comments(&out), "{shown}\n===\n{out}");
    let again = formatted(out.as_bytes());
    assert_eq!(again.as_ref(), Ok(&out), "{shown}\n===\n{out}");

    let plain = !out.contains('\r') && !out.starts_with('\u{FEFF}');
    let lines = out.is_empty() || out.ends_with('\n') && !out.starts_with('\n');
    assert!(
        plain && lines && !out.contains("\n\n\n"),
        "{shown}\n===\n{out}"
    );
    for line in out.lines() {
        assert_eq!(
            line.trim_end_matches([' ', '\t']),
            line,
            "{shown}\n===\n{out}"
        );
    }

    let tree = tree(&shown);
    let printed = print(&tree, &World);
    let (said, says) = (tree_facts(&tree), tree_facts(&self::tree(&printed)));
    assert!(said == says, "{shown}\n===\n{printed}\n{said}\n{says}");
    let again = formatted(printed.as_bytes());
    assert_eq!(again.as_ref(), Ok(&printed), "{shown}\n===\n{printed}");
    Some(out)
}

#[test]
fn every_case_has_its_canonical_form() {
    let path = root().join("testsuite/fmt/forms.cases");
    let text = fs::read_to_string(&path).expect("the cases are there");
    let mut blessed = String::new();
    let mut cases = 0;
    for case in text.split("### ").skip(1) {
        let (title, rest) = case.split_once('\n').expect("a title is a line");
        let (written, _) = rest.split_once("---\n").expect("a case has two parts");
        let out = check(source(written).as_bytes())
            .unwrap_or_else(|| panic!("{title}: the case is faulty"));
        blessed.extend(["### ", title, "\n", written, "---\n", &out, "\n"]);
        cases += 1;
    }
    let blessed = blessed.trim_end().to_owned() + "\n";
    if std::env::var("BLESS").is_ok() {
        fs::write(&path, blessed).expect("a writable case file");
    } else {
        let differs = text.lines().zip(blessed.lines()).find(|(a, b)| a != b);
        assert_eq!(differs, None, "expected and actual");
        assert_eq!(text, blessed);
    }
    assert!(cases >= 20, "only {cases} cases were found");
}

#[test]
fn generated_runefiles_keep_their_meaning_and_their_comments() {
    let mut random = Random(0x5EED_F047_0001);
    let (mut comments, mut long) = (0, 0);
    for round in 0..1_500 {
        let text = runefile(&mut random);
        let out = check(text.as_bytes());
        let out = out.unwrap_or_else(|| panic!("round {round} is faulty:\n{text}"));
        comments += self::comments(&out).len();
        long += usize::from(out.contains("\\\n"));
    }
    assert!(comments > 3_000 && long > 500, "{comments} {long}");
}

#[test]
fn damaged_runefiles_keep_their_meaning_or_are_refused() {
    let texts = repository();
    assert!(texts.len() > 80, "only {} Runefiles", texts.len());
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut random = Random(0x5EED_F047_0002);
    let (mut kept, mut refused) = (0, 0);
    for _ in 0..3_000 {
        match check(&mutate(&mut random, &texts)) {
            Some(_) => kept += 1,
            None => refused += 1,
        }
    }
    assert!(
        kept > 500 && refused > 500,
        "{kept} kept, {refused} refused"
    );
}

/// Every Runefile of the repository, and every example of its pages.
fn repository() -> Vec<String> {
    let read = |path: &Path| String::from_utf8(fs::read(path).ok()?).ok();
    let mut texts = Vec::new();
    let mut folders = [
        "examples",
        "testsuite",
        "docs",
        "grammar",
        "host/runec/skeleton",
    ]
    .map(|folder| root().join(folder))
    .to_vec();
    while let Some(folder) = folders.pop() {
        let mut paths: Vec<_> = fs::read_dir(&folder)
            .expect("a readable folder")
            .map(|entry| entry.expect("a readable folder").path())
            .collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() && name != "target" {
                folders.push(path);
            } else if name == "Runefile" || name.ends_with(".rune") {
                texts.extend(read(&path));
            } else if name.ends_with(".md") {
                let page = read(&path).expect("a page is text");
                texts.extend(fences(&page).into_iter().map(|(_, text)| text));
            }
        }
    }
    texts
}

#[test]
fn runefiles_of_the_repository_are_canonical() {
    let mut wrong = Vec::new();
    let examples = fs::read_dir(root().join("examples")).expect("a readable folder");
    let mut paths: Vec<_> = examples
        .map(|entry| entry.expect("a readable folder").path().join("Runefile"))
        // The listing of the paper is kept as it was printed.
        .filter(|path| path.is_file() && !path.ends_with("paper/Runefile"))
        .collect();
    for folder in ["testsuite/run", "testsuite/compile"] {
        let entries = fs::read_dir(root().join(folder)).expect("a readable folder");
        let entries = entries.map(|entry| entry.expect("a readable folder").path());
        paths.extend(entries.filter(|path| path.extension().is_some_and(|e| e == "rune")));
    }
    paths.push(root().join("host/runec/skeleton/rune/Runefile"));
    paths.sort();
    assert!(paths.len() > 20, "only {} Runefiles", paths.len());
    for path in paths {
        let text = fs::read_to_string(&path).expect("a readable Runefile");
        if formatted(text.as_bytes()).as_ref() != Ok(&text) {
            wrong.push(path.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "not canonical: {}", wrong.join(", "));
}

/// Every example of the reference, the book and the pages on errors that is not marked to be untidy, and does
/// not show an old order.
#[test]
fn examples_in_pages_are_canonical() {
    let mut untidy = None;
    let mut count = 0;
    for folder in ["grammar", "docs/book", "docs/errors"] {
        let pages = fs::read_dir(root().join(folder)).expect("a readable folder");
        let mut pages: Vec<_> = pages
            .map(|entry| entry.expect("a readable folder").path())
            .filter(|path| path.extension().is_some_and(|e| e == "md"))
            .collect();
        pages.sort();
        for path in pages {
            let page = fs::read_to_string(&path).expect("a page is text");
            for (marks, text) in fences(&page) {
                let Ok(out) = formatted(text.as_bytes()) else {
                    continue;
                };
                count += 1;
                match marks.as_slice() {
                    ["untidy"] => {
                        assert_ne!(out, text, "{}", path.display());
                        untidy = Some(out);
                    }
                    ["canonical"] => assert_eq!(untidy.take(), Some(text), "{}", path.display()),
                    _ if shows_old_order(&text) => {}
                    _ => assert_eq!(out, text, "{}", path.display()),
                }
            }
        }
    }
    assert!(count > 60, "only {count} examples");
}

fn shows_old_order(text: &str) -> bool {
    let (.., found) = compile(text.as_bytes());
    found.iter().any(|d| d.code == Code::OldWordOrder)
}

#[test]
fn a_faulty_runefile_is_refused_with_its_faults() {
    for text in ["FROM runicos/base\nRUN a)\n", "CAPABILITY<F32[0]> RAND r\n"] {
        let Err(Unformatted::Faulty(found)) = formatted(text.as_bytes()) else {
            panic!("{text} was formatted");
        };
        assert_eq!(found.len(), 1);
    }
    let Err(Unformatted::Faulty(found)) = formatted(b"FROM \xff") else {
        panic!("bytes that are no text were formatted");
    };
    assert_eq!(found[0].primary.span.start, 5);
}

/// The YAML form tells a path from a name by where it stands; the text form has to see it.
#[test]
fn a_printed_path_is_not_taken_for_a_name() {
    for (text, printed) in [
        ("PROC_BLOCK mine modulo", "PROC_BLOCK \"mine\" modulo\n"),
        ("PROC_BLOCK label modulo", "PROC_BLOCK label modulo\n"),
        ("CAPABILITY sound RAND", "CAPABILITY SOUND RAND\n"),
    ] {
        let mut tree = tree(text);
        let Instruction::Stage(stage) = &mut tree.instructions[0] else {
            panic!("a stage was expected");
        };
        stage.first.form = WordForm::Path;
        assert_eq!(print(&tree, &World), printed);
    }
}

#[test]
fn time_is_linear_in_the_text() {
    let list = |count: usize| {
        let labels: Vec<String> = (0..count).map(|i| format!("Kloster_(Łódź)_{i}")).collect();
        format!("PROC_BLOCK label l --labels={}\n", labels.join(", "))
    };
    let lines = |count: usize| {
        let line = |i| format!("PROC_BLOCK  name_{i} label --count={i} # a comment\n");
        (0..count / 2).map(line).collect()
    };
    let args = |count: usize| {
        let args: Vec<String> = (0..count).map(|i| format!("\\\n# one\n--x {i}")).collect();
        format!("CAPABILITY RAND r {}\n", args.join(" "))
    };
    let forms: [(&str, &dyn Fn(usize) -> String); 3] =
        [("list", &list), ("lines", &lines), ("arguments", &args)];
    for (name, text) in forms {
        let time = |count: usize| {
            let text = text(count);
            let start = Instant::now();
            let out = formatted(text.as_bytes()).expect("the text is no fault");
            let took = start.elapsed();
            assert!(out.lines().all(|line| line.chars().count() <= 100));
            assert!(out.lines().count() > count / 6);
            eprintln!("{name}: {} bytes formatted in {took:?}", text.len());
            took
        };
        let (tenth, whole) = (time(10_000), time(100_000));
        assert!(whole < tenth * 40, "{name}: {tenth:?} {whole:?}");
    }
}
