//! What is pushed is pulled, also when it takes several tries.

use std::{fs, sync::atomic::Ordering, thread};

use rune_registry::{
    Artifact, Client, Descriptor, Digest, Error, Index, Manifest, Named, Platform, Store, media,
};

use crate::support::{Fault, Server, artifact, blobs, folder, noise, options, pull, push};

#[test]
fn what_is_pushed_is_pulled() {
    let folder = folder("roundtrip");
    let (ours, theirs) = (Store::at(folder.join("a")), Store::at(folder.join("b")));
    let server = Server::start(Fault::None);
    for (tag, with_image) in [("1", false), ("2", true)] {
        let artifact = artifact(with_image);
        let rest = format!("gesture:{tag}");
        let digest = push(&server, &ours, &rest, &artifact).unwrap();
        let reference = server.reference(&rest);
        let manifest = pull(&reference, &Platform::wasm(), &theirs).unwrap();
        let main = manifest.main(&theirs).unwrap();
        assert_eq!(theirs.read(main).unwrap(), artifact.rune);
        assert_eq!(manifest.sources(&theirs).unwrap(), artifact.sources);
        assert_eq!(theirs.find(&reference).unwrap(), Some(digest));
        assert_eq!(
            theirs.manifest(digest, &Platform::wasm()).unwrap(),
            manifest
        );
        // By its digest too.
        let exact = reference.with_digest(digest);
        assert_eq!(pull(&exact, &Platform::wasm(), &theirs).unwrap(), manifest);
        let image = pull(&reference, &Platform::image("cortex-m7"), &theirs);
        if with_image {
            let image = image.unwrap();
            let main = image.main(&theirs).unwrap();
            assert_eq!(theirs.read(main).unwrap(), artifact.images[0].bytes);
            let error = pull(&reference, &Platform::image("z80"), &theirs).unwrap_err();
            let says = "no artifact for z80 under this name, but for wasm, cortex-m7";
            assert!(error.to_string().contains(says), "{error}");
        } else {
            let error = image.unwrap_err();
            assert!(error.to_string().contains("but only the rune"), "{error}");
        }
    }
    let mut client = Client::new(&server.reference("gesture"), &options()).unwrap();
    let reference = server.reference("gesture:1");
    client
        .tag(&reference, &server.reference("gesture:stable"))
        .unwrap();
    let tags = client.tags(&server.reference("gesture")).unwrap();
    assert_eq!(tags, ["1", "2", "stable"]);
    let error = client.tags(&server.reference("nothing:1"));
    assert_eq!(error.unwrap(), Vec::<String>::new());
    let error = client.resolve(&server.reference("gesture:3")).unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{error}");
}

#[test]
fn the_same_rune_is_the_same_artifact() {
    let folder = folder("same");
    let (a, b) = (Store::at(folder.join("a")), Store::at(folder.join("b")));
    let (one, two) = (
        artifact(true).put(&a).unwrap(),
        artifact(true).put(&b).unwrap(),
    );
    assert_eq!(one, two);
    let names = |store: &Store| -> Vec<_> {
        let paths = blobs(store).into_iter();
        paths.map(|p| p.file_name().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&a), names(&b));
}

#[test]
fn the_store_is_an_image_layout() {
    let folder = folder("layout");
    let store = Store::at(&folder);
    let root = artifact(false).put(&store).unwrap();
    store.name("localhost/gesture:1", root.clone()).unwrap();
    store.name("localhost/gesture:2", root.clone()).unwrap();
    store.name("localhost/gesture:1", root.clone()).unwrap();
    let layout = fs::read_to_string(folder.join("oci-layout")).unwrap();
    assert_eq!(layout, r#"{"imageLayoutVersion":"1.0.0"}"#);
    let index = Index::parse(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    assert_eq!(index.manifests.len(), 2);
    let manifest = Manifest::parse(&store.read(&root).unwrap()).unwrap();
    let wasm: Vec<_> = manifest
        .layers
        .iter()
        .filter(|l| l.media_type == media::WASM)
        .collect();
    // Readers of the Wasm layout want one such layer.
    assert_eq!(wasm.len(), 1);
    assert_eq!(manifest.config.media_type, media::WASM_CONFIG);
    let config: serde_json::Value =
        serde_json::from_slice(&store.read(&manifest.config).unwrap()).unwrap();
    assert_eq!(config["architecture"], "wasm");
    assert_eq!(config["layerDigests"][0], wasm[0].digest.to_string());
}

#[test]
fn many_may_write_at_once() {
    let folder = folder("at-once");
    let store = Store::at(&folder);
    let threads: Vec<_> = (0..8)
        .map(|at| {
            let store = store.clone();
            thread::spawn(move || {
                let content = store.put(media::WASM, &noise(100_000, at % 2)).unwrap();
                store.name(&format!("localhost/x:{at}"), content).unwrap();
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(store.names().unwrap().len(), 8);
    assert_eq!(blobs(&store).len(), 2);
}

/// Layers come in any order, from us and from others.
#[test]
fn layers_are_found_by_digest() {
    let folder = folder("order");
    let store = Store::at(folder.join("a"));
    let server = Server::start(Fault::None);
    push(&server, &store, "gesture:1", &artifact(false)).unwrap();
    let reference = server.reference("gesture:1");
    let mut client = Client::new(&reference, &options()).unwrap();
    let (_, bytes) = client.resolve(&reference).unwrap();
    let mut manifest = Manifest::parse(&bytes).unwrap();
    for turn in 0..manifest.layers.len() {
        manifest.layers.rotate_left(1);
        let root = store
            .put(media::MANIFEST, &serde_json::to_vec(&manifest).unwrap())
            .unwrap();
        let turned = server.reference(&format!("gesture:turned-{turn}"));
        client.push(&turned, &root, &store, &mut |_| {}).unwrap();
        let pulled = pull(&turned, &Platform::wasm(), &Store::at(folder.join("b"))).unwrap();
        let theirs = Store::at(folder.join("b"));
        assert_eq!(
            theirs.read(pulled.main(&theirs).unwrap()).unwrap(),
            artifact(false).rune
        );
        assert_eq!(pulled.sources(&theirs).unwrap(), artifact(false).sources);
    }
}

#[test]
fn what_was_cut_off_is_gone_on_with() {
    let folder = folder("resume");
    let store = Store::at(folder.join("a"));
    let server = Server::start(Fault::None);
    push(&server, &store, "gesture:1", &artifact(false)).unwrap();
    let reference = server.reference("gesture:1");
    for (name, fault) in [
        ("cut", Fault::Cut(70_000)),
        ("forget", Fault::CutAndForget(70_000)),
        ("elsewhere", Fault::ElsewhereAfter(70_000)),
    ] {
        server.set(fault);
        server.sent.store(0, Ordering::SeqCst);
        let theirs = Store::at(folder.join(name));
        let pulled = pull(&reference, &Platform::wasm(), &theirs);
        if fault == Fault::ElsewhereAfter(70_000) {
            // It lies about where it goes on, so what it sends is not used; nor is it asked for ever.
            let error = pulled.unwrap_err();
            assert!(matches!(error, Error::Network { .. }), "{error}");
            continue;
        }
        let pulled = pulled.unwrap();
        assert_eq!(
            theirs.read(pulled.main(&theirs).unwrap()).unwrap(),
            artifact(false).rune
        );
        let sent = server.sent.load(Ordering::SeqCst);
        if name == "cut" {
            // Nothing comes twice: all of it is some 500,000 bytes.
            assert!(sent < 510_000, "{sent}");
        }
    }
}

/// A download that was given up is gone on with by another process: what counts is in the folder.
#[test]
fn a_later_try_goes_on_too() {
    let folder = folder("later");
    let (store, theirs) = (Store::at(folder.join("a")), Store::at(folder.join("b")));
    let server = Server::start(Fault::None);
    let artifact = Artifact {
        rune: noise(400_000, 9),
        ..Artifact::default()
    };
    push(&server, &store, "x:1", &artifact).unwrap();
    let digest = Digest::of(&artifact.rune).hex();
    fs::create_dir_all(theirs.folder().join("partial")).unwrap();
    fs::write(
        theirs.folder().join("partial").join(&digest),
        &artifact.rune[..300_000],
    )
    .unwrap();
    server.sent.store(0, Ordering::SeqCst);
    pull(&server.reference("x:1"), &Platform::wasm(), &theirs).unwrap();
    let sent = server.sent.load(Ordering::SeqCst);
    assert!(sent < 110_000, "{sent}");
    // What lay there may be of anybody: it counts by its digest alone.
    let other = Store::at(folder.join("c"));
    fs::create_dir_all(other.folder().join("partial")).unwrap();
    let partial = other.folder().join("partial").join(&digest);
    fs::write(&partial, noise(300_000, 8)).unwrap();
    let error = pull(&server.reference("x:1"), &Platform::wasm(), &other).unwrap_err();
    assert!(matches!(error, Error::Digest { .. }), "{error}");
    assert!(!partial.exists());
    pull(&server.reference("x:1"), &Platform::wasm(), &other).unwrap();
    // Nor is one that is too long.
    let third = Store::at(folder.join("d"));
    fs::create_dir_all(third.folder().join("partial")).unwrap();
    fs::write(
        third.folder().join("partial").join(&digest),
        noise(500_000, 8),
    )
    .unwrap();
    pull(&server.reference("x:1"), &Platform::wasm(), &third).unwrap();
}

#[test]
fn several_may_fetch_the_same_at_once() {
    let folder = folder("together");
    let server = Server::start(Fault::None);
    let digest = push(
        &server,
        &Store::at(folder.join("a")),
        "x:1",
        &artifact(false),
    )
    .unwrap();
    server.set(Fault::Cut(30_000));
    let theirs = Store::at(folder.join("b"));
    let threads: Vec<_> = (0..6)
        .map(|_| {
            let (store, reference) = (theirs.clone(), server.reference("x:1"));
            thread::spawn(move || pull(&reference, &Platform::wasm(), &store).unwrap())
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let manifest = theirs.manifest(digest, &Platform::wasm()).unwrap();
    assert_eq!(manifest.sources(&theirs).unwrap(), artifact(false).sources);
    assert_eq!(fs::read_dir(folder.join("b/partial")).unwrap().count(), 0);
}

#[test]
fn what_is_there_is_not_sent_again() {
    let folder = folder("there");
    let store = Store::at(&folder);
    let server = Server::start(Fault::None);
    push(&server, &store, "x:1", &artifact(true)).unwrap();
    let puts = |server: &Server| {
        let state = server.state();
        let uploads = state
            .seen
            .iter()
            .filter(|(m, p, _)| m == "PUT" && p.contains("uploads"));
        uploads.count()
    };
    let first = puts(&server);
    push(&server, &store, "x:2", &artifact(true)).unwrap();
    assert_eq!(puts(&server), first);
}

#[test]
fn signatures_lie_beside_what_they_are_of() {
    let folder = folder("signatures");
    let store = Store::at(&folder);
    let server = Server::start(Fault::None);
    let root: Descriptor = artifact(false).put(&store).unwrap();
    let reference = server.reference("x:1");
    let mut client = Client::new(&reference, &options()).unwrap();
    client.push(&reference, &root, &store, &mut |_| {}).unwrap();
    assert!(
        client
            .signatures(&reference, root.digest)
            .unwrap()
            .is_empty()
    );
    for text in ["one", "two", "one"] {
        client.attach(&reference, &root, text, &store).unwrap();
    }
    let mut texts = client.signatures(&reference, root.digest).unwrap();
    texts.sort();
    assert_eq!(texts, ["one", "two"]);
    let place = server.reference(&format!("x:sha256-{}", root.digest.hex()));
    let (_, bytes) = client.resolve(&place).unwrap();
    let Named::Many(index) = Named::parse(&bytes).unwrap() else {
        panic!("it is no index");
    };
    assert_eq!(index.manifests.len(), 2);
}
