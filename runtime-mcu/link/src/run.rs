//! The runes that run on a board, each in a place of its own, and what a host asks of one.

use crate::message::{Digest, Reader, Unreadable, Writer, cut};

/// Numbers of `rune_saga::Failure`.
pub const FAILURES: usize = 15;

/// What a host asks of the rune in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// How is it? [`Reply::Rune`](crate::Reply::Rune), refused where no rune is.
    Look,
    /// Stops it, or lets it go on from its start. [`Reply::Done`](crate::Reply::Done).
    Want(bool),
    /// When it is called from now on, until the board starts anew. [`Reply::Done`](crate::Reply::Done).
    Schedule(When),
    /// Calls it once more, if it waits for that, with the samples it was fed. [`Reply::Done`](crate::Reply::Done), before
    /// the call.
    Call,
    /// The next bytes of the lines that it has written; none where there are no more.
    /// [`Reply::Text`](crate::Reply::Text), once the calls that were asked for have ended; refused, once, where it
    /// failed.
    Lines,
}

/// When a rune is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// When the host asks for it.
    Trigger,
    /// As soon as it has input.
    Input,
    /// At equal distances of so many milliseconds.
    Every(u32),
}

/// What a rune is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It is called when it is due.
    Running,
    /// It failed and will be started anew.
    Waiting,
    /// It was stopped by hand.
    Stopped,
    /// Its sources have no more data.
    Ended,
}

/// How a rune is. Counters stay at their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rune<'a> {
    /// What it is doing.
    pub doing: Doing,
    /// When it is called.
    pub when: When,
    /// What it is known by.
    pub digest: Digest,
    /// Times it was started.
    pub starts: u32,
    /// Calls that wrote output.
    pub with_output: u32,
    /// Calls that ended well and wrote nothing.
    pub without_output: u32,
    /// Failed calls, by the number of `rune_saga::Failure`.
    pub failures: [u32; FAILURES],
    /// Samples and calls that were missed.
    pub overruns: u32,
    /// Its name.
    pub name: &'a str,
    /// What went wrong last; empty where nothing did. At most [`ERROR_BYTES`](Self::ERROR_BYTES).
    pub error: &'a str,
}

impl When {
    fn write(self, w: &mut Writer<'_>) {
        match self {
            Self::Trigger => w.byte(0),
            Self::Input => w.byte(1),
            Self::Every(ms) => {
                w.byte(2);
                w.u32(ms);
            }
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Unreadable> {
        Ok(match r.byte()? {
            0 => Self::Trigger,
            1 => Self::Input,
            2 => Self::Every(r.u32()?),
            _ => return Err(Unreadable),
        })
    }
}

impl Run {
    pub(crate) fn write(self, w: &mut Writer<'_>) {
        match self {
            Self::Look => w.byte(0),
            Self::Want(is_wanted) => {
                w.byte(1);
                w.byte(u8::from(is_wanted));
            }
            Self::Schedule(when) => {
                w.byte(2);
                when.write(w);
            }
            Self::Call => w.byte(3),
            Self::Lines => w.byte(4),
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Unreadable> {
        Ok(match r.byte()? {
            0 => Self::Look,
            1 => Self::Want(r.flag()?),
            2 => Self::Schedule(When::read(r)?),
            3 => Self::Call,
            4 => Self::Lines,
            _ => return Err(Unreadable),
        })
    }
}

impl Doing {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Running, Self::Waiting, Self::Stopped, Self::Ended];
}

impl<'a> Rune<'a> {
    /// Most bytes of an error.
    pub const ERROR_BYTES: usize = 512;

    pub(crate) fn write(&self, w: &mut Writer<'_>) {
        w.byte(self.doing as u8);
        self.when.write(w);
        w.put(&self.digest);
        for count in [self.starts, self.with_output, self.without_output] {
            w.u32(count);
        }
        for count in self.failures {
            w.u32(count);
        }
        w.u32(self.overruns);
        w.short_text(self.name);
        w.put(cut(self.error, Self::ERROR_BYTES).as_bytes());
    }

    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, Unreadable> {
        Ok(Self {
            doing: *Doing::ALL.get(usize::from(r.byte()?)).ok_or(Unreadable)?,
            when: When::read(r)?,
            digest: r.array()?,
            starts: r.u32()?,
            with_output: r.u32()?,
            without_output: r.u32()?,
            failures: {
                let mut failures = [0; FAILURES];
                for count in &mut failures {
                    *count = r.u32()?;
                }
                failures
            },
            overruns: r.u32()?,
            name: r.short_text()?,
            error: r.text()?,
        })
    }
}
