//! What has been learnt of files, models and blocks, kept by content so that it is worked out once.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt, fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Component, Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use rune_blocks::{BlockError, Wasmi};
use rune_ir::{
    args::Bound,
    block::{Block, BlockEngine, InitError, Instance, RunningBlock, Snapshot},
    check::Loaded,
    diag::{Diagnostic, FileId},
    ty::Dim,
};
use rune_models::ImportError;
use rune_runefile::{Format, Lines, Tree};

use crate::{model, source::Sources};

/// Imported models, read blocks, what blocks answered, and the bytes of files. Clones share all of it, and
/// threads may.
///
/// Models and blocks are known by the SHA-256 of their bytes, and what a block answered by that and the
/// arguments and types it was asked with. A file is read again when its length or time of change is another.
/// Of each kind, what was not used for longest goes when there is too much.
#[derive(Clone)]
pub struct Memo {
    shared: Arc<Shared>,
    /// Where to note runs that are put off; `None`: a block is run at once.
    put_off: Option<Arc<Mutex<Vec<Run>>>>,
}

#[derive(Default)]
struct Shared {
    lines: Lines,
    texts: Mutex<VecDeque<Text>>,
    digests: Mutex<Digests>,
    constants: Mutex<BTreeMap<usize, Arc<[u8]>>>,
    files: Mutex<Cache<PathBuf, File>>,
    buffers: Mutex<BTreeMap<PathBuf, Arc<[u8]>>>,
    models: Mutex<Cache<Digest, Model>>,
    blocks: Mutex<Cache<Digest, ReadBlock>>,
    artifacts: Mutex<Cache<rune_registry::Digest, Sources>>,
    runs: Mutex<Cache<u64, Vec<(Run, Answer)>>>,
    engine: Wasmi,
    counts: Counters,
}

/// SHA-256 of the bytes of a file.
type Digest = [u8; 32];
type Model = Result<Loaded, ImportError>;
type ReadBlock = Result<Arc<Block>, BlockError>;

/// How often work was done that is done once: for tests, and for the curious.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Files read from disk.
    pub files: u64,
    /// SHA-256 sums.
    pub digests: u64,
    /// Models imported.
    pub models: u64,
    /// Blocks read.
    pub blocks: u64,
    /// Calls of `init` or `shape` that began.
    pub begun: u64,
    /// Calls of `init` or `shape` that ended.
    pub runs: u64,
    /// Calls of `init` or `shape` that were stopped on the way.
    pub stopped: u64,
}

#[derive(Default)]
struct Counters {
    files: AtomicU64,
    digests: AtomicU64,
    models: AtomicU64,
    blocks: AtomicU64,
    begun: AtomicU64,
    runs: AtomicU64,
    stopped: AtomicU64,
}

/// A call of a block: which, of which export, and with what.
#[derive(Clone, Debug)]
pub struct Run {
    block: Arc<Block>,
    digest: [u8; 32],
    export: Export,
    instance: Arc<Instance>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Export {
    Shape,
    Init,
}

impl PartialEq for Run {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
            && self.export == other.export
            && (Arc::ptr_eq(&self.instance, &other.instance) || self.instance == other.instance)
    }
}

/// What a call gave.
#[derive(Clone)]
enum Answer {
    Shape(Result<Vec<Vec<Dim>>, InitError>),
    Init(Result<Arc<Snapshot>, InitError>),
}

impl Answer {
    fn is_later(&self) -> bool {
        matches!(
            self,
            Self::Shape(Err(InitError::Later)) | Self::Init(Err(InitError::Later))
        )
    }

    fn weight(&self) -> usize {
        match self {
            Self::Init(Ok(snapshot)) => snapshot.frozen.len() + snapshot.state.len(),
            Self::Init(Err(_)) | Self::Shape(_) => 0,
        }
    }
}

impl Default for Memo {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Memo").field(&self.counts()).finish()
    }
}

impl Memo {
    /// A memo that knows nothing yet and runs blocks when asked.
    pub fn new() -> Self {
        Self {
            shared: Arc::default(),
            put_off: None,
        }
    }

    /// The same memo, but a block that has not been run yet with what it is asked for is not run now: the
    /// answer is [`InitError::Later`], and [`put_off`](Self::put_off) has the run.
    #[must_use]
    pub fn without_running(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            put_off: Some(Arc::default()),
        }
    }

    /// The runs that were put off through this memo and its clones.
    pub fn put_off(&self) -> Vec<Run> {
        let runs = self.put_off.as_ref();
        runs.map_or_else(Vec::new, |runs| lock(runs).clone())
    }

    /// What has been done so far.
    pub fn counts(&self) -> Counts {
        let counts = &self.shared.counts;
        let [files, digests, models, blocks, begun, runs, stopped] = [
            &counts.files,
            &counts.digests,
            &counts.models,
            &counts.blocks,
            &counts.begun,
            &counts.runs,
            &counts.stopped,
        ]
        .map(|count| count.load(Ordering::Relaxed));
        Counts {
            files,
            digests,
            models,
            blocks,
            begun,
            runs,
            stopped,
        }
    }

    /// From now on these bytes stand for those of a file, which need not exist; `None`: no longer.
    pub fn set_buffer(&self, path: &Path, bytes: Option<Arc<[u8]>>) {
        let mut buffers = lock(&self.shared.buffers);
        match bytes {
            Some(bytes) => buffers.insert(normal(path), bytes),
            None => buffers.remove(&normal(path)),
        };
    }

    /// The bytes of a file; the same allocation as long as it does not change.
    ///
    /// # Errors
    /// As [`fs::read`].
    pub fn file(&self, path: &Path) -> io::Result<Arc<[u8]>> {
        let buffers = lock(&self.shared.buffers);
        if !buffers.is_empty()
            && let Some(bytes) = buffers.get(&normal(path))
        {
            return Ok(bytes.clone());
        }
        drop(buffers);
        let meta = fs::metadata(path)?;
        let stamp = Stamp {
            length: meta.len(),
            changed: meta.modified().ok(),
        };
        let known = lock(&self.shared.files).get(&path.to_path_buf()).cloned();
        if let Some(file) = &known
            && file.settled
            && file.stamp == stamp
        {
            return Ok(file.bytes.clone());
        }
        let mut bytes: Arc<[u8]> = fs::read(path)?.into();
        self.shared.counts.files.fetch_add(1, Ordering::Relaxed);
        if let Some(file) = known.filter(|file| file.bytes == bytes) {
            bytes = file.bytes;
        }
        let file = File {
            bytes: bytes.clone(),
            settled: stamp.is_old(),
            stamp,
        };
        lock(&self.shared.files).insert(path.to_path_buf(), file, bytes.len());
        Ok(bytes)
    }

    /// Reads a Runefile as [`rune_runefile::read`] does. Of the text form, lines are remembered; of YAML, the last
    /// few files: a Runefile is checked again when what it names has changed, or a block has run, and not it.
    pub fn read(&self, format: Format, file: FileId, bytes: &[u8]) -> (Tree, Vec<Diagnostic>) {
        if format == Format::Text {
            return self.shared.lines.parse(file, bytes);
        }
        let is_it = |text: &&Text| text.tree.file == file && *text.bytes == *bytes;
        if let Some(text) = lock(&self.shared.texts).iter().find(is_it) {
            return (text.tree.clone(), text.found.clone());
        }
        let (tree, found) = rune_runefile::read(format, file, bytes);
        let mut texts = lock(&self.shared.texts);
        texts.truncate(MOST_TEXTS - 1);
        texts.push_front(Text {
            bytes: bytes.into(),
            tree: tree.clone(),
            found: found.clone(),
        });
        (tree, found)
    }

    /// Bytes of this program as an allocation of their own, always the same.
    pub fn constant(&self, bytes: &'static [u8]) -> Arc<[u8]> {
        let mut constants = lock(&self.shared.constants);
        let of = constants.entry(bytes.as_ptr().addr());
        of.or_insert_with(|| bytes.into()).clone()
    }

    /// Imports a model.
    ///
    /// # Errors
    /// As [`rune_models::import`].
    pub fn model(&self, bytes: &Arc<[u8]>) -> Result<Loaded, ImportError> {
        let digest = self.digest(bytes);
        if let Some(known) = lock(&self.shared.models).get(&digest) {
            return known.clone();
        }
        self.shared.counts.models.fetch_add(1, Ordering::Relaxed);
        let loaded = model::load(bytes);
        lock(&self.shared.models).insert(digest, loaded.clone(), bytes.len());
        loaded
    }

    /// The sources of an artifact of a registry: `read` is asked for them once.
    pub(crate) fn artifact<E>(
        &self,
        digest: rune_registry::Digest,
        read: impl FnOnce() -> Result<Sources, E>,
    ) -> Result<Sources, E> {
        if let Some(known) = lock(&self.shared.artifacts).get(&digest) {
            return Ok(known.clone());
        }
        let sources = read()?;
        lock(&self.shared.artifacts).insert(digest, sources.clone(), sources.weight());
        Ok(sources)
    }

    /// Reads a block.
    ///
    /// # Errors
    /// As [`rune_blocks::read`].
    pub fn block(&self, bytes: &Arc<[u8]>) -> Result<Arc<Block>, BlockError> {
        let digest = self.digest(bytes);
        if let Some(known) = lock(&self.shared.blocks).get(&digest) {
            return known.clone();
        }
        self.shared.counts.blocks.fetch_add(1, Ordering::Relaxed);
        let block = rune_blocks::read(bytes.clone()).map(Arc::new);
        lock(&self.shared.blocks).insert(digest, block.clone(), bytes.len());
        block
    }

    /// Does a run that was put off, unless it has been done. It ends early, and is not remembered, once `stop`
    /// is set.
    pub fn run(&self, run: &Run, stop: &Arc<AtomicBool>) {
        if self.known(run).is_none() {
            let engine = self.shared.engine.clone().stopped_by(stop.clone());
            self.do_run(&engine, run);
        }
    }

    /// SHA-256 of bytes, worked out once for each allocation.
    fn digest(&self, bytes: &Arc<[u8]>) -> [u8; 32] {
        if let Some(known) = lock(&self.shared.digests).get(bytes) {
            return known;
        }
        self.shared.counts.digests.fetch_add(1, Ordering::Relaxed);
        let digest = rune_ir::digest(bytes);
        lock(&self.shared.digests).insert(bytes, digest);
        digest
    }

    /// The answer of a block, from memory or by running it.
    fn ask(&self, export: Export, block: &Block, instance: &Instance) -> Answer {
        let shared_block = match self.block(&block.bytes) {
            Ok(known) if known.bytes == block.bytes => known,
            // Only a block made by other means than reading its bytes comes here.
            Ok(_) | Err(_) => Arc::new(block.clone()),
        };
        let run = Run {
            digest: self.digest(&block.bytes),
            block: shared_block,
            export,
            instance: Arc::new(instance.clone()),
        };
        if let Some(answer) = self.known(&run) {
            return answer;
        }
        match &self.put_off {
            None => self.do_run(&self.shared.engine, &run),
            Some(put_off) => {
                lock(put_off).push(run);
                match export {
                    Export::Shape => Answer::Shape(Err(InitError::Later)),
                    Export::Init => Answer::Init(Err(InitError::Later)),
                }
            }
        }
    }

    fn known(&self, run: &Run) -> Option<Answer> {
        let mut runs = lock(&self.shared.runs);
        let same = runs.get(&run.hash())?;
        same.iter()
            .find(|(known, _)| known == run)
            .map(|(_, answer)| answer.clone())
    }

    fn do_run(&self, engine: &Wasmi, run: &Run) -> Answer {
        let Run {
            block, instance, ..
        } = run;
        let counts = &self.shared.counts;
        counts.begun.fetch_add(1, Ordering::Relaxed);
        let answer = match run.export {
            Export::Shape => Answer::Shape(engine.shape(block, instance)),
            Export::Init => Answer::Init(engine.snapshot(block, instance)),
        };
        if answer.is_later() {
            counts.stopped.fetch_add(1, Ordering::Relaxed);
            return answer;
        }
        counts.runs.fetch_add(1, Ordering::Relaxed);
        let mut runs = lock(&self.shared.runs);
        let mut same = runs.get(&run.hash()).cloned().unwrap_or_default();
        same.push((run.clone(), answer.clone()));
        let weight = same
            .iter()
            .map(|(run, answer)| run.weight() + answer.weight());
        let weight = weight.sum();
        runs.insert(run.hash(), same, weight);
        answer
    }
}

/// A block is run once for the same arguments and types.
impl BlockEngine for Memo {
    fn shape(&self, block: &Block, question: &Instance) -> Result<Vec<Vec<Dim>>, InitError> {
        match self.ask(Export::Shape, block, question) {
            Answer::Shape(answer) => answer,
            Answer::Init(_) => Err(InitError::Later),
        }
    }

    fn snapshot(&self, block: &Block, instance: &Instance) -> Result<Arc<Snapshot>, InitError> {
        match self.ask(Export::Init, block, instance) {
            Answer::Init(answer) => answer,
            Answer::Shape(_) => Err(InitError::Later),
        }
    }

    fn start(
        &self,
        block: &Block,
        instance: &Instance,
    ) -> Result<Box<dyn RunningBlock>, InitError> {
        self.shared.engine.start(block, instance)
    }
}

impl Run {
    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.digest, self.export, &self.instance.export).hash(&mut hasher);
        (&self.instance.inputs, &self.instance.outputs).hash(&mut hasher);
        for arg in &self.instance.args {
            match arg {
                Bound::Integer(n) => n.hash(&mut hasher),
                Bound::Float(x) => x.to_bits().hash(&mut hasher),
                Bound::Text(text) => text.hash(&mut hasher),
                Bound::List(items) => items.hash(&mut hasher),
                Bound::Bytes(bytes) => bytes.hash(&mut hasher),
            }
        }
        hasher.finish()
    }

    /// About how many bytes it takes beside its block.
    fn weight(&self) -> usize {
        let args = self.instance.args.iter().map(|arg| match arg {
            Bound::Integer(_) | Bound::Float(_) => 0,
            Bound::Text(text) => text.len(),
            Bound::List(items) => items.iter().map(|item| 32 + item.len()).sum(),
            Bound::Bytes(bytes) => bytes.len(),
        });
        1024 + args.sum::<usize>()
    }
}

/// A Runefile in YAML as it was read.
struct Text {
    bytes: Box<[u8]>,
    tree: Tree,
    found: Vec<Diagnostic>,
}

/// How many Runefiles are remembered as they were read.
const MOST_TEXTS: usize = 4;

#[derive(Clone)]
struct File {
    stamp: Stamp,
    bytes: Arc<[u8]>,
    /// A change since would show in the stamp.
    settled: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    length: u64,
    changed: Option<SystemTime>,
}

impl Stamp {
    /// Whether the file was changed so long ago that the next change gets another time, however coarse the
    /// file system's clock.
    fn is_old(self) -> bool {
        let age = self
            .changed
            .and_then(|time| SystemTime::now().duration_since(time).ok());
        age.is_some_and(|age| age > Duration::from_secs(3))
    }
}

/// The same path without detours, as far as its text tells: `./model.tflite` beside `a/Runefile` is
/// `a/model.tflite`, and `../b` beside it `b`.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if normal.file_name().is_some() => {
                normal.pop();
            }
            Component::ParentDir
            | Component::Prefix(_)
            | Component::RootDir
            | Component::Normal(_) => normal.push(part),
        }
    }
    normal
}

/// Digests of allocations, by address; an allocation stays reserved as long as it is in here.
#[derive(Default)]
struct Digests(BTreeMap<usize, (Weak<[u8]>, [u8; 32])>);

impl Digests {
    fn get(&self, bytes: &Arc<[u8]>) -> Option<[u8; 32]> {
        let (weak, digest) = self.0.get(&bytes.as_ptr().addr())?;
        std::ptr::eq(weak.as_ptr(), Arc::as_ptr(bytes)).then_some(*digest)
    }

    fn insert(&mut self, bytes: &Arc<[u8]>, digest: [u8; 32]) {
        self.0.retain(|_, (weak, _)| weak.strong_count() > 0);
        self.0
            .insert(bytes.as_ptr().addr(), (Arc::downgrade(bytes), digest));
    }
}

/// Most bytes that a cache holds.
const MOST_BYTES: usize = 256 << 20;

/// Values by key, of which the least recently used go when they weigh too much together.
struct Cache<K, V> {
    entries: BTreeMap<K, Entry<V>>,
    /// The key of each entry by the time of its last use.
    order: BTreeMap<u64, K>,
    weight: usize,
    time: u64,
}

struct Entry<V> {
    value: V,
    weight: usize,
    used: u64,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            order: BTreeMap::new(),
            weight: 0,
            time: 0,
        }
    }
}

impl<K: Ord + Clone, V> Cache<K, V> {
    fn get(&mut self, key: &K) -> Option<&V> {
        let entry = self.entries.get_mut(key)?;
        self.time += 1;
        let key = self.order.remove(&entry.used)?;
        entry.used = self.time;
        self.order.insert(self.time, key);
        Some(&entry.value)
    }

    /// Keeps a value, even if it alone weighs too much.
    fn insert(&mut self, key: K, value: V, weight: usize) {
        self.time += 1;
        let used = self.time;
        let entry = Entry {
            value,
            weight,
            used,
        };
        self.order.insert(used, key.clone());
        self.weight += weight;
        if let Some(old) = self.entries.insert(key, entry) {
            self.order.remove(&old.used);
            self.weight -= old.weight;
        }
        while self.weight > MOST_BYTES && self.entries.len() > 1 {
            let Some((_, key)) = self.order.pop_first() else {
                break;
            };
            if let Some(old) = self.entries.remove(&key) {
                self.weight -= old.weight;
            }
        }
    }
}

/// What a thread that panicked left behind is whole: nothing here is changed in more than one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_goes_first() {
        let mut cache = Cache::default();
        for key in 0..4 {
            cache.insert(key, key, MOST_BYTES / 4);
        }
        assert_eq!(cache.get(&0), Some(&0));
        cache.insert(4, 4, MOST_BYTES / 4);
        assert_eq!(cache.get(&1), None);
        assert_eq!(cache.get(&0), Some(&0));
        cache.insert(5, 5, MOST_BYTES * 2);
        assert_eq!(cache.get(&0), None);
        assert_eq!(cache.get(&5), Some(&5));
        assert_eq!(cache.weight, MOST_BYTES * 2);
    }

    #[test]
    fn a_file_is_read_again_when_it_changed() {
        let path = std::env::temp_dir().join(format!("memo-{}", std::process::id()));
        let memo = Memo::new();
        fs::write(&path, b"one").unwrap();
        assert_eq!(*memo.file(&path).unwrap(), *b"one");
        // Within the same moment, and as long.
        fs::write(&path, b"two").unwrap();
        assert_eq!(*memo.file(&path).unwrap(), *b"two");
        let old = SystemTime::now() - Duration::from_mins(1);
        fs::File::options()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_modified(old))
            .unwrap();
        let first = memo.file(&path).unwrap();
        let reads = memo.counts().files;
        assert!(Arc::ptr_eq(&first, &memo.file(&path).unwrap()));
        assert_eq!(memo.counts().files, reads);
        fs::remove_file(&path).unwrap();
        assert!(memo.file(&path).is_err());
    }

    #[test]
    fn bytes_are_summed_once_and_a_model_is_imported_once() {
        let memo = Memo::new();
        let bytes: Arc<[u8]> = Arc::from(*b"not a model at all");
        let first = memo.model(&bytes).unwrap_err();
        assert_eq!(memo.model(&bytes).unwrap_err(), first);
        let same: Arc<[u8]> = Arc::from(&bytes[..]);
        assert_eq!(memo.model(&same).unwrap_err(), first);
        let counts = memo.counts();
        assert_eq!((counts.models, counts.digests), (1, 2));
    }
}
