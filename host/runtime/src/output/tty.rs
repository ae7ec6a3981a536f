//! SERIAL on a real terminal or serial port: raw, with a baud rate, opened anew when it went away.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    sync::Arc,
    time::Instant,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::OFlags,
    io::Errno,
    termios::{ControlModes, OptionalActions, isatty, tcgetattr, tcsetattr},
};

use super::sink::{Line, Stopped, Then, TtySink, Writer};

/// A terminal that is open, or was.
pub(super) struct Tty {
    device: PathBuf,
    baud: u32,
    /// `None` after an error.
    port: Option<File>,
    /// Whether the last line was written in part.
    torn: bool,
}

/// Opens the device and sets it.
pub(super) fn open(sink: &TtySink) -> io::Result<Tty> {
    let mut tty = Tty {
        device: sink.device.clone(),
        baud: sink.baud.get(),
        port: None,
        torn: false,
    };
    tty.port = Some(tty.connect()?);
    Ok(tty)
}

impl Tty {
    fn connect(&self) -> io::Result<File> {
        // NONBLOCK, so that neither a modem without carrier nor a FIFO is waited for.
        let flags = OFlags::NOCTTY | OFlags::NONBLOCK;
        let port = OpenOptions::new()
            .write(true)
            .custom_flags(flags.bits() as i32)
            .open(&self.device)?;
        if !isatty(&port) {
            let what = "it is not a terminal or serial port";
            return Err(io::Error::new(ErrorKind::InvalidInput, what));
        }
        let mut termios = tcgetattr(&port)?;
        termios.make_raw();
        termios.control_modes |= ControlModes::CLOCAL;
        termios.control_modes -= ControlModes::CRTSCTS;
        termios.set_speed(self.baud)?;
        tcsetattr(&port, OptionalActions::Now, &termios)?;
        Ok(port)
    }

    fn line(&mut self, line: &str, until: Instant) -> io::Result<()> {
        let mut port = match self.port.take() {
            Some(port) => port,
            None => self.connect()?,
        };
        let text = if self.torn {
            format!("\n{line}")
        } else {
            line.to_owned()
        };
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match port.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => {
                    rest = &rest[n..];
                    self.torn = !rest.is_empty();
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    if !ready(&port, until)? {
                        self.port = Some(port);
                        return Err(io::Error::new(
                            ErrorKind::TimedOut,
                            "nobody takes what is written",
                        ));
                    }
                }
                Err(e) => return Err(e),
            }
        }
        self.port = Some(port);
        Ok(())
    }
}

/// Waits until there is room, at most to a time.
fn ready(port: &File, until: Instant) -> io::Result<bool> {
    let left = until.saturating_duration_since(Instant::now());
    let left = Timespec {
        tv_sec: left.as_secs() as i64,
        tv_nsec: left.subsec_nanos().into(),
    };
    match poll(&mut [PollFd::new(port, PollFlags::OUT)], Some(&left)) {
        Ok(0) => Ok(false),
        Ok(_) | Err(Errno::INTR) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

impl Writer for Tty {
    fn write(&mut self, lines: &[Arc<Line>], until: Instant) -> Result<(), Stopped> {
        for (done, line) in lines.iter().enumerate() {
            self.line(&line.text, until).map_err(|error| Stopped {
                done,
                what: error.to_string(),
                then: Then::Again,
            })?;
        }
        Ok(())
    }
}
