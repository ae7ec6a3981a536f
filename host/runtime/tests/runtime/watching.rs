//! What others see of runes: Prometheus of a server, viewers of a trace, systemd of the unit, readers of the book.
#![allow(
    clippy::print_stderr,
    reason = "who reads the log should know what was not tested"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rune_runtime::serve::{Phase, Status};
use serde_json::Value;

use crate::{
    policy::repository,
    serve::{NOWHERE, noise, policy, traps_every},
    support::{self, Process, find, rune, until},
};

fn folder(name: &str) -> PathBuf {
    support::folder("watching", name)
}

/// A path of the repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(name)
        .canonicalize()
        .unwrap()
}

/// Runs `rune` and asserts that it is content.
fn done(folder: &Path, args: &[&str]) -> String {
    let out = rune(folder, args);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{args:?}: {said}");
    String::from_utf8(out.stdout).unwrap()
}

/// `rune serve` of a folder as a process, and the address of its metrics.
fn serve(folder: &Path) -> (Process, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rune"))
        .args(["serve", ".", "--no-cache", "--metrics", "127.0.0.1:0"])
        .current_dir(folder)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let process = Process(child);
    let address = said
        .by_ref()
        .find_map(|line| {
            let line = line.unwrap();
            let (_, rest) = line.split_once("metrics are at http://")?;
            Some(rest.split('/').next().unwrap().to_owned())
        })
        .expect("it says where its metrics are");
    // It must not wait for someone to read what it says.
    std::thread::spawn(move || said.for_each(drop));
    (process, address)
}

fn body(address: &str, path: &str, accept: &str) -> String {
    let answer = support::get(address, path, accept).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 200 "), "{head}");
    body.to_owned()
}

/// How a rune is, once the server has it.
fn status(address: &str, name: &str) -> Option<Status> {
    let all: Vec<Status> = serde_json::from_str(&body(address, "/status", "*/*")).unwrap();
    all.into_iter().find(|s| s.name == name)
}

struct Prometheus {
    _process: Process,
    address: String,
}

impl Prometheus {
    /// Starts it on a free port, with the alert rules of the repository.
    fn start(program: &str, top: &Path, target: &str) -> Self {
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [\"{}\"]
scrape_configs:
  - job_name: rune
    static_configs: [{{targets: [{target:?}]}}]
",
            path("host/saga/dashboards/alerts.yml").display()
        );
        fs::write(top.join("prometheus.yml"), config).unwrap();
        loop {
            // Somebody else may get the port before Prometheus does, which then ends.
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = free.local_addr().unwrap().to_string();
            drop(free);
            let log = fs::File::create(top.join("log")).unwrap();
            let child = Command::new(program)
                .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
                .arg(format!("--web.listen-address={address}"))
                .current_dir(top)
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn()
                .unwrap();
            let mut process = Process(child);
            let mut has_ended = false;
            until("prometheus is ready", || {
                has_ended = process.0.try_wait().unwrap().is_some();
                let ready = support::get(&address, "/-/ready", "*/*");
                has_ended || ready.is_ok_and(|answer| answer.contains(" 200 "))
            });
            if !has_ended {
                return Self {
                    _process: process,
                    address,
                };
            }
            let log = fs::read_to_string(top.join("log")).unwrap();
            assert!(log.contains("address already in use"), "{log}");
        }
    }

    fn ask(&self, path: &str) -> Value {
        let answer = support::get(&self.address, path, "*/*").unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let answer: Value = serde_json::from_str(body).unwrap();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// The values of an expression now.
    fn query(&self, expression: &str) -> Vec<f64> {
        let bytes = expression.bytes().map(|byte| format!("%{byte:02x}"));
        let encoded = bytes.collect::<Vec<_>>().concat();
        let data = self.ask(&format!("/api/v1/query?query={encoded}"));
        let series = data["result"].as_array().unwrap().iter();
        let value = |s: &Value| s["value"][1].as_str().unwrap().parse().unwrap();
        series.map(value).collect()
    }
}

#[test]
fn prometheus_scrapes_a_server_and_agrees_with_its_status() {
    let top = folder("prometheus");
    let example = path("examples/sine");
    done(
        &top,
        &["build", example.to_str().unwrap(), "-o", "sine.rune"],
    );
    let sine = policy("every-ms = 5", NOWHERE).replace(".rand]", ".x]");
    fs::write(top.join("sine.toml"), sine).unwrap();
    fs::write(top.join("policy.toml"), policy("every-ms = 5", NOWHERE)).unwrap();
    fs::write(top.join("noise.rune"), noise()).unwrap();
    fs::write(top.join("traps.rune"), traps_every(2)).unwrap();
    fs::write(top.join("none.rune"), "none").unwrap();
    let (_server, address) = serve(&top);
    until("it is called", || {
        let saga = status(&address, "sine").and_then(|s| s.saga);
        saga.is_some_and(|s| s["total"]["calls"].as_u64() >= Some(100))
    });

    let text = body(&address, "/metrics", "*/*");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let names: BTreeSet<&str> = samples.filter_map(|s| s.split(['{', ' ']).next()).collect();
    let all = rune_exporters::metrics::sample_names();
    assert_eq!(names, all.iter().map(String::as_str).collect());
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines.contains(&"rune_phase{rune=\"none\",phase=\"refused\"} 1"),
        "{text}"
    );
    let (Some(program), Some(promtool)) = (find("prometheus"), find("promtool")) else {
        eprintln!("skipped: prometheus is not installed");
        return;
    };
    let mut check = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let said = check.wait_with_output().unwrap();
    let complaints = [said.stdout, said.stderr].concat();
    assert!(
        said.status.success() && complaints.is_empty(),
        "{}",
        String::from_utf8_lossy(&complaints)
    );

    let prometheus = Prometheus::start(&program, &top, &address);
    until("the target is up", || {
        prometheus.query("up{job=\"rune\"}") == [1.0]
    });
    // Every panel shows something, also those of failures and of what needs two scrapes.
    let dashboard: Value =
        serde_json::from_str(&repository("host/saga/dashboards/rune.json")).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let mut expression = target["expr"].as_str().unwrap().to_owned();
            for (variable, value) in [
                ("$__rate_interval", "1m"),
                ("$__range", "1m"),
                ("$instance", ".+"),
                ("$rune", ".+"),
            ] {
                expression = expression.replace(variable, value);
            }
            until(&expression, || !prometheus.query(&expression).is_empty());
        }
    }
    let rules = prometheus.ask("/api/v1/rules");
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    assert_eq!(
        rules.len(),
        repository("host/saga/dashboards/alerts.yml")
            .matches("- alert:")
            .count()
    );
    until("every rule was evaluated", || {
        let rules = prometheus.ask("/api/v1/rules");
        let rules = rules["groups"][0]["rules"].as_array().unwrap();
        assert!(rules.iter().all(|r| r["health"] != "err"), "{rules:?}");
        rules.iter().all(|r| r["health"] == "ok")
    });

    // Of a rune that stands still both say the same.
    done(&top, &["stop", "sine"]);
    until("it has stopped", || {
        status(&address, "sine").unwrap().phase == Phase::Stopped
    });
    let saga = status(&address, "sine").unwrap().saga.unwrap();
    let number = |path: &str| saga.pointer(path).and_then(Value::as_u64).unwrap() as f64;
    let calls = number("/total/calls");
    until("it was scraped", || {
        prometheus.query("sum(rune_calls_total{rune=\"sine\"})") == [calls]
    });
    for (expression, due) in [
        (
            "rune_calls_total{rune=\"sine\", result=\"output\"}",
            number("/total/with_output"),
        ),
        (
            "rune_call_duration_seconds_count{rune=\"sine\"}",
            number("/latency_ns/count"),
        ),
        (
            "rune_output_records_total{rune=\"sine\"}",
            number("/outputs/0/records"),
        ),
        (
            "rune_output_bytes_total{rune=\"sine\"}",
            number("/outputs/0/bytes"),
        ),
        (
            "rune_memory_peak_bytes{rune=\"sine\"}",
            number("/memory_peak_bytes"),
        ),
        ("rune_starts_total{rune=\"sine\"}", number("/total/starts")),
        (
            "rune_overruns_total{rune=\"sine\"}",
            number("/total/overruns"),
        ),
        ("sum(rune_failures_total{rune=\"sine\"})", 0.0),
        ("rune_phase{rune=\"sine\"} == 1", 1.0),
    ] {
        assert_eq!(prometheus.query(expression), [due], "{expression}");
    }
    // Buckets double, and Prometheus takes durations for evenly spread within one.
    for (quantile, path) in [("0.5", "/latency_ns/p50"), ("0.9", "/latency_ns/p90")] {
        let buckets = "rune_call_duration_seconds_bucket{rune=\"sine\"}";
        let seen = prometheus.query(&format!("histogram_quantile({quantile}, {buckets})"));
        let ratio = seen[0] * 1e9 / number(path);
        assert!(
            (0.5..=2.0).contains(&ratio),
            "{quantile}: {seen:?}, {}",
            number(path)
        );
    }
}

/// An event of a trace, its times in nanoseconds.
#[derive(Debug)]
struct Event {
    name: String,
    began: u64,
    ended: u64,
}

#[test]
fn a_trace_has_a_row_with_the_stages_of_each_call() {
    let top = folder("trace");
    let example = path("examples/gesture");
    let shown = example.to_str().unwrap();
    let ring = example.join("ring.csv");
    done(
        &top,
        &[
            "trace",
            shown,
            "--accel",
            ring.to_str().unwrap(),
            "-o",
            "trace.json",
        ],
    );
    let trace: Value = serde_json::from_slice(&fs::read(top.join("trace.json")).unwrap()).unwrap();
    // The format's list of events, which opens where its end is missing too.
    let (mut rows, mut calls, mut stages) = (BTreeMap::new(), vec![], vec![]);
    for event in trace.as_array().unwrap() {
        let row = (
            event["pid"].as_u64().unwrap(),
            event["tid"].as_u64().unwrap(),
        );
        let name = event["name"].as_str().unwrap().to_owned();
        match event["ph"].as_str().unwrap() {
            "M" => {
                assert_eq!(name, "thread_name");
                let is_new = rows.insert(row, event["args"]["name"].as_str().unwrap());
                assert_eq!(is_new, None);
            }
            "X" => {
                assert!(rows.contains_key(&row), "{event}");
                let ns = |key: &str| (event[key].as_f64().unwrap() * 1e3).round() as u64;
                let (began, took) = (ns("ts"), ns("dur"));
                let ended = began + took;
                let list = if name == "call" {
                    &mut calls
                } else {
                    &mut stages
                };
                list.push(Event { name, began, ended });
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(rows.len(), 1);
    let expected = fs::read_to_string(example.join("ring.expected.jsonl")).unwrap();
    assert_eq!(calls.len(), expected.lines().count());
    let follow = |events: &[Event]| events.windows(2).all(|w| w[0].ended <= w[1].began);
    assert!(follow(&calls) && follow(&stages), "{calls:?} {stages:?}");
    let mut rest = stages.iter().peekable();
    for call in &calls {
        let mut names = vec![];
        while let Some(stage) = rest.next_if(|s| s.began < call.ended) {
            assert!(
                call.began <= stage.began && stage.ended <= call.ended,
                "{stage:?} {call:?}"
            );
            names.push(stage.name.as_str());
        }
        assert_eq!(
            names,
            [
                "accelerometer",
                "normalize",
                "gesture",
                "best",
                "label",
                "serial"
            ]
        );
    }
    assert_eq!(rest.count(), 0, "stages of no call");
}

/// What of this machine a unit may reach, by `systemd-analyze security`: from 0, nothing, to 100, everything.
const MOST_EXPOSURE: u32 = 17;

#[test]
fn systemd_takes_the_unit_and_finds_it_confined() {
    let Some(analyze) = find("systemd-analyze") else {
        eprintln!("skipped: systemd-analyze is not installed");
        return;
    };
    let unit = repository("host/runtime/systemd/rune.service");
    let installed = "/usr/local/bin/rune ";
    assert!(unit.contains(installed));
    let file = folder("systemd").join("rune.service");
    let here = format!("{} ", env!("CARGO_BIN_EXE_rune"));
    fs::write(&file, unit.replace(installed, &here)).unwrap();
    let run = |args: &[&str]| {
        let out = Command::new(&analyze)
            .args(args)
            .arg(&file)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        (out.status.success(), said)
    };
    let (ok, said) = run(&["verify"]);
    // Units of the machine that it needs may have faults of their own.
    assert!(ok && !said.contains("rune.service"), "{said}");
    let threshold = format!("--threshold={MOST_EXPOSURE}");
    let (ok, said) = run(&["security", "--offline=true", &threshold]);
    if said.contains("unrecognized option") {
        eprintln!("skipped: this systemd-analyze does not judge files");
        return;
    }
    assert!(ok, "{said}");
    let (ok, _) = run(&["security", "--offline=true", "--threshold=1"]);
    assert!(!ok, "the threshold does not count");
}

#[test]
fn the_pages_of_the_book_do_what_they_say() {
    if find("curl").is_none() {
        eprintln!("skipped: curl is not installed");
        return;
    }
    for (name, commands) in [("watching", 9), ("measuring", 8)] {
        let page = repository(&format!("docs/book/{name}.md"));
        assert_eq!(support::run_page(&folder(name), &page), commands, "{name}");
    }
}
