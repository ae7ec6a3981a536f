//! What `runec new` writes: a Runefile, or a block with its test and the SDK beside it.

use std::{fs, io, path::Path};

mod sdk {
    //! The files of the block SDK, found by `build.rs`: names in its folder, and contents.
    include!(concat!(env!("OUT_DIR"), "/sdk.rs"));
}

/// How the SDK's sources name the two files it shares with the runtime; beside a block they lie in the SDK.
const SHARED: &str = "../../../stdlib/abi/src/";

/// The language a block is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Language {
    /// Rust, without the standard library.
    Rust,
    /// C.
    C,
    /// C++ without exceptions and run-time types.
    Cpp,
}

impl Language {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::C => "C",
            Self::Cpp => "C++",
        }
    }

    /// The command that tests a block.
    pub(crate) fn test(self) -> &'static str {
        match self {
            Self::Rust => "cargo test",
            Self::C | Self::Cpp => "make test",
        }
    }
}

/// Files to write: paths in the new folder, and contents.
type Files = Vec<(String, Vec<u8>)>;

/// The files of a rune.
pub(crate) fn rune() -> Files {
    let runefile = include_str!("../skeleton/rune/Runefile");
    vec![("Runefile".to_owned(), runefile.into())]
}

/// The files of a block.
pub(crate) fn block(name: &str, language: Language) -> Files {
    let version = env!("CARGO_PKG_VERSION");
    let fill = |text: &str| {
        let (c, cc) = match language {
            Language::Cpp => ("cpp", "CXX"),
            Language::C | Language::Rust => ("c", "CC"),
        };
        text.replace("@NAME@", name)
            .replace("@VERSION@", version)
            .replace("@LANGUAGE@", language.name())
            .replace("@C@", c)
            .replace("@CC@", cc)
    };
    macro_rules! files {
        ($($path:literal $from:literal),* $(,)?) => {
            vec![$(($path.to_owned(), fill(include_str!(concat!("../skeleton/", $from))).into_bytes())),*]
        };
    }
    let mut files: Files = match language {
        Language::Rust => files![
            "Cargo.toml" "rust/manifest.toml",
            "README.md" "rust/README.md",
            "block.toml" "rust/block.toml",
            "src/lib.rs" "rust/lib.rs",
            "sdk/Cargo.toml" "rust/sdk.toml",
        ],
        Language::C => files![
            "Makefile" "c/Makefile",
            "README.md" "c/README.md",
            "block.c" "c/block.c",
            "compute.h" "c/compute.h",
            "tests/test.c" "c/test.c",
        ],
        Language::Cpp => files![
            "Makefile" "c/Makefile",
            "README.md" "c/README.md",
            "block.cpp" "cpp/block.cpp",
            "compute.h" "cpp/compute.h",
            "tests/test.cpp" "cpp/test.cpp",
        ],
    };
    files.push((".gitignore".to_owned(), b"/target\n".to_vec()));
    let rust = language == Language::Rust;
    if rust {
        files.push(("Cargo.lock".to_owned(), lock(name, version).into_bytes()));
    }
    let sdk = if rust { sdk::RUST } else { sdk::C };
    files.extend(sdk.iter().map(|(path, content)| {
        let content = match std::str::from_utf8(content) {
            Ok(text) if rust => text.replace(SHARED, "").into_bytes(),
            _ => content.to_vec(),
        };
        (format!("sdk/{path}"), content)
    }));
    files
}

/// The lock file of a block's workspace, so that its first test changes nothing.
fn lock(name: &str, version: &str) -> String {
    let mut packages = [
        format!(
            "[[package]]\nname = \"rune-block-{name}\"\nversion = \"0.1.0\"\ndependencies = [\n \"rune-block-sdk\",\n]\n"
        ),
        format!("[[package]]\nname = \"rune-block-sdk\"\nversion = \"{version}\"\n"),
    ];
    packages.sort();
    include_str!("../skeleton/rust/lock.toml").to_owned() + &packages.join("\n")
}

/// Writes files into a new folder.
///
/// # Errors
/// That there is such a folder, or what else is in the way.
pub(crate) fn write(folder: &Path, files: &Files) -> io::Result<()> {
    fs::create_dir(folder)?;
    for (path, content) in files {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, content)?;
    }
    Ok(())
}
