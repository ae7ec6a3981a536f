//! Files of the keys that a device holds.

use std::fs;

use crate::support::{done, folder, hmr, key, refused, rune};

#[test]
fn a_file_of_keys_says_who_may_sign_what() {
    let folder = folder("ring");
    let (a, n) = (key(&folder, "a", "rune"), key(&folder, "n", "native"));
    done(&folder, &["keys", "add", "ring.toml", "a.pub"]);
    done(&folder, &["keys", "add", "ring.toml", "n.pub"]);
    done(&folder, &["keys", "add", "ring.toml", "n.pub"]);
    let listed = done(&folder, &["keys", "ls", "ring.toml"]);
    assert_eq!(listed, format!("rune    {a}\nnative  {n}\n"));
    fs::write(folder.join("x.rune"), rune()).unwrap();
    done(&folder, &["sign", "x.rune", "--key", "a.key"]);
    done(&folder, &["verify", "x.rune", "--keys", "ring.toml"]);
    done(&folder, &["keys", "rm", "ring.toml", &a]);
    let said = refused(&folder, &["verify", "x.rune", "--keys", "ring.toml"]);
    assert!(said.contains("none of the keys of class rune"), "{said}");
    let said = refused(&folder, &["keys", "rm", "ring.toml", &a]);
    assert!(said.contains("it does not hold"), "{said}");
    // As another class than its file says, if one says so.
    done(
        &folder,
        &["keys", "add", "ring.toml", "a.pub", "--class", "native"],
    );
    let said = refused(&folder, &["verify", "x.rune", "--keys", "ring.toml"]);
    assert!(said.contains("is not of class rune"), "{said}");
}

#[test]
fn files_that_are_no_keys_say_where() {
    let folder = folder("damaged");
    for (text, says) in [
        ("version = 2\n", "version 2"),
        ("version = 1\nroot = []\n", "line 2"),
        ("version = 1\nrune = [\n  \"ed25519:12\",\n]\n", "is no key"),
        ("rune = []\n", "version"),
        ("\u{0}", "line 1"),
    ] {
        fs::write(folder.join("ring.toml"), text).unwrap();
        let (status, _, said) = hmr(&folder, &["keys", "ls", "ring.toml"]);
        assert!(status == 2 && said.contains(says), "{said}");
        // It is not overwritten either.
        let id = format!("ed25519:{}", "0".repeat(64));
        assert_eq!(hmr(&folder, &["keys", "add", "ring.toml", &id]).0, 2);
        assert_eq!(fs::read_to_string(folder.join("ring.toml")).unwrap(), text);
    }
}

#[test]
fn a_class_has_16_keys_at_most() {
    let folder = folder("many");
    for at in 0..16 {
        let id = format!("ed25519:{at:064x}");
        done(&folder, &["keys", "add", "ring.toml", &id]);
    }
    let id = format!("ed25519:{:064x}", 16);
    let said = refused(&folder, &["keys", "add", "ring.toml", &id]);
    assert!(said.contains("16 keys of class rune"), "{said}");
    done(
        &folder,
        &["keys", "add", "ring.toml", &id, "--class", "native"],
    );
}
