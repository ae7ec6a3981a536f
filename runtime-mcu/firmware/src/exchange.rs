//! What a rune reads and writes of which the host has the other end.

use alloc::{boxed::Box, collections::VecDeque, rc::Rc, vec, vec::Vec};
use core::{
    cell::RefCell,
    fmt::{self, Write as _},
};

use rune_abi::CapabilityView;
use rune_core::{Read, Source, SourceError, Table, Written};

use crate::sensors::Sensors;

/// Most bytes of lines of a rune that nobody has fetched.
const LINES: usize = 8 << 10;

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
        Ok(Read::SAMPLE)
    }
}

/// Samples from the host for one rune, and lines for the host.
pub(crate) struct Exchange {
    /// By the places of the capabilities in the manifest; `None` of those that a sensor feeds.
    inboxes: Vec<Option<Rc<RefCell<Inbox>>>>,
    lines: Lines,
    /// Name of the rune.
    name: &'static str,
    pub(crate) sensors: Sensors,
}

impl Exchange {
    /// Without a rune. Takes the memory for lines.
    pub(crate) fn new(table: &'static Table) -> Self {
        let bytes = VecDeque::with_capacity(LINES);
        Self {
            inboxes: Vec::new(),
            lines: Lines {
                bytes,
                lost: 0,
                begin: 0,
            },
            name: "",
            sensors: Sensors::own(table),
        }
    }

    /// Begins anew, for another rune; gives the sensors of the one before.
    pub(crate) fn clear(&mut self, table: &'static Table) -> Sensors {
        self.inboxes.clear();
        self.lines.bytes.clear();
        self.name = "";
        core::mem::replace(&mut self.sensors, Sensors::own(table))
    }

    /// A rune of this name is started.
    pub(crate) fn starts(&mut self, name: &'static str) {
        self.name = name;
        self.inboxes.clear();
    }

    /// Whether the rune of this name is here.
    pub(crate) fn is_of(&self, name: &str) -> bool {
        self.name == name
    }

    /// The next capability is fed by a sensor, or else by the host, where its samples are of at most so many bytes. They
    /// come in the order of the manifest.
    pub(crate) fn open(
        &mut self,
        sensor: Option<Box<dyn Source>>,
        capability: &CapabilityView<'_>,
        most: usize,
    ) -> Result<Box<dyn Source>, SourceError> {
        if let Some(sensor) = sensor {
            self.inboxes.push(None);
            return Ok(sensor);
        }
        let bytes = capability.ty.bytes() as usize;
        if bytes > most {
            return Err(SourceError::Failed(
                "its samples are larger than the memory of the board",
            ));
        }
        let inbox = Rc::new(RefCell::new(Inbox {
            sample: vec![0; bytes].into(),
            filled: 0,
        }));
        self.inboxes.push(Some(inbox.clone()));
        Ok(Box::new(Fed(inbox)))
    }

    /// Takes a part of a sample.
    pub(crate) fn feed(
        &mut self,
        capability: u8,
        offset: u32,
        data: &[u8],
    ) -> Result<(), &'static str> {
        let inbox = self.inboxes.get(usize::from(capability));
        let inbox = inbox.ok_or("no rune runs that has such a capability")?;
        let inbox = inbox.as_ref().ok_or("a sensor feeds this capability")?;
        inbox.borrow_mut().put(offset as usize, data)
    }

    /// Takes the next bytes of lines out; gives how many.
    pub(crate) fn fetch(&mut self, into: &mut [u8]) -> usize {
        let count = into.len().min(self.lines.bytes.len());
        into.iter_mut()
            .zip(&self.lines.bytes)
            .for_each(|(to, byte)| *to = *byte);
        self.lines.drop_first(count);
        count
    }

    /// Writes lines from a mark on, which count all bytes since the rune was started; those before it are not needed any
    /// more. Gives how many bytes, and the mark behind them.
    #[cfg(feature = "smp")]
    pub(crate) fn fetch_from(&mut self, since: u32, into: &mut [u8]) -> (usize, u32) {
        let known = since.wrapping_sub(self.lines.begin) as usize;
        // Another mark is of another rune, or of before a reset: what is there is new to who asks.
        if known <= self.lines.bytes.len() {
            self.lines.drop_first(known);
        }
        let bytes = self.lines.bytes.iter();
        let count = into.len().min(bytes.len());
        into.iter_mut()
            .zip(bytes)
            .for_each(|(to, byte)| *to = *byte);
        (count, self.lines.begin.wrapping_add(count as u32))
    }

    /// Takes what a call wrote; false where there was no room for it.
    pub(crate) fn write(&mut self, written: &Written<'_>) -> bool {
        self.lines.put(|lines| written.line(lines))
    }

    /// Bytes of lines that were lost since the start.
    pub(crate) fn lost(&self) -> u32 {
        self.lines.lost
    }
}

/// Lines that the host has not fetched yet. One for which there is no room is lost whole.
struct Lines {
    bytes: VecDeque<u8>,
    lost: u32,
    /// How many there were before.
    begin: u32,
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
    fn drop_first(&mut self, count: usize) {
        self.bytes.drain(..count);
        self.begin = self.begin.wrapping_add(count as u32);
    }

    fn put(&mut self, line: impl FnOnce(&mut Self) -> fmt::Result) -> bool {
        let before = self.bytes.len();
        let done = line(self).is_ok() && self.write_str("\n").is_ok();
        if !done {
            let lost = (self.bytes.len() - before) as u32;
            self.lost = self.lost.saturating_add(lost);
            self.bytes.truncate(before);
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use core::fmt::Write as _;

    use rune_core::Table;

    use super::{Exchange, Inbox, LINES};

    static TABLE: Table = Table {
        bases: &[],
        sensors: &[],
        outputs: &[],
        memory_bytes: 0,
        code_bytes: 0,
        native_keys: &[],
    };

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
        let mut exchange = Exchange::new(&TABLE);
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

    #[cfg(feature = "smp")]
    #[test]
    fn lines_stay_until_the_mark_behind_them_comes_back() {
        let mut exchange = Exchange::new(&TABLE);
        assert!(exchange.lines.put(|l| l.write_str("first")));
        assert!(exchange.lines.put(|l| l.write_str("next")));
        let mut out = [0; 6];
        for _ in 0..2 {
            assert_eq!(exchange.fetch_from(0, &mut out), (6, 6));
            assert_eq!(&out, b"first\n");
        }
        assert_eq!(exchange.fetch_from(6, &mut out), (5, 11));
        assert_eq!(&out[..5], b"next\n");
        assert_eq!(exchange.fetch_from(11, &mut out), (0, 11));
        assert!(exchange.lines.put(|l| l.write_str("x")));
        // Whoever comes anew gets what is there.
        assert_eq!(exchange.fetch_from(0, &mut out), (2, 13));
        assert_eq!(exchange.fetch_from(500, &mut out), (2, 13));
    }
}
