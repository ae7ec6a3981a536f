//! The peers: programs beside this file, each in a process of its own that answers line by line.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use rune_testsuite::root;

use crate::cases::Case;

/// The folder with the peers' packages; README.md says what lies in it.
const FOLDER: &str = "RUNE_PEERS";

/// Who else can run a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `LiteRT` with XNNPACK, native.
    Xnnpack,
    /// `LiteRT` with its own optimised kernels, native.
    Builtin,
    /// `LiteRT` with its reference kernels, native: the judge of outputs.
    Reference,
    /// `TensorFlow` Lite Micro, native.
    Micro,
    /// `TensorFlow` Lite and XNNPACK as WebAssembly under Node.
    Tfjs,
    /// ONNX Runtime as WebAssembly under Node, on a converted model.
    Ort,
}

impl Kind {
    /// All, in the order of the table.
    pub(crate) const ALL: [Self; 6] = [
        Self::Xnnpack,
        Self::Builtin,
        Self::Reference,
        Self::Micro,
        Self::Tfjs,
        Self::Ort,
    ];

    /// What the table calls it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Xnnpack => "LiteRT XNNPACK",
            Self::Builtin => "LiteRT builtin",
            Self::Reference => "LiteRT reference",
            Self::Micro => "TFLite Micro",
            Self::Tfjs => "tfjs-tflite",
            Self::Ort => "ORT web",
        }
    }

    /// Its program with arguments.
    fn command(self, folder: &Path) -> Command {
        let here = root().join("testsuite/bench/models");
        let (program, script, word) = match self {
            Self::Xnnpack => (folder.join("python/bin/python"), "peers.py", "xnnpack"),
            Self::Builtin => (folder.join("python/bin/python"), "peers.py", "builtin"),
            Self::Reference => (folder.join("python/bin/python"), "peers.py", "reference"),
            Self::Micro => (folder.join("python/bin/python"), "peers.py", "micro"),
            Self::Tfjs => (PathBuf::from("node"), "peers.mjs", "tfjs"),
            Self::Ort => (PathBuf::from("node"), "peers.mjs", "ort"),
        };
        let mut command = Command::new(program);
        command.arg(here.join(script)).arg(word);
        if script == "peers.mjs" {
            command.arg(folder.join("node"));
        }
        command
    }
}

/// A peer that has loaded a model.
pub(crate) struct Peer {
    /// Its name, version and size.
    pub(crate) about: String,
    /// Bytes of its arena, where it says.
    pub(crate) arena: Option<u64>,
    /// What it gave at the first call.
    pub(crate) output: Vec<u8>,
    process: Child,
    lines: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts a peer and gives it a model, or says why that is not possible.
    pub(crate) fn start(kind: Kind, case: &Case, input: &Path) -> Result<Self, String> {
        let folder = env::var_os(FOLDER)
            .map(PathBuf::from)
            .ok_or_else(|| format!("{FOLDER} is not set"))?;
        let folder = fs::canonicalize(&folder).map_err(|e| format!("{FOLDER}: {e}"))?;
        let mut process = kind
            .command(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("it does not start: {e}"))?;
        let lines = process.stdin.take().expect("its input is a pipe");
        let answers = BufReader::new(process.stdout.take().expect("its output is a pipe"));
        let mut peer = Self {
            about: String::new(),
            arena: None,
            output: Vec::new(),
            process,
            lines,
            answers,
        };
        peer.about = peer.answer()?;
        let input = input.to_str().expect("a path is text");
        let answer = peer.ask(&["load", case.name, &case.path, input])?;
        let (arena, output) = answer.split_once(' ').ok_or("it said something else")?;
        peer.arena = arena.parse().ok();
        peer.output = unhex(output).ok_or("its output is not hexadecimal")?;
        Ok(peer)
    }

    /// Lets it run for so long: the median and least microseconds of a call.
    pub(crate) fn turn(&mut self, case: &Case, time: Duration) -> Result<(f64, f64), String> {
        let milliseconds = time.as_millis().to_string();
        let answer = self.ask(&["run", case.name, &milliseconds])?;
        let numbers: Vec<f64> = answer.split(' ').filter_map(|n| n.parse().ok()).collect();
        match numbers[..] {
            [_, median, least] => Ok((median, least)),
            _ => Err(format!("it said `{answer}`")),
        }
    }

    fn ask(&mut self, words: &[&str]) -> Result<String, String> {
        writeln!(self.lines, "{}", words.join("\t")).map_err(|_| "its process ended".to_owned())?;
        self.answer()
    }

    fn answer(&mut self) -> Result<String, String> {
        let mut line = String::new();
        let read = self.answers.read_line(&mut line);
        if read.is_err() || line.is_empty() {
            let status = self.process.wait().map_err(|e| e.to_string())?;
            return Err(format!("its process ended: {status}"));
        }
        match line.trim_end().split_once(' ') {
            Some(("ok", answer)) => Ok(answer.to_owned()),
            Some(("error", reason)) => Err(reason.to_owned()),
            _ => Err(format!("it said `{}`", line.trim_end())),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended on its own.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    let digits = digits?;
    (digits.len() % 2 == 0).then(|| {
        digits
            .chunks_exact(2)
            .map(|d| (d[0] << 4 | d[1]) as u8)
            .collect()
    })
}
