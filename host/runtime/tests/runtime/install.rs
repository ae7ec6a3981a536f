//! Runes that are installed in a served folder: tried, confirmed, taken back and replaced, and what is refused.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use rune_abi::{CapabilityKind, ElementType, Manifest, Version};
use rune_runtime::{
    Rune,
    serve::{self, Phase, Receipt, Request, Slot, Status, Upload},
    store::{Settings, Store, identity},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    serve::{NOWHERE, Served, calls, policy, serve},
    support::{
        self, INPUT, Process, capability, manifest, output, record, rune, text, ty, until, wasm,
    },
};

/// A call that writes two bytes of the seed's stream, one that traps, and one that never ends.
const GOOD: &str = "(drop (call $read (i32.const 0) (i32.const 1024) (i32.const 2)))
    (call $write (i32.const 0) (i32.const 512))";
const TRAP: &str = "unreachable";
const ENDLESS: &str = "(loop $l (br $l)) unreachable";

fn folder(name: &str) -> PathBuf {
    support::folder("install", name)
}

/// The rune `app` 1.MINOR.0 that does this in each call, with a manifest that is changed.
fn changed(minor: u16, call: &str, change: impl FnOnce(&mut Manifest)) -> Vec<u8> {
    let ty = ty(ElementType::U8, &[2]);
    let rand = capability(CapabilityKind::Rand, "rand", ty);
    let mut manifest = manifest(vec![rand], vec![output("serial", &[ty])]);
    "app".clone_into(&mut manifest.name);
    manifest.version = Version {
        major: 1,
        minor,
        patch: 0,
    };
    change(&mut manifest);
    wasm(&text(&manifest, call, &record(INPUT, &ty)))
}

fn app(minor: u16, call: &str) -> Vec<u8> {
    changed(minor, call, |_| {})
}

/// Calls every millisecond, and a trial that is healthy after so many.
fn trial(folder: &Path, healthy_after_ms: u32, more: &str) {
    let policy = policy("every-ms = 1", NOWHERE);
    let text = format!("{policy}[install]\nhealthy-after-ms = {healthy_after_ms}\n{more}");
    fs::write(folder.join("policy.toml"), text).unwrap();
}

fn install(folder: &Path, bytes: &[u8]) -> Result<Receipt, String> {
    serve::install(folder, bytes, false, false, |_| {}).map_err(|e| e.to_string())
}

fn named(name: &str) -> String {
    name.to_owned()
}

fn confirm(served: &Served, name: &str) -> Result<Value, String> {
    served.ask(&Request::Confirm { rune: named(name) })
}

fn rollback(served: &Served, name: &str) -> Result<Value, String> {
    served.ask(&Request::Rollback { rune: named(name) })
}

fn remove(served: &Served, name: &str) -> Result<Value, String> {
    served.ask(&Request::Remove { rune: named(name) })
}

/// What the store has of a rune, without the starts of a trial.
fn states(status: &Status) -> Vec<String> {
    let shown = |slot: &Slot| format!("{} {}", slot.state, slot.version);
    status.installed.iter().map(shown).collect()
}

fn starts(status: &Status) -> u64 {
    let saga = status.saga.as_ref();
    saga.map_or(0, |v| v["total"]["starts"].as_u64().unwrap())
}

fn digest(bytes: &[u8]) -> String {
    Rune::load(bytes.to_vec()).unwrap().digest_hex()
}

#[test]
fn a_trial_waits_for_a_person_and_the_one_before_can_come_back() {
    let folder = folder("person");
    trial(&folder, 1, "");
    let served = serve(&folder);
    let mode = fs::metadata(folder.join("store")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o700);

    let receipt = install(&folder, &app(0, GOOD)).unwrap();
    assert_eq!(receipt.name, "app");
    assert_eq!(receipt.slot.state, "trial");
    until("it is healthy", || {
        served.said().contains("app: it is healthy")
    });
    // It has all its tries again, and stays in trial.
    let status = served.status("app");
    assert_eq!(status.installed[0].attempts, 0);
    assert_eq!(states(&status), ["trial 1.0.0"]);
    assert_eq!(status.phase, Phase::Running);
    // The same one is there.
    assert_eq!(install(&folder, &app(0, GOOD)).unwrap().slot.state, "trial");
    assert_eq!(starts(&served.status("app")), 1);

    confirm(&served, "app").unwrap();
    assert_eq!(states(&served.status("app")), ["confirmed 1.0.0"]);
    assert!(confirm(&served, "app").unwrap_err().contains("CONFIRMED"));
    let again = install(&folder, &app(0, GOOD)).unwrap();
    assert_eq!(again.slot.state, "confirmed");

    // The next one takes its place, and gives it back.
    install(&folder, &app(1, GOOD)).unwrap();
    let status = served.status("app");
    assert_eq!(states(&status), ["trial 1.1.0", "confirmed 1.0.0"]);
    assert_eq!(status.digest, digest(&app(1, GOOD)));
    confirm(&served, "app").unwrap();
    assert_eq!(
        states(&served.status("app")),
        ["confirmed 1.1.0", "previous 1.0.0"]
    );
    rollback(&served, "app").unwrap();
    until("the first one runs", || {
        let status = served.status("app");
        status.digest == digest(&app(0, GOOD)) && status.phase == Phase::Running
    });
    assert_eq!(
        states(&served.status("app")),
        ["confirmed 1.0.0", "bad 1.1.0"]
    );
    let none = rollback(&served, "app").unwrap_err();
    assert!(none.contains("none to go back to"), "{none}");
    // A trial that a person takes back gives way too.
    install(&folder, &app(2, GOOD)).unwrap();
    rollback(&served, "app").unwrap();
    until("the first one runs again", || {
        let status = served.status("app");
        status.version == "1.0.0" && status.phase == Phase::Running
    });

    remove(&served, "app").unwrap();
    assert!(served.server.status().is_empty());
    let none = remove(&served, "app").unwrap_err();
    assert!(none.contains("no rune `app` is installed"), "{none}");
}

#[test]
fn a_trial_that_fails_gives_way_to_the_one_that_was_confirmed() {
    for (name, call, why) in [
        ("trap", TRAP, "unreachable"),
        ("deadline", ENDLESS, "longer than"),
    ] {
        let folder = folder(name);
        trial(&folder, 1, "[limits]\ncall-time-ms = 500");
        let served = serve(&folder);
        // Of a first one there is nothing to go back to.
        install(&folder, &app(0, call)).unwrap();
        until("it is given up", || {
            served.status("app").phase == Phase::Refused
        });
        let error = served.status("app").error.unwrap();
        assert!(error.contains(why), "{error}");
        assert!(error.contains("none to go back to"), "{error}");

        let good = app(1, GOOD);
        serve::install(&folder, &good, false, true, |_| {}).unwrap();
        until("it is confirmed, as was asked", || {
            states(&served.status("app"))[0] == "confirmed 1.1.0"
        });
        let bad = app(2, call);
        for times in 1..=2 {
            install(&folder, &bad).unwrap();
            until("the good one runs", || {
                let status = served.status("app");
                let is_over = states(&status)[0] == "confirmed 1.1.0";
                is_over && status.digest == digest(&good) && status.phase == Phase::Running
            });
            let error = served.status("app").error.unwrap();
            assert!(error.contains(why), "{error}");
            assert!(
                error.contains("its trial is over, and 1.1.0, which was confirmed, is started"),
                "{error}"
            );
            let said = served.said();
            assert!(said.contains(&error), "{said}");
            let last = said.matches("app: 1.2.0 is in trial, start 3 of 3").count();
            assert_eq!(last, times);
        }
        // Twice is enough, unless a person says so.
        let struck = install(&folder, &bad).unwrap_err();
        assert!(struck.contains("rolled back too often"), "{struck}");
        serve::install(&folder, &bad, true, false, |_| {}).unwrap();
    }
}

#[test]
fn a_healthy_trial_is_confirmed_where_the_policy_says_so() {
    let folder = folder("policy");
    trial(&folder, 1, "confirm = \"healthy\"");
    // A policy of its own, and two calls until its file ends: none is left that could fail.
    fs::write(folder.join("door.bin"), [1, 2, 3, 4]).unwrap();
    let own = policy("on = \"input\"", NOWHERE).replace(
        "[capabilities.rand]\nkind = \"RAND\"\nseed = 1",
        "[capabilities.door]\nkind = \"RAW\"\nfolder = \".\"\nfiles = [\"door.bin\"]",
    );
    let own = format!("{own}[install]\nconfirm = \"healthy\"\nhealthy-after-ms = 4000000000");
    fs::write(folder.join("door.toml"), own).unwrap();
    let served = serve(&folder);
    let read = "(if (i32.eqz (call $read (i32.const 0) (i32.const 1024) (i32.const 2)))
        (then (return (i32.const 2))))
        (call $write (i32.const 0) (i32.const 512))";
    let door = changed(0, read, |manifest| {
        manifest.name = named("door");
        let ty = manifest.capabilities[0].ty;
        manifest.capabilities = vec![capability(CapabilityKind::Raw, "door", ty)];
    });
    install(&folder, &door).unwrap();
    install(&folder, &app(0, GOOD)).unwrap();
    until("both are confirmed", || {
        ["app", "door"].map(|name| states(&served.status(name))) == [["confirmed 1.0.0"]; 2]
    });
    until("its file ends", || {
        served.status("door").phase == Phase::Ended
    });
    assert!(served.said().contains("door: it is healthy, and confirmed"));
}

#[test]
fn a_replacement_whose_sinks_cannot_be_opened_changes_nothing() {
    let folder = folder("sinks");
    let to = |file: &str| {
        let sink = format!("sink = \"file\"\nfolder = \".\"\nfile = \"{file}\"\n");
        fs::write(folder.join("policy.toml"), policy("every-ms = 1", &sink)).unwrap();
    };
    to("out.jsonl");
    let plain = changed(0, GOOD, |manifest| manifest.name = named("plain"));
    fs::write(folder.join("plain.rune"), &plain).unwrap();
    let own = policy(
        "every-ms = 1",
        "sink = \"file\"\nfolder = \".\"\nfile = \"plain.jsonl\"",
    );
    fs::write(folder.join("plain.toml"), own).unwrap();
    let served = serve(&folder);
    install(&folder, &app(0, GOOD)).unwrap();
    until("both run", || {
        ["app", "plain"].map(|name| calls(&served.status(name)) > 3) == [true; 2]
    });
    let goes_on = |name: &str| {
        let before = calls(&served.status(name));
        until("it is called", || calls(&served.status(name)) > before);
        let status = served.status(name);
        assert_eq!((starts(&status), status.phase), (1, Phase::Running));
    };
    let reload = |name: &str| served.ask(&Request::Reload { rune: named(name) });

    // A folder that is not there, and a file that another rune writes.
    for (file, why) in [
        ("none/out.jsonl", "No such file"),
        ("plain.jsonl", "another output or program"),
    ] {
        to(file);
        let error = install(&folder, &app(1, GOOD)).unwrap_err();
        assert!(error.contains(why), "{error}");
        goes_on("app");
        assert_eq!(states(&served.status("app")), ["trial 1.0.0"]);
        let error = reload("app").unwrap_err();
        assert!(error.contains(why), "{error}");
        goes_on("app");
    }
    // The same for a file of the folder.
    to("none/out.jsonl");
    fs::remove_file(folder.join("plain.toml")).unwrap();
    let error = reload("plain").unwrap_err();
    assert!(error.contains("No such file"), "{error}");
    goes_on("plain");

    // The file that the old one writes is the new one's too, also with another bound.
    to("out.jsonl");
    let text = fs::read_to_string(folder.join("policy.toml")).unwrap();
    fs::write(
        folder.join("policy.toml"),
        format!("{text}max-bytes = 1000000\n"),
    )
    .unwrap();
    reload("app").unwrap();
    let lines = || fs::read_to_string(folder.join("out.jsonl")).unwrap();
    let before = lines().len();
    until("it is written", || lines().len() > before);
    install(&folder, &app(1, GOOD)).unwrap();
    assert_eq!(states(&served.status("app")), ["trial 1.1.0"]);
}

#[test]
fn what_cannot_be_installed_is_refused_and_what_runs_goes_on() {
    let folder = folder("refused");
    trial(&folder, 1, "");
    fs::write(folder.join("plain.rune"), app(0, GOOD)).unwrap();
    let served = serve(&folder);
    let counter =
        |minor, counter| changed(minor, GOOD, |manifest| manifest.security_counter = counter);
    install(&folder, &counter(0, 5)).unwrap();
    confirm(&served, "app").unwrap();

    let named_so = |name: &str| changed(1, GOOD, |manifest| manifest.name = named(name));
    let needs_more = changed(1, GOOD, |manifest| {
        let ty = manifest.capabilities[0].ty;
        manifest.capabilities[0].name = named("dice");
        manifest.outputs.push(output("more", &[ty]));
    });
    for (bytes, reasons) in [
        (b"no rune at all".to_vec(), vec!["not a valid module"]),
        (vec![], vec!["at least one byte"]),
        (
            changed(1, GOOD, |manifest| manifest.abi_version += 1),
            vec!["version", "of the contract and this runtime has"],
        ),
        (needs_more, vec!["capabilities.dice = ", "outputs.more = "]),
        (named_so("a/b"), vec!["its name is \"a/b\""]),
        (named_so(".."), vec!["its name is \"..\""]),
        (named_so("../app"), vec!["its name is \"../app\""]),
        (named_so("plain"), vec!["`plain.rune` lies in the folder"]),
        (counter(1, 4), vec!["its security counter is below 5"]),
    ] {
        let error = install(&folder, &bytes).unwrap_err();
        for reason in reasons {
            assert!(error.contains(reason), "{reason:?} is not in {error}");
        }
    }
    // A policy that cannot be read is said to be that.
    fs::write(folder.join("other.toml"), "version = 7").unwrap();
    let error = install(&folder, &named_so("other")).unwrap_err();
    assert!(error.contains("other.toml:1:11"), "{error}");

    for name in ["none", "plain", "../app", "a/b", "", "..", "a\u{0}b"] {
        for answer in [
            confirm(&served, name),
            rollback(&served, name),
            remove(&served, name),
        ] {
            let error = answer.unwrap_err();
            assert!(error.contains("is installed"), "{error}");
        }
    }
    let before = calls(&served.status("app"));
    until("it is called", || calls(&served.status("app")) > before);
    let status = served.status("app");
    assert_eq!((starts(&status), status.phase), (1, Phase::Running));
    assert_eq!(status.version, "1.0.0");
    // The floor outlives the rune.
    remove(&served, "app").unwrap();
    let error = install(&folder, &counter(1, 4)).unwrap_err();
    assert!(error.contains("below 5"), "{error}");
    install(&folder, &counter(1, 5)).unwrap();

    // The program says each reason in a line of its own.
    let ty = ty(ElementType::U8, &[2]);
    let lacking = changed(2, GOOD, |manifest| {
        manifest.capabilities[0].name = named("dice");
        manifest.outputs.push(output("more", &[ty]));
    });
    fs::write(folder.join("lacking.wasm"), lacking).unwrap();
    let out = rune(&folder, &["install", "lacking.wasm"]);
    assert_eq!(out.status.code(), Some(1));
    let said = String::from_utf8(out.stderr).unwrap();
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(
        said.lines()
            .all(|line| line.starts_with("error: the rune "))
    );
}

#[test]
fn a_full_store_says_so_and_takes_another_once_there_is_room() {
    let folder = folder("full");
    fs::write(
        folder.join("policy.toml"),
        policy("on = \"trigger\"", NOWHERE),
    )
    .unwrap();
    let numbered = |n: usize| changed(0, GOOD, |manifest| manifest.name = format!("app-{n}"));
    let mut store = Store::open(&folder.join("store"), Settings::default()).unwrap();
    for n in 0..32 {
        let installed = store.install(&numbered(n), false, |bytes| {
            identity(&Rune::load(bytes).unwrap())
        });
        store.try_out(installed.unwrap()).unwrap();
        store.confirm(&format!("app-{n}")).unwrap();
    }
    drop(store);
    let served = serve(&folder);
    assert_eq!(served.server.status().len(), 32);
    let error = install(&folder, &numbered(32)).unwrap_err();
    assert!(error.contains("as many runes as there may be"), "{error}");
    remove(&served, "app-7").unwrap();
    install(&folder, &numbered(32)).unwrap();
    until("all run", || {
        let status = served.server.status();
        status.len() == 32 && status.iter().all(|s| s.phase == Phase::Running)
    });
}

/// An upload by hand: the connection, and the answer to what is announced.
fn upload(folder: &Path, digest: [u8; 32], bytes: u64) -> (BufReader<UnixStream>, Value) {
    let stream = UnixStream::connect(folder.join("control.sock")).unwrap();
    let request = Request::Install(Upload {
        digest,
        bytes,
        anew: false,
        confirm: false,
    });
    writeln!(&stream, "{}", json!(request)).unwrap();
    let mut reader = BufReader::new(stream);
    let answer = answer(&mut reader);
    (reader, answer)
}

fn answer(reader: &mut BufReader<UnixStream>) -> Value {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

#[test]
fn an_upload_that_broke_off_goes_on_where_it_was() {
    let folder = folder("uploads");
    trial(&folder, 1, "");
    let served = serve(&folder);
    let bytes = app(0, GOOD);
    let digest = Sha256::digest(&bytes).into();
    let (first, from) = upload(&folder, digest, bytes.len() as u64);
    assert_eq!(from, json!({ "ok": 0 }));
    first.get_ref().write_all(&bytes[..100]).unwrap();
    // There is one at a time.
    let busy = install(&folder, &app(1, GOOD)).unwrap_err();
    assert!(busy.contains("another rune is being installed"), "{busy}");
    drop(first);
    // Whoever comes next waits until the server has seen the end of the first.
    let mut second = None;
    until("the upload goes on", || {
        let (reader, from) = upload(&folder, digest, bytes.len() as u64);
        if from["ok"].is_u64() {
            assert_eq!(from, json!({ "ok": 100 }));
            second = Some(reader);
        }
        second.is_some()
    });
    let mut second = second.unwrap();
    second.get_ref().write_all(&bytes[100..]).unwrap();
    assert_eq!(answer(&mut second)["ok"]["name"], "app");

    // Bytes that are not those that were announced, and more than any rune has.
    let (mut wrong, _) = upload(&folder, [7; 32], 4);
    wrong.get_ref().write_all(b"rune").unwrap();
    let error = answer(&mut wrong).to_string();
    assert!(error.contains("the digest that was announced"), "{error}");
    let (_, error) = upload(&folder, [8; 32], 1 << 40);
    let error = error.to_string();
    assert!(error.contains("larger than a slot"), "{error}");
    assert_eq!(served.status("app").phase, Phase::Running);
}

#[test]
fn the_store_goes_before_files_and_files_run_without_it() {
    let folder = folder("files");
    trial(&folder, 1, "");
    let served = serve(&folder);
    install(&folder, &app(1, GOOD)).unwrap();
    confirm(&served, "app").unwrap();
    drop(served);
    let other = changed(0, GOOD, |manifest| manifest.name = named("other"));
    fs::write(folder.join("app.rune"), app(0, GOOD)).unwrap();
    fs::write(folder.join("other.rune"), other).unwrap();

    let served = serve(&folder);
    assert!(
        served.said().contains("2 app: `app.rune` is not served"),
        "{}",
        served.said()
    );
    until("both run", || {
        ["app", "other"].map(|name| served.status(name).phase) == [Phase::Running; 2]
    });
    assert_eq!(served.status("app").version, "1.1.0");
    // Its policy is read again, and the bytes are those of the store.
    served.ask(&Request::Reload { rune: named("app") }).unwrap();
    assert_eq!(served.status("app").version, "1.1.0");
    drop(served);

    // A store that others could write is not used, until it is put right.
    let store = folder.join("store");
    fs::set_permissions(&store, fs::Permissions::from_mode(0o755)).unwrap();
    let served = serve(&folder);
    assert!(
        served.said().contains("mode 700); only files are served"),
        "{}",
        served.said()
    );
    until("files run", || {
        ["app", "other"].map(|name| served.status(name).phase) == [Phase::Running; 2]
    });
    let error = install(&folder, &app(2, GOOD)).unwrap_err();
    assert!(error.contains("mode 700"), "{error}");
    served
        .ask(&Request::Reload {
            rune: named("other"),
        })
        .unwrap();
    fs::set_permissions(&store, fs::Permissions::from_mode(0o700)).unwrap();
    served.ask(&Request::Reload { rune: named("app") }).unwrap();
    assert_eq!(served.status("app").version, "1.1.0");
}

/// `rune serve` as a process, killed with SIGKILL when it is dropped.
fn process(folder: &Path) -> Process {
    let child = Command::new(env!("CARGO_BIN_EXE_rune"))
        .args(["serve", ".", "--no-cache"])
        .current_dir(folder)
        .stderr(Stdio::null())
        .spawn();
    let process = Process(child.unwrap());
    until("it answers", || rune(folder, &["ps"]).status.success());
    process
}

/// How `app` is once it runs.
fn running(folder: &Path) -> Status {
    let mut found = None;
    until("it runs", || {
        let out = rune(folder, &["ps", "--json"]);
        let all = serde_json::from_slice::<Vec<Status>>(&out.stdout).unwrap_or_default();
        found = all.into_iter().find(|s| s.phase == Phase::Running);
        found.is_some()
    });
    found.unwrap()
}

fn shown(status: &Status) -> Vec<String> {
    status.installed.iter().map(Slot::to_string).collect()
}

fn says(folder: &Path, args: &[&str], text: &str) {
    let out = rune(folder, args);
    let said = String::from_utf8(out.stdout).unwrap();
    let error = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.success(), "{error}");
    assert_eq!(said, text);
}

#[test]
fn installed_runes_come_back_as_they_were_when_the_server_was_killed() {
    let folder = folder("killed");
    // No trial becomes healthy by itself.
    trial(&folder, 4_000_000_000, "");
    for minor in 0..4 {
        fs::write(folder.join(format!("{minor}.wasm")), app(minor, GOOD)).unwrap();
    }
    let mut server = process(&folder);
    says(&folder, &["install", "0.wasm"], "app: trial 1.0.0 1/3\n");
    let kill = |server: &mut Process| {
        // The old one is killed and waited for before the new one starts.
        server.0.kill().unwrap();
        server.0.wait().unwrap();
        *server = process(&folder);
        running(&folder)
    };
    assert_eq!(shown(&kill(&mut server)), ["trial 1.0.0 2/3"]);
    says(&folder, &["confirm", "app"], "");
    let status = kill(&mut server);
    assert_eq!(shown(&status), ["confirmed 1.0.0"]);
    assert_eq!(status.digest, digest(&app(0, GOOD)));

    // One that takes the server down with it uses up its tries, and the confirmed one comes back.
    says(&folder, &["install", "1.wasm"], "app: trial 1.1.0 1/3\n");
    for attempt in 2..=3 {
        let status = kill(&mut server);
        let trial = format!("trial 1.1.0 {attempt}/3");
        assert_eq!(shown(&status), [&trial, "confirmed 1.0.0"]);
        assert_eq!(status.version, "1.1.0");
    }
    let status = kill(&mut server);
    assert_eq!(shown(&status), ["confirmed 1.0.0", "bad 1.1.0"]);
    assert_eq!(status.digest, digest(&app(0, GOOD)));
    let error = status.error.unwrap();
    assert!(error.contains("was started 3 times"), "{error}");
    assert!(error.contains("1.0.0, which was confirmed"), "{error}");

    // A person goes back.
    says(&folder, &["install", "2.wasm"], "app: trial 1.2.0 1/3\n");
    says(&folder, &["confirm", "app"], "");
    let status = kill(&mut server);
    assert_eq!(states(&status)[..2], ["confirmed 1.2.0", "previous 1.0.0"]);
    assert_eq!(status.version, "1.2.0");
    says(&folder, &["rollback", "app"], "");
    let status = kill(&mut server);
    assert_eq!(states(&status)[0], "confirmed 1.0.0");
    assert_eq!(status.version, "1.0.0");

    // Killed at some moment of an installation, the old one runs or the new one in trial.
    for moment in 0..8 {
        let mut client = Command::new(env!("CARGO_BIN_EXE_rune"))
            .args(["install", "3.wasm", "--anew"])
            .current_dir(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(moment * 9));
        kill(&mut server);
        // It may have found the new server.
        client.wait().unwrap();
        let status = running(&folder);
        let tried = status.installed.iter().find(|slot| slot.state == "trial");
        assert_eq!(
            status.version,
            if tried.is_some() { "1.3.0" } else { "1.0.0" }
        );
        assert!(states(&status).contains(&named("confirmed 1.0.0")));
        if tried.is_some() {
            says(&folder, &["rollback", "app"], "");
        }
    }
    says(&folder, &["remove", "app"], "");
    server.0.kill().unwrap();
    server.0.wait().unwrap();
    let _server = process(&folder);
    let out = rune(&folder, &["ps", "--json"]);
    assert_eq!(String::from_utf8(out.stdout).unwrap().trim(), "[]");
}

#[test]
fn a_wish_to_confirm_is_for_one_upload() {
    let folder = folder("wish");
    trial(&folder, 3_600_000, "");
    let served = serve(&folder);
    let wished = serve::install(&folder, &app(0, GOOD), false, true, |_| {}).unwrap();
    assert_eq!(wished.slot.state, "trial");
    rollback(&served, "app").unwrap();
    trial(&folder, 1, "");
    install(&folder, &app(0, GOOD)).unwrap();
    until("it is healthy", || {
        served.said().contains("app: it is healthy")
    });
    assert_eq!(states(&served.status("app")), ["trial 1.0.0"]);
}

#[test]
fn a_trial_whose_output_gets_nowhere_is_not_healthy() {
    let folder = folder("nowhere");
    let policy = policy(
        "every-ms = 1",
        "sink = \"http\"\nurl = \"http://127.0.0.1:9/\"",
    );
    let text = format!("{policy}[install]\nhealthy-after-ms = 1\nconfirm = \"healthy\"\n");
    fs::write(folder.join("policy.toml"), text).unwrap();
    let served = serve(&folder);
    install(&folder, &app(0, GOOD)).unwrap();
    until("it is said", || {
        served
            .said()
            .contains("nothing of an output gets to its sink")
    });
    assert_eq!(states(&served.status("app")), ["trial 1.0.0"]);
}

#[test]
fn what_is_left_of_one_that_was_rolled_back_keeps_no_file_out() {
    let folder = folder("left");
    trial(&folder, 1, "");
    let served = serve(&folder);
    install(&folder, &app(0, GOOD)).unwrap();
    rollback(&served, "app").unwrap();
    drop(served);
    fs::write(folder.join("app.rune"), app(1, GOOD)).unwrap();
    let served = serve(&folder);
    until("the file runs", || {
        served.status("app").phase == Phase::Running
    });
    assert_eq!(served.status("app").version, "1.1.0");
}
