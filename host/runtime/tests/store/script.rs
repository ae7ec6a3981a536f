//! What the tests do to a store, step by step, and what they look at afterwards.

use std::collections::BTreeMap;

use rune_install::{Identity, Name};
use rune_runtime::store::{Digest, Disk, Phase, Settings, Store, StoreError};
use sha2::{Digest as _, Sha256};

pub(crate) const SETTINGS: Settings = Settings {
    tries: 2,
    strikes: 2,
    rune_bytes: 64 << 10,
    step: 4096,
    area_bytes: 9728,
};

/// A step. It has at most one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Begins an upload of a rune.
    Begin(&'static str, u8),
    /// Sends the upload of a rune up to this part in ten of it.
    Send(&'static str, u8, usize),
    Finish,
    TryOut(&'static str, u8),
    Attempt(&'static str),
    Healthy(&'static str),
    Failed(&'static str),
    Confirm(&'static str),
    Rollback(&'static str),
    Remove(&'static str),
    Discard(&'static str, u8),
    Set(&'static str, u8),
}

/// The bytes of a rune: its name, version and security counter, and what differs for each.
pub(crate) fn rune(name: &str, version: u8) -> Vec<u8> {
    let mut bytes = format!("{name} {version} {}\n", version / 4).into_bytes();
    let len = 1500 + usize::from(version) * 1100;
    let mut at = u32::from(version) + name.len() as u32 * 977;
    while bytes.len() < len {
        at = at.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.push((at >> 24) as u8);
    }
    bytes
}

pub(crate) fn digest(name: &str, version: u8) -> Digest {
    Sha256::digest(rune(name, version)).into()
}

/// What stands in the bytes of a rune.
pub(crate) fn verify(mut bytes: Vec<u8>) -> Result<Identity, String> {
    let end = bytes.iter().position(|b| *b == b'\n').ok_or("no line")?;
    bytes.truncate(end);
    let line = String::from_utf8(bytes).map_err(|e| e.to_string())?;
    let [name, version, counter] = line.split(' ').collect::<Vec<_>>()[..] else {
        return Err(format!("not three words: {line}"));
    };
    Ok(Identity {
        name: Name::new(name).ok_or("no name")?,
        version: [version.parse().map_err(|_| "no version")?, 0, 0],
        counter: counter.parse().map_err(|_| "no counter")?,
    })
}

/// Does a step. What is refused changes nothing.
pub(crate) fn act<D: Disk>(store: &mut Store<D>, act: Act) {
    let result = match act {
        Act::Begin(name, version) => {
            let bytes = rune(name, version).len() as u64;
            store.begin(digest(name, version), bytes, true).map(drop)
        }
        Act::Send(name, version, tenths) => send(store, name, version, tenths),
        Act::Finish => store.finish(verify).map(drop),
        Act::TryOut(name, version) => store.try_out(digest(name, version)),
        Act::Attempt(name) => store.attempt(name).map(drop),
        Act::Healthy(name) => store.healthy(name),
        Act::Failed(name) => store.failed(name),
        Act::Confirm(name) => store.confirm(name),
        Act::Rollback(name) => store.rollback(name),
        Act::Remove(name) => store.remove(name),
        Act::Discard(name, version) => store.discard(digest(name, version)),
        Act::Set(key, value) => store.set_value(key, Some(&value.to_string())),
    };
    match result {
        Ok(()) | Err(StoreError::Refused(_)) => {}
        Err(error) => panic!("{act:?}: {error:?}"),
    }
}

fn send<D: Disk>(
    store: &mut Store<D>,
    name: &str,
    version: u8,
    tenths: usize,
) -> Result<(), StoreError> {
    let due = digest(name, version);
    let upload = store.list().into_iter().find(|i| i.digest == due);
    let Some(upload) = upload.filter(|i| i.state == Phase::Receiving) else {
        return Ok(());
    };
    let bytes = rune(name, version);
    let end = bytes.len() * tenths / 10;
    let mut at = u64::from(upload.received);
    while (at as usize) < end {
        let next = end.min(at as usize + 1500);
        at = store.append(at, &bytes[at as usize..next])?;
    }
    Ok(())
}

/// Uploads a rune to the end and confirms it.
pub(crate) fn install<D: Disk>(store: &mut Store<D>, name: &str, version: u8) {
    let bytes = rune(name, version);
    let digest = store.install(&bytes, true, verify).unwrap();
    store.try_out(digest).unwrap();
    assert_eq!(store.attempt(name).unwrap().unwrap().digest, digest);
    store.confirm(name).unwrap();
}

/// What a store holds that may not be lost: all but the upload that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    runes: BTreeMap<(String, String), (Digest, u8)>,
    bad: Vec<Digest>,
    floors: [u32; 2],
    values: [Option<String>; 2],
}

/// Looks at a store, and reads every rune in it.
pub(crate) fn view<D: Disk>(store: &mut Store<D>) -> View {
    try_view(store).expect("every rune is whole")
}

/// The same, if every rune is whole.
pub(crate) fn try_view<D: Disk>(store: &mut Store<D>) -> Result<View, StoreError> {
    let mut view = View {
        runes: BTreeMap::new(),
        bad: vec![],
        floors: ["a", "b"].map(|name| store.floor(name)),
        values: ["run", "when"].map(|key| store.value(key).map(str::to_owned)),
    };
    for installed in store.list() {
        match installed.state {
            Phase::Empty | Phase::Receiving => {}
            Phase::Bad => view.bad.push(installed.digest),
            Phase::Verified | Phase::Trial | Phase::Confirmed | Phase::Previous => {
                let bytes = store.bytes(&installed.digest)?;
                assert_eq!(verify(bytes).unwrap().name.as_str(), installed.name);
                let key = (installed.name, installed.state.to_string());
                let is_new = view
                    .runes
                    .insert(key, (installed.digest, installed.attempts))
                    .is_none();
                assert!(is_new, "two of a name in one state");
            }
        }
    }
    view.bad.sort_unstable();
    Ok(view)
}

/// A run that does everything once.
pub(crate) const RUN: &[Act] = &[
    Act::Set("run", 1),
    Act::Begin("a", 1),
    Act::Send("a", 1, 10),
    Act::Finish,
    Act::TryOut("a", 1),
    Act::Attempt("a"),
    Act::Healthy("a"),
    Act::Confirm("a"),
    // Long enough for checkpoints, and left half way for another.
    Act::Begin("b", 9),
    Act::Send("b", 9, 8),
    Act::Begin("a", 5),
    Act::Send("a", 5, 10),
    Act::Finish,
    Act::TryOut("a", 5),
    Act::Attempt("a"),
    Act::Set("run", 2),
    Act::Confirm("a"),
    Act::Begin("b", 2),
    Act::Send("b", 2, 10),
    Act::Finish,
    Act::TryOut("b", 2),
    Act::Attempt("b"),
    Act::Failed("b"),
    Act::Attempt("b"),
    Act::Attempt("b"),
    Act::Begin("a", 6),
    Act::Send("a", 6, 10),
    Act::Finish,
    Act::TryOut("a", 6),
    Act::Attempt("a"),
    Act::Rollback("a"),
    Act::Set("when", 7),
    Act::Begin("a", 7),
    Act::Send("a", 7, 10),
    Act::Finish,
    Act::TryOut("a", 7),
    Act::Attempt("a"),
    Act::Confirm("a"),
    Act::Rollback("a"),
    Act::Begin("b", 3),
    Act::Discard("b", 3),
    Act::Remove("a"),
];

/// The step with a number of an endless run: any step, mostly on the way of an upload to a confirmed rune.
pub(crate) fn step(seed: u64, number: u64) -> Act {
    let round = number / 10;
    let random = |n: u64, below: u64| {
        let mut x = (seed << 40 ^ n).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        x ^= x >> 31;
        x = x.wrapping_mul(0x94D0_49BB_1331_11EB);
        (x >> 40) % below
    };
    let name = ["a", "b"][random(round * 2, 2) as usize];
    let version = 1 + random(round * 2 + 1, 14) as u8;
    let last = [
        Act::Confirm(name),
        Act::Confirm(name),
        Act::Rollback(name),
        Act::Failed(name),
    ];
    let any = [
        Act::Rollback("a"),
        Act::Rollback("b"),
        Act::Remove(name),
        Act::Discard(name, version),
        Act::Attempt("a"),
        Act::Attempt("b"),
        Act::Set("run", version),
        Act::Set("when", version),
    ];
    match number % 10 {
        0 => Act::Begin(name, version),
        1 => Act::Send(name, version, 5),
        2 => Act::Send(name, version, 10),
        3 => Act::Finish,
        4 => Act::TryOut(name, version),
        5 => Act::Attempt(name),
        6 => Act::Healthy(name),
        7 => last[random(number, 4) as usize],
        _ => any[random(number, 8) as usize],
    }
}
