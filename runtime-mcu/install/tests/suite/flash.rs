//! NOR flash in memory: words are programmed once after each erasure, and the power goes at a chosen operation.

use std::{marker::PhantomData, ops::Range, rc::Rc, time::Duration};

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read,
    check_write,
};
use rune_install::nor::{Device, Map, Operation, PAGE};

use crate::random::Random;

pub(crate) const SLOTS: usize = 3;

/// How cells read whose programming or erasure was cut short. What they were before is, for cells that were torn
/// already, what was programmed there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Torn {
    /// Not at all.
    Error,
    /// As if it was done in the first run after, and as if it was not in all later ones.
    NewThenOld,
    /// The other way round.
    OldThenNew,
    /// Each time otherwise: before, after, some bits of each, anything, or not at all if the flash has an ECC.
    Unsteady,
    /// Half of it is done, then comes a word that is each time otherwise, and the rest is as before.
    Half,
    /// The other half of it is done, and the rest is as before.
    Rear,
    /// In the first run after, what was programmed is as before and what was not reads as 0, which is how an erasure
    /// begins; then erased.
    Leveled,
}

/// What becomes of the operation during which the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    NotDone,
    Done,
    Torn(Torn),
}

/// The power goes at an operation after the start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fuse {
    /// Operations before it.
    pub(crate) at: usize,
    /// Which of its outcomes it has.
    pub(crate) outcome: usize,
}

/// A kind of flash, and how the tests divide it.
pub(crate) trait Profile: Clone + 'static {
    const WORD: usize;
    const READ: usize;
    const PAGE: usize;
    const SECTOR: usize;
    /// Words have an ECC, which fails where a word is torn, and what is not erased is not programmed again.
    const ECC: bool;
    const MAP: Map<SLOTS>;
    /// Acts of so few operations are cut three deep, others two.
    const DEEP: usize;
    /// How an operation may end.
    fn outcomes(operation: Operation) -> &'static [Outcome];
}

use Outcome::{Done, NotDone};
const ERASED: &[Outcome] = &[
    NotDone,
    Done,
    Outcome::Torn(Torn::Error),
    Outcome::Torn(Torn::NewThenOld),
    Outcome::Torn(Torn::OldThenNew),
    Outcome::Torn(Torn::Unsteady),
    Outcome::Torn(Torn::Leveled),
    Outcome::Torn(Torn::Rear),
];

/// The least that a storage promises: a word of 32 bytes, torn in any way.
#[derive(Clone)]
pub(crate) struct Any;

impl Profile for Any {
    const WORD: usize = 32;
    const READ: usize = 1;
    const PAGE: usize = 32;
    const SECTOR: usize = 1024;
    const ECC: bool = true;
    const MAP: Map<SLOTS> = Map::consecutive(0, 2048, 2048, 1024);
    const DEEP: usize = 12;
    fn outcomes(operation: Operation) -> &'static [Outcome] {
        const PROGRAMMED: &[Outcome] = ERASED.split_at(6).0;
        match operation {
            Operation::Program => PROGRAMMED,
            Operation::Erase => ERASED,
        }
    }
}

/// The flash of an STM32H7, with sectors of 1 KiB. `FULL`: of 128 KiB, as they are.
#[derive(Clone)]
pub(crate) struct Internal<const FULL: bool>;

impl<const FULL: bool> Profile for Internal<FULL> {
    const WORD: usize = 32;
    const READ: usize = 1;
    const PAGE: usize = 32;
    const SECTOR: usize = if FULL { 128 << 10 } else { 1 << 10 };
    const ECC: bool = true;
    const MAP: Map<SLOTS> = if FULL {
        Map::consecutive(256 << 10, 128 << 10, 256 << 10, 128 << 10)
    } else {
        Map::consecutive(0, 2 << 10, 2 << 10, 1 << 10)
    };
    const DEEP: usize = 12;
    fn outcomes(operation: Operation) -> &'static [Outcome] {
        match operation {
            Operation::Program => &[NotDone, Done, Outcome::Torn(Torn::Error)],
            Operation::Erase => ERASED,
        }
    }
}

/// Serial flash, such as W25Q: no ECC, pages of 256 bytes, sectors of 4 KiB. It is read by four bytes.
#[derive(Clone)]
pub(crate) struct Serial;

impl Profile for Serial {
    const WORD: usize = 1;
    const READ: usize = 4;
    const PAGE: usize = 256;
    const SECTOR: usize = 4 << 10;
    const ECC: bool = false;
    const MAP: Map<SLOTS> = Map::consecutive(4 << 10, 4 << 10, 8 << 10, 4 << 10);
    const DEEP: usize = 5;
    fn outcomes(operation: Operation) -> &'static [Outcome] {
        match operation {
            Operation::Program => &[
                NotDone,
                Done,
                Outcome::Torn(Torn::NewThenOld),
                Outcome::Torn(Torn::OldThenNew),
                Outcome::Torn(Torn::Unsteady),
                Outcome::Torn(Torn::Half),
            ],
            Operation::Erase => &[
                NotDone,
                Done,
                Outcome::Torn(Torn::NewThenOld),
                Outcome::Torn(Torn::OldThenNew),
                Outcome::Torn(Torn::Unsteady),
                Outcome::Torn(Torn::Leveled),
                Outcome::Torn(Torn::Rear),
            ],
        }
    }
}

/// What a driver says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlashError {
    /// The power went.
    Cut,
    /// A word has no value.
    Torn,
    /// A word is not erased.
    Programmed,
    Place(NorFlashErrorKind),
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Place(kind) => *kind,
            Self::Cut | Self::Torn | Self::Programmed => NorFlashErrorKind::Other,
        }
    }
}

/// Cells whose programming or erasure was cut short.
#[derive(Clone, Debug, Hash)]
struct Scar {
    start: usize,
    /// What was there before. What should be there now is in the flash.
    old: Rc<[u8]>,
    how: Torn,
    /// Starts since, at most 2.
    age: u8,
}

impl Scar {
    fn cells(&self) -> Range<usize> {
        self.start..self.start + self.old.len()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Flash<P> {
    bytes: Vec<u8>,
    /// Which bytes were programmed, or torn, since they were last erased.
    programmed: Vec<bool>,
    scars: Vec<Scar>,
    fuse: Option<Fuse>,
    /// Operations since the start.
    pub(crate) operations: Vec<Operation>,
    announced: Option<Operation>,
    is_off: bool,
    random: u64,
    /// How often each sector was erased.
    pub(crate) erasures: Vec<u32>,
    profile: PhantomData<P>,
}

const BLANK: u8 = 0xFF;

impl<P: Profile> Flash<P> {
    pub(crate) fn new() -> Self {
        let bytes = P::MAP.slots[SLOTS - 1] + P::MAP.slot;
        Self {
            bytes: vec![BLANK; bytes as usize],
            programmed: vec![false; bytes as usize],
            scars: vec![],
            fuse: None,
            operations: vec![],
            announced: None,
            is_off: false,
            random: 1,
            erasures: vec![0; bytes as usize / P::SECTOR],
            profile: PhantomData,
        }
    }

    /// Any bytes, and any words torn.
    pub(crate) fn arbitrary(random: &mut Random, torn: usize) -> Self {
        let mut flash = Self::new();
        flash.bytes.fill_with(|| random.next() as u8);
        flash.programmed.fill(true);
        for _ in 0..torn {
            let start = random.below(flash.bytes.len() / P::WORD) * P::WORD;
            let [_, _, torn @ ..] = P::outcomes(Operation::Program) else {
                unreachable!("some are torn")
            };
            if let Outcome::Torn(how) = torn[random.below(torn.len())] {
                flash.scars.push(Scar {
                    start,
                    old: vec![BLANK; P::WORD].into(),
                    how,
                    age: 0,
                });
            }
        }
        flash
    }

    /// Overwrites some bytes, as damage does.
    pub(crate) fn damage(&mut self, random: &mut Random) {
        let len = [1, 8, P::WORD, 300][random.below(4)];
        let at = random.below(self.bytes.len() - len);
        for at in at..at + len {
            self.bytes[at] = random.next() as u8;
            self.programmed[at] |= self.bytes[at] != BLANK;
        }
    }

    /// What it holds, for telling whether it was seen before.
    pub(crate) fn image(&self) -> impl std::hash::Hash + '_ {
        (&self.bytes, &self.programmed, &self.scars)
    }

    /// The power comes again, and goes at an operation.
    pub(crate) fn start(mut self, fuse: Option<Fuse>) -> Self {
        for scar in &mut self.scars {
            scar.age = 2.min(scar.age + 1);
        }
        self.fuse = fuse;
        self.operations.clear();
        self.is_off = false;
        self
    }

    /// Does an operation, or what becomes of it.
    fn operate(
        &mut self,
        operation: Operation,
        cells: Range<usize>,
        new: &[u8],
    ) -> Result<(), FlashError> {
        if self.is_off {
            return Err(FlashError::Cut);
        }
        assert_eq!(
            self.announced.take(),
            Some(operation),
            "it was not announced"
        );
        let fuse = self.fuse.filter(|fuse| fuse.at == self.operations.len());
        self.operations.push(operation);
        self.is_off = fuse.is_some();
        let outcomes = P::outcomes(operation);
        let outcome = fuse.map_or(Done, |fuse| outcomes[fuse.outcome % outcomes.len()]);
        if operation == Operation::Program && self.programmed[cells.clone()].contains(&true) {
            let is_scar = |at| self.scars.iter().any(|scar| scar.cells().contains(&at));
            let is_mark = [0, 0x3C, 0x5A, 0x66]
                .iter()
                .any(|b| new.iter().all(|n| n == b));
            let fits = cells.clone().all(|at| is_scar(at) || !self.programmed[at]);
            assert!(is_mark && fits, "{cells:?} are programmed twice");
            // It stays torn, and some flash says so.
            return match self.is_off {
                true => Err(FlashError::Cut),
                false if P::ECC => Err(FlashError::Programmed),
                false => Ok(()),
            };
        }
        if outcome != NotDone {
            let mut old = self.bytes[cells.clone()].to_vec();
            let gone = self
                .scars
                .extract_if(.., |scar| cells.contains(&scar.start));
            for scar in gone {
                let was_erased = self.bytes[scar.cells()].iter().all(|byte| *byte == BLANK);
                if was_erased || outcome == Outcome::Torn(Torn::Unsteady) {
                    let start = scar.start - cells.start;
                    old[start..start + scar.old.len()].copy_from_slice(&scar.old);
                }
            }
            if let Outcome::Torn(how) = outcome {
                if how == Torn::Leveled {
                    for (byte, at) in old.iter_mut().zip(cells.clone()) {
                        *byte &= if self.programmed[at] { BLANK } else { 0 };
                    }
                }
                self.scars.push(Scar {
                    start: cells.start,
                    old: old.into(),
                    how,
                    age: 0,
                });
            }
            self.bytes[cells.clone()].copy_from_slice(new);
            let is_erased = operation == Operation::Erase && outcome == Done;
            self.programmed[cells].fill(!is_erased);
        }
        if fuse.is_some() {
            Err(FlashError::Cut)
        } else {
            Ok(())
        }
    }

    /// Lays what a scar reads as over a word.
    fn view(&mut self, scar: &Scar, at: usize, word: &mut [u8]) -> Result<(), FlashError> {
        let old = &scar.old[at - scar.start..][..word.len()];
        let half = scar.start + scar.old.len() / 2 / P::WORD * P::WORD;
        let is_old = match scar.how {
            Torn::Error => return Err(FlashError::Torn),
            Torn::NewThenOld => scar.age == 2,
            Torn::OldThenNew | Torn::Leveled => scar.age < 2,
            Torn::Half if at != half => at > half,
            Torn::Rear => at < half,
            Torn::Half | Torn::Unsteady => {
                self.random += 1;
                let mut random = Random::new(self.random);
                let _ = random.next();
                match random.below(6) {
                    0 => word.copy_from_slice(old),
                    1 => {}
                    2 if P::ECC => return Err(FlashError::Torn),
                    3 => word.fill_with(|| random.next() as u8),
                    _ => {
                        for (byte, old) in word.iter_mut().zip(old) {
                            let bits = random.next() as u8;
                            *byte = *byte & bits | old & !bits;
                        }
                    }
                }
                return Ok(());
            }
        };
        if is_old {
            word.copy_from_slice(old);
        }
        Ok(())
    }
}

impl<P> ErrorType for Flash<P> {
    type Error = FlashError;
}

impl<P: Profile> ReadNorFlash for Flash<P> {
    const READ_SIZE: usize = P::READ;

    fn read(&mut self, offset: u32, into: &mut [u8]) -> Result<(), FlashError> {
        check_read(self, offset, into.len()).map_err(FlashError::Place)?;
        if self.is_off {
            return Err(FlashError::Cut);
        }
        let all = offset as usize..offset as usize + into.len();
        into.copy_from_slice(&self.bytes[all.clone()]);
        for scar in self.scars.clone() {
            let (start, end) = (scar.start.max(all.start), scar.cells().end.min(all.end));
            let mut at = start;
            while at < end {
                // A part of a word, at the ends of what is read.
                let next = end.min(at / P::WORD * P::WORD + P::WORD);
                self.view(&scar, at, &mut into[at - all.start..next - all.start])?;
                at = next;
            }
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<P: Profile> NorFlash for Flash<P> {
    const WRITE_SIZE: usize = P::WORD;
    const ERASE_SIZE: usize = P::SECTOR;

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        check_write(self, offset, bytes.len()).map_err(FlashError::Place)?;
        let (mut at, announced) = (offset as usize, self.announced);
        assert_eq!(at / PAGE, (at + bytes.len() - 1) / PAGE, "page by page");
        let mut rest = bytes;
        while !rest.is_empty() {
            let (part, behind) = rest.split_at(rest.len().min(P::PAGE - at % P::PAGE));
            self.announced = announced;
            self.operate(Operation::Program, at..at + part.len(), part)?;
            at += part.len();
            rest = behind;
        }
        Ok(())
    }

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        check_erase(self, from, to).map_err(FlashError::Place)?;
        let cells = from as usize..to as usize;
        assert_eq!(cells.len(), P::SECTOR, "one after the other");
        self.erasures[cells.start / P::SECTOR] += 1;
        self.operate(Operation::Erase, cells, &vec![BLANK; P::SECTOR])
    }
}

impl<P: Profile> Device for Flash<P> {
    const LONGEST_ERASE: Duration = Duration::from_secs(4);

    fn is_torn(error: &FlashError) -> bool {
        *error == FlashError::Torn
    }

    fn before(&mut self, operation: Operation) {
        self.announced = Some(operation);
    }

    fn mapped(&self) -> Option<&[u8]> {
        Some(&self.bytes)
    }
}
