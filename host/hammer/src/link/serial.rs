//! Serial ports: packets are lines of base64 between whatever a console prints.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rune_smp::serial;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags, open},
    termios::{OptionalActions, isatty, tcgetattr, tcsetattr},
};

use super::Link;

/// Most bytes of a packet that is sent, until a device says how many it takes.
const PACKET: usize = 1024;
/// Most bytes of a reply with what is around it.
const REPLY: usize = 16 << 10;
/// Symbols per second, where a port has any.
const BAUD: u32 = 115_200;

/// A serial port, or a pseudo terminal.
pub struct Serial {
    port: File,
    decoder: Box<serial::Decoder<REPLY>>,
    /// What was read and not looked at.
    read: Vec<u8>,
    begun: Instant,
}

impl Serial {
    /// Opens a port, and takes it to itself.
    ///
    /// # Errors
    /// There is none, or it may not be opened, or another program has it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let port = File::from(open(path, flags, Mode::empty())?);
        if isatty(&port) {
            rustix::fs::flock(&port, rustix::fs::FlockOperation::NonBlockingLockExclusive)
                .map_err(|_| {
                    io::Error::new(io::ErrorKind::ResourceBusy, "another program has it")
                })?;
            let mut settings = tcgetattr(&port)?;
            settings.make_raw();
            settings.set_speed(BAUD)?;
            tcsetattr(&port, OptionalActions::Flush, &settings)?;
        }
        Ok(Self {
            port,
            decoder: Box::new(serial::Decoder::new()),
            read: vec![],
            begun: Instant::now(),
        })
    }

    /// Waits for what a port is to be ready for; whether it is.
    fn wait(&self, flags: PollFlags, left: Duration) -> io::Result<bool> {
        let mut ports = [PollFd::new(&self.port, flags)];
        let time = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut ports, Some(&time)) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The packet that what was read completes; what is behind it is kept.
    fn packet(&mut self) -> Option<Vec<u8>> {
        let mut taken = 0;
        let mut found = None;
        for byte in &self.read {
            taken += 1;
            // Lines that were cut or changed are lost packets.
            if let Some(Ok(packet)) = self.decoder.take(*byte) {
                found = Some(packet.to_vec());
                break;
            }
        }
        self.read.drain(..taken);
        found
    }
}

impl Link for Serial {
    fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        /// How long a port may take no more.
        const STUCK: Duration = Duration::from_secs(5);
        let mut lines = vec![];
        serial::encode(packet, |line| lines.extend_from_slice(line));
        let mut rest = &lines[..];
        while !rest.is_empty() {
            match self.port.write(rest) {
                Ok(bytes) => rest = &rest[bytes..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !self.wait(PollFlags::OUT, STUCK)? {
                        return Err(io::Error::new(
                            io::ErrorKind::TimedOut,
                            "the port takes nothing",
                        ));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn receive(&mut self, within: Duration) -> io::Result<Option<Vec<u8>>> {
        let until = Instant::now() + within;
        loop {
            if let Some(packet) = self.packet() {
                return Ok(Some(packet));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            if !self.wait(PollFlags::IN, left)? {
                continue;
            }
            let mut bytes = [0; 1024];
            match self.port.read(&mut bytes) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.read.extend_from_slice(&bytes[..read]),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn packet_bytes(&self) -> usize {
        PACKET
    }
}

/// The serial ports of this machine that a board may be at.
pub fn ports() -> Vec<PathBuf> {
    const NAMES: [&str; 4] = ["ttyACM", "ttyUSB", "cu.usbmodem", "cu.usbserial"];
    let entries = fs::read_dir("/dev").into_iter().flatten().flatten();
    let ports = entries.filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        NAMES.iter().any(|begin| name.starts_with(begin))
    });
    let mut ports: Vec<PathBuf> = ports.map(|entry| entry.path()).collect();
    ports.sort();
    ports
}
