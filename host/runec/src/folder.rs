//! A block whose path is a folder of sources: its digest, its module in the user's cache, and its build.
//!
//! What is built is a copy of the folder, at a fixed place in the cache. So nothing is written beside the
//! sources, the bytes do not depend on where they lie, and `core` is compiled once for all blocks.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, IsTerminal, Write},
    path::{Component, Path, PathBuf},
    sync::{Arc, LazyLock},
};

use rune_ir::env::{BuildFailure, Unbuilt};
use toml::{Table, Value};

use crate::toolchain::{self, Clang, Rust};

/// Most bytes in a folder of sources.
const MAX_BYTES: u64 = 64 << 20;
/// Most files in it.
const MAX_FILES: usize = 10_000;
/// Lines of a compiler's complaint that a diagnostic repeats.
const LINES: usize = 24;
/// What a folder may hold that is no source.
const IGNORED: [&str; 2] = ["target", ".git"];

/// Compilers are asked what they are once.
static RUST: LazyLock<Option<Rust>> = LazyLock::new(Rust::find);
static CLANG: LazyLock<Option<Clang>> = LazyLock::new(Clang::find);

/// The module of the block in `folder`: from the cache, or, if `build` allows it, made of its sources.
///
/// # Errors
/// Why there is none.
pub(crate) fn module(folder: &Path, build: bool) -> Result<Arc<[u8]>, Unbuilt> {
    let sources = Sources::read(folder)?;
    let compiler = Compiler::of(&sources)?;
    let cache = Cache::of_the_user()?;
    let key = sources.digest(compiler.name());
    if let Some(module) = cache.get(&key) {
        return Ok(module);
    }
    if !build {
        return Err(Unbuilt::NotYet);
    }
    if io::stderr().is_terminal() {
        let _ = writeln!(io::stderr(), "building block {}", folder.display());
    }
    cache.build(&key, &sources, &compiler)
}

fn failed(reason: impl Into<String>) -> Unbuilt {
    Unbuilt::Failed(BuildFailure {
        reason: reason.into(),
        ..BuildFailure::default()
    })
}

fn failed_hint(reason: impl Into<String>, hint: impl Into<String>) -> Unbuilt {
    Unbuilt::Failed(BuildFailure {
        reason: reason.into(),
        notes: Vec::new(),
        hints: vec![hint.into()],
    })
}

/// What to do about something that a compiler says.
const ADVICE: [(&str, &str); 5] = [
    (
        "--locked",
        "Cargo.lock is a source too, and says which crates the block is made of: run `cargo fetch` in the folder to write it",
    ),
    (
        "--offline",
        "blocks are built without a network: run `cargo fetch` in the folder once",
    ),
    (
        "' file not found",
        "blocks have the headers in `sdk` and the compiler's own such as <stdint.h>, in C++ too; any other header lies in the folder",
    ),
    (
        "undefined symbol",
        "a block imports nothing: what it calls is in its folder or in the library in `sdk`",
    ),
    (
        "can't find crate for `std`",
        "blocks have no `std`: use `core` and `alloc`, and crates that are `no_std`",
    ),
];

/// What the compiler says, from its first error on. Paths in `room`, where it worked, are shown without it.
fn complaint(reason: &str, said: &str, room: &Path) -> BuildFailure {
    let inside = |folder: &str| format!("{}/", room.join(folder).display());
    let said = said
        .replace(&inside("block"), "")
        .replace(&inside("target"), "");
    let lines: Vec<&str> = said.lines().collect();
    let first = lines.iter().position(|l| l.contains("error")).unwrap_or(0);
    let shown = lines[first..].iter().take(LINES).copied();
    let cut = (lines.len() - first > LINES).then_some("...");
    let advice = ADVICE.iter().find(|(sign, _)| said.contains(sign));
    BuildFailure {
        reason: reason.to_owned(),
        notes: vec![shown.chain(cut).collect::<Vec<_>>().join("\n")],
        hints: advice
            .map(|(_, advice)| (*advice).to_owned())
            .into_iter()
            .collect(),
    }
}

/// The files of a folder, by their paths in it with `/` between parts.
struct Sources(BTreeMap<String, Vec<u8>>);

impl Sources {
    fn read(folder: &Path) -> Result<Self, Unbuilt> {
        let mut sources = Self(BTreeMap::new());
        sources.add(folder, "", &mut 0)?;
        Ok(sources)
    }

    fn add(&mut self, folder: &Path, prefix: &str, bytes: &mut u64) -> Result<(), Unbuilt> {
        let fault =
            |path: &Path, e: &io::Error| failed(format!("{} cannot be read: {e}", path.display()));
        for entry in fs::read_dir(folder).map_err(|e| fault(folder, &e))? {
            let entry = entry.map_err(|e| fault(folder, &e))?;
            let path = entry.path();
            let name = entry.file_name().into_string().map_err(|name| {
                failed(format!("the name of file {} is not UTF-8", name.display()))
            })?;
            if IGNORED.contains(&name.as_str()) {
                continue;
            }
            // A link to a folder is not followed, so there is no circle.
            if entry.file_type().map_err(|e| fault(&path, &e))?.is_dir() {
                self.add(&path, &format!("{prefix}{name}/"), bytes)?;
                continue;
            }
            let meta = match fs::metadata(&path) {
                // A link to nothing, such as the lock of an editor, or a file that has just gone.
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                meta => meta.map_err(|e| fault(&path, &e))?,
            };
            if !meta.is_file() {
                continue;
            }
            *bytes += meta.len();
            if *bytes > MAX_BYTES || self.0.len() == MAX_FILES {
                return Err(failed_hint(
                    format!(
                        "the folder of the block holds more than {MAX_FILES} files or {} MiB",
                        MAX_BYTES >> 20
                    ),
                    "keep in it only what the block is made of",
                ));
            }
            let content = fs::read(&path).map_err(|e| fault(&path, &e))?;
            self.0.insert(format!("{prefix}{name}"), content);
        }
        Ok(())
    }

    /// Of all files, the compiler and its flags.
    fn digest(&self, compiler: &str) -> String {
        let mut text = Vec::new();
        let mut add = |part: &[u8]| {
            text.extend_from_slice(&(part.len() as u64).to_le_bytes());
            text.extend_from_slice(part);
        };
        add(compiler.as_bytes());
        add(toolchain::flags().as_bytes());
        for (path, content) in &self.0 {
            add(path.as_bytes());
            add(content);
        }
        hex(&text)
    }

    /// The sources of C and C++: in the folder itself or in its `src`.
    fn c_files(&self) -> Vec<&str> {
        let paths = self.0.keys().map(String::as_str);
        paths
            .filter(|p| !p.trim_start_matches("src/").contains('/') && toolchain::is_c_or_cpp(p))
            .collect()
    }

    /// Whether the folder holds all that cargo will look at: a digest of it would miss the rest.
    fn is_whole(&self) -> Result<(), Unbuilt> {
        for (path, content) in &self.0 {
            if !(path == "Cargo.toml" || path.ends_with("/Cargo.toml")) {
                continue;
            }
            let text = String::from_utf8_lossy(content);
            let table: Table = text.parse().map_err(|e: toml::de::Error| {
                failed(format!(
                    "{path} is not TOML: {}",
                    e.message().replace('\n', " ")
                ))
            })?;
            if path == "Cargo.toml" && !table.contains_key("workspace") {
                return Err(failed_hint(
                    "Cargo.toml of the block has no `[workspace]`",
                    "add an empty `[workspace]`, so that the block is built by itself",
                ));
            }
            let folder = Path::new(path).parent().unwrap_or(Path::new(""));
            let mut paths = Vec::new();
            find_paths(&Value::Table(table), &mut paths);
            if let Some(outside) = paths.iter().find(|p| leaves(&folder.join(p))) {
                return Err(failed_hint(
                    format!("{path} of the block names `{outside}`, which is outside its folder"),
                    "copy it into the folder: what a block is made of lies there",
                ));
            }
        }
        Ok(())
    }

    /// Writes the files anew into an empty `folder`.
    fn write(&self, folder: &Path) -> io::Result<()> {
        match fs::remove_dir_all(folder) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        fs::create_dir_all(folder)?;
        for (path, content) in &self.0 {
            let path = folder.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, content)?;
        }
        Ok(())
    }
}

/// Every text called `path` in a manifest.
fn find_paths(value: &Value, found: &mut Vec<String>) {
    for (key, value) in value.as_table().into_iter().flatten() {
        match value.as_str() {
            Some(path) if key == "path" => found.push(path.to_owned()),
            Some(_) | None => find_paths(value, found),
        }
    }
    for item in value.as_array().into_iter().flatten() {
        find_paths(item, found);
    }
}

/// Whether a path leads out of where it begins.
fn leaves(path: &Path) -> bool {
    let mut depth = 0_i32;
    for part in path.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::ParentDir => depth -= 1,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return true,
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

/// What makes the module of a folder.
enum Compiler {
    Rust(&'static Rust),
    Clang(&'static Clang),
}

impl Compiler {
    fn of(sources: &Sources) -> Result<Self, Unbuilt> {
        let rust = sources.0.contains_key("Cargo.toml");
        if rust {
            sources.is_whole()?;
        } else if sources.c_files().is_empty() {
            return Err(failed_hint(
                "the folder has neither a Cargo.toml nor a source of C or C++",
                "`runec new --block NAME` writes a block to begin with",
            ));
        }
        let found = if rust {
            RUST.as_ref().map(Self::Rust)
        } else {
            CLANG.as_ref().map(Self::Clang)
        };
        let language = if rust { "Rust" } else { "C and C++" };
        found.ok_or_else(|| {
            failed_hint(
                format!("there is no compiler of {language} for WebAssembly here"),
                toolchain::advice(rust),
            )
        })
    }

    fn name(&self) -> &str {
        match self {
            Self::Rust(rust) => rust.name(),
            Self::Clang(clang) => clang.name(),
        }
    }
}

/// Built modules and where they are built.
struct Cache(PathBuf);

impl Cache {
    /// `rune` in `XDG_CACHE_HOME`, or in `.cache` at home.
    fn of_the_user() -> Result<Self, Unbuilt> {
        let given = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        given
            .filter(|path| path.is_absolute())
            .or_else(|| Some(env::home_dir()?.join(".cache")))
            .map(|cache| Self(cache.join("rune")))
            .ok_or_else(|| failed("there is no folder for caches: set XDG_CACHE_HOME"))
    }

    fn fault(&self, error: &io::Error) -> Unbuilt {
        failed_hint(
            format!("the cache in {} cannot be used: {error}", self.0.display()),
            "set XDG_CACHE_HOME to a folder that can be written",
        )
    }

    /// The paths of a module and of its digest.
    fn entry(&self, key: &str) -> [PathBuf; 2] {
        ["wasm", "sha256"].map(|end| self.0.join("blocks").join(format!("{key}.{end}")))
    }

    /// A module, if it is there and as it was written.
    fn get(&self, key: &str) -> Option<Arc<[u8]>> {
        let [module, digest] = self.entry(key);
        let module = fs::read(module).ok()?;
        let digest = fs::read_to_string(digest).ok()?;
        (digest == hex(&module)).then(|| module.into())
    }

    fn put(&self, key: &str, module: &[u8]) -> io::Result<()> {
        let [path, digest] = self.entry(key);
        fs::create_dir_all(self.0.join("blocks"))?;
        for (path, bytes) in [(path, module), (digest, hex(module).as_bytes())] {
            let part = path.with_extension(format!("{}.part", std::process::id()));
            fs::write(&part, bytes)?;
            fs::rename(&part, &path)?;
        }
        Ok(())
    }

    /// Compiles a copy of the sources and keeps the module; one build at a time with a compiler.
    fn build(
        &self,
        key: &str,
        sources: &Sources,
        compiler: &Compiler,
    ) -> Result<Arc<[u8]>, Unbuilt> {
        let room = self
            .0
            .join("build")
            .join(&hex(compiler.name().as_bytes())[..16]);
        let _lock = lock(&room).map_err(|e| self.fault(&e))?;
        // Whoever had the lock may have built the same.
        if let Some(module) = self.get(key) {
            return Ok(module);
        }
        sources
            .write(&room.join("block"))
            .map_err(|e| self.fault(&e))?;
        let module = match compiler {
            Compiler::Rust(rust) => build_rust(rust, &room),
            Compiler::Clang(clang) => build_c(clang, sources, &room),
        }?;
        self.put(key, &module).map_err(|e| self.fault(&e))?;
        Ok(module.into())
    }
}

/// Waits until no other process builds in `room`, and keeps them out until the file is closed.
fn lock(room: &Path) -> io::Result<fs::File> {
    fs::create_dir_all(room)?;
    let lock = fs::File::create(room.join("lock"))?;
    lock.lock()?;
    Ok(lock)
}

fn build_rust(rust: &Rust, room: &Path) -> Result<Vec<u8>, Unbuilt> {
    let (block, target) = (room.join("block"), room.join("target"));
    let out = Rust::modules(&target);
    let modules = || {
        let entries = fs::read_dir(&out).into_iter().flatten().flatten();
        let paths = entries.map(|e| e.path());
        paths.filter(|p| p.extension().is_some_and(|e| e == "wasm"))
    };
    // What the block before this one left.
    for old in modules() {
        fs::remove_file(&old).map_err(|e| failed(format!("{}: {e}", old.display())))?;
    }
    let mut cargo = rust.cargo(&block, &target, &[(&block, "block")]);
    cargo.args(["--lib", "--offline", "--locked", "--color", "never"]);
    toolchain::run(&mut cargo)
        .map_err(|said| Unbuilt::Failed(complaint("the block does not compile", &said, room)))?;
    let made: Vec<PathBuf> = modules().collect();
    let [module] = &made[..] else {
        return Err(failed_hint(
            "the crate of the block makes no module",
            "add `crate-type = [\"cdylib\", \"lib\"]` to `[lib]` in its Cargo.toml",
        ));
    };
    fs::read(module).map_err(|e| failed(format!("{}: {e}", module.display())))
}

fn build_c(clang: &Clang, sources: &Sources, room: &Path) -> Result<Vec<u8>, Unbuilt> {
    let (block, target) = (room.join("block"), room.join("target"));
    let fault = |e: io::Error| failed(format!("{}: {e}", target.display()));
    // Sources lie in the folder and in its `src`.
    fs::create_dir_all(target.join("src")).map_err(fault)?;
    let include = [PathBuf::from("."), PathBuf::from("sdk")];
    let mut objects = Vec::new();
    for source in sources.c_files() {
        // The linker's messages show this name.
        let object = target.join(format!("{source}.o"));
        toolchain::run(&mut clang.compile(&block, source, &include, &object)).map_err(|said| {
            Unbuilt::Failed(complaint("the block does not compile", &said, room))
        })?;
        objects.push(object);
    }
    let archives = sources
        .0
        .keys()
        .filter(|p| Path::new(p).extension().is_some_and(|e| e == "a"));
    objects.extend(archives.map(|p| block.join(p)));
    let module = target.join("block.wasm");
    toolchain::run(&mut clang.link(&objects, &module))
        .map_err(|said| Unbuilt::Failed(complaint("the block does not link", &said, room)))?;
    fs::read(&module).map_err(fault)
}

fn hex(bytes: &[u8]) -> String {
    rune_ir::digest(bytes).map(|b| format!("{b:02x}")).concat()
}
