//! Registries that mean harm, or are damaged: an error, bounded memory, and nothing in the store.

use std::{fs, sync::atomic::Ordering};

use rune_registry::{
    Artifact, Client, Descriptor, Digest, Error, Index, Manifest, Named, Platform, Store, media,
};
use serde_json::{Value, json};

use crate::support::{Fault, Server, artifact, blobs, folder, noise, options, pull, push};

/// A registry with a fault and an artifact, and an empty store.
fn stage(name: &str, fault: Fault) -> (Server, Store) {
    let folder = folder(name);
    let server = Server::start(Fault::None);
    push(
        &server,
        &Store::at(folder.join("ours")),
        "x:1",
        &artifact(false),
    )
    .unwrap();
    server.set(fault);
    (server, Store::at(folder.join("theirs")))
}

/// That nothing of a name is in the store, and nothing but what is what its digest says.
fn is_clean(store: &Store) {
    assert!(store.names().unwrap().is_empty());
    for path in blobs(store) {
        let digest = Digest::of(&fs::read(&path).unwrap());
        assert_eq!(path.file_name().unwrap().to_str().unwrap(), digest.hex());
    }
}

#[test]
fn content_that_is_not_what_it_should_be_is_not_used() {
    for (name, fault) in [
        ("altered", Fault::Altered),
        ("longer", Fault::Longer),
        ("endless", Fault::EndlessContent),
    ] {
        let (server, store) = stage(name, fault);
        server.sent.store(0, Ordering::SeqCst);
        let error = pull(&server.reference("x:1"), &Platform::wasm(), &store).unwrap_err();
        if fault == Fault::Altered {
            assert!(matches!(error, Error::Digest { .. }), "{error}");
        } else {
            assert!(matches!(error, Error::Size { .. }), "{error}");
        }
        // What does not end was not read for long: what the system keeps between us is a few megabytes.
        assert!(server.sent.load(Ordering::SeqCst) < 32 << 20);
        is_clean(&store);
        assert_eq!(
            fs::read_dir(store.folder().join("partial"))
                .unwrap()
                .count(),
            0
        );
        // And the registry may come to its senses.
        server.set(Fault::None);
        pull(&server.reference("x:1"), &Platform::wasm(), &store).unwrap();
    }
}

#[test]
fn content_that_is_cut_off_at_once_is_given_up() {
    let (server, store) = stage("cut", Fault::Cut(0));
    let error = pull(&server.reference("x:1"), &Platform::wasm(), &store).unwrap_err();
    assert!(matches!(error, Error::Network { .. }), "{error}");
    is_clean(&store);
}

#[test]
fn a_registry_that_says_nothing_is_not_waited_for() {
    let (server, store) = stage("silent", Fault::Silent);
    let error = pull(&server.reference("x:1"), &Platform::wasm(), &store).unwrap_err();
    assert!(matches!(error, Error::Network { .. }), "{error}");
    is_clean(&store);
}

#[test]
fn a_manifest_is_bounded_and_what_it_should_be() {
    let (server, store) = stage("manifest", Fault::EndlessManifest);
    server.sent.store(0, Ordering::SeqCst);
    let error = pull(&server.reference("x:1"), &Platform::wasm(), &store).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    assert!(server.sent.load(Ordering::SeqCst) < 32 << 20);
    is_clean(&store);
    server.set(Fault::WrongHeader);
    let error = pull(&server.reference("x:1"), &Platform::wasm(), &store).unwrap_err();
    assert!(matches!(error, Error::Digest { .. }), "{error}");
    server.set(Fault::None);
    let mut client = Client::new(&server.reference("x:1"), &options()).unwrap();
    let (found, _) = client.resolve(&server.reference("x:1")).unwrap();
    server.set(Fault::OtherManifest);
    let exact = server.reference("x").with_digest(found.digest);
    let error = pull(&exact, &Platform::wasm(), &store).unwrap_err();
    assert!(matches!(error, Error::Digest { .. }), "{error}");
    is_clean(&store);
}

/// Puts a manifest, changed, under a tag of the registry.
fn tampered(server: &Server, tag: &str, change: impl FnOnce(&mut Value)) {
    let mut state = server.state();
    let (media_type, bytes) = state.manifests["x/1"].clone();
    let mut manifest = serde_json::from_slice(&bytes).unwrap();
    change(&mut manifest);
    let bytes = serde_json::to_vec(&manifest).unwrap();
    state
        .manifests
        .insert(format!("x/{tag}"), (media_type, bytes));
}

#[test]
fn manifests_that_promise_too_much_are_refused_before_anything_is_fetched() {
    let (server, store) = stage("promises", Fault::None);
    let huge = 1_u64 << 62;
    tampered(&server, "huge", |m| m["layers"][0]["size"] = json!(huge));
    tampered(&server, "negative", |m| m["layers"][0]["size"] = json!(-1));
    tampered(&server, "many", |m| {
        let layer = m["layers"][0].clone();
        m["layers"] = Value::from(vec![layer; 2000]);
    });
    tampered(&server, "sum", |m| {
        let mut layer = m["layers"][0].clone();
        layer["size"] = json!(1 << 30);
        m["layers"] = Value::from(vec![layer; 3]);
    });
    tampered(&server, "config", |m| m["config"]["size"] = json!(huge));
    tampered(&server, "digest", |m| {
        m["layers"][0]["digest"] = json!("sha256:../../../etc/passwd");
    });
    tampered(&server, "sha512", |m| {
        m["layers"][0]["digest"] = json!(format!("sha512:{}", "0".repeat(128)));
    });
    tampered(&server, "version", |m| m["schemaVersion"] = json!(1));
    tampered(&server, "none", |m| *m = json!([1, 2]));
    tampered(&server, "deep", |m| {
        *m = json!({"schemaVersion": 2, "manifests": 1});
    });
    let before = server.state().seen.len();
    for tag in [
        "huge", "negative", "many", "sum", "config", "digest", "sha512", "version", "none", "deep",
    ] {
        let error = pull(
            &server.reference(&format!("x:{tag}")),
            &Platform::wasm(),
            &store,
        )
        .unwrap_err();
        assert!(
            matches!(error, Error::TooLarge { .. } | Error::Format(_)),
            "{tag}: {error}"
        );
    }
    let state = server.state();
    assert!(
        state.seen[before..]
            .iter()
            .all(|(_, path, _)| !path.contains("/blobs/"))
    );
    drop(state);
    is_clean(&store);
    assert!(blobs(&store).is_empty());
}

#[test]
fn what_is_no_rune_is_said_so() {
    let (server, store) = stage("no-rune", Fault::None);
    tampered(&server, "image", |m| {
        m["config"]["mediaType"] = json!("application/vnd.oci.image.config.v1+json\u{1b}[2J");
    });
    tampered(&server, "none", |m| {
        m["layers"][0]["mediaType"] = json!("text/plain");
    });
    tampered(&server, "two", |m| {
        let layer = m["layers"][0].clone();
        m["layers"].as_array_mut().unwrap().push(layer);
    });
    for (tag, says) in [
        ("image", "it is no rune"),
        ("none", "no layer with a rune"),
        ("two", "several runes"),
    ] {
        let manifest = pull(
            &server.reference(&format!("x:{tag}")),
            &Platform::wasm(),
            &store,
        )
        .unwrap();
        let error = manifest.main(&store).unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains('\u{1b}'), "{error}");
    }
}

/// Names in notes are for reading; none of them becomes a file.
#[test]
fn paths_in_names_lead_nowhere() {
    let (server, store) = stage("paths", Fault::None);
    tampered(&server, "evil", |m| {
        for layer in m["layers"].as_array_mut().unwrap() {
            let notes = &mut layer["annotations"];
            notes["org.opencontainers.image.title"] = json!("../../../evil");
            if notes.get("dev.rune.path").is_some() {
                let number = notes["dev.rune.path"].as_str().unwrap().len();
                notes["dev.rune.path"] = json!(format!("../../../evil-{number}"));
            }
        }
        m["annotations"]["org.opencontainers.image.ref.name"] = json!("/etc/passwd");
    });
    let folder = store.folder().parent().unwrap().to_owned();
    pull(&server.reference("x:evil"), &Platform::wasm(), &store).unwrap();
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["ours", "theirs"]);
    let mut inside: Vec<_> = fs::read_dir(store.folder())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    inside.sort();
    assert_eq!(
        inside,
        [".lock", "blobs", "index.json", "oci-layout", "partial"]
    );
    let names: Vec<String> = store
        .names()
        .unwrap()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, [server.reference("x:evil").to_string()]);
}

#[test]
fn sources_that_are_not_all_there_are_said_so() {
    let (server, store) = stage("sources", Fault::None);
    tampered(&server, "number", |m| {
        m["layers"][1]["annotations"]["dev.rune.layer"] = json!("99");
    });
    tampered(&server, "path", |m| {
        m["layers"][1]["annotations"] = json!({});
    });
    tampered(&server, "twice", |m| {
        let layer = m["layers"][1].clone();
        m["layers"].as_array_mut().unwrap().push(layer);
    });
    for tag in ["number", "path", "twice"] {
        let manifest = pull(
            &server.reference(&format!("x:{tag}")),
            &Platform::wasm(),
            &store,
        )
        .unwrap();
        let error = manifest.sources(&store).unwrap_err();
        assert!(matches!(error, Error::Format(_)), "{tag}: {error}");
    }
}

/// An index may name itself, or what is not there: each is followed once.
#[test]
fn an_index_is_followed_one_step() {
    let (server, store) = stage("index", Fault::None);
    let inner = json!({"schemaVersion": 2, "mediaType": media::INDEX, "manifests": []});
    let inner = serde_json::to_vec(&inner).unwrap();
    let entry = |bytes: &[u8]| Descriptor {
        platform: Some(Platform::wasm()),
        ..Descriptor::of(media::MANIFEST, bytes)
    };
    let index = |entry| {
        let value = json!({"schemaVersion": 2, "manifests": [entry]});
        serde_json::to_vec(&value).unwrap()
    };
    let mut state = server.state();
    let kind = media::INDEX.to_owned();
    state.manifests.insert(
        format!("x/{}", Digest::of(&inner)),
        (kind.clone(), inner.clone()),
    );
    state
        .manifests
        .insert("x/nested".to_owned(), (kind.clone(), index(entry(&inner))));
    state
        .manifests
        .insert("x/gone".to_owned(), (kind, index(entry(b"nothing"))));
    drop(state);
    let error = pull(&server.reference("x:nested"), &Platform::wasm(), &store).unwrap_err();
    assert!(matches!(error, Error::Format(_)), "{error}");
    let error = pull(&server.reference("x:gone"), &Platform::wasm(), &store).unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{error}");
    is_clean(&store);
}

#[test]
fn what_a_registry_says_of_errors_does_nothing_to_the_terminal() {
    let (server, store) = stage("busy", Fault::Busy);
    let error = pull(&server.reference("x:1"), &Platform::wasm(), &store)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("429") && error.contains("TOOMANYREQUESTS"),
        "{error}"
    );
    assert!(!error.contains('\u{1b}'), "{error}");
}

/// Content in the store that was altered there is found, whoever reads it.
#[test]
fn the_store_is_not_believed_either() {
    let folder = folder("damaged-store");
    let store = Store::at(&folder);
    let artifact = Artifact {
        rune: noise(1000, 1),
        ..Artifact::default()
    };
    let root = artifact.put(&store).unwrap();
    let manifest = Manifest::parse(&store.read(&root).unwrap()).unwrap();
    let main = manifest.main(&store).unwrap().clone();
    fs::write(store.path(main.digest), noise(1000, 2)).unwrap();
    assert!(matches!(store.read(&main), Err(Error::Digest { .. })));
    fs::write(store.path(main.digest), noise(1001, 1)).unwrap();
    assert!(matches!(store.read(&main), Err(Error::Size { .. })));
    fs::remove_file(store.path(main.digest)).unwrap();
    assert!(matches!(store.read(&main), Err(Error::NotInStore(_))));
    fs::write(folder.join("index.json"), "nonsense").unwrap();
    assert!(matches!(store.names(), Err(Error::Format(_))));
    // What is there is kept rather than written over.
    assert!(store.name("localhost/x:1", root).is_err());
    assert_eq!(fs::read(folder.join("index.json")).unwrap(), b"nonsense");
}

/// Whatever bytes come for a manifest: an error, or one that is within bounds.
#[test]
fn damaged_manifests_never_panic() {
    let store = Store::at(folder("fuzz"));
    let root = artifact(true).put(&store).unwrap();
    let index = store.read(&root).unwrap();
    let Named::Many(parsed) = Named::parse(&index).unwrap() else {
        panic!("it is no index");
    };
    let manifest = store.read(&parsed.manifests[0]).unwrap();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    let (mut read, mut refused) = (0, 0);
    for round in 0..20_000 {
        let mut bytes = if round % 2 == 0 { &index } else { &manifest }.clone();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            match random(4) {
                0 => bytes[at] = random(256) as u8,
                1 => bytes[at] ^= 1 << random(8),
                2 => bytes[at] = b"{}[]\",:0123456789"[random(17)],
                _ => bytes.insert(at, b"0123456789"[random(10)]),
            }
        }
        match Named::parse(&bytes) {
            Ok(Named::One(manifest)) => {
                let sum: u64 = manifest.layers.iter().map(|l| l.size).sum();
                assert!(sum <= 2 << 30);
                // The store has what it names, or says that it has not.
                let _ = manifest.main(&store);
                read += 1;
            }
            Ok(Named::Many(index)) => {
                assert!(Index::parse(&bytes).is_ok() && index.manifests.len() <= 1024);
                read += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(
        read > 500 && refused > 5000,
        "{read} read, {refused} refused"
    );
}
