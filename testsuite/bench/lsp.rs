//! How long the language server takes from a keystroke to an answer and to the new diagnostics: in a Runefile
//! of 500 lines, and in one with a model of a megabyte and a list of 100,000 labels.
//! Run with `cargo bench -p rune-testsuite --bench lsp`.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::{
    env, fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use lsp_server::{Connection, Message, Notification, Request, RequestId};
use runec::memo::Memo;
use serde_json::{Value, json};

const KEYSTROKES: usize = 300;
/// What an answer may take at the 99th percentile.
const MOST: Duration = Duration::from_millis(50);
const LINES: usize = 500;
const LABELS: usize = 100_000;
/// Rows and columns of the model's one matrix of floats: 1 MiB.
const SIDE: u32 = 512;

fn main() {
    let folder = env::temp_dir().join(format!("rune-bench-lsp-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("the folder can be made");
    fs::write(folder.join("net.tflite"), model()).expect("the model can be written");
    println!(
        "{:<44} {:>9} {:>9} {:>9}",
        "keystroke, release", "p50", "p99", "max"
    );
    let long = long();
    session(
        &folder,
        "500 lines",
        &long,
        &[("a line of its own", "# type here")],
    );
    let labels = labels();
    let places = [
        ("a line before the list", "# type here"),
        ("a line after the list", "# or here"),
        ("an argument of a block", "--count "),
        ("the list", "word50000"),
    ];
    session(&folder, "1 MB model, 100,000 labels", &labels, &places);
    fs::remove_dir_all(folder).expect("it can be removed");
}

/// A chain of blocks between a capability and an output, in as many lines.
fn long() -> String {
    let mut text = "FROM runicos/base\n# type here\nCAPABILITY<F32[8]> RAND x\n".to_owned();
    let stages = LINES - 5;
    for i in 0..stages {
        let block = ["modulo", "normalize", "softmax"][i % 3];
        text.extend([format!("PROC_BLOCK runicos/{block} stage{i}\n")]);
    }
    let run: Vec<String> = (0..stages).map(|i| format!("stage{i}")).collect();
    text.extend([format!("OUT SERIAL\nRUN x {} serial\n", run.join(" "))]);
    text
}

/// A large model and a long list.
fn labels() -> String {
    let words: Vec<String> = (0..LABELS).map(|i| format!("word{i}")).collect();
    format!(
        "FROM runicos/base\n# type here\nCAPABILITY<F32[1, {SIDE}]> RAND x\nMODEL ./net.tflite net\n\
         PROC_BLOCK runicos/most-confident-indices best --count 1\n\
         PROC_BLOCK runicos/label label --labels {}\n\
         # or here\nOUT SERIAL\nRUN x net best label serial\n",
        words.join(",")
    )
}

/// Types at places of a document, and prints how long answers take.
fn session(folder: &Path, name: &str, text: &str, places: &[(&str, &str)]) {
    let (connection, theirs) = Connection::memory();
    let server = thread::spawn(move || runec::lsp::serve(&theirs, &Memo::new()));
    let mut editor = Editor {
        connection,
        uri: format!("file://{}", folder.join("Runefile").display()),
        version: 1,
        id: 0,
    };
    editor.request("initialize", json!({ "capabilities": {} }));
    editor.notify("initialized", json!({}));
    let document =
        json!({ "uri": editor.uri, "languageId": "runefile", "version": 1, "text": text });
    editor.notify("textDocument/didOpen", json!({ "textDocument": document }));
    // Until everything is known that has to be run.
    thread::sleep(Duration::from_secs(3));
    for (label, mark) in places {
        let at = text.find(mark).expect("the mark is in the text") + mark.len();
        let line = text[..at].matches('\n').count();
        let column = at - text[..at].rfind('\n').map_or(0, |at| at + 1);
        let (mut answers, mut findings) = (Vec::new(), Vec::new());
        let mut last = String::new();
        for stroke in 0..KEYSTROKES {
            // Never a text that was there a moment ago.
            let number = (1 + stroke % 40).to_string();
            let end = column + last.len();
            let range = json!({ "start": { "line": line, "character": column }, "end": { "line": line, "character": end } });
            let begin = Instant::now();
            editor.change(&range, &number);
            last = number;
            editor.ask("textDocument/hover", json!({ "textDocument": { "uri": editor.uri }, "position": { "line": 2, "character": 2 } }));
            let (answered, told) = editor.wait();
            answers.push(answered - begin);
            findings.push(told - begin);
        }
        let end = column + last.len();
        let range = json!({ "start": { "line": line, "character": column }, "end": { "line": line, "character": end } });
        editor.change(&range, "");
        row(&format!("{name}, {label}: hover"), answers);
        row(&format!("{name}, {label}: findings"), findings);
    }
    editor.request("shutdown", Value::Null);
    editor.notify("exit", Value::Null);
    server.join().expect("the server ends");
}

fn row(label: &str, mut times: Vec<Duration>) {
    times.sort();
    let [middle, most, last] =
        [times.len() / 2, times.len() * 99 / 100, times.len() - 1].map(|i| times[i]);
    println!("{label:<60} {middle:>9.2?} {most:>9.2?} {last:>9.2?}");
    assert!(most < MOST, "{label}: {most:?} at the 99th percentile");
}

struct Editor {
    connection: Connection,
    uri: String,
    version: i32,
    id: i32,
}

impl Editor {
    fn send(&self, message: Message) {
        self.connection
            .sender
            .send(message)
            .expect("the server is there");
    }

    fn notify(&self, method: &str, params: Value) {
        self.send(Notification::new(method.to_owned(), params).into());
    }

    fn ask(&mut self, method: &str, params: Value) {
        self.id += 1;
        let id = RequestId::from(self.id);
        self.send(Request::new(id, method.to_owned(), params).into());
    }

    fn request(&mut self, method: &str, params: Value) {
        self.ask(method, params);
        loop {
            if let Message::Response(_) = self.next() {
                return;
            }
        }
    }

    fn change(&mut self, range: &Value, text: &str) {
        self.version += 1;
        let changes = json!([{ "range": range, "text": text }]);
        let document = json!({ "uri": self.uri, "version": self.version });
        self.notify(
            "textDocument/didChange",
            json!({ "textDocument": document, "contentChanges": changes }),
        );
    }

    fn next(&self) -> Message {
        let patience = Duration::from_mins(1);
        self.connection
            .receiver
            .recv_timeout(patience)
            .expect("the server answers")
    }

    /// When the answer came to what was asked last, and when the findings of this version.
    fn wait(&self) -> (Instant, Instant) {
        let (mut answered, mut told) = (None, None);
        loop {
            match self.next() {
                Message::Response(response) if response.id == RequestId::from(self.id) => {
                    answered = Some(Instant::now());
                }
                Message::Notification(message) if message.params["version"] == self.version => {
                    told = told.or(Some(Instant::now()));
                }
                Message::Request(_) | Message::Response(_) | Message::Notification(_) => {}
            }
            if let (Some(answered), Some(told)) = (answered, told) {
                return (answered, told);
            }
        }
    }
}

/// A model of one layer, all of whose weights are 0: tables of a flatbuffer, each after what names it.
fn model() -> Vec<u8> {
    let mut file = Writer(vec![0; 8]);
    file.0[4..].copy_from_slice(b"TFL3");
    let model = file.table(&[(0, 3), (1, 0), (2, 0), (4, 0)]);
    file.point(0, model[4]);
    let code = file.list(model[1], 1);
    let fully_connected = 9;
    let fields = file.table(&[(0, fully_connected), (2, 1), (3, fully_connected)]);
    file.point(code[0], fields[3]);
    let graph = file.list(model[2], 1);
    let fields = file.table(&[(0, 0), (1, 0), (2, 0), (3, 0)]);
    file.point(graph[0], fields[4]);
    let [tensors, inputs, outputs, operators, _] = fields[..] else {
        unreachable!("four fields and the table");
    };
    let tensor = file.list(tensors, 3);
    for (slot, shape, buffer) in [(0, [1, SIDE], 0), (1, [SIDE, SIDE], 1), (2, [1, SIDE], 0)] {
        let fields = file.table(&[(0, 0), (1, 0), (2, buffer)]);
        file.point(tensor[slot], fields[3]);
        file.numbers(fields[0], &shape);
    }
    file.numbers(inputs, &[0]);
    file.numbers(outputs, &[2]);
    let operator = file.list(operators, 1);
    let options_type = 8;
    let fields = file.table(&[(0, 0), (1, 0), (2, 0), (3, options_type), (4, 0)]);
    file.point(operator[0], fields[5]);
    file.numbers(fields[1], &[0, 1, u32::MAX]);
    file.numbers(fields[2], &[2]);
    let options = file.table(&[]);
    file.point(fields[4], options[0]);
    let buffer = file.list(model[3], 2);
    let empty = file.table(&[]);
    file.point(buffer[0], empty[0]);
    let fields = file.table(&[(0, 0)]);
    file.point(buffer[1], fields[1]);
    let bytes = SIDE * SIDE * 4;
    file.list(fields[0], 0);
    let length = file.0.len() - 4;
    file.0[length..].copy_from_slice(&bytes.to_le_bytes());
    file.0.resize(file.0.len() + bytes as usize, 0);
    file.0
}

/// A flatbuffer in the making; every field takes four bytes.
struct Writer(Vec<u8>);

impl Writer {
    /// Writes a table with these fields and their values; gives where each is, and then where the table is.
    fn table(&mut self, fields: &[(usize, u32)]) -> Vec<usize> {
        let slots = fields.last().map_or(0, |(slot, _)| slot + 1);
        let mut offsets = vec![0u16; slots];
        for (i, (slot, _)) in fields.iter().enumerate() {
            offsets[*slot] = 4 + 4 * i as u16;
        }
        let vtable = self.0.len();
        let sizes = [4 + 2 * slots as u16, 4 + 4 * fields.len() as u16];
        for number in sizes.iter().chain(&offsets) {
            self.0.extend(number.to_le_bytes());
        }
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        let table = self.0.len();
        self.0.extend(((table - vtable) as u32).to_le_bytes());
        let mut places = Vec::new();
        for (_, value) in fields {
            places.push(self.0.len());
            self.0.extend(value.to_le_bytes());
        }
        places.push(table);
        places
    }

    /// Lets the offset at `place` point at `target`.
    fn point(&mut self, place: usize, target: usize) {
        let offset = (target - place) as u32;
        self.0[place..place + 4].copy_from_slice(&offset.to_le_bytes());
    }

    /// Writes a list of offsets that `place` points at; gives where each is.
    fn list(&mut self, place: usize, count: usize) -> Vec<usize> {
        self.point(place, self.0.len());
        self.0.extend((count as u32).to_le_bytes());
        let start = self.0.len();
        self.0.resize(start + 4 * count, 0);
        (0..count).map(|i| start + 4 * i).collect()
    }

    /// Writes a list of numbers that `place` points at.
    fn numbers(&mut self, place: usize, numbers: &[u32]) {
        for (at, number) in self.list(place, numbers.len()).into_iter().zip(numbers) {
            self.0[at..at + 4].copy_from_slice(&number.to_le_bytes());
        }
    }
}
