//! What documentation shows: the fenced examples of a page, the commands it names, and a folder in which an
//! example is compiled as its reader would.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rune_codegen::{Options, Output};
use runec::{
    Compilation,
    driver::{self, Request},
    world::Input,
};

/// The files that examples name, and where their content lies in the repository.
const FILES: [(&str, &str); 17] = [
    (
        "broken.wasm",
        "frontend/blocks/tests/fixtures/no-section.wasm",
    ),
    (
        "counts.wasm",
        "frontend/blocks/tests/fixtures/counting.wasm",
    ),
    ("hashes.wasm", "frontend/blocks/tests/fixtures/faulty.wasm"),
    ("smooth.wasm", "frontend/blocks/tests/fixtures/smooth.wasm"),
    ("digits.tflite", "examples/digits/digits.tflite"),
    ("exported.tflite", "testsuite/ui/strange.tflite"),
    ("gesture.rune", "testsuite/fixtures/keeper.wasm"),
    ("gesture.tflite", "examples/gesture/gesture.tflite"),
    ("mixed.tflite", "testsuite/ui/mixed.tflite"),
    ("keyword.tflite", "examples/keyword/keyword.tflite"),
    ("model.tflite", "examples/paper/example.tflite"),
    ("old.tflite", "testsuite/ui/old.tflite"),
    ("newer.tflite", "examples/gesture/gesture.tflite"),
    ("no-sources/README.md", "testsuite/ui/no-sources/README.md"),
    ("part.tflite", "testsuite/ui/truncated.tflite"),
    ("slow.tflite", "examples/gesture/gesture.tflite"),
    ("sine.tflite", "examples/sine/sine.tflite"),
];

/// A fenced example of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence<'a> {
    /// What stands behind the three backticks, such as `runefile`.
    pub info: &'a str,
    /// What stands between the fences, with the line feed of its last line.
    pub text: String,
    /// The line of the opening fence, from 1.
    pub line: usize,
}

impl Fence<'_> {
    /// The language: the first word of `info`.
    pub fn language(&self) -> &str {
        self.info.split([' ', ',']).next().unwrap_or_default()
    }

    /// The path of the file that this is, where a comment on the first line says one: `# ./base/Runefile`.
    pub fn file(&self) -> Option<&str> {
        let path = self.text.lines().next()?.strip_prefix("# ./")?;
        (!path.contains(' ')).then_some(path)
    }
}

/// Every fenced example of a page in Markdown, in order.
pub fn fences(page: &str) -> Vec<Fence<'_>> {
    let mut fences = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let content = lines.by_ref().map(|(_, l)| l).take_while(|l| *l != "```");
            let text = content.flat_map(|l| [l, "\n"]).collect();
            let line = index + 1;
            fences.push(Fence { info, text, line });
        }
    }
    fences
}

/// The commands of a program that a page names, in lines of its fences and between backticks in its text, as
/// words without what a shell would take for itself and without a remark two blanks on.
pub fn commands(page: &str, program: &str) -> Vec<Vec<String>> {
    let start = format!("{program} ");
    let mut found = Vec::new();
    let mut text = page.to_owned();
    for fence in fences(page) {
        text = text.replacen(&fence.text, "", 1);
        if !["", "sh", "console", "text"].contains(&fence.language()) {
            continue;
        }
        let lines = fence.text.lines().map(|l| l.trim_start_matches("$ "));
        found.extend(lines.filter(|l| l.starts_with(&start)).map(str::to_owned));
    }
    // What is between backticks may go on in the next line, and is every second part.
    let text = text.replace("```", "").replace('\n', " ");
    let spans = text.split('`').skip(1).step_by(2);
    found.extend(spans.filter(|s| s.starts_with(&start)).map(str::to_owned));
    found.iter().map(|command| words(command)).collect()
}

fn words(command: &str) -> Vec<String> {
    let command = command.split("  ").next().unwrap_or_default();
    let words = command.split_whitespace();
    let own = words.take_while(|w| !["|", "||", ">", "<", "&&", "#"].contains(w));
    own.map(str::to_owned).collect()
}

/// An empty folder for the tests of one page, emptied if it is there; `room` is the tests' own.
///
/// # Panics
/// Where it cannot be made.
pub fn folder(room: &str, name: &str) -> PathBuf {
    let folder = Path::new(room).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("the last run left a folder that can be removed");
    }
    fs::create_dir_all(&folder).expect("the tests may write");
    folder
}

/// Writes a file and the folders it lies in.
///
/// # Panics
/// Where that cannot be.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    let folder = path.parent().expect("a file lies in a folder");
    fs::create_dir_all(folder).expect("the tests may write");
    fs::write(path, bytes).expect("the tests may write");
}

/// Writes the files that examples name: models, blocks and labels.
///
/// # Panics
/// Where that cannot be.
pub fn lay_out(folder: &Path) {
    for (name, source) in FILES {
        let bytes = fs::read(crate::root().join(source)).expect("the repository has it");
        write(&folder.join(name), bytes);
    }
    write(&folder.join("labels.txt"), "Wing\nRing\nSlope\nUnknown\n");
}

/// What `runec check` says of the Runefile of a folder, and `runec build` after that.
///
/// # Panics
/// Where there is no Runefile.
pub fn compile(folder: &Path, options: &Options) -> Compilation<Output> {
    let input = Input::open(folder).expect("the folder has a Runefile");
    let path = Path::new(&input.path).strip_prefix(folder);
    let shown = path.expect("the Runefile is in it").display().to_string();
    let request = Request {
        path: &shown,
        fit: Some(options.clone()),
        ..input.request()
    };
    driver::generate(driver::analyse(&request), options)
}
