//! `cargo xtask fleet`: devices in a private network are found there by multicast alone, by `hmr` and by Avahi, and get
//! runes over the network and over a serial port. Where such a network, or QEMU, cannot be had, the tests say that they are
//! skipped.
//!
//! `BLESS=1` writes the transcripts of `docs/book/deploying.md`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use rune_testsuite::{fleet, pages, root, skip};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

/// Whether there can be no such network here, which is said.
fn is_skipped(test: &str, with_boards: bool) -> bool {
    let boards = || with_boards.then(fleet::missing_for_boards).flatten();
    let why = fleet::missing().or_else(boards);
    if let Some(why) = &why {
        skip(test, why);
    }
    why.is_some()
}

/// Runs a script in a fleet, in a folder.
fn run(folder: &Path, devices: u16, boards: u8, script: &str) -> Output {
    Command::new(XTASK)
        .args(["fleet", "-n", &devices.to_string()])
        .args(["--boards", &boards.to_string(), "--", "sh", "-ec", script])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[track_caller]
fn done(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}\n{said}");
    printed
}

fn folder(name: &str) -> PathBuf {
    pages::folder(env!("CARGO_TARGET_TMPDIR"), &format!("fleet-{name}"))
}

#[test]
fn boards_and_linux_devices_are_found_by_multicast_alone() {
    if is_skipped(
        "boards_and_linux_devices_are_found_by_multicast_alone",
        true,
    ) {
        return;
    }
    let output = run(&folder("found"), 2, 2, "hmr targets ls --timeout 5");
    let printed = done(&output);
    let rows: Vec<Vec<&str>> = printed
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let of = |name: &str| {
        let rows = rows.iter().filter(|row| row.get(2) == Some(&name));
        rows.map(|row| row[0].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        of("mps2-an500"),
        ["mps2-an500-123456", "mps2-an500-123457"],
        "{printed}"
    );
    let linux = of("linux");
    assert!(linux.len() == 2 && linux[0] != linux[1], "{printed}");
    for row in &rows[1..] {
        assert_eq!(
            (row[1], &row[3..]),
            ("WIFI", &["True", "open"][..]),
            "{printed}"
        );
    }
}

/// Avahi's daemon and a bus for it, which only this network knows, and its list of two services, ready to be read.
const AVAHI: &str = r#"
cat > bus.conf <<END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=$PWD/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/>
<allow send_type="method_call"/><allow receive_type="method_call"/>
<allow send_type="method_return"/><allow receive_type="method_return"/>
<allow send_type="error"/><allow receive_type="error"/>
<allow send_type="signal"/><allow receive_type="signal"/>
</policy></busconfig>
END
printf '[server]\nuse-ipv6=no\nallow-interfaces=fleet0\nhost-name=watcher\n[publish]\ndisable-publishing=yes\n[rlimits]\n' > avahi.conf
dbus-daemon --config-file=$PWD/bus.conf --nofork --nopidfile >bus.txt 2>&1 &
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$PWD/bus
for try in $(seq 100); do [ -S bus ] && break; sleep 0.1; done
# The daemon wants a folder of its user, and here there is but one user.
sed 's/^avahi:.*/avahi:x:0:0::\/:\/bin\/false/' /etc/passwd > passwd
sed 's/^avahi:.*/avahi:x:0:/' /etc/group > group
unshare -m sh -ec 'mount --bind passwd /etc/passwd; mount --bind group /etc/group; mount -t tmpfs tmpfs /run
exec avahi-daemon --file=$PWD/avahi.conf --no-drop-root --no-chroot --no-rlimits' >avahi.txt 2>&1 &
for try in $(seq 100); do grep -q "startup complete" avahi.txt && break; sleep 0.1; done
for service in _mcumgr._udp _rune._sub._mcumgr._udp; do
    for try in $(seq 10); do
        avahi-browse --resolve --parsable --terminate $service > found.txt || { cat avahi.txt bus.txt; exit 1; }
        [ $(grep -c '^=' found.txt) -ge 3 ] && break
        sleep 1
    done
    echo "service $service"
    grep '^=' found.txt
done
"#;

#[test]
fn avahi_sees_boards_and_linux_devices() {
    const TEST: &str = "avahi_sees_boards_and_linux_devices";
    if is_skipped(TEST, true) {
        return;
    }
    let path = env::var("PATH").unwrap_or_default() + ":/usr/sbin";
    for program in ["avahi-browse", "avahi-daemon", "dbus-daemon"] {
        let is_there = env::split_paths(&path).any(|folder| folder.join(program).is_file());
        if !is_there {
            skip(
                TEST,
                &format!("no {program}: `apt install avahi-utils avahi-daemon dbus`"),
            );
            return;
        }
    }
    let script = format!("PATH=$PATH:/usr/sbin\n{AVAHI}");
    let printed = done(&run(&folder("avahi"), 2, 1, &script));
    let (all, runes) = printed.split_once("service _rune.").expect(&printed);
    let records = |text: &str| {
        let lines = text.lines().filter(|line| line.starts_with('='));
        let records = lines.map(|line| line.split(';').map(str::to_owned).collect());
        let mut records: Vec<Vec<String>> = records.collect();
        records.sort_by_key(|record| record[3].clone());
        records
    };
    for records in [records(all), records(runes)] {
        assert_eq!(records.len(), 3, "{printed}");
        // Interface, protocol, name, type, domain, host, address, port, properties.
        let board = &records[0];
        assert_eq!(board[1..4], ["fleet0", "IPv4", "mps2-an500-123456"]);
        assert_eq!(
            board[6..9],
            ["mps2-an500-123456.local", "10.77.2.1", "1337"]
        );
        for property in ["\"board=mps2-an500\"", "\"abi=1\"", "\"mode=open\""] {
            assert!(board[9].contains(property), "{board:?}");
        }
        for device in &records[1..] {
            assert_eq!(device[7], "10.77.0.1", "{device:?}");
            assert!(device[9].contains("\"board=linux\""), "{device:?}");
        }
        let ports: Vec<&str> = records[1..].iter().map(|r| &*r[8]).collect();
        assert!(
            ports.contains(&"20000") && ports.contains(&"20001"),
            "{ports:?}"
        );
    }
}

/// What was printed, with `N` for what is another number each time: counts of calls, and the time since the start. What
/// stands behind it in a row stays in its column.
fn masked(line: &str) -> String {
    let is_row = line.starts_with("  gesture ");
    let mut is_counted = false;
    let mut before = "";
    let words = line.split(' ').map(|word| {
        let is_number = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
        let is_other = before == "after" || before == "up" || is_row && !is_counted;
        before = word;
        if !(is_number && is_other) {
            return word.to_owned();
        }
        is_counted = true;
        let width = if is_row { word.len() } else { 1 };
        format!("{:width$}", "N")
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Does something until it ends well: on a machine that is busy a board may not be heard in time. What has printed
/// more than a line is not done again.
const ONCE: &str = "once() {
    for try in $(seq 10); do
        if \"$@\" > printed; then return; fi
        if [ $(wc -l < printed) -gt 1 ]; then return 1; fi
    done
    return 1
}
";

/// The commands of the page, one after the other on one board; what each prints stands on the page.
#[test]
fn the_gesture_rune_goes_over_udp_and_serial_as_the_page_shows() {
    if is_skipped(
        "the_gesture_rune_goes_over_udp_and_serial_as_the_page_shows",
        true,
    ) {
        return;
    }
    let path = root().join("docs/book/deploying.md");
    let page = fs::read_to_string(&path).unwrap();
    let fences = pages::fences(&page);
    let shown = fences
        .iter()
        .filter(|fence| fence.info == "text" && fence.text.starts_with("$ hmr targets "))
        .map(|fence| &*fence.text);
    let shown: Vec<&str> = shown.collect();
    let folder = folder("page");
    let example = root().join("examples/gesture");
    let mut script = format!(
        "{ONCE}dir=$RUNE_FLEET\nrunec build --simd off {} -o gesture.rune\n",
        example.display()
    );
    for (index, text) in shown.iter().enumerate() {
        let command = text.lines().next().unwrap().trim_start_matches("$ ");
        // Before the same rune comes over another link it is removed, as the page says.
        if command.contains("--serial") {
            script += "once hmr targets rm -t mps2 gesture\n";
        }
        script += &["once ", command, "\n"].concat();
        let name = index.to_string();
        script += &["sed \"s:$dir:\\$RUNE_FLEET:\" printed > ", &name, ".txt\n"].concat();
    }
    // And it does what it is for.
    script += "once hmr targets logs -t mps2 gesture\ngrep -m 1 Ring printed > ring.txt\n";
    done(&run(&folder, 0, 1, &script));
    let mut fresh = page.clone();
    for (index, text) in shown.iter().enumerate() {
        let printed = fs::read_to_string(folder.join(format!("{index}.txt"))).unwrap();
        let command = text.lines().next().unwrap();
        let lines: Vec<String> = printed.lines().map(masked).collect();
        let due = format!("{command}\n{}\n", lines.join("\n"));
        fresh = fresh.replacen(
            &format!("```text\n{text}```"),
            &format!("```text\n{due}```"),
            1,
        );
    }
    assert_eq!(shown.len(), 4);
    assert!(
        !fs::read_to_string(folder.join("ring.txt"))
            .unwrap()
            .is_empty()
    );
    if env::var_os("BLESS").is_some() {
        fs::write(&path, fresh).unwrap();
    } else {
        assert_eq!(page, fresh, "{}: run with BLESS=1", path.display());
    }
}

/// The processes of this machine whose command line has a word.
fn processes(word: &str) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let has = |entry: &fs::DirEntry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(word)
    };
    entries.filter(has).count()
}

#[test]
fn nothing_is_left_of_a_fleet() {
    if is_skipped("nothing_is_left_of_a_fleet", false) {
        return;
    }
    let exit = run(&folder("exit"), 1, 0, "exit 7");
    assert_eq!(exit.status.code(), Some(7));
    for signal in ["TERM", "INT", "KILL"] {
        let mut fleet = Command::new(XTASK)
            .args(["fleet", "-n", "2", "--boards", "0", "--", "sh", "-c"])
            .arg("echo $RUNE_FLEET; sleep 600")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(fleet.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let left = line.trim_end();
        assert!(processes(left) >= 3, "{left}");
        let id = fleet.id().to_string();
        let killed = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(killed.unwrap().success());
        fleet.wait().unwrap();
        let begun = Instant::now();
        while processes(left) > 0 || Path::new(left).exists() {
            assert!(begun.elapsed() < Duration::from_mins(1), "{signal}: {left}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn what_is_wrong_is_said() {
    for (args, why) in [
        (&["-n", "0", "--boards", "0"][..], "no device and no board"),
        (&["-n", "many"], "-n takes a number up to 500, not `many`"),
        (&["--boards=33"], "--boards takes a number up to 32"),
        (&["--bords", "1"], "there is no argument `--bords`"),
        (&["--accel", "nowhere.csv"], "nowhere.csv: "),
        (&["-n"], "-n needs a value"),
    ] {
        let output = Command::new(XTASK)
            .arg("fleet")
            .args(args)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(said.contains(why), "{args:?}: {said}");
    }
}
