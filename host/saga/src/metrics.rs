//! Metrics as text, in the OpenMetrics format and in the older one of Prometheus.
//!
//! Durations are in seconds and sizes in bytes, as these formats want them. Buckets of histograms are the
//! powers of two from 1.024 us to 17.2 s, where the counts of a [`Histogram`] are exact.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
    io,
};

use crate::load::{Load, System};
use rune_saga::{Failure, Histogram, Snapshot, Writes};

/// Logarithms of the least and the greatest bound of exported buckets, in ns.
const BOUNDS: std::ops::RangeInclusive<u32> = 10..=34;

/// How metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text format of Prometheus, 0.0.4, for what does not ask for OpenMetrics.
    Prometheus,
}

impl Format {
    /// The format to answer an HTTP request with whose header `Accept` is this.
    pub fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// The header `Content-Type` of the answer.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// What the samples of a family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text in labels; the value is 1.
    Info,
    /// A number that goes up and down.
    Gauge,
    /// A number that only grows.
    Counter,
    /// Durations in cumulative buckets.
    Histogram,
}

/// A rune as its host has it.
#[derive(Clone, Debug, Default)]
pub struct Rune<'a> {
    /// Every phase that the host knows, and whether the rune is in it.
    pub phases: Vec<(&'a str, bool)>,
    /// What it did; `None` where it never ran.
    pub saga: Option<Snapshot<'a>>,
}

/// A family of metrics.
#[derive(Clone, Copy, Debug)]
pub struct Family<S> {
    /// Its name, without the suffixes of its samples; ends with the unit if it has one.
    pub name: &'static str,
    /// What its samples are.
    pub kind: Kind,
    /// The unit, or nothing.
    pub unit: &'static str,
    /// What it means.
    pub help: &'static str,
    /// Writes the samples that a rune or the host has in it.
    samples: S,
}

/// How the samples of a rune are written.
pub type OfRune = fn(&mut Samples<'_>, Label<'_>, &Snapshot<'_>);
/// How the samples of process and system are written.
pub type OfHost = fn(&mut Samples<'_>, &Load);

impl<S> Family<S> {
    /// The names of its samples.
    pub fn sample_names(&self) -> Vec<String> {
        let suffixes: &[&str] = match self.kind {
            Kind::Info => &["_info"],
            Kind::Gauge => &[""],
            Kind::Counter => &["_total"],
            Kind::Histogram => &["_bucket", "_count", "_sum"],
        };
        let with = |suffix: &&str| format!("{}{suffix}", self.name);
        suffixes.iter().map(with).collect()
    }
}

/// Every name that a sample may have.
pub fn sample_names() -> Vec<String> {
    let of_runes = FAMILIES.iter().flat_map(Family::sample_names);
    let of_host = HOST_FAMILIES.iter().flat_map(Family::sample_names);
    of_runes
        .chain(PHASE.sample_names())
        .chain(of_host)
        .collect()
}

/// What is exported of a rune that ran, in order.
pub const FAMILIES: [Family<OfRune>; 12] = [
    Family {
        name: "rune",
        kind: Kind::Info,
        unit: "",
        help: "Name, version and digest of the rune.",
        samples: info,
    },
    Family {
        name: "rune_uptime_seconds",
        kind: Kind::Gauge,
        unit: "seconds",
        help: "Time since recording began.",
        samples: |out, id, rune| out.sample("", &[id], Seconds(rune.uptime_ns)),
    },
    Family {
        name: "rune_starts",
        kind: Kind::Counter,
        unit: "",
        help: "Starts of the rune, the first and those after failures.",
        samples: |out, id, rune| out.sample("_total", &[id], rune.total.starts),
    },
    Family {
        name: "rune_calls",
        kind: Kind::Counter,
        unit: "",
        help: "Calls by their result.",
        samples: calls,
    },
    Family {
        name: "rune_failures",
        kind: Kind::Counter,
        unit: "",
        help: "Failed calls by kind.",
        samples: failures,
    },
    Family {
        name: "rune_call_duration_seconds",
        kind: Kind::Histogram,
        unit: "seconds",
        help: "Time that calls took.",
        samples: |out, id, rune| out.histogram(&[id], &rune.latency),
    },
    Family {
        name: "rune_stage_duration_seconds",
        kind: Kind::Histogram,
        unit: "seconds",
        help: "Time that stages took.",
        samples: stages,
    },
    Family {
        name: "rune_overruns",
        kind: Kind::Counter,
        unit: "",
        help: "Samples that the rune did not read in time, and calls that were not made when they were due.",
        samples: |out, id, rune| out.sample("_total", &[id], rune.total.overruns),
    },
    Family {
        name: "rune_output_records",
        kind: Kind::Counter,
        unit: "",
        help: "Records that outputs took.",
        samples: |out, id, rune| outputs(out, id, rune, |writes| writes.records),
    },
    Family {
        name: "rune_output_bytes",
        kind: Kind::Counter,
        unit: "bytes",
        help: "Bytes of tensors that outputs took.",
        samples: |out, id, rune| outputs(out, id, rune, |writes| writes.bytes),
    },
    Family {
        name: "rune_output_dropped",
        kind: Kind::Counter,
        unit: "",
        help: "Records that did not get to their sink.",
        samples: |out, id, rune| outputs(out, id, rune, |writes| writes.dropped),
    },
    Family {
        name: "rune_memory_peak_bytes",
        kind: Kind::Gauge,
        unit: "bytes",
        help: "Most memory that the rune ever held.",
        samples: |out, id, rune| out.sample("", &[id], rune.memory_peak_bytes),
    },
];

/// What a host does with a rune: 1 for the phase that it is in, 0 for the others.
pub const PHASE: Family<()> = Family {
    name: "rune_phase",
    kind: Kind::Gauge,
    unit: "",
    help: "Whether the host has the rune in this phase.",
    samples: (),
};

/// What is exported of the process and the system, in order.
pub const HOST_FAMILIES: [Family<OfHost>; 13] = [
    Family {
        name: "process_cpu_seconds",
        kind: Kind::Counter,
        unit: "seconds",
        help: "Time of this process on processors.",
        samples: |out, load| out.sample("_total", &[], load.process.cpu_seconds()),
    },
    Family {
        name: "process_start_time_seconds",
        kind: Kind::Gauge,
        unit: "seconds",
        help: "When this process started, since 1970.",
        samples: |out, load| out.known(load.started()),
    },
    Family {
        name: "process_threads",
        kind: Kind::Gauge,
        unit: "",
        help: "Threads of this process.",
        samples: |out, load| out.sample("", &[], load.process.threads),
    },
    Family {
        name: "process_resident_memory_bytes",
        kind: Kind::Gauge,
        unit: "bytes",
        help: "Memory of this process that is present.",
        samples: |out, load| out.sample("", &[], load.process.resident_bytes()),
    },
    Family {
        name: "process_virtual_memory_bytes",
        kind: Kind::Gauge,
        unit: "bytes",
        help: "Address space of this process.",
        samples: |out, load| out.sample("", &[], load.process.virtual_bytes),
    },
    Family {
        name: "process_open_fds",
        kind: Kind::Gauge,
        unit: "",
        help: "Files, sockets and pipes that this process has open.",
        samples: |out, load| out.sample("", &[], load.process.open_files),
    },
    Family {
        name: "process_max_fds",
        kind: Kind::Gauge,
        unit: "",
        help: "The most that this process may have open.",
        samples: |out, load| out.known(load.process.most_files),
    },
    Family {
        name: "system_load1",
        kind: Kind::Gauge,
        unit: "",
        help: "Mean number of tasks over a minute that ran or waited to.",
        samples: |out, load| out.known(load.system.map(|s| s.load[0])),
    },
    Family {
        name: "system_load5",
        kind: Kind::Gauge,
        unit: "",
        help: "The same over 5 minutes.",
        samples: |out, load| out.known(load.system.map(|s| s.load[1])),
    },
    Family {
        name: "system_load15",
        kind: Kind::Gauge,
        unit: "",
        help: "The same over 15 minutes.",
        samples: |out, load| out.known(load.system.map(|s| s.load[2])),
    },
    Family {
        name: "system_cpu_seconds",
        kind: Kind::Counter,
        unit: "seconds",
        help: "Time of all processors by what they did.",
        samples: |out, load| {
            for (mode, seconds) in load.system.iter().flat_map(System::cpu_seconds) {
                out.sample("_total", &[("mode", mode)], seconds);
            }
        },
    },
    Family {
        name: "system_memory_bytes",
        kind: Kind::Gauge,
        unit: "bytes",
        help: "Memory of the system.",
        samples: |out, load| out.known(load.system.map(|s| s.memory_bytes)),
    },
    Family {
        name: "system_memory_available_bytes",
        kind: Kind::Gauge,
        unit: "bytes",
        help: "Memory that programs can have before the system swaps.",
        samples: |out, load| out.known(load.system.map(|s| s.available_bytes)),
    },
];

/// Writes the totals of these runes, and the load where it is known. The keys are what this host calls the runes,
/// and become the label `rune`.
pub fn write(
    out: &mut impl io::Write,
    format: Format,
    runes: &BTreeMap<String, Rune<'_>>,
    load: Option<&Load>,
) -> io::Result<()> {
    for family in &FAMILIES {
        write_family(out, format, family, |samples| {
            for (id, rune) in runes {
                if let Some(saga) = &rune.saga {
                    (family.samples)(samples, ("rune", id), saga);
                }
            }
        })?;
    }
    write_family(out, format, &PHASE, |samples| {
        for (id, rune) in runes {
            for (phase, is_in) in &rune.phases {
                samples.sample("", &[("rune", id), ("phase", phase)], u8::from(*is_in));
            }
        }
    })?;
    for family in &HOST_FAMILIES {
        let Some(load) = load else { break };
        write_family(out, format, family, |samples| {
            (family.samples)(samples, load);
        })?;
    }
    match format {
        Format::OpenMetrics => out.write_all(b"# EOF\n"),
        Format::Prometheus => Ok(()),
    }
}

fn write_family<S>(
    out: &mut impl io::Write,
    format: Format,
    family: &Family<S>,
    samples: impl FnOnce(&mut Samples<'_>),
) -> io::Result<()> {
    let mut text = String::new();
    head(&mut text, format, family);
    samples(&mut Samples {
        text: &mut text,
        family: family.name,
    });
    out.write_all(text.as_bytes())
}

fn head<S>(text: &mut String, format: Format, family: &Family<S>) {
    let Family {
        name: family,
        kind,
        unit,
        help,
        ..
    } = family;
    // The older format knows samples only, so there a family has the name of its samples.
    let (name, kind) = match (format, kind) {
        (Format::Prometheus, Kind::Info) => (format!("{family}_info"), "gauge"),
        (Format::Prometheus, Kind::Counter) => (format!("{family}_total"), "counter"),
        (Format::OpenMetrics, Kind::Info) => ((*family).to_owned(), "info"),
        (Format::OpenMetrics, Kind::Counter) => ((*family).to_owned(), "counter"),
        (_, Kind::Gauge) => ((*family).to_owned(), "gauge"),
        (_, Kind::Histogram) => ((*family).to_owned(), "histogram"),
    };
    append(text, format_args!("# TYPE {name} {kind}\n"));
    if format == Format::OpenMetrics && !unit.is_empty() {
        append(text, format_args!("# UNIT {name} {unit}\n"));
    }
    append(text, format_args!("# HELP {name} {help}\n"));
}

/// A name and its value.
pub type Label<'a> = (&'a str, &'a str);

fn info(out: &mut Samples<'_>, id: Label<'_>, rune: &Snapshot<'_>) {
    let digest = rune.digest.map(|b| format!("{b:02x}")).concat();
    let version = rune.version.to_string();
    let labels = [
        id,
        ("name", rune.name),
        ("version", &version),
        ("digest", &digest),
    ];
    out.sample("_info", &labels, 1);
}

fn calls(out: &mut Samples<'_>, id: Label<'_>, rune: &Snapshot<'_>) {
    let total = &rune.total;
    for (result, count) in [
        ("output", total.with_output),
        ("no_output", total.without_output),
        ("failed", total.failed_calls()),
    ] {
        out.sample("_total", &[id, ("result", result)], count);
    }
}

fn failures(out: &mut Samples<'_>, id: Label<'_>, rune: &Snapshot<'_>) {
    for kind in Failure::ALL {
        let labels = [id, ("kind", kind.name())];
        out.sample("_total", &labels, rune.total.failed(kind));
    }
}

fn stages(out: &mut Samples<'_>, id: Label<'_>, rune: &Snapshot<'_>) {
    let mut names = Names::default();
    for stage in rune.stages() {
        let name = names.own(stage.name);
        out.histogram(&[id, ("stage", &name)], &stage.total);
    }
}

fn outputs(out: &mut Samples<'_>, id: Label<'_>, rune: &Snapshot<'_>, count: fn(&Writes) -> u64) {
    let mut names = Names::default();
    for output in rune.outputs() {
        let name = names.own(output.name);
        out.sample("_total", &[id, ("output", &name)], count(&output.total));
    }
}

/// Names that are given once: a series must be one of a kind, and runes may name two stages alike.
#[derive(Default)]
struct Names {
    given: BTreeSet<String>,
    times: BTreeMap<String, u32>,
}

impl Names {
    /// The name itself, or for the second one of it `NAME #2` and so on.
    fn own(&mut self, name: &str) -> String {
        let times = self.times.entry(name.to_owned()).or_default();
        loop {
            *times += 1;
            let own = match *times {
                1 => name.to_owned(),
                n => format!("{name} #{n}"),
            };
            if self.given.insert(own.clone()) {
                return own;
            }
        }
    }
}

/// Where the samples of a family are written.
#[derive(Debug)]
pub struct Samples<'t> {
    text: &'t mut String,
    family: &'static str,
}

impl Samples<'_> {
    fn sample(&mut self, suffix: &str, labels: &[Label<'_>], value: impl fmt::Display) {
        append(self.text, format_args!("{}{suffix}", self.family));
        for (i, (name, value)) in labels.iter().enumerate() {
            let before = if i == 0 { '{' } else { ',' };
            append(
                self.text,
                format_args!("{before}{name}=\"{}\"", Escaped(value)),
            );
        }
        let end = if labels.is_empty() { "" } else { "}" };
        append(self.text, format_args!("{end} {value}\n"));
    }

    /// A sample without labels, where there is a value.
    fn known(&mut self, value: Option<impl fmt::Display>) {
        if let Some(value) = value {
            self.sample("", &[], value);
        }
    }

    fn histogram(&mut self, labels: &[Label<'_>], histogram: &Histogram) {
        for bit in BOUNDS {
            let bound = Seconds(1 << bit).to_string();
            let labels = [labels, &[("le", &bound)]].concat();
            self.sample("_bucket", &labels, histogram.at_most(1 << bit));
        }
        let count = histogram.count();
        self.sample("_bucket", &[labels, &[("le", "+Inf")]].concat(), count);
        self.sample("_count", labels, count);
        self.sample("_sum", labels, Seconds(histogram.summary().sum_ns()));
    }
}

/// Nanoseconds, written in seconds without loss.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        write!(f, "{whole}.{part:09}")
    }
}

/// The value of a label with its quotes, backslashes and ends of lines escaped.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

fn append(text: &mut String, what: fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a String takes everything");
}
