//! The compilers that make a block's module: cargo for Rust, clang and wasm-ld for C and C++.
//!
//! The bytes depend on the sources and the compiler and on nothing else: paths are mapped to fixed names,
//! flags are those given here, and of the environment compilers see only what finds programs and crates.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// The target of every block.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Of what rustc turns on by itself, what a rune may use; and all that the linker of runes reads.
const RUST: [&str; 6] = [
    "-Ctarget-cpu=mvp",
    "-Ctarget-feature=+mutable-globals,+sign-ext,+nontrapping-fptoint,+bulk-memory,+multivalue",
    "-Clink-arg=--no-entry",
    "-Clink-arg=--gc-sections",
    "-Clink-arg=--emit-relocs",
    "-Cstrip=none",
];

/// The profile of every block, whatever its manifest says: whole-program, no unwinding, names kept.
const PROFILE: [(&str, &str); 6] = [
    ("LTO", "fat"),
    ("CODEGEN_UNITS", "1"),
    ("PANIC", "abort"),
    ("DEBUG", "false"),
    ("STRIP", "none"),
    ("INCREMENTAL", "false"),
];

/// The same for clang, for C and C++ alike.
const CLANG: [&str; 11] = [
    "--target=wasm32",
    "-mcpu=mvp",
    "-mmutable-globals",
    "-msign-ext",
    "-mnontrapping-fptoint",
    "-mbulk-memory",
    "-O2",
    "-ffreestanding",
    "-ffp-contract=off",
    "-Wall",
    "-fno-common",
];

/// What C++ needs besides: nothing of its runtime is there.
const CLANG_CPP: [&str; 4] = [
    "-std=c++17",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-threadsafe-statics",
];

/// What compilers see of the environment. Other variables can change what they make: `CPATH`,
/// `CARGO_PROFILE_RELEASE_OPT_LEVEL`, `RUSTC_WRAPPER`, `CCC_OVERRIDE_OPTIONS` and many more.
const ENVIRONMENT: [&str; 9] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "HTTPS_PROXY",
    "https_proxy",
];

/// The newest of versioned programs looked for, `clang-30` down to `clang-14`.
const VERSIONS: std::ops::RangeInclusive<u32> = 14..=30;

/// A Rust compiler that knows a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rust {
    target: &'static str,
    rustc: PathBuf,
    cargo: PathBuf,
    name: String,
    sysroot: PathBuf,
    /// Compiles `core` and `alloc` too, with this linker.
    builds_std: Option<PathBuf>,
}

impl Rust {
    /// The compiler of blocks, see [`for_target`](Self::for_target). Where it makes `core` and `alloc` anew, not even
    /// a panic's message is left in.
    pub fn find() -> Option<Self> {
        Self::for_target(TARGET, "wasm-ld")
    }

    /// The first that is there: that of the PATH with the target installed, or Debian's `rustc-web` with the sources
    /// of the library, from which it makes `core` and `alloc` anew, and this linker of LLVM.
    pub fn for_target(target: &'static str, linker: &str) -> Option<Self> {
        let has = |t: &Self, path: &str| t.sysroot.join("lib/rustlib").join(path).is_dir();
        let rustup = Self::new(target, "rustc", "cargo", "prebuilt core", None);
        rustup.filter(|t| has(t, target)).or_else(|| {
            let debian = Self::new(
                target,
                "/usr/bin/rustc",
                "/usr/bin/cargo",
                "-Zbuild-std",
                Some(working(linker)?),
            );
            debian.filter(|t| has(t, "src/rust/library"))
        })
    }

    fn new(
        target: &'static str,
        rustc: &str,
        cargo: &str,
        how: &str,
        builds_std: Option<PathBuf>,
    ) -> Option<Self> {
        let ask = |args: &[&str]| ask(Path::new(rustc), args);
        let sysroot = PathBuf::from(ask(&["--print", "sysroot"])?);
        // Those of the toolchain itself: rustup would choose another one in another folder.
        let own = |name: &str, otherwise: &str| {
            let own = sysroot.join("bin").join(name);
            if own.is_file() { own } else { otherwise.into() }
        };
        Some(Self {
            target,
            name: format!("{}, {how}", ask(&["-V"])?),
            rustc: own("rustc", rustc),
            cargo: own("cargo", cargo),
            sysroot,
            builds_std,
        })
    }

    /// What `rustc -V` says, and how it is used.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether its libraries came with it, so that any command of cargo works for the target.
    pub fn is_prebuilt(&self) -> bool {
        self.builds_std.is_none()
    }

    /// `cargo build` of the workspace in `folder` into `target`, for the caller to add packages to, with the flags
    /// and the profile that the workspace says.
    pub fn build(&self, folder: &Path, target: &Path) -> Command {
        let mut cargo = command(&self.cargo);
        cargo
            .current_dir(folder)
            .args(["build", "--quiet", "--release", "--target", self.target]);
        if let Some(linker) = &self.builds_std {
            let target = self.target.replace('-', "_").to_uppercase();
            cargo
                .arg("-Zbuild-std=core,alloc")
                .env(format!("CARGO_TARGET_{target}_LINKER"), linker);
        }
        cargo
            // The instruction f32.sqrt, among others, is not yet stable outside `std`.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTC", &self.rustc)
            .env("CARGO_TARGET_DIR", target);
        cargo
    }

    /// [`build`](Self::build) of blocks: with flags and a profile that are the same for every workspace. `shown` says
    /// what to put in messages of panics for the paths of sources.
    pub fn cargo(&self, folder: &Path, target: &Path, shown: &[(&Path, &str)]) -> Command {
        let registry = env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(env::home_dir()?.join(".cargo")))
            .unwrap_or_default()
            .join("registry/src");
        let library = self.sysroot.join("lib/rustlib/src/rust/library");
        let ours = [(&*registry, "crates"), (&*library, "std")];
        let mut flags = RUST.map(str::to_owned).to_vec();
        for (from, to) in shown.iter().chain(&ours) {
            flags.push(format!("--remap-path-prefix={}={to}", from.display()));
        }
        if self.builds_std.is_some() {
            flags.extend(["-Zunstable-options", "-Cpanic=immediate-abort"].map(str::to_owned));
        }
        let mut cargo = self.build(folder, target);
        for (key, value) in PROFILE {
            cargo.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
        }
        cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
        cargo
    }

    /// Where [`cargo`](Self::cargo) leaves the modules of a `target` folder.
    pub fn modules(target: &Path) -> PathBuf {
        target.join(TARGET).join("release")
    }
}

/// A C and C++ compiler with the linker of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clang {
    program: PathBuf,
    linker: PathBuf,
    name: String,
}

impl Clang {
    /// `clang` of the PATH, or the newest `clang-NN`, that knows the target; with `wasm-ld` likewise.
    pub fn find() -> Option<Self> {
        let linker = working("wasm-ld")?;
        programs("clang").find_map(|clang| {
            let targets = ask(&clang, &["--print-targets"])?;
            let knows = targets.lines().any(|l| l.trim().starts_with("wasm32 "));
            let version = ask(&clang, &["--version"])?;
            let version = version.lines().next()?.to_owned();
            knows.then(|| Self {
                name: format!(
                    "{version}, {}",
                    ask(&linker, &["--version"]).unwrap_or_default()
                ),
                program: clang,
                linker: linker.clone(),
            })
        })
    }

    /// What compiler and linker say they are.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The command that compiles one file of `folder`, with headers from `include`.
    pub fn compile(
        &self,
        folder: &Path,
        source: &str,
        include: &[PathBuf],
        object: &Path,
    ) -> Command {
        let mut clang = command(&self.program);
        clang.current_dir(folder).args(CLANG);
        if !is_c(source) {
            clang.args(CLANG_CPP);
        }
        for folder in include {
            clang.arg("-I").arg(folder);
        }
        clang.args(["-c", source, "-o"]).arg(object);
        clang
    }

    /// The command that links objects, and of archives what they need, to a module. The linker is run by
    /// itself, since clang runs a wasm-opt that it finds, and that drops the relocations.
    pub fn link(&self, objects: &[PathBuf], module: &Path) -> Command {
        let mut linker = command(&self.linker);
        linker
            .args(["--no-entry", "--gc-sections", "--emit-relocs"])
            .args(objects)
            .arg("-o")
            .arg(module);
        linker
    }
}

/// Whether a source is of C; else it is of C++.
pub fn is_c(source: &str) -> bool {
    Path::new(source).extension().is_some_and(|e| e == "c")
}

/// Whether a file is a source of C or C++.
pub fn is_c_or_cpp(source: &str) -> bool {
    let extension = Path::new(source).extension().and_then(|e| e.to_str());
    matches!(extension, Some("c" | "cc" | "cpp" | "cxx"))
}

/// Flags that decide the bytes, for a digest.
pub fn flags() -> String {
    let profile = PROFILE.map(|(key, value)| format!("{key}={value}"));
    let flags = [&RUST[..], &CLANG, &CLANG_CPP].concat().join(" ");
    format!("{flags} {}", profile.join(" "))
}

/// What to install for a language, on the system this is.
pub fn advice(rust: bool) -> String {
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let is = |name: &str| {
        let lines = system.lines().filter(|l| l.starts_with("ID"));
        lines
            .flat_map(|l| l.split(['=', ' ', '"']))
            .any(|w| w == name)
    };
    let install = match (rust, is("debian"), is("fedora"), cfg!(target_os = "macos")) {
        (true, true, ..) => {
            "install Debian's compiler with `apt install rustc-web cargo-web rust-web-src lld`, or"
        }
        (false, true, ..) => return "install it with `apt install clang lld`".to_owned(),
        (false, _, true, _) => return "install it with `dnf install clang lld`".to_owned(),
        (false, _, _, true) => return "install it with `brew install llvm lld`".to_owned(),
        (false, ..) => return "install clang and lld of LLVM 14 or later".to_owned(),
        (true, ..) => "",
    };
    let rustup =
        format!("install Rust from https://rustup.rs and run `rustup target add {TARGET}`");
    format!("{install} {rustup}").trim().to_owned()
}

/// Runs a command that says on standard error what is wrong.
///
/// # Errors
/// That the program cannot be run, or the text it wrote.
pub fn run(command: &mut Command) -> Result<(), String> {
    let Output { status, stderr, .. } = command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("{} cannot be run: {e}", command.get_program().display()))?;
    if status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&stderr).trim().to_owned();
    Err(if said.is_empty() {
        format!("{} ended with {status}", command.get_program().display())
    } else {
        said
    })
}

/// The first program of a name that says which version it is.
fn working(name: &str) -> Option<PathBuf> {
    programs(name).find(|program| ask(program, &["--version"]).is_some())
}

/// A command that sees of the environment only [`ENVIRONMENT`].
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    let kept = ENVIRONMENT
        .iter()
        .filter_map(|name| Some((name, env::var_os(name)?)));
    command.env_clear().envs(kept);
    command
}

/// A program by its plain name, then by its versions, the newest first.
fn programs(name: &str) -> impl Iterator<Item = PathBuf> {
    let versioned = VERSIONS.rev().map(move |n| format!("{name}-{n}"));
    std::iter::once(name.to_owned())
        .chain(versioned)
        .map(PathBuf::from)
}

/// What a program prints on standard output.
fn ask(program: &Path, args: &[&str]) -> Option<String> {
    let output = command(program).args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
