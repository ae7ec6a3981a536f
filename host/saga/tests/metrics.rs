//! Metrics follow their formats, say what was recorded, and are those that the alert rules ask for.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stderr, reason = "a test says that it is skipped")]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use rune_abi::{ABI_VERSION, Manifest, ManifestView, OutputKind, Version, WasmFeatures};
use rune_exporters::load::{Load, Process, System};
use rune_exporters::metrics::{self, FAMILIES, Family, Format, HOST_FAMILIES, Kind};
use rune_saga::{Failure, Outcome, Output, Recorder, Snapshot, Stage, Subject};

/// Metrics of a rune with two stages of one name, whose host calls it by a name that needs escapes.
fn exported(format: Format) -> String {
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
        stages: vec!["fft".to_owned(), "fft".to_owned()],
    };
    let bytes = manifest.to_bytes().unwrap();
    let manifest = ManifestView::parse(&bytes).unwrap();
    let subject = Subject {
        manifest: &manifest,
        digest: [0xab; 32],
    };
    let mut recorder = Recorder::new(vec![Stage::new(); 2], vec![Output::new()], 0);
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
    let snapshot = Snapshot::decode(record.unwrap()).unwrap();
    let runes = BTreeMap::from([("a \"b\" \\ c\nd".to_owned(), snapshot)]);
    let mut out = Vec::new();
    let stat = "42 (rune) S 1 42 42 0 -1 0 0 0 0 0 120 30 0 0 20 0 7 0 5000 81920000 2500 0 1 1 0";
    let load = Load {
        process: Process::parse(stat).unwrap(),
        system: System::parse("0.52 1.25 12.00 3/812 40213").unwrap(),
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
        format!("rune_memory_peak_bytes{{{id}}} 65536"),
        format!("rune_output_records_total{{{id},output=\"serial\"}} 2"),
        format!("rune_output_bytes_total{{{id},output=\"serial\"}} 96"),
        format!("rune_output_dropped_total{{{id},output=\"serial\"}} 3"),
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\nis not in\n{text}");
    }
}

#[test]
fn the_text_follows_open_metrics() {
    let text = exported(Format::OpenMetrics);
    assert!(text.ends_with("\n# EOF\n"));
    let mut series = BTreeSet::new();
    let mut family: Option<Vec<String>> = None;
    assert!(text.contains("process_cpu_seconds_total 1.5\n"), "{text}");
    for line in text.lines().filter(|l| *l != "# EOF") {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let name = rest.split(' ').next().unwrap();
            family = FAMILIES
                .iter()
                .find(|f| f.name == name)
                .map(Family::sample_names)
                .or_else(|| {
                    let (name, kind, ..) = HOST_FAMILIES.iter().find(|f| f.0 == name)?;
                    let suffix = if *kind == Kind::Counter { "_total" } else { "" };
                    Some(vec![format!("{name}{suffix}")])
                });
            assert!(family.is_some(), "{line}");
        } else if let Some(rest) = line.strip_prefix("# UNIT ") {
            let (name, unit) = rest.split_once(' ').unwrap();
            assert!(name.ends_with(&format!("_{unit}")), "{line}");
        } else if !line.starts_with("# HELP ") {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let name = sample.split('{').next().unwrap().to_owned();
            assert!(family.as_ref().unwrap().contains(&name), "{line}");
            assert!(series.insert(sample), "{line} comes twice");
        }
    }
    for family in &FAMILIES {
        let name = &family.sample_names()[0];
        assert!(series.iter().any(|s| s.starts_with(name)), "{name}");
        let has_suffix = family.name.ends_with("_total") || family.name.ends_with("_info");
        assert!(!has_suffix || family.kind == Kind::Gauge, "{}", family.name);
    }
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
fn promtool(args: &[&str], input: &str) -> Option<(bool, String)> {
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

#[test]
fn alert_rules_are_valid_and_ask_for_metrics_that_exist() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards/alerts.yml");
    let text = std::fs::read_to_string(&path).unwrap();
    let known: BTreeSet<String> = FAMILIES
        .iter()
        .flat_map(metrics::Family::sample_names)
        .collect();
    let mut asked = 0;
    for line in text.lines().filter(|l| l.trim().starts_with("expr:")) {
        let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for word in words.filter(|w| w.starts_with("rune_")) {
            assert!(known.contains(word), "{word} is not exported");
            asked += 1;
        }
    }
    assert_eq!(asked, text.matches("- alert:").count());
    let path = path.to_str().unwrap();
    if let Some((ok, said)) = promtool(&["check", "rules", path], "") {
        assert!(ok, "{said}");
    }
}
