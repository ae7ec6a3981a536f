//! The sensors of a rune: the board's own, or those that the host plays, whose bytes are adapted here. Of every other
//! kind the host itself gives whole samples.
//!
//! What the host says is for the rune that is tried next: the table of its start is made of it, and it keeps its sensors
//! until it leaves its place. A capability that opens a sensor gets a ring of its bytes from then on, as it would with a
//! microphone; bytes that nobody reads are gone.

use alloc::{
    boxed::Box,
    collections::VecDeque,
    rc::{Rc, Weak},
    vec::Vec,
};
use core::{
    cell::{Cell, RefCell},
    ptr,
};

use rune_abi::{CapabilityKind, CapabilityView};
use rune_adapt::{Plan, Source as Given};
use rune_core::{
    Adapted, Device, Gives, Read, Schedule, Sensor, Source, SourceError, Table, Taken,
};
use rune_link::Played;

/// Most sensors that a host plays to a rune.
const MOST: usize = 8;
/// Bytes of a sensor that came and were not read: some frames of the link.
const RING: usize = 8 << 10;
/// Most bytes of memory for adapting, all runes together: a picture of 640 by 480 fits, of three bytes a pixel.
const MEMORY: usize = 1 << 20;

const KINDS: [CapabilityKind; 8] = [
    CapabilityKind::Rand,
    CapabilityKind::Sound,
    CapabilityKind::Accel,
    CapabilityKind::Image,
    CapabilityKind::Raw,
    CapabilityKind::FloatImage,
    CapabilityKind::Temperature,
    CapabilityKind::Gpio,
];

/// What the host gives as it is: whole samples of a kind.
pub const fn whole(kind: CapabilityKind) -> Sensor {
    Sensor {
        name: "the host",
        kind,
        gives: Gives::Exact,
        ranges: &[],
    }
}

/// What a board has that has no sensors: of every kind the host's samples.
pub static WHOLE: [Sensor; KINDS.len()] = {
    let mut rows = [whole(CapabilityKind::Rand); KINDS.len()];
    let mut row = 0;
    while row < rows.len() {
        rows[row] = whole(KINDS[row]);
        row += 1;
    }
    rows
};

/// What the host has said of the sensors of a rune.
pub(crate) struct Said {
    sensors: Vec<Given>,
    /// Samples that are read of each at most; 0 is no bound.
    most: u32,
}

/// The sensors of one rune.
pub(crate) struct Sensors {
    table: &'static Table,
    /// Whether the host has said them, and they are not the board's own.
    are_said: bool,
    /// The sensors of the first rows of the table.
    played: Vec<Row>,
    /// Samples that are read of each at most; 0 is no bound.
    most: u32,
}

/// One sensor that the host plays.
#[derive(Default)]
struct Row {
    /// The most that one of its readers has read.
    samples: Rc<Cell<u32>>,
    lost: u32,
    is_ended: bool,
    readers: Vec<Weak<RefCell<Ring>>>,
}

impl Said {
    /// No sensors yet, of each of which so many samples are read at most; 0 is no bound.
    pub(crate) fn new(most: u32) -> Self {
        Self {
            sensors: Vec::new(),
            most,
        }
    }

    pub(crate) fn add(&mut self, given: Given) -> Result<(), &'static str> {
        if let Given::Image(image) = given {
            let row = u64::from(image.width) * u64::from(image.format.bytes());
            let bytes = row
                .max(image.stride.into())
                .saturating_mul(image.height.into());
            if bytes > MEMORY as u64 {
                return Err("its pictures are larger than the board's memory for them");
            }
        }
        if self.sensors.len() == MOST {
            return Err("the board plays no more sensors");
        }
        self.sensors.push(given);
        Ok(())
    }
}

impl Sensors {
    /// Those of the board, of which this is the table.
    pub(crate) fn own(table: &'static Table) -> Self {
        Self {
            table,
            are_said: false,
            played: Vec::new(),
            most: 0,
        }
    }

    /// Those that the host has said; of all other kinds it gives whole samples. `whole` is the table where it does of
    /// all.
    pub(crate) fn new(said: &Said, whole: &'static Table) -> Self {
        let given = &said.sensors;
        if given.is_empty() {
            return Self {
                are_said: true,
                ..Self::own(whole)
            };
        }
        let is_played = |kind| {
            let mut kinds = given.iter().map(Given::kind);
            // A camera feeds both kinds of images.
            kinds.any(|k| {
                k == kind || k == CapabilityKind::Image && kind == CapabilityKind::FloatImage
            })
        };
        let played = given.iter().map(|given| Sensor {
            name: match given {
                Given::Sound(_) => "microphone",
                Given::Motion(_) => "accelerometer",
                Given::Image(_) => "camera",
            },
            kind: given.kind(),
            gives: Gives::Adapted(*given),
            ranges: &[],
        });
        let others = KINDS.into_iter().filter(|kind| !is_played(*kind));
        let sensors: Box<[Sensor]> = played.chain(others.map(self::whole)).collect();
        Self {
            table: Box::leak(Box::new(Table {
                sensors: Box::leak(sensors),
                ..*whole
            })),
            are_said: true,
            played: given.iter().map(|_| Row::default()).collect(),
            most: said.most,
        }
    }

    /// Gives back their memory.
    ///
    /// # Safety
    /// Nothing may be kept that has to do with their table: no rune, and no refusal.
    pub(crate) unsafe fn end(self) {
        // All others are not made here.
        if self.played.is_empty() {
            return;
        }
        let (table, sensors) = (ptr::from_ref(self.table), ptr::from_ref(self.table.sensors));
        // SAFETY: both were leaked in `new`, and as the caller says nobody has them.
        unsafe {
            drop(Box::from_raw(table.cast_mut()));
            drop(Box::from_raw(sensors.cast_mut()));
        }
    }

    /// Whether the host has said them.
    pub(crate) fn are_said(&self) -> bool {
        self.are_said
    }

    pub(crate) fn table(&self) -> &'static Table {
        self.table
    }

    /// When the rune is called: where sensors that are played give data as they come, with those. `None` of the board's
    /// own, which has a schedule for that.
    pub(crate) fn schedule(&self) -> Option<Schedule> {
        let played = if self.played.is_empty() {
            Schedule::Trigger
        } else {
            Schedule::Input
        };
        self.are_said.then_some(played)
    }

    /// Bytes of memory that adapting them takes.
    pub(crate) fn memory(&mut self) -> usize {
        self.played.iter_mut().map(Row::memory).sum()
    }

    /// Takes the next bytes of a sensor.
    pub(crate) fn feed(
        &mut self,
        sensor: u8,
        data: &[u8],
        is_end: bool,
    ) -> Result<Played, &'static str> {
        let row = self.played.get_mut(usize::from(sensor));
        row.ok_or("no such sensor is played")?.feed(data, is_end)
    }

    /// Opens the sensor in a row for a capability, where so many bytes are taken by all that are adapted; `None` of one
    /// that gives whole samples.
    pub(crate) fn open(
        &mut self,
        row: usize,
        capability: &CapabilityView<'static>,
        in_use: usize,
        clock: fn() -> u64,
    ) -> Option<Result<Box<dyn Source>, SourceError>> {
        let (Some(played), Some(sensor)) = (self.played.get_mut(row), self.table.sensors.get(row))
        else {
            return None;
        };
        let opened = sensor.plan(capability).map(|plan| {
            let (bytes, frame) = match &plan {
                Plan::Stream(plan) => {
                    let words = plan.words().saturating_mul(size_of::<f32>());
                    (
                        words.saturating_add(plan.ring_bytes()),
                        plan.source_frame_bytes(),
                    )
                }
                Plan::Image(plan) => (plan.source_bytes(), plan.source_bytes()),
            };
            let memory = bytes.saturating_add(RING);
            if memory.saturating_add(in_use) > MEMORY {
                return Err(SourceError::Failed(
                    "adapting it takes more memory than the board has",
                ));
            }
            let ring = Rc::new(RefCell::new(Ring {
                bytes: VecDeque::with_capacity(RING),
                frame,
                taken: 0,
                skip: 0,
                lost: 0,
                samples: 0,
                is_ended: played.is_ended,
                is_over: false,
                memory,
            }));
            played.readers.push(Rc::downgrade(&ring));
            let line = Line(ring.clone());
            Ok(Box::new(Heard {
                source: Adapted::new(plan, line, clock),
                ring,
                most: self.most,
                row: played.samples.clone(),
            }) as Box<dyn Source>)
        });
        // The grant found it possible.
        Some(opened.unwrap_or(Err(SourceError::Failed("it cannot be adapted"))))
    }
}

impl Row {
    /// The rings of those that read it.
    fn rings(&mut self) -> impl Iterator<Item = Rc<RefCell<Ring>>> {
        self.readers.retain(|reader| reader.strong_count() > 0);
        self.readers.iter().filter_map(Weak::upgrade)
    }

    /// Bytes of memory that adapting takes.
    fn memory(&mut self) -> usize {
        self.rings().map(|ring| ring.borrow().memory).sum()
    }

    fn feed(&mut self, data: &[u8], is_end: bool) -> Result<Played, &'static str> {
        if self.is_ended && !data.is_empty() {
            return Err("the sensor has come to its end");
        }
        self.is_ended |= is_end;
        let is_ended = self.is_ended;
        let mut lost = 0;
        let (mut room, mut is_over) = (RING, true);
        for ring in self.rings() {
            let mut ring = ring.borrow_mut();
            lost = ring.put(data).max(lost);
            ring.is_ended = is_ended;
            room = room.min(RING - ring.bytes.len());
            is_over &= ring.is_over;
        }
        self.lost = self.lost.saturating_add(lost);
        Ok(Played {
            room: room as u32,
            lost: self.lost,
            samples: self.samples.get(),
            is_over,
        })
    }
}

/// Bytes of a sensor that one reader has not read yet.
struct Ring {
    bytes: VecDeque<u8>,
    /// Bytes of a frame, or of a picture.
    frame: usize,
    /// Bytes that were taken out of the frame that comes first.
    taken: usize,
    /// Bytes that are still to come of a frame that is lost.
    skip: usize,
    /// Frames that were lost and that the reader was not told of.
    lost: u64,
    samples: u32,
    is_ended: bool,
    is_over: bool,
    memory: usize,
}

impl Ring {
    /// Takes the next bytes; where there is no room, the oldest frames go. Gives how many.
    fn put(&mut self, data: &[u8]) -> u32 {
        let skipped = self.skip.min(data.len());
        self.skip -= skipped;
        let data = &data[skipped..];
        let over = (self.bytes.len() + data.len()).saturating_sub(RING);
        let mut frames = 0;
        let mut rest = data;
        if over > 0 {
            // Of the first frame that goes its reader may have a part already.
            let whole = (self.taken + over).next_multiple_of(self.frame);
            frames = whole / self.frame;
            let gone = whole - self.taken;
            self.taken = 0;
            let from_ring = gone.min(self.bytes.len());
            self.bytes.drain(..from_ring);
            let from_data = (gone - from_ring).min(data.len());
            self.skip = gone - from_ring - from_data;
            rest = &data[from_data..];
        }
        self.bytes.extend(rest);
        self.lost += frames as u64;
        frames as u32
    }
}

/// The end of a ring from which its reader's adapter takes bytes.
struct Line(Rc<RefCell<Ring>>);

impl Device for Line {
    fn take(&mut self, out: &mut [u8]) -> Result<Taken, SourceError> {
        let mut ring = self.0.borrow_mut();
        let bytes = out.len().min(ring.bytes.len());
        for (place, byte) in out.iter_mut().zip(ring.bytes.drain(..bytes)) {
            *place = byte;
        }
        ring.taken = (ring.taken + bytes) % ring.frame;
        Ok(Taken {
            bytes,
            time_ns: None,
            lost: core::mem::take(&mut ring.lost),
            is_end: ring.is_ended && ring.bytes.is_empty(),
        })
    }
}

/// An adapted sensor that is read at most so often.
struct Heard {
    source: Adapted<Line, fn() -> u64>,
    ring: Rc<RefCell<Ring>>,
    most: u32,
    /// Of the sensor.
    row: Rc<Cell<u32>>,
}

impl Heard {
    fn is_enough(&self) -> bool {
        self.most > 0 && self.ring.borrow().samples >= self.most
    }
}

impl Source for Heard {
    fn is_ready(&mut self, now_ns: u64) -> bool {
        self.is_enough() || self.source.is_ready(now_ns)
    }

    fn read(&mut self, out: &mut [u8], deadline_ns: u64) -> Result<Read, SourceError> {
        let read = if self.is_enough() {
            Read::End
        } else {
            self.source.read(out, deadline_ns)?
        };
        let mut ring = self.ring.borrow_mut();
        match read {
            Read::Sample { .. } => {
                ring.samples = ring.samples.saturating_add(1);
                self.row.set(self.row.get().max(ring.samples));
            }
            Read::End => ring.is_over = true,
        }
        Ok(read)
    }
}
