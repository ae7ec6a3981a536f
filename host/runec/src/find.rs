//! Which Runefiles the paths of a command line mean.

use std::{
    env, fs, io,
    io::Read,
    path::{Component, Path, PathBuf},
};

use rune_runefile::Format;

use crate::world::Input;

/// Folders that hold what programs wrote, not people.
const GENERATED: [&str; 2] = ["target", "node_modules"];
/// One byte more than the parser takes, which says what is wrong with a Runefile so long.
const MOST_BYTES: u64 = rune_runefile::MAX_BYTES as u64 + 1;

/// Paths on the command line, the same for every command that takes several Runefiles.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Paths {
    /// Runefiles, folders to look for them in, or `-` for standard input.
    #[arg(default_value = ".", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// The path of what is read from standard input: its folder is where files are looked for, and its
    /// name says whether it is YAML.
    #[arg(long, value_name = "PATH")]
    pub(crate) stdin_filename: Option<PathBuf>,
}

impl Paths {
    /// What the paths mean.
    pub(crate) fn find(&self) -> Found {
        find(&self.paths, self.stdin_filename.as_deref())
    }
}

/// One Runefile to open.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Standard input, under the path to show for it.
    Stdin(PathBuf),
    /// A file, by its path relative to the working directory where it is in it.
    File(PathBuf),
}

impl Source {
    /// The path to show.
    pub fn path(&self) -> &Path {
        match self {
            Self::Stdin(path) | Self::File(path) => path,
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// One sentence on why it cannot be read.
    pub fn open(&self) -> Result<Input, String> {
        let path = self.path();
        let mut bytes = Vec::new();
        let read = match self {
            Self::Stdin(_) => io::stdin().take(MOST_BYTES).read_to_end(&mut bytes),
            Self::File(path) => {
                fs::File::open(path).and_then(|file| file.take(MOST_BYTES).read_to_end(&mut bytes))
            }
        };
        match read {
            Ok(_) => Ok(Input::new(path, bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(format!("there is no {}", path.display()))
            }
            Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
        }
    }
}

/// What some paths mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The Runefiles, sorted by path, each once.
    pub sources: Vec<Source>,
    /// What is wrong with the paths, one sentence each; the rest is to be worked on all the same.
    pub faults: Vec<String>,
}

/// What paths mean: a file whatever its name, every Runefile in a folder and the folders below it, and `-` for
/// standard input, to be shown as `stdin`.
///
/// Hidden files and folders, `target`, `node_modules` and symbolic links to folders are passed over, unless
/// they are among the paths themselves.
pub fn find(paths: &[PathBuf], stdin: Option<&Path>) -> Found {
    let mut found = Found::default();
    let here = env::current_dir().ok();
    for path in paths {
        if path.as_os_str() == "-" {
            let shown =
                stdin.map_or_else(|| PathBuf::from("<stdin>"), |p| shorten(p, here.as_deref()));
            found.sources.push(Source::Stdin(shown));
        } else if path.is_dir() {
            let before = (found.sources.len(), found.faults.len());
            walk(&shorten(path, here.as_deref()), &mut found);
            if before == (found.sources.len(), found.faults.len()) {
                found.faults.push(format!(
                    "folder {} has no Runefile, nor has any below it; Runefiles are named `Runefile`, \
                     `NAME.Runefile` or `Runefile.NAME`",
                    path.display()
                ));
            }
        } else {
            found
                .sources
                .push(Source::File(shorten(path, here.as_deref())));
        }
    }
    if stdin.is_some() && !paths.iter().any(|p| p.as_os_str() == "-") {
        found.faults.push(
            "--stdin-filename says what standard input is called, which is read for the path `-`"
                .to_owned(),
        );
    }
    found.sources.sort();
    found.sources.dedup();
    found
}

/// A file's name without `.yml` or `.yaml`.
pub(crate) fn without_yaml(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, _)) if Format::of(name) == Format::Yaml => stem,
        _ => name,
    }
}

/// Whether a file of this name is a Runefile: `Runefile`, `NAME.Runefile` or `Runefile.NAME`, also with `.yml`
/// or `.yaml`.
pub fn is_runefile(name: &str) -> bool {
    let name = without_yaml(name);
    // Names of lock files end so.
    if Path::new(name).extension().is_some_and(|end| end == "lock") {
        return false;
    }
    let rest = name
        .strip_suffix(".Runefile")
        .or_else(|| name.strip_prefix("Runefile."));
    name == "Runefile" || rest.is_some_and(|rest| !rest.is_empty() && !name.starts_with('.'))
}

/// Takes in the Runefiles of a folder and those below it. Links to folders are not followed, so the walk ends.
fn walk(root: &Path, found: &mut Found) {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let shown = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder.as_path()
        };
        let mut enter = |entry: io::Result<fs::DirEntry>| -> io::Result<()> {
            let entry = entry?;
            let (name, kind) = (entry.file_name(), entry.file_type()?);
            let name = name.to_string_lossy();
            let path = folder.join(entry.file_name());
            if kind.is_dir() {
                if !name.starts_with('.') && !GENERATED.contains(&&*name) {
                    folders.push(path);
                }
            // What a link leads to may be missing: opening it says so.
            } else if is_runefile(&name) && (kind.is_file() || kind.is_symlink() && !path.is_dir())
            {
                found.sources.push(Source::File(path));
            }
            Ok(())
        };
        let read = fs::read_dir(shown).and_then(|mut entries| entries.try_for_each(&mut enter));
        if let Err(error) = read {
            let fault = format!("folder {} cannot be read: {error}", shown.display());
            found.faults.push(fault);
        }
    }
}

/// A path without `.` in it, relative to the working directory if it lies in it; empty for that itself.
fn shorten(path: &Path, here: Option<&Path>) -> PathBuf {
    let inside = here.and_then(|here| path.strip_prefix(here).ok());
    inside
        .unwrap_or(path)
        .components()
        .filter(|part| *part != Component::CurDir)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        reason = "a test that cannot go on fails where it stands"
    )]

    use super::*;

    /// A folder of one test alone, with these empty files.
    fn folder(name: &str, files: &[&str]) -> PathBuf {
        let root = env::temp_dir().join(format!("runec-find-{}-{name}", std::process::id()));
        for file in files {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        root
    }

    fn shown(root: &Path, found: &Found) -> Vec<String> {
        let below = |s: &Source| s.path().strip_prefix(root).unwrap().display().to_string();
        found.sources.iter().map(below).collect()
    }

    #[test]
    fn a_folder_means_the_runefiles_in_it_and_below_in_order() {
        let root = folder(
            "order",
            &[
                "b/Runefile",
                "b/deep/er/sine.Runefile",
                "b/deep/er/cosine.Runefile.yaml",
                "b/deep/er/notes.yaml",
                "b/Runefile.yml",
                "a/Runefile.int8",
                "Runefile",
                "sine.rune",
                "runefile",
                ".Runefile",
                "Runefile.",
                "Runefiles",
                ".git/Runefile",
                "target/Runefile",
                "b/node_modules/x/Runefile",
            ],
        );
        let found = find(&[root.clone(), root.join("b/./Runefile")], None);
        assert_eq!(
            shown(&root, &found),
            [
                "Runefile",
                "a/Runefile.int8",
                "b/Runefile",
                "b/Runefile.yml",
                "b/deep/er/cosine.Runefile.yaml",
                "b/deep/er/sine.Runefile",
            ]
        );
        assert!(found.faults.is_empty());
        let hidden = find(&[root.join(".git")], None);
        assert_eq!(shown(&root, &hidden), [".git/Runefile"]);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_file_is_taken_whatever_its_name_and_a_bare_folder_is_a_fault() {
        let root = folder("bare", &["x/notes.txt"]);
        let found = find(&[root.join("x/notes.txt"), root.join("gone")], None);
        assert_eq!(shown(&root, &found), ["gone", "x/notes.txt"]);
        assert!(
            found.sources[0]
                .open()
                .unwrap_err()
                .starts_with("there is no ")
        );
        let found = find(std::slice::from_ref(&root), None);
        assert!(found.sources.is_empty());
        assert!(found.faults[0].contains("has no Runefile"), "{found:?}");
        fs::remove_dir_all(root).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn links_in_a_circle_end() {
        use std::os::unix::fs::symlink;
        let root = folder("links", &["a/Runefile"]);
        symlink(&root, root.join("a/up")).unwrap();
        symlink("Runefile.self", root.join("a/Runefile.self")).unwrap();
        symlink("a/Runefile", root.join("linked.Runefile")).unwrap();
        symlink("a", root.join("folder.Runefile")).unwrap();
        let found = find(std::slice::from_ref(&root), None);
        assert_eq!(
            shown(&root, &found),
            ["a/Runefile", "a/Runefile.self", "linked.Runefile"]
        );
        assert!(found.sources[1].open().is_err());
        assert!(found.sources[2].open().is_ok());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn standard_input_goes_by_the_name_it_is_given() {
        let paths = [PathBuf::from("-"), PathBuf::from("-")];
        let named = find(&paths, Some(Path::new("./a/Runefile.yml")));
        assert_eq!(named.sources, [Source::Stdin("a/Runefile.yml".into())]);
        assert_eq!(
            find(&paths, None).sources,
            [Source::Stdin("<stdin>".into())]
        );
        let fault = find(&[PathBuf::from("x")], Some(Path::new("y"))).faults;
        assert!(fault[0].contains("--stdin-filename"), "{fault:?}");
    }

    #[test]
    fn paths_are_shown_from_the_working_directory() {
        let here = Some(Path::new("/home/me"));
        for (path, shown) in [
            ("/home/me/a/Runefile", "a/Runefile"),
            ("./a/./Runefile", "a/Runefile"),
            ("../b/Runefile", "../b/Runefile"),
            ("/etc/Runefile", "/etc/Runefile"),
            (".", ""),
        ] {
            assert_eq!(shorten(Path::new(path), here), Path::new(shown), "{path}");
        }
    }
}
