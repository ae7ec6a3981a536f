//! The tables: times, ratios, sizes, and whose outputs differ.

use std::fmt::Write as _;

use crate::{
    cases::Case,
    ours::{Ours, Sizes},
    peer::{Kind, Peer},
};

/// What one engine took for one model: the median and least microseconds of a call, for each round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    rounds: Vec<(f64, f64)>,
}

impl Cell {
    /// Notes a round.
    pub(crate) fn add(&mut self, median: f64, least: f64) {
        self.rounds.push((median, least));
    }

    /// The median of the rounds' medians.
    fn median(&self) -> Option<f64> {
        let mut medians: Vec<f64> = self.rounds.iter().map(|r| r.0).collect();
        medians.sort_by(f64::total_cmp);
        medians.get(medians.len() / 2).copied()
    }

    fn text(&self) -> String {
        let least = self.rounds.iter().map(|r| r.1).fold(f64::MAX, f64::min);
        self.median().map_or_else(
            || "-".to_owned(),
            |median| format!("{} ({})", number(median), number(least)),
        )
    }
}

/// All that is known of one model.
pub(crate) struct Row {
    name: &'static str,
    file: usize,
    macs: u64,
    /// SIMD, scalar and whole call; then the peers.
    cells: Vec<Cell>,
    sizes: Option<(Sizes, Sizes)>,
    micro_arena: Option<u64>,
    notes: Vec<String>,
}

impl Row {
    /// Puts together what the engines came to.
    pub(crate) fn new(
        case: &Case,
        ours: Result<Ours, String>,
        peers: &[(Kind, Result<Peer, String>)],
        peer_cells: Vec<Cell>,
    ) -> Self {
        let mut notes = Vec::new();
        let of = |wanted: Kind| {
            let found = peers.iter().find(|(kind, _)| *kind == wanted);
            found.and_then(|(_, peer)| peer.as_ref().ok())
        };
        let judge = of(Kind::Reference)
            .map(|p| ("LiteRT reference", &p.output))
            .or_else(|| of(Kind::Micro).map(|p| ("TFLite Micro", &p.output)));
        let compare = |title: &str, output: &[u8]| {
            let fault = judge.and_then(|(_, expected)| case.difference(output, expected));
            fault.map(|fault| format!("{title}: {fault}"))
        };
        let mut cells = vec![Cell::default(); 3];
        let mut sizes = None;
        match ours {
            Ok(ours) => {
                for (title, engine) in [("rune SIMD", &ours.simd), ("rune scalar", &ours.scalar)] {
                    notes.extend(compare(title, &engine.output));
                }
                sizes = Some((ours.simd.sizes, ours.scalar.sizes));
                cells = [ours.simd, ours.scalar, ours.whole].map(|e| e.cell).into();
            }
            Err(reason) => notes.push(format!("rune: {reason}")),
        }
        let mut micro_arena = None;
        for (kind, peer) in peers {
            let fault = |peer: &Peer| compare(kind.title(), &peer.output);
            notes.extend(peer.as_ref().ok().and_then(fault));
            if let (Kind::Micro, Ok(peer)) = (kind, peer) {
                micro_arena = peer.arena;
            }
        }
        for (kind, peer) in peers {
            notes.extend(
                peer.as_ref()
                    .err()
                    .map(|e| format!("{}: {e}", kind.title())),
            );
        }
        match judge {
            Some(("LiteRT reference", _)) => {}
            Some((title, _)) => notes.push(format!("outputs are compared with {title}")),
            None => notes.push("outputs are compared with nothing".to_owned()),
        }
        cells.extend(peer_cells);
        Self {
            name: case.name,
            file: case.model.len(),
            macs: case.macs,
            cells,
            sizes,
            micro_arena,
            notes,
        }
    }
}

/// Everything as Markdown.
pub(crate) fn markdown(rows: &[Row], about: &[(Kind, String)]) -> String {
    let peers: Vec<&str> = Kind::ALL.iter().map(|k| k.title()).collect();
    let mut text = "## Microseconds of one call: median (least)\n\n".to_owned();
    let head = ["model", "rune SIMD", "rune scalar", "rune whole call"];
    line(&mut text, head.iter().chain(&peers).copied());
    rule(&mut text, head.len() + peers.len());
    for row in rows {
        let cells = row.cells.iter().map(Cell::text);
        line(&mut text, [row.name.to_owned()].into_iter().chain(cells));
    }
    text += "\n## Rune with SIMD as a part of each peer's time: below 1 the rune is faster\n\n";
    let head = ["model", "MMAC", "GMAC/s", "of scalar"];
    line(&mut text, head.iter().chain(&peers).copied());
    rule(&mut text, head.len() + peers.len());
    for row in rows {
        let [simd, scalar, _, peers @ ..] = &row.cells[..] else {
            continue;
        };
        let ratio = |cell: &Cell| match (simd.median(), cell.median()) {
            (Some(ours), Some(theirs)) => format!("{:.2}", ours / theirs),
            _ => "-".to_owned(),
        };
        let speed = simd.median().map_or_else(
            || "-".to_owned(),
            |time| format!("{:.1}", row.macs as f64 / time / 1e3),
        );
        let head = [
            row.name.to_owned(),
            format!("{:.3}", row.macs as f64 / 1e6),
            speed,
            ratio(scalar),
        ];
        line(&mut text, head.into_iter().chain(peers.iter().map(ratio)));
    }
    text += "\n## Bytes\n\n";
    let head = [
        "model",
        "file",
        "rune",
        "code SIMD",
        "code scalar",
        "constants",
        "arena",
        "arena TFLite Micro",
    ];
    line(&mut text, head);
    rule(&mut text, head.len());
    for row in rows {
        let of = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |v| v.to_string());
        let (simd, scalar) = (row.sizes.map(|s| s.0), row.sizes.map(|s| s.1));
        let numbers = [
            Some(row.file as u64),
            simd.map(|s| s.file as u64),
            simd.map(|s| s.code.into()),
            scalar.map(|s| s.code.into()),
            simd.map(|s| s.constants.into()),
            simd.map(|s| s.arena.into()),
            row.micro_arena,
        ];
        let cells = numbers.into_iter().map(of);
        line(&mut text, [row.name.to_owned()].into_iter().chain(cells));
    }
    text += "\n## Notes\n\n";
    for (kind, words) in about {
        let _ = writeln!(text, "- {}: {words} bytes of runtime", kind.title());
    }
    for row in rows {
        for note in &row.notes {
            let _ = writeln!(text, "- {}, {note}", row.name);
        }
    }
    text
}

fn line<T: AsRef<str>>(text: &mut String, cells: impl IntoIterator<Item = T>) {
    *text += "|";
    for cell in cells {
        // Writing to a string does not fail.
        let _ = write!(text, " {} |", cell.as_ref());
    }
    *text += "\n";
}

fn rule(text: &mut String, columns: usize) {
    *text += "|---";
    *text += &"|---:".repeat(columns - 1);
    *text += "|\n";
}

/// Three digits that count.
fn number(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}
