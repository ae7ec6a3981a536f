//! Metrics over HTTP: `/metrics` for Prometheus and others, `/status` as JSON.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use rune_exporters::{
    load::Load,
    metrics::{self, Format, Rune},
};
use rune_saga::Snapshot;

use super::{Phase, Server, clients};

/// Most bytes of the head of a request, and most lines of it.
const MOST_HEAD: usize = 8 << 10;
const MOST_LINES: usize = 64;
/// How long a client may take for its request, and for the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers at an address until the server is gone; gives the address with its port.
pub(super) fn listen(server: &Arc<Server>, address: SocketAddr) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let bound = listener.local_addr()?;
    let accept = move || listener.accept().map(|(stream, _)| stream);
    clients::serve("metrics", server, accept, |server, stream| {
        // Whoever asked may have gone.
        let _ = answer(server, stream);
    })?;
    Ok(bound)
}

/// Answers one request and closes the connection. Nobody has a body to send, so none is read.
fn answer(server: &Server, mut stream: TcpStream) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let Reply {
        status,
        kind,
        body,
        is_head,
    } = match head(&mut stream)? {
        Some(head) => reply(server, &head),
        None => return Ok(()),
    };
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(text.as_bytes())?;
    if !is_head {
        stream.write_all(&body)?;
    }
    stream.shutdown(Shutdown::Write)
}

/// The head of a request, as far as it fits; `None` where the client has gone.
fn head(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let until = Instant::now() + PATIENCE;
    let mut head = vec![];
    let mut chunk = [0; 1024];
    while head.len() < MOST_HEAD && !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = until.saturating_duration_since(Instant::now());
        // A time-out of zero is none.
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        match stream.read(&mut chunk)? {
            0 => return Ok(None),
            n => head.extend_from_slice(&chunk[..n]),
        }
    }
    Ok(Some(head))
}

struct Reply {
    status: &'static str,
    kind: &'static str,
    body: Vec<u8>,
    /// Whether only the head of the answer is wanted.
    is_head: bool,
}

fn reply(server: &Server, head: &[u8]) -> Reply {
    let mut lines = [httparse::EMPTY_HEADER; MOST_LINES];
    let mut request = httparse::Request::new(&mut lines);
    let is_whole = request.parse(head).is_ok_and(|status| status.is_complete());
    let text = |status, body: &str| (status, "text/plain", body.as_bytes().to_vec());
    let method = request.method.unwrap_or_default();
    let path = request.path.unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let (status, kind, body) = match (method, path) {
        _ if !is_whole => text("400 Bad Request", "it is not a request\n"),
        ("GET" | "HEAD", "/metrics") => {
            let mut lines = request.headers.iter();
            let accept = lines.find(|line| line.name.eq_ignore_ascii_case("Accept"));
            let accept = accept.and_then(|line| str::from_utf8(line.value).ok());
            let format = Format::accepted(accept.unwrap_or_default());
            ("200 OK", format.content_type(), server.metrics(format))
        }
        ("GET" | "HEAD", "/status") => {
            let status = serde_json::json!(server.status());
            (
                "200 OK",
                "application/json",
                status.to_string().into_bytes(),
            )
        }
        (_, "/metrics" | "/status") => text("405 Method Not Allowed", "only GET\n"),
        _ => text("404 Not Found", "there are /metrics and /status\n"),
    };
    Reply {
        status,
        kind,
        body,
        is_head: method == "HEAD",
    }
}

impl Server {
    /// What all runes did, and the load of this process and the system.
    pub fn metrics(&self, format: Format) -> Vec<u8> {
        let records: BTreeMap<String, (Phase, Vec<u8>)> = self
            .units()
            .iter()
            .map(|(name, unit)| (name.clone(), unit.record()))
            .collect();
        let runes: BTreeMap<String, Rune<'_>> = records
            .iter()
            .map(|(name, (phase, record))| {
                let phases = Phase::ALL.map(|p| (p.name(), p == *phase)).to_vec();
                let saga = Snapshot::decode(record).ok();
                (name.clone(), Rune { phases, saga })
            })
            .collect();
        let mut out = vec![];
        let load = Load::read().ok();
        metrics::write(&mut out, format, &runes, load.as_ref()).expect("memory takes everything");
        out
    }
}
