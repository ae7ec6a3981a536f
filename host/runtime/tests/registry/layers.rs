//! `FROM` an artifact of a registry, and the lock file.

use std::fs;

use crate::{
    server::{Fault, Server},
    support::{BASE, Place, with_base},
};

/// A place with a base in a registry, and a Runefile that lies on it.
fn stage(name: &str) -> (Place, Server, String) {
    let place = with_base(name);
    let server = Server::start(Fault::None);
    let reference = format!("127.0.0.1:{}/base:1", server.port);
    place.done(&["push", "base.rune", &reference, "--quiet"]);
    fs::remove_dir_all(place.folder.join("store")).unwrap();
    place.put(
        "top/Runefile",
        format!("FROM {reference} AS base\nLABEL name=top\nSET numbers --max 2\n"),
    );
    place.put(
        "flat/Runefile",
        "FROM ../base.rune AS base\nLABEL name=top\nSET numbers --max 2\n",
    );
    place.done(&["build", "flat", "-o", "flat.rune"]);
    (place, server, reference)
}

fn digest_in(lock: &str) -> &str {
    lock.split('"')
        .find(|word| word.starts_with("sha256:"))
        .unwrap()
}

#[test]
fn a_layer_of_a_registry_is_the_layer_that_was_pushed() {
    let (place, server, reference) = stage("same");
    place.done(&["build", "top", "-o", "top.rune"]);
    assert_eq!(place.read("top.rune"), place.read("flat.rune"));
    let lock = place.text("top/Runefile.lock");
    assert!(
        lock.contains(&format!("reference = \"{reference}\"")),
        "{lock}"
    );
    // From then on no registry is needed.
    server.set(Fault::Forbidden);
    let before = server.state().seen.len();
    place.done(&["build", "top", "-o", "again.rune"]);
    place.done(&["build", "top", "-o", "again.rune", "--locked"]);
    place.done(&["run", "top"]);
    assert_eq!(server.state().seen.len(), before);
    assert_eq!(place.read("again.rune"), place.read("top.rune"));
    assert_eq!(place.text("top/Runefile.lock"), lock);
}

/// Errors in the layer are shown in its text, under a name that tells it.
#[test]
fn mistakes_are_shown_in_the_layer() {
    let (place, _server, _) = stage("shown");
    let runefile = place.text("top/Runefile");
    place.put(
        "top/Runefile",
        format!("{runefile}SET nothing --max 2\nSET numbers --samples 0\n"),
    );
    let said = place.fails(1, &["build", "top"]);
    assert!(said.contains("`nothing`"), "{said}");
    assert!(!place.folder.join("top/Runefile.lock").exists());
}

#[test]
fn the_lock_file_says_what_a_tag_stands_for() {
    let (place, server, reference) = stage("locked");
    let said = place.fails(1, &["build", "top", "--locked"]);
    assert!(
        said.contains("R0804") && said.contains("not in the lock file"),
        "{said}"
    );
    assert!(!place.folder.join("top/Runefile.lock").exists());
    place.done(&["build", "top", "-o", "top.rune"]);
    let lock = place.text("top/Runefile.lock");
    // The tag is moved, by somebody else.
    let other = Place::new("locked-other");
    other.put(
        "base/Runefile",
        BASE.replace("RAND numbers", "RAND numbers --min -2"),
    );
    other.put("base/names.txt", "p\nq\nr\ns\n");
    other.done(&["build", "base", "--with-source", "-o", "base.rune"]);
    other.done(&["push", "base.rune", &reference]);
    place.done(&["build", "top", "-o", "again.rune"]);
    assert_eq!(place.read("again.rune"), place.read("top.rune"));
    assert_eq!(place.text("top/Runefile.lock"), lock);
    // Also on a computer that has nothing yet: it is fetched by its digest.
    fs::remove_dir_all(place.folder.join("store")).unwrap();
    place.done(&["build", "top", "-o", "again.rune", "--locked"]);
    assert_eq!(place.read("again.rune"), place.read("top.rune"));
    place.done(&["build", "top", "-o", "new.rune", "--update"]);
    assert_ne!(place.read("new.rune"), place.read("top.rune"));
    let updated = place.text("top/Runefile.lock");
    assert_ne!(digest_in(&updated), digest_in(&lock));
    drop(server);
}

#[test]
fn what_is_not_at_hand_is_said_so() {
    let (place, server, reference) = stage("missing");
    // Running fetches nothing.
    let said = place.fails(1, &["run", "top"]);
    assert!(said.contains("neither locked nor in the store"), "{said}");
    server.set(Fault::Forbidden);
    let said = place.fails(1, &["build", "top"]);
    assert!(
        said.contains("docker login") && said.contains("`rune pull 127.0.0.1:"),
        "{said}"
    );
    server.set(Fault::Altered);
    let said = place.fails(1, &["build", "top"]);
    assert!(said.contains("it was damaged or replaced"), "{said}");
    server.set(Fault::None);
    // One that was pushed without its sources.
    place.done(&["push", "plain.rune", &reference]);
    let said = place.fails(1, &["build", "top", "--update"]);
    assert!(
        said.contains("--with-source` before it is pushed"),
        "{said}"
    );
    // A lock file that is none.
    place.put(
        "top/Runefile.lock",
        "version = 1\n[[layer]]\nreference = \"x\"\n",
    );
    let said = place.fails(1, &["build", "top"]);
    assert!(said.contains("Runefile.lock: line 2"), "{said}");
}

/// What lies on a layer of a registry can itself be pushed, and carries all.
#[test]
fn layers_lie_on_layers_of_registries() {
    let (place, server, _) = stage("tower");
    place.done(&["build", "top", "--with-source", "-o", "top.rune"]);
    let second = format!("127.0.0.1:{}/top:1", server.port);
    place.done(&["push", "top.rune", &second]);
    let other = Place::new("tower-other");
    other.put(
        "Runefile",
        format!("FROM {second}\nLABEL name=third\nSET numbers --min -1\n"),
    );
    other.done(&["build", ".", "-o", "third.rune"]);
    // The base was not asked for: its sources came with the layer above it.
    let lock = other.text("Runefile.lock");
    assert_eq!(lock.matches("[[layer]]").count(), 1, "{lock}");
    place.put(
        "third/Runefile",
        "FROM ../flat\nLABEL name=third\nSET numbers --min -1\n",
    );
    place.done(&["build", "third", "-o", "third.rune"]);
    assert_eq!(other.read("third.rune"), place.read("third.rune"));
}

#[test]
fn a_lock_file_is_no_runefile() {
    let (place, _server, _) = stage("no-runefile");
    place.done(&["build", "top", "-o", "top.rune"]);
    place.put("top/mine.Runefile", place.read("base/Runefile"));
    place.put("top/names.txt", "a\nb\nc\nd\n");
    place.put("top/mine.Runefile.lock", place.read("top/Runefile.lock"));
    let found = runec::find::find(&[place.folder.join("top")], None);
    let names: Vec<String> = found
        .sources
        .iter()
        .map(|s| s.path().display().to_string())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
}
