//! What a rune reads and writes of which the host has the other end.

use alloc::{boxed::Box, collections::VecDeque, rc::Rc, vec, vec::Vec};
use core::{
    cell::RefCell,
    fmt::{self, Write as _},
};

use rune_abi::CapabilityView;
use rune_core::{Read, Source, SourceError, Written};

/// Most bytes of lines that nobody has fetched.
const LINES: usize = 16 << 10;

/// The next sample of a capability, as far as the host has fed it.
struct Inbox {
    sample: Box<[u8]>,
    filled: usize,
}

impl Inbox {
    fn put(&mut self, offset: usize, data: &[u8]) -> Result<(), &'static str> {
        if offset != self.filled {
            return Err("it is not the next part of the sample");
        }
        let place = self.sample[offset..].get_mut(..data.len());
        let place = place.ok_or("it is more than one sample")?;
        place.copy_from_slice(data);
        self.filled += data.len();
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.filled == self.sample.len()
    }
}

/// The other end of an inbox.
struct Fed(Rc<RefCell<Inbox>>);

impl Source for Fed {
    fn is_ready(&mut self, _: u64) -> bool {
        self.0.borrow().is_full()
    }

    fn read(&mut self, out: &mut [u8], _: u64) -> Result<Read, SourceError> {
        let mut inbox = self.0.borrow_mut();
        if !inbox.is_full() {
            return Err(SourceError::Late);
        }
        out.copy_from_slice(&inbox.sample);
        inbox.filled = 0;
        Ok(Read::Sample { time_ns: None })
    }
}

/// Samples from the host, and lines for it.
pub struct Exchange {
    /// By the places of the capabilities in the manifest; `None` of those that a sensor of the board feeds.
    inboxes: Vec<Option<Rc<RefCell<Inbox>>>>,
    lines: Lines,
}

impl Default for Exchange {
    fn default() -> Self {
        Self::new()
    }
}

impl Exchange {
    /// Without a rune. Takes the memory for lines.
    pub fn new() -> Self {
        let bytes = VecDeque::with_capacity(LINES);
        Self {
            inboxes: Vec::new(),
            lines: Lines { bytes, lost: 0 },
        }
    }

    /// Begins anew, for another rune.
    pub fn clear(&mut self) {
        self.inboxes.clear();
        self.lines.bytes.clear();
    }

    /// The capability at `index` is fed by the host: its source.
    pub fn open(&mut self, index: usize, capability: &CapabilityView<'_>) -> Box<dyn Source> {
        let inbox = Rc::new(RefCell::new(Inbox {
            sample: vec![0; capability.ty.bytes() as usize].into(),
            filled: 0,
        }));
        self.place(index, Some(inbox.clone()));
        Box::new(Fed(inbox))
    }

    /// The capability at `index` is fed by a sensor.
    pub fn skip(&mut self, index: usize) {
        self.place(index, None);
    }

    /// They are opened in order, each time from the first on.
    fn place(&mut self, index: usize, inbox: Option<Rc<RefCell<Inbox>>>) {
        self.inboxes.truncate(index);
        self.inboxes.push(inbox);
    }

    /// Takes a part of a sample.
    ///
    /// # Errors
    /// Why it was not taken.
    pub fn feed(&mut self, capability: u8, offset: u32, data: &[u8]) -> Result<(), &'static str> {
        let inbox = self.inboxes.get(usize::from(capability));
        let inbox = inbox.ok_or("no rune runs that has such a capability")?;
        let inbox = inbox
            .as_ref()
            .ok_or("a sensor of the board feeds this capability")?;
        inbox.borrow_mut().put(offset as usize, data)
    }

    /// Takes the next bytes of lines out; gives how many.
    pub fn fetch(&mut self, into: &mut [u8]) -> usize {
        let count = into.len().min(self.lines.bytes.len());
        for (place, byte) in into.iter_mut().zip(self.lines.bytes.drain(..count)) {
            *place = byte;
        }
        count
    }

    /// Takes what a call wrote; false where there was no room for it.
    pub fn write(&mut self, written: &Written<'_>) -> bool {
        self.lines.put(|lines| written.line(lines))
    }

    /// Bytes of lines that were lost since the start.
    pub fn lost(&self) -> u32 {
        self.lines.lost
    }
}

/// Lines that the host has not fetched yet. One for which there is no room is lost whole.
struct Lines {
    bytes: VecDeque<u8>,
    lost: u32,
}

impl fmt::Write for Lines {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.bytes.len() + text.len() > LINES {
            return Err(fmt::Error);
        }
        self.bytes.extend(text.as_bytes());
        Ok(())
    }
}

impl Lines {
    fn put(&mut self, line: impl FnOnce(&mut Self) -> fmt::Result) -> bool {
        let before = self.bytes.len();
        let done = line(self).is_ok() && self.write_str("\n").is_ok();
        if !done {
            self.lost += (self.bytes.len() - before) as u32;
            self.bytes.truncate(before);
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use core::fmt::Write as _;

    use super::{Exchange, Inbox, LINES};

    #[test]
    fn a_sample_comes_in_order_and_no_more_than_one() {
        let mut inbox = Inbox {
            sample: alloc::vec![0; 4].into(),
            filled: 0,
        };
        assert_eq!(inbox.put(0, &[1, 2, 3]), Ok(()));
        assert!(inbox.put(2, &[3]).is_err() && inbox.put(3, &[4, 5]).is_err());
        assert_eq!(inbox.put(3, &[4]), Ok(()));
        assert!(inbox.is_full() && *inbox.sample == [1, 2, 3, 4]);
        assert!(inbox.put(4, &[5]).is_err());
    }

    #[test]
    fn a_line_without_room_is_lost_whole() {
        let mut exchange = Exchange::new();
        let line = "x".repeat(LINES - 10);
        assert!(exchange.lines.put(|l| l.write_str(&line)));
        assert!(
            !exchange
                .lines
                .put(|l| l.write_str("12345").and_then(|()| l.write_str("67890")))
        );
        assert_eq!(exchange.lost(), 5);
        assert!(exchange.lines.put(|l| l.write_str("short")));
        let mut out = [0; LINES];
        let count = exchange.fetch(&mut out);
        assert_eq!(&out[..count][LINES - 9..], b"short\n");
        assert_eq!(exchange.fetch(&mut out), 0);
        assert!(exchange.feed(0, 0, &[]).is_err());
    }
}
