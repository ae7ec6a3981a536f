//! A registry in memory that does what it should, but for one fault.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a fault is of one place, and no concern of the others"
)]

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use rune_registry::{
    Artifact, Client, Digest, Error, Image, Manifest, Options, Platform, Reference, SourceFile,
    SourceKind, Store,
};

/// An empty folder that is of one test alone.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("registry")
        .join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// What a registry does that it should not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The connection ends after so many bytes of content; each time.
    Cut(usize),
    /// The same, and it sends all from the start when asked for the rest.
    CutAndForget(usize),
    /// Sends the rest from another place than it was asked for.
    ElsewhereAfter(usize),
    /// Content has one bit that it should not have.
    Altered,
    /// Content is one byte longer than its manifest says.
    Longer,
    /// Content never ends.
    EndlessContent,
    /// A manifest never ends.
    EndlessManifest,
    /// A manifest by its digest is another one.
    OtherManifest,
    /// The header says another digest.
    WrongHeader,
    /// Nothing comes.
    Silent,
    /// Wants a name and a password.
    Basic,
    /// Wants a token, which it gives to who has a name and a password.
    Bearer,
    /// Wants a token of an address that is no address of the web.
    OddRealm,
    /// Refuses whatever is asked.
    Forbidden,
    /// Says that it is too much, with orders to the terminal.
    Busy,
    /// Is sent to another place with what is pushed.
    Elsewhere(u16),
}

/// Name and password of who is known.
pub(crate) const KNOWN: &str = "Basic bWU6b3BlbiBzZXNhbWU=";

#[derive(Default)]
pub(crate) struct State {
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
    pub(crate) manifests: BTreeMap<String, (String, Vec<u8>)>,
    /// Method, path and headers of each request.
    pub(crate) seen: Vec<(String, String, BTreeMap<String, String>)>,
}

/// A registry that listens.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
    fault: Arc<Mutex<Fault>>,
    /// Bytes of bodies that it has sent.
    pub(crate) sent: Arc<AtomicU64>,
}

impl Server {
    pub(crate) fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            state: Arc::default(),
            fault: Arc::new(Mutex::new(fault)),
            sent: Arc::default(),
        };
        let own = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = own.clone();
                // That who asks goes away ends just the connection.
                thread::spawn(move || drop(own.serve(stream)));
            }
        });
        server
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    pub(crate) fn reference(&self, rest: &str) -> Reference {
        format!("127.0.0.1:{}/{rest}", self.port).parse().unwrap()
    }

    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut out = stream;
        let mut line = String::new();
        // A greeting of TLS is no line of text.
        reader.by_ref().take(8192).read_line(&mut line)?;
        let mut words = line.split(' ').map(str::to_owned);
        let (Some(method), Some(path)) = (words.next(), words.next()) else {
            return Ok(());
        };
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").and_then(|l| l.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body)?;
        self.state()
            .seen
            .push((method.clone(), path.clone(), headers.clone()));
        self.answer(&mut out, &method, &path, &headers, body)
    }

    fn reply(
        &self,
        out: &mut TcpStream,
        status: u16,
        headers: &[String],
        body: &[u8],
    ) -> std::io::Result<()> {
        self.reply_cut(out, status, headers, body, body.len())
    }

    fn reply_cut(
        &self,
        out: &mut TcpStream,
        status: u16,
        headers: &[String],
        body: &[u8],
        at: usize,
    ) -> std::io::Result<()> {
        let headers = headers.iter().map(|h| [h, "\r\n"].concat());
        let headers = headers.collect::<String>();
        let length = body.len();
        write!(
            out,
            "HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
        )?;
        out.write_all(&body[..at.min(length)])?;
        self.sent.fetch_add(at.min(length) as u64, Ordering::SeqCst);
        out.flush()
    }

    fn endless(&self, out: &mut TcpStream, headers: &str) -> std::io::Result<()> {
        write!(
            out,
            "HTTP/1.1 200 x\r\nConnection: close\r\n{headers}Transfer-Encoding: chunked\r\n\r\n"
        )?;
        let chunk = vec![b' '; 64 << 10];
        loop {
            write!(out, "{:x}\r\n", chunk.len())?;
            out.write_all(&chunk)?;
            out.write_all(b"\r\n")?;
            self.sent.fetch_add(chunk.len() as u64, Ordering::SeqCst);
        }
    }

    fn answer(
        &self,
        out: &mut TcpStream,
        method: &str,
        path: &str,
        headers: &BTreeMap<String, String>,
        body: Vec<u8>,
    ) -> std::io::Result<()> {
        let fault = *self.fault.lock().unwrap();
        let known = headers.get("authorization").map(String::as_str);
        let own = format!("http://127.0.0.1:{}", self.port);
        match fault {
            Fault::Silent => {
                thread::sleep(Duration::from_secs(20));
                return Ok(());
            }
            Fault::Basic if known != Some(KNOWN) => {
                return self.reply(
                    out,
                    401,
                    &["WWW-Authenticate: Basic realm=\"x\"".to_owned()],
                    b"",
                );
            }
            Fault::Bearer if path.starts_with("/token") => {
                let status = if known == Some(KNOWN) { 200 } else { 401 };
                return self.reply(out, status, &[], b"{\"token\": \"ticket\"}");
            }
            Fault::Bearer if known != Some("Bearer ticket") => {
                let challenge =
                    format!("WWW-Authenticate: Bearer realm=\"{own}/token\",service=\"x\"");
                return self.reply(out, 401, &[challenge], b"");
            }
            Fault::OddRealm => {
                let challenge = "WWW-Authenticate: Bearer realm=\"file:///etc/passwd\"".to_owned();
                return self.reply(out, 401, &[challenge], b"");
            }
            Fault::Forbidden => {
                return self.reply(
                    out,
                    403,
                    &[],
                    br#"{"errors": [{"code": "DENIED", "message": "no"}]}"#,
                );
            }
            Fault::Busy => {
                let body = b"{\"errors\": [{\"code\": \"TOOMANYREQUESTS\", \"message\": \"\\u001b[31mlater\"}]}";
                return self.reply(out, 429, &[], body);
            }
            _ => {}
        }
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let parts: Vec<&str> = path.trim_start_matches("/v2/").split('/').collect();
        match (method, &parts[..]) {
            (_, [""]) => self.reply(out, 200, &[], b"{}"),
            ("HEAD" | "GET", [_, "blobs", digest]) => {
                let blob = self.state().blobs.get(*digest).cloned();
                let Some(blob) = blob else {
                    return self.reply(out, 404, &[], b"");
                };
                if method == "HEAD" {
                    // Its length, and nothing of it.
                    return self.reply_cut(out, 200, &[], &blob, 0);
                }
                self.content(out, fault, headers.get("range"), blob)
            }
            ("POST", [name, "blobs", "uploads", ""]) => {
                let place = match fault {
                    Fault::Elsewhere(port) => {
                        format!("http://127.0.0.1:{port}/v2/{name}/blobs/uploads/1?a=b")
                    }
                    _ => format!("/v2/{name}/blobs/uploads/1?a=b"),
                };
                self.reply(out, 202, &[format!("Location: {place}")], b"")
            }
            ("PUT", [_, "blobs", "uploads", _]) => {
                let digest = query.rsplit("digest=").next().unwrap().to_owned();
                let is_right = Digest::of(&body).to_string() == digest;
                self.state().blobs.insert(digest, body);
                self.reply(out, if is_right { 201 } else { 400 }, &[], b"")
            }
            ("PUT", [name, "manifests", wanted]) => {
                let digest = Digest::of(&body).to_string();
                let media_type = headers["content-type"].clone();
                let mut state = self.state();
                for key in [*wanted, &digest] {
                    let both = (media_type.clone(), body.clone());
                    state.manifests.insert(format!("{name}/{key}"), both);
                }
                drop(state);
                self.reply(out, 201, &[], b"")
            }
            ("GET", [name, "manifests", wanted]) => {
                if fault == Fault::EndlessManifest {
                    return self.endless(out, "");
                }
                let found = self
                    .state()
                    .manifests
                    .get(&format!("{name}/{wanted}"))
                    .cloned();
                let Some((media_type, mut bytes)) = found else {
                    return self.reply(out, 404, &[], b"");
                };
                if fault == Fault::OtherManifest {
                    bytes.push(b' ');
                }
                let mut headers = vec![format!("Content-Type: {media_type}")];
                if fault == Fault::WrongHeader {
                    headers.push(format!("Docker-Content-Digest: {}", Digest::of(b"x")));
                }
                self.reply(out, 200, &headers, &bytes)
            }
            ("GET", [name, "tags", "list"]) => {
                let state = self.state();
                let own = state
                    .manifests
                    .keys()
                    .filter_map(|k| k.strip_prefix(&format!("{name}/")));
                let tags: Vec<String> = own
                    .filter(|t| !t.contains(':'))
                    .map(|t| format!("\"{t}\""))
                    .collect();
                // Each page has one.
                let at: usize = query
                    .rsplit("last=")
                    .next()
                    .and_then(|n| n.parse().ok())
                    .unwrap_or(0);
                let mut headers = vec![];
                if at + 1 < tags.len() {
                    headers.push(format!(
                        "Link: </v2/{name}/tags/list?n=1&last={}>; rel=\"next\"",
                        at + 1
                    ));
                }
                let body = format!(
                    "{{\"name\": \"x\", \"tags\": [{}]}}",
                    tags.get(at).cloned().unwrap_or_default()
                );
                drop(state);
                self.reply(out, 200, &headers, body.as_bytes())
            }
            _ => self.reply(out, 404, &[], b""),
        }
    }

    /// Sends content, or a part of it.
    fn content(
        &self,
        out: &mut TcpStream,
        fault: Fault,
        range: Option<&String>,
        mut blob: Vec<u8>,
    ) -> std::io::Result<()> {
        match fault {
            Fault::Altered => {
                let middle = blob.len() / 2;
                blob[middle] ^= 1;
            }
            Fault::Longer => blob.push(0),
            Fault::EndlessContent => return self.endless(out, ""),
            _ => {}
        }
        let from = range.and_then(|r| {
            r.strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse::<usize>()
                .ok()
        });
        let (Fault::Cut(at) | Fault::CutAndForget(at) | Fault::ElsewhereAfter(at)) = fault else {
            return match from {
                Some(from) => {
                    let header = format!(
                        "Content-Range: bytes {from}-{}/{}",
                        blob.len() - 1,
                        blob.len()
                    );
                    self.reply(out, 206, &[header], &blob[from..])
                }
                None => self.reply(out, 200, &[], &blob),
            };
        };
        match (from, fault) {
            (Some(from), Fault::Cut(_)) => {
                let header = format!(
                    "Content-Range: bytes {from}-{}/{}",
                    blob.len() - 1,
                    blob.len()
                );
                self.reply_cut(out, 206, &[header], &blob[from..], at)
            }
            (Some(_), Fault::ElsewhereAfter(_)) => {
                let header = format!("Content-Range: bytes 0-{}/{}", blob.len() - 1, blob.len());
                self.reply(out, 206, &[header], &blob)
            }
            (Some(_), _) => self.reply(out, 200, &[], &blob),
            (None, _) => self.reply_cut(out, 200, &[], &blob, at),
        }
    }
}

/// How to talk to it: without anybody's credentials, and not for long.
pub(crate) fn options() -> Options {
    Options {
        patience: Duration::from_secs(2),
        docker_config: None,
        ..Options::default()
    }
}

/// Bytes that no rule makes shorter.
pub(crate) fn noise(count: usize, seed: u64) -> Vec<u8> {
    let mut state = 2 * seed + 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..count).map(|_| next()).collect()
}

/// A rune with two layers of sources, and an image if it is to have one.
pub(crate) fn artifact(with_image: bool) -> Artifact {
    let source = |layer, kind, path: &str, bytes: &[u8]| SourceFile {
        layer,
        kind,
        path: path.to_owned(),
        bytes: bytes.to_vec(),
    };
    let model = [&[0; 4][..], b"TFL3", &noise(300_000, 3)].concat();
    Artifact {
        name: ("gesture".to_owned(), "1.2.0".to_owned()),
        rune: noise(200_000, 1),
        images: if with_image {
            vec![Image {
                target: "cortex-m7".to_owned(),
                bytes: noise(50_000, 2),
            }]
        } else {
            vec![]
        },
        sources: vec![
            source(0, SourceKind::Runefile, "Runefile", b"FROM ../base\n"),
            source(0, SourceKind::Block, "./gain", b"\0asm"),
            source(0, SourceKind::File, "../up/model.tflite", &model),
            source(0, SourceKind::File, "labels.txt", b"a\nb\n"),
            source(1, SourceKind::Runefile, "Runefile", b"FROM runicos/base\n"),
        ],
    }
}

/// Pushes an artifact.
pub(crate) fn push(
    server: &Server,
    store: &Store,
    rest: &str,
    artifact: &Artifact,
) -> Result<Digest, Error> {
    let reference = server.reference(rest);
    let root = artifact.put(store)?;
    let mut client = Client::new(&reference, &options())?;
    client.push(&reference, &root, store, &mut |_| {})?;
    Ok(root.digest)
}

/// Pulls what a reference names.
pub(crate) fn pull(
    reference: &Reference,
    platform: &Platform,
    store: &Store,
) -> Result<Manifest, Error> {
    let mut client = Client::new(reference, &options())?;
    let resolved = client.resolve(reference)?;
    client.pull(reference, &resolved, platform, store, &mut |_| {})
}

/// Every file of a store that others would read.
pub(crate) fn blobs(store: &Store) -> Vec<PathBuf> {
    let files = fs::read_dir(store.folder().join("blobs/sha256"));
    let mut files: Vec<PathBuf> = files
        .into_iter()
        .flatten()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    files
}
