//! RAW from a serial port.

use std::{fs::File, io};

use rune_abi::Capability;
use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    io::Errno,
    termios::{OptionalActions, isatty, tcgetattr, tcsetattr},
};

use super::{
    OpenError, Setup, Source, SourceError,
    live::{self, CHUNK, Device, Live, Next},
    stdin::is_ready,
};

/// What a port runs at where nothing is said.
const BAUD: u32 = 115_200;

/// Opens a serial port: bytes of 8 bits without parity as they come, nothing echoed or translated. The hop is in
/// bytes.
pub(super) fn open(capability: &Capability, setup: &Setup) -> Result<Box<dyn Source>, OpenError> {
    let device = setup.device.clone().unwrap_or_default();
    let cut = live::bytes(capability, 1, "byte")?;
    let port = port(&device, setup.baud.unwrap_or(BAUD));
    let port = port.map_err(|e| SourceError::new(&device, e))?;
    let name = device.clone();
    let port = Box::new(Port { port, name: device });
    Ok(Box::new(Live::new(name, port, cut)))
}

fn port(device: &str, baud: u32) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let port = openat(CWD, device, flags, Mode::empty())?;
    if !isatty(&port) {
        return Err(io::Error::other("it is not a serial port"));
    }
    let mut form = tcgetattr(&port)?;
    form.make_raw();
    form.set_speed(baud)
        .map_err(|_| io::Error::other(format!("it cannot run at {baud} baud")))?;
    tcsetattr(&port, OptionalActions::Flush, &form)?;
    Ok(port.into())
}

struct Port {
    port: File,
    name: String,
}

impl Device for Port {
    fn next(&mut self, bytes: &mut Vec<u8>) -> Result<Next, SourceError> {
        let fail = |e: io::Error| SourceError::new(&self.name, e);
        if !is_ready(&self.port).map_err(fail)? {
            return Ok(Next::Nothing);
        }
        bytes.resize(CHUNK, 0);
        match rustix::io::read(&self.port, &mut bytes[..]) {
            Ok(0) | Err(Errno::IO) => Err(SourceError::new(&self.name, "the port is gone")),
            Ok(read) => {
                bytes.truncate(read);
                Ok(Next::Bytes(live::now()))
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(Next::Nothing),
            Err(error) => Err(fail(error.into())),
        }
    }
}
