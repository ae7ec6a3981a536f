//! Where results go: files, terminals, the queue before what is slow, and that everything is counted.

use std::{
    fs::{self, File, OpenOptions},
    io::Read,
    num::{NonZeroU32, NonZeroU64},
    os::unix::{
        fs::{MetadataExt, OpenOptionsExt, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use rune_abi::{CapabilityKind, ElementType};
use rune_runtime::{
    Delivery, FileSink, Limits, Policy, Rates, Router, Rune, SendError, Sink, TtySink, WhenFull,
};
use rustix::fs::OFlags;

use crate::support::{self, adds_up, capability, echo, line, pty, router, ty, written};

fn folder(name: &str) -> PathBuf {
    support::folder("outputs", name)
}

/// A file that a person names.
fn file(path: &Path) -> Sink {
    Sink::File(FileSink {
        folder: None,
        file: path.to_owned(),
        max_bytes: None,
        keep: 0,
    })
}

#[test]
fn a_file_gets_whole_lines_at_its_end() {
    let top = folder("file");
    let path = top.join("out.jsonl");
    let (mut router, said) = support::router(&[file(&path)]);
    for text in ["one", "two"] {
        let wait = router.send(&[written(0, text)]);
        assert_eq!(wait, Ok(Duration::ZERO));
    }
    assert_eq!(router.finish(), []);
    let counters = router.meters().read(0);
    adds_up(counters, 2);
    drop(router);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(
        text,
        format!("{}\n{}\n", line("a", "one"), line("a", "two"))
    );
    assert_eq!((counters.written, counters.bytes), (2, text.len() as u64));
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    // Who stopped in the middle of a line does not spoil the next.
    fs::write(&path, "{\"a\": [{\"el").unwrap();
    let (mut router, _) = support::router(&[file(&path)]);
    router.send(&[written(0, "three")]).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().nth(1), Some(line("a", "three").as_str()));
    // Another program may take the file away.
    fs::rename(&path, top.join("taken")).unwrap();
    router.send(&[written(0, "four")]).unwrap();
    fs::remove_file(&path).unwrap();
    router.send(&[written(0, "five")]).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), line("a", "five") + "\n");
    assert_eq!(said.lock().unwrap().len(), 0);
}

#[test]
fn outputs_with_the_same_sink_share_a_line() {
    let top = folder("shared");
    let (one, two) = (file(&top.join("one")), file(&top.join("two")));
    let (mut router, _) = router(&[one.clone(), two, one, Sink::Discard]);
    let all = ["u", "v", "w", "x"];
    let records: Vec<_> = (0..4).map(|i| written(i, all[i])).collect();
    router.send(&records).unwrap();
    router.send(&records[2..3]).unwrap();
    router.finish();
    let text = fs::read_to_string(top.join("one")).unwrap();
    let (a, c) = (line("a", "u"), line("c", "w"));
    let both = format!("{}, {}", a.strip_suffix('}').unwrap(), &c[1..]);
    assert_eq!(text, format!("{both}\n{c}\n"));
    let meters = router.meters();
    let bytes = meters.read(0).bytes + meters.read(2).bytes;
    assert_eq!(bytes, text.len() as u64);
    adds_up(meters.read(0), 1);
    adds_up(meters.read(1), 1);
    adds_up(meters.read(2), 2);
    adds_up(meters.read(3), 0);
    adds_up(meters.read(4), 0);
}

#[test]
fn a_full_file_is_renamed_and_so_many_stay() {
    let top = folder("rotation");
    let path = top.join("out");
    let size = line("a", "00").len() as u64 + 1;
    let sink = |keep| {
        Sink::File(FileSink {
            folder: Some(top.clone()),
            file: PathBuf::from("out"),
            max_bytes: NonZeroU64::new(size * 3 + 1),
            keep,
        })
    };
    let (mut router, _) = router(&[sink(2)]);
    for i in 0..20 {
        router.send(&[written(0, &format!("{i:02}"))]).unwrap();
    }
    assert_eq!(router.finish(), []);
    adds_up(router.meters().read(0), 20);
    drop(router);
    let read = |name: &str| fs::read_to_string(top.join(name)).unwrap();
    let text = |range: std::ops::Range<u32>| -> String {
        range
            .map(|i| line("a", &format!("{i:02}")) + "\n")
            .collect()
    };
    assert_eq!(read("out"), text(18..20));
    assert_eq!(read("out.1"), text(15..18));
    assert_eq!(read("out.2"), text(12..15));
    assert_eq!(fs::read_dir(&top).unwrap().count(), 3);
    // A link in the way is replaced, not followed.
    fs::write(top.join("other"), "safe").unwrap();
    fs::remove_file(top.join("out.1")).unwrap();
    symlink("other", top.join("out.1")).unwrap();
    let (mut router, _) = support::router(&[sink(0)]);
    router.send(&[written(0, "20")]).unwrap();
    router.send(&[written(0, "21")]).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), text(21..22));
    drop(router);
    let (mut router, _) = support::router(&[sink(1)]);
    for i in 22..26 {
        router.send(&[written(0, &i.to_string())]).unwrap();
    }
    assert_eq!(read("other"), "safe");
    assert!(fs::symlink_metadata(top.join("out.1")).unwrap().is_file());
}

/// Two bytes of RAW per call, to `serial`.
fn raw() -> Vec<u8> {
    echo(capability(
        CapabilityKind::Raw,
        "raw",
        ty(ElementType::U8, &[2]),
    ))
}

#[test]
fn a_file_of_a_policy_lies_beneath_its_folder() {
    let top = folder("beneath");
    let out = top.join("out");
    fs::create_dir_all(out.join("inner")).unwrap();
    fs::write(top.join("secret"), "").unwrap();
    fs::write(out.join("locked"), "").unwrap();
    symlink("../secret", out.join("up")).unwrap();
    symlink("../new", out.join("dangling")).unwrap();
    symlink("..", out.join("above")).unwrap();
    let fifo = out.join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let _socket = UnixListener::bind(out.join("socket")).unwrap();
    let locked = File::open(out.join("locked")).unwrap();
    rustix::fs::flock(&locked, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let loaded = Rune::load(raw()).unwrap();
    let path = top.join("p.toml");
    let open = |file: &str, folder: &str| {
        let text = format!(
            "version = 1\n[capabilities.raw]\nkind = \"RAW\"\nfiles = [\"p.toml\"]\n[outputs.serial]\nkind = \"SERIAL\"\nsink = \"file\"\nfolder = \"{folder}\"\nfile = \"{file}\"\n"
        );
        fs::write(&path, text).unwrap();
        let policy = Policy::load(&path).unwrap();
        let grants = loaded.grant_by(&policy, &[], &Limits::default()).unwrap();
        let report = std::sync::Arc::new(|_: u32, _: &str| {});
        Router::open(loaded.manifest(), grants.sinks(), grants.rates(), report)
            .map(drop)
            .map_err(|e| e.to_string())
    };
    assert_eq!(open("new.jsonl", "out"), Ok(()));
    assert_eq!(open("inner/new.jsonl", "out"), Ok(()));
    assert_eq!(open("inner/../other.jsonl", "out"), Ok(()));
    let absolute = top.join("secret");
    let absolute = absolute.to_str().unwrap();
    for (file, folder, why) in [
        ("../secret", "out", "leads out of its folder"),
        ("inner/../../secret", "out", "leads out of its folder"),
        (absolute, "out", "leads out of its folder"),
        ("/dev/null", "out", "leads out of its folder"),
        ("up", "out", "symbolic link"),
        ("dangling", "out", "symbolic link"),
        ("above/secret", "out", "symbolic link"),
        ("fifo", "out", "not a regular file"),
        ("socket", "out", "not a regular file"),
        ("inner", "out", "not a regular file"),
        ("null", "/dev", "not a regular file"),
        ("..", "out", "names no file"),
        ("/", "out", "names no file"),
        ("none/new", "out", "No such file"),
        ("new", "none", "No such file"),
        ("locked", "out", "another output or program"),
    ] {
        let error = open(file, folder).unwrap_err();
        assert!(error.contains(why), "{file}: {error}");
        assert!(error.starts_with("output `serial`: "), "{error}");
    }
    // Nor with somebody who would read the FIFO.
    let flags = OFlags::NONBLOCK.bits() as i32;
    let reader = OpenOptions::new().read(true).custom_flags(flags).open(fifo);
    assert!(open("fifo", "out").unwrap_err().contains("not a regular"));
    drop(reader);
    assert!(!top.join("new").exists());
    assert_eq!(fs::read(top.join("secret")).unwrap(), b"");
    // Of two outputs with different settings one is refused, too.
    let twice = [file(&out.join("twice")), {
        Sink::File(FileSink {
            folder: Some(out.clone()),
            file: PathBuf::from("twice"),
            max_bytes: None,
            keep: 0,
        })
    }];
    let types = [ty(ElementType::U8, &[1])];
    let manifest = support::manifest(
        vec![],
        ["a", "b"].map(|n| support::output(n, &types)).to_vec(),
    );
    let report = std::sync::Arc::new(|_: u32, _: &str| {});
    let error = Router::open(&manifest, &twice, Rates::default(), report).unwrap_err();
    assert!(error.what.contains("another output"), "{error}");
}

/// What the program says when run so, in a folder with a rune and the data of `calls` calls.
fn run(top: &Path, calls: usize, script: &str) -> (i32, String, String) {
    fs::write(top.join("in.bin"), vec![7; calls * 2]).unwrap();
    fs::write(top.join("app.rune"), raw()).unwrap();
    let script = script.replace("RUN", "exec $PROGRAM run app.rune --raw in.bin");
    let output = Command::new("bash")
        .args(["-c", &script])
        .env("PROGRAM", env!("CARGO_BIN_EXE_rune"))
        .current_dir(top)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

#[test]
fn a_full_disk_loses_whole_lines_and_counts_them() {
    let top = folder("full");
    let (status, stdout, stderr) = run(&top, 5, "RUN --out file:/dev/full");
    assert_eq!((status, stdout.as_str()), (2, ""));
    let what = "No space left on device (os error 28)";
    assert_eq!(
        stderr,
        format!(
            "warning: output `serial`: /dev/full: {what}\nerror: output `serial` lost 5 of 5 records: 5 not written ({what})\n"
        )
    );
    // Of a line of 79 bytes only a part fits at the end of 512 KiB.
    let script = "ulimit -f 512; trap '' XFSZ; RUN --out serial=file:out";
    let (status, _, stderr) = run(&top, 8000, script);
    assert_eq!(status, 2, "{stderr}");
    let text = fs::read_to_string(top.join("out")).unwrap();
    assert!(text.ends_with("}\n"));
    let lines = text.lines().count();
    assert_eq!(lines, (512 << 10) / (text.len() / lines));
    let lost = 8000 - lines;
    let says = format!("lost {lost} of 8000 records: {lost} not written");
    assert!(stderr.contains(&says), "{stderr}");
    for line in text.lines() {
        let _: serde_json::Value = serde_json::from_str(line).unwrap();
    }
}

#[test]
fn flags_name_sinks() {
    let top = folder("flags");
    let (status, stdout, stderr) = run(&top, 3, "RUN --out file:out -n 2");
    assert_eq!((status, stdout.as_str(), stderr.as_str()), (0, "", ""));
    let text = fs::read_to_string(top.join("out")).unwrap();
    assert_eq!(text.lines().count(), 2);
    let (status, stdout, _) = run(&top, 3, "RUN --out serial=stdout --out discard");
    assert_eq!((status, stdout.lines().count()), (0, 3));
    let (status, stdout, stderr) = run(&top, 3, "RUN --out discard");
    assert_eq!((status, stdout.as_str(), stderr.as_str()), (0, "", ""));
    for (flags, says) in [
        ("--out nowhere", "`--out nowhere`: a sink is `stdout`"),
        ("--out file:", "`--out file:`: a sink is"),
        ("--out ftp://a/b", "a sink is `stdout`"),
        (
            "--out other=file:x",
            "the rune has no output `other`; it writes `serial`",
        ),
        ("--out stdout --out discard", "another `--out` is for the"),
        (
            "--out serial=stdout --out serial=discard",
            "another `--out`",
        ),
        ("--out tty:/dev/null,fast", "`fast` is no baud rate"),
        ("--out tty:/dev/null", "/dev/null: it is not a terminal"),
        ("--out tty:/dev/none", "/dev/none: No such file"),
        ("--out file:none/x", "none/x: No such file"),
        ("--out mqtt://h", "a sink is `stdout`"),
        ("--out mqtt://h:0/t", "`0` is no port"),
        ("--out mqtt:///t", "`` is no host"),
        ("--out 'mqtt://h/t/#'", "`t/#` is no topic"),
        ("--out http://", "`http://` is not of the form"),
        ("--out 'http://h/a b'", "is not of the form"),
        ("--out https://h/", "this version has no TLS"),
    ] {
        let (status, stdout, stderr) = run(&top, 3, &format!("RUN {flags}"));
        assert_eq!((status, stdout.as_str()), (2, ""), "{flags}");
        assert!(stderr.contains(says), "{flags}: {stderr}");
    }
    // A flag is a grant, whatever the policy binds.
    fs::write(top.join("p.toml"), "version = 1\n").unwrap();
    let (status, stdout, _) = run(&top, 1, "RUN --policy p.toml --out stdout");
    assert_eq!((status, stdout.lines().count()), (0, 1));
    // Who reads only the first line ends the run, and it is no failure.
    let script = "((RUN); echo $? >&2) | head -n 1";
    let (_, stdout, stderr) = run(&top, 50_000, script);
    assert_eq!((stdout.lines().count(), stderr.as_str()), (1, "0\n"));
}

fn tty(device: impl Into<PathBuf>, delivery: &Delivery) -> Sink {
    let baud = NonZeroU32::new(9600).unwrap();
    Sink::Tty(
        TtySink {
            device: device.into(),
            baud,
        },
        delivery.clone(),
    )
}

#[test]
fn a_terminal_gets_lines_as_they_are() {
    let (mut near, device) = pty();
    let (mut router, said) = router(&[tty(device, &Delivery::default())]);
    router.send(&[written(0, "tick")]).unwrap();
    let mut got = vec![0; line("a", "tick").len() + 1];
    near.read_exact(&mut got).unwrap();
    assert_eq!(got, (line("a", "tick") + "\n").into_bytes());
    let termios = rustix::termios::tcgetattr(&near).unwrap();
    assert_eq!(termios.output_speed(), 9600);
    assert_eq!(router.finish(), []);
    adds_up(router.meters().read(0), 1);
    assert_eq!(said.lock().unwrap().len(), 0);
}

#[test]
fn a_terminal_that_nobody_reads_loses_what_is_counted() {
    let (near, device) = pty();
    let delivery = Delivery {
        when_full: WhenFull::DropOldest,
        queue_records: 8,
        timeout: Duration::from_millis(30),
        retries: 1,
        drain: Duration::from_millis(300),
        ..Delivery::default()
    };
    let (mut router, said) = router(&[tty(device, &delivery)]);
    let text = "x".repeat(100_000);
    for _ in 0..100 {
        router.send(&[written(0, &text)]).unwrap();
    }
    let begin = Instant::now();
    let losses = router.finish();
    assert!(begin.elapsed() < Duration::from_secs(3));
    let counters = router.meters().read(0);
    adds_up(counters, 100);
    assert!(counters.dropped > 0 && counters.failed > 0, "{counters:?}");
    assert_eq!(losses[0].counters, counters);
    let said = said.lock().unwrap().join("\n");
    assert!(said.contains("nobody takes what is written"), "{said}");
    drop(near);
}

#[test]
fn a_terminal_that_goes_away_is_opened_anew() {
    let top = folder("unplugged");
    let link = top.join("port");
    let (near, device) = pty();
    symlink(device, &link).unwrap();
    let (mut router, said) = router(&[tty(link.clone(), &Delivery::default())]);
    router.send(&[written(0, "one")]).unwrap();
    while router.meters().read(0).written < 1 {
        std::thread::yield_now();
    }
    drop(near);
    let (mut near, device) = pty();
    fs::remove_file(&link).unwrap();
    symlink(device, &link).unwrap();
    router.send(&[written(0, "two")]).unwrap();
    assert_eq!(router.finish(), []);
    let mut got = vec![0; line("a", "two").len()];
    near.read_exact(&mut got).unwrap();
    assert_eq!(got, line("a", "two").into_bytes());
    let counters = router.meters().read(0);
    assert_eq!((counters.written, counters.retries), (2, 1));
    let said = said.lock().unwrap();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[1].starts_with("3 output `a`: ") && said[1].ends_with(": works again"));
}

#[test]
fn standard_output_that_fails_ends_a_run_and_the_others_keep_their_lines() {
    let error = SendError::Failed("x".to_owned()).to_string();
    assert_eq!(error, "standard output: x");
    let top = folder("stdout");
    let (status, _, stderr) = run(&top, 3, "RUN > /dev/full");
    assert_eq!(status, 2);
    assert_eq!(
        stderr,
        "error: standard output: No space left on device (os error 28)\n"
    );
}

#[cfg(feature = "http")]
#[test]
fn the_page_of_the_book_does_what_it_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/book/outputs.md");
    let page = fs::read_to_string(path).unwrap();
    assert_eq!(support::run_page(&folder("book"), &page), 5);
}
