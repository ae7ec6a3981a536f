//! The small runes of `rune-core`'s tests, started with sources made by hand, and the program run in folders of their own.

#[path = "page.rs"]
mod page;

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{self, Child, Command},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use rune_abi::{CapabilityKind, ElementType};
use rune_runtime::{
    Call, CallError, Elements, Grants, Instance, Limits, Rates, Read, Record, Router, Rune, Sink,
    SinkCounters, Source, SourceError, SourceFlag, Tensor, serial,
};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

pub(crate) use crate::runes::*;

/// An empty folder for one test.
pub(crate) fn folder(group: &str, name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(group)
        .join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The near end of a terminal or serial port, and the path of the far one.
pub(crate) fn pty() -> (File, String) {
    let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&near).unwrap();
    unlockpt(&near).unwrap();
    let far = ptsname(&near, vec![]).unwrap().into_string().unwrap();
    (near.into(), far)
}

/// Runs `rune` in a folder.
pub(crate) fn rune(folder: &Path, args: &[&str]) -> process::Output {
    Command::new(env!("CARGO_BIN_EXE_rune"))
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap()
}

pub(crate) fn flags(flags: &[(CapabilityKind, &str)]) -> Vec<SourceFlag> {
    flags
        .iter()
        .map(|(kind, value)| SourceFlag {
            kind: *kind,
            value: (*value).to_owned(),
        })
        .collect()
}

/// Starts a rune with sources made by hand, and gives what it logs.
pub(crate) fn start(
    bytes: Vec<u8>,
    sources: Vec<Box<dyn Source>>,
    limits: Limits,
) -> (Instance, Arc<Mutex<Vec<String>>>) {
    let log = Arc::new(Mutex::new(vec![]));
    let heard = log.clone();
    let listener = Box::new(move |level: u32, text: &str| {
        heard.lock().unwrap().push(format!("{level} {text}"));
    });
    let rune = Rune::load(bytes).unwrap();
    let instance = rune.start(Grants::new(sources, limits), listener).unwrap();
    (instance, log)
}

/// A router of these sinks, one for each of the outputs `a`, `b` and so on of one text, with what it reports.
pub(crate) fn router(sinks: &[Sink]) -> (Router, Arc<Mutex<Vec<String>>>) {
    let types = [ty(ElementType::Utf8, &[1])];
    let name = |i: usize| char::from(b'a' + i as u8).to_string();
    let outputs = (0..sinks.len()).map(|i| output(&name(i), &types));
    let manifest = manifest(vec![], outputs.collect());
    let said = Arc::new(Mutex::new(vec![]));
    let heard = said.clone();
    let report = Arc::new(move |level: u32, text: &str| {
        heard.lock().unwrap().push(format!("{level} {text}"));
    });
    let router = Router::open(&manifest, sinks, Rates::default(), report);
    (router.unwrap(), said)
}

/// What a call writes that writes this text to an output.
pub(crate) fn written(output: usize, text: &str) -> Record {
    Record {
        output,
        tensors: vec![Tensor {
            element: ElementType::Utf8,
            dims: vec![1],
            elements: Elements::Texts(vec![text.to_owned()]),
        }],
    }
}

/// The line of one such call, without its end.
pub(crate) fn line(output: &str, text: &str) -> String {
    format!(
        "{{\"{output}\": [{{\"element_type\": \"utf8\", \"dimensions\": [1], \"elements\": [\"{text}\"]}}]}}"
    )
}

/// Asserts that every record is accounted for.
pub(crate) fn adds_up(counters: SinkCounters, produced: u64) {
    let SinkCounters {
        written,
        dropped,
        failed,
        ..
    } = counters;
    assert_eq!(counters.produced, produced);
    assert_eq!(written + dropped + failed, produced, "{counters:?}");
}

/// A process that ends with the test.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program, where it is installed.
pub(crate) fn find(name: &str) -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin", "/usr/local/sbin"]);
    let mut paths = folders.map(|folder| format!("{folder}/{name}"));
    paths.find(|path| Path::new(path).is_file())
}

/// Waits until something is so; two minutes are for ever.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        let in_vain = begin.elapsed() > Duration::from_mins(2);
        assert!(!in_vain, "in vain until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// What an HTTP server answers, its head and its body.
pub(crate) fn get(address: &str, path: &str, accept: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    // An answer to this version is in one piece.
    write!(
        stream,
        "GET {path} HTTP/1.0\r\nHost: x\r\nAccept: {accept}\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Marsaglia's xorshift64, the same on every machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed * 2 + 1)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n.max(1)
    }

    /// Changes, drops or repeats a few bytes.
    pub(crate) fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            let end = (at + 1 + self.below(8)).min(bytes.len());
            match self.below(4) {
                _ if bytes.is_empty() => bytes.push(self.below(256) as u8),
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = self.below(256) as u8,
                2 => drop(bytes.drain(at..end)),
                _ => bytes.extend_from_within(at..end),
            }
        }
    }
}

/// Follows a page of the book with the program; gives how many commands there were.
pub(crate) fn run_page(top: &Path, page: &str) -> usize {
    let tools = Path::new(env!("CARGO_BIN_EXE_rune")).parent().unwrap();
    page::run_page(tools, top, page)
}

/// Gives zeros a few times.
pub(crate) struct Zeros(pub(crate) u32);

impl Source for Zeros {
    fn read(&mut self, out: &mut [u8], _: Instant) -> Result<Read, SourceError> {
        let Some(left) = self.0.checked_sub(1) else {
            return Ok(Read::End { note: None });
        };
        self.0 = left;
        out.fill(0);
        Ok(Read::Sample)
    }
}

/// All lines a rune prints until its data ends, with what it said besides.
pub(crate) fn lines(
    bytes: Vec<u8>,
    given: &[(CapabilityKind, &str)],
) -> (Vec<String>, Vec<String>) {
    let log = Arc::new(Mutex::new(vec![]));
    let heard = log.clone();
    let rune = Rune::load(bytes).unwrap();
    let grants = rune.grant(&flags(given), &Limits::default()).unwrap();
    let listener = Box::new(move |_, text: &str| heard.lock().unwrap().push(text.to_owned()));
    let mut instance = rune.start(grants, listener).unwrap();
    let mut lines = vec![];
    while let Call::Output(records) = instance.call().unwrap() {
        lines.push(serial::line(rune.manifest(), records));
        if instance.is_endless() {
            break;
        }
    }
    let log = log.lock().unwrap().clone();
    (lines, log)
}

/// What one call of a bare rune, which writes nothing, comes to.
pub(crate) fn call(body: &str) -> Result<Call<'static>, CallError> {
    let (mut instance, _) = start(bare(body), vec![], Limits::default());
    Ok(match instance.call()? {
        Call::NoOutput => Call::NoOutput,
        Call::End => Call::End,
        Call::Output(records) => panic!("{records:?}"),
    })
}
