//! `rune top`: served runes in the terminal, as they are now.

use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use ratatui::{
    DefaultTerminal, Frame,
    crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers},
    layout::{Constraint, Layout},
    style::{Color, Modifier, Style},
    text::Line,
    widgets::{Cell, Paragraph, Row, Table, TableState},
};

use super::{
    bench::shown,
    control::{Where, number},
};
use crate::{
    cli::Failure,
    serve::{Phase, Status},
};

/// How often the picture is made anew.
const PERIOD: Duration = Duration::from_secs(1);

/// What is on the screen.
struct View {
    status: Vec<Status>,
    /// Calls a second of each rune, from the last two answers.
    rates: Vec<Option<f64>>,
    asked: Instant,
    selected: TableState,
}

pub(crate) fn top(args: &Where) -> Result<(), Failure> {
    let mut view = View::new(args.status()?);
    if !io::stdout().is_terminal() {
        return Err(Failure::usage(
            "`rune top` needs a terminal; `rune ps --json` says the same once",
        ));
    }
    let mut terminal = ratatui::try_init().map_err(Failure::usage)?;
    let result = watch(&mut terminal, &mut view, args);
    ratatui::restore();
    result
}

fn watch(terminal: &mut DefaultTerminal, view: &mut View, args: &Where) -> Result<(), Failure> {
    loop {
        terminal
            .draw(|frame| view.draw(frame))
            .map_err(Failure::usage)?;
        let left = PERIOD.saturating_sub(view.asked.elapsed());
        if !event::poll(left).map_err(Failure::usage)? {
            view.update(args.status()?);
            continue;
        }
        let Event::Key(key) = event::read().map_err(Failure::usage)? else {
            continue;
        };
        if key.kind != KeyEventKind::Press {
            continue;
        }
        let is_interrupt =
            key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
        if is_interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
            return Ok(());
        }
        if key.code == KeyCode::Down {
            view.selected.select_next();
        } else if key.code == KeyCode::Up {
            view.selected.select_previous();
        }
    }
}

impl View {
    fn new(status: Vec<Status>) -> Self {
        Self {
            rates: vec![None; status.len()],
            status,
            asked: Instant::now(),
            selected: TableState::default().with_selected(0),
        }
    }

    fn update(&mut self, status: Vec<Status>) {
        let calls = |s: &Status| number(s, "/total/calls");
        let uptime = |s: &Status| number(s, "/uptime_ns");
        self.rates = status
            .iter()
            .map(|new| {
                let old = self.status.iter().find(|s| s.name == new.name)?;
                let time = uptime(new)?.checked_sub(uptime(old)?)?;
                let made = calls(new)?.checked_sub(calls(old)?)?;
                (time > 0).then(|| made as f64 * 1e9 / time as f64)
            })
            .collect();
        self.status = status;
        self.asked = Instant::now();
    }

    fn draw(&mut self, frame: &mut Frame<'_>) {
        let stages = self.selected.selected().and_then(|i| self.status.get(i));
        let stages = stages.map_or_else(Vec::new, stages_of);
        let [head, runes, title, below, keys] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Fill(1),
            Constraint::Length(1),
            Constraint::Length(stages.len().min(10) as u16 + 1),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        let running = self.status.iter().filter(|s| s.phase == Phase::Running);
        let rate: f64 = self.rates.iter().flatten().sum();
        let text = format!(
            "{} runes, {} running, {rate:.0} calls a second",
            self.status.len(),
            running.count()
        );
        frame.render_widget(Line::from(text), head);
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let names = [
            "NAME", "PHASE", "CALLS/S", "P50", "P99", "MAX", "MEMORY", "FAILED", "LOST", "ERROR",
        ];
        let rows = self
            .status
            .iter()
            .zip(&self.rates)
            .map(|(s, rate)| row(s, *rate));
        let widths = [
            Constraint::Min(12),
            Constraint::Length(9),
            Constraint::Length(9),
            Constraint::Length(8),
            Constraint::Length(8),
            Constraint::Length(8),
            Constraint::Length(10),
            Constraint::Length(7),
            Constraint::Length(7),
            Constraint::Fill(1),
        ];
        let table = Table::new(rows, widths)
            .header(Row::new(names).style(bold))
            .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
        frame.render_stateful_widget(table, runes, &mut self.selected);
        frame.render_widget(Line::from("stages of the selected rune").style(bold), title);
        let widths = [
            Constraint::Min(20),
            Constraint::Length(10),
            Constraint::Length(10),
            Constraint::Length(10),
        ];
        let table = Table::new(stages, widths).header(Row::new(["STAGE", "P50", "P99", "MAX"]));
        frame.render_widget(table, below);
        frame.render_widget(Paragraph::new("up and down select, q ends"), keys);
    }
}

fn row(status: &Status, rate: Option<f64>) -> Row<'static> {
    let time = |path| number(status, path).map_or_else(String::new, shown);
    let lost = number(status, "/total/overruns").unwrap_or(0)
        + status
            .saga
            .as_ref()
            .and_then(|v| v["outputs"].as_array())
            .into_iter()
            .flatten()
            .filter_map(|o| o["dropped"].as_u64())
            .sum::<u64>();
    let failed = number(status, "/total/failed").unwrap_or(0);
    let colour = match status.phase {
        Phase::Running | Phase::Starting => Color::Green,
        Phase::Waiting | Phase::Refused => Color::Red,
        Phase::Stopped | Phase::Ended => Color::Gray,
    };
    let memory = number(status, "/memory_peak_bytes");
    Row::new([
        Cell::from(status.name.clone()),
        Cell::from(format!("{:?}", status.phase).to_lowercase()).style(Style::new().fg(colour)),
        Cell::from(rate.map_or_else(String::new, |r| format!("{r:.1}"))),
        Cell::from(time("/latency_ns/p50")),
        Cell::from(time("/latency_ns/p99")),
        Cell::from(time("/latency_ns/max")),
        Cell::from(memory.map_or_else(String::new, |n| format!("{} KiB", n.div_ceil(1024)))),
        Cell::from(failed.to_string()),
        Cell::from(lost.to_string()),
        Cell::from(status.error.clone().unwrap_or_default()),
    ])
}

fn stages_of(status: &Status) -> Vec<Row<'static>> {
    let stages = status.saga.as_ref().and_then(|v| v["stages"].as_array());
    let marked = |s: &&serde_json::Value| s["ns"]["count"].as_u64().is_some_and(|n| n > 0);
    let time = |value: &serde_json::Value| value.as_u64().map_or_else(String::new, shown);
    stages
        .into_iter()
        .flatten()
        .filter(marked)
        .map(|s| {
            let name = s["name"].as_str().unwrap_or_default().to_owned();
            Row::new([
                name,
                time(&s["ns"]["p50"]),
                time(&s["ns"]["p99"]),
                time(&s["ns"]["max"]),
            ])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_screen_shows_runes_and_the_stages_of_one() {
        let status = |calls: u64, uptime: u64| Status {
            name: "gesture".to_owned(),
            rune: "gesture".to_owned(),
            version: "1.0.0".to_owned(),
            digest: String::new(),
            phase: Phase::Running,
            error: None,
            installed: vec![],
            saga: Some(json!({
                "uptime_ns": uptime,
                "memory_peak_bytes": 65536,
                "total": { "calls": calls, "failed": 3, "overruns": 2 },
                "latency_ns": { "p50": 5400, "p99": 9000, "max": 12000 },
                "stages": [{ "name": "normalize", "ns": { "count": 1, "p50": 800, "p99": 900, "max": 950 } }],
                "outputs": [{ "dropped": 5 }],
            })),
        };
        let mut view = View::new(vec![status(100, 1_000_000_000)]);
        view.update(vec![status(350, 3_000_000_000)]);
        let mut terminal = Terminal::new(TestBackend::new(110, 12)).unwrap();
        terminal.draw(|frame| view.draw(frame)).unwrap();
        let screen = terminal.backend().to_string();
        for text in [
            "1 runes, 1 running, 125",
            "gesture",
            "125.0",
            "5.40 us",
            "64 KiB",
            "normalize",
            "800 ns",
        ] {
            assert!(screen.contains(text), "{text} in\n{screen}");
        }
        let line = screen.lines().find(|l| l.contains("running ")).unwrap();
        let cells: Vec<&str> = line.split_whitespace().collect();
        assert!(cells.contains(&"3") && cells.contains(&"7"), "{line}");
    }
}
