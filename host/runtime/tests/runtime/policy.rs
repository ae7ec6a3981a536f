//! Policies: what a file of them may say, what a rune gets by one, and what it never reaches.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::{fs::symlink, net::UnixListener},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use rune_abi::{CapabilityKind, ElementType, Value};
use rune_runtime::{GrantError, Limits, Policy, Rune};

use crate::support::{self, capability, echo, param, rune, ty};

fn folder(name: &str) -> PathBuf {
    support::folder("policy", name)
}

/// Two bytes of RAW per call, to `serial`.
fn raw(hop: i64) -> Vec<u8> {
    let mut raw = capability(CapabilityKind::Raw, "raw", ty(ElementType::U8, &[2]));
    raw.params = vec![param("hop", Value::Integer(hop))];
    echo(raw)
}

fn refused(policy: &str) -> Vec<String> {
    let policy = Policy::parse("p.toml", policy).unwrap();
    let rune = Rune::load(raw(2)).unwrap();
    match rune.grant_by(&policy, &[], &Limits::default()) {
        Err(GrantError::Refused(missing)) => missing,
        other => panic!("{:?}", other.map(drop)),
    }
}

const GOOD: &str = r#"version = 1
[limits]
memory-bytes = 65536
call-time-ms = 1000
[capabilities.raw]
kind = "RAW"
folder = "data"
files = ["in.bin"]
params.hop = { min = 1, max = 2 }
[outputs.serial]
kind = "SERIAL"
sink = "stdout"
"#;

#[test]
fn a_refusal_lists_everything_with_the_lines_that_would_allow_it() {
    let key = format!("ed25519:{}", "0123456789abcdef".repeat(4));
    let first = format!("version = 1\nsigners = [\"{key}\"]\nlimits.memory-bytes = 1000\n");
    let missing = refused(&first);
    assert_eq!(
        missing,
        [
            "the rune needs 65536 bytes of memory and the limit is 1000; p.toml would allow it with `limits.memory-bytes = 65536`",
            &format!(
                "the rune is not signed, and p.toml wants the signature of one of: {key}; have one of them sign it, or p.toml would take any rune, signed or not, with `signers = []`"
            ),
            "the rune reads RAW `raw` (U8[2]); p.toml would allow it with `capabilities.raw = { kind = \"RAW\", folder = \".\", files = [\"FILE\"] }`",
            "the rune writes SERIAL `serial`; p.toml would allow it with `outputs.serial = { kind = \"SERIAL\", sink = \"stdout\" }`",
        ]
    );
    // The lines do what they say: a policy of them refuses nothing, and only opening the file is left.
    let lines = missing.iter().map(|m| m.split('`').rev().nth(1).unwrap());
    let all = lines.fold("version = 1\n".to_owned(), |all, line| all + line + "\n");
    let policy = Policy::parse("p.toml", &all).unwrap();
    let rune = Rune::load(raw(2)).unwrap();
    let granted = rune.grant_by(&policy, &[], &Limits::default());
    assert!(matches!(granted, Err(GrantError::Source(_))), "{all}");
}

#[test]
fn parameters_outside_their_range_are_refused() {
    let policy = GOOD.replace("max = 2", "max = 1");
    assert_eq!(
        refused(&policy),
        [
            "the rune reads RAW `raw` (U8[2]) with hop 2; p.toml would allow it with `capabilities.raw.params.hop = { min = 2, max = 2 }`"
        ]
    );
    let other = GOOD.replace("params.hop", "params.length");
    assert!(refused(&other)[0].contains("does not say its length"));
    let kind = GOOD.replace("\"RAW\"", "\"SOUND\"");
    let kind = kind.replace("params.hop = { min = 1, max = 2 }\n", "");
    assert!(refused(&kind)[0].contains("`capabilities.raw.kind = \"RAW\"`"));
}

#[test]
fn a_policy_that_makes_no_sense_says_where() {
    for (old, new, says) in [
        ("version = 1", "version = 2", "p.toml:1:11: this runtime"),
        ("version = 1", "versoin = 1", "p.toml:1:1: unknown field"),
        (
            "version = 1",
            "version = 1\nsigners = [\"ed25519:ab\"]",
            "p.toml:2:11: `ed25519:ab` is no key",
        ),
        ("memory-bytes", "memory", "p.toml:3:1: unknown field"),
        ("65536", "-1", "p.toml:3:16: "),
        ("call-time-ms = 1000", "call-time-ms = 0", "p.toml:4:16: "),
        ("\"RAW\"", "\"ROW\"", "p.toml:6:8: there is no capability"),
        ("files = [\"in.bin\"]", "seed = 1", "p.toml:6:8: RAW takes"),
        ("params.hop", "params.hup", "p.toml:9:14: RAW has no"),
        ("min = 1", "min = 3", "p.toml:9:14: no number"),
        ("min = 1, max = 2", "words = [\"x\"]", "p.toml:9:14: `hop`"),
        ("\"SERIAL\"", "\"MQTT\"", "p.toml:11:8: there is no output"),
        ("\"stdout\"", "\"/dev/tty\"", "p.toml:12:8: unknown variant"),
        ("[limits]", "[limits", "p.toml:2:"),
        ("\"stdout\"", "\"file\"", "p.toml:12:8: the sink file needs"),
        ("\"stdout\"", "\"tty\"", "p.toml:12:8: the sink tty needs"),
        (
            "\"stdout\"",
            "\"stdout\"\nqos = 1",
            "p.toml:13:7: `qos` is a key of mqtt, not of stdout",
        ),
        (
            "\"stdout\"",
            "\"file\"\nfile = \"a\"\nretries = 1",
            "p.toml:14:11: `retries` is a key of tty, mqtt, http",
        ),
        (
            "\"stdout\"",
            "\"file\"\nfile = \"a\"\nkeep = 1",
            "p.toml:14:8: `keep` says",
        ),
        (
            "\"stdout\"",
            "\"file\"\nfile = \"a\"\nkeep = 9999\nmax-bytes = 1",
            "p.toml:14:8: at most",
        ),
        (
            "\"stdout\"",
            "\"file\"\nfile = \"a\"\nmax-bytes = 0",
            "p.toml:14:13: ",
        ),
        (
            "\"stdout\"",
            "\"mqtt\"\nhost = \"h\"\ntopic = \"a/#\"",
            "p.toml:14:9: `a/#` is no topic",
        ),
        (
            "\"stdout\"",
            "\"mqtt\"\nhost = \"h/x\"\ntopic = \"a\"",
            "p.toml:13:8: `h/x` is no host",
        ),
        (
            "\"stdout\"",
            "\"mqtt\"\nhost = \"h\"\ntopic = \"a\"\nqos = 2",
            "p.toml:15:7: `qos` is 0 or 1",
        ),
        (
            "\"stdout\"",
            "\"mqtt\"\nhost = \"h\"\ntopic = \"a\"\nport = 65536",
            "p.toml:15:8: ",
        ),
        (
            "\"stdout\"",
            "\"http\"\nurl = \"ftp://h/\"",
            "p.toml:13:7: `ftp://h/` is not",
        ),
        (
            "\"stdout\"",
            "\"http\"\nurl = \"https://h/\"",
            "p.toml:13:7: this version has no TLS",
        ),
        (
            "\"stdout\"",
            "\"http\"\nurl = \"http://h/\"\nwhen-full = \"never\"",
            "p.toml:14:13: unknown variant",
        ),
        (
            "\"stdout\"",
            "\"http\"\nurl = \"http://h/\"\nqueue-bytes = 0",
            "p.toml:14:15: ",
        ),
    ] {
        assert!(GOOD.contains(old), "{old}");
        let error = Policy::parse("p.toml", &GOOD.replacen(old, new, 1)).unwrap_err();
        assert!(error.to_string().starts_with(says), "{new}: {error}");
    }
}

#[test]
fn no_text_makes_the_parser_panic_and_every_error_has_a_place_in_it() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let (mut good, mut bad) = (0, 0);
    for _ in 0..4000 {
        let mut bytes = GOOD.replace("in.bin", "é.bin").into_bytes();
        for _ in 0..2 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let at = (random % bytes.len() as u64) as usize;
            bytes[at] = (random >> 32) as u8;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match Policy::parse("p.toml", &text) {
            Ok(_) => good += 1,
            Err(error) => {
                bad += 1;
                let (line, column) = error.place.unwrap();
                let length = text.split('\n').nth(line - 1).unwrap().chars().count();
                assert!((1..=length + 1).contains(&column), "{text}\n{error}");
                assert!(!error.what.is_empty());
            }
        }
    }
    assert!(good > 5 && bad > 1000, "{good}, {bad}");
}

#[test]
fn files_of_a_policy_lie_beneath_its_folder() {
    let top = folder("beneath");
    let data = top.join("data");
    fs::create_dir_all(data.join("inner")).unwrap();
    for path in ["data/in.bin", "data/inner/in.bin", "secret.bin"] {
        fs::write(top.join(path), [1, 2]).unwrap();
    }
    symlink("../secret.bin", data.join("up")).unwrap();
    symlink("in.bin", data.join("beside")).unwrap();
    symlink("inner", data.join("linked")).unwrap();
    symlink("..", data.join("above")).unwrap();
    let status = Command::new("mkfifo").arg(data.join("fifo")).status();
    assert!(status.unwrap().success());
    let _socket = UnixListener::bind(data.join("socket")).unwrap();
    let path = top.join("p.toml");
    let open = |file: &str, folder: &str| {
        let policy = GOOD.replace("in.bin", file).replace("\"data\"", folder);
        fs::write(&path, policy).unwrap();
        let policy = Policy::load(&path).unwrap();
        let granted = Rune::load(raw(2))
            .unwrap()
            .grant_by(&policy, &[], &Limits::default());
        granted.map(drop).map_err(|e| e.to_string())
    };
    let data = "\"data\"";
    assert_eq!(open("in.bin", data), Ok(()));
    assert_eq!(open("inner/in.bin", data), Ok(()));
    assert_eq!(open("inner/../in.bin", data), Ok(()));
    let absolute = top.join("secret.bin");
    for (file, folder, why) in [
        ("../secret.bin", data, "leads out of its folder"),
        ("inner/../../secret.bin", data, "leads out of its folder"),
        (absolute.to_str().unwrap(), data, "leads out of its folder"),
        ("/dev/zero", data, "leads out of its folder"),
        ("up", data, "symbolic link"),
        ("beside", data, "symbolic link"),
        ("linked/in.bin", data, "symbolic link"),
        ("above/secret.bin", data, "symbolic link"),
        ("fifo", data, "not a regular file"),
        ("socket", data, "not a regular file"),
        ("inner", data, "not a regular file"),
        ("null", "\"/dev\"", "not a regular file"),
        ("none", data, "No such file"),
    ] {
        let error = open(file, folder).unwrap_err();
        assert!(error.contains(why), "{file}: {error}");
    }
}

#[test]
fn the_program_runs_by_a_policy() {
    let top = folder("program");
    fs::create_dir_all(top.join("data")).unwrap();
    fs::write(top.join("data/in.bin"), [1, 2, 3, 4]).unwrap();
    fs::write(top.join("own.bin"), [9, 9]).unwrap();
    fs::write(top.join("app.rune"), raw(2)).unwrap();
    fs::write(top.join("p.toml"), GOOD).unwrap();
    let run = |args: &[&str]| {
        let output = rune(
            &top,
            &[&["run", "app.rune", "--policy", "p.toml"], args].concat(),
        );
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (status, stdout, stderr) = run(&[]);
    assert_eq!(
        (status, stdout.lines().count(), stderr.as_str()),
        (0, 2, "")
    );
    // A file that a person names is a grant of its own.
    let (status, stdout, _) = run(&["--raw", "own.bin"]);
    assert_eq!(status, 0);
    assert!(stdout.contains("[9, 9]") && stdout.lines().count() == 1);
    fs::write(
        top.join("p.toml"),
        GOOD.replace("\"stdout\"", "\"discard\""),
    )
    .unwrap();
    assert_eq!(run(&[]), (0, String::new(), String::new()));
    fs::write(top.join("p.toml"), "version = 1\n").unwrap();
    let (status, stdout, stderr) = run(&[]);
    assert_eq!((status, stdout.as_str()), (1, ""));
    assert_eq!(stderr.matches("p.toml would allow it with `").count(), 2);
    fs::write(top.join("p.toml"), "version = 9\n").unwrap();
    let (status, _, stderr) = run(&[]);
    assert_eq!(status, 2);
    assert!(stderr.starts_with("error: p.toml:1:11: "), "{stderr}");
}

#[test]
fn rates_hold_calls_and_output_back() {
    let top = folder("rates");
    fs::create_dir_all(top.join("data")).unwrap();
    fs::write(top.join("data/in.bin"), [0; 8]).unwrap();
    fs::write(top.join("app.rune"), raw(2)).unwrap();
    // Four calls; a line of output has 79 bytes.
    for (limit, least) in [
        ("calls-per-second = 10", 400),
        ("output-bytes-per-second = 500", 600),
    ] {
        let policy = GOOD.replace("[limits]", &format!("[limits]\n{limit}"));
        fs::write(top.join("p.toml"), policy).unwrap();
        let begin = Instant::now();
        let output = rune(&top, &["run", "app.rune", "--policy", "p.toml"]);
        assert_eq!(str::from_utf8(&output.stdout).unwrap().lines().count(), 4);
        let took = begin.elapsed();
        assert!(took >= Duration::from_millis(least), "{limit}: {took:?}");
    }
}

pub(crate) fn repository(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(path)).unwrap()
}

/// What the parser says it expects where a key or word stands that it does not know.
fn expected(text: &str) -> BTreeSet<String> {
    let error = Policy::parse("p.toml", text).unwrap_err();
    let (_, list) = error.what.split_once("expected ").expect(&error.what);
    let names = list.split('`').skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

#[test]
fn the_schema_has_the_keys_of_the_parser() {
    let schema: serde_json::Value =
        serde_json::from_str(&repository("docs/schema/policy.json")).unwrap();
    let keys = |pointer: &str| -> BTreeSet<String> {
        let properties = schema.pointer(pointer).unwrap()["properties"].as_object();
        properties.unwrap().keys().cloned().collect()
    };
    let none = "none = 1";
    for (pointer, text) in [
        ("", none.to_owned()),
        ("/definitions/limits", format!("[limits]\n{none}")),
        ("/definitions/schedule", format!("[schedule]\n{none}")),
        ("/definitions/install", format!("[install]\n{none}")),
        (
            "/definitions/capability",
            format!("[capabilities.a]\n{none}"),
        ),
        (
            "/definitions/range",
            format!("[capabilities.a.params.b]\n{none}"),
        ),
        ("/definitions/output", format!("[outputs.a]\n{none}")),
    ] {
        assert_eq!(keys(pointer), expected(&text), "{pointer}");
    }
    let sinks = &schema["definitions"]["output"]["properties"]["sink"]["enum"];
    let sinks = sinks.as_array().unwrap().iter();
    let sinks: BTreeSet<String> = sinks.map(|s| s.as_str().unwrap().to_owned()).collect();
    assert_eq!(sinks, expected("[outputs.a]\nsink = \"none\""));
    let words = &schema["definitions"]["output"]["properties"]["when-full"]["enum"];
    let words = words.as_array().unwrap().iter();
    let words: BTreeSet<String> = words.map(|s| s.as_str().unwrap().to_owned()).collect();
    assert_eq!(words, expected("[outputs.a]\nwhen-full = \"none\""));
    let confirm = &schema["definitions"]["install"]["properties"]["confirm"]["enum"];
    let confirm = confirm.as_array().unwrap().iter();
    let confirm: BTreeSet<String> = confirm.map(|s| s.as_str().unwrap().to_owned()).collect();
    assert_eq!(confirm, expected("[install]\nconfirm = \"none\""));
    let sources = &schema["definitions"]["capability"]["properties"]["source"]["enum"];
    let sources = sources.as_array().unwrap().iter();
    let sources: BTreeSet<String> = sources.map(|s| s.as_str().unwrap().to_owned()).collect();
    assert_eq!(sources, expected("[capabilities.a]\nsource = \"none\""));
}

#[test]
fn the_page_of_the_book_does_what_it_says() {
    let commands = support::run_page(&folder("book"), &repository("docs/book/policy.md"));
    assert_eq!(commands, 4);
}
