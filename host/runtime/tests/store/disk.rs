//! A disk in memory that records what is done to it, and every state in which a power cut may leave it.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io::{self, ErrorKind},
    rc::Rc,
};

use rune_runtime::store::Disk;

const SECTOR: usize = 512;

/// Files by name.
pub(crate) type Image = BTreeMap<String, Vec<u8>>;

/// Something that was done. A file has a number, whatever it is called.
#[derive(Clone, Debug)]
enum Done {
    Create(String, usize),
    Write(usize, usize, Vec<u8>),
    Truncate(usize, usize),
    Sync(usize),
    Rename(String, String, usize),
    Unlink(String),
    SyncFolder,
}

/// What a disk says it has made lasting, and has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lie {
    #[default]
    None,
    Files,
    Names,
}

#[derive(Clone, Debug, Default)]
struct State {
    lie: Lie,
    names: BTreeMap<String, usize>,
    bytes: Vec<Vec<u8>>,
    log: Vec<Done>,
}

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder(Rc<RefCell<State>>);

impl Recorder {
    /// A disk with files that are lasting.
    pub(crate) fn of(image: &Image) -> Self {
        let names = image.keys().cloned().zip(0..).collect();
        let bytes = image.values().cloned().collect();
        Self(Rc::new(RefCell::new(State {
            names,
            bytes,
            ..State::default()
        })))
    }

    /// An empty disk that lies.
    pub(crate) fn lying(lie: Lie) -> Self {
        Self(Rc::new(RefCell::new(State {
            lie,
            ..State::default()
        })))
    }

    /// How much was done.
    pub(crate) fn len(&self) -> usize {
        self.0.borrow().log.len()
    }

    /// Shows the name of every file that is there.
    pub(crate) fn at_end(&self, show: impl FnMut(&String)) {
        self.0.borrow().names.keys().for_each(show);
    }

    /// The disk as it was when so much was done, in the eyes of processes.
    pub(crate) fn at(&self, cut: usize) -> Self {
        let mut state = State::default();
        for done in &self.0.borrow().log[..cut] {
            state.apply(done.clone());
        }
        Self(Rc::new(RefCell::new(state)))
    }

    /// Shows every disk that may be left when the power is cut after so much was done, or, where they are more than
    /// `most`, some of them. Says whether it was all.
    pub(crate) fn cut(&self, cut: usize, most: usize, mut show: impl FnMut(&Image)) -> bool {
        let state = self.0.borrow();
        let log = &state.log[..cut];
        let pending = pending(log);
        let parts: usize = pending.iter().map(|(_, parts)| parts).sum();
        let mut each = |kept: &dyn Fn(usize) -> bool| show(&image(log, &pending, kept));
        if parts < usize::BITS as usize && 1 << parts <= most {
            for bits in 0..1_usize << parts {
                each(&|part| bits >> part & 1 == 1);
            }
            return true;
        }
        // All up to one, all but one, one alone, and any.
        for one in 0..=parts {
            each(&|part| part < one);
            each(&|part| part != one);
            each(&|part| part == one);
        }
        for seed in 0..most.saturating_sub(3 * parts).min(48) as u64 {
            each(&|part| {
                let mut n = (seed << 32 | part as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                n ^= n >> 29;
                n = n.wrapping_mul(0xBF58_476D_1CE4_E5B9);
                n >> 60 & 1 == 1
            });
        }
        false
    }
}

/// What is done and not lasting, and how many parts of each may be lost: of a write its sectors, and the length.
fn pending(log: &[Done]) -> Vec<(usize, usize)> {
    let mut pending: Vec<(usize, usize)> = vec![];
    for (i, done) in log.iter().enumerate() {
        match done {
            Done::Create(..) | Done::Rename(..) | Done::Unlink(_) | Done::Truncate(..) => {
                pending.push((i, 1));
            }
            Done::Write(_, at, bytes) => {
                let sectors = (at + bytes.len()).div_ceil(SECTOR) - at / SECTOR;
                pending.push((i, sectors + 1));
            }
            Done::Sync(file) => pending.retain(|(i, _)| match &log[*i] {
                Done::Write(of, ..) | Done::Truncate(of, _) => of != file,
                Done::Create(..)
                | Done::Sync(_)
                | Done::Rename(..)
                | Done::Unlink(_)
                | Done::SyncFolder => true,
            }),
            Done::SyncFolder => {
                pending.retain(|(i, _)| matches!(log[*i], Done::Write(..) | Done::Truncate(..)));
            }
        }
    }
    pending
}

/// The files, where of what is pending only some parts are kept.
fn image(log: &[Done], pending: &[(usize, usize)], kept: &dyn Fn(usize) -> bool) -> Image {
    let mut state = State::default();
    let mut parts = 0;
    let mut pending = pending.iter().peekable();
    // A file is there, even if its name is not.
    for done in log {
        if let Done::Create(_, file) = done {
            state.bytes.resize(state.bytes.len().max(file + 1), vec![]);
        }
    }
    for (i, done) in log.iter().enumerate() {
        let Some((_, count)) = pending.next_if(|(at, _)| *at == i) else {
            state.change(done);
            continue;
        };
        let first = parts;
        parts += count;
        let Done::Write(file, at, bytes) = done else {
            if kept(first) {
                state.change(done);
            }
            continue;
        };
        let end = at + bytes.len();
        let content = &mut state.bytes[*file];
        if kept(first) && content.len() < end {
            content.resize(end, 0);
        }
        let mut from = *at;
        for part in first + 1..parts {
            let to = end.min((from / SECTOR + 1) * SECTOR);
            if kept(part) {
                write(content, from, &bytes[from - at..to - at]);
            }
            from = to;
        }
    }
    let files = state.names.iter();
    files
        .map(|(name, file)| (name.clone(), state.bytes[*file].clone()))
        .collect()
}

fn write(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[at..end].copy_from_slice(bytes);
}

impl State {
    fn apply(&mut self, done: Done) {
        if let Done::Create(..) = done {
            self.bytes.push(vec![]);
        }
        self.change(&done);
        self.log.push(done);
    }

    fn change(&mut self, done: &Done) {
        match done {
            Done::Create(name, file) => {
                self.names.insert(name.clone(), *file);
            }
            Done::Write(file, at, bytes) => write(&mut self.bytes[*file], *at, bytes),
            Done::Truncate(file, len) => self.bytes[*file].truncate(*len),
            Done::Rename(from, to, file) => {
                self.names.remove(from);
                self.names.insert(to.clone(), *file);
            }
            Done::Unlink(name) => {
                self.names.remove(name);
            }
            Done::Sync(_) | Done::SyncFolder => {}
        }
    }

    fn file(&self, name: &str) -> io::Result<usize> {
        let file = self.names.get(name).copied();
        file.ok_or_else(|| ErrorKind::NotFound.into())
    }
}

impl Disk for Recorder {
    fn create(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        if state.names.contains_key(name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let file = state.bytes.len();
        state.apply(Done::Create(name.to_owned(), file));
        Ok(())
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        let file = state.file(name)?;
        state.apply(Done::Write(file, offset as usize, bytes.to_vec()));
        Ok(())
    }

    fn truncate(&mut self, name: &str, len: u64) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        let file = state.file(name)?;
        state.apply(Done::Truncate(file, len as usize));
        Ok(())
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        let file = state.file(name)?;
        if state.lie != Lie::Files {
            state.apply(Done::Sync(file));
        }
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        let file = state.file(from)?;
        state.apply(Done::Rename(from.to_owned(), to.to_owned(), file));
        Ok(())
    }

    fn unlink(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        state.file(name)?;
        state.apply(Done::Unlink(name.to_owned()));
        Ok(())
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        if state.lie != Lie::Names {
            state.apply(Done::SyncFolder);
        }
        Ok(())
    }

    fn read_at(&mut self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let state = self.0.borrow();
        let content = &state.bytes[state.file(name)?];
        let rest = content.get(offset as usize..).unwrap_or_default();
        let len = rest.len().min(into.len());
        into[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn list(&mut self) -> io::Result<Vec<String>> {
        Ok(self.0.borrow().names.keys().cloned().collect())
    }
}
