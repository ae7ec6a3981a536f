//! The grammars of the editors: they read what the compiler reads, and the facts they repeat are the
//! compiler's own.
//!
//! `cargo xtask editors` runs what else there is to test where Node is installed.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{collections::BTreeSet, fs, iter::successors, path::Path};

use rune_abi::{CAPABILITIES, ElementType, OUTPUTS};
use rune_ir::diag::FileId;
use rune_runefile::tree::{Instruction, Keyword};
use rune_testsuite::{cases, pages, random::Random, root};
use serde_json::Value;
use tree_sitter::{Language, Node, Parser, Query, QueryCursor, StreamingIterator as _, Tree};

#[expect(unsafe_code, reason = "an editor calls the generated parser so, too")]
fn language() -> Language {
    unsafe extern "C" {
        safe fn tree_sitter_runefile() -> *const tree_sitter::ffi::TSLanguage;
    }
    // SAFETY: the generated function gives a table that lives as long as the program.
    unsafe { Language::from_raw(tree_sitter_runefile()) }
}

fn parse(text: &[u8]) -> Tree {
    let mut parser = Parser::new();
    parser.set_language(&language()).unwrap();
    parser.parse(text, None).expect("nothing stops the parser")
}

/// Every node, a parent before its children.
fn nodes(tree: &Tree) -> Vec<Node<'_>> {
    let mut all = vec![tree.root_node()];
    let mut next = 0;
    while let Some(node) = all.get(next).copied() {
        all.extend(successors(node.child(0), Node::next_sibling));
        next += 1;
    }
    all
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Every Runefile of the repository, right or wrong, with where it is from.
fn runefiles() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for path in ["ui", "run", "compile"].into_iter().flat_map(cases) {
        if let Ok(text) = fs::read_to_string(&path) {
            all.push((path.display().to_string(), text));
        }
    }
    for path in files(&root().join("examples")) {
        if path.file_name().is_some_and(|n| n == "Runefile") {
            all.push((
                path.display().to_string(),
                fs::read_to_string(path).unwrap(),
            ));
        }
    }
    let pages = files(&root().join("docs")).into_iter();
    for path in pages.chain([root().join("grammar/LANGUAGE.md")]) {
        if path.extension().is_some_and(|e| e == "md") {
            let page = fs::read_to_string(&path).unwrap();
            let examples = pages::fences(&page).into_iter();
            for fence in examples.filter(|f| f.language() == "runefile") {
                all.push((path.display().to_string(), fence.text));
            }
        }
    }
    assert!(all.len() > 200, "only {} Runefiles", all.len());
    all
}

/// Whether the compiler's parser finds nothing wrong.
fn is_right(text: &str) -> bool {
    rune_runefile::parse(FileId(0), text.as_bytes())
        .1
        .is_empty()
}

/// The instruction a node is, in the words of the compiler's tree.
fn keyword_of(node: Node) -> Option<Keyword> {
    Keyword::ALL
        .into_iter()
        .find(|k| k.name().to_lowercase() == node.kind())
}

#[test]
fn the_corpus_is_read_as_it_says() {
    let mut count = 0;
    for path in files(&root().join("editors/tree-sitter/test/corpus")) {
        let text = fs::read_to_string(&path).unwrap();
        let rule = "================\n";
        let mut parts = text.split(rule).skip(1);
        while let (Some(name), Some(case)) = (parts.next(), parts.next()) {
            let (input, expected) = case.split_once("\n---\n").expect("a case has two halves");
            // The last line feed of the input belongs to the form of the file.
            let input = input.strip_suffix('\n').unwrap_or(input);
            let found = without_fields(&parse(input.as_bytes()).root_node().to_sexp());
            let expected = expected.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(
                found,
                expected.replace("( ", "(").replace(" )", ")"),
                "{name}"
            );
            count += 1;
        }
    }
    assert!(count >= 19, "only {count} cases");
}

/// An S-expression without the names of fields, as the corpus has it.
fn without_fields(sexp: &str) -> String {
    let words = sexp.split(' ').filter(|word| !word.ends_with(':'));
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn every_right_runefile_is_read_without_an_error() {
    let mut right = 0;
    for (place, text) in runefiles() {
        if is_right(&text) {
            let tree = parse(text.as_bytes());
            assert!(
                !tree.root_node().has_error(),
                "{place}:\n{text}\n{}",
                tree.root_node()
            );
            right += 1;
        }
    }
    assert!(right > 150, "only {right} right Runefiles");
}

#[test]
fn instructions_are_the_compilers() {
    for (place, text) in runefiles().into_iter().filter(|(_, text)| is_right(text)) {
        let (tree, _) = rune_runefile::parse(FileId(0), text.as_bytes());
        let ours: Vec<(Keyword, String)> = tree
            .instructions
            .iter()
            .map(|instruction| {
                let (keyword, span) = instruction_of(instruction);
                (
                    keyword,
                    text[span.start as usize..span.end as usize].to_owned(),
                )
            })
            .collect();
        let tree = parse(text.as_bytes());
        let mut cursor = tree.root_node().walk();
        let theirs: Vec<(Keyword, String)> = tree
            .root_node()
            .children(&mut cursor)
            .filter_map(|node| Some((keyword_of(node)?, text[node.byte_range()].to_owned())))
            .collect();
        assert_eq!(ours, theirs, "{place}");
    }
}

fn instruction_of(instruction: &Instruction) -> (Keyword, rune_ir::diag::Span) {
    match instruction {
        Instruction::From(i) => (Keyword::From, i.span),
        Instruction::For(i) => (Keyword::For, i.span),
        Instruction::Label(i) => (Keyword::Label, i.span),
        Instruction::Resource(i) => (Keyword::Resource, i.span),
        Instruction::Stage(i) if i.replace.is_some() => (Keyword::Replace, i.span),
        Instruction::Stage(i) => (i.role.value.keyword(), i.span),
        Instruction::Set(i) => (Keyword::Set, i.span),
        Instruction::Run(i) => (Keyword::Run, i.span),
        Instruction::Faulty(_) => unreachable!("the file is right"),
    }
}

/// Faults of form that this grammar lets pass, each with its reason in `editors/tree-sitter/README.md`.
const KINDER: [&str; 6] = [
    // The meaning of words is not its business.
    "FROM a AS MODEL\n",
    "RESOURCE a\n",
    // Blanks between words are not asked for where signs part them.
    "MODEL \"a\"b\n",
    "LABEL a= \"b\"\n",
    // The inside of values is the compiler's.
    "SET a --b \"\\q\"\n",
    "SET a --b 99999999999999999999\n",
];

#[test]
fn what_is_wrong_in_form_is_wrong_here_too() {
    for text in KINDER {
        assert!(
            !is_right(text) && !parse(text.as_bytes()).root_node().has_error(),
            "{text}"
        );
    }
    let wrong = [
        "RUNNER a\n",
        "run a\n",
        "FROM a OUT SERIAL\n",
        "FROM <a>\n",
        "FROM a@b@c\n",
        "LABEL\n",
        "LABEL a\n",
        "SET a\n",
        "REPLACE RUN a\n",
        "CAPABILITY<F32[> RAND x\n",
        "CAPABILITY<F32[0x]> RAND x\n",
        "CAPABILITY RAND\n",
        "MODEL a b c\n",
        "RUN a#b\n",
        "RUN [a\n",
        "RUN []\n",
        "SET a --b\n",
        "SET a --b --c 1\n",
        "SET a --b = 3\n",
        "SET a --b 1 , 2\n",
        "SET a --b 1,\n",
        "SET a --b [1,]\n",
        "SET a --b \"c\n",
        "SET a --b 'c\"\n",
        "OUT SERIAL\u{A0}a\n",
    ];
    for text in wrong {
        assert!(!is_right(text), "{text}");
        assert!(parse(text.as_bytes()).root_node().has_error(), "{text}");
    }
    let syntax = read("testsuite/ui/syntax.rune");
    let tree = parse(syntax.as_bytes());
    let rows: BTreeSet<usize> = nodes(&tree)
        .iter()
        .filter(|node| node.is_error() || node.is_missing())
        .map(|node| node.start_position().row)
        .collect();
    let marked: BTreeSet<usize> = (0..)
        .zip(syntax.lines())
        .filter(|(_, line)| {
            ["#~ R0001", "#~ R0002"]
                .iter()
                .any(|mark| line.ends_with(mark))
        })
        .map(|(row, _)| row)
        .collect();
    assert_eq!(rows, marked);
}

#[test]
fn a_faulty_line_leaves_those_after_it_alone() {
    let good =
        "FROM runicos/base\nCAPABILITY RAND numbers --samples 3\nOUT SERIAL\nRUN numbers serial\n";
    let mut random = Random::new(11);
    let (mut faulty, mut kept) = (0, 0);
    for _ in 0..2000 {
        let mut line = good
            .lines()
            .nth(random.below(4))
            .unwrap()
            .as_bytes()
            .to_vec();
        random.mutate(&mut line);
        let Ok(line) = String::from_utf8(line) else {
            continue;
        };
        let text = format!("FROM a\n{line}\n{good}");
        let tree = parse(text.as_bytes());
        if line.contains(['\n', '\r', '\\']) || !tree.root_node().has_error() {
            continue;
        }
        faulty += 1;
        let mut cursor = tree.root_node().walk();
        let after = text.len() - good.len();
        let whole = tree
            .root_node()
            .children(&mut cursor)
            .filter(|n| n.start_byte() >= after && keyword_of(*n).is_some() && !n.has_error());
        kept += usize::from(whole.count() == 4);
    }
    assert!(faulty > 500, "only {faulty} faulty lines");
    assert_eq!(kept, faulty, "lines after a faulty one were misread");
}

#[test]
fn what_the_compiler_reads_is_read_however_it_is_damaged() {
    let seeds: Vec<String> = runefiles().into_iter().map(|(_, text)| text).collect();
    let corpus = files(&root().join("editors/tree-sitter/test/corpus"));
    let corpus: Vec<String> = corpus
        .iter()
        .map(|p| fs::read_to_string(p).unwrap())
        .collect();
    let seeds: Vec<&String> = seeds
        .iter()
        .chain(corpus.iter().cycle().take(100))
        .collect();
    let mut random = Random::new(7);
    let (mut right, mut refused) = (0, 0);
    for _ in 0..5000 {
        let mut bytes = seeds[random.below(seeds.len())].as_bytes().to_vec();
        random.mutate(&mut bytes);
        let tree = parse(&bytes);
        assert!(tree.root_node().end_byte() <= bytes.len());
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        // Line by line, since in a long text most often some other line is wrong.
        for line in text.split_inclusive('\n') {
            if is_right(line) {
                let tree = parse(line.as_bytes());
                assert!(
                    !tree.root_node().has_error(),
                    "{line:?}\n{}",
                    tree.root_node()
                );
                right += 1;
            } else {
                refused += 1;
            }
        }
        let tree = tree.root_node();
        assert!(!is_right(&text) || !tree.has_error(), "{text:?}\n{tree}");
    }
    assert!(
        right > 15_000 && refused > 1000,
        "{right} right, {refused} refused"
    );
}

/// The queries of an editor, each compiled.
fn query(name: &str) -> Query {
    let text = read(&format!("editors/tree-sitter/queries/{name}.scm"));
    Query::new(&language(), &text).unwrap_or_else(|error| panic!("{name}.scm: {error}"))
}

#[test]
fn every_query_fits_the_grammar() {
    for name in ["highlights", "folds", "indents", "injections", "locals"] {
        assert!(query(name).pattern_count() > 0, "{name}");
    }
    let listed = files(&root().join("editors/tree-sitter/queries"));
    assert_eq!(listed.len(), 5, "{listed:?}");
}

/// Text and capture name of every coloured piece; of several names for one piece the last counts.
fn colours(text: &str) -> Vec<(String, String)> {
    let query = query("highlights");
    let tree = parse(text.as_bytes());
    let mut cursor = QueryCursor::new();
    let mut matches = cursor.matches(&query, tree.root_node(), text.as_bytes());
    let mut found: Vec<(std::ops::Range<usize>, usize, u32)> = Vec::new();
    while let Some(found_match) = matches.next() {
        for capture in found_match.captures() {
            let range = capture.node.byte_range();
            found.push((range, found_match.pattern_index, capture.index));
        }
    }
    found.sort_by_key(|(range, pattern, _)| (range.start, range.end, *pattern));
    let mut colours: Vec<(std::ops::Range<usize>, u32)> = Vec::new();
    for (range, _, capture) in found {
        match colours.last_mut() {
            Some(last) if last.0 == range => last.1 = capture,
            _ => colours.push((range, capture)),
        }
    }
    colours
        .into_iter()
        .map(|(range, capture)| {
            let name = query.capture_names()[capture as usize];
            (text[range].to_owned(), name.to_owned())
        })
        .collect()
}

#[test]
fn colours_are_as_one_expects() {
    let text = "CAPABILITY<F32[<=3]> IMAGE image -n=1,2 # x\nMODEL $m net --a .5 \\\n--b \"\\n\"\n\
                OUT SERIAL serial\nRUN [image.1] net\n# runec: ignore[R1001]\nCAPABILITY sound SOUND\n";
    let colours = colours(text);
    let colours: Vec<(&str, &str)> = colours
        .iter()
        .map(|(a, b)| (a.trim_end(), b.as_str()))
        .collect();
    let expected = [
        ("CAPABILITY", "keyword"),
        ("<", "punctuation.bracket"),
        ("F32", "type.builtin"),
        ("[", "punctuation.bracket"),
        ("<=3", "number"),
        ("]", "punctuation.bracket"),
        (">", "punctuation.bracket"),
        ("IMAGE", "constant.builtin"),
        ("image", "variable"),
        ("-n", "variable.parameter"),
        ("=", "operator"),
        ("1", "string"),
        (",", "punctuation.delimiter"),
        ("2", "string"),
        ("# x", "comment"),
        ("MODEL", "keyword"),
        ("$m", "constant"),
        ("net", "variable"),
        ("--a", "variable.parameter"),
        (".5", "number.float"),
        ("\\", "punctuation.special"),
        ("--b", "variable.parameter"),
        ("\"\\n\"", "string"),
        ("\\n", "string.escape"),
        ("OUT", "keyword"),
        ("SERIAL", "constant.builtin"),
        ("serial", "variable"),
        ("RUN", "keyword"),
        ("[", "punctuation.bracket"),
        ("image", "variable"),
        (".", "punctuation.delimiter"),
        ("1", "number"),
        ("]", "punctuation.bracket"),
        ("net", "variable"),
        ("# runec: ignore[R1001]", "comment.directive"),
        ("CAPABILITY", "keyword"),
        ("sound", "variable"),
        ("SOUND", "constant.builtin"),
    ];
    assert_eq!(colours, expected);
}

type Words = BTreeSet<String>;

fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Words {
    words.into_iter().map(str::to_owned).collect()
}

fn keywords() -> Words {
    words(Keyword::ALL.map(Keyword::name))
}

/// The element types in both spellings, and the one that is any.
fn elements() -> Words {
    let mut all = words(
        ElementType::ALL
            .map(ElementType::name)
            .into_iter()
            .chain(["_"]),
    );
    all.extend(ElementType::ALL.map(|e| e.name().to_uppercase()));
    all
}

fn capability_kinds() -> Words {
    words(
        CAPABILITIES
            .iter()
            .flat_map(|k| k.aliases.iter().copied().chain([k.name])),
    )
}

fn output_kinds() -> Words {
    words(
        OUTPUTS
            .iter()
            .flat_map(|k| k.aliases.iter().copied().chain([k.name])),
    )
}

fn is_upper(word: &str) -> bool {
    word.bytes().all(|b| !b.is_ascii_lowercase())
}

/// The words of the `any-of?` of highlights.scm whose pattern begins in the text after `mark`.
fn listed_in_query(mark: &str) -> Words {
    let text = read("editors/tree-sitter/queries/highlights.scm");
    let start = text.find(mark).unwrap_or_else(|| panic!("no {mark}"));
    let query = query("highlights");
    let pattern = (0..query.pattern_count())
        .find(|p| {
            (query.start_byte_for_pattern(*p)..query.end_byte_for_pattern(*p)).contains(&start)
        })
        .unwrap();
    let predicates = text
        [query.start_byte_for_pattern(pattern)..query.end_byte_for_pattern(pattern)]
        .split('"')
        .skip(1)
        .step_by(2);
    words(predicates.filter(|w| {
        w.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
    }))
}

#[test]
fn tree_sitter_has_the_words_of_the_compiler() {
    let grammar: Value =
        serde_json::from_str(&read("editors/tree-sitter/src/grammar.json")).unwrap();
    let mut literals = Words::new();
    strings(&grammar["rules"], &mut literals);
    let upper = literals
        .into_iter()
        .filter(|w| w.bytes().any(|b| b.is_ascii_uppercase()));
    assert_eq!(upper.collect::<Words>(), keywords());
    let coloured = listed_in_query("\"FROM\"");
    assert_eq!(coloured, keywords(), "keywords of highlights.scm");
    for keyword in Keyword::ALL {
        let rule = &grammar["rules"][keyword.name().to_lowercase()];
        assert!(rule.is_object(), "no rule for {}", keyword.name());
    }
    assert_eq!(listed_in_query("((element)"), elements());
    assert_eq!(
        listed_in_query("((capability first: (name) @constant"),
        capability_kinds()
    );
    let upper = capability_kinds().into_iter().filter(|k| is_upper(k));
    assert_eq!(
        listed_in_query("((capability first: (name) @variable"),
        upper.collect()
    );
    assert_eq!(listed_in_query("((out first:"), output_kinds());
}

/// The values of all `STRING` rules.
fn strings(rule: &Value, found: &mut Words) {
    match rule {
        Value::Object(fields) => {
            if fields.get("type").is_some_and(|t| t == "STRING") {
                found.insert(fields["value"].as_str().unwrap().to_owned());
            }
            fields.values().for_each(|field| strings(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn textmate() -> Value {
    serde_json::from_str(&read("editors/vscode/syntaxes/runefile.tmLanguage.json")).unwrap()
}

/// The alternatives of the first `(?:...)` of a rule's `match`.
fn alternatives(grammar: &Value, rule: &str) -> Words {
    let pattern = grammar["repository"][rule]["match"].as_str().unwrap();
    let (_, rest) = pattern.split_once("(?:").unwrap();
    words(rest.split_once(')').unwrap().0.split('|'))
}

#[test]
fn textmate_has_the_words_of_the_compiler() {
    let grammar = textmate();
    assert_eq!(alternatives(&grammar, "element"), elements());
    let mut kinds = alternatives(&grammar, "capability-kind");
    assert!(kinds.iter().all(|k| is_upper(k)), "{kinds:?}");
    kinds.append(&mut alternatives(&grammar, "capability-kind-in-lower-case"));
    assert_eq!(kinds, capability_kinds());
    assert_eq!(alternatives(&grammar, "output-kind"), output_kinds());
    let begins = grammar["repository"].as_object().unwrap().values();
    let begins = begins.filter_map(|rule| {
        let name = rule["name"].as_str()?;
        name.starts_with("meta.instruction.")
            .then(|| rule["begin"].as_str().unwrap())
    });
    let found: Vec<&str> = begins
        .filter_map(|begin| {
            Keyword::ALL
                .iter()
                .find(|k| begin.contains(&format!("({})", k.name())))
        })
        .map(|k| k.name())
        .collect();
    assert_eq!(found.len(), Keyword::ALL.len());
    assert_eq!(words(found), keywords());
    let included = read("editors/vscode/syntaxes/runefile.tmLanguage.json");
    for rule in grammar["repository"].as_object().unwrap().keys() {
        assert!(
            included.contains(&format!("\"#{rule}\"")),
            "nothing includes {rule}"
        );
    }
    for part in included.split("\"#").skip(1) {
        let rule = part.split('"').next().unwrap();
        assert!(grammar["repository"][rule].is_object(), "no rule {rule}");
    }
}

#[test]
fn vscode_has_the_words_of_the_compiler() {
    let configuration: Value =
        serde_json::from_str(&read("editors/vscode/language-configuration.json")).unwrap();
    assert_eq!(configuration["comments"]["lineComment"], "#");
    for rule in ["increaseIndentPattern", "decreaseIndentPattern"] {
        let pattern = configuration["indentationRules"][rule].as_str().unwrap();
        let (_, rest) = pattern.split_once("(?:").unwrap();
        let listed = words(rest.split_once(')').unwrap().0.split('|'));
        assert_eq!(listed, keywords(), "{rule}");
    }
    let manifest: Value = serde_json::from_str(&read("editors/vscode/package.json")).unwrap();
    let languages = &manifest["contributes"]["languages"];
    assert_eq!(languages[0]["id"], "runefile");
    assert_eq!(
        textmate()["scopeName"],
        manifest["contributes"]["grammars"][0]["scopeName"]
    );
    let version = manifest["version"].as_str().unwrap();
    let cargo: toml::Table = read("Cargo.toml").parse().unwrap();
    assert_eq!(
        cargo["workspace"]["package"]["version"].as_str(),
        Some(version)
    );
}
