//! SMP over Bluetooth Low Energy: the service of `rune_ble` on a controller that is reached over TCP or a serial port.

use std::{
    cell::Cell,
    fs::File,
    future::Future as _,
    io::{self, Read as _, Write as _},
    net::TcpStream,
    os::fd::OwnedFd,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    pin::pin,
    rc::Rc,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Instant,
};

use embedded_io::ErrorKind;
use rune_ble::{Identity, Mailbox, Port, serve};
use rustix::event::PollFlags;

use super::smp::{Managed, PAUSE, REPLY, is_ready, port};

/// How a controller at a TCP port is named.
const TCP: &str = "tcp:";

/// The line of the controller at `tcp:HOST:PORT`, or at a serial port.
pub(super) fn open(at: &str) -> io::Result<File> {
    let Some(address) = at.strip_prefix(TCP) else {
        return port(Path::new(at));
    };
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(OwnedFd::from(stream).into())
}

/// A line, and whether it took less than it was given.
struct Line<'f> {
    line: &'f File,
    is_full: Rc<Cell<bool>>,
}

/// What an error of the system is called where there is no system.
fn kind(error: &io::Error) -> ErrorKind {
    let known = [
        (io::ErrorKind::ConnectionReset, ErrorKind::ConnectionReset),
        (
            io::ErrorKind::ConnectionAborted,
            ErrorKind::ConnectionAborted,
        ),
        (io::ErrorKind::BrokenPipe, ErrorKind::BrokenPipe),
        (io::ErrorKind::TimedOut, ErrorKind::TimedOut),
    ];
    let kind = known.iter().find(|(kind, _)| *kind == error.kind());
    kind.map_or(ErrorKind::Other, |(_, kind)| *kind)
}

/// That nothing can be done now is no error.
fn now(result: io::Result<usize>) -> Result<usize, ErrorKind> {
    match result {
        Err(e) if [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted].contains(&e.kind()) => {
            Ok(0)
        }
        Err(error) => Err(kind(&error)),
        Ok(bytes) => Ok(bytes),
    }
}

impl Port for Line<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ErrorKind> {
        match self.line.read(into) {
            Ok(0) => Err(ErrorKind::BrokenPipe),
            read => now(read),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let written = now(self.line.write(bytes))?;
        self.is_full.set(written < bytes.len());
        Ok(written)
    }
}

/// Whether a future wants to be polled again at once.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Nanoseconds since the first call.
fn now_ns() -> u64 {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    let since = BEGUN.get_or_init(Instant::now).elapsed();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

impl Managed {
    /// Answers centrals until the server is gone. A controller that is gone is looked for again.
    pub(super) fn centrals(&self, at: &str, name: &str, first: File) {
        let mut line = Some(first);
        let mut said = String::new();
        while !self.is_over() {
            let opened = line.take().map_or_else(|| open(at), Ok);
            let why = match opened {
                Ok(line) => {
                    let served = catch_unwind(AssertUnwindSafe(|| self.on_controller(&line, name)));
                    served.unwrap_or_else(|_| "its controller sends what has no meaning".to_owned())
                }
                Err(error) => error.to_string(),
            };
            // Once, however often it is tried.
            if !self.is_over() && why != said {
                self.say(2, &format!("SMP over {at}: {why}"));
                said = why;
            }
            thread::sleep(PAUSE);
        }
    }

    /// Answers centrals for as long as a controller can be used; gives why it cannot.
    fn on_controller(&self, line: &File, name: &str) -> String {
        let is_full = Rc::new(Cell::new(false));
        let port = Line {
            line,
            is_full: is_full.clone(),
        };
        let mailbox = Box::new(Mailbox::<REPLY>::new());
        let mut address = [0; 6];
        address.copy_from_slice(&self.lock.device[..6]);
        let identity = Identity { name, address };
        let mut served = pin!(serve(port, identity, now_ns, &*mailbox));
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let (mut packet, mut out) = ([0; REPLY], [0; REPLY]);
        while !self.is_over() {
            if let Poll::Ready(stopped) = served.as_mut().poll(&mut Context::from_waker(&waker)) {
                return stopped.to_string();
            }
            let mut is_busy = woken.0.swap(false, Ordering::Relaxed);
            if let Some(bytes) = mailbox.take(&mut packet) {
                is_busy = true;
                if let Some(answer) = self.answer(&packet[..bytes], &mut out) {
                    mailbox.reply(answer.packet);
                    if answer.resets {
                        self.reset();
                    }
                }
            }
            if !is_busy {
                let room = if is_full.get() {
                    PollFlags::OUT
                } else {
                    PollFlags::empty()
                };
                if let Err(error) = is_ready(line, PollFlags::IN | room) {
                    return error.to_string();
                }
            }
        }
        String::new()
    }
}
