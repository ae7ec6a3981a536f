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

use rune_testsuite::qemu::Link;
use rustix::{
    fs::{CWD, Mode, OFlags, fcntl_setfl, openat},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{OptionalActions, tcgetattr, tcsetattr},
};

/// A pseudo terminal, of which a program opens the path.
pub(crate) struct Terminal {
    pub(crate) path: PathBuf,
    master: Option<File>,
    /// So that the terminal is there also while no program has it open.
    _slave: OwnedFd,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = PathBuf::from(ptsname(&master, vec![]).unwrap().into_string().unwrap());
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = openat(CWD, &path, flags, Mode::empty()).unwrap();
        let mut form = tcgetattr(&slave).unwrap();
        form.make_raw();
        tcsetattr(&slave, OptionalActions::Now, &form).unwrap();
        fcntl_setfl(&master, OFlags::RDWR | OFlags::NONBLOCK).unwrap();
        Self {
            path,
            master: Some(master.into()),
            _slave: slave,
        }
    }

    /// The other end.
    pub(crate) fn master(&mut self) -> Box<dyn Link> {
        Box::new(self.master.take().unwrap())
    }
}

/// Carries bytes between two ends for as long as it is there.
pub(crate) struct Carrier {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Carrier {
    pub(crate) fn new(mut one: Box<dyn Link>, mut other: Box<dyn Link>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = is_over.clone();
        let thread = thread::spawn(move || {
            while !ends.load(Ordering::SeqCst) {
                let there = carry(&mut *one, &mut *other);
                let back = carry(&mut *other, &mut *one);
                if there + back == 0 {
                    thread::sleep(Duration::from_millis(1));
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
fn carry(from: &mut dyn Link, to: &mut dyn Link) -> usize {
    let mut bytes = [0; 4096];
    let read = match from.read(&mut bytes) {
        Ok(read) => read,
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => 0,
        Err(e) => panic!("the link is gone: {e}"),
    };
    let mut rest = &bytes[..read];
    while !rest.is_empty() {
        match to.write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => thread::yield_now(),
            Err(e) => panic!("the link is gone: {e}"),
        }
    }
    read
}

/// A link to nobody.
pub(crate) struct Nobody;

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
