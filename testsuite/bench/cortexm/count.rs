//! A rune as C in a firmware of its own, and what QEMU counts.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rune_abi::ElementType;
use rune_c::{Mode, emit};
use rune_codegen::{Options, Simd};

use crate::case::{self, Case};

/// Calls of which one is counted as the mean.
const CALLS: u32 = 4;

/// For the processor of the board. The contraction of products and sums would change results.
const FLAGS: [&str; 9] = [
    "--target=thumbv7em-none-eabihf",
    "-mcpu=cortex-m7",
    "-mfpu=fpv5-d16",
    "-std=c99",
    "-O2",
    "-ffp-contract=off",
    "-ffreestanding",
    "-Wall",
    "-Werror",
];

/// A compiler of C for the board.
pub(crate) struct Compiler {
    program: &'static str,
    version: String,
    /// What divides integers of 64 bits, where there is such a library.
    library: Option<PathBuf>,
    folder: PathBuf,
}

/// What a call came to.
#[derive(Debug)]
pub(crate) struct Count {
    /// Instructions of each piece of a call.
    pub(crate) pieces: Vec<u64>,
    /// Of the results.
    pub(crate) sum: u64,
}

impl Count {
    pub(crate) fn total(&self) -> u64 {
        self.pieces.iter().sum()
    }
}

fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|o| o.status.success())?;
    String::from_utf8(output.stdout).ok()
}

impl Compiler {
    /// The first that is there, if QEMU is too. What is compiled is left in `keep`, or among what cargo made.
    pub(crate) fn find(keep: Option<PathBuf>) -> Option<Self> {
        said(Command::new("qemu-system-arm").arg("--version"))?;
        let (program, version) = ["clang-19", "clang"].into_iter().find_map(|program| {
            let text = said(Command::new(program).arg("--version"))?;
            Some((program, text.lines().next()?.to_owned()))
        })?;
        let library = said(Command::new("arm-none-eabi-gcc").args([
            "-mcpu=cortex-m7",
            "-mfpu=fpv5-d16",
            "-mfloat-abi=hard",
            "-mthumb",
            "-print-libgcc-file-name",
        ]));
        Some(Self {
            program,
            version,
            library: library.map(|path| PathBuf::from(path.trim())),
            folder: keep.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("cortexm")),
        })
    }

    /// What it calls itself, and how it optimises.
    pub(crate) fn name(&self) -> String {
        format!("{}, -O2", self.version)
    }

    /// Compiles a case and counts a call, by kernels if they are `apart`: each ends with a mark then.
    pub(crate) fn count(&self, case: &Case, simd: Simd, mode: Mode, apart: bool) -> Count {
        let options = Options {
            simd,
            flash: true,
            ..Options::default()
        };
        let output = rune_codegen::compile(&case.verified, &options).expect("the case compiles");
        let c = emit(
            &output.wasm,
            &rune_c::Options {
                mode,
                memory_bytes: Some(output.manifest.memory_bytes),
                memory_align: 16,
                ..rune_c::Options::default()
            },
        )
        .expect("a compiled rune becomes C");
        let folder = self
            .folder
            .join(format!("{}-{simd:?}-{mode:?}-{apart}", case.name));
        fs::create_dir_all(&folder).expect("the target folder can be written");
        let write = |file: &str, text: &str| {
            fs::write(folder.join(file), text).expect("the target folder can be written");
        };
        let samples = case::samples(&output);
        let samples: Vec<String> = samples.iter().map(u8::to_string).collect();
        let samples = samples.join(",");
        let fault = if c.header.contains("(*fault)") {
            "#define HAS_FAULT\n"
        } else {
            ""
        };
        let tensor = &output.manifest.outputs[0].tensors[0];
        let texts = if tensor.ty.element() == ElementType::Utf8 {
            "#define HAS_TEXT\n"
        } else {
            ""
        };
        let mut text = format!("#define CALLS {CALLS}\n{fault}{texts}#include \"rune.h\"\n");
        writeln!(text, "static const uint8_t samples[] = {{{samples}}};")
            .expect("a string takes all");
        write("case.h", &text);
        write("rune.h", &c.header);
        write("string.h", include_str!("../figure3/string.h"));
        write("rune.c", &if apart { marked(&c.source) } else { c.source });
        write("firmware.c", include_str!("firmware.c"));
        write("firmware.ld", include_str!("firmware.ld"));
        let status = Command::new(self.program)
            .args(FLAGS)
            .args([
                "-nostdlib",
                "-fuse-ld=lld",
                "-isystem",
                ".",
                "-T",
                "firmware.ld",
            ])
            .args(["rune.c", "firmware.c"])
            .args(&self.library)
            .args(["-o", "firmware.elf"])
            .current_dir(&folder)
            .status();
        assert!(
            status.is_ok_and(|s| s.success()),
            "{} does not compile",
            folder.display()
        );
        run(&folder)
    }
}

/// The C of a rune with a mark after each kernel that it calls.
fn marked(source: &str) -> String {
    let mut out = "void bench_mark(void);\n".to_owned();
    for line in source.lines() {
        out.push_str(line);
        let call = line
            .trim()
            .strip_prefix('f')
            .and_then(|l| l.strip_suffix("(c);"));
        if call.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit())) {
            out.push_str(" bench_mark();");
        }
        out.push('\n');
    }
    out
}

fn run(folder: &Path) -> Count {
    let output = Command::new("qemu-system-arm")
        .args(["-M", "mps2-an500", "-display", "none", "-monitor", "none"])
        .args(["-serial", "none", "-icount", "shift=6"])
        .args(["-semihosting-config", "enable=on,target=native", "-kernel"])
        .arg(folder.join("firmware.elf"))
        .stdin(Stdio::null())
        .output()
        .expect("QEMU can be run");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{}: {said}", folder.display());
    let numbers = said
        .split_whitespace()
        .map(|word| word.parse().expect("a number"));
    let mut numbers: Vec<u64> = numbers.collect();
    let sum = numbers.pop().expect("a sum of the results");
    Count {
        // A tick is 40 ns, and an instruction takes 64.
        pieces: numbers
            .iter()
            .map(|ticks| ticks * 40 / 64 / u64::from(CALLS))
            .collect(),
        sum,
    }
}
