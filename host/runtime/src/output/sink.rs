//! Where lines go: the sinks that a policy or a flag names, and the one trait behind which they are written.

use std::{
    fmt,
    num::{NonZeroU32, NonZeroU64},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{file, stdout, tty};

/// Where what a rune writes goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Standard output, as lines of JSON.
    Stdout,
    /// Nowhere.
    Discard,
    /// A file, a line for each call.
    File(FileSink),
    /// A terminal or serial port, raw.
    Tty(TtySink, Delivery),
    /// A topic of an MQTT broker, a message for each line.
    Mqtt(MqttSink, Delivery),
    /// A webhook, a POST for each line.
    Http(HttpSink, Delivery),
}

/// A file that lines are appended to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSink {
    /// The folder beneath which it must lie; `None`: a person named it, and it may lie anywhere.
    pub folder: Option<PathBuf>,
    /// Its path.
    pub file: PathBuf,
    /// How long it may become before it is renamed and another one begun.
    pub max_bytes: Option<NonZeroU64>,
    /// How many renamed files stay.
    pub keep: u32,
}

/// A terminal or serial port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TtySink {
    /// Its path.
    pub device: PathBuf,
    /// Bits per second.
    pub baud: NonZeroU32,
}

/// A topic of an MQTT broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttSink {
    /// Name or address of the broker.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Without wildcards.
    pub topic: String,
    /// Quality of service 1, which waits for the broker to say that it has the message, rather than 0.
    pub acknowledged: bool,
    /// What the broker knows the client as; empty: the broker chooses.
    pub client_id: String,
    /// A file with the user's name in the first line and the password in the second.
    pub login: Option<PathBuf>,
}

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSink {
    /// `http://HOST[:PORT]/PATH`
    pub url: String,
    /// A file whose first line is the value of the header `Authorization`.
    pub authorization: Option<PathBuf>,
}

/// How lines reach a sink that may be slow: through a queue that has bounds, on a thread of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What happens to a line for which the queue has no room.
    pub when_full: WhenFull,
    /// Most lines that wait.
    pub queue_records: usize,
    /// Most bytes of lines that wait; a single line may be longer.
    pub queue_bytes: usize,
    /// How long one try may take.
    pub timeout: Duration,
    /// How often a line is tried again.
    pub retries: u32,
    /// How long the end waits for the lines that are left.
    pub drain: Duration,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            when_full: WhenFull::Wait,
            queue_records: 1024,
            queue_bytes: 1 << 20,
            timeout: Duration::from_secs(5),
            retries: 3,
            drain: Duration::from_secs(5),
        }
    }
}

/// What happens to a line for which a queue has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenFull {
    /// It waits for room, and the rune with it.
    Wait,
    /// It is dropped.
    DropNewest,
    /// Lines that wait are dropped, the oldest first, until there is room.
    DropOldest,
}

impl Sink {
    /// Whether both are the same file, however long it may become. Only one can have it.
    pub(super) fn is_file_of(&self, other: &Self) -> bool {
        let (Self::File(own), Self::File(other)) = (self, other) else {
            return false;
        };
        (&own.folder, &own.file) == (&other.folder, &other.file)
    }
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("standard output"),
            Self::Discard => f.write_str("nowhere"),
            Self::File(FileSink {
                folder: Some(folder),
                file,
                ..
            }) => write!(f, "{}", folder.join(file).display()),
            Self::File(sink) => write!(f, "{}", sink.file.display()),
            Self::Tty(sink, _) => write!(f, "{}", sink.device.display()),
            Self::Mqtt(sink, _) => {
                write!(f, "mqtt://{}:{}/{}", sink.host, sink.port, sink.topic)
            }
            Self::Http(sink, _) => f.write_str(&sink.url),
        }
    }
}

/// Why a sink cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkError {
    /// The outputs that go there.
    pub outputs: String,
    /// The sink.
    pub place: String,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "output {}: {}: {}", self.outputs, self.place, self.what)
    }
}

impl std::error::Error for SinkError {}

/// What one call wrote to one sink.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// With its line end.
    pub(crate) text: String,
    /// The outputs in it, each with how many of the bytes are its.
    pub(crate) parts: Vec<(usize, u64)>,
}

impl Line {
    /// The line without its end.
    #[cfg(any(feature = "mqtt", feature = "http"))]
    pub(crate) fn content(&self) -> &str {
        self.text.trim_end_matches('\n')
    }
}

/// That not all lines were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stopped {
    /// How many of them were, from the first; fewer than there are.
    pub(crate) done: usize,
    /// What stopped the next one.
    pub(crate) what: String,
    /// What may be done about it.
    pub(crate) then: Then,
}

/// What may be done about a line that was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It may be tried again.
    Again,
    /// Only other lines may be tried.
    Next,
    /// Whoever read the lines has seen enough.
    Closed,
}

/// Something open that takes lines.
pub(crate) trait Writer: Send {
    /// Writes lines in their order, and returns when all are written or at about this time.
    fn write(&mut self, lines: &[Arc<Line>], until: Instant) -> Result<(), Stopped>;

    /// The most lines that it takes at once.
    fn batch(&self) -> usize {
        1
    }

    /// Called now and then while there are no lines.
    fn idle(&mut self) {}

    /// Called after the last line.
    fn close(&mut self, _until: Instant) {}
}

/// Opens a sink; says what is wrong if it cannot be.
pub(crate) fn open(sink: &Sink) -> Result<Box<dyn Writer>, String> {
    match sink {
        Sink::Stdout => Ok(Box::new(stdout::Stdout)),
        Sink::Discard => Err("it takes no lines".to_owned()),
        Sink::File(sink) => Ok(Box::new(file::open(sink).map_err(|e| e.to_string())?)),
        Sink::Tty(sink, _) => Ok(Box::new(tty::open(sink).map_err(|e| e.to_string())?)),
        #[cfg(feature = "mqtt")]
        Sink::Mqtt(sink, _) => Ok(Box::new(super::mqtt::open(sink)?)),
        #[cfg(feature = "http")]
        Sink::Http(sink, _) => Ok(Box::new(super::http::open(sink)?)),
        #[cfg(not(all(feature = "mqtt", feature = "http")))]
        _ => Err("this runtime was built without it".to_owned()),
    }
}

/// The lines of a short file with a secret.
#[cfg(any(feature = "mqtt", feature = "http"))]
pub(super) fn secret(path: &std::path::Path) -> Result<Vec<String>, String> {
    use std::io::Read;
    const MOST: u64 = 16 << 10;
    let fail = |what: &dyn fmt::Display| format!("{}: {what}", path.display());
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|e| fail(&e))?;
    file.take(MOST + 1)
        .read_to_string(&mut text)
        .map_err(|e| fail(&e))?;
    if text.len() as u64 > MOST {
        return Err(fail(&"it is too long"));
    }
    Ok(text.lines().map(str::to_owned).collect())
}
