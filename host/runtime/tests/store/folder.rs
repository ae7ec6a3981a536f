//! The store in a real folder: private, locked, no links, and what its calls do.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use rune_abi::{Base, Manifest, Version, WasmFeatures};
use rune_runtime::{
    Rune,
    store::{self, Phase, Refused, Settings, Store, StoreError, Upload},
};

use crate::script::{self, SETTINGS, rune, verify};

fn fresh(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("store-{name}"));
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn io(result: Result<Store, StoreError>) -> ErrorKind {
    match result {
        Err(StoreError::Io(e)) => e.kind(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_folder_is_private_and_for_one_process() {
    let folder = fresh("private");
    let mut first = Store::open(&folder, SETTINGS).unwrap();
    script::install(&mut first, "a", 1);
    first.set_value("run", Some("no")).unwrap();
    assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
    for entry in fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().mode() & 0o777, 0o600, "{entry:?}");
    }
    assert_eq!(io(Store::open(&folder, SETTINGS)), ErrorKind::ResourceBusy);
    drop(first);
    let mut again = Store::open(&folder, SETTINGS).unwrap();
    assert_eq!(again.value("run"), Some("no"));
    assert_eq!(again.list()[0].state, Phase::Confirmed);
    assert_eq!(again.bytes(&script::digest("a", 1)).unwrap(), rune("a", 1));
    drop(again);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o750)).unwrap();
    assert_eq!(
        io(Store::open(&folder, SETTINGS)),
        ErrorKind::PermissionDenied
    );
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    let link = fresh("link");
    let _ = fs::remove_file(&link);
    symlink(&folder, &link).unwrap();
    assert_ne!(io(Store::open(&link, SETTINGS)), ErrorKind::NotFound);
    fs::remove_file(&link).unwrap();
}

#[test]
fn no_link_is_followed_and_damage_is_seen() {
    let folder = fresh("links");
    let mut store = Store::open(&folder, SETTINGS).unwrap();
    script::install(&mut store, "a", 1);
    let digest = script::digest("a", 1);
    drop(store);
    let slot = folder.join("slot-0");
    let elsewhere = folder.join("elsewhere");
    fs::rename(&slot, &elsewhere).unwrap();
    symlink(&elsewhere, &slot).unwrap();
    let mut store = Store::open(&folder, SETTINGS).unwrap();
    assert!(matches!(store.bytes(&digest), Err(StoreError::Io(_))));
    drop(store);
    fs::remove_file(&slot).unwrap();
    let mut bytes = fs::read(&elsewhere).unwrap();
    bytes[40] ^= 1;
    fs::write(&slot, bytes).unwrap();
    let mut store = Store::open(&folder, SETTINGS).unwrap();
    assert!(matches!(store.bytes(&digest), Err(StoreError::Digest)));
    drop(store);
    // Records that are gone are no reason to begin anew.
    for area in ["area-0", "area-1"] {
        let _ = fs::remove_file(folder.join(area));
    }
    let lost = Store::open(&folder, SETTINGS);
    assert!(matches!(lost, Err(StoreError::Damaged(_))), "{lost:?}");
    fs::write(folder.join("values"), "x\n{}").unwrap();
    let lost = Store::open(&folder, SETTINGS);
    assert!(matches!(lost, Err(StoreError::Damaged(_))), "{lost:?}");
}

#[test]
fn an_upload_goes_on_where_it_was() {
    let folder = fresh("resume");
    let bytes = rune("a", 9);
    let digest = script::digest("a", 9);
    let mut store = Store::open(&folder, SETTINGS).unwrap();
    let len = bytes.len() as u64;
    assert_eq!(store.begin(digest, len, false).unwrap(), Upload::From(0));
    assert_eq!(store.append(0, &bytes[..5000]).unwrap(), 5000);
    assert_eq!(store.begin(digest, len, false).unwrap(), Upload::From(5000));
    let skipped = store.append(6000, &bytes[6000..]);
    let due = Refused::Offset { expected: 5000 };
    assert!(matches!(skipped, Err(StoreError::Refused(why)) if why == due));
    drop(store);
    let mut store = Store::open(&folder, SETTINGS).unwrap();
    assert_eq!(store.begin(digest, len, false).unwrap(), Upload::From(4096));
    assert!(matches!(store.finish(verify), Err(StoreError::Refused(_))));
    assert_eq!(store.append(4096, &bytes[4096..]).unwrap(), len);
    assert_eq!(store.finish(verify).unwrap(), digest);
    assert_eq!(store.begin(digest, len, false).unwrap(), Upload::Present);
    assert_eq!(store.bytes(&digest).unwrap(), bytes);
}

#[test]
fn what_is_not_what_it_says_is_bad() {
    let folder = fresh("bad");
    let mut store = Store::open(&folder, SETTINGS).unwrap();
    let bytes = rune("a", 1);
    store.begin([7; 32], bytes.len() as u64, false).unwrap();
    store.append(0, &bytes).unwrap();
    assert!(matches!(store.finish(verify), Err(StoreError::Digest)));
    let unfit = store.install(&bytes, false, |_| Err("no such sensor".to_owned()));
    assert!(matches!(unfit, Err(StoreError::Unfit(why)) if why == "no such sensor"));
    assert!(store.list().iter().all(|i| i.state == Phase::Bad));
    assert!(!folder.join("slot-0").exists());
    script::install(&mut store, "a", 1);
}

/// A rune that does nothing.
fn wasm(name: &str) -> Vec<u8> {
    let manifest = Manifest {
        abi_version: rune_abi::ABI_VERSION,
        features: WasmFeatures(0b1_1111),
        security_counter: 3,
        memory_bytes: 65536,
        stack_bytes: 0,
        name: name.to_owned(),
        version: Version {
            major: 1,
            minor: 2,
            patch: 3,
        },
        bases: vec![Base {
            name: "runicos/base".to_owned(),
            version: Version::default(),
        }],
        capabilities: vec![],
        outputs: vec![],
        models: vec![],
        stages: vec!["first".to_owned()],
    };
    let bytes = manifest.to_bytes().unwrap();
    let quoted: Vec<String> = bytes.iter().map(|b| format!("\\{b:02x}")).collect();
    let quoted = quoted.concat();
    wat::parse_str(format!(
        r#"(module
  (memory (export "memory") 1 1)
  (data (i32.const 32768) "{quoted}")
  (@custom "rune.manifest" "{quoted}")
  (func (export "_manifest") (result i32) i32.const 32768)
  (func (export "_call") (result i32) i32.const 1))"#
    ))
    .unwrap()
}

/// Its name leads nowhere, since it becomes no part of a path.
#[test]
fn a_real_rune_is_known_by_its_manifest() {
    let folder = fresh("rune");
    let bytes = wasm("../../../etc/shadow");
    let rune = Rune::load(bytes.clone()).expect("it is a rune");
    let mut store = Store::open(&folder, Settings::default()).unwrap();
    let verify = |bytes| {
        let rune = Rune::load(bytes).map_err(|e| e.to_string())?;
        store::identity(&rune)
    };
    let digest = store.install(&bytes, false, verify).unwrap();
    assert_eq!(digest, *rune.digest());
    let installed = &store.list()[0];
    assert_eq!(installed.name, "../../../etc/shadow");
    assert_eq!(installed.version.to_string(), "1.2.3");
    assert_eq!(installed.counter, 3);
    store.try_out(digest).unwrap();
    store.attempt("../../../etc/shadow").unwrap();
    store.confirm("../../../etc/shadow").unwrap();
    assert_eq!(store.floor("../../../etc/shadow"), 3);
    store.set_value("../escape", Some("x")).unwrap();
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["area-0", "area-1", "lock", "slot-0", "values"]);
    let not = store.install(b"not a rune", false, verify);
    assert!(matches!(not, Err(StoreError::Unfit(_))), "{not:?}");
    let long = store.install(&wasm(&"long".repeat(20)), false, verify);
    assert!(matches!(long, Err(StoreError::Unfit(_))), "{long:?}");
}
