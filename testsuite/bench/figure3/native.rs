//! Applications as C, and their compiler for the board.

use std::{fs, path::Path, process::Command};

use rune_c::{Mode, Options, emit};
use rune_runtime::Rune;

use crate::app::App;

/// For both compilers. The contraction of products and sums would change results.
const FLAGS: [&str; 8] = [
    "-std=c99",
    "-O2",
    "-mcpu=cortex-m7",
    "-mfpu=fpv5-d16",
    "-mfloat-abi=hard",
    "-mthumb",
    "-ffp-contract=off",
    "-c",
];

/// A compiler of C for the board.
pub(crate) struct Compiler {
    program: &'static str,
    flags: &'static [&'static str],
    version: String,
}

impl Compiler {
    /// The first that is there.
    pub(crate) fn find() -> Option<Self> {
        let clang = &["--target=thumbv7em-none-eabihf"][..];
        let candidates = [
            ("clang-19", clang),
            ("clang", clang),
            ("arm-none-eabi-gcc", &[]),
        ];
        candidates.into_iter().find_map(|(program, flags)| {
            let output = Command::new(program).arg("--version").output().ok()?;
            let text = String::from_utf8(output.stdout).ok()?;
            let version = text.lines().next()?.to_owned();
            Some(Self {
                program,
                flags,
                version,
            })
        })
    }

    /// What it calls itself, and how it optimises.
    pub(crate) fn name(&self) -> String {
        format!("{}, -O2", self.version)
    }

    /// Compiles applications to objects in a folder.
    pub(crate) fn compile(&self, apps: &[App], folder: &Path) {
        let write = |file: &str, text: &str| {
            let path = folder.join(file);
            fs::write(&path, text).expect("the target folder can be written");
            path
        };
        write("string.h", include_str!("string.h"));
        for App { name, rune, .. } in apps {
            let loaded = Rune::load(rune.clone()).expect("a compiled rune keeps the contract");
            let bytes = loaded.manifest().memory_bytes;
            let options = Options {
                name: (*name).to_owned(),
                mode: Mode::None,
                memory_bytes: Some(bytes),
                ..Options::default()
            };
            let emitted = emit(rune, &options).expect("a compiled rune becomes C");
            let mut glue = format!("#define BYTES {bytes}\n");
            if emitted.header.contains("(*fault)") {
                glue += "#define HAS_FAULT\n";
            }
            glue += &include_str!("native.c").replace("NAME", name);
            write(&format!("{name}.h"), &emitted.header);
            self.object(&write(&format!("{name}.c"), &emitted.source));
            self.object(&write(&format!("{name}_native.c"), &glue));
        }
    }

    fn object(&self, source: &Path) {
        let status = Command::new(self.program)
            .args(self.flags)
            .args(FLAGS)
            .arg("-isystem")
            .arg(source.with_file_name(""))
            .arg(source)
            .arg("-o")
            .arg(source.with_extension("o"))
            .status();
        assert!(
            status.is_ok_and(|s| s.success()),
            "{} does not compile",
            source.display()
        );
    }
}
