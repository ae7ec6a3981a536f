//! `runec fmt` as a person, an editor or a script meets it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const UNTIDY: &str = "FROM  runicos/base\r\nCAPABILITY numbers RAND  # four of them\nOUT SERIAL\n\n\n\
                      RUN numbers   serial";
const TIDY: &str = "FROM runicos/base\nCAPABILITY RAND numbers  # four of them\nOUT SERIAL\n\n\
                    RUN numbers serial\n";
const FAULTY: &str = "FROM runicos/base\nrun  a b\n";

/// A folder of one test alone, with these files.
fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("fmt")
        .join(name);
    let _ = fs::remove_dir_all(&folder);
    for (file, text) in files {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// Exit status, standard output and standard error of `runec fmt`.
fn fmt(folder: &Path, args: &[&str], stdin: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_runec"))
        .arg("fmt")
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may be gone by now.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn read(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap()
}

#[test]
fn every_runefile_of_a_folder_is_formatted_once() {
    let files = [
        ("Runefile", UNTIDY),
        ("a/x.Runefile", TIDY),
        ("b/Runefile", UNTIDY),
    ];
    let folder = folder("folder", &files);
    let (status, out, talk) = fmt(&folder, &[], "");
    assert_eq!(
        (status, &*out, &*talk),
        (0, "", "formatted 2 of 3 Runefiles\n")
    );
    for (file, _) in files {
        assert_eq!(read(&folder, file), TIDY, "{file}");
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
    assert_eq!(fmt(&folder, &[], ""), (0, String::new(), String::new()));
}

#[test]
fn check_lists_and_writes_nothing() {
    let folder = folder("check", &[("Runefile", UNTIDY), ("a/Runefile", TIDY)]);
    let (status, out, talk) = fmt(&folder, &["--check"], "");
    assert_eq!((status, &*out), (1, "Runefile\n"));
    assert_eq!(talk, "not canonical: 1 of 2 Runefiles\n");
    assert_eq!(read(&folder, "Runefile"), UNTIDY);
    assert_eq!(fmt(&folder, &["--check", "a"], "").0, 0);
}

#[test]
fn diff_shows_and_writes_nothing() {
    let folder = folder("diff", &[("Runefile", UNTIDY), ("a/Runefile", TIDY)]);
    let (status, out, _) = fmt(&folder, &["--diff"], "");
    assert_eq!(status, 1);
    let expected = "--- Runefile\n+++ Runefile\n@@ -1,6 +1,5 @@\n-FROM  runicos/base\r\n\
                    -CAPABILITY numbers RAND  # four of them\n+FROM runicos/base\n\
                    +CAPABILITY RAND numbers  # four of them\n OUT SERIAL\n \n-\n\
                    -RUN numbers   serial\n\\ No newline at end of file\n+RUN numbers serial\n";
    assert_eq!(out, expected);
    assert_eq!(read(&folder, "Runefile"), UNTIDY);
    let (_, out, _) = fmt(&folder, &["--diff", "--color", "always"], "");
    assert!(
        out.contains("\x1b[32m+RUN numbers serial\x1b[0m"),
        "{out:?}"
    );
    assert_eq!(fmt(&folder, &["--diff", "a"], "").0, 0);
    assert_eq!(fmt(&folder, &["--diff", "--check"], "").0, 2);
}

#[test]
fn standard_input_goes_to_standard_output() {
    let folder = folder("stdin", &[("Runefile", UNTIDY)]);
    for text in [UNTIDY, TIDY] {
        assert_eq!(
            fmt(&folder, &["-"], text),
            (0, TIDY.to_owned(), String::new())
        );
    }
    assert_eq!(fmt(&folder, &["-", "--check"], TIDY).0, 0);
    let name = ["-", "--stdin-filename", "b/Runefile", "--check"];
    assert_eq!(fmt(&folder, &name, UNTIDY).1, "b/Runefile\n");
    let (status, out, talk) = fmt(&folder, &["-", "--stdin-filename", "b/Runefile"], FAULTY);
    assert_eq!((status, &*out), (2, ""));
    assert!(talk.contains("b/Runefile:2:1"), "{talk}");
    assert_eq!(read(&folder, "Runefile"), UNTIDY);
}

#[test]
fn a_faulty_runefile_stays_as_it_is_and_the_others_are_formatted() {
    let folder = folder("faulty", &[("a/Runefile", FAULTY), ("b/Runefile", UNTIDY)]);
    let (status, out, talk) = fmt(&folder, &[], "");
    assert_eq!((status, &*out), (2, ""));
    assert!(
        talk.contains("a/Runefile:2:1") && talk.contains("R0002"),
        "{talk}"
    );
    assert!(talk.ends_with("formatted 1 of 2 Runefiles\n"), "{talk}");
    assert_eq!(read(&folder, "a/Runefile"), FAULTY);
    assert_eq!(read(&folder, "b/Runefile"), TIDY);
    assert_eq!(fmt(&folder, &["--check"], "").0, 2);
    assert_eq!(fmt(&folder, &["gone"], "").0, 2);
}

/// What is wrong with the meaning of a Runefile is no reason not to format it.
#[test]
fn unknown_names_do_not_matter() {
    let folder = folder("meaning", &[("Runefile", "FROM nowhere\nRUN  a   b\n")]);
    assert_eq!(fmt(&folder, &[], "").0, 0);
    assert_eq!(read(&folder, "Runefile"), "FROM nowhere\nRUN a b\n");
}

#[test]
fn yaml_is_passed_over_with_a_note() {
    let yaml = "version: 1\nimage:   runicos/base\npipeline: {}\n";
    let folder = folder("yaml", &[("Runefile.yml", yaml)]);
    let (status, out, talk) = fmt(&folder, &["Runefile.yml"], "");
    assert_eq!((status, &*out), (0, ""));
    assert!(talk.starts_with("note: Runefile.yml is YAML"), "{talk}");
    assert_eq!(read(&folder, "Runefile.yml"), yaml);
    let name = ["-", "--stdin-filename", "Runefile.yml"];
    assert_eq!(fmt(&folder, &name, yaml).1, yaml);
}

#[cfg(unix)]
#[test]
fn links_stay_links_and_permissions_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = folder("link", &[("real/Runefile", UNTIDY)]);
    let (real, link) = (folder.join("real/Runefile"), folder.join("Runefile"));
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real/Runefile", &link).unwrap();
    assert_eq!(fmt(&folder, &["Runefile"], "").0, 0);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&real).unwrap(), TIDY);
    assert_eq!(
        fs::metadata(&real).unwrap().permissions().mode() & 0o777,
        0o640
    );
    assert_eq!(fs::read_dir(folder.join("real")).unwrap().count(), 1);
}
