//! Leave for sensors: who is asked, what is remembered, and what is denied.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use rune_abi::{Capability, CapabilityKind, ElementType, Value};
use rune_runtime::Rune;

use crate::{
    sources::tree,
    support::{self, capability, echo, manifest, param, pty, text, ty, wasm},
};

const PROMPT: &str = "Allow? [y]es, once / [a]lways for this rune / [N]o: ";
const SENSOR: &str = "iio:lis3dh,root=sys";

fn accel() -> Capability {
    let mut accel = capability(
        CapabilityKind::Accel,
        "accel",
        ty(ElementType::F32, &[2, 3]),
    );
    accel.params = vec![param("hz", Value::Integer(100))];
    accel
}

/// A folder with sensors in `sys` and a rune that reads an accelerometer.
fn folder(name: &str) -> PathBuf {
    let folder = support::folder("consent", name);
    tree(&folder.join("sys"));
    fs::write(folder.join("app.rune"), echo(accel())).unwrap();
    folder
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rune"));
    command
        .args(args)
        .current_dir(folder)
        .env("XDG_STATE_HOME", folder.join("state"))
        .env("NO_COLOR", "1")
        .stdout(Stdio::piped());
    command
}

/// Exit status, results, and what was said, of a run without a terminal.
fn alone(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let output = command(folder, args).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    done(&output, said)
}

fn done(output: &Output, said: String) -> (i32, String, String) {
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    (output.status.code().unwrap(), printed, said)
}

/// Reads from a terminal until it shows an end, or nobody writes to it any more.
fn shown(near: &mut File, end: Option<&str>) -> String {
    let mut shown = vec![];
    let mut bytes = [0; 1024];
    while let Ok(read @ 1..) = near.read(&mut bytes) {
        shown.extend_from_slice(&bytes[..read]);
        if end.is_some_and(|end| shown.ends_with(end.as_bytes())) {
            break;
        }
    }
    String::from_utf8(shown).unwrap().replace("\r\n", "\n")
}

/// The same of a run at a terminal, where somebody gives these answers, each when they are asked.
fn at_terminal(mut command: Command, answers: &[&str]) -> (i32, String, String) {
    let (mut near, far) = pty();
    let far = || Stdio::from(File::options().read(true).write(true).open(&far).unwrap());
    let child = command.stdin(far()).stderr(far()).spawn().unwrap();
    drop(command);
    let mut said = String::new();
    for answer in answers {
        said += &shown(&mut near, Some(PROMPT));
        near.write_all(answer.as_bytes()).unwrap();
    }
    said += &shown(&mut near, None);
    let output = child.wait_with_output().unwrap();
    done(&output, said)
}

fn ask(folder: &Path, args: &[&str], answers: &[&str]) -> (i32, String, String) {
    at_terminal(command(folder, args), answers)
}

const RUN: [&str; 6] = ["run", "app.rune", "-n", "1", "--accel", SENSOR];
const READ: &str = "[0.0, 0.5, -1.0, 0.0, 0.5, -1.0]";

fn digest(folder: &Path) -> String {
    let rune = Rune::load(fs::read(folder.join("app.rune")).unwrap()).unwrap();
    rune.digest_hex()
}

#[test]
fn yes_is_for_once() {
    let folder = folder("yes");
    for answer in ["y\n", "YES\n"] {
        let (status, printed, said) = ask(&folder, &RUN, &[answer]);
        assert_eq!(status, 0, "{said}");
        assert!(printed.contains(READ), "{printed}");
        let question = format!(
            "test 0.0.0 ({}, not signed) wants to read, at every call:\n  \
             accel: 2 readings of 3 axes at 100 Hz from {}/sys/bus/iio/devices/iio:device1 (lis3dh)\n{PROMPT}",
            &digest(&folder)[..12],
            folder.display()
        );
        assert_eq!(said.replace(answer, ""), question);
    }
    assert!(!folder.join("state/rune/consent").exists());
}

#[test]
fn always_is_remembered_by_rune_and_device() {
    let folder = folder("always");
    let (status, _, said) = ask(&folder, &RUN, &["a\n"]);
    assert_eq!((status, said.matches(PROMPT).count()), (0, 1), "{said}");
    let mode = |path: &str| {
        let metadata = fs::metadata(folder.join(path)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(
        (mode("state/rune"), mode("state/rune/consent")),
        (0o700, 0o600)
    );
    // Nobody is asked again, with a terminal or without.
    let (status, printed, said) = ask(&folder, &RUN, &[]);
    assert_eq!((status, said.as_str()), (0, ""));
    assert!(printed.contains(READ));
    assert_eq!(alone(&folder, &RUN).0, 0);
    let (_, list, _) = alone(&folder, &["consent", "list"]);
    let line = format!(
        "{}  test 0.0.0  accel  {}/sys/bus/iio/devices/iio:device1 (lis3dh)\n",
        &digest(&folder)[..12],
        folder.display()
    );
    assert_eq!(list, line);

    // Another device under another number, and another one under the same.
    let devices = folder.join("sys/bus/iio/devices");
    for file in fs::read_dir(devices.join("iio:device1")).unwrap() {
        let file = file.unwrap();
        fs::create_dir_all(devices.join("iio:device2")).unwrap();
        fs::copy(
            file.path(),
            devices.join("iio:device2").join(file.file_name()),
        )
        .unwrap();
    }
    let second = ["run", "app.rune", "-n", "1", "--accel", "iio:2,root=sys"];
    assert_eq!(ask(&folder, &second, &["n\n"]).0, 1);
    let name = devices.join("iio:device1/name");
    fs::write(&name, "other\n").unwrap();
    let first = ["run", "app.rune", "-n", "1", "--accel", "iio:1,root=sys"];
    assert_eq!(ask(&folder, &first, &["n\n"]).0, 1);
    fs::write(&name, "lis3dh\n").unwrap();
    assert_eq!(alone(&folder, &first).0, 0);

    // Another rune.
    let other = capability(
        CapabilityKind::Accel,
        "accel",
        ty(ElementType::F32, &[1, 3]),
    );
    fs::write(folder.join("other.rune"), echo(other)).unwrap();
    let args = ["run", "other.rune", "-n", "1", "--accel", SENSOR];
    assert_eq!(ask(&folder, &args, &["a\n"]).0, 0);
    let (_, list, _) = alone(&folder, &["consent", "list"]);
    assert_eq!(list.lines().count(), 2);

    // And back.
    let (status, _, said) = alone(&folder, &["consent", "forget", "zz"]);
    assert_eq!(
        (status, said.as_str()),
        (1, "error: nothing is remembered of a rune `zz`\n")
    );
    let begin = digest(&folder)[..12].to_owned();
    assert_eq!(alone(&folder, &["consent", "forget", &begin]).0, 0);
    assert_eq!(alone(&folder, &RUN).0, 1);
    assert_eq!(alone(&folder, &args).0, 0);
    assert_eq!(alone(&folder, &["consent", "forget", "--all"]).0, 0);
    assert_eq!(alone(&folder, &args).0, 1);
    assert_eq!(alone(&folder, &["consent", "list"]).1, "");
    assert_eq!(alone(&folder, &["consent", "forget"]).0, 2);
}

#[test]
fn what_is_not_yes_is_no() {
    let folder = folder("no");
    for answers in [
        &["n\n"][..],
        &["No\n"],
        &["\n"],
        &["\u{4}"],
        &["yep\n", "allow\n", "\u{fffd}y\n"],
        &["?\n", "\u{4}"],
    ] {
        let (status, printed, said) = ask(&folder, &RUN, answers);
        assert_eq!((status, printed.as_str()), (1, ""), "{answers:?}: {said}");
        let end = format!(
            "the rune reads ACCEL `accel` (F32[2, 3]) from {}/sys/bus/iio/devices/iio:device1 (lis3dh), which was refused\n",
            folder.display()
        );
        assert!(said.ends_with(&end), "{answers:?}: {said}");
        assert_eq!(said.matches(PROMPT).count(), answers.len(), "{said}");
    }
    assert!(!folder.join("state/rune/consent").exists());
    let (status, printed, said) = ask(&folder, &RUN, &["what\n", "y\n"]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("Please answer y, a or n.") && printed.contains(READ));
}

/// A rune with these capabilities that reads none of them.
fn idle(folder: &Path, capabilities: Vec<Capability>) {
    let bytes = wasm(&text(&manifest(capabilities, vec![]), "i32.const 2", ""));
    fs::write(folder.join("app.rune"), bytes).unwrap();
}

#[test]
fn without_a_terminal_all_is_denied_with_what_would_allow_it() {
    let folder = folder("denied");
    let warm = capability(
        CapabilityKind::Temperature,
        "warm",
        ty(ElementType::F32, &[2]),
    );
    let raw = capability(CapabilityKind::Raw, "raw", ty(ElementType::U8, &[2]));
    idle(&folder, vec![accel(), warm, raw]);
    let sensors = [
        "--accel",
        "iio:lis3dh,root=sys,axes=y-xz,rate=200",
        "--temperature",
        "sysfs:class/thermal/thermal_zone0/temp,root=sys",
    ];
    let run = |more: &[&str]| {
        alone(
            &folder,
            &[&["run", "app.rune"], &sensors[..], more].concat(),
        )
    };
    let (status, printed, said) = run(&[]);
    assert_eq!((status, printed.as_str()), (1, ""));
    let top = folder.display();
    let want = [
        "error: the rune reads RAW `raw` (U8[2]): give --raw FILE".to_owned(),
        format!(
            "error: the rune reads ACCEL `accel` (F32[2, 3]) from {top}/sys/bus/iio/devices/iio:device1 (lis3dh), a sensor, and there is no terminal to ask at; `--allow accel` would allow it, and a policy would allow it with `capabilities.accel = {{ kind = \"ACCEL\", source = \"iio\", device = \"iio:device1\", root = \"{top}/sys\", rate = 200.0, axes = \"y-xz\" }}`"
        ),
        format!(
            "error: the rune reads TEMPERATURE `warm` (F32[2]) from {top}/sys/class/thermal/thermal_zone0/temp, a sensor, and there is no terminal to ask at; `--allow warm` would allow it, and a policy would allow it with `capabilities.warm = {{ kind = \"TEMPERATURE\", source = \"sysfs\", device = \"class/thermal/thermal_zone0/temp\", root = \"{top}/sys\" }}`"
        ),
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), want);

    // The lines do what they say, wherever the policy lies; what a policy binds is not asked for.
    fs::write(folder.join("in.bin"), [1, 2]).unwrap();
    let lines = said.lines().skip(1);
    let lines = lines.map(|line| line.split('`').rev().nth(1).unwrap().to_owned() + "\n");
    let policy = "version = 1\n".to_owned() + &lines.collect::<String>();
    fs::create_dir(folder.join("deep")).unwrap();
    fs::write(folder.join("deep/p.toml"), &policy).unwrap();
    let bound = ["--policy", "deep/p.toml", "--raw", "in.bin"];
    let (status, _, said) = run(&bound);
    assert_eq!((status, said.as_str()), (0, ""));
    let args = [&["run", "app.rune"], &bound[..]].concat();
    assert_eq!(alone(&folder, &args).0, 0);
    // A policy that binds another sensor is no leave for this one.
    let zone = "class/thermal/thermal_zone1/temp";
    fs::create_dir(folder.join("sys/class/thermal/thermal_zone1")).unwrap();
    fs::write(folder.join("sys").join(zone), "1000\n").unwrap();
    let other = policy.replace("class/thermal/thermal_zone0/temp", zone);
    fs::write(folder.join("deep/p.toml"), other).unwrap();
    let (status, _, said) = run(&bound);
    assert_eq!((status, said.lines().count()), (1, 1), "{said}");
    assert!(
        said.contains("deep/p.toml would allow it with `capabilities.warm"),
        "{said}"
    );

    // So does the flag, for each.
    let all = ["--raw", "in.bin", "--allow", "accel", "--allow", "warm"];
    assert_eq!(run(&all).0, 0);
    let (status, _, said) = run(&all[..4]);
    assert_eq!((status, said.lines().count()), (1, 1), "{said}");
    let (status, _, said) = run(&["--allow", "acel"]);
    assert_eq!(status, 2);
    assert!(said.starts_with("error: `--allow acel` allows nothing: the rune reads ACCEL `accel`"));
}

#[test]
fn nobody_is_asked_where_the_answer_could_not_come() {
    let folder = folder("mute");
    let (status, _, said) = ask(&folder, &[&RUN[..], &["--json"]].concat(), &[]);
    assert_eq!(status, 1);
    assert!(
        said.starts_with("{\"level\"") && said.contains("with --json nobody is asked"),
        "{said}"
    );
    let raw = capability(CapabilityKind::Raw, "bytes", ty(ElementType::U8, &[2]));
    idle(&folder, vec![accel(), raw]);
    let args = ["run", "app.rune", "--accel", SENSOR, "--raw", "-"];
    let (status, _, said) = ask(&folder, &args, &[]);
    assert_eq!(status, 1);
    assert!(
        said.contains("standard input feeds `bytes`, so nobody can be asked"),
        "{said}"
    );
    // Standard input needs no leave of its own.
    let allowed = [&args[..], &["--allow", "accel"]].concat();
    assert_eq!(alone(&folder, &allowed).0, 0);
    // What is missing anyway is said before anybody is asked.
    let (status, _, said) = ask(&folder, &args[..4], &[]);
    assert_eq!(status, 1);
    assert_eq!(
        said,
        "error: the rune reads RAW `bytes` (U8[2]): give --raw FILE\n".to_owned()
    );
}

#[test]
fn a_memory_that_cannot_be_trusted_allows_nothing() {
    let folder = folder("damaged");
    assert_eq!(ask(&folder, &RUN, &["always\n"]).0, 0);
    let path = folder.join("state/rune/consent");
    let good = fs::read(&path).unwrap();
    for len in [1, good.len() / 2, good.len() - 2] {
        fs::write(&path, &good[..len]).unwrap();
        for args in [&RUN[..], &["consent", "list"], &["consent", "forget", "0"]] {
            let (status, printed, said) = alone(&folder, args);
            assert_eq!((status, printed.as_str()), (2, ""));
            let start = format!("error: {}: line 1 is damaged (", path.display());
            assert!(said.starts_with(&start), "{said}");
            assert!(
                said.contains("`rune consent forget --all` begins anew"),
                "{said}"
            );
        }
    }
    // Neither text nor file, which nobody writes to.
    fs::write(&path, b"\xff\xfe").unwrap();
    let (status, _, said) = alone(&folder, &["consent", "list"]);
    assert!(status == 2 && said.contains("begins anew"), "{said}");
    fs::remove_file(&path).unwrap();
    let made = Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let (status, _, said) = alone(&folder, &["consent", "list"]);
    assert!(status == 2 && said.contains("begins anew"), "{said}");
    fs::remove_file(&path).unwrap();
    fs::write(&path, &good[..1]).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    // A sensor that is allowed otherwise does not depend on it.
    assert_eq!(
        alone(&folder, &[&RUN[..], &["--allow", "accel"]].concat()).0,
        0
    );
    assert_eq!(alone(&folder, &["consent", "forget", "--all"]).0, 0);
    assert_eq!(ask(&folder, &RUN, &["a\n"]).0, 0);
    assert_eq!(fs::read(&path).unwrap(), good);
    // Others may have written what others may write.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o622)).unwrap();
    let (status, _, said) = alone(&folder, &RUN);
    assert!(
        status == 2 && said.contains("others may write to it"),
        "{said}"
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(alone(&folder, &RUN).0, 0);
}

#[test]
fn where_nothing_can_be_remembered_always_is_once() {
    let folder = folder("unwritable");
    let run = |answers: &[&str]| {
        let mut command = command(&folder, &RUN);
        command.env("XDG_STATE_HOME", "/proc/nowhere");
        at_terminal(command, answers)
    };
    for _ in 0..2 {
        let (status, printed, said) = run(&["a\n"]);
        assert_eq!(status, 0, "{said}");
        assert!(printed.contains(READ));
        assert!(
            said.contains("allowed now, but not remembered: /proc/nowhere"),
            "{said}"
        );
    }
}

#[test]
fn benches_and_traces_ask_too_and_recordings_need_no_leave() {
    let folder = folder("others");
    for args in [
        &["bench", "app.rune", "-n", "20", "--warm-up", "1"][..],
        &["trace", "app.rune", "-n", "1"],
        &["run", "app.rune", "-n", "1", "--record", "seen"],
    ] {
        let args = [args, &["--accel", SENSOR]].concat();
        let (status, _, said) = alone(&folder, &args);
        assert!(
            status == 1 && said.contains("no terminal to ask at"),
            "{args:?}: {said}"
        );
        assert_eq!(ask(&folder, &args, &["n\n"]).0, 1, "{args:?}");
        assert_eq!(ask(&folder, &args, &["y\n"]).0, 0, "{args:?}");
    }
    let (status, printed, _) = alone(&folder, &["run", "app.rune", "--replay", "seen"]);
    assert!(status == 0 && printed.contains(READ), "{printed}");
}
