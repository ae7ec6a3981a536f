//! RAW from standard input.

use std::io::{self, Stdin};

use rune_abi::Capability;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{
    OpenError, Source, SourceError,
    live::{self, CHUNK, Device, Live, Next, PATIENCE},
};

/// Opens standard input; the hop is in bytes. It waits while the rune works, so nothing is lost.
pub(super) fn open(capability: &Capability) -> Result<Box<dyn Source>, OpenError> {
    let cut = live::bytes(capability, 1, "byte")?;
    let device = Box::new(Input(io::stdin()));
    Ok(Box::new(Live::new("stdin".to_owned(), device, cut)))
}

struct Input(Stdin);

impl Device for Input {
    fn next(&mut self, bytes: &mut Vec<u8>) -> Result<Next, SourceError> {
        let fail = |e: io::Error| SourceError::new("stdin", e);
        if !is_ready(&self.0).map_err(fail)? {
            return Ok(Next::Nothing);
        }
        bytes.resize(CHUNK, 0);
        // Not by way of the buffer of `Stdin`, of which polling knows nothing.
        let read = rustix::io::read(&self.0, &mut bytes[..]).map_err(|e| fail(e.into()))?;
        bytes.truncate(read);
        Ok(if read == 0 {
            Next::End
        } else {
            Next::Bytes(live::now())
        })
    }

    fn waits(&self) -> bool {
        true
    }
}

/// Whether a file can be read without waiting; waits for that a little.
pub(super) fn is_ready(file: &impl std::os::fd::AsFd) -> io::Result<bool> {
    let patience = Timespec {
        tv_sec: 0,
        tv_nsec: PATIENCE.subsec_nanos().into(),
    };
    let mut fds = [PollFd::new(file, PollFlags::IN)];
    match poll(&mut fds, Some(&patience)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
