//! The formats of diagnostics, as the programs that read them would.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

#[path = "formats/schema.rs"]
mod schema;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use codespan_reporting::term::termcolor::NoColor;
use rune_ir::diag::{Code, Diagnostic, Edit, FileId, Fix, Safety, Severity, Sources, Span};
use runec::{cli::MessageFormat, report::Reporter};
use serde_json::Value;

const GOOD: &str = "\
FROM runicos/base
CAPABILITY<F32[4]> RAW x
PROC_BLOCK runicos/modulo m --modulus 2
OUT SERIAL
RUN x m serial
";

/// A folder that is of one test alone, with these files.
fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("formats")
        .join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn runec(folder: &Path, args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_runec"))
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

/// Exit status, standard output, standard error.
fn said(output: &Output) -> (i32, &str, &str) {
    (
        output.status.code().unwrap(),
        std::str::from_utf8(&output.stdout).unwrap(),
        std::str::from_utf8(&output.stderr).unwrap(),
    )
}

/// Three Runefiles: one that is right, one with two errors, one with a warning.
fn three(name: &str) -> PathBuf {
    let bad = GOOD
        .replace("modulo m", "modulu m")
        .replace("RUN x m", "RUN ü m");
    let warned = GOOD.replace("OUT", "CAPABILITY<F32[1]> RAW spare\nOUT");
    folder(
        name,
        &[
            ("a/Runefile", GOOD),
            ("b/ü & <c>.Runefile", &bad),
            ("c/Runefile", &warned),
        ],
    )
}

fn read_json(path: impl AsRef<Path>) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The schema of our JSON, which is documented.
fn own_schema() -> Value {
    read_json(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/diagnostic.json"))
}

/// The official schema of SARIF 2.1.0, as the package `serde-sarif` carries it.
fn sarif_schema() -> Value {
    // What other systems need has not been fetched where only this one was built for.
    let rustc = Command::new("rustc").arg("-vV").output().unwrap().stdout;
    let rustc = String::from_utf8(rustc).unwrap();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: "));
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .args(["--filter-platform", host.unwrap()])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages
        .iter()
        .find(|p| p["name"] == "serde-sarif")
        .unwrap();
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    let schema = read_json(manifest.with_file_name("src/schema.json"));
    assert!(
        schema["title"].as_str().unwrap().contains("Version 2.1.0"),
        "{}",
        schema["title"]
    );
    schema
}

/// A log that a reader with types for every part of it gives back as it was.
fn check_sarif(schema: &Value, log: &Value) {
    let faults = schema::faults(schema, log);
    assert!(faults.is_empty(), "{faults:#?}\n{log:#}");
    let typed: serde_sarif::sarif::Sarif = serde_json::from_value(log.clone()).unwrap();
    let again = serde_json::to_value(typed).unwrap();
    assert_eq!(sorted(&again), sorted(log));
}

/// A value with its properties in order, numbers compared as numbers.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<_> = object.iter().map(|(k, v)| (k.clone(), sorted(v))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Makes a value wrong.
type Break = fn(&mut Value);

#[test]
fn a_schema_that_is_broken_is_noticed() {
    let schema = own_schema();
    let folder = three("broken");
    let output = runec(&folder, &["check", "--message-format", "json"], "");
    let (_, out, _) = said(&output);
    let good: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    assert_eq!(schema::faults(&schema, &good), [""; 0]);
    let breaks: [(&str, Break); 5] = [
        ("code", |v| v["code"] = "E1".into()),
        ("severity", |v| v["severity"] = "fatal".into()),
        ("place", |v| v["primary"]["place"]["line"] = 0.into()),
        ("message", |v| {
            drop(v.as_object_mut().unwrap().remove("message"));
        }),
        ("more", |v| v["more"] = true.into()),
    ];
    for (what, breaks) in breaks {
        let mut bad = good.clone();
        breaks(&mut bad);
        assert_eq!(schema::faults(&schema, &bad).len(), 1, "{what}");
    }
}

#[test]
fn json_is_as_its_schema_says() {
    let folder = three("json");
    let output = runec(&folder, &["check", "--message-format", "json"], "");
    let (code, out, err) = said(&output);
    assert_eq!((code, err), (1, ""));
    let schema = own_schema();
    let found: Vec<Value> = out
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    for diagnostic in &found {
        assert_eq!(
            schema::faults(&schema, diagnostic),
            [""; 0],
            "{diagnostic:#}"
        );
    }
    let codes: Vec<&str> = found.iter().map(|d| d["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["R0105", "R0001", "R0405"]);
    assert_eq!(found[1]["primary"]["place"]["file"], "b/ü & <c>.Runefile");
    assert_eq!(found[1]["primary"]["place"]["end_column"], 6);
}

#[test]
fn sarif_is_as_the_official_schema_says() {
    let folder = three("sarif");
    let args = ["check", "--message-format", "sarif", ".", "gone"];
    let output = runec(&folder, &args, "");
    let (code, out, err) = said(&output);
    assert_eq!((code, err), (2, "error: there is no gone\n"));
    let log: Value = serde_json::from_str(out).unwrap();
    check_sarif(&sarif_schema(), &log);
    let run = &log["runs"][0];
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["exitCode"], 2);
    assert_eq!(invocation["executionSuccessful"], false);
    let notes = &invocation["toolExecutionNotifications"];
    assert_eq!(notes[0]["message"]["text"], "there is no gone");
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    for result in results {
        let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(
            rule["help"]["markdown"]
                .as_str()
                .unwrap()
                .contains("## Example")
        );
        let place = &result["locations"][0]["physicalLocation"];
        let artifact = &place["artifactLocation"];
        let index = artifact["index"].as_u64().unwrap() as usize;
        assert_eq!(run["artifacts"][index]["location"]["uri"], artifact["uri"]);
    }
    let place = &results[1]["locations"][0]["physicalLocation"];
    assert_eq!(
        place["artifactLocation"]["uri"],
        "b/%C3%BC%20&%20%3Cc%3E.Runefile"
    );
    assert_eq!(place["region"]["snippet"]["text"], "ü");
    assert_eq!(place["region"]["charLength"], 1);
    assert_eq!(place["region"]["byteLength"], 2);
}

#[test]
fn fingerprints_stay_when_lines_above_come_and_go() {
    let bad = GOOD.replace("RUN x", "RUN y");
    let folder = folder("fingerprints", &[("Runefile", &bad)]);
    let prints = || -> Vec<String> {
        let output = runec(&folder, &["check", "--message-format", "sarif"], "");
        let log: Value = serde_json::from_str(said(&output).1).unwrap();
        let results = log["runs"][0]["results"].as_array().unwrap().clone();
        let print = |r: &Value| {
            r["partialFingerprints"]["runec/v1"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        results.iter().map(print).collect()
    };
    let before = prints();
    assert_eq!(before.len(), 1);
    fs::write(folder.join("Runefile"), format!("# new\n\n{bad}")).unwrap();
    assert_eq!(prints(), before);
    fs::write(
        folder.join("Runefile"),
        format!("{bad}RUN y m serial\nRUN z m\n"),
    )
    .unwrap();
    let after = prints();
    assert!(after.contains(&before[0]) && after.len() > 1, "{after:?}");
    assert!(
        (1..after.len()).all(|i| !after[..i].contains(&after[i])),
        "{after:?}"
    );
}

#[test]
fn github_has_one_command_for_each_diagnostic() {
    let folder = three("github");
    let output = runec(
        &folder,
        &["check", "--message-format", "github", ".", "gone"],
        "",
    );
    let (code, out, err) = said(&output);
    assert_eq!((code, err), (2, "error: there is no gone\n"));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 4, "{out}");
    assert!(
        lines[1].starts_with(
            "::error file=b/ü & <c>.Runefile,line=5,col=5,endColumn=6,endLine=5,title=R0001 syntax::"
        ),
        "{out}"
    );
    assert!(
        lines[2].starts_with("::warning file=c/Runefile,line=4,"),
        "{out}"
    );
    assert_eq!(lines[3], "::error title=runec::there is no gone");
}

#[test]
fn junit_has_a_suite_for_each_runefile() {
    let folder = three("junit");
    let output = runec(&folder, &["check", "--message-format", "junit"], "");
    let (code, out, err) = said(&output);
    assert_eq!((code, err), (1, ""));
    let document = roxmltree::Document::parse(out).unwrap();
    let root = document.root_element();
    let number = |node: roxmltree::Node<'_, '_>, name: &str| -> usize {
        node.attribute(name).unwrap().parse().unwrap()
    };
    assert_eq!(
        (
            number(root, "tests"),
            number(root, "failures"),
            number(root, "errors")
        ),
        (4, 2, 0)
    );
    let suites: Vec<_> = root
        .children()
        .filter(roxmltree::Node::is_element)
        .collect();
    let shape: Vec<_> = suites
        .iter()
        .map(|s| {
            (
                s.attribute("name").unwrap(),
                number(*s, "tests"),
                number(*s, "failures"),
            )
        })
        .collect();
    assert_eq!(
        shape,
        [
            ("a/Runefile", 1, 0),
            ("b/ü & <c>.Runefile", 2, 2),
            ("c/Runefile", 1, 0)
        ]
    );
    let failure = suites[1]
        .descendants()
        .find(|n| n.has_tag_name("failure"))
        .unwrap();
    assert_eq!(failure.attribute("type"), Some("R0105"));
    assert!(failure.text().unwrap().contains("did you mean"), "{out}");
    assert!(
        suites[2]
            .descendants()
            .any(|n| n.has_tag_name("system-out"))
    );
}

#[test]
fn standard_input_is_a_file_of_the_name_it_is_given() {
    let folder = folder("stdin", &[("in/model.tflite", "not a model")]);
    let output = runec(&folder, &["check", "-"], &GOOD.replace("modulo", "modulu"));
    let (code, _, err) = said(&output);
    assert!(code == 1 && err.contains("<stdin>:3:12"), "{err}");
    let text = "FROM runicos/base\nCAPABILITY<F32[1]> RAW x\nMODEL ./model.tflite m\nOUT SERIAL\nRUN x m serial\n";
    let named = ["check", "-", "--stdin-filename", "in/Runefile"];
    let output = runec(&folder, &named, text);
    let (code, _, err) = said(&output);
    // The model is found beside the name, and is none.
    assert!(
        code == 1 && err.contains("in/Runefile:3:7") && err.contains("R0501"),
        "{err}"
    );
    let output = runec(
        &folder,
        &["check", "--stdin-filename", "x", "in/model.tflite"],
        "",
    );
    assert_eq!(said(&output).0, 2);
}

#[test]
fn quiet_leaves_the_diagnostics() {
    let folder = three("quiet");
    let loud = runec(&folder, &["check"], "");
    let quiet = runec(&folder, &["check", "-q"], "");
    let summary = "2 errors, 1 warning in 2 of 3 Runefiles";
    assert!(said(&loud).2.contains(summary), "{}", said(&loud).2);
    assert!(said(&loud).2.starts_with(said(&quiet).2));
    assert!(said(&quiet).2.ends_with("\n\n"), "{}", said(&quiet).2);
}

/// The output is the same whichever thread was faster, and sorted by path.
#[test]
fn many_runefiles_are_reported_in_order() {
    let files: Vec<(String, String)> = (0..60)
        .map(|i| {
            let text = if i % 3 == 0 {
                GOOD.to_owned()
            } else {
                GOOD.replace("RUN x", "RUN y")
            };
            (format!("d{i:02}/Runefile"), text)
        })
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(p, t)| (p.as_str(), t.as_str()))
        .collect();
    let folder = folder("many", &files);
    for format in ["json", "human"] {
        let args = ["check", "--message-format", format];
        let first = runec(&folder, &args, "");
        assert_eq!(first, runec(&folder, &args, ""));
        let (code, out, err) = said(&first);
        assert_eq!(code, 1);
        let places: Vec<&str> = [out, err]
            .iter()
            .flat_map(|text| {
                text.match_indices("/Runefile")
                    .map(|(i, _)| &text[i - 3..i])
            })
            .collect();
        assert_eq!(places.len(), 40, "{out}{err}");
        assert!(places.is_sorted(), "{places:?}");
    }
}

/// The generator of Marsaglia's "Xorshift RNGs", 64 bits.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }

    /// Text in which everything is that one might trip over.
    fn text(&mut self, most: usize) -> String {
        const PIECES: [&str; 24] = [
            "RUN",
            " ",
            "\n",
            "\r\n",
            "\r",
            "\t",
            "é",
            "名前",
            "👩‍🚀",
            "\0",
            "\u{1b}[31m",
            "\u{9b}",
            "\u{202e}",
            "%",
            "::",
            ",",
            "&",
            "<",
            "]]>",
            "\"",
            "\u{feff}",
            "\u{ffff}",
            "\u{2028}",
            "a long word ",
        ];
        let repeat = if self.below(20) == 0 { 200 } else { 1 };
        (0..self.below(most + 1))
            .map(|_| PIECES[self.below(PIECES.len())].repeat(self.below(repeat) + 1))
            .collect()
    }

    fn span(&mut self, sources: &Sources) -> Span {
        let file = FileId(self.below(sources.iter().count()) as u32);
        // Beyond the end and within characters too.
        let most = sources.text(file).len() + 3;
        let (a, b) = (self.below(most), self.below(most));
        let b = if self.below(4) == 0 { a } else { b };
        Span::new(file, a.min(b), a.max(b))
    }

    fn sources(&mut self) -> Sources {
        let mut sources = Sources::default();
        for _ in 0..=self.below(3) {
            let (name, text) = (self.text(4), self.text(30));
            sources.add(name, text);
        }
        sources
    }

    fn diagnostic(&mut self, sources: &Sources) -> Diagnostic {
        let code = Code::ALL[self.below(Code::ALL.len())];
        let mut found = Diagnostic::new(code, self.span(sources), self.text(5)).at(self.text(3));
        found.severity = [Severity::Note, Severity::Warning, Severity::Error][self.below(3)];
        for _ in 0..self.below(4) {
            found = found.also(self.span(sources), self.text(3));
        }
        for _ in 0..self.below(2) {
            found = found.note(self.text(3)).hint(self.text(3));
        }
        for _ in 0..self.below(3) {
            let edits = (0..self.below(4))
                .map(|_| Edit {
                    span: self.span(sources),
                    text: self.text(4),
                })
                .collect();
            let safety = [Safety::Safe, Safety::Unsafe][self.below(2)];
            found = found.fix(Fix {
                title: self.text(3),
                edits,
                safety,
            });
        }
        found
    }
}

#[test]
fn whatever_a_diagnostic_holds_every_format_is_well_formed() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (own, sarif) = (own_schema(), sarif_schema());
    for round in 0..400 {
        let files: Vec<(Sources, Vec<Diagnostic>)> = (0..random.below(4))
            .map(|_| {
                let sources = random.sources();
                let found = (0..random.below(5))
                    .map(|_| random.diagnostic(&sources))
                    .collect();
                (sources, found)
            })
            .collect();
        let faults: Vec<String> = (0..random.below(3)).map(|_| random.text(5)).collect();
        let count: usize = files.iter().map(|(_, found)| found.len()).sum();
        let write = |format: MessageFormat| -> (String, String) {
            let (mut out, mut talk) = (Vec::new(), NoColor::new(Vec::new()));
            let mut reporter = Reporter::to(format, &mut out, &mut talk);
            for (sources, found) in &files {
                reporter.report(sources, found);
            }
            for fault in &faults {
                reporter.fault(fault);
            }
            reporter.finish(reporter.status());
            drop(reporter);
            let talk = String::from_utf8(talk.into_inner()).unwrap();
            (String::from_utf8(out).unwrap(), talk)
        };
        let (out, talk) = write(MessageFormat::Human);
        assert_eq!(out, "");
        let headers = |talk: &str| talk.matches("[R").count();
        assert!(headers(&talk) >= count, "round {round}: {talk}");
        let obeyed = |c: char| c.is_control() && !matches!(c, '\n' | '\t' | '\r');
        assert!(!talk.contains(obeyed), "round {round}: {talk:?}");
        let (out, _) = write(MessageFormat::Json);
        assert_eq!(out.lines().count(), count, "round {round}");
        for line in out.lines() {
            let value = serde_json::from_str(line).unwrap();
            assert_eq!(
                schema::faults(&own, &value),
                [""; 0],
                "round {round}: {line}"
            );
        }
        let (out, _) = write(MessageFormat::Github);
        let commands: Vec<&str> = out.split_terminator('\n').collect();
        assert_eq!(commands.len(), count + faults.len(), "round {round}: {out}");
        assert!(
            commands
                .iter()
                .all(|c| c.starts_with("::") && !c.contains('\r')),
            "round {round}"
        );
        let (out, _) = write(MessageFormat::Sarif);
        check_sarif(&sarif, &serde_json::from_str(&out).unwrap());
        let (out, _) = write(MessageFormat::Junit);
        let document = roxmltree::Document::parse(&out)
            .unwrap_or_else(|e| panic!("round {round}: {e}\n{out}"));
        let cases = document
            .descendants()
            .filter(|n| n.has_tag_name("testcase"))
            .count();
        let clean = files.iter().filter(|(_, found)| found.is_empty()).count();
        assert_eq!(cases, count + clean + faults.len(), "round {round}");
    }
}
