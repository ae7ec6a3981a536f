//! Passwords, typed where nobody sees them.

use std::{
    fs::File,
    io::{self, ErrorKind, Read, Write},
};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

/// Most bytes of a password.
const MOST_BYTES: usize = 1024;

/// Asks at the terminal, which shows nothing of what is typed.
///
/// # Errors
/// That there is no terminal, of the kind `NotFound`; or that it was interrupted.
pub fn ask(question: &str) -> io::Result<Vec<u8>> {
    let open = File::options().read(true).write(true).open("/dev/tty");
    let mut terminal = open.map_err(|_| io::Error::from(ErrorKind::NotFound))?;
    let before = tcgetattr(&terminal)?;
    let mut quiet = before.clone();
    // Signals are keys here: one that ended the program would leave the terminal without an echo.
    let off = LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
    quiet.local_modes.remove(off);
    tcsetattr(&terminal, OptionalActions::Flush, &quiet)?;
    let typed = write!(terminal, "{question}: ").and_then(|()| line(&mut terminal));
    let restored = tcsetattr(&terminal, OptionalActions::Flush, &before);
    let _ = writeln!(terminal);
    restored?;
    typed
}

/// What is typed until Enter.
fn line(terminal: &mut impl Read) -> io::Result<Vec<u8>> {
    const INTERRUPT: u8 = 3;
    const END: u8 = 4;
    let mut line = vec![];
    let mut byte = [0];
    loop {
        terminal.read_exact(&mut byte)?;
        match byte[0] {
            b'\r' | b'\n' => return Ok(line),
            INTERRUPT | END => return Err(ErrorKind::Interrupted.into()),
            0x08 | 0x7f => {
                // A character of several bytes goes whole.
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            _ if line.len() == MOST_BYTES => {
                let what = format!("a password has at most {MOST_BYTES} bytes");
                return Err(io::Error::other(what));
            }
            byte => line.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_was_typed_and_not_taken_back() {
        let typed = |bytes: &[u8]| line(&mut &bytes[..]);
        assert_eq!(typed(b"secret\rmore").ok().as_deref(), Some(&b"secret"[..]));
        assert_eq!(
            typed("ab\u{e9}\x7f\x7fc\n".as_bytes()).ok().as_deref(),
            Some(&b"ac"[..])
        );
        assert_eq!(typed(b"\x7f\x7f\n").ok().as_deref(), Some(&b""[..]));
        for (bytes, kind) in [
            (&b"ab\x03"[..], ErrorKind::Interrupted),
            (b"ab\x04\n", ErrorKind::Interrupted),
            (b"ab", ErrorKind::UnexpectedEof),
            (&[b'a'; 2000], ErrorKind::Other),
        ] {
            assert_eq!(typed(bytes).err().map(|e| e.kind()), Some(kind));
        }
    }
}
