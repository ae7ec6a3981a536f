//! An editor in this process: it talks to the server over a channel and keeps its own copy of every text.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use lsp_server::{Connection, Message, Notification, Request, RequestId};
use runec::memo::{Counts, Memo};
use serde_json::{Value, json};

/// Longer than anything takes, so that a test that fails ends.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Client {
    connection: Connection,
    server: Option<JoinHandle<u8>>,
    pub(crate) memo: Memo,
    pub(crate) folder: PathBuf,
    pub(crate) capabilities: Value,
    next: i32,
    texts: BTreeMap<String, (i32, String)>,
    /// The last that was published for each document, with its version.
    published: BTreeMap<String, Value>,
    answers: HashMap<RequestId, Result<Value, Value>>,
    pub(crate) logs: Vec<String>,
    is_utf8: bool,
}

impl Client {
    /// A server and an editor in a folder of their own with these files.
    pub(crate) fn new(name: &str, files: &[(&str, &str)]) -> Self {
        Self::with(name, files, &["utf-16"])
    }

    pub(crate) fn with(name: &str, files: &[(&str, &str)], encodings: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("lsp")
            .join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for (file, text) in files {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let memo = Memo::new();
        let (ours, theirs) = Connection::memory();
        let shared = memo.clone();
        let server = thread::spawn(move || runec::lsp::serve(&theirs, &shared));
        let mut client = Self {
            connection: ours,
            server: Some(server),
            memo,
            folder,
            capabilities: Value::Null,
            next: 0,
            texts: BTreeMap::new(),
            published: BTreeMap::new(),
            answers: HashMap::new(),
            logs: Vec::new(),
            is_utf8: encodings.contains(&"utf-8"),
        };
        let params = json!({ "capabilities": { "general": { "positionEncodings": encodings } } });
        let answer = client.request("initialize", params).unwrap();
        client.capabilities = answer["capabilities"].clone();
        client.notify("initialized", json!({}));
        client
    }

    pub(crate) fn uri(&self, file: &str) -> String {
        format!("file://{}", self.folder.join(file).display())
    }

    /// Copies a file of the repository into the folder.
    pub(crate) fn copy(&self, from: &str, to: &str) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        fs::copy(root.join(from), self.folder.join(to)).unwrap();
    }

    pub(crate) fn notify(&self, method: &str, params: Value) {
        let message = Notification::new(method.to_owned(), params);
        self.connection.sender.send(message.into()).unwrap();
    }

    /// Sends a request and gives its id.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> i32 {
        self.next += 1;
        let request = Request::new(RequestId::from(self.next), method.to_owned(), params);
        self.connection.sender.send(request.into()).unwrap();
        self.next
    }

    /// Waits for the answer to a request.
    pub(crate) fn answer(&mut self, id: i32) -> Result<Value, Value> {
        loop {
            if let Some(answer) = self.answers.remove(&RequestId::from(id)) {
                return answer;
            }
            let message = self.connection.receiver.recv_timeout(PATIENCE).unwrap();
            self.note(message);
        }
    }

    pub(crate) fn request(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.ask(method, params);
        self.answer(id)
    }

    fn note(&mut self, message: Message) {
        match message {
            Message::Response(response) => {
                let answer = response.response_result;
                let answer =
                    answer.map_err(|error| json!({ "code": error.code, "message": error.message }));
                self.answers.insert(response.id, answer);
            }
            Message::Notification(message) => match message.method.as_str() {
                "textDocument/publishDiagnostics" => {
                    let uri = message.params["uri"].as_str().unwrap().to_owned();
                    self.published.insert(uri, message.params);
                }
                "window/logMessage" => {
                    self.logs
                        .push(message.params["message"].as_str().unwrap().to_owned());
                }
                other => panic!("{other}"),
            },
            Message::Request(request) => panic!("{}", request.method),
        }
    }

    /// Opens a document. `‸` marks the place to ask about, which is given.
    pub(crate) fn open(&mut self, file: &str, text: &str) -> Value {
        let (text, place) = self.mark(text);
        let uri = self.uri(file);
        self.texts.insert(uri.clone(), (1, text.clone()));
        self.notify(
            "textDocument/didOpen",
            json!({ "textDocument": { "uri": uri, "languageId": "runefile", "version": 1, "text": text } }),
        );
        json!({ "textDocument": { "uri": uri }, "position": place })
    }

    /// A text without its mark, and where that was.
    pub(crate) fn mark(&self, text: &str) -> (String, Value) {
        let at = text.find('‸').unwrap_or(0);
        let text = text.replace('‸', "");
        let place = self.position(&text, at);
        (text, place)
    }

    /// The position of a byte, counted without the server's code.
    pub(crate) fn position(&self, text: &str, at: usize) -> Value {
        let before = text[..at].replace("\r\n", "\n").replace('\r', "\n");
        let line = before.matches('\n').count();
        let column = before.rsplit('\n').next().unwrap();
        let column = if self.is_utf8 {
            column.len()
        } else {
            column.encode_utf16().count()
        };
        json!({ "line": line, "character": column })
    }

    /// The byte of a position of our text.
    fn byte(&self, text: &str, place: &Value) -> usize {
        (0..=text.len())
            .filter(|at| text.is_char_boundary(*at))
            .find(|at| self.position(text, *at) == *place)
            .unwrap_or_else(|| panic!("{place} is not in the text"))
    }

    pub(crate) fn text(&self, file: &str) -> &str {
        &self.texts[&self.uri(file)].1
    }

    /// Replaces bytes of a text, as typing does.
    pub(crate) fn edit(&mut self, file: &str, range: std::ops::Range<usize>, new: &str) {
        let uri = self.uri(file);
        let (version, mut text) = self.texts.remove(&uri).unwrap();
        let (start, end) = (
            self.position(&text, range.start),
            self.position(&text, range.end),
        );
        text.replace_range(range, new);
        self.notify(
            "textDocument/didChange",
            json!({
                "textDocument": { "uri": uri, "version": version + 1 },
                "contentChanges": [{ "range": { "start": start, "end": end }, "text": new }],
            }),
        );
        self.texts.insert(uri, (version + 1, text));
    }

    /// Replaces the first `old` of a text.
    pub(crate) fn replace(&mut self, file: &str, old: &str, new: &str) {
        let at = self.text(file).find(old).unwrap();
        self.edit(file, at..at + old.len(), new);
    }

    /// The diagnostics of the newest version of a document.
    pub(crate) fn diagnostics(&mut self, file: &str) -> Vec<Value> {
        let uri = self.uri(file);
        let version = self.texts[&uri].0;
        loop {
            // An answer comes after what the changes before it did; what is published, when all is quiet.
            if let Some(found) = self.published.get(&uri)
                && found["version"] == version
            {
                return found["diagnostics"].as_array().unwrap().clone();
            }
            let message = self.connection.receiver.recv_timeout(PATIENCE).unwrap();
            self.note(message);
        }
    }

    /// The codes of the diagnostics once they are these.
    pub(crate) fn expect_codes(&mut self, file: &str, codes: &[&str]) -> Vec<Value> {
        let end = Instant::now() + PATIENCE;
        loop {
            let found = self.diagnostics(file);
            let have: Vec<&str> = found.iter().map(|d| d["code"].as_str().unwrap()).collect();
            if have == codes {
                return found;
            }
            assert!(Instant::now() < end, "have {have:?}, not {codes:?}");
            let uri = self.uri(file);
            self.published.remove(&uri);
            let left = Duration::from_secs(10);
            match self.connection.receiver.recv_timeout(left) {
                Ok(message) => self.note(message),
                Err(late) => panic!("have {have:?}, not {codes:?}: {late}"),
            }
        }
    }

    /// Waits until as many calls of blocks have ended.
    pub(crate) fn wait_runs(&self, runs: u64) {
        self.wait(|counts| counts.runs >= runs);
    }

    pub(crate) fn wait(&self, is_so: impl Fn(Counts) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so(self.memo.counts()) {
            assert!(Instant::now() < end, "{:?}", self.memo.counts());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The text after edits, as an editor makes them.
    pub(crate) fn edited(&self, text: &str, edits: &Value) -> String {
        let mut edits: Vec<(usize, usize, &str)> = edits
            .as_array()
            .unwrap()
            .iter()
            .map(|edit| {
                let [start, end] = ["start", "end"].map(|end| self.byte(text, &edit["range"][end]));
                (start, end, edit["newText"].as_str().unwrap())
            })
            .collect();
        edits.sort_by_key(|(start, end, _)| (*start, *end));
        let mut new = text.to_owned();
        for (start, end, piece) in edits.into_iter().rev() {
            new.replace_range(start..end, piece);
        }
        new
    }

    /// The pieces of our text that ranges hold.
    pub(crate) fn slice(&self, text: &str, range: &Value) -> String {
        let [start, end] = ["start", "end"].map(|end| self.byte(text, &range[end]));
        text[start..end].to_owned()
    }

    /// Ends the session as an editor does, and gives the exit status.
    pub(crate) fn quit(mut self) -> u8 {
        assert_eq!(self.request("shutdown", Value::Null), Ok(Value::Null));
        self.notify("exit", Value::Null);
        self.server.take().unwrap().join().unwrap()
    }

    /// Ends the session without a word before.
    pub(crate) fn leave(mut self) -> u8 {
        self.notify("exit", Value::Null);
        self.server.take().unwrap().join().unwrap()
    }
}
