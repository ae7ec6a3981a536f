//! Folders and programs.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A folder with a store and a configuration of docker of its own.
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    /// What is added to the environment.
    pub(crate) environment: Vec<(String, String)>,
}

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("rune-registry")
            .join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("docker")).unwrap();
        Self {
            folder,
            environment: vec![],
        }
    }

    pub(crate) fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.folder.join(path)).unwrap()
    }

    pub(crate) fn text(&self, path: &str) -> String {
        String::from_utf8(self.read(path)).unwrap()
    }

    /// Runs any program here: exit status, standard output, standard error.
    pub(crate) fn run(&self, program: &str, args: &[impl AsRef<OsStr>]) -> (i32, String, String) {
        let output = Command::new(program)
            .args(args)
            .current_dir(&self.folder)
            .env("RUNE_STORE", self.folder.join("store"))
            .env("DOCKER_CONFIG", self.folder.join("docker"))
            .envs(self.environment.iter().map(|(k, v)| (k, v)))
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr),
        )
    }

    pub(crate) fn rune(&self, args: &[&str]) -> (i32, String, String) {
        self.run(env!("CARGO_BIN_EXE_rune"), args)
    }

    /// Runs `rune` where it must end well: what it printed.
    #[track_caller]
    pub(crate) fn done(&self, args: &[&str]) -> String {
        let (status, printed, said) = self.rune(args);
        assert_eq!(status, 0, "{args:?}: {said}");
        printed
    }

    /// Runs `rune` where it must fail with a status: why.
    #[track_caller]
    pub(crate) fn fails(&self, status: i32, args: &[&str]) -> String {
        let (got, printed, said) = self.rune(args);
        assert_eq!((got, printed.as_str()), (status, ""), "{args:?}: {said}");
        said
    }
}

/// A pipeline without a model, whose text lies in a file.
pub(crate) const BASE: &str = "\
FROM runicos/base
LABEL name=base version=1.2.3
RESOURCE ./names.txt names
CAPABILITY<F32[4]> RAND numbers
PROC_BLOCK runicos/most-confident-indices best
PROC_BLOCK runicos/label label --labels $names
OUT SERIAL
RUN numbers best label serial
";

/// A place with the base built as `base.rune` with its sources, and as `plain.rune` without.
pub(crate) fn with_base(name: &str) -> Place {
    let place = Place::new(name);
    place.put("base/Runefile", BASE);
    place.put("base/names.txt", "a\nb\nc\nd\n");
    place.done(&["build", "base", "--with-source", "-o", "base.rune"]);
    place.done(&["build", "base", "-o", "plain.rune"]);
    place
}
