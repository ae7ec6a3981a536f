//! Folders that are served: many runes, each on its schedule, watched, stopped, replaced and started anew.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use rune_abi::{CapabilityKind, ElementType, Value};
use rune_runtime::{
    Compiler, Runtime,
    serve::{Phase, Request, Server, Status, ask},
};

use crate::support::{
    self, INPUT, Process, capability, echo, manifest, output, record, rune, text, ty, until, wasm,
};

fn folder(name: &str) -> PathBuf {
    support::folder("serve", name)
}

/// A rune that writes two bytes of the seed's stream in each call.
pub(crate) fn noise() -> Vec<u8> {
    echo(capability(
        CapabilityKind::Rand,
        "rand",
        ty(ElementType::U8, &[2]),
    ))
}

/// A rune like it, that traps in every call of this number and its multiples.
pub(crate) fn traps_every(n: u32) -> Vec<u8> {
    let ty = ty(ElementType::U8, &[2]);
    let call = format!(
        "(global.set $n (i32.add (global.get $n) (i32.const 1)))
         (if (i32.eqz (i32.rem_u (global.get $n) (i32.const {n}))) (then unreachable))
         (drop (call $read (i32.const 0) (i32.const {INPUT}) (i32.const 2)))
         (call $write (i32.const 0) (i32.const 512))"
    );
    let manifest = manifest(
        vec![capability(CapabilityKind::Rand, "rand", ty)],
        vec![output("serial", &[ty])],
    );
    let more = format!("{} (global $n (mut i32) (i32.const 0))", record(INPUT, &ty));
    wasm(&text(&manifest, &call, &more))
}

pub(crate) fn policy(schedule: &str, sink: &str) -> String {
    format!(
        "version = 1
schedule = {{ {schedule} }}
[capabilities.rand]
kind = \"RAND\"
seed = 1
[outputs.serial]
kind = \"SERIAL\"
{sink}
"
    )
}

pub(crate) const NOWHERE: &str = "sink = \"discard\"";

pub(crate) struct Served {
    pub(crate) server: Arc<Server>,
    folder: PathBuf,
    said: Arc<Mutex<Vec<String>>>,
}

pub(crate) fn serve(folder: &Path) -> Served {
    let said = Arc::new(Mutex::new(vec![]));
    let heard = said.clone();
    let say = Arc::new(move |level: u32, rune: &str, text: &str| {
        heard
            .lock()
            .unwrap()
            .push(format!("{level} {rune}: {text}"));
    });
    let runtime = Runtime::new(Compiler::InProcess, None).unwrap();
    Served {
        server: Server::start(folder, Some("127.0.0.1:0"), runtime, say).unwrap(),
        folder: folder.to_owned(),
        said,
    }
}

impl Served {
    pub(crate) fn status(&self, name: &str) -> Status {
        let mut all = self.server.status().into_iter();
        all.find(|s| s.name == name).unwrap()
    }

    pub(crate) fn ask(&self, request: &Request) -> Result<serde_json::Value, String> {
        ask(&self.folder, request).map_err(|e| e.to_string())
    }

    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.stop();
    }
}

pub(crate) fn calls(status: &Status) -> u64 {
    let saga = status.saga.as_ref();
    saga.map_or(0, |s| s["total"]["calls"].as_u64().unwrap())
}

#[test]
fn runes_run_on_their_schedules_and_on_command() {
    let folder = folder("schedules");
    for name in ["clock", "input", "hand"] {
        fs::write(folder.join(format!("{name}.rune")), noise()).unwrap();
    }
    fs::write(folder.join("policy.toml"), policy("every-ms = 5", NOWHERE)).unwrap();
    fs::write(folder.join("input.toml"), policy("on = \"input\"", NOWHERE)).unwrap();
    fs::write(
        folder.join("hand.toml"),
        policy("on = \"trigger\"", NOWHERE),
    )
    .unwrap();
    let served = serve(&folder);
    until("two are called", || {
        calls(&served.status("clock")) > 3 && calls(&served.status("input")) > 100
    });
    assert_eq!(calls(&served.status("hand")), 0);
    for _ in 0..2 {
        let rune = "hand".to_owned();
        served.ask(&Request::Trigger { rune }).unwrap();
    }
    until("both triggers were heard", || {
        // Numbers are published once a second, and when a rune stops.
        let rune = "hand".to_owned();
        served.ask(&Request::Trigger { rune }).unwrap();
        calls(&served.status("hand")) >= 3
    });

    served
        .ask(&Request::Stop {
            rune: "clock".to_owned(),
        })
        .unwrap();
    until("it has stopped", || {
        served.status("clock").phase == Phase::Stopped
    });
    let before = calls(&served.status("clock"));
    served
        .ask(&Request::Start {
            rune: "clock".to_owned(),
        })
        .unwrap();
    // What it did is added to what it did.
    until("it goes on", || calls(&served.status("clock")) > before + 3);
    let none = served.ask(&Request::Stop {
        rune: "none".to_owned(),
    });
    assert!(none.unwrap_err().contains("no rune `none`"));
}

#[test]
fn a_rune_that_fails_is_started_anew_beside_one_that_does_not() {
    let folder = folder("restart");
    fs::write(folder.join("bad.rune"), traps_every(2)).unwrap();
    fs::write(folder.join("good.rune"), noise()).unwrap();
    fs::write(folder.join("policy.toml"), policy("every-ms = 1", NOWHERE)).unwrap();
    let served = serve(&folder);
    until("it was started three times", || {
        let status = served.status("bad");
        let starts = |s: &Status| {
            s.saga
                .as_ref()
                .map_or(0, |v| v["total"]["starts"].as_u64().unwrap())
        };
        starts(&status) >= 3
    });
    let status = served.status("bad");
    assert!(status.error.unwrap().contains("unreachable"));
    let failures = &status.saga.unwrap()["total"]["failures"];
    assert!(
        failures["trap_unreachable"].as_u64().unwrap() >= 2,
        "{failures}"
    );
    assert_eq!(served.status("good").phase, Phase::Running);
    assert!(calls(&served.status("good")) > 100);
    assert!(
        served.said().contains("it is started anew in 1s"),
        "{}",
        served.said()
    );
}

#[test]
fn what_is_refused_says_why_and_runs_once_it_is_put_right() {
    let folder = folder("refused");
    fs::write(folder.join("a.rune"), noise()).unwrap();
    fs::write(folder.join("b.rune"), b"no rune").unwrap();
    fs::write(folder.join("policy.toml"), "version = 1").unwrap();
    let served = serve(&folder);
    until("both are refused", || {
        ["a", "b"].map(|n| served.status(n).phase) == [Phase::Refused; 2]
            && served.status("a").error.is_some()
    });
    assert!(
        served
            .status("a")
            .error
            .unwrap()
            .contains("would allow it with")
    );
    assert!(
        served
            .status("b")
            .error
            .unwrap()
            .contains("b.rune: not a valid module")
    );
    let start = Request::Start {
        rune: "a".to_owned(),
    };
    let error = served.ask(&start).unwrap_err();
    assert!(error.contains("would allow it with"), "{error}");
    fs::write(folder.join("policy.toml"), policy("every-ms = 1", NOWHERE)).unwrap();
    served
        .ask(&Request::Start {
            rune: "a".to_owned(),
        })
        .unwrap();
    until("it runs", || calls(&served.status("a")) > 0);
    // What is still wrong is said to who asks.
    let error = served
        .ask(&Request::Start {
            rune: "b".to_owned(),
        })
        .unwrap_err();
    assert!(error.contains("b.rune: not a valid module"), "{error}");
}

#[test]
fn a_rune_is_replaced_between_two_calls_or_goes_on() {
    let folder = folder("replace");
    let out = "sink = \"file\"\nfolder = \".\"\nfile = \"out.jsonl\"";
    fs::write(folder.join("a.rune"), noise()).unwrap();
    fs::write(folder.join("policy.toml"), policy("every-ms = 1", out)).unwrap();
    let served = serve(&folder);
    until("it runs", || served.status("a").phase == Phase::Running);
    let first = served.status("a").digest;

    fs::write(folder.join("a.rune"), b"\0asm broken").unwrap();
    let reload = || {
        served.ask(&Request::Reload {
            rune: "a".to_owned(),
        })
    };
    assert!(reload().is_err());
    // One that the policy does not allow is refused too, and the old one goes on.
    let raw = capability(CapabilityKind::Raw, "raw", ty(ElementType::U8, &[2]));
    fs::write(folder.join("a.rune"), echo(raw)).unwrap();
    assert!(reload().unwrap_err().contains("would allow it with"));
    let before = calls(&served.status("a"));
    until("the old one goes on", || {
        calls(&served.status("a")) > before
    });
    assert_eq!(served.status("a").digest, first);

    fs::write(folder.join("a.rune"), traps_every(1_000_000_000)).unwrap();
    reload().unwrap();
    let status = served.status("a");
    assert_ne!(status.digest, first);
    assert_eq!(status.phase, Phase::Running);
    let lines = |path: &Path| fs::read_to_string(path).unwrap().lines().count();
    let before = lines(&folder.join("out.jsonl"));
    until("the new one writes where the old one did", || {
        lines(&folder.join("out.jsonl")) > before
    });
}

#[test]
fn an_interval_ends_with_each_heartbeat_and_totals_go_on() {
    let folder = folder("heartbeat");
    fs::write(folder.join("a.rune"), noise()).unwrap();
    fs::write(folder.join("policy.toml"), policy("every-ms = 5", NOWHERE)).unwrap();
    let served = serve(&folder);
    let saga = || served.status("a").saga.unwrap_or_default();
    until("it is called", || calls(&served.status("a")) > 0);
    let before = saga();
    assert_eq!(before["heartbeats"], 0);
    assert_eq!(before["interval"], before["total"]);
    let mut after = saga();
    until("there was a heartbeat", || {
        after = saga();
        after["heartbeats"].as_u64() >= Some(1)
    });
    let count = |span: &str| after[span]["calls"].as_u64().unwrap();
    assert!(count("interval") < count("total"), "{after}");
    assert!(
        after["interval_ns"].as_u64() < after["uptime_ns"].as_u64(),
        "{after}"
    );
    assert_eq!(after["interval_latency_ns"]["count"], count("interval"));
    assert_eq!(
        after["outputs"][0]["interval"]["records"],
        count("interval")
    );
    assert_eq!(after["outputs"][0]["records"], count("total"));
}

#[test]
fn no_client_silences_or_ends_a_server() {
    let folder = folder("clients");
    fs::write(folder.join("a.rune"), noise()).unwrap();
    fs::write(folder.join("policy.toml"), policy("every-ms = 5", NOWHERE)).unwrap();
    let served = serve(&folder);
    let said = served.said();
    let address = said.split("http://").nth(1).unwrap();
    let address = address.split('/').next().unwrap();
    let long = "a".repeat(1 << 20);
    let mut held = vec![];
    for request in [
        "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000000\r\n\r\n",
        "POST /metrics HTTP/1.1\r\nContent-Length: 100000\r\n\r\n",
        "GET",
        "\u{16}\u{3}\u{1}",
        &long,
    ] {
        let mut stream = TcpStream::connect(address).unwrap();
        // What is too long may be cut off.
        let _ = stream.write_all(request.as_bytes());
        held.push(stream);
    }
    let answer = support::get(address, "/metrics", "*/*").unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let mut posted = String::new();
    held[1].read_to_string(&mut posted).unwrap();
    assert!(posted.starts_with("HTTP/1.1 405"), "{posted}");
    drop(held);
    // A request need not be a text.
    let mut stream = UnixStream::connect(folder.join("control.sock")).unwrap();
    stream.write_all(b"\xff\xfe\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("it is not a request"), "{answer}");
}

#[test]
fn a_policy_that_is_there_and_cannot_be_read_is_not_passed_over() {
    let folder = folder("dangling");
    fs::write(folder.join("a.rune"), noise()).unwrap();
    fs::write(folder.join("policy.toml"), policy("every-ms = 5", NOWHERE)).unwrap();
    std::os::unix::fs::symlink("nowhere.toml", folder.join("a.toml")).unwrap();
    let served = serve(&folder);
    until("it is refused", || {
        served.status("a").phase == Phase::Refused
    });
    let error = served.status("a").error.unwrap();
    assert!(error.contains("a.toml"), "{error}");
}

#[test]
fn metrics_and_logs_are_of_what_happened() {
    let folder = folder("metrics");
    let ty = ty(ElementType::U8, &[2]);
    let call = format!(
        "(call $log (i32.const 3) (i32.const 600) (i32.const 5))
         (drop (call $read (i32.const 0) (i32.const {INPUT}) (i32.const 2)))
         (call $write (i32.const 0) (i32.const 512))"
    );
    let mut rand = capability(CapabilityKind::Rand, "rand", ty);
    rand.params = vec![support::param("max", Value::Float(1.0))];
    let manifest = manifest(vec![rand], vec![output("serial", &[ty])]);
    let more = format!("{} (data (i32.const 600) \"hello\")", record(INPUT, &ty));
    fs::write(folder.join("a.rune"), wasm(&text(&manifest, &call, &more))).unwrap();
    fs::write(folder.join("policy.toml"), policy("every-ms = 2", NOWHERE)).unwrap();
    let served = serve(&folder);
    until("it runs", || calls(&served.status("a")) > 3);
    let said = served.said();
    let address = said
        .split("http://")
        .nth(1)
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    let get = |path: &str, accept: &str| support::get(address, path, accept).unwrap();
    let metrics = get("/metrics", "application/openmetrics-text; version=1.0.0");
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    assert!(metrics.contains("openmetrics-text"), "{metrics}");
    assert!(
        metrics.contains("rune_calls_total{rune=\"a\",result=\"output\"}"),
        "{metrics}"
    );
    assert!(
        metrics.contains("process_resident_memory_bytes "),
        "{metrics}"
    );
    assert!(metrics.trim_end().ends_with("# EOF"), "{metrics}");
    assert!(
        metrics.contains("rune_phase{rune=\"a\",phase=\"running\"} 1"),
        "{metrics}"
    );
    let status = get("/status", "*/*");
    let body = status.split("\r\n\r\n").nth(1).unwrap();
    assert!(body.contains("\"phase\":\"running\""), "{status}");
    assert!(get("/etc/passwd", "*/*").starts_with("HTTP/1.1 404"));

    let lines = served
        .ask(&Request::Logs {
            rune: "a".to_owned(),
            since: 0,
        })
        .unwrap();
    assert!(
        lines[0]["text"].as_str().unwrap().contains("hello"),
        "{lines}"
    );
    let since = lines.as_array().unwrap().last().unwrap()["number"]
        .as_u64()
        .unwrap()
        + 1;
    until("there are newer lines", || {
        let newer = served
            .ask(&Request::Logs {
                rune: "a".to_owned(),
                since,
            })
            .unwrap();
        newer
            .as_array()
            .unwrap()
            .iter()
            .all(|l| l["number"].as_u64().unwrap() >= since)
            && !newer.as_array().unwrap().is_empty()
    });
}

/// A store of keys that would let everybody in does not open the device, and one with a key locks it.
#[test]
fn a_device_takes_its_keys_from_a_store() {
    let folder = folder("keys");
    let store = |keys: &str| {
        let text = format!("version = 1\nrune = [{keys}]\nnative = []\n");
        fs::write(folder.join("keys.toml"), text).unwrap();
    };
    let args = [
        "serve",
        ".",
        "--no-cache",
        "--smp-udp",
        "127.0.0.1:0",
        "--smp-keys",
        "keys.toml",
    ];
    for (keys, why) in [("", "no key of class rune"), ("\"nobody\"", "keys.toml: ")] {
        store(keys);
        let refused = rune(&folder, &args);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(why), "{said}");
    }
    // A point of the curve of ed25519.
    store(&format!(
        "\"ed25519:{}\"",
        "58".to_owned() + &"66".repeat(31)
    ));
    let child = Command::new(env!("CARGO_BIN_EXE_rune"))
        .args(args)
        .current_dir(&folder)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut process = Process(child);
    let said = BufReader::new(process.0.stderr.take().unwrap());
    let found = said
        .lines()
        .map_while(Result::ok)
        .find(|line| line.contains("SMP is at"));
    assert!(
        found
            .as_ref()
            .is_some_and(|line| line.ends_with(", locked")),
        "{found:?}"
    );
}

#[test]
fn the_program_serves_answers_and_drains_when_told_to_stop() {
    let folder = folder("program");
    let out = "sink = \"file\"\nfolder = \".\"\nfile = \"out.jsonl\"";
    fs::write(folder.join("a.rune"), noise()).unwrap();
    fs::write(folder.join("a.toml"), policy("every-ms = 5", out)).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_rune"))
        .args(["serve", ".", "--no-cache"])
        .current_dir(&folder)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut process = Process(child);
    let ps = || {
        let out = rune(&folder, &["ps", "--json"]);
        serde_json::from_slice::<Vec<Status>>(&out.stdout).unwrap_or_default()
    };
    until("it is called", || {
        ps().first().is_some_and(|s| calls(s) > 3)
    });
    let table = rune(&folder, &["ps", "--dir", "."]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(
        table.starts_with("NAME") && table.contains("running"),
        "{table}"
    );
    // Another server does not get the folder.
    let second = rune(&folder, &["serve", "."]);
    assert_eq!(second.status.code(), Some(2));
    assert!(
        String::from_utf8(second.stderr)
            .unwrap()
            .contains("another server")
    );
    assert!(rune(&folder, &["stop", "a"]).status.success());
    assert!(rune(&folder, &["start", "a"]).status.success());
    assert_eq!(rune(&folder, &["stop", "b"]).status.code(), Some(1));
    assert!(rune(&folder, &["logs", "a", "--json"]).status.success());
    // It needs a terminal.
    assert_eq!(rune(&folder, &["top"]).status.code(), Some(2));

    let pid = process.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let status = process.0.wait().unwrap();
    let mut said = String::new();
    process
        .0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert!(status.success(), "{said}");
    assert!(said.contains("drain"), "{said}");
    // Every line is whole.
    let lines = fs::read_to_string(folder.join("out.jsonl")).unwrap();
    for line in lines.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    let nobody = rune(&folder, &["ps"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(
        String::from_utf8(nobody.stderr)
            .unwrap()
            .contains("nobody serves")
    );
}

#[test]
fn requests_that_are_none_are_answered_and_harm_nobody() {
    let folder = folder("requests");
    fs::write(folder.join("policy.toml"), "version = 1").unwrap();
    let served = serve(&folder);
    let say = |bytes: &[u8]| {
        let socket = folder.join("control.sock");
        let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    };
    for bytes in [
        &b"\n"[..],
        b"{}\n",
        b"[[[[",
        &vec![b'['; 1 << 17],
        b"{\"do\": \"stop\"}\n",
        b"\"do\n",
    ] {
        let answer = say(bytes);
        assert!(
            answer.starts_with("{\"error\"") || answer.is_empty(),
            "{answer}"
        );
    }
    say(&[0xff, 0xfe, b'\n']);
    // What is damaged by chance is a request, or is answered as none.
    let seeds = [
        r#"{"do":"ps"}"#,
        r#"{"do":"reload","rune":"a"}"#,
        r#"{"do":"trigger","rune":"a b"}"#,
        r#"{"do":"logs","rune":"a","since":18446744073709551615}"#,
    ];
    let mut random = support::Random::new(3);
    for round in 0..20_000 {
        let mut bytes = seeds[round % seeds.len()].as_bytes().to_vec();
        random.damage(&mut bytes);
        if let Ok(request) = serde_json::from_slice::<Request>(&bytes) {
            let again = serde_json::to_vec(&request).unwrap();
            assert_eq!(serde_json::from_slice::<Request>(&again).unwrap(), request);
        }
        if round % 100 == 0 {
            bytes.retain(|b| *b != b'\n');
            bytes.push(b'\n');
            let answer = say(&bytes);
            // A line that is no text has none.
            if answer.is_empty() && std::str::from_utf8(&bytes).is_err() {
                continue;
            }
            let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
            assert!(
                answer["ok"].is_array() || answer["error"].is_string(),
                "{answer}"
            );
        }
    }
    for name in ["../x", "", ".hidden", "a/b", "a\u{0}b"] {
        let request = Request::Reload {
            rune: name.to_owned(),
        };
        assert!(
            served
                .ask(&request)
                .unwrap_err()
                .contains("there is no rune")
        );
    }
    assert_eq!(served.ask(&Request::Ps).unwrap(), serde_json::json!([]));
}

#[test]
fn the_page_of_the_book_does_what_it_says() {
    let page = crate::policy::repository("docs/book/serving.md");
    let commands = support::run_page(&folder("book"), &page);
    assert_eq!(commands, 20);
}
