//! Compilers: which there are, and how one makes objects and a linked image.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use rune_abi::image::Target;

use crate::{
    Error,
    elf::{self, Linked, Objects},
    unit::{ENTRY, FACTS, Unit},
};

/// The environment variable that names the compiler.
const CC: &str = "RUNE_CC";
/// The environment variable that names the linker.
const LD: &str = "RUNE_LD";
/// What compilers see of the environment: what finds programs and libraries, and nothing that changes what they make.
const ENVIRONMENT: [&str; 4] = ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH"];
/// The newest of versioned programs looked for.
const VERSIONS: std::ops::RangeInclusive<u32> = 14..=30;
/// Where it is linked to see that it does not matter: both are multiples of what code is aligned to, and of no more.
const PLACES: [u32; 2] = [0x0010_0020, 0x2f31_8a60];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Clang,
    Gcc,
}

/// A compiler of C and a linker for microcontrollers.
#[derive(Clone, Debug)]
pub struct Compiler {
    program: PathBuf,
    linker: PathBuf,
    family: Family,
    name: String,
}

impl Compiler {
    /// The one that the variables `RUNE_CC` and `RUNE_LD` name; otherwise the newest clang there is with LLVM's linker or
    /// that of GNU, or GCC for microcontrollers.
    ///
    /// # Errors
    /// There is none, with what to install; or the one that is named cannot be used.
    pub fn find() -> Result<Self, Error> {
        match env::var_os(CC).filter(|name| !name.is_empty()) {
            Some(program) => Self::named(&program),
            None => Self::all().into_iter().next().ok_or_else(|| {
                Error::Compiler(format!(
                    "an image needs a compiler of C for microcontrollers, and there is none; {}, or name one by {CC}",
                    advice()
                ))
            }),
        }
    }

    /// One of each kind that there is, clang first.
    pub fn all() -> Vec<Self> {
        let mut clangs = VERSIONS
            .rev()
            .map(|version| format!("clang-{version}"))
            .chain(["clang".to_owned()]);
        let clang = clangs.find_map(|program| Self::new(Path::new(&program)).ok());
        let gcc = Self::new(Path::new("arm-none-eabi-gcc")).ok();
        clang.into_iter().chain(gcc).collect()
    }

    /// A compiler by its program.
    ///
    /// # Errors
    /// It does not run, makes no code for microcontrollers, or there is no linker for it.
    pub fn named(program: &OsStr) -> Result<Self, Error> {
        Self::new(Path::new(program)).map_err(|reason| {
            Error::Compiler(format!(
                "{} cannot make an image: {reason}",
                program.display()
            ))
        })
    }

    fn new(program: &Path) -> Result<Self, String> {
        let version = ask(program, &["--version"]).ok_or("it does not say which version it is")?;
        let first = version.lines().next().unwrap_or_default().to_owned();
        let (family, linkers) = if first.contains("clang") {
            let targets = ask(program, &["--print-targets"]).unwrap_or_default();
            if !targets
                .lines()
                .any(|line| line.trim().starts_with("thumb "))
            {
                return Err("it knows no ARM".to_owned());
            }
            (Family::Clang, lld())
        } else {
            let machine = ask(program, &["-dumpmachine"]).unwrap_or_default();
            if !machine.starts_with("arm") || !machine.ends_with("eabi") {
                return Err(format!(
                    "it is neither clang nor GCC for bare ARM, but {first}"
                ));
            }
            (Family::Gcc, Vec::new())
        };
        let named = env::var_os(LD).filter(|name| !name.is_empty());
        let linkers: Vec<PathBuf> = match named {
            Some(linker) => vec![linker.into()],
            None => linkers
                .into_iter()
                .chain([PathBuf::from("arm-none-eabi-ld")])
                .collect(),
        };
        let found = linkers.iter().find_map(|linker| {
            let version = ask(linker, &["--version"])?;
            Some((linker, version.lines().next()?.to_owned()))
        });
        let (linker, linker_version) =
            found.ok_or("there is no linker for it: ld.lld or arm-none-eabi-ld")?;
        Ok(Self {
            name: format!("{first}, {linker_version}"),
            program: program.to_owned(),
            linker: linker.clone(),
            family,
        })
    }

    /// What compiler and linker say they are.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The program of the compiler.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The flags with which code of a target is compiled: those of an image but position independence, for comparing
    /// with the same C as part of a firmware.
    pub fn flags(&self, target: Target) -> Vec<&'static str> {
        let mut flags = match target {
            Target::CortexM7 => vec![
                "-mcpu=cortex-m7",
                "-mfpu=fpv5-d16",
                "-mfloat-abi=hard",
                "-mthumb",
            ],
        };
        if self.family == Family::Clang {
            flags.push("--target=thumbv7em-none-eabihf");
        }
        flags.extend([
            "-std=c99",
            "-O2",
            "-ffp-contract=off",
            "-fno-math-errno",
            "-ffreestanding",
            "-fomit-frame-pointer",
            "-Wall",
            "-Wextra",
        ]);
        flags
    }

    /// Compiles the files of a unit.
    pub(crate) fn compile(
        &self,
        room: &Room,
        target: Target,
        unit: &Unit,
    ) -> Result<Objects, Error> {
        for (name, text) in &unit.files {
            room.write(name, text)?;
        }
        let mut objects = Objects::new(unit.aligns);
        for (source, more) in [
            ("unit.c", &[][..]),
            // A loop that copies must not become a call of what it is in.
            ("support.c", &["-fno-builtin", "-Os"][..]),
        ] {
            let mut command = Self::command(&self.program, room);
            command.args(self.flags(target)).args(more).args([
                "-ffunction-sections",
                "-fno-unwind-tables",
                "-fno-asynchronous-unwind-tables",
                "-fno-stack-protector",
                "-fno-common",
                "-fvisibility=hidden",
                "-fstack-usage",
                "-I.",
            ]);
            command.args(match self.family {
                // Headers of whatever C library is there are left alone.
                Family::Clang => &["-nostdlibinc", "-fropi", "-Werror=inline-asm"][..],
                Family::Gcc => &[
                    "-fpie",
                    "-fno-tree-loop-distribute-patterns",
                    "-fno-reorder-blocks-and-partition",
                    "-frandom-seed=rune",
                ][..],
            });
            let object = source.replace(".c", ".o");
            command.args(["-c", source, "-o", &object]);
            self.run(&mut command)?;
            let usage = room.read(&source.replace(".c", ".su"))?;
            let usage = String::from_utf8_lossy(&usage).into_owned();
            objects.add(&object, &room.read(&object)?, &usage)?;
        }
        Ok(objects)
    }

    /// Links objects at two places, which must give the same bytes.
    pub(crate) fn link(&self, room: &Room, objects: &Objects) -> Result<Linked, Error> {
        let [first, second] = PLACES.map(|base| {
            room.write("image.ld", &script(base))?;
            let mut command = Self::command(&self.linker, room);
            command
                .args([
                    "-T",
                    "image.ld",
                    "--gc-sections",
                    "--no-undefined",
                    "-o",
                    "image.elf",
                ])
                .args(objects.files());
            self.run(&mut command)?;
            elf::linked(&room.read("image.elf")?, base)
        });
        first?.same_as(&second?)
    }

    fn command(program: &Path, room: &Room) -> Command {
        let mut command = command(program);
        command.current_dir(&room.0).stdin(Stdio::null());
        command
    }

    fn run(&self, command: &mut Command) -> Result<(), Error> {
        let program = command.get_program().display().to_string();
        let done = command
            .output()
            .map_err(|error| Error::Compiler(format!("{program} cannot be run: {error}")))?;
        if done.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
        let said = if said.is_empty() {
            done.status.to_string()
        } else {
            said
        };
        Err(Error::Failed {
            program: format!("{program} ({})", self.name),
            said,
        })
    }
}

/// The linkers of LLVM that there may be.
fn lld() -> Vec<PathBuf> {
    let versioned = VERSIONS.rev().map(|version| format!("ld.lld-{version}"));
    versioned
        .chain(["ld.lld".to_owned()])
        .map(PathBuf::from)
        .collect()
}

/// Constants first, then code, and nothing else.
fn script(base: u32) -> String {
    format!(
        "ENTRY({ENTRY})\nSECTIONS {{\n    . = {base:#x};\n    \
         .rodata : {{ *(.rodata .rodata.*) . = ALIGN(32); }}\n    \
         .text : ALIGN(32) {{ *(.text.{ENTRY}) *(.text .text.*) . = ALIGN(4); }}\n    \
         .data : {{ *(.data .data.*) }}\n    .bss : {{ *(.bss .bss.* COMMON) }}\n    \
         .got : {{ *(.got .got.* .igot.* .plt .plt.*) }}\n    \
         /DISCARD/ : {{ *({FACTS} .comment .ARM.attributes .ARM.exidx .ARM.exidx.* .ARM.extab .ARM.extab.* .note .note.*) }}\n}}\n\
         ASSERT(SIZEOF(.data) == 0, \"an image has no variables\")\n\
         ASSERT(SIZEOF(.bss) == 0, \"an image has no variables\")\n\
         ASSERT(SIZEOF(.got) == 0, \"an image has no table of addresses\")\n"
    )
}

/// A folder for the files of one image, which goes away with it.
pub(crate) struct Room(PathBuf);

impl Room {
    pub(crate) fn new() -> Result<Self, Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("runec-{}-{count}", std::process::id()));
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        // It must be new: someone else's could hold other files.
        builder
            .create(&path)
            .map_err(|error| files(&path, &error))?;
        Ok(Self(path))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.0.join(name);
        fs::write(&path, text).map_err(|error| files(&path, &error))
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        let path = self.0.join(name);
        fs::read(&path).map_err(|error| files(&path, &error))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn files(path: &Path, error: &std::io::Error) -> Error {
    Error::Files(format!("{}: {error}", path.display()))
}

/// What to install on the system this is.
pub fn advice() -> String {
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let lines = system.lines().filter(|line| line.starts_with("ID"));
    let words: Vec<&str> = lines.flat_map(|line| line.split(['=', ' ', '"'])).collect();
    let known = [
        ("debian", "apt install clang lld"),
        ("fedora", "dnf install clang lld"),
    ];
    let found = known.iter().find(|(system, _)| words.contains(system));
    match found {
        Some((_, how)) => format!("install one with `{how}`"),
        None if cfg!(target_os = "macos") => "install one with `brew install llvm lld`".to_owned(),
        None => "install clang and lld with `apt install clang lld` (Debian), `dnf install clang lld` (Fedora) or \
                 `brew install llvm lld` (macOS), or GCC for arm-none-eabi"
            .to_owned(),
    }
}

/// A command that sees of the environment only [`ENVIRONMENT`].
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    let kept = ENVIRONMENT
        .iter()
        .filter_map(|name| Some((name, env::var_os(name)?)));
    // Messages in English, without colours.
    command.env_clear().envs(kept).env("LC_ALL", "C");
    command
}

/// What a program prints on standard output.
fn ask(program: &Path, args: &[&str]) -> Option<String> {
    let output = command(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
