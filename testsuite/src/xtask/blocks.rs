//! `cargo xtask blocks`: the processing blocks as the bytes in `stdlib/catalogue`.
//!
//! The bytes depend on the compiler and on nothing else: paths are mapped to fixed names, and the whole
//! program is compiled as one unit. Two compilers will do, the first that is there: that of the PATH with
//! its target `wasm32-unknown-unknown`, or Debian's `rustc-web` with the sources of the library, from
//! which it makes `core` and `alloc` anew, so that not even a panic's message is left in.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use rune_testsuite::root;

const TARGET: &str = "wasm32-unknown-unknown";

/// Of what compilers turn on by themselves, what a rune may use; and all that the linker of runes reads.
const FLAGS: [&str; 6] = [
    "-Ctarget-cpu=mvp",
    "-Ctarget-feature=+mutable-globals,+sign-ext,+nontrapping-fptoint,+bulk-memory,+multivalue",
    "-Clink-arg=--no-entry",
    "-Clink-arg=--gc-sections",
    "-Clink-arg=--emit-relocs",
    "-Cstrip=none",
];

/// A compiler for blocks.
struct Toolchain {
    rustc: PathBuf,
    cargo: PathBuf,
    /// What `rustc -V` says, and how it is used.
    name: String,
    sysroot: String,
    /// Whether `core` and `alloc` are compiled too.
    builds_std: bool,
}

/// Compiles every block and puts it into the catalogue. With `check` it only compares, or, where the
/// compiler is another than the recorded one, runs the tests of the blocks with what it made.
///
/// # Errors
/// One sentence: no compiler, a failed command, or the blocks that differ.
pub(crate) fn run(check: bool) -> Result<(), String> {
    let toolchain = Toolchain::find()?;
    println!("compiling the blocks with {}", toolchain.name);
    let modules = toolchain.build()?;
    let catalogue = root().join("stdlib/catalogue");
    if !check {
        return write(&catalogue, &toolchain, &modules);
    }
    let recorded = rune_catalogue::toolchain();
    if recorded != toolchain.name {
        println!("the catalogue was made with {recorded}, so bytes cannot be compared");
        return test(&modules);
    }
    let differ: Vec<&str> = modules
        .iter()
        .filter(|(name, bytes)| rune_catalogue::block(&format!("runicos/{name}")) != Some(bytes))
        .map(|(name, _)| name.as_str())
        .collect();
    if differ.is_empty() {
        println!("the catalogue has the same bytes");
        return Ok(());
    }
    Err(format!(
        "the catalogue has other bytes for {}; run `cargo xtask blocks`",
        differ.join(", ")
    ))
}

impl Toolchain {
    fn find() -> Result<Self, String> {
        let rustup = Self::new("rustc".into(), "cargo".into(), "prebuilt core", false);
        let debian = || {
            Self::new(
                "/usr/bin/rustc".into(),
                "/usr/bin/cargo".into(),
                "-Zbuild-std",
                true,
            )
        };
        let has = |t: &Self, path: &str| {
            Path::new(&t.sysroot)
                .join("lib/rustlib")
                .join(path)
                .is_dir()
        };
        rustup
            .filter(|t| has(t, TARGET))
            .or_else(|| debian().filter(|t| has(t, "src/rust/library")))
            .ok_or_else(|| {
                format!("no compiler for {TARGET}: `rustup target add {TARGET}`, or Debian's rustc-web, cargo-web, rust-web-src and lld-19")
            })
    }

    fn new(rustc: PathBuf, cargo: PathBuf, how: &str, builds_std: bool) -> Option<Self> {
        let ask = |args: &[&str]| {
            let output = Command::new(&rustc).args(args).output().ok()?;
            let text = String::from_utf8(output.stdout).ok()?;
            output.status.success().then(|| text.trim().to_owned())
        };
        Some(Self {
            name: format!("{}, {how}", ask(&["-V"])?),
            sysroot: ask(&["--print", "sysroot"])?,
            rustc,
            cargo,
            builds_std,
        })
    }

    /// Every block by the name of its folder.
    fn build(&self) -> Result<Vec<(String, Vec<u8>)>, String> {
        let blocks = root().join("proc-blocks");
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| blocks.join("target"), PathBuf::from);
        let registry = env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(env::home_dir()?.join(".cargo")))
            .unwrap_or_default()
            .join("registry/src");
        let library = Path::new(&self.sysroot).join("lib/rustlib/src/rust/library");
        let mut flags: Vec<String> = FLAGS.map(str::to_owned).to_vec();
        for (from, to) in [(root(), "rune"), (&registry, "crates"), (&library, "std")] {
            flags.push(format!("--remap-path-prefix={}={to}", from.display()));
        }
        let mut cargo = Command::new(&self.cargo);
        cargo.current_dir(&blocks).args([
            "build",
            "--quiet",
            "--locked",
            "--release",
            "--target",
            TARGET,
        ]);
        if self.builds_std {
            cargo.args(["-Zbuild-std=core,alloc"]);
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld-19");
            flags.extend(["-Zunstable-options", "-Cpanic=immediate-abort"].map(str::to_owned));
        }
        // The instruction f32.sqrt, among others, is not yet stable outside `std`.
        cargo.env("RUSTC_BOOTSTRAP", "1");
        cargo
            .env("RUSTC", &self.rustc)
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
            .env("CARGO_TARGET_DIR", &target);
        match cargo.status() {
            Ok(status) if status.success() => {}
            Ok(_) => return Err("the blocks do not compile".to_owned()),
            Err(error) => return Err(format!("{} cannot be run: {error}", self.cargo.display())),
        }
        let out = target.join(TARGET).join("release");
        rune_catalogue::blocks()
            .map(|name| {
                let name = name.trim_start_matches("runicos/");
                let file = out.join(format!("rune_block_{}.wasm", name.replace('-', "_")));
                let bytes = fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?;
                Ok((name.to_owned(), bytes))
            })
            .collect()
    }
}

fn write(
    catalogue: &Path,
    toolchain: &Toolchain,
    modules: &[(String, Vec<u8>)],
) -> Result<(), String> {
    let put = |path: &str, bytes: &[u8]| {
        fs::write(catalogue.join(path), bytes).map_err(|e| format!("{path}: {e}"))
    };
    for (name, bytes) in modules {
        put(&format!("blocks/{name}.wasm"), bytes)?;
        println!("{name}: {} bytes", bytes.len());
    }
    let table = fs::read_to_string(catalogue.join("catalogue.toml")).map_err(|e| e.to_string())?;
    // Only these two keys are ours; comments and order stay.
    let mut name = "";
    let lines = table.lines().map(|line| {
        if let Some(value) = line.strip_prefix("name = ") {
            name = value.trim_matches('"').trim_start_matches("runicos/");
        }
        let module = modules.iter().find(|(n, _)| n == name);
        match (line.split(" = ").next(), module) {
            (Some("toolchain"), _) => format!("toolchain = \"{}\"\n", toolchain.name),
            (Some("sha256"), Some((_, bytes))) => format!("sha256 = \"{}\"\n", digest(bytes)),
            _ => format!("{line}\n"),
        }
    });
    put("catalogue.toml", lines.collect::<String>().as_bytes())
}

fn digest(bytes: &[u8]) -> String {
    let digits = rune_ir::digest(bytes).map(|b| format!("{b:02x}"));
    digits.concat()
}

/// Runs the tests that run blocks on these modules in place of the catalogue's.
fn test(modules: &[(String, Vec<u8>)]) -> Result<(), String> {
    let folder = env::temp_dir().join(format!("rune-blocks-{}", std::process::id()));
    let write = || {
        fs::create_dir_all(&folder)?;
        modules
            .iter()
            .try_for_each(|(name, bytes)| fs::write(folder.join(format!("{name}.wasm")), bytes))
    };
    write().map_err(|e| format!("{}: {e}", folder.display()))?;
    println!("running the tests of the blocks on what was compiled");
    let status = Command::new("cargo")
        .args(["test", "--quiet", "-p", "rune-blocks"])
        .env("RUNE_BLOCKS", &folder)
        .current_dir(root())
        .status();
    // What is left in a folder for temporary files hurts nobody.
    drop(fs::remove_dir_all(&folder));
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("the blocks do not pass their tests".to_owned()),
        Err(error) => Err(format!("cargo cannot be run: {error}")),
    }
}
