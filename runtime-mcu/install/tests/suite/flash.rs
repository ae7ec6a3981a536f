//! Flash in memory: words are programmed once after each erasure, and the power goes at a chosen operation.

use rune_install::{Geometry, ReadFault, Region, Storage};

use crate::random::Random;

/// Bytes of a word.
const WORD: usize = 32;
const AREA: u32 = 1024;
const SLOT: u32 = 256;
/// Bytes of a sector of a slot; an area is one sector.
const STEP: u32 = 64;
const SLOTS: u32 = 3;

/// How a word reads whose programming or erasure was cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Torn {
    /// Not at all.
    Error,
    /// As if it was done in the first run after, and as if it was not in all later ones.
    NewThenOld,
    /// The other way round.
    OldThenNew,
    /// Each time otherwise.
    Unsteady,
}

/// What becomes of the operation during which the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    NotDone,
    Done,
    Torn(Torn),
}

pub(crate) const OUTCOMES: [Outcome; 6] = [
    Outcome::NotDone,
    Outcome::Done,
    Outcome::Torn(Torn::Error),
    Outcome::Torn(Torn::NewThenOld),
    Outcome::Torn(Torn::OldThenNew),
    Outcome::Torn(Torn::Unsteady),
];

type Bytes = [u8; WORD];
const BLANK: Bytes = [0xFF; WORD];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Cell {
    Blank,
    Set(Bytes),
    Torn {
        old: Bytes,
        new: Bytes,
        how: Torn,
        /// Starts since, at most 2.
        age: u8,
    },
}

/// The power went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut;

#[derive(Clone, Debug)]
pub(crate) struct Flash {
    cells: Vec<Cell>,
    /// Operations until the power goes, and what becomes of that one.
    fuse: Option<(usize, Outcome)>,
    /// Operations since the start.
    pub(crate) operations: usize,
    is_off: bool,
    random: u64,
}

impl Flash {
    pub(crate) fn new() -> Self {
        let bytes = 2 * AREA + SLOTS * SLOT;
        Self {
            cells: vec![Cell::Blank; bytes as usize / WORD],
            fuse: None,
            operations: 0,
            is_off: false,
            random: 1,
        }
    }

    /// What it holds, for telling whether it was seen before.
    pub(crate) fn image(&self) -> impl std::hash::Hash + '_ {
        &self.cells
    }

    /// The power comes again, and goes at an operation.
    pub(crate) fn start(mut self, fuse: Option<(usize, Outcome)>) -> Self {
        for cell in &mut self.cells {
            if let Cell::Torn { age, .. } = cell {
                *age = 2.min(*age + 1);
            }
        }
        self.fuse = fuse;
        self.operations = 0;
        self.is_off = false;
        self
    }

    fn index(region: Region, offset: u32) -> usize {
        let start = match region {
            Region::Area(area) => u32::from(area) * AREA,
            Region::Slot(slot) => 2 * AREA + u32::from(slot) * SLOT,
        };
        (start + offset) as usize / WORD
    }

    /// Counts an operation. What becomes of it, unless it is done and goes on.
    fn operate(&mut self) -> Result<Option<Outcome>, Cut> {
        if self.is_off {
            return Err(Cut);
        }
        let outcome = self.fuse.filter(|(at, _)| *at == self.operations);
        self.operations += 1;
        self.is_off = outcome.is_some();
        Ok(outcome.map(|(_, outcome)| outcome))
    }

    fn view(cell: Cell, random: &mut u64) -> Option<Bytes> {
        match cell {
            Cell::Blank => Some(BLANK),
            Cell::Set(bytes) => Some(bytes),
            Cell::Torn { old, new, how, age } => match how {
                Torn::Error => None,
                Torn::NewThenOld => Some(if age < 2 { new } else { old }),
                Torn::OldThenNew => Some(if age < 2 { old } else { new }),
                Torn::Unsteady => {
                    *random += 1;
                    let mut random = Random::new(*random);
                    let _ = random.next();
                    match random.below(4) {
                        0 => None,
                        1 => Some(old),
                        2 => Some(new),
                        _ => Some(std::array::from_fn(|i| {
                            if random.below(2) == 0 { old[i] } else { new[i] }
                        })),
                    }
                }
            },
        }
    }

    fn change(&mut self, cells: std::ops::Range<usize>, to: Cell) -> Result<(), Cut> {
        let outcome = self.operate()?;
        for cell in &mut self.cells[cells] {
            let (old, new) = match (*cell, to) {
                // An erasure that is cut short again may end as anything that it was.
                (Cell::Torn { old, .. } | Cell::Set(old), Cell::Blank) => (old, BLANK),
                (Cell::Blank, Cell::Set(new)) => (BLANK, new),
                (Cell::Blank, _) => continue,
                (cell, to) => unreachable!("{cell:?} to {to:?}"),
            };
            match outcome {
                None | Some(Outcome::Done) => *cell = to,
                Some(Outcome::NotDone) => {}
                Some(Outcome::Torn(how)) => {
                    *cell = Cell::Torn {
                        old,
                        new,
                        how,
                        age: 0,
                    }
                }
            }
        }
        if outcome.is_some() { Err(Cut) } else { Ok(()) }
    }
}

impl Storage for Flash {
    type Error = Cut;

    fn geometry(&self) -> Geometry {
        Geometry {
            word: WORD as u32,
            area: AREA,
            slot: SLOT,
            step: STEP,
        }
    }

    fn read(&mut self, region: Region, offset: u32, into: &mut [u8]) -> Result<(), ReadFault<Cut>> {
        if self.is_off {
            return Err(ReadFault::Failed(Cut));
        }
        let mut done = 0;
        while done < into.len() {
            let at = offset as usize + done;
            let cell = self.cells[Self::index(region, at as u32)];
            let bytes = Self::view(cell, &mut self.random).ok_or(ReadFault::Torn)?;
            let part = &bytes[at % WORD..];
            let len = part.len().min(into.len() - done);
            into[done..done + len].copy_from_slice(&part[..len]);
            done += len;
        }
        Ok(())
    }

    fn write(&mut self, region: Region, offset: u32, bytes: &[u8]) -> Result<(), Cut> {
        assert_eq!((offset as usize % WORD, bytes.len() % WORD), (0, 0));
        for (i, word) in bytes.chunks(WORD).enumerate() {
            let at = Self::index(region, offset) + i;
            let word: Bytes = word.try_into().unwrap();
            match self.cells[at] {
                Cell::Blank => self.change(at..at + 1, Cell::Set(word))?,
                Cell::Torn { .. } if word == [0x5A; WORD] => {
                    // A mark. It stays torn, and the flash says so.
                    self.operate()?;
                    return Err(Cut);
                }
                cell @ (Cell::Set(_) | Cell::Torn { .. }) => {
                    panic!("{region:?} is programmed twice at {offset}+{i}: {cell:?}")
                }
            }
        }
        Ok(())
    }

    fn erase(&mut self, region: Region, from: u32) -> Result<(), Cut> {
        let (size, sector) = match region {
            Region::Area(_) => (AREA, AREA),
            Region::Slot(_) => (SLOT, STEP),
        };
        assert_eq!(from % sector, 0);
        for start in (from..size).step_by(sector as usize) {
            let at = Self::index(region, start);
            self.change(at..at + sector as usize / WORD, Cell::Blank)?;
        }
        Ok(())
    }

    fn sync(&mut self, _: Region) -> Result<(), Cut> {
        if self.is_off { Err(Cut) } else { Ok(()) }
    }
}
