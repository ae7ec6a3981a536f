//! The socket of a served folder: one line of JSON asks, one line answers. An upload is answered with the byte it
//! goes on from, then with what became of it.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Receipt, SOCKET, ServeError, Server, Upload, clients};

/// Most bytes of a request, and of an answer.
const MOST_REQUEST: u64 = 64 << 10;
const MOST_ANSWER: u64 = 16 << 20;
/// Bytes that are sent of a rune before more is said of it.
const PIECE: usize = 256 << 10;
/// How long one side waits for a line of the other.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a server can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase", deny_unknown_fields)]
pub enum Request {
    /// How all runes are.
    Ps,
    /// That a rune runs.
    Start {
        /// Its name.
        rune: String,
    },
    /// That it does not, once its call has ended.
    Stop {
        /// Its name.
        rune: String,
    },
    /// That its file and its policy are read again and take its place.
    Reload {
        /// Its name.
        rune: String,
    },
    /// That it is called once.
    Trigger {
        /// Its name.
        rune: String,
    },
    /// What it said.
    Logs {
        /// Its name.
        rune: String,
        /// The number of the first line.
        since: u64,
    },
    /// That a rune is installed, whose bytes come behind the first answer.
    Install(Upload),
    /// That the trial of a rune is over and it stays.
    Confirm {
        /// Its name.
        rune: String,
    },
    /// That the trial of a rune is over, or that the one before a confirmed one comes back.
    Rollback {
        /// Its name.
        rune: String,
    },
    /// That an installed rune is no more.
    Remove {
        /// Its name.
        rune: String,
    },
}

/// Listens at a socket that only this user may use.
pub(super) fn listen(server: &Arc<Server>, socket: &Path) -> Result<(), ServeError> {
    let failed = |e| ServeError::Io(socket.to_owned(), e);
    // The lock on the folder says that nobody listens there any more.
    match fs::remove_file(socket) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }
    let listener = UnixListener::bind(socket).map_err(failed)?;
    fs::set_permissions(socket, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    let accept = move || listener.accept().map(|(stream, _)| stream);
    clients::serve("control", server, accept, |server, stream| {
        // Whoever asked and went away needs no answer.
        let _ = serve(server, &stream);
    })
    .map_err(failed)
}

fn serve(server: &Server, stream: &UnixStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let (mut line, mut reader) = (vec![], BufReader::new(stream));
    // The socket is bound before it is closed to others.
    let peer = rustix::net::sockopt::socket_peercred(stream)?.uid;
    let is_own = peer.is_root() || peer == rustix::process::geteuid();
    reader
        .by_ref()
        .take(MOST_REQUEST)
        .read_until(b'\n', &mut line)?;
    let answer = match serde_json::from_slice(&line) {
        _ if !is_own => Err("it is not you who serves here".to_owned()),
        Err(error) => Err(format!("it is not a request: {error}")),
        Ok(Request::Install(upload)) => {
            let go_on = |from| {
                let mut stream = stream;
                writeln!(stream, "{}", json!({ "ok": from }))
            };
            let receipt = server.install(&upload, &mut reader, go_on);
            receipt.map(|r| json!(r)).map_err(|e| e.to_string())
        }
        Ok(request) => server.answer(request).map_err(|e| e.to_string()),
    };
    let answer = match answer {
        Ok(value) => json!({ "ok": value }),
        Err(error) => json!({ "error": error }),
    };
    let mut stream = stream;
    stream.write_all(format!("{answer}\n").as_bytes())
}

impl Server {
    /// Meets a request.
    ///
    /// # Errors
    /// Where there is no such rune, or it is not taken.
    pub fn answer(&self, request: Request) -> Result<Value, ServeError> {
        match request {
            Request::Ps => return Ok(json!(self.status())),
            Request::Start { rune } => {
                // What was refused may have been put right.
                let is_refused = |s: super::Phase| s == super::Phase::Refused;
                if self.with(&rune, |unit| is_refused(unit.status().phase))? {
                    self.reload(&rune)?;
                } else {
                    self.with(&rune, |unit| unit.want(true))?;
                }
            }
            Request::Stop { rune } => self.with(&rune, |unit| unit.want(false))?,
            Request::Trigger { rune } => self.with(&rune, super::Unit::trigger)?,
            Request::Reload { rune } => self.reload(&rune)?,
            Request::Logs { rune, since } => {
                return self.with(&rune, |unit| json!(unit.log().since(since)));
            }
            Request::Confirm { rune } => self.confirm(&rune)?,
            Request::Rollback { rune } => self.rollback(&rune)?,
            Request::Remove { rune } => self.remove(&rune)?,
            Request::Install(_) => {
                let why = "an upload needs its bytes: see `Server::install`";
                return Err(ServeError::Refused(why.to_owned()));
            }
        }
        Ok(Value::Null)
    }
}

/// Asks the server of a folder.
///
/// # Errors
/// Where nobody serves the folder, or the request is not met, with the server's words.
pub fn ask(folder: &Path, request: &Request) -> Result<Value, ServeError> {
    let mut asking = Asking::open(folder)?;
    asking.say(request)?;
    asking.answer()
}

/// Has the server of a folder install a rune, and says on the way how many of its bytes are there.
///
/// # Errors
/// As [`ask`]. An upload that broke off goes on when the same is asked again.
pub fn install(
    folder: &Path,
    rune: &[u8],
    anew: bool,
    confirm: bool,
    mut progress: impl FnMut(usize),
) -> Result<Receipt, ServeError> {
    let mut asking = Asking::open(folder)?;
    asking.say(&Request::Install(Upload {
        digest: Sha256::digest(rune).into(),
        bytes: rune.len() as u64,
        anew,
        confirm,
    }))?;
    let from = asking.answer()?;
    let from = from.as_u64().and_then(|from| usize::try_from(from).ok());
    let mut at = from.map_or(rune.len(), |from| from.min(rune.len()));
    let mut broken = None;
    while at < rune.len() && broken.is_none() {
        progress(at);
        let chunk = &rune[at..rune.len().min(at + PIECE)];
        broken = asking.stream().write_all(chunk).err();
        at += chunk.len();
    }
    progress(rune.len());
    // Compiling takes its time, and ends with the connection if the server does.
    let patient = asking.stream().set_read_timeout(None);
    patient.map_err(|e| asking.failed(e))?;
    let answer = asking.answer();
    match (answer, broken) {
        // Who takes no more bytes says why.
        (Err(ServeError::Io(..)), Some(e)) => Err(asking.failed(e)),
        (answer, _) => serde_json::from_value(answer?).map_err(|e| asking.senseless(&e)),
    }
}

/// A connection to the server of a folder.
struct Asking {
    socket: PathBuf,
    reader: BufReader<UnixStream>,
}

impl Asking {
    fn open(folder: &Path) -> Result<Self, ServeError> {
        let socket = folder.join(SOCKET);
        let absent = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
        let stream = UnixStream::connect(&socket).and_then(|stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(stream)
        });
        match stream {
            Ok(stream) => Ok(Self {
                socket,
                reader: BufReader::new(stream),
            }),
            Err(e) if absent.contains(&e.kind()) => Err(ServeError::Refused(format!(
                "nobody serves {0}: start `rune serve {0}` there",
                folder.display()
            ))),
            Err(e) => Err(ServeError::Io(socket, e)),
        }
    }

    fn failed(&self, error: io::Error) -> ServeError {
        ServeError::Io(self.socket.clone(), error)
    }

    fn senseless(&self, error: &serde_json::Error) -> ServeError {
        self.failed(io::Error::new(
            io::ErrorKind::InvalidData,
            error.to_string(),
        ))
    }

    fn stream(&self) -> &UnixStream {
        self.reader.get_ref()
    }

    fn say(&self, request: &Request) -> Result<(), ServeError> {
        let line = serde_json::to_string(request).expect("a request is JSON");
        let said = self.stream().write_all(format!("{line}\n").as_bytes());
        said.map_err(|e| self.failed(e))
    }

    fn answer(&mut self) -> Result<Value, ServeError> {
        let mut line = String::new();
        let read = self.reader.by_ref().take(MOST_ANSWER).read_line(&mut line);
        read.map_err(|e| self.failed(e))?;
        let mut answer: Value = serde_json::from_str(&line).map_err(|e| self.senseless(&e))?;
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => Err(ServeError::Refused(error.to_owned())),
            None => Ok(answer["ok"].take()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Request;

    #[test]
    fn requests_are_what_they_say_and_nothing_else() {
        let read = |text: &str| serde_json::from_str::<Request>(text);
        let stop = Request::Stop {
            rune: "a".to_owned(),
        };
        assert_eq!(read(r#"{"do": "stop", "rune": "a"}"#).unwrap(), stop);
        assert_eq!(read(r#"{"do": "ps"}"#).unwrap(), Request::Ps);
        for text in ["", "{}", r#"{"do": "format"}"#, r#"{"do": "stop"}"#, "[1]"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
