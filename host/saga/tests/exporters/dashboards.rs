//! The dashboard and the alert rules are valid, ask for metrics that exist, and alerts fire when they should.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use rune_exporters::metrics::{Format, sample_names};
use serde_json::Value;

use crate::metrics::{exported, names_in, promtool};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("dashboards")
        .join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

/// Asserts that every metric which an expression names is exported, and that there is one.
fn asks_for_what_exists(expression: &str) {
    let text = exported(Format::Prometheus);
    // Prometheus itself says whether a target is up.
    let known: BTreeSet<&str> = names_in(&text).into_iter().chain(["up"]).collect();
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let of_us = |w: &&str| {
        ["rune_", "process_", "system_"]
            .iter()
            .any(|p| w.starts_with(p))
    };
    let asked: Vec<&str> = { words }.filter(|w| of_us(w) || *w == "up").collect();
    assert!(!asked.is_empty(), "{expression}");
    for name in asked {
        assert!(
            known.contains(name),
            "{name} of {expression} is not exported"
        );
    }
}

/// The panels of the dashboard.
fn panels(dashboard: &Value) -> &[Value] {
    dashboard["panels"].as_array().unwrap()
}

fn expressions(dashboard: &Value) -> Vec<&str> {
    let targets = panels(dashboard)
        .iter()
        .map(|p| p["targets"].as_array().unwrap());
    targets
        .flatten()
        .map(|target| target["expr"].as_str().unwrap())
        .collect()
}

#[test]
fn the_dashboard_is_one_that_grafana_lays_out() {
    let dashboard: Value = serde_json::from_str(&read("rune.json")).unwrap();
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 39);
    let ids: BTreeSet<u64> = panels(&dashboard)
        .iter()
        .map(|p| p["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids.len(), panels(&dashboard).len());
    let mut taken: BTreeMap<(u64, u64), &str> = BTreeMap::new();
    for panel in panels(&dashboard) {
        let title = panel["title"].as_str().unwrap();
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|k| panel["gridPos"][k].as_u64().unwrap());
        assert!(w > 0 && h > 0 && x + w <= 24, "{title}");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            let other = taken.insert(cell, title);
            assert_eq!(other, None, "{title} lies over it");
        }
        let refs: Vec<&str> = panel["targets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| t["refId"].as_str().unwrap())
            .collect();
        let unique: BTreeSet<&&str> = refs.iter().collect();
        assert_eq!(refs.len(), unique.len(), "{title}");
    }
    // Nothing is tied to one installation: sources are the variable, and variables are those that are defined.
    let variables: BTreeSet<&str> = dashboard["templating"]["list"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        variables,
        BTreeSet::from(["datasource", "instance", "rune"])
    );
    let text = read("rune.json");
    assert_eq!(
        text.matches("\"uid\": \"${datasource}\"").count(),
        text.matches("\"uid\"").count() - 1
    );
    for expression in expressions(&dashboard) {
        for used in expression.split('$').skip(1) {
            let name = used
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .next()
                .unwrap();
            assert!(
                variables.contains(name) || name.starts_with("__"),
                "{expression}"
            );
        }
    }
}

#[test]
fn the_dashboard_asks_for_metrics_that_exist_in_valid_expressions() {
    let dashboard: Value = serde_json::from_str(&read("rune.json")).unwrap();
    let mut rules = "groups:\n- name: dashboard\n  rules:\n".to_owned();
    for (number, expression) in expressions(&dashboard).into_iter().enumerate() {
        asks_for_what_exists(expression);
        let plain = ["$__rate_interval", "$__range"]
            .iter()
            .fold(expression.to_owned(), |e, v| e.replace(v, "5m"));
        let plain = Value::from(plain);
        writeln!(rules, "  - record: panel:{number}\n    expr: {plain}").unwrap();
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if let Some(query) = variable["definition"].as_str() {
            asks_for_what_exists(query);
        }
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboard.yml");
    fs::write(&file, rules).unwrap();
    if let Some((ok, said)) = promtool(&["check", "rules", file.to_str().unwrap()], "") {
        assert!(ok, "{said}");
    }
}

/// The alerts of the rules, each with its lines.
fn alerts(rules: &str) -> BTreeMap<&str, &str> {
    let parts = rules.split("- alert: ").skip(1);
    parts.map(|part| part.split_once('\n').unwrap()).collect()
}

#[test]
fn alerts_ask_for_metrics_that_exist() {
    let rules = read("alerts.yml");
    for (name, rule) in alerts(&rules) {
        let expression = rule.split_once("expr:").unwrap().1;
        // It ends before the next key.
        let expression = expression.split("        for:").next().unwrap();
        let expression = expression.split("        labels:").next().unwrap();
        asks_for_what_exists(expression);
        assert!(
            rule.contains("severity:") && rule.contains("summary:"),
            "{name}"
        );
    }
    if let Some((ok, said)) = promtool(
        &["check", "rules", path("alerts.yml").to_str().unwrap()],
        "",
    ) {
        assert!(ok, "{said}");
    }
}

#[test]
fn alerts_fire_when_they_should_and_not_otherwise() {
    let (rules, tests) = (read("alerts.yml"), read("alerts.test.yml"));
    for name in alerts(&rules).keys() {
        let cases: Vec<&str> = tests
            .split(&format!("alertname: {name}\n"))
            .skip(1)
            .collect();
        let quiet = cases
            .iter()
            .filter(|c| c.trim_start().starts_with("exp_alerts: []"))
            .count();
        assert!(
            quiet > 0 && quiet < cases.len(),
            "{name} is not tested both ways"
        );
    }
    if let Some((ok, said)) = promtool(
        &["test", "rules", path("alerts.test.yml").to_str().unwrap()],
        "",
    ) {
        assert!(ok, "{said}");
    }
}

#[test]
fn the_page_of_the_book_names_every_metric_and_every_alert() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/book/watching.md");
    let page = fs::read_to_string(page).unwrap();
    // What stands between backticks in the first cell of the rows below a head.
    let first_cells = |head: &str| -> BTreeSet<String> {
        let rows = page.split_once(head).unwrap().1.lines().skip(2);
        let cells = rows.map_while(|row| row.strip_prefix('|')?.split('|').next());
        let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
        names.map(str::to_owned).collect()
    };
    let parts = ["_bucket", "_count", "_sum"];
    let whole = |name: String| {
        let family = parts.iter().find_map(|part| name.strip_suffix(part));
        family.map_or_else(|| name.clone(), str::to_owned)
    };
    let exported: BTreeSet<String> = sample_names().into_iter().map(whole).collect();
    assert_eq!(first_cells("| metric | type | labels | |"), exported);
    let rules = read("alerts.yml");
    let named: BTreeSet<String> = alerts(&rules).into_keys().map(str::to_owned).collect();
    assert_eq!(first_cells("| alert | when |"), named);
}
