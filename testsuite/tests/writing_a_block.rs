//! `docs/book/writing-a-block.md` does what it says: its files are written, its commands run, and what they
//! print is what it shows.
//!
//! A fenced block with a path behind its language is that file. In a `console` block a line with `$` is a
//! command, and the lines below it are some of those that it prints, in order; `...` says that there are
//! more. A command without any ends well.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use rune_testsuite::{
    pages::{Fence, fences},
    root, skip,
};
use runec::toolchain::{Clang, Rust};

#[test]
fn the_book_shows_how_to_write_a_block() {
    let name = "the_book_shows_how_to_write_a_block";
    if Rust::find().is_none() {
        return skip(name, "no Rust compiler for WebAssembly");
    }
    if Clang::find().is_none() {
        return skip(name, "no clang with wasm-ld");
    }
    for program in ["bash", "make", "cc", "c++"] {
        if Command::new(program).arg("--version").output().is_err() {
            return skip(name, &format!("no {program}"));
        }
    }
    let text = fs::read_to_string(root().join("docs/book/writing-a-block.md")).unwrap();
    let mut reader = Reader::new();
    let (mut files, mut commands) = (0, 0);
    for fence in fences(&text) {
        match fence.info.split_once(' ') {
            Some((_, path)) => {
                reader.write(path, &fence.text);
                files += 1;
            }
            None if fence.info == "console" => commands += reader.follow(&fence),
            None => {}
        }
    }
    assert!(
        files >= 6 && commands >= 10,
        "{files} files, {commands} commands"
    );
}

/// Somebody who follows the text in a folder of their own.
struct Reader {
    top: PathBuf,
    /// Where the commands have led.
    here: PathBuf,
    tools: PathBuf,
    cache: PathBuf,
}

impl Reader {
    fn new() -> Self {
        let room = Path::new(env!("CARGO_TARGET_TMPDIR")).join("writing-a-block");
        let (top, tools, cache) = (room.join("top"), room.join("tools"), room.join("cache"));
        for folder in [&top, &tools, &cache] {
            let _ = fs::remove_dir_all(folder);
            fs::create_dir_all(folder).unwrap();
        }
        for tool in ["runec", "rune"] {
            symlink(env!("CARGO_BIN_EXE_xtask"), tools.join(tool)).unwrap();
        }
        Self {
            here: top.clone(),
            top,
            tools,
            // Of a reader who begins: one who was here before has the changed block built already.
            cache,
        }
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.top.join(path);
        let folder = path.parent().unwrap();
        assert!(
            folder.is_dir(),
            "no command before made {}",
            folder.display()
        );
        fs::write(path, text).unwrap();
    }

    /// Runs the commands of a block; gives their number.
    fn follow(&mut self, fence: &Fence<'_>) -> usize {
        let mut count = 0;
        for part in fence.text.split("$ ").skip(1) {
            let (command, shown) = part.split_once('\n').unwrap();
            count += 1;
            let (ended_well, printed) = self.run(command);
            let mut lines = printed.lines();
            let shown = shown.lines().filter(|l| !l.is_empty() && *l != "...");
            let shown: Vec<&str> = shown.collect();
            assert!(
                ended_well || !shown.is_empty(),
                "line {}: `{command}` fails\n{printed}",
                fence.line
            );
            for line in shown {
                assert!(
                    lines.any(|l| l == line),
                    "line {}: `{command}` does not print\n{line}\nbut\n{printed}",
                    fence.line
                );
            }
        }
        count
    }

    /// Whether a command ends well, and what it prints: on standard output, then on standard error.
    fn run(&mut self, command: &str) -> (bool, String) {
        if let Some(folder) = command.strip_prefix("cd ") {
            self.here = fs::canonicalize(self.here.join(folder)).unwrap();
            return (true, String::new());
        }
        let path = env::var("PATH").unwrap_or_default();
        let output = Command::new("bash")
            .args(["-c", command])
            .current_dir(&self.here)
            .env("PATH", format!("{}:{path}", self.tools.display()))
            .env("XDG_CACHE_HOME", &self.cache)
            .env("CARGO_TARGET_DIR", self.cache.join("target"))
            .env("CARGO_NET_OFFLINE", "true")
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].map(|b| String::from_utf8_lossy(&b).into_owned());
        (output.status.success(), text.concat())
    }
}
