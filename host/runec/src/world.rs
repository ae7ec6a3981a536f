//! The compiler's window on the file system and the catalogue.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use rune_ir::env::{Env, Layer, Unbuilt};

use crate::{
    archive,
    config::Config,
    driver::Request,
    find, folder,
    lock::{self, Fetched},
    memo::{Memo, normal},
    source,
};

/// Files relative to a Runefile's folder, and the built-in catalogue.
#[derive(Clone, Debug)]
pub struct World {
    root: PathBuf,
    memo: Memo,
    fetched: Fetched,
}

impl World {
    /// The world of a Runefile in folder `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            memo: Memo::new(),
            fetched: Fetched::default(),
        }
    }

    /// The same world, whose files are read once as long as they do not change.
    #[must_use]
    pub fn with_memo(self, memo: Memo) -> Self {
        Self { memo, ..self }
    }

    /// The same world, which has these artifacts of registries.
    #[must_use]
    pub fn with_fetched(self, fetched: Fetched) -> Self {
        Self { fetched, ..self }
    }

    /// What it knows already.
    pub(crate) fn memo(&self) -> &Memo {
        &self.memo
    }

    /// What it has of registries.
    pub fn of_registries(&self) -> &Fetched {
        &self.fetched
    }
}

impl World {
    /// A file of the name of one that is not there: in the Runefile's folder, in one of its folders, or in that
    /// above.
    fn elsewhere(&self, path: &str) -> Option<String> {
        if self.root.join(path).exists() {
            return None;
        }
        let name = Path::new(path).file_name()?.to_str()?;
        let folders = fs::read_dir(if self.root.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &self.root
        });
        let mut folders: Vec<String> = folders
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
            .filter(|e| e.file_type().is_ok_and(|t| t.is_dir()))
            .filter_map(|e| e.file_name().into_string().ok())
            .collect();
        folders.sort();
        folders.truncate(MAX_NEIGHBOURS);
        let below = folders.iter().map(|folder| format!("./{folder}/{name}"));
        [format!("./{name}")]
            .into_iter()
            .chain(below)
            .chain([format!("../{name}")])
            .find(|other| self.root.join(other).is_file())
    }
}

/// In so many folders a missing file is looked for.
const MAX_NEIGHBOURS: usize = 256;

impl Env for World {
    fn file(&self, path: &str) -> Result<Arc<[u8]>, String> {
        let read = read(&self.memo, &self.root.join(path));
        read.map_err(|reason| match self.elsewhere(path) {
            Some(other) if !reason.contains('?') => format!("{reason}; did you mean `{other}`?"),
            _ => reason,
        })
    }

    fn layer(&self, path: &str) -> Result<Layer, String> {
        let path = self.root.join(path);
        let file = if path.is_dir() {
            runefiles_in(&path)
                .next()
                .ok_or_else(|| format!("folder {} has no Runefile", normal(&path).display()))?
        } else {
            path
        };
        let bytes = read(&self.memo, &file)?;
        let name = normal(&file).display().to_string();
        let id = file_id(&file);
        let world = World {
            root: file.parent().unwrap_or(Path::new("")).to_owned(),
            ..self.clone()
        };
        if source::is_module(&bytes) {
            return source::open(&bytes, &name, &id, world);
        }
        if bytes.iter().take(1024).any(|byte| *byte == 0) {
            return Err(format!("{name} is neither a Runefile nor a rune"));
        }
        Ok(Layer {
            name,
            id,
            bytes,
            env: Arc::new(world),
        })
    }

    fn fetched(&self, reference: &str) -> Option<Result<Layer, String>> {
        let reference = reference.parse().ok()?;
        Some(self.fetched.layer(&reference, self))
    }

    fn archive(&self, path: &str) -> Option<Result<Arc<[u8]>, String>> {
        let path = self.root.join(path);
        path.is_dir()
            .then(|| archive::of_folder(&path).map(Arc::from))
    }

    fn block(&self, name: &str) -> Option<Arc<[u8]>> {
        rune_catalogue::block(name).map(|bytes| self.memo.constant(bytes))
    }

    fn folder_block(&self, path: &str, build: bool) -> Option<Result<Arc<[u8]>, Unbuilt>> {
        let path = self.root.join(path);
        path.is_dir().then(|| folder::module(&path, build))
    }

    fn resolve_block(&self, name: &str) -> Option<String> {
        // `./mine` and `parts/mine.wasm` are of the user's.
        let is_path = ["./", "../", "/"].iter().any(|p| name.starts_with(p));
        let is_module =
            name.contains('/') && Path::new(name).extension().is_some_and(|e| e == "wasm");
        if is_path || is_module {
            Some(name.to_owned())
        } else {
            rune_catalogue::resolve_block(name).map(str::to_owned)
        }
    }

    fn blocks(&self) -> Vec<String> {
        rune_catalogue::blocks().map(str::to_owned).collect()
    }

    fn has_image(&self, name: &str) -> bool {
        rune_catalogue::has_image(name)
    }

    fn images(&self) -> Vec<String> {
        rune_catalogue::images()
            .map(|image| image.name.clone())
            .collect()
    }
}

/// The Runefiles of a folder, that which counts first.
fn runefiles_in(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let names = ["Runefile", "Runefile.yml", "Runefile.yaml"];
    names
        .map(|name| folder.join(name))
        .into_iter()
        .filter(|path| path.is_file())
}

/// What tells a file from every other, however its path is written.
fn file_id(path: &Path) -> String {
    let real = fs::canonicalize(path);
    real.as_deref().unwrap_or(path).display().to_string()
}

/// The bytes of a file, or one sentence on why they cannot be had.
fn read(memo: &Memo, path: &Path) -> Result<Arc<[u8]>, String> {
    let shown = normal(path);
    let shown = shown.display();
    // A pipe or a device might never end.
    if fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
        return Err(format!("{shown} is not a regular file"));
    }
    match memo.file(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(match nearest(path) {
            Some(name) => format!("there is no file {shown}; did you mean `{name}`?"),
            None => format!("there is no file {shown}"),
        }),
        Err(_) if path.is_dir() => Err(match model_in(path) {
            Some(format) => format!(
                "{shown} is a folder with a {format} model; convert it to TensorFlow Lite, one file"
            ),
            None => format!("{shown} is a folder"),
        }),
        Err(error) => Err(format!("{shown} cannot be read: {error}")),
    }
}

/// The bytes of a file named on the command line. Of a device or a pipe, which might never end, no more than a
/// Runefile may have, and one.
pub(crate) fn read_named(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.is_file() {
        return fs::read(path);
    }
    let mut bytes = Vec::new();
    let limit = rune_runefile::MAX_BYTES as u64 + 1;
    fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The format of the model that a folder is.
fn model_in(folder: &Path) -> Option<&'static str> {
    [
        ("model.json", "TensorFlow.js"),
        ("saved_model.pb", "TensorFlow"),
    ]
    .into_iter()
    .find(|(file, _)| folder.join(file).is_file())
    .map(|(_, format)| format)
}

/// The folder a path lies in; that of `file` is `.`.
fn folder(path: &Path) -> Option<&Path> {
    let parent = path.parent()?;
    Some(if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    })
}

/// A file beside a missing one whose name is much like it.
fn nearest(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let mut names: Vec<String> = fs::read_dir(folder(path)?)
        .ok()?
        .filter_map(|e| e.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    rune_ir::diag::did_you_mean(wanted, names.iter().map(String::as_str)).map(str::to_owned)
}

/// A Runefile to compile: its bytes, the path to show, the rune's default name, and its world.
#[derive(Clone, Debug)]
pub struct Input {
    /// The text.
    pub bytes: Vec<u8>,
    /// The path to show in messages.
    pub path: String,
    /// The name of its folder.
    pub name: String,
    /// What it can see.
    pub world: World,
    /// What tells its file from others.
    pub id: String,
    /// A Runefile beside it, in the other form, that was not chosen.
    pub beside: Option<PathBuf>,
    /// What its project says about findings.
    pub config: Arc<Config>,
}

impl Input {
    /// Opens a Runefile, or the one in a folder, the text form before YAML.
    ///
    /// # Errors
    /// One sentence, where there is no such file.
    pub fn open(path: &Path) -> Result<Self, String> {
        let mut there = runefiles_in(path);
        let file = match there.next() {
            Some(file) => file,
            None if path.is_dir() => {
                return Err(format!("folder {} has no Runefile", path.display()));
            }
            None => path.to_owned(),
        };
        let bytes = match read_named(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(format!("there is no {}", file.display()));
            }
            Err(error) => return Err(format!("{} cannot be read: {error}", file.display())),
        };
        Ok(Self {
            beside: there.next(),
            ..Self::new(&file, bytes)
        })
    }

    /// The Runefile that a path would be with these bytes: it sees the files of the path's folder.
    pub fn new(path: &Path, bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            path: path.display().to_string(),
            name: default_name(path),
            world: World::new(path.parent().unwrap_or(Path::new("")))
                .with_fetched(Fetched::locked_by(lock::beside(path))),
            id: file_id(path),
            beside: None,
            config: Arc::new(Config::of(path.parent().unwrap_or(Path::new("")))),
        }
    }

    /// A request to check it, which builds nothing.
    pub fn request(&self) -> Request<'_> {
        Request {
            id: &self.id,
            config: self.config.clone(),
            ..Request::new(&self.path, &self.name, &self.bytes, &self.world)
        }
    }
}

/// `sine` for `sine/Runefile` and for `sine.Runefile`, also with `.yml`.
fn default_name(file: &Path) -> String {
    let stem = file
        .file_name()
        .and_then(|n| n.to_str())
        .unwrap_or_default();
    let stem = find::without_yaml(stem);
    let from_file = stem
        .strip_suffix(".Runefile")
        .or_else(|| stem.strip_prefix("Runefile."))
        .filter(|s| !s.is_empty());
    let from_folder = || {
        fs::canonicalize(folder(file)?)
            .ok()
            .and_then(|p| p.file_name().and_then(|n| n.to_str()).map(str::to_owned))
    };
    from_file
        .map(str::to_owned)
        .or_else(from_folder)
        .unwrap_or_else(|| "rune".to_owned())
}
