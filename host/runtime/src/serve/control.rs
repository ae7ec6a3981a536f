//! The socket of a served folder: one line of JSON asks, one line answers.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::Path,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{SOCKET, ServeError, Server};

/// Most bytes of a request, and of an answer.
const MOST_REQUEST: u64 = 64 << 10;
const MOST_ANSWER: u64 = 16 << 20;
/// Most who are answered at once; others wait.
const MOST_ASKING: usize = 32;
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
    let server = Arc::downgrade(server);
    let asking = Arc::new(AtomicUsize::new(0));
    thread::Builder::new()
        .name("control".to_owned())
        .spawn(move || {
            for stream in listener.incoming() {
                if server.strong_count() == 0 {
                    return;
                }
                while asking.load(Ordering::SeqCst) >= MOST_ASKING {
                    thread::sleep(Duration::from_millis(10));
                }
                let Ok(stream) = stream else { continue };
                let (server, asking) = (server.clone(), asking.clone());
                asking.fetch_add(1, Ordering::SeqCst);
                let spawned = thread::Builder::new().spawn(move || {
                    // Whoever asked and went away needs no answer.
                    let _ = serve(&server, &stream);
                    asking.fetch_sub(1, Ordering::SeqCst);
                });
                // Without a thread the caller sees its connection end.
                drop(spawned);
            }
        })
        .map_err(failed)?;
    Ok(())
}

fn serve(server: &Weak<Server>, stream: &UnixStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream.take(MOST_REQUEST)).read_line(&mut line)?;
    let answer = match (serde_json::from_str(&line), server.upgrade()) {
        (_, None) => Err("the server is stopping".to_owned()),
        (Err(error), _) => Err(format!("it is not a request: {error}")),
        (Ok(request), Some(server)) => server.answer(request).map_err(|e| e.to_string()),
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
        }
        Ok(Value::Null)
    }
}

/// Asks the server of a folder.
///
/// # Errors
/// Where nobody serves the folder, or the request is not met, with the server's words.
pub fn ask(folder: &Path, request: &Request) -> Result<Value, ServeError> {
    let socket = folder.join(SOCKET);
    let failed = |e| ServeError::Io(socket.clone(), e);
    let absent = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
    let mut stream = UnixStream::connect(&socket).map_err(|e| {
        if absent.contains(&e.kind()) {
            ServeError::Refused(format!(
                "nobody serves {0}: start `rune serve {0}` there",
                folder.display()
            ))
        } else {
            failed(e)
        }
    })?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
    let line = serde_json::to_string(request).expect("a request is JSON");
    stream
        .write_all(format!("{line}\n").as_bytes())
        .map_err(failed)?;
    let mut answer = String::new();
    BufReader::new((&stream).take(MOST_ANSWER))
        .read_line(&mut answer)
        .map_err(failed)?;
    let broken = |what: String| failed(io::Error::new(io::ErrorKind::InvalidData, what));
    let mut answer: Value = serde_json::from_str(&answer).map_err(|e| broken(e.to_string()))?;
    match answer.get("error").and_then(Value::as_str) {
        Some(error) => Err(ServeError::Refused(error.to_owned())),
        None => Ok(answer["ok"].take()),
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
