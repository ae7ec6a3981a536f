//! Applications as C, and their compiler for the board.

use std::{fs, path::Path, process::Command};

use rune_abi::image::Target;
use rune_c::{Mode, Options, emit};

use crate::app::App;

/// A compiler of C for the board, which compiles what is native as it compiles images.
pub(crate) struct Compiler(pub(crate) rune_aot::Compiler);

impl Compiler {
    /// The one that makes images.
    pub(crate) fn find() -> Option<Self> {
        rune_aot::Compiler::find().ok().map(Self)
    }

    /// What it calls itself, and how it compiles.
    pub(crate) fn name(&self) -> String {
        let flags = self.0.flags(Target::CortexM7).join(" ");
        format!("{}, {flags}", self.0.name())
    }

    /// Compiles applications to objects in a folder.
    pub(crate) fn compile(&self, apps: &[App], folder: &Path) {
        let write = |file: &str, text: &str| {
            let path = folder.join(file);
            fs::write(&path, text).expect("the target folder can be written");
            path
        };
        write("string.h", include_str!("string.h"));
        for App { name, code, .. } in apps {
            let bytes = code.manifest.memory_bytes;
            let options = Options {
                name: (*name).to_owned(),
                mode: Mode::None,
                memory_bytes: Some(bytes),
                memory_align: 16,
                ..Options::default()
            };
            let emitted = emit(&code.wasm, &options).expect("a compiled rune becomes C");
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
        let status = Command::new(self.0.program())
            .args(self.0.flags(Target::CortexM7))
            .arg("-c")
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
