//! What a server does with requests, over slots in memory.

mod sim;

use ed25519_compact::{KeyPair, Seed};
use rune_install::Phase;
use rune_smp::{
    Code, Device as _, Digest, Op, Server,
    device::{ImageFault, Lock},
    group,
    own::{DOMAIN, GROUP, command},
    settings::{SettingFault, Settings, name},
};
use sim::{Bench, Value, ask, code, offset, packet, rune, send, set, sha256, upload};

const DENIED: u16 = Code::AccessDenied.number();

fn phase(bench: &Bench, file: &[u8]) -> Option<Phase> {
    let slot = bench.pool().holding(&sha256(file))?;
    Some(bench.pool().slots()[slot].phase)
}

fn fault(fault: ImageFault) -> u16 {
    100 + fault.code().number
}

fn act(command: u8, name: &str) -> Vec<u8> {
    packet(
        Op::Write,
        GROUP,
        command,
        &[("name", Value::Text(name.to_owned()))],
    )
}

#[test]
fn an_image_is_uploaded_tried_confirmed_and_rolled_back() {
    let (mut server, mut bench) = (Server::new(), Bench::new());
    let (one, two) = (rune("a", 1, 0, 1000), rune("a", 2, 0, 1500));
    assert_eq!(send(&mut server, &mut bench, &one), 0);
    assert_eq!(phase(&bench, &one), Some(Phase::Verified));
    let tried = ask(&mut server, &mut bench, &set(Some(&sha256(&one)), false));
    assert_eq!((code(&tried), bench.running.len()), (0, 1));
    assert_eq!(phase(&bench, &one), Some(Phase::Trial));
    // The only trial is meant, and again it changes nothing.
    for _ in 0..2 {
        assert_eq!(code(&ask(&mut server, &mut bench, &set(None, true))), 0);
        assert_eq!(phase(&bench, &one), Some(Phase::Confirmed));
    }
    // What is there need not be sent, and what stays is not tried.
    let whole = ask(&mut server, &mut bench, &upload(&one, 0, 10));
    assert_eq!(offset(&whole), one.len());
    let again = ask(&mut server, &mut bench, &set(Some(&sha256(&one)), false));
    assert_eq!(code(&again), fault(ImageFault::TestDenied));

    assert_eq!(send(&mut server, &mut bench, &two), 0);
    let confirm = set(Some(&sha256(&two)), true);
    assert_eq!(code(&ask(&mut server, &mut bench, &confirm)), 0);
    assert_eq!(phase(&bench, &two), Some(Phase::Trial));
    bench.healthy();
    assert_eq!(phase(&bench, &two), Some(Phase::Confirmed));
    assert_eq!(phase(&bench, &one), Some(Phase::Previous));
    // Back to the one before, by hand, and by its digest.
    let back = act(command::ROLLBACK, "a");
    assert_eq!(code(&ask(&mut server, &mut bench, &back)), 0);
    assert_eq!(phase(&bench, &one), Some(Phase::Confirmed));
    assert_eq!(phase(&bench, &two), Some(Phase::Bad));
    assert!(bench.is_whole());
    let bad = ask(&mut server, &mut bench, &set(Some(&sha256(&two)), false));
    assert_eq!(code(&bad), fault(ImageFault::InvalidImage));
}

#[test]
fn confirming_what_was_confirmed_ends_the_trial_of_another() {
    let (mut server, mut bench) = (Server::new(), Bench::new());
    let (one, two) = (rune("a", 1, 0, 700), rune("a", 2, 0, 800));
    for (file, confirm) in [(&one, true), (&two, false)] {
        assert_eq!(send(&mut server, &mut bench, file), 0);
        let set = set(Some(&sha256(file)), confirm);
        assert_eq!(code(&ask(&mut server, &mut bench, &set)), 0);
        bench.healthy();
    }
    assert_eq!(phase(&bench, &two), Some(Phase::Trial));
    let keep = set(Some(&sha256(&one)), true);
    assert_eq!(code(&ask(&mut server, &mut bench, &keep)), 0);
    assert_eq!(phase(&bench, &two), Some(Phase::Bad));
    assert_eq!(bench.running[0].1, sha256(&one));
}

#[test]
fn a_rollback_that_names_its_rune_is_done_once() {
    let (mut server, mut bench) = (Server::new(), Bench::new());
    let files = [1, 2, 3].map(|version| rune("a", version, 0, 600));
    for file in &files {
        assert_eq!(send(&mut server, &mut bench, file), 0);
        let keep = set(Some(&sha256(file)), true);
        assert_eq!(code(&ask(&mut server, &mut bench, &keep)), 0);
        bench.healthy();
    }
    let back = packet(
        Op::Write,
        GROUP,
        command::ROLLBACK,
        &[
            ("name", Value::Text("a".to_owned())),
            ("hash", Value::Bytes(sha256(&files[2]).to_vec())),
        ],
    );
    for _ in 0..3 {
        assert_eq!(code(&ask(&mut server, &mut bench, &back)), 0);
        assert_eq!(phase(&bench, &files[1]), Some(Phase::Confirmed));
    }
}

#[test]
fn an_upload_goes_on_where_it_was_also_after_a_reset() {
    let (mut server, mut bench) = (Server::new(), Bench::new());
    let file = rune("a", 1, 0, 2000);
    let mut at = 0;
    while at < 1200 {
        at = offset(&ask(&mut server, &mut bench, &upload(&file, at, 300)));
    }
    // The same begin says where it goes on, and a part that is not the next one too.
    assert_eq!(
        offset(&ask(&mut server, &mut bench, &upload(&file, 0, 50))),
        1200
    );
    assert_eq!(
        offset(&ask(&mut server, &mut bench, &upload(&file, 300, 50))),
        1200
    );
    bench = bench.restart();
    server = Server::new();
    // The last checkpoint.
    assert_eq!(
        offset(&ask(&mut server, &mut bench, &upload(&file, 1200, 50))),
        1024
    );
    assert_eq!(
        offset(&ask(&mut server, &mut bench, &upload(&file, 0, 50))),
        1024
    );
    assert_eq!(send(&mut server, &mut bench, &file), 0);
    assert_eq!(phase(&bench, &file), Some(Phase::Verified));
}

#[test]
fn what_is_no_rune_is_refused_at_its_first_bytes() {
    let (mut server, mut bench) = (Server::new(), Bench::new());
    let firmware = [&[0x3D, 0xB8, 0xF3, 0x96][..], &[0; 100]].concat();
    let text = b"not a rune at all".to_vec();
    let unknown = [&b"\0asm"[..], &[9, 9, 200]].concat();
    let large = rune("a", 1, 0, sim::SLOT + 1);
    for (file, expected) in [
        (firmware, Code::NotSupported.number()),
        (text, fault(ImageFault::InvalidMagic)),
        (unknown, fault(ImageFault::InvalidImage)),
        (large, fault(ImageFault::TooLarge)),
    ] {
        assert_eq!(send(&mut server, &mut bench, &file), expected);
        assert!(bench.running.is_empty());
    }
    // Bytes of another digest.
    let file = rune("a", 1, 0, 500);
    let at = offset(&ask(&mut server, &mut bench, &upload(&file, 0, 300)));
    let mut altered = file.clone();
    altered[400] ^= 1;
    let body = ask(&mut server, &mut bench, &upload(&altered, at, 300));
    assert_eq!(code(&body), fault(ImageFault::InvalidHash));
    assert_eq!(phase(&bench, &file), Some(Phase::Bad));
    // Without a digest nothing can go on.
    let values = [
        ("off", Value::Number(0)),
        ("len", Value::Number(9)),
        ("data", Value::Bytes(vec![0])),
    ];
    let bare = packet(Op::Write, group::IMAGE, 1, &values);
    assert_eq!(
        code(&ask(&mut server, &mut bench, &bare)),
        Code::Invalid.number()
    );
}

#[test]
fn older_ones_are_refused_where_that_is_asked_for() {
    let (mut server, mut bench) = (Server::new(), Bench::new());
    let (one, two) = (rune("a", 1, 0, 300), rune("a", 2, 0, 300));
    assert_eq!(send(&mut server, &mut bench, &two), 0);
    assert_eq!(
        code(&ask(
            &mut server,
            &mut bench,
            &set(Some(&sha256(&two)), false)
        )),
        0
    );
    let only_newer = |file: &[u8]| {
        let values = [
            ("off", Value::Number(0)),
            ("len", Value::Number(file.len() as u32)),
            ("sha", Value::Bytes(sha256(file).to_vec())),
            ("data", Value::Bytes(file.to_vec())),
            ("upgrade", Value::Truth(true)),
        ];
        packet(Op::Write, group::IMAGE, 1, &values)
    };
    let older = ask(&mut server, &mut bench, &only_newer(&one));
    assert_eq!(code(&older), fault(ImageFault::Older));
    assert_eq!(phase(&bench, &one), None);
    let newer = ask(&mut server, &mut bench, &only_newer(&rune("a", 3, 0, 300)));
    assert_eq!(code(&newer), 0);
}

#[test]
fn erasing_spares_what_runs_and_what_it_goes_back_to() {
    let (mut server, mut bench) = (Server::new(), Bench::new());
    let erase = |slot: Option<u32>| {
        let values: Vec<_> = slot
            .map(|slot| ("slot", Value::Number(slot)))
            .into_iter()
            .collect();
        packet(Op::Write, group::IMAGE, 5, &values)
    };
    let files = [1, 2, 3].map(|version| rune("a", version, 0, 300));
    for file in &files[..2] {
        assert_eq!(send(&mut server, &mut bench, file), 0);
        let keep = set(Some(&sha256(file)), true);
        assert_eq!(code(&ask(&mut server, &mut bench, &keep)), 0);
        bench.healthy();
    }
    assert_eq!(send(&mut server, &mut bench, &files[2]), 0);
    let phases = |bench: &Bench| files.each_ref().map(|file| phase(bench, file));
    assert_eq!(
        phases(&bench),
        [
            Some(Phase::Previous),
            Some(Phase::Confirmed),
            Some(Phase::Verified)
        ]
    );
    for slot in [None, Some(1)] {
        assert_eq!(code(&ask(&mut server, &mut bench, &erase(slot))), 0);
        assert_eq!(
            phases(&bench),
            [Some(Phase::Previous), Some(Phase::Confirmed), None]
        );
    }
    for (slot, expected) in [
        (2, Code::BadState.number()),
        (5, fault(ImageFault::InvalidSlot)),
        (3, 0),
    ] {
        assert_eq!(
            code(&ask(&mut server, &mut bench, &erase(Some(slot)))),
            expected
        );
    }
    assert_eq!(phases(&bench), [None, Some(Phase::Confirmed), None]);
}

#[test]
fn commands_of_our_own_tell_and_do_what_they_say() {
    let (mut server, mut bench) = (Server::new(), Bench::new());
    let file = rune("motion", 1, 0, 300);
    assert_eq!(send(&mut server, &mut bench, &file), 0);
    ask(&mut server, &mut bench, &set(Some(&sha256(&file)), false));
    let read = |command, values: &[(&str, Value)]| packet(Op::Read, GROUP, command, values);
    let contains = |body: &[u8], text: &str| {
        let found = body.windows(text.len()).any(|w| w == text.as_bytes());
        assert!(found, "no {text} in {body:02x?}");
    };
    contains(
        &ask(&mut server, &mut bench, &read(command::ABOUT, &[])),
        "open",
    );
    let first = ask(&mut server, &mut bench, &read(command::RUNE, &[]));
    contains(&first, "motion");
    contains(&first, "trial");
    let second = read(command::RUNE, &[("i", Value::Number(1))]);
    assert_eq!(
        code(&ask(&mut server, &mut bench, &second)),
        Code::NoEntry.number()
    );
    let kind = read(command::CAPABILITY, &[("i", Value::Number(1))]);
    contains(&ask(&mut server, &mut bench, &kind), "ACCEL");
    let hash = ("hash", Value::Bytes(sha256(&file).to_vec()));
    let manifest = read(command::MANIFEST, &[hash]);
    contains(&ask(&mut server, &mut bench, &manifest), "motion");
    // The same as a file, for clients that know no group of ours.
    let mut file = |op, command, name: &str, offset: u32| {
        let name = ("name", Value::Text(name.to_owned()));
        let values = [
            name,
            ("off", Value::Number(offset)),
            ("data", Value::Bytes(vec![1])),
        ];
        let asked = packet(op, group::FILES, command, &values);
        ask(&mut server, &mut bench, &asked)
    };
    let own = "/manifest/motion";
    contains(&file(Op::Read, 0, own, 0), "motion");
    contains(&file(Op::Read, 1, own, 0), "len");
    assert_eq!(code(&file(Op::Read, 0, own, 1 << 20)), 112);
    assert_eq!(code(&file(Op::Write, 0, own, 0)), 115);
    for other in ["/manifest/other", "/manifest/", "motion", "", "/etc/passwd"] {
        assert_eq!(code(&file(Op::Read, 0, other, 0)), 103);
        assert_eq!(code(&file(Op::Read, 1, other, 0)), 103);
    }
    let name = ("name", Value::Text("motion".to_owned()));
    let lines = read(command::LINES, &[name]);
    contains(&ask(&mut server, &mut bench, &lines), "motion");
    for (command, is_wanted) in [(command::STOP, false), (command::START, true)] {
        ask(&mut server, &mut bench, &act(command, "motion"));
        assert_eq!(bench.running[0].2, is_wanted);
    }
    ask(&mut server, &mut bench, &act(command::CALL, "motion"));
    assert_eq!(bench.running[0].3, 1);
    let values = [("name", Value::Text("motion".to_owned()))];
    let statistics = packet(Op::Read, group::STATISTICS, 0, &values);
    contains(&ask(&mut server, &mut bench, &statistics), "calls");
    ask(&mut server, &mut bench, &act(command::ROLLBACK, "nobody"));
    contains(
        &ask(&mut server, &mut bench, &read(command::WHY, &[])),
        "there is no such rune",
    );
    assert_eq!(
        code(&ask(
            &mut server,
            &mut bench,
            &act(command::REMOVE, "motion")
        )),
        0
    );
    assert!(bench.running.is_empty());
}

const LOCK: Lock = Lock {
    device: *b"the first device",
    nonce: *b"its second start",
};

fn key(seed: u8) -> KeyPair {
    KeyPair::from_seed(Seed::new([seed; 32]))
}

fn signed(key: &KeyPair, lock: &Lock, sequence: u32, frame: &[u8]) -> Vec<u8> {
    let number = sequence.to_be_bytes();
    let parts = [DOMAIN, &lock.device[..], &lock.nonce, &number, frame];
    let signature = key.sk.sign(parts.concat(), None);
    packet(
        Op::Write,
        GROUP,
        command::SIGNED,
        &[
            ("id", Value::Bytes(lock.device.to_vec())),
            ("nonce", Value::Bytes(lock.nonce.to_vec())),
            ("seq", Value::Number(sequence)),
            ("frame", Value::Bytes(frame.to_vec())),
            ("key", Value::Bytes(key.pk.to_vec())),
            ("sig", Value::Bytes(signature.to_vec())),
        ],
    )
}

fn locked() -> Bench {
    let mut bench = Bench::new();
    bench.lock = Some((LOCK, *key(1).pk));
    bench
}

#[test]
fn a_locked_device_takes_what_is_signed_for_it_once() {
    let (mut server, mut bench) = (Server::new(), locked());
    let file = rune("a", 1, 0, 1000);
    let first = upload(&file, 0, 200);
    // It tells what it always tells, and changes nothing for anybody.
    let images = packet(Op::Read, group::IMAGE, 0, &[]);
    assert_eq!(code(&ask(&mut server, &mut bench, &images)), 0);
    for request in [&first, &set(None, true), &act(command::STOP, "a")] {
        assert_eq!(code(&ask(&mut server, &mut bench, request)), DENIED);
    }
    let own = key(1);
    let other = Lock {
        device: *b"another device..",
        ..LOCK
    };
    let before = Lock {
        nonce: *b"its first start.",
        ..LOCK
    };
    let mut forged = signed(&own, &LOCK, 1, &first);
    *forged.last_mut().unwrap() ^= 1;
    for refused in [
        forged,
        signed(&key(2), &LOCK, 1, &first),
        signed(&own, &other, 1, &first),
        signed(&own, &before, 1, &first),
        signed(&own, &LOCK, 0, &first),
    ] {
        assert_eq!(code(&ask(&mut server, &mut bench, &refused)), DENIED);
    }
    assert!(bench.entries().iter().all(|e| e.phase == Phase::Empty));

    let announced = signed(&own, &LOCK, 7, &first);
    assert_eq!(offset(&ask(&mut server, &mut bench, &announced)), 200);
    // It is taken once, and so is nothing that was signed before it.
    for replayed in [&announced, &signed(&own, &LOCK, 6, &first)] {
        assert_eq!(code(&ask(&mut server, &mut bench, replayed)), DENIED);
    }
    // Its parts go on by themselves, and another upload does not.
    let another = upload(&rune("b", 1, 0, 900), 0, 200);
    assert_eq!(code(&ask(&mut server, &mut bench, &another)), DENIED);
    assert_eq!(send(&mut server, &mut bench, &file), 0);
    assert_eq!(phase(&bench, &file), Some(Phase::Verified));
    let test = set(Some(&sha256(&file)), false);
    assert_eq!(code(&ask(&mut server, &mut bench, &test)), DENIED);
    let test = signed(&own, &LOCK, 8, &test);
    assert_eq!(code(&ask(&mut server, &mut bench, &test)), 0);
    assert_eq!(phase(&bench, &file), Some(Phase::Trial));
    // What is announced is over with it.
    assert_eq!(code(&ask(&mut server, &mut bench, &first)), DENIED);
    // What is signed within what is signed is nothing.
    let twice = signed(&own, &LOCK, 10, &signed(&own, &LOCK, 11, &images));
    assert_eq!(
        code(&ask(&mut server, &mut bench, &twice)),
        Code::Invalid.number()
    );
    // An open device has no keys to ask.
    bench.lock = None;
    let open = signed(&own, &LOCK, 12, &images);
    assert_eq!(
        code(&ask(&mut server, &mut bench, &open)),
        Code::BadState.number()
    );
}

struct Random(u64);

impl Random {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (self.0 >> 33) as usize % below
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Requests of every kind, some of which belong together.
fn any_request(random: &mut Random, files: &[(Vec<u8>, Digest)], bench: &Bench) -> Vec<u8> {
    let (file, digest) = random.of(files);
    let (mut file, mut digest) = (file, *digest);
    let hash = ("hash", Value::Bytes(digest.to_vec()));
    let name = (
        "name",
        Value::Text((*random.of(&["a", "b", "c", ""])).to_owned()),
    );
    let number = random.below(8) as u32;
    match random.below(20) {
        0..8 => {
            let from = random.below(file.len() / 4) * 4;
            let mut from = *random.of(&[0, from]);
            // Mostly the one that is under way goes on.
            let mut entries = bench.entries().iter();
            let begun = entries.find(|entry| entry.phase == Phase::Receiving);
            if let Some(entry) = begun.filter(|_| random.below(8) > 0) {
                let same = |(_, digest): &&(Vec<u8>, Digest)| *digest == entry.digest;
                if let Some((begun, same)) = files.iter().find(same) {
                    (file, digest) = (begun, *same);
                }
                from = (entry.received as usize).min(file.len());
            }
            let most = random.below(600);
            let data = file[from..].iter().copied().take(most).collect();
            let mut values = vec![
                ("off", Value::Number(from as u32)),
                ("data", Value::Bytes(data)),
            ];
            if from == 0 {
                values.push(("len", Value::Number(file.len() as u32)));
                values.push(("sha", Value::Bytes(digest.to_vec())));
                values.push(("anew", Value::Truth(random.below(2) == 0)));
                values.push(("upgrade", Value::Truth(random.below(4) == 0)));
            }
            packet(Op::Write, group::IMAGE, 1, &values)
        }
        8 => set(Some(&digest), false),
        9 => set(Some(&digest), true),
        10 => set(None, true),
        11 => packet(
            Op::Write,
            group::IMAGE,
            5,
            &[("slot", Value::Number(number))],
        ),
        12 => packet(Op::Write, GROUP, *random.of(&[6, 7, 8, 9, 10]), &[name]),
        13 => packet(Op::Write, GROUP, *random.of(&[9, 10]), &[name, hash]),
        14 => packet(
            Op::Read,
            GROUP,
            number as u8,
            &[name, hash, ("i", Value::Number(number))],
        ),
        15 => packet(Op::Read, group::STATISTICS, *random.of(&[0, 1]), &[name]),
        16 => packet(
            Op::Read,
            *random.of(&[0, 1, 3, 8, 10]),
            number as u8,
            &[name],
        ),
        17 => packet(Op::Write, group::OS, 5, &[]),
        18 => signed(&key(2), &LOCK, number, &set(None, true)),
        _ => packet(Op::Read, group::IMAGE, 0, &[]),
    }
}

/// Changes some of it, and mostly lets its header tell its length.
fn damage(random: &mut Random, packet: &mut Vec<u8>) {
    for _ in 0..random.below(4) {
        let at = random.below(packet.len());
        match random.below(5) {
            0 => packet[at] = random.below(256) as u8,
            1 => packet[at] ^= 1 << random.below(8),
            2 => packet.insert(at, random.below(256) as u8),
            3 if packet.len() > 9 => drop(packet.remove(at)),
            _ => packet.truncate(at.max(8)),
        }
    }
    if random.below(10) > 0 {
        let body = (packet.len() - 8) as u16;
        packet[2..4].copy_from_slice(&body.to_be_bytes());
    }
}

fn files() -> Vec<(Vec<u8>, Digest)> {
    let mut files = vec![];
    for (name, version) in [("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 2), ("c", 1)] {
        files.push(rune(
            name,
            version,
            version / 2,
            40 + 300 * usize::from(version),
        ));
    }
    files.push([&b"\0asm"[..], &[7; 300]].concat());
    files
        .into_iter()
        .map(|file| (sha256(&file), file))
        .map(|(digest, file)| (file, digest))
        .collect()
}

/// A million packets, most of them damaged: the server answers in its bounds, and its device is whole.
#[test]
fn no_packet_stops_it_or_leaves_it_torn() {
    let (mut server, mut bench) = (Server::new(), Bench::new());
    let mut random = Random(11);
    let files = files();
    let (mut answered, mut trials, mut restarts) = (0, 0, 0);
    for round in 0..1_000_000 {
        let mut packet = any_request(&mut random, &files, &bench);
        if random.below(4) > 0 {
            damage(&mut random, &mut packet);
        }
        let room = *random.of(&[1024, 1024, 1024, 64, 13, 7, 0]);
        let mut out = [0xA5; 1032];
        let answer = server.handle(&packet, &mut bench, &mut out[..room]);
        answered += u32::from(answer.is_some());
        if let Some(answer) = answer {
            assert!(answer.packet.len() <= room);
            assert!(rune_smp::Header::decode(answer.packet).is_some());
        }
        assert!(out[room..].iter().all(|byte| *byte == 0xA5));
        assert!(bench.pool().is_lawful(), "round {round}");
        trials += u32::from(bench.entries().iter().any(|e| e.phase == Phase::Trial));
        match random.below(1000) {
            0..20 => bench.healthy(),
            20 => {
                bench = bench.restart();
                server = Server::new();
                restarts += 1;
            }
            _ => {}
        }
        if round % 97 == 0 {
            assert!(bench.is_whole(), "round {round}");
        }
    }
    assert!(answered > 500_000, "{answered} were answered");
    assert!(trials > 10_000 && restarts > 100, "{trials}, {restarts}");
    // It still does its work.
    let file = rune("a", 9, 9, 900);
    for slot in [1, 3, 5, 7] {
        let erase = packet(Op::Write, group::IMAGE, 5, &[("slot", Value::Number(slot))]);
        ask(&mut server, &mut bench, &erase);
    }
    assert_eq!(send(&mut server, &mut bench, &file), 0);
    let test = set(Some(&sha256(&file)), false);
    assert_eq!(code(&ask(&mut server, &mut bench, &test)), 0);
    assert_eq!(phase(&bench, &file), Some(Phase::Trial));
    assert!(bench.is_whole());
}

/// Nothing but what is signed changes a locked device, whatever comes.
#[test]
fn no_packet_without_a_signature_changes_a_locked_device() {
    let (mut server, mut bench) = (Server::new(), locked());
    let mut random = Random(12);
    let files = files();
    let own = key(1);
    let right = signed(&own, &LOCK, 100, &upload(&files[0].0, 0, 200));
    let before = bench.pool().clone();
    let mut out = [0; 1024];
    for _ in 0..200_000 {
        let mut packet = any_request(&mut random, &files, &bench);
        damage(&mut random, &mut packet);
        server.handle(&packet, &mut bench, &mut out);
    }
    for _ in 0..2_000 {
        let mut packet = right.clone();
        let at = 8 + random.below(packet.len() - 8);
        packet[at] ^= 1 << random.below(8);
        server.handle(&packet, &mut bench, &mut out);
    }
    assert!(*bench.pool() == before && bench.resets == 0 && bench.running.is_empty());
    assert_eq!(offset(&ask(&mut server, &mut bench, &right)), 200);
}

fn setting(name: &str, value: &[u8]) -> Vec<u8> {
    packet(
        Op::Write,
        group::SETTINGS,
        0,
        &[
            ("name", Value::Text(name.to_owned())),
            ("val", Value::Bytes(value.to_vec())),
        ],
    )
}

fn no_setting(name: &str) -> Vec<u8> {
    let name = Value::Text(name.to_owned());
    packet(Op::Write, group::SETTINGS, 1, &[("name", name)])
}

fn commit() -> Vec<u8> {
    packet(Op::Write, group::SETTINGS, 2, &[])
}

fn setting_fault(fault: SettingFault) -> u16 {
    100 + fault.code().number
}

#[test]
fn settings_count_once_they_are_committed_and_only_the_name_is_read() {
    let (mut server, mut bench) = (Server::new(), Bench::new());
    let set = [
        (name::NAME, &b"kitchen"[..]),
        (name::WIFI_SSID, b"ours"),
        (name::WIFI_KEY, b"correct horse"),
    ];
    for (name, value) in set {
        let asked = ask(&mut server, &mut bench, &setting(name, value));
        assert_eq!(code(&asked), 0, "{name}");
    }
    assert_eq!(bench.settings, Some(Settings::NONE));
    // What was loaded again forgets them.
    let load = packet(Op::Write, group::SETTINGS, 3, &[]);
    let loads = packet(Op::Read, group::SETTINGS, 3, &[]);
    assert_eq!(code(&ask(&mut server, &mut bench, &loads)), 0);
    assert_eq!(code(&ask(&mut server, &mut bench, &commit())), 0);
    assert_eq!(bench.settings, Some(Settings::NONE));
    for (name, value) in set {
        ask(&mut server, &mut bench, &setting(name, value));
    }
    // To save is to commit.
    assert_eq!(code(&ask(&mut server, &mut bench, &load)), 0);
    let kept = bench.settings.unwrap();
    assert_eq!(kept.name.as_bytes(), b"kitchen");
    assert_eq!(kept.wifi_key.as_bytes(), b"correct horse");

    let read = |name: &str| {
        let name = Value::Text(name.to_owned());
        packet(Op::Read, group::SETTINGS, 0, &[("name", name)])
    };
    let named = ask(&mut server, &mut bench, &read(name::NAME));
    assert!(named.windows(7).any(|w| w == b"kitchen"), "{named:?}");
    for name in [name::WIFI_SSID, name::WIFI_KEY, "rune/keys/0"] {
        let refused = ask(&mut server, &mut bench, &read(name));
        assert_eq!(code(&refused), setting_fault(SettingFault::WriteOnly));
    }
    for value in [&b"a b"[..], &[b'a'; 60]] {
        let wrong = ask(&mut server, &mut bench, &setting(name::NAME, value));
        assert_eq!(code(&wrong), setting_fault(SettingFault::Value));
    }
    let unknown = ask(&mut server, &mut bench, &setting("bt/name", b"x"));
    assert_eq!(code(&unknown), setting_fault(SettingFault::Unknown));
    // A device that keeps none says so.
    bench.settings = None;
    for request in [setting(name::NAME, b"a"), read(name::NAME), commit()] {
        let refused = ask(&mut server, &mut bench, &request);
        assert_eq!(code(&refused), Code::NotSupported.number());
    }
}

#[test]
fn the_first_key_is_taken_from_who_is_near_and_locks_the_device() {
    let (mut server, mut bench) = (Server::new(), Bench::new());
    let first = setting("rune/keys/0", &key(1).pk[..]);
    bench.is_near = false;
    // Over a network anybody could be first, and see a secret; the name is none.
    for (request, fault) in [
        (&first, SettingFault::Unowned),
        (
            &setting(name::WIFI_KEY, b"correct horse"),
            SettingFault::Seen,
        ),
    ] {
        let refused = ask(&mut server, &mut bench, request);
        assert_eq!(code(&refused), setting_fault(fault));
        let why = ask(
            &mut server,
            &mut bench,
            &packet(Op::Read, GROUP, command::WHY, &[]),
        );
        let text = String::from_utf8_lossy(&why).into_owned();
        assert!(text.contains("serial port or Bluetooth"), "{text}");
    }
    let plain = setting(name::NAME, b"kitchen");
    assert_eq!(code(&ask(&mut server, &mut bench, &plain)), 0);
    bench.is_near = true;
    assert_eq!(code(&ask(&mut server, &mut bench, &first)), 0);
    assert_eq!(code(&ask(&mut server, &mut bench, &commit())), 0);
    let lock = bench.lock.unwrap().0;
    // From now on nobody changes anything without it, wherever they are.
    for request in [&plain, &first, &commit(), &no_setting("rune/keys/0")] {
        assert_eq!(code(&ask(&mut server, &mut bench, request)), DENIED);
    }
    let mut sequence = 0;
    let mut owned = |server: &mut Server, bench: &mut Bench, request: &[u8]| {
        sequence += 1;
        code(&ask(
            server,
            bench,
            &signed(&key(1), &lock, sequence, request),
        ))
    };
    // The last key stays; the next one may come over a network, a secret may not.
    let removed = no_setting("rune/keys/0");
    assert_eq!(owned(&mut server, &mut bench, &removed), 0);
    assert_eq!(
        owned(&mut server, &mut bench, &commit()),
        setting_fault(SettingFault::LastKey)
    );
    bench.is_near = false;
    let second = setting("rune/keys/1", &key(2).pk[..]);
    assert_eq!(owned(&mut server, &mut bench, &second), 0);
    let secret = setting(name::WIFI_KEY, b"correct horse");
    assert_eq!(
        owned(&mut server, &mut bench, &secret),
        setting_fault(SettingFault::Seen)
    );
    assert_eq!(owned(&mut server, &mut bench, &commit()), 0);
    let keys = bench.settings.unwrap().keys;
    assert_eq!(keys, [None, Some(*key(2).pk), None, None]);
}
