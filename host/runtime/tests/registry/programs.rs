//! `rune push`, `pull`, `tag` and `ls` against a registry of the test.

use std::{fs, os::unix::fs::PermissionsExt};

use rune_abi::image::{Containment, Target};
use rune_registry::Digest;
use rune_trust::{Class, Protection, SecretKey, Signed};
use sha2::{Digest as _, Sha256};

use crate::{
    server::{Fault, KNOWN, Server},
    support::{Place, with_base},
};

/// A key in files of a place.
fn key(place: &Place, name: &str, seed: u8) -> SecretKey {
    let key = SecretKey::new(Class::Rune, [seed; 40]);
    let text = key.to_text(Protection::None, [0; 32]).unwrap();
    let (secret, public) = (format!("{name}.key"), format!("{name}.pub"));
    place.put(&secret, text);
    let path = place.folder.join(secret);
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    place.put(&public, key.public().to_text());
    key
}

/// An image with the manifest of a rune; its code does nothing.
fn image(rune: &[u8]) -> Vec<u8> {
    let checked = rune_core::check(rune).unwrap();
    let image = rune_abi::image::Image {
        target: Target::CortexM7,
        containment: Containment::Mpu,
        imports: vec![],
        resets: false,
        first_read: None,
        keeps_records: false,
        block_bytes: 4096,
        memory: (64, 2048),
        stack_bytes: 512,
        manifest: checked.manifest().to_owned().to_bytes().unwrap(),
        linked: vec![0; 96],
        constant_bytes: 64,
        entry: 8,
        functions: vec![],
        graph_digest: [7; 32],
    };
    image.encode(|parts| {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
        }
        hash.finalize().into()
    })
}

#[test]
fn a_rune_is_pushed_pulled_tagged_and_listed() {
    let place = with_base("pushed");
    let server = Server::start(Fault::None);
    let name = format!("127.0.0.1:{}/gesture", server.port);
    let reference = format!("{name}:1.2");
    let printed = place.done(&["push", "base.rune", &reference]);
    let digest = printed.trim_end().rsplit('@').next().unwrap();
    assert_eq!(printed, format!("{name}@{digest}\n"));
    assert!(digest.parse::<Digest>().is_ok());
    // Another computer.
    let other = Place::new("pulled");
    let pulled = other.done(&["pull", &reference, "-o", "x.rune"]);
    assert_eq!(pulled, printed);
    // What a device gets carries no sources.
    assert_eq!(other.read("x.rune"), place.read("plain.rune"));
    assert_eq!(other.done(&["ls"]), format!("{digest} {reference}\n"));
    other.done(&["tag", &reference, "stable"]);
    assert_eq!(other.done(&["ls", &name]), "1.2\nstable\n");
    let exact = format!("{name}@{digest}");
    other.done(&["pull", &exact, "-o", "y.rune"]);
    assert_eq!(other.read("y.rune"), other.read("x.rune"));
    // Nothing goes to the terminal where there is none.
    let (_, _, said) = other.rune(&["pull", &reference]);
    assert_eq!(said, "");
}

#[test]
fn mistakes_say_what_to_do() {
    let place = with_base("mistakes");
    let server = Server::start(Fault::None);
    let name = format!("127.0.0.1:{}/x", server.port);
    let reference = format!("{name}:1");
    place.put("text.rune", "FROM runicos/base\n");
    for (args, status, says) in [
        (&["push", "base.rune", "gesture:1"][..], 2, "HOST/NAME:TAG"),
        (&["push", "nothing.rune", &reference], 2, "there is no file"),
        (&["push", "text.rune", &reference], 1, "text.rune: "),
        (
            &["push", "base.rune", "plain.rune", &reference],
            1,
            "a second rune",
        ),
        (&["pull", &reference], 1, "the registry has no `127.0.0.1:"),
        (&["ls", &reference], 2, "without a tag"),
        (&["tag", &reference, "a/b"], 2, "a tag is up to 128"),
        (&["pull", "127.0.0.1:1/x:1"], 2, "127.0.0.1:1: "),
        (&["push", &reference], 2, "a file, and where to"),
        (
            &["push", "base.rune", &format!("{reference}@sha256:12")],
            2,
            "its digest is not one",
        ),
    ] {
        let said = place.fails(status, args);
        assert!(said.contains(says), "{args:?}: {said}");
    }
    server.set(Fault::Forbidden);
    let said = place.fails(2, &["push", "base.rune", &reference]);
    assert!(
        said.contains("may not do that; `docker login 127.0.0.1:"),
        "{said}"
    );
    // A file that was there stays as it was if what is pulled is not right.
    server.set(Fault::None);
    place.done(&["push", "base.rune", &reference]);
    server.set(Fault::Altered);
    let other = Place::new("mistakes-other");
    other.put("x.rune", "before");
    let said = other.fails(1, &["pull", &reference, "-o", "x.rune"]);
    assert!(
        said.contains("it was damaged or replaced, and is not used"),
        "{said}"
    );
    assert_eq!(other.text("x.rune"), "before");
    assert_eq!(other.done(&["ls"]), "");
}

#[test]
fn an_index_has_the_rune_and_its_images() {
    let place = with_base("index");
    let server = Server::start(Fault::None);
    let reference = format!("127.0.0.1:{}/x:1", server.port);
    let bytes = image(&place.read("plain.rune"));
    place.put("base.img", &bytes);
    place.done(&["push", "base.rune", "base.img", &reference]);
    let other = Place::new("index-other");
    other.done(&["pull", &reference, "-o", "x.rune"]);
    other.done(&["pull", &reference, "-o", "x.img", "--platform", "cortex-m7"]);
    assert_eq!(other.read("x.rune"), place.read("plain.rune"));
    assert_eq!(other.read("x.img"), bytes);
    let said = other.fails(1, &["pull", &reference, "--platform", "z80"]);
    assert!(said.contains("but for wasm, cortex-m7"), "{said}");
    let said = place.fails(
        1,
        &["push", "base.rune", "base.img", "base.img", &reference],
    );
    assert!(said.contains("a second image for cortex-m7"), "{said}");
    let said = place.fails(2, &["push", "base.img", &reference]);
    assert!(said.contains("there is no rune"), "{said}");
    // An image of another rune.
    place.put(
        "other/Runefile",
        crate::support::BASE.replace("1.2.3", "1.2.4"),
    );
    place.put("other/names.txt", "a\nb\nc\nd\n");
    place.done(&["build", "other", "-o", "other.rune"]);
    let said = place.fails(1, &["push", "other.rune", "base.img", &reference]);
    assert!(
        said.contains("it is base 1.2.3, and the first file is base 1.2.4"),
        "{said}"
    );
}

#[test]
fn an_image_does_not_run_on_linux() {
    let place = with_base("image");
    place.put("base.img", image(&place.read("plain.rune")));
    let said = place.fails(1, &["run", "base.img"]);
    assert!(
        said.contains("an image of machine code for a microcontroller"),
        "{said}"
    );
}

#[test]
fn a_signed_rune_keeps_its_signature() {
    let place = with_base("signed");
    let server = Server::start(Fault::None);
    let reference = format!("127.0.0.1:{}/x:1", server.port);
    let key = key(&place, "a", 1);
    for name in ["base", "plain"] {
        let bytes = place.read(&format!("{name}.rune"));
        let mut signed = Signed::read(&bytes).unwrap();
        signed.sign(&key).unwrap();
        place.put(&format!("signed-{name}.rune"), signed.to_bytes());
    }
    let said = place.fails(1, &["push", "signed-base.rune", &reference]);
    assert!(said.contains("name this one by --source"), "{said}");
    place.done(&[
        "push",
        "signed-plain.rune",
        "--source",
        "base.rune",
        &reference,
    ]);
    let other = Place::new("signed-other");
    other.done(&["pull", &reference, "-o", "x.rune"]);
    assert_eq!(other.read("x.rune"), place.read("signed-plain.rune"));
    // Sources of another rune are none of this.
    place.put(
        "other/Runefile",
        crate::support::BASE.replace("1.2.3", "1.2.4"),
    );
    place.put("other/names.txt", "a\nb\nc\nd\n");
    place.done(&["build", "other", "--with-source", "-o", "other.rune"]);
    let said = place.fails(
        1,
        &["push", "plain.rune", "--source", "other.rune", &reference],
    );
    assert!(
        said.contains("it is another rune than the one that is pushed"),
        "{said}"
    );
    let said = place.fails(
        1,
        &["push", "plain.rune", "--source", "plain.rune", &reference],
    );
    assert!(said.contains("it carries no sources"), "{said}");
}

#[test]
fn what_nobody_who_is_trusted_signed_is_not_pulled() {
    let place = with_base("trusted");
    let server = Server::start(Fault::None);
    let name = format!("127.0.0.1:{}/x", server.port);
    let (good, bare) = (format!("{name}:good"), format!("{name}:bare"));
    key(&place, "a", 1);
    key(&place, "b", 2);
    place.done(&["push", "plain.rune", &bare]);
    let said = place.fails(1, &["pull", &bare, "--key", "a.pub"]);
    assert!(said.contains("nobody signed it"), "{said}");
    place.done(&["push", "base.rune", "--sign", "a.key", &good]);
    place.done(&["pull", &good, "--key", "a.pub", "-o", "x.rune"]);
    assert_eq!(place.read("x.rune"), place.read("plain.rune"));
    place.done(&["pull", &good, "--key", "b.pub", "--key", "a.pub"]);
    let said = place.fails(1, &["pull", &good, "--key", "b.pub"]);
    assert!(said.contains("none of the keys signed it"), "{said}");
    let id = SecretKey::new(Class::Rune, [1; 40]).signer();
    place.put("ring.toml", format!("version = 1\nrune = [\"{id}\"]\n"));
    place.done(&["pull", &good, "--keys", "ring.toml"]);
    // The signature of one is none of the other, wherever somebody puts it.
    let state_of = |tag: &str| server.state().manifests[&format!("x/{tag}")].clone();
    let (signed, unsigned) = (state_of("good"), state_of("bare"));
    let place_of = |bytes: &[u8]| format!("x/sha256-{}", Digest::of(bytes).hex());
    let signatures = server.state().manifests[&place_of(&signed.1)].clone();
    server
        .state()
        .manifests
        .insert(place_of(&unsigned.1), signatures);
    let said = place.fails(1, &["pull", &bare, "--key", "a.pub"]);
    assert!(said.contains("is not of this file"), "{said}");
    assert_eq!(place.done(&["ls", &name]), "bare\ngood\n");
}

#[test]
fn a_program_may_keep_the_password() {
    let mut place = with_base("helper");
    let server = Server::start(Fault::Basic);
    let host = format!("127.0.0.1:{}", server.port);
    let reference = format!("{host}/x:1");
    let said = place.fails(2, &["push", "plain.rune", &reference]);
    assert!(said.contains("it wants to know who asks"), "{said}");
    place.put(
        "bin/docker-credential-vault",
        "#!/bin/sh\nread host\necho \"$1 $host\" >> asked\n\
         echo '{\"ServerURL\": \"x\", \"Username\": \"me\", \"Secret\": \"open sesame\"}'\n",
    );
    place.put(
        "bin/docker-credential-empty",
        "#!/bin/sh\necho 'credentials not found in native keychain'\nexit 1\n",
    );
    place.put(
        "bin/docker-credential-broken",
        "#!/bin/sh\necho oh no\nexit 1\n",
    );
    for name in ["vault", "empty", "broken"] {
        let path = place.folder.join(format!("bin/docker-credential-{name}"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", place.folder.join("bin").display());
    place.environment.push(("PATH".to_owned(), path));
    let config = |text: &str| place.put("docker/config.json", text);
    for helper in [
        format!("{{\"credHelpers\": {{\"{host}\": \"vault\"}}}}"),
        "{\"credsStore\": \"vault\"}".to_owned(),
    ] {
        config(&helper);
        place.done(&["push", "plain.rune", &reference]);
    }
    assert_eq!(place.text("asked"), format!("get {host}\nget {host}\n"));
    // What one does not know, the file may.
    let auth = KNOWN.strip_prefix("Basic ").unwrap();
    config(&format!(
        "{{\"credsStore\": \"empty\", \"auths\": {{\"{host}\": {{\"auth\": \"{auth}\"}}}}}}"
    ));
    place.done(&["push", "plain.rune", &reference]);
    for (helper, says) in [
        ("broken", "docker-credential-broken: it failed: oh no"),
        (
            "missing",
            "docker-credential-missing: docker's configuration names it",
        ),
        ("../x", "this is no name of a program"),
    ] {
        config(&format!("{{\"credsStore\": \"{helper}\"}}"));
        let said = place.fails(1, &["push", "plain.rune", &reference]);
        assert!(said.contains(says), "{said}");
    }
}
