//! What is known of many devices, as metrics: `OpenMetrics`, or the older text format of Prometheus.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

use rune_exporters::metrics::{Format, Kind};

use crate::{
    client::{About, RuneState},
    hex,
};

/// Most devices that are remembered, and most runes of each.
pub const MOST_DEVICES: usize = 1024;
/// See [`MOST_DEVICES`].
pub const MOST_RUNES: usize = 64;
/// Most bytes of a text that a device says of itself.
const MOST_TEXT: usize = 128;

/// What a device said when it was last asked.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Of itself.
    pub about: About,
    /// Of its runes, with their counters.
    pub runes: Vec<(RuneState, Vec<(String, u64)>)>,
}

/// A device that was seen.
#[derive(Clone, Debug)]
struct Device {
    /// What it says; `None` where it does not answer any more.
    seen: Option<Seen>,
    /// What it runs on, as it last said.
    board: String,
    last: Instant,
}

/// Devices by their ids, also those that are gone.
#[derive(Clone, Debug, Default)]
pub struct Devices(BTreeMap<String, Device>);

/// A family of metrics of devices.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its name, without the suffixes of its samples; ends with the unit if it has one.
    pub name: &'static str,
    /// What its samples are.
    pub kind: Kind,
    /// The unit, or nothing.
    pub unit: &'static str,
    /// What it means.
    pub help: &'static str,
}

/// All families, in order.
pub const FAMILIES: [Family; 8] = [
    Family {
        name: "device_up",
        kind: Kind::Gauge,
        unit: "",
        help: "Whether the device answers.",
    },
    Family {
        name: "device",
        kind: Kind::Info,
        unit: "",
        help: "What the device is.",
    },
    Family {
        name: "device_uptime_seconds",
        kind: Kind::Gauge,
        unit: "seconds",
        help: "Time since the start of the device.",
    },
    Family {
        name: "device_rune",
        kind: Kind::Info,
        unit: "",
        help: "Version, digest and state of a rune.",
    },
    Family {
        name: "device_rune_running",
        kind: Kind::Gauge,
        unit: "",
        help: "Whether the rune runs, and neither waits for its next start nor was stopped nor has ended.",
    },
    Family {
        name: "device_rune_starts",
        kind: Kind::Counter,
        unit: "",
        help: "Starts of the rune, the first and those after failures.",
    },
    Family {
        name: "device_rune_calls",
        kind: Kind::Counter,
        unit: "",
        help: "Calls by their result.",
    },
    Family {
        name: "device_rune_overruns",
        kind: Kind::Counter,
        unit: "",
        help: "Samples that the rune did not read in time, and calls that were not made when they were due.",
    },
];

impl Family {
    /// The name of its samples.
    pub fn sample_name(&self) -> String {
        let suffix = match self.kind {
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
            Kind::Counter => "_total",
        };
        format!("{}{suffix}", self.name)
    }
}

impl Devices {
    /// A device answers. Of too many the one is forgotten that was last seen first.
    pub fn seen(&mut self, id: &str, mut seen: Seen, now: Instant) {
        seen.runes.truncate(MOST_RUNES);
        // Of two runes of one name, which no device should have, one is shown.
        seen.runes.sort_by(|a, b| a.0.name.cmp(&b.0.name));
        seen.runes.dedup_by(|a, b| cut(&a.0.name) == cut(&b.0.name));
        let board = seen.about.board.clone();
        let device = Device {
            seen: Some(seen),
            board,
            last: now,
        };
        self.0.insert(cut(id).to_owned(), device);
        if self.0.len() > MOST_DEVICES {
            let oldest = self.0.iter().min_by_key(|(_, device)| device.last);
            if let Some(id) = oldest.map(|(id, _)| id.clone()) {
                self.0.remove(&id);
            }
        }
    }

    /// A device does not answer. One that has not for so long is forgotten.
    pub fn missed(&mut self, id: &str, now: Instant, forget: Duration) {
        let Some(device) = self.0.get_mut(cut(id)) else {
            return;
        };
        device.seen = None;
        if now.duration_since(device.last) > forget {
            self.0.remove(cut(id));
        }
    }

    /// The ids of all.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// All of it.
    pub fn text(&self, format: Format) -> String {
        let mut text = String::new();
        for family in &FAMILIES {
            let Family {
                name,
                kind,
                unit,
                help,
            } = family;
            let is_old = format == Format::Prometheus;
            let sample = family.sample_name();
            let (name, kind) = match kind {
                Kind::Info if is_old => (&*sample, "gauge"),
                Kind::Counter if is_old => (&*sample, "counter"),
                Kind::Info => (*name, "info"),
                Kind::Counter => (*name, "counter"),
                Kind::Gauge | Kind::Histogram => (*name, "gauge"),
            };
            // A string takes everything.
            let _ = writeln!(text, "# TYPE {name} {kind}");
            if !unit.is_empty() && !is_old {
                let _ = writeln!(text, "# UNIT {name} {unit}");
            }
            let _ = writeln!(text, "# HELP {name} {help}");
            for (id, device) in &self.0 {
                device.samples(family.name, id, |labels, value| {
                    text.push_str(&sample);
                    let mut start = '{';
                    for (label, value) in labels {
                        let _ = write!(text, "{start}{label}=\"{}\"", escaped(cut(value)));
                        start = ',';
                    }
                    let _ = writeln!(text, "}} {value}");
                });
            }
        }
        if format == Format::OpenMetrics {
            text.push_str("# EOF\n");
        }
        text
    }
}

impl Device {
    /// Shows `add` the samples of a family, with their labels.
    fn samples(&self, family: &str, id: &str, mut add: impl FnMut(&[(&str, &str)], String)) {
        let target = ("target", id);
        if family == "device_up" {
            let up = u8::from(self.seen.is_some());
            add(&[target, ("board", &self.board)], up.to_string());
        }
        let Some(Seen { about, runes }) = &self.seen else {
            return;
        };
        let mode = if about.lock.is_some() {
            "locked"
        } else {
            "open"
        };
        match family {
            "device" => add(
                &[
                    target,
                    ("name", &about.name),
                    ("board", &about.board),
                    ("version", &about.version),
                    ("mode", mode),
                ],
                "1".to_owned(),
            ),
            "device_uptime_seconds" => {
                let (seconds, ms) = (about.up_ms / 1000, about.up_ms % 1000);
                add(&[target], format!("{seconds}.{ms:03}"));
            }
            _ => {}
        }
        for (rune, counters) in runes {
            let labels = [target, ("rune", &*rune.name)];
            let of = |wanted: &str| {
                let found = counters.iter().find(|(name, _)| name == wanted);
                found.map_or(0, |(_, value)| *value).to_string()
            };
            match family {
                "device_rune" => {
                    let version = rune.version.map(|v| v.map(|n| n.to_string()).join("."));
                    add(
                        &[
                            target,
                            ("rune", &rune.name),
                            ("version", &version.unwrap_or_default()),
                            ("digest", &hex(&rune.sha256)),
                            ("state", &rune.state),
                        ],
                        "1".to_owned(),
                    );
                }
                "device_rune_running" => {
                    add(&labels, u8::from(rune.doing == "running").to_string());
                }
                "device_rune_starts" => add(&labels, of("starts")),
                "device_rune_overruns" => add(&labels, of("overruns")),
                "device_rune_calls" => {
                    for (result, counter) in [
                        ("output", "with_output"),
                        ("no_output", "without_output"),
                        ("failed", "failed"),
                    ] {
                        add(&[labels[0], labels[1], ("result", result)], of(counter));
                    }
                }
                _ => {}
            }
        }
    }
}

/// As much of a text as is shown.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MOST_TEXT)]
}

/// The value of a label as both formats want it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use rune_exporters::metrics::Format;

    use super::{Devices, MOST_DEVICES, MOST_RUNES, Seen};
    use crate::client::{About, RuneState};

    fn seen(runes: usize) -> Seen {
        let rune = |number: usize| RuneState {
            name: format!("rune{number}"),
            sha256: [7; 32],
            doing: "running".to_owned(),
            state: "confirmed".to_owned(),
            version: Some([1, 2, 3]),
            attempts: 0,
            error: String::new(),
        };
        let counters = vec![("starts".to_owned(), 1), ("with_output".to_owned(), 5)];
        Seen {
            about: About {
                name: "a \"b\"".to_owned(),
                board: "x".repeat(1000),
                version: "1".to_owned(),
                abi: 1,
                slots: 1,
                slot_bytes: 1,
                memory_bytes: 1,
                up_ms: 61_005,
                lock: None,
            },
            runes: (0..runes).map(|n| (rune(n), counters.clone())).collect(),
        }
    }

    #[test]
    fn what_is_held_is_bounded_and_what_is_gone_is_forgotten() {
        const FORGET: Duration = Duration::from_mins(1);
        let begun = Instant::now();
        let mut devices = Devices::default();
        for number in 0..MOST_DEVICES + 100 {
            let now = begun + Duration::from_millis(number as u64);
            devices.seen(&format!("d{number:05}"), seen(0), now);
        }
        assert_eq!(devices.ids().count(), MOST_DEVICES);
        assert_eq!(devices.ids().next(), Some("d00100"));
        let later = begun + Duration::from_secs(30);
        devices.missed("d00100", later, FORGET);
        let text = devices.text(Format::OpenMetrics);
        let board = "x".repeat(128);
        let up = |id: &str, up| format!("device_up{{target=\"{id}\",board=\"{board}\"}} {up}\n");
        assert!(text.contains(&up("d00100", 0)) && text.contains(&up("d00101", 1)));
        devices.missed("d00100", begun + Duration::from_mins(2), FORGET);
        assert_eq!(devices.ids().next(), Some("d00101"));
        let mut one = Devices::default();
        one.seen("d", seen(1000), begun);
        let text = one.text(Format::OpenMetrics);
        assert_eq!(text.matches("device_rune_info{").count(), MOST_RUNES);
        assert!(
            text.contains("device_uptime_seconds{target=\"d\"} 61.005\n"),
            "{text}"
        );
        assert!(text.contains("name=\"a \\\"b\\\"\""), "{text}");
    }
}
