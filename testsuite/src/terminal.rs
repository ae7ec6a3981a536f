//! Pseudo terminals, and what carries bytes between two ends.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::OwnedFd,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::{
    fs::{CWD, Mode, OFlags, fcntl_setfl, openat},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{OptionalActions, tcgetattr, tcsetattr},
};

use crate::qemu::Link;

/// A pseudo terminal, of which a program opens the path.
#[derive(Debug)]
pub struct Terminal {
    /// What a program opens.
    pub path: PathBuf,
    master: Option<File>,
    /// So that the terminal is there also while no program has it open.
    _slave: OwnedFd,
}

impl Terminal {
    /// Makes one.
    ///
    /// # Errors
    /// The system gives none.
    pub fn new() -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let path = ptsname(&master, vec![])?.into_string();
        let path = PathBuf::from(path.map_err(io::Error::other)?);
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = openat(CWD, &path, flags, Mode::empty())?;
        let mut form = tcgetattr(&slave)?;
        form.make_raw();
        tcsetattr(&slave, OptionalActions::Now, &form)?;
        fcntl_setfl(&master, OFlags::RDWR | OFlags::NONBLOCK)?;
        Ok(Self {
            path,
            master: Some(master.into()),
            _slave: slave,
        })
    }

    /// The other end; `None` where somebody has it already.
    pub fn master(&mut self) -> Option<Box<dyn Link>> {
        Some(Box::new(self.master.take()?))
    }
}

/// Carries bytes between two ends for as long as it and both are there.
#[derive(Debug)]
pub struct Carrier {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Carrier {
    /// Begins.
    pub fn new(mut one: Box<dyn Link>, mut other: Box<dyn Link>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = is_over.clone();
        let thread = thread::spawn(move || {
            while !ends.load(Ordering::SeqCst) {
                let there = carry(&mut *one, &mut *other);
                let carried = there.and_then(|there| Ok(there + carry(&mut *other, &mut *one)?));
                match carried {
                    Ok(0) => thread::sleep(Duration::from_millis(1)),
                    Ok(_) => {}
                    // An end is gone.
                    Err(_) => break,
                }
            }
        });
        Self {
            is_over,
            thread: Some(thread),
        }
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Carries what is there; gives how many bytes.
fn carry(from: &mut dyn Link, to: &mut dyn Link) -> io::Result<usize> {
    let mut bytes = [0; 4096];
    let read = match from.read(&mut bytes) {
        Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(read) => read,
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => 0,
        Err(e) => return Err(e),
    };
    let mut rest = &bytes[..read];
    while !rest.is_empty() {
        match to.write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => thread::yield_now(),
            Err(e) => return Err(e),
        }
    }
    Ok(read)
}

/// A link to nobody.
#[derive(Debug)]
pub struct Nobody;

impl Read for Nobody {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Write for Nobody {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
