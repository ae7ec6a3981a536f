//! Messages of the protocol over standard input and output.

use std::{
    io::{self, BufRead, Read, Write},
    thread::{self, JoinHandle},
};

use crossbeam_channel::{Receiver, Sender, bounded};
use lsp_server::{Connection, Message};
use lsp_types::notification::{Exit, Notification as _};

/// The longest header, in bytes.
const MOST_HEADER: usize = 4096;
/// The longest message, in bytes: a Runefile as long as they may be, each character escaped.
const MOST_BYTES: u64 = 8 * rune_runefile::MAX_BYTES as u64;

/// The threads that read and write.
pub(crate) struct Threads {
    reader: JoinHandle<io::Result<()>>,
    writer: JoinHandle<io::Result<()>>,
}

impl Threads {
    /// Waits until both have ended; drop the connection before.
    ///
    /// # Errors
    /// What came is not the protocol, or what was to be said could not be written.
    pub(crate) fn join(self) -> io::Result<()> {
        let ended = |thread: JoinHandle<io::Result<()>>| {
            let lost = || Err(io::Error::other("a thread of the server has panicked"));
            thread.join().unwrap_or_else(|_| lost())
        };
        ended(self.reader).and(ended(self.writer))
    }
}

/// A connection over standard input and output. Messages wait where they come from until they are taken.
pub(crate) fn stdio() -> (Connection, Threads) {
    let (come, receiver) = bounded(0);
    let (sender, go) = bounded(0);
    let reader = thread::spawn(move || read_all(&mut io::stdin().lock(), &come));
    let writer = thread::spawn(move || write_all(&mut io::stdout().lock(), &go));
    (Connection { sender, receiver }, Threads { reader, writer })
}

fn read_all(input: &mut impl BufRead, come: &Sender<Message>) -> io::Result<()> {
    while let Some(message) = read(input)? {
        let is_last = matches!(&message, Message::Notification(n) if n.method == Exit::METHOD);
        if come.send(message).is_err() || is_last {
            break;
        }
    }
    Ok(())
}

fn write_all(output: &mut impl Write, go: &Receiver<Message>) -> io::Result<()> {
    go.iter().try_for_each(|message| message.write(output))
}

/// The next message; `None`: the input has ended. No more memory is taken than what came, and a length that no
/// message has is an error at once.
fn read(input: &mut impl BufRead) -> io::Result<Option<Message>> {
    let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    let Some(length) = header(input)? else {
        return Ok(None);
    };
    if length > MOST_BYTES {
        return Err(invalid(format!(
            "a message of {length} bytes; the longest may have {MOST_BYTES}"
        )));
    }
    let mut body = Vec::new();
    input.by_ref().take(length).read_to_end(&mut body)?;
    if (body.len() as u64) < length {
        return Err(invalid(format!(
            "the input ends after {} of {length} bytes of a message",
            body.len()
        )));
    }
    let message = serde_json::from_slice(&body);
    message
        .map(Some)
        .map_err(|error| invalid(format!("what came is no message: {error}")))
}

/// The length that a header tells; `None`: the input has ended.
fn header(input: &mut impl BufRead) -> io::Result<Option<u64>> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let (mut length, mut taken) = (None, 0);
    loop {
        let mut line = Vec::new();
        let most = (MOST_HEADER - taken) as u64;
        taken += input.by_ref().take(most).read_until(b'\n', &mut line)?;
        if taken == 0 {
            return Ok(None);
        }
        let Some(line) = line.strip_suffix(b"\r\n") else {
            return Err(invalid(
                "what came is no header of the language server protocol; editors start `runec lsp`",
            ));
        };
        if line.is_empty() {
            return match length {
                Some(length) => Ok(Some(length)),
                None => Err(invalid("a header without Content-Length")),
            };
        }
        let field = std::str::from_utf8(line).ok();
        let Some((name, value)) = field.and_then(|field| field.split_once(':')) else {
            return Err(invalid("a line of a header is not `name: value`"));
        };
        if name.eq_ignore_ascii_case("content-length") {
            let value = value.trim().parse();
            length = Some(value.map_err(|_| invalid("a Content-Length is no number"))?);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_one_after_the_other() {
        let note = r#"{"jsonrpc":"2.0","method":"exit"}"#;
        let size = note.len();
        let mut input = format!(
            "Content-Length: {size}\r\n\r\n{note}content-length:{size}\r\nContent-Type: x\r\n\r\n{note}"
        );
        let mut bytes = input.as_bytes();
        for _ in 0..2 {
            let message = read(&mut bytes).unwrap();
            assert!(matches!(message, Some(Message::Notification(n)) if n.method == "exit"));
        }
        assert!(read(&mut bytes).unwrap().is_none());
        input.pop();
        let mut bytes = input.as_bytes();
        read(&mut bytes).unwrap();
        let error = read(&mut bytes).unwrap_err().to_string();
        assert!(error.contains("ends after 32 of 33 bytes"), "{error}");
    }

    #[test]
    fn what_is_not_the_protocol_is_an_error_and_takes_no_memory() {
        let line = "x".repeat(1 << 20);
        for (input, reason) in [
            (
                "Content-Length: 18446744073709551615\r\n\r\n{}",
                "the longest may have",
            ),
            (
                "Content-Length: 10000000000\r\n\r\n{}",
                "the longest may have",
            ),
            (
                "Content-Length: 99999999999999999999999\r\n\r\n",
                "no number",
            ),
            ("Content-Length: -5\r\n\r\n{}", "no number"),
            (
                "Content-Length: 300000000\r\n\r\n{}",
                "after 2 of 300000000",
            ),
            ("Content-Length: 5\r\n\r\nabcde", "no message"),
            ("Content-Length: 2\r\n\r\n[]", "no message"),
            ("Content-Length: 3\r\n\r\n\u{20ac}", "no message"),
            ("A: 1\r\n\r\n{}", "without Content-Length"),
            ("hello\r\n\r\n", "`name: value`"),
            ("hello", "no header"),
            (&line, "no header"),
            ("Content-Length: 2", "no header"),
        ] {
            let error = read(&mut input.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(reason), "{input:.50}: {error}");
        }
    }
}
