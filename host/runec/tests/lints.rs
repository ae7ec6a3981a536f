//! Lints as users meet them: the pages about them, `runec lint`, and what fixes do to Runefiles.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use rune_ir::{
    diag::{Code, Diagnostic, Safety, Severity, has_errors},
    env::{Env, Unbuilt},
};
use rune_runefile::lint::{LINTS, Level, apply_edits};
use runec::{
    Options,
    config::Config,
    driver::{self, Request},
    fix,
    memo::Memo,
    world::World,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The catalogue, and for any other file what a test wants.
struct Overlay {
    world: World,
    model: Arc<[u8]>,
}

impl Overlay {
    /// A model for every path that ends in `.tflite`, and four labels for the others.
    fn new(model: &str) -> Self {
        Self {
            world: World::new(root()),
            model: fs::read(root().join("examples").join(model))
                .unwrap()
                .into(),
        }
    }
}

impl Env for Overlay {
    fn file(&self, path: &str) -> Result<Arc<[u8]>, String> {
        Ok(
            if Path::new(path).extension().is_some_and(|e| e == "tflite") {
                self.model.clone()
            } else {
                Arc::from(b"one\ntwo\nthree\nfour\n".as_slice())
            },
        )
    }

    fn block(&self, name: &str) -> Option<Arc<[u8]>> {
        self.world.block(name)
    }

    fn folder_block(&self, path: &str, build: bool) -> Option<Result<Arc<[u8]>, Unbuilt>> {
        self.world.folder_block(path, build)
    }

    fn resolve_block(&self, name: &str) -> Option<String> {
        self.world.resolve_block(name)
    }

    fn blocks(&self) -> Vec<String> {
        self.world.blocks()
    }

    fn has_image(&self, name: &str) -> bool {
        self.world.has_image(name)
    }

    fn images(&self) -> Vec<String> {
        self.world.images()
    }
}

/// What is found in a text with every lint on.
fn found(text: &str, env: &dyn Env) -> Vec<Diagnostic> {
    let mut config = Config::default();
    for code in Code::ALL.iter().filter(|c| !c.on_by_default()) {
        config.levels.set(*code, Level::Note);
    }
    let request = Request {
        config: Arc::new(config),
        ..Request::new("Runefile", "case", text.as_bytes(), env)
    };
    driver::analyse(&request).diagnostics
}

/// The texts of the Runefiles on a page.
fn examples(page: &str) -> Vec<String> {
    let after = page.split("```runefile\n").skip(1);
    after
        .map(|t| t.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_example_of_every_page_is_found_and_its_repair_is_not() {
    for lint in Code::ALL.iter().filter(|c| c.is_lint()) {
        let page = fs::read_to_string(root().join(format!("docs/errors/{lint}.md"))).unwrap();
        let env = Overlay::new(if *lint == Code::QuantizationMismatch {
            "keyword/keyword.tflite"
        } else {
            "paper/example.tflite"
        });
        let examples = examples(&page);
        let [faulty, repaired] = examples.as_slice() else {
            panic!("{lint} has {} examples", examples.len());
        };
        let is_it = |d: &Diagnostic| d.code == *lint;
        let bad = found(faulty, &env);
        assert!(
            bad.iter().any(is_it) && !has_errors(&bad),
            "{lint}\n{faulty}\n{bad:#?}"
        );
        let good = found(repaired, &env);
        assert!(
            !good.iter().any(is_it) && !has_errors(&good),
            "{lint}\n{repaired}\n{good:#?}"
        );
    }
}

#[test]
fn the_table_of_the_book_is_that_of_the_codes() {
    let path = root().join("docs/book/lints.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page
        .split_once("| code | name | level | fix | |\n")
        .unwrap();
    let (_, after) = rest.split_once("\n\n").unwrap();
    let mut table = "| code | name | level | fix | |\n|---|---|---|---|---|\n".to_owned();
    for code in Code::ALL.iter().filter(|c| c.severity() != Severity::Error) {
        let level = match code.severity() {
            _ if !code.on_by_default() => "off",
            Severity::Warning => "warning",
            Severity::Note | Severity::Error => "note",
        };
        let page = fs::read_to_string(root().join(format!("docs/errors/{code}.md"))).unwrap();
        let env = |model| Overlay::new(model);
        let models = ["paper/example.tflite", "keyword/keyword.tflite"];
        // What an example shows is what there is: safe, unsafe, or nothing.
        let safety = models.iter().find_map(|model| {
            let faulty = examples(&page).into_iter().next()?;
            let found = found(&faulty, &env(model));
            let fixes = found
                .into_iter()
                .filter(|d| d.code == *code)
                .flat_map(|d| d.fixes);
            fixes.map(|f| f.safety).min()
        });
        let fix = match safety {
            Some(Safety::Safe) => "safe",
            Some(Safety::Unsafe) => "unsafe",
            None => "",
        };
        let (number, name, summary) = (code.number(), code.name(), code.summary());
        writeln!(
            table,
            "| [{number}](../errors/{number}.md) | `{name}` | {level} | {fix} | {summary} |"
        )
        .unwrap();
    }
    let due = format!("{before}{table}\n{after}");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &due).unwrap();
    }
    assert!(
        page == due,
        "docs/book/lints.md is not what the codes say; write it with BLESS=1"
    );
    assert_eq!(LINTS.len(), 28);
}

/// An empty folder with a Runefile, of one test alone.
fn with(name: &str, text: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("lints")
        .join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join(".git")).unwrap();
    fs::write(folder.join("Runefile"), text).unwrap();
    folder
}

/// Exit status, standard output and standard error.
fn runec(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_runec"))
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

const MESSY: &str = "\
FROM runicos/base
RESOURCE labels --text \"one\"
LABEL name=a version=1.2
LABEL name=b
CAPABILITY<F32[4]> rand x # as it comes
PROC_BLOCK runicos/softmax first
PROC_BLOCK runicos/softmax second
OUT serial
RUN x first second serial
";

const SAFELY_FIXED: &str = "\
FROM runicos/base
RESOURCE labels --text \"one\"
LABEL version=1.2
LABEL name=b
CAPABILITY<F32[4]> RAND x # as it comes
PROC_BLOCK runicos/softmax first
PROC_BLOCK runicos/softmax second
OUT SERIAL
RUN x first second serial
";

#[test]
fn fix_writes_safe_fixes_and_says_what_is_left() {
    let folder = with("fix", MESSY);
    let (status, out, err) = runec(&folder, &["lint", "--fix"]);
    assert_eq!((status, out.as_str()), (0, ""), "{err}");
    let read = || fs::read_to_string(folder.join("Runefile")).unwrap();
    assert_eq!(read(), SAFELY_FIXED);
    assert!(err.contains("R1013") && err.contains("R1026"), "{err}");
    assert!(
        err.contains("applied 3 fixes") && err.contains("3 more with --unsafe-fixes"),
        "{err}"
    );
    let (status, _, err) = runec(&folder, &["lint", "--fix", "--unsafe-fixes"]);
    assert_eq!(status, 0, "{err}");
    assert!(read().contains("version=1.2.0") && read().contains("RUN x first serial"));
    let (_, _, err) = runec(&folder, &["lint", "--fix"]);
    assert!(!err.contains("applied"), "{err}");
}

#[test]
fn diff_shows_and_writes_nothing() {
    let folder = with("diff", MESSY);
    let (status, out, err) = runec(&folder, &["lint", "--diff"]);
    assert_eq!(status, 1, "{err}");
    assert!(out.contains("\n-OUT serial\n+OUT SERIAL\n"), "{out}");
    assert_eq!(fs::read_to_string(folder.join("Runefile")).unwrap(), MESSY);
    let clean = with("diff-clean", SAFELY_FIXED);
    let (status, out, _) = runec(&clean, &["lint", "--diff"]);
    assert_eq!((status, out.as_str()), (0, ""));
}

#[test]
fn levels_come_from_the_project_and_then_the_command_line() {
    let folder = with("levels", MESSY);
    let lint = |args: &[&str]| runec(&folder, &[&["lint"], args].concat());
    assert_eq!(lint(&[]).0, 0);
    assert_eq!(lint(&["--deny", "warnings"]).0, 1);
    assert_eq!(lint(&["--deny", "softmax-twice"]).0, 1);
    fs::write(
        folder.join("Rune.toml"),
        "[lints]\nsoftmax-twice = \"deny\"\n",
    )
    .unwrap();
    let (status, _, err) = lint(&[]);
    assert!(status == 1 && err.contains("error[R1013]"), "{err}");
    // What is denied stops a build, and nothing else that is a lint is spoken of there.
    let (status, _, err) = runec(&folder, &["build", "-o", "x.rune"]);
    assert!(
        status == 1 && err.contains("error[R1013]") && !err.contains("R1003"),
        "{err}"
    );
    assert_eq!(lint(&["--allow", "softmax-twice"]).0, 0);
    let (_, _, err) = lint(&["--publish"]);
    assert!(err.contains("R1027"), "{err}");
    let (status, _, err) = lint(&["--deny", "softmax-twise"]);
    assert!(
        status == 2 && err.contains("did you mean softmax-twice?"),
        "{err}"
    );
    let (status, _, err) = lint(&["--allow", "R0101"]);
    assert!(status == 2 && err.contains("is an error"), "{err}");
}

#[test]
fn a_faulty_rune_toml_is_shown_where_it_is_faulty() {
    let folder = with("faulty", SAFELY_FIXED);
    fs::write(
        folder.join("Rune.toml"),
        "[lints]\nsoftmax-twise = \"deny\"\n",
    )
    .unwrap();
    let (status, _, err) = runec(&folder, &["check"]);
    assert_eq!(status, 1, "{err}");
    assert!(
        err.contains("error[R0902]") && err.contains("Rune.toml:2:1"),
        "{err}"
    );
}

#[test]
fn statistics_count_by_code() {
    let folder = with("statistics", MESSY);
    let (status, out, _) = runec(&folder, &["lint", "--statistics"]);
    assert_eq!(status, 0);
    let first = out
        .lines()
        .next()
        .unwrap()
        .split_whitespace()
        .collect::<Vec<_>>();
    assert_eq!(first, ["2", "R1024", "old-spelling"], "{out}");
}

#[test]
fn standard_input_is_fixed_to_standard_output() {
    use std::io::Write;
    let folder = with("stdin", "");
    let mut child = Command::new(env!("CARGO_BIN_EXE_runec"))
        .args(["lint", "--fix", "-"])
        .current_dir(&folder)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(MESSY.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), SAFELY_FIXED);
}

#[test]
fn what_could_not_be_written_is_not_said_to_be_fixed() {
    let folder = with("unwritten", "");
    // There is no room for the ending of the file that would take its place.
    let name = format!("{}.Runefile", "x".repeat(240));
    fs::write(folder.join(&name), MESSY).unwrap();
    for (command, never) in [(["lint", "--fix"], "applied"), (["fmt", "--"], "formatted")] {
        let (status, _, err) = runec(&folder, &[command[0], command[1], &name]);
        assert_eq!(status, 2, "{err}");
        assert!(err.contains("cannot be written"), "{err}");
        assert!(!err.contains(never), "{err}");
    }
    assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), MESSY);
}

/// The type that is meant by `float` fits nothing here, so that fix waits for a person; it holds up no other.
#[test]
fn one_fix_that_brings_up_an_error_is_left_out() {
    let mut text = "FROM runicos/base\nCAPABILITY<float[5]> RAND five\n".to_owned();
    let messy = |i| format!("CAPABILITY<F32[4]> x{i} RAND\nOUT SERIAL s{i}\nRUN x{i} s{i}\n");
    text.extend((0..25).map(messy));
    text += "PROC_BLOCK<I32[5] -> I32[5]> runicos/modulo m\nOUT SERIAL last\nRUN five m last\n";
    let folder = with("culprit", &text);
    let (status, _, err) = runec(&folder, &["lint", "--unsafe-fixes"]);
    assert_eq!(status, 1, "{err}");
    let fixed = fs::read_to_string(folder.join("Runefile")).unwrap();
    assert!(fixed.contains("<float[5]>"), "{fixed}");
    assert_eq!(
        fixed.matches("CAPABILITY<F32[4]> RAND x").count(),
        25,
        "{err}"
    );
}

#[test]
fn fixed_text_and_findings_for_programs_do_not_mix() {
    let folder = with("mix", MESSY);
    for args in [
        &["lint", "--fix", "-", "--message-format", "json"][..],
        &["lint", "--diff", "--message-format", "sarif"],
        &["lint", "--statistics", "--message-format", "json"],
    ] {
        let (status, out, err) = runec(&folder, args);
        assert_eq!((status, out.as_str()), (2, ""), "{args:?}");
        assert!(err.contains("message-format"), "{err}");
    }
    let (status, out, _) = runec(&folder, &["lint", "--fix", "--message-format", "json"]);
    assert_eq!(status, 0);
    assert!(out.starts_with('{'), "{out}");
}

/// Marsaglia's xorshift, 64 bits.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

/// Lines that something is to be said of, each right by itself.
const FAULTS: [&str; 9] = [
    "RESOURCE spare --text \"a\"",
    "LABEL name=a",
    "LABEL name=b title=\"A # b\" # why",
    "LABEL version=1.0.0 name=c",
    "# runec: ignore[R1002]",
    "# runec: ignore[R1001, nonsense, R0101]",
    "CAPABILITY<F32[2]> rand spare_numbers --min 0 --max=1",
    "PROC_BLOCK hotg-ai/rune#proc_blocks/modulo spare_block --modulus 1.0",
    "PROC_BLOCK<F32[2] -> F32[2]> other_block runicos/normalize",
];

const SEEDS: [&str; 3] = [
    "FROM runicos/base\nCAPABILITY<F32[4]> rand x --max 1 \\\n  --min 0.0\nPROC_BLOCK runicos/softmax p\n\
     PROC_BLOCK hotg-ai/proc-blocks#modulo m --modulus 1\nOUT serial\nRUN x p m serial\n",
    "FROM runicos/base\r\nCAPABILITY<U8[4]> RAND x\r\nPROC_BLOCK most_confident_indices best --count=1 # ü\r\n\
     PROC_BLOCK runicos/label label --labels a,b,c,d\r\nOUT SERIAL\r\nRUN x best label serial\r\n",
    "\u{FEFF}FROM runicos/base\nCAPABILITY accelerometer ACCEL -n 4\nPROC_BLOCK runicos/normalize n\n\
     OUT SERIAL\nRUN accelerometer n serial",
];

fn faulty(random: &mut Random, damage: bool) -> String {
    let seed = SEEDS[random.below(SEEDS.len())];
    let mut lines: Vec<String> = seed.split_inclusive('\n').map(str::to_owned).collect();
    for _ in 0..=random.below(4) {
        // Not into an instruction that goes on.
        let mut at = 1 + random.below(lines.len() - 1);
        while lines[at - 1].trim_end().ends_with('\\') {
            at += 1;
        }
        lines.insert(at, format!("{}\n", FAULTS[random.below(FAULTS.len())]));
    }
    let mut text = lines.concat();
    if damage {
        let mut bytes = text.into_bytes();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            let end = (at + random.below(8)).min(bytes.len());
            match random.below(3) {
                0 => drop(bytes.drain(at..end)),
                1 => bytes[at] = b" \n#-=,\\<[\"x"[random.below(11)],
                _ => bytes.splice(at..at, *b" # ").for_each(drop),
            }
        }
        text = String::from_utf8_lossy(&bytes).into_owned();
    }
    text
}

/// Every code that is an error, with how often it comes.
fn errors(found: &[Diagnostic]) -> Vec<Code> {
    let errors = found.iter().filter(|d| d.severity == Severity::Error);
    let mut codes: Vec<Code> = errors.map(|d| d.code).collect();
    codes.sort();
    codes
}

fn check_edits(text: &str, found: &[Diagnostic]) {
    for fix in found.iter().flat_map(|d| &d.fixes) {
        let mut end = 0;
        for edit in &fix.edits {
            let span = edit.span;
            let piece = text.get(span.start as usize..span.end as usize);
            assert!(piece.is_some(), "{fix:?} is outside of\n{text}");
            assert!(end <= span.start, "{fix:?} overlaps itself in\n{text}");
            end = span.end;
        }
        assert_ne!(
            apply_edits(text, &fix.edits),
            text,
            "{fix:?} changes nothing in\n{text}"
        );
    }
}

/// A request about a text that shares what is known.
fn request<'a>(text: &'a str, env: &'a Overlay, memo: &Memo, config: &Arc<Config>) -> Request<'a> {
    Request {
        memo: memo.clone(),
        config: config.clone(),
        ..Request::new("Runefile", "case", text.as_bytes(), env)
    }
}

#[test]
fn safe_fixes_leave_the_rune_as_it_is() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let env = Overlay::new("paper/example.tflite");
    let memo = Memo::new();
    let mut config = Config::default();
    for code in Code::ALL.iter().filter(|c| !c.on_by_default()) {
        config.levels.set(*code, Level::Note);
    }
    let config = Arc::new(config);
    let (mut same, mut repaired) = (0, BTreeSet::new());
    for round in 0..400 {
        let text = faulty(&mut random, round % 2 == 1);
        let before = driver::analyse(&request(&text, &env, &memo, &config));
        check_edits(&text, &before.diagnostics);
        let fixed = fix::fix(&request(&text, &env, &memo, &config), Safety::Safe);
        let (old, new) = (
            errors(&before.diagnostics),
            errors(&fixed.checked.diagnostics),
        );
        assert!(
            new.len() <= old.len(),
            "round {round}\n{text}\n{}\n{new:?}",
            fixed.text
        );
        let again = fix::fix(&request(&fixed.text, &env, &memo, &config), Safety::Safe);
        assert!(
            again.applied.is_empty(),
            "round {round}\n{}\n{:?}",
            fixed.text,
            again.applied
        );
        repaired.extend(fixed.applied.iter().map(|(code, _)| *code));
        let wild = fix::fix(&request(&text, &env, &memo, &config), Safety::Unsafe);
        assert!(
            errors(&wild.checked.diagnostics).len() <= old.len(),
            "round {round}\n{text}\n{}",
            wild.text
        );
        if fixed.applied.is_empty() || !old.is_empty() {
            continue;
        }
        let bytes = |text: &str| {
            let checked = driver::analyse(&Request {
                build: true,
                ..request(text, &env, &memo, &config)
            });
            driver::generate(checked, &Options::default())
                .output
                .map(|o| o.wasm)
        };
        let rune = bytes(&text);
        assert!(rune.is_some(), "round {round}\n{text}");
        assert!(
            rune == bytes(&fixed.text),
            "round {round}: another rune\n{text}\nbecame\n{}",
            fixed.text
        );
        same += 1;
    }
    // Each kind of safe fix must have been tried.
    assert!(same > 100 && repaired.len() >= 5, "{same} {repaired:?}");
}

#[test]
fn examples_have_nothing_to_warn_of() {
    for example in ["digits", "gesture", "keyword", "sine"] {
        let folder = root().join("examples").join(example);
        let text = fs::read(folder.join("Runefile")).unwrap();
        let world = World::new(&folder);
        let found = driver::analyse(&Request::new("Runefile", example, &text, &world)).diagnostics;
        assert!(found.is_empty(), "{example}\n{found:#?}");
    }
}

#[test]
fn a_fault_that_runefiles_share_is_told_once() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shared-fault");
    let _ = fs::remove_dir_all(&folder);
    for name in ["a", "b", "c"] {
        fs::create_dir_all(folder.join(name)).unwrap();
        let text = "FROM runicos/base\nCAPABILITY<F32> RAND x\nOUT SERIAL\nRUN x serial\n";
        fs::write(folder.join(name).join("Runefile"), text).unwrap();
    }
    fs::write(
        folder.join("Rune.toml"),
        "[lints]\nno-such-lint = \"deny\"\n",
    )
    .unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_runec"))
        .arg("check")
        .current_dir(&folder)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.matches("[R0902]").count(), 1, "{said}");
    assert_eq!(output.status.code(), Some(1));
}
