//! Metrics follow their formats and say what was recorded.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    process::{Command, Stdio},
};

use rune_abi::{ABI_VERSION, Manifest, ManifestView, OutputKind, Version, WasmFeatures};
use rune_exporters::load::{Load, Process, System};
use rune_exporters::metrics::{self, FAMILIES, Format, HOST_FAMILIES, Kind, PHASE, Rune};
use rune_saga::{Failure, Outcome, Output, Recorder, Snapshot, Stage, Subject};

/// The record of a rune with two stages of one name, and one that is named like what tells them apart.
fn recorded() -> Vec<u8> {
    let manifest = Manifest {
        abi_version: ABI_VERSION,
        features: WasmFeatures::default(),
        security_counter: 0,
        memory_bytes: 65536,
        stack_bytes: 1024,
        name: "gesture".to_owned(),
        version: Version::default(),
        bases: Vec::new(),
        capabilities: Vec::new(),
        outputs: vec![rune_abi::Output {
            kind: OutputKind::Serial,
            name: "serial".to_owned(),
            tensors: Vec::new(),
            params: Vec::new(),
        }],
        models: Vec::new(),
        stages: ["fft", "fft", "fft #2"].map(str::to_owned).to_vec(),
    };
    let bytes = manifest.to_bytes().unwrap();
    let manifest = ManifestView::parse(&bytes).unwrap();
    let subject = Subject {
        manifest: &manifest,
        digest: [0xab; 32],
    };
    let mut recorder = Recorder::new(vec![Stage::new(); 3], vec![Output::new()], 0);
    recorder.started();
    recorder.call(1_024, Outcome::Output);
    recorder.call(1_025, Outcome::NoOutput);
    recorder.call(90_000_000_000, Outcome::Failed(Failure::Deadline));
    recorder.stage(1, 2_000);
    recorder.memory(65_536);
    recorder.written(0, 48);
    recorder.written(0, 48);
    recorder.dropped(0, 3);
    let mut buffer = [0; 4096];
    let record = recorder.encode(&subject, 1_500_000_000, &mut buffer);
    record.unwrap().to_vec()
}

/// Metrics of that rune, whose host calls it by a name that needs escapes, and of one that never ran.
pub(crate) fn exported(format: Format) -> String {
    written(format, &recorded())
}

fn written(format: Format, record: &[u8]) -> String {
    let rune = Rune {
        phases: vec![("running", true), ("refused", false)],
        saga: Some(Snapshot::decode(record).unwrap()),
    };
    let refused = Rune {
        phases: vec![("running", false), ("refused", true)],
        saga: None,
    };
    let runes = BTreeMap::from([
        ("a \"b\" \\ c\nd".to_owned(), rune),
        ("bad".to_owned(), refused),
    ]);
    let mut out = Vec::new();
    let stat = "42 (rune) S 1 42 42 0 -1 0 0 0 0 0 120 30 0 0 20 0 7 0 5000 81920000 2500 0 1 1 0";
    let process = Process::parse(stat).unwrap();
    let load = Load {
        process: Process {
            open_files: 9,
            most_files: Some(1024),
            ..process
        },
        system: System::parse(
            "0.52 1.25 12.00 3/812 40213",
            "cpu  10 20 30 405 5 6 7 8 9 10\nbtime 1700000000",
            "MemTotal: 1000 kB\nMemAvailable: 300 kB",
        ),
    };
    metrics::write(&mut out, format, &runes, Some(&load)).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn samples_say_what_was_recorded() {
    let text = exported(Format::OpenMetrics);
    let id = r#"rune="a \"b\" \\ c\nd""#;
    for line in [
        format!("rune_uptime_seconds{{{id}}} 1.500000000"),
        format!("rune_starts_total{{{id}}} 1"),
        format!("rune_calls_total{{{id},result=\"no_output\"}} 1"),
        format!("rune_failures_total{{{id},kind=\"deadline\"}} 1"),
        format!("rune_call_duration_seconds_bucket{{{id},le=\"0.000001024\"}} 1"),
        format!("rune_call_duration_seconds_bucket{{{id},le=\"0.000002048\"}} 2"),
        format!("rune_call_duration_seconds_bucket{{{id},le=\"17.179869184\"}} 2"),
        format!("rune_call_duration_seconds_bucket{{{id},le=\"+Inf\"}} 3"),
        format!("rune_call_duration_seconds_count{{{id}}} 3"),
        format!("rune_call_duration_seconds_sum{{{id}}} 90.000002049"),
        format!("rune_stage_duration_seconds_count{{{id},stage=\"fft\"}} 0"),
        format!("rune_stage_duration_seconds_count{{{id},stage=\"fft #2\"}} 1"),
        format!("rune_stage_duration_seconds_count{{{id},stage=\"fft #2 #2\"}} 0"),
        format!("rune_memory_peak_bytes{{{id}}} 65536"),
        format!("rune_output_records_total{{{id},output=\"serial\"}} 2"),
        format!("rune_output_bytes_total{{{id},output=\"serial\"}} 96"),
        format!("rune_output_dropped_total{{{id},output=\"serial\"}} 3"),
        format!("rune_phase{{{id},phase=\"running\"}} 1"),
        "rune_phase{rune=\"bad\",phase=\"running\"} 0".to_owned(),
        "rune_phase{rune=\"bad\",phase=\"refused\"} 1".to_owned(),
        "process_cpu_seconds_total 1.5".to_owned(),
        "process_start_time_seconds 1700000050".to_owned(),
        "process_open_fds 9".to_owned(),
        "process_max_fds 1024".to_owned(),
        "process_virtual_memory_bytes 81920000".to_owned(),
        "system_load15 12".to_owned(),
        "system_cpu_seconds_total{mode=\"idle\"} 4.05".to_owned(),
        "system_memory_available_bytes 307200".to_owned(),
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\nis not in\n{text}");
    }
}

/// Every series of a text in OpenMetrics, of which each stands in its family and once.
fn series(text: &str) -> BTreeSet<&str> {
    let families: BTreeMap<&str, Vec<String>> = FAMILIES
        .iter()
        .map(|f| (f.name, f.sample_names()))
        .chain(HOST_FAMILIES.iter().map(|f| (f.name, f.sample_names())))
        .chain([(PHASE.name, PHASE.sample_names())])
        .collect();
    let mut series = BTreeSet::new();
    let mut names: &[String] = &[];
    let text = text.strip_suffix("# EOF\n").unwrap();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            names = &families[rest.split(' ').next().unwrap()];
        } else if let Some(rest) = line.strip_prefix("# UNIT ") {
            let (name, unit) = rest.split_once(' ').unwrap();
            assert!(name.ends_with(&format!("_{unit}")), "{line}");
        } else if !line.starts_with("# HELP ") {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let name = sample.split('{').next().unwrap();
            assert!(names.iter().any(|n| n == name), "{line}");
            assert!(series.insert(sample), "{line} comes twice");
        }
    }
    series
}

/// The names of the samples in a text of either format.
pub(crate) fn names_in(text: &str) -> BTreeSet<&str> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.filter_map(|s| s.split(['{', ' ']).next()).collect()
}

#[test]
fn the_text_follows_open_metrics() {
    let text = exported(Format::OpenMetrics);
    series(&text);
    let all = metrics::sample_names();
    assert_eq!(names_in(&text), all.iter().map(String::as_str).collect());
    let families = FAMILIES.iter().map(|f| (f.name, f.kind));
    for (name, kind) in families.chain(HOST_FAMILIES.iter().map(|f| (f.name, f.kind))) {
        let has_suffix = name.ends_with("_total") || name.ends_with("_info");
        assert!(!has_suffix || kind == Kind::Gauge, "{name}");
    }
}

#[test]
fn a_damaged_record_is_refused_or_exported_whole() {
    let whole = recorded();
    let mut random = 88_172_645_463_325_252_u64;
    let mut next = move |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 11) as usize % below
    };
    let mut taken = 0;
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..=next(3) {
            let at = next(bytes.len());
            bytes[at] = next(256) as u8;
        }
        let Ok(snapshot) = Snapshot::decode(&bytes) else {
            continue;
        };
        taken += 1;
        rune_exporters::json::snapshot(&snapshot);
        series(&written(Format::OpenMetrics, &bytes));
    }
    assert!(taken > 1_000, "{taken}");
}

#[test]
fn a_scrape_gets_the_format_it_asks_for() {
    let modern = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
    assert_eq!(Format::accepted(modern), Format::OpenMetrics);
    assert_eq!(Format::accepted("*/*"), Format::Prometheus);
    let old = exported(Format::Prometheus);
    assert!(old.contains("# TYPE rune_calls_total counter\n"));
    assert!(!old.contains("# EOF") && !old.contains("# UNIT"));
}

/// Runs promtool on a text; `None`, with a word of it, where it is not installed.
pub(crate) fn promtool(args: &[&str], input: &str) -> Option<(bool, String)> {
    let child = Command::new("promtool")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: promtool is not installed");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let done = child.wait_with_output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    Some((done.status.success(), String::from_utf8(said).unwrap()))
}

#[test]
fn promtool_has_no_complaints_of_metrics() {
    let text = exported(Format::Prometheus);
    if let Some((ok, said)) = promtool(&["check", "metrics"], &text) {
        assert!(ok && said.is_empty(), "{said}");
    }
}
