//! The one way from what a call wrote to its sinks: formats, sends, counts, and says how long to wait.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use rune_abi::Manifest;

use super::{
    Record,
    count::{Fate, Meters, SinkCounters},
    queue::Queue,
    serial,
    sink::{self, Line, Sink, SinkError, Then, Writer},
};
use crate::Rates;

/// Where it is said that a sink has stopped to work, or works again: the level, 2 (warning) or 3 (note), and
/// a text. Threads of their own call it.
pub type Report = Arc<dyn Fn(u32, &str) + Send + Sync>;

/// The sinks of one instance. Outputs that are bound to the same sink share a line there for each call.
pub struct Router {
    manifest: Manifest,
    rates: Rates,
    channels: Vec<Channel>,
    meters: Meters,
    report: Report,
    /// What was lost, once it is known.
    losses: Option<Vec<Loss>>,
    /// For each output, the lost records that were told of.
    told: Vec<u64>,
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("rune", &self.manifest.name)
            .field("meters", &self.meters)
            .finish_non_exhaustive()
    }
}

/// A sink that is open, with the outputs that go there.
struct Channel {
    sink: Sink,
    outputs: Vec<usize>,
    /// What messages call it: the outputs, and the sink.
    name: String,
    way: Way,
    /// The last line; the next one takes its memory where nobody waits for it.
    line: Arc<Line>,
}

enum Way {
    /// Lines are written before the call is over.
    Direct {
        writer: Box<dyn Writer>,
        is_stdout: bool,
        is_down: bool,
        why: Option<String>,
    },
    Queued(Queue),
    /// What comes too late is counted as failed.
    Closed,
}

/// Sinks that are open, and that nothing was written to yet.
pub(crate) struct Opened {
    manifest: Manifest,
    rates: Rates,
    groups: Vec<Group>,
}

/// A sink with the outputs that go there.
struct Group {
    sink: Sink,
    outputs: Vec<usize>,
    /// The outputs, as messages call them.
    names: Vec<String>,
    /// `None` as long as another router has the file.
    writer: Option<Box<dyn Writer>>,
}

impl Group {
    fn error(&self, what: String) -> SinkError {
        SinkError {
            outputs: self.names.join(" and "),
            place: self.sink.to_string(),
            what,
        }
    }
}

impl Opened {
    /// Opens sinks as [`Router::open`] does, for a rune that is to take the place of another. A file that the router
    /// of that one writes can be had only when it has finished, and is opened by [`start`](Self::start).
    pub(crate) fn beside(
        running: Option<&Router>,
        manifest: &Manifest,
        sinks: &[Sink],
        rates: Rates,
    ) -> Result<Self, SinkError> {
        let mut groups: Vec<Group> = vec![];
        for (index, output) in manifest.outputs.iter().enumerate() {
            let sink = sinks.get(index).unwrap_or(&Sink::Stdout);
            match groups.iter_mut().find(|group| group.sink == *sink) {
                _ if *sink == Sink::Discard => {}
                Some(group) => {
                    group.outputs.push(index);
                    group.names.push(format!("`{}`", output.name));
                }
                None => groups.push(Group {
                    sink: sink.clone(),
                    outputs: vec![index],
                    names: vec![format!("`{}`", output.name)],
                    writer: None,
                }),
            }
        }
        for group in &mut groups {
            if !running.is_some_and(|router| router.writes(&group.sink)) {
                let writer = sink::open(&group.sink).map_err(|what| group.error(what))?;
                group.writer = Some(writer);
            }
        }
        Ok(Self {
            manifest: manifest.clone(),
            rates,
            groups,
        })
    }

    /// Lets them be written.
    ///
    /// # Errors
    /// Where a thread cannot be had, or a file that was another router's.
    pub(crate) fn start(self, report: Report) -> Result<Router, SinkError> {
        let meters = Meters::new(self.manifest.outputs.len());
        let open = |mut group: Group| {
            let name = format!("output {}: {}", group.names.join(" and "), group.sink);
            let writer = match group.writer.take() {
                Some(writer) => writer,
                None => sink::open(&group.sink).map_err(|what| group.error(what))?,
            };
            let way = match &group.sink {
                Sink::Stdout | Sink::Discard | Sink::File(_) => Way::Direct {
                    writer,
                    is_stdout: group.sink == Sink::Stdout,
                    is_down: false,
                    why: None,
                },
                Sink::Tty(_, delivery) | Sink::Mqtt(_, delivery) | Sink::Http(_, delivery) => {
                    let (meters, report) = (meters.clone(), report.clone());
                    let queue = Queue::start(writer, delivery, meters, name.clone(), report);
                    Way::Queued(queue.map_err(|e| group.error(e.to_string()))?)
                }
            };
            Ok(Channel {
                sink: group.sink,
                outputs: group.outputs,
                name,
                way,
                line: Arc::default(),
            })
        };
        let channels = self
            .groups
            .into_iter()
            .map(open)
            .collect::<Result<_, _>>()?;
        Ok(Router {
            told: vec![0; self.manifest.outputs.len()],
            manifest: self.manifest,
            rates: self.rates,
            channels,
            meters,
            report,
            losses: None,
        })
    }
}

/// Why a run should end because of standard output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendError {
    /// Nobody reads it any more.
    Closed,
    /// It cannot be written.
    Failed(String),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("standard output is closed"),
            Self::Failed(what) => write!(f, "standard output: {what}"),
        }
    }
}

impl std::error::Error for SendError {}

/// That an output has lost records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The output's name.
    pub output: String,
    /// All its counts.
    pub counters: SinkCounters,
    /// Why the last one failed that did.
    pub why: Option<String>,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SinkCounters {
            produced,
            dropped,
            failed,
            ..
        } = self.counters;
        let lost = dropped + failed;
        write!(
            f,
            "output `{}` lost {lost} of {produced} records: ",
            self.output
        )?;
        if dropped > 0 {
            write!(f, "{dropped} dropped because the queue was full")?;
        }
        if failed > 0 {
            let comma = if dropped > 0 { ", " } else { "" };
            write!(f, "{comma}{failed} not written")?;
            if let Some(why) = &self.why {
                write!(f, " ({why})")?;
            }
        }
        Ok(())
    }
}

impl Router {
    /// Opens sinks, one per output in the order of the manifest; standard output for those beyond the last.
    ///
    /// # Errors
    /// The first sink that cannot be opened.
    pub fn open(
        manifest: &Manifest,
        sinks: &[Sink],
        rates: Rates,
        report: Report,
    ) -> Result<Self, SinkError> {
        Opened::beside(None, manifest, sinks, rates)?.start(report)
    }

    /// Whether it has the file of a sink.
    fn writes(&self, sink: &Sink) -> bool {
        let is_open = |channel: &&Channel| !matches!(channel.way, Way::Closed);
        let mut open = self.channels.iter().filter(is_open);
        open.any(|channel| channel.sink.is_file_of(sink))
    }

    /// Sends what one call wrote, and gives the time from the start of that call to the start of the next,
    /// at least. It waits where a queue is full and its policy says so.
    ///
    /// # Errors
    /// Where standard output is closed or cannot be written; the other sinks have got their lines all the
    /// same. What else fails is counted and reported.
    pub fn send(&mut self, records: &[Record]) -> Result<Duration, SendError> {
        let mut written = 0;
        let mut result = Ok(());
        for channel in &mut self.channels {
            let outputs = &channel.outputs;
            let has = |index| outputs.contains(&index);
            if !records.iter().any(|r| has(r.output)) {
                continue;
            }
            if Arc::get_mut(&mut channel.line).is_none() {
                channel.line = Arc::default();
            }
            let line = Arc::get_mut(&mut channel.line).expect("it is new or nobody else's");
            serial::write(&self.manifest, records, has, line);
            let line = &channel.line;
            written += line.text.len() as u64;
            self.meters.count(line, Fate::Produced);
            match &mut channel.way {
                Way::Queued(queue) => queue.push(line.clone()),
                Way::Closed => self.meters.count(line, Fate::Failed),
                Way::Direct {
                    writer,
                    is_stdout,
                    is_down,
                    why,
                } => match writer.write(std::slice::from_ref(line), Instant::now()) {
                    Ok(()) => {
                        self.meters.count(line, Fate::Written);
                        if std::mem::take(is_down) {
                            (self.report)(3, &format!("{}: works again", channel.name));
                        }
                    }
                    Err(stopped) => {
                        self.meters.count(line, Fate::Failed);
                        if *is_stdout {
                            result = Err(match stopped.then {
                                Then::Closed => SendError::Closed,
                                Then::Again | Then::Next => SendError::Failed(stopped.what),
                            });
                            continue;
                        }
                        if !std::mem::replace(is_down, true) {
                            let text = format!("{}: {}", channel.name, stopped.what);
                            (self.report)(2, &text);
                        }
                        *why = Some(stopped.what);
                    }
                },
            }
        }
        result.map(|()| self.rates.interval(written))
    }

    /// Waits until the queues are empty, each as long as its policy says, closes the sinks, and tells what was lost on outputs
    /// other than standard output.
    pub fn finish(&mut self) -> Vec<Loss> {
        if let Some(losses) = &self.losses {
            return losses.clone();
        }
        let since = Instant::now();
        for channel in &self.channels {
            if let Way::Queued(queue) = &channel.way {
                queue.close();
            }
        }
        let mut losses = vec![];
        for channel in &self.channels {
            let why = match &channel.way {
                Way::Direct { is_stdout, .. } if *is_stdout => continue,
                Way::Direct { why, .. } => why.clone(),
                Way::Queued(queue) => queue.finish(since),
                Way::Closed => None,
            };
            for output in &channel.outputs {
                let counters = self.meters.read(*output);
                if counters.dropped + counters.failed > 0 {
                    losses.push(Loss {
                        output: self.manifest.outputs[*output].name.clone(),
                        counters,
                        why: why.clone(),
                    });
                }
            }
        }
        // What they hold, such as the lock of a file, is free for others.
        for channel in &mut self.channels {
            channel.way = Way::Closed;
        }
        self.losses = Some(losses.clone());
        losses
    }

    /// For each output that has lost records since this was asked last, how many.
    pub fn take_lost(&mut self) -> Vec<(usize, u64)> {
        let mut lost = vec![];
        for (index, told) in self.told.iter_mut().enumerate() {
            let counters = self.meters.read(index);
            let all = counters.dropped + counters.failed;
            if all > *told {
                lost.push((index, all - *told));
                *told = all;
            }
        }
        lost
    }

    /// Whether every output that was written to got something to its sink.
    pub(crate) fn delivers(&self) -> bool {
        let outputs = 0..self.manifest.outputs.len();
        outputs
            .map(|output| self.meters.read(output))
            .all(|counters| counters.produced == 0 || counters.written > 0)
    }

    /// The counters, which go on counting.
    pub fn meters(&self) -> Meters {
        self.meters.clone()
    }
}
