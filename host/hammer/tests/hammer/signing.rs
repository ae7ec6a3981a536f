//! Keys and signatures from making to changing them.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use rune_abi::image::Containment;

use crate::support::{done, folder, hmr, image, key, refused, rune};

#[test]
fn a_rune_is_signed_and_verified() {
    let folder = folder("signed");
    let id = key(&folder, "a", "rune");
    fs::write(folder.join("sine.rune"), rune()).unwrap();
    done(&folder, &["sign", "sine.rune", "--key", "a.key"]);
    let said = done(&folder, &["verify", "sine.rune", "--key", "a.pub"]);
    assert_eq!(
        said,
        format!("sine.rune: a rune, sine 0.0.0, signed by {id}\n")
    );
    // By its id, by the line of its file, and as JSON.
    let text = fs::read_to_string(folder.join("a.pub")).unwrap();
    for word in [id.as_str(), text.lines().nth(1).unwrap()] {
        done(&folder, &["verify", "sine.rune", "--key", word]);
    }
    let json = done(&folder, &["verify", "sine.rune", "--key", &id, "--json"]);
    assert_eq!(
        json,
        format!(
            "{{\"file\":\"sine.rune\",\"name\":\"sine\",\"version\":\"0.0.0\",\"kind\":\"a rune\",\"trusted\":\"{id}\",\"signers\":[\"{id}\"]}}\n"
        )
    );
    // What was signed is all that it was, and the same key signs the same.
    let signed = fs::read(folder.join("sine.rune")).unwrap();
    assert!(signed.starts_with(&rune()));
    assert_eq!(signed.len(), rune().len() + 96 + 18);
    done(&folder, &["sign", "sine.rune", "--key", "a.key"]);
    assert_eq!(fs::read(folder.join("sine.rune")).unwrap(), signed);
}

#[test]
fn images_take_the_class_of_their_containment() {
    let folder = folder("images");
    key(&folder, "rune", "rune");
    key(&folder, "native", "native");
    for (containment, right, wrong) in [
        (Containment::Mpu, "rune", "native"),
        (Containment::Bounds, "native", "rune"),
        (Containment::Mask, "native", "rune"),
    ] {
        fs::write(folder.join("x.img"), image(containment)).unwrap();
        let (key, other) = (format!("{right}.key"), format!("{wrong}.key"));
        let said = refused(&folder, &["sign", "x.img", "--key", &other]);
        assert!(
            said.contains(&format!("the key is of class {wrong}")),
            "{said}"
        );
        assert!(
            said.contains(&format!("hmr keygen --class {right}")),
            "{said}"
        );
        assert_eq!(fs::read(folder.join("x.img")).unwrap(), image(containment));
        done(&folder, &["sign", "x.img", "--key", &key]);
        let public = format!("{right}.pub");
        let verify = ["verify", "x.img", "--key", &public, "--class"];
        let target = ["--target", "cortex-m7"];
        done(&folder, &[&verify[..], &[right], &target].concat());
        // The same key, held for the other class, counts nothing.
        let said = refused(&folder, &[&verify[..], &[wrong]].concat());
        assert!(said.contains(&format!("is not of class {right}")), "{said}");
    }
}

#[test]
fn keys_are_changed_without_a_gap() {
    let folder = folder("rotation");
    let (old, new) = (key(&folder, "old", "rune"), key(&folder, "new", "rune"));
    fs::write(folder.join("x.rune"), rune()).unwrap();
    done(&folder, &["sign", "x.rune", "--key", "old.key"]);
    let verify = |key: &str| hmr(&folder, &["verify", "x.rune", "--key", key]).0;
    assert_eq!((verify(&old), verify(&new)), (0, 1));
    done(&folder, &["sign", "x.rune", "--key", "new.key"]);
    assert_eq!((verify(&old), verify(&new)), (0, 0));
    done(&folder, &["sign", "x.rune", "--remove", "old.pub"]);
    assert_eq!((verify(&old), verify(&new)), (1, 0));
    let said = refused(&folder, &["sign", "x.rune", "--remove", "old.pub"]);
    assert!(said.contains("there is no signature by ed25519:"), "{said}");
    // In one step, and to a file of its own.
    let args = [
        "sign", "x.rune", "--key", "old.key", "--remove", "new.pub", "-o", "y.rune",
    ];
    done(&folder, &args);
    assert_eq!((verify(&old), verify(&new)), (1, 0));
    assert_eq!(hmr(&folder, &["verify", "y.rune", "--key", &old]).0, 0);
    done(&folder, &["sign", "x.rune", "--remove-all"]);
    assert_eq!(fs::read(folder.join("x.rune")).unwrap(), rune());
}

#[test]
fn there_are_16_signatures_at_most() {
    let folder = folder("full");
    fs::write(folder.join("x.rune"), rune()).unwrap();
    for at in 0..16 {
        let name = format!("k{at}");
        key(&folder, &name, "rune");
        done(
            &folder,
            &["sign", "x.rune", "--key", &format!("{name}.key")],
        );
    }
    key(&folder, "more", "rune");
    let said = refused(&folder, &["sign", "x.rune", "--key", "more.key"]);
    assert!(
        said.contains("16 signatures") && said.contains("--remove"),
        "{said}"
    );
}

#[test]
fn a_secret_key_is_private_and_stays() {
    let folder = folder("private");
    let id = key(&folder, "a", "rune");
    let mode = |name: &str| {
        let meta = fs::metadata(folder.join(name)).unwrap();
        meta.permissions().mode() & 0o777
    };
    assert_eq!(mode("a.key"), 0o600);
    let secret = fs::read_to_string(folder.join("a.key")).unwrap();
    // It is not replaced by accident.
    let (status, printed, said) = hmr(&folder, &["keygen", "a", "--no-password"]);
    assert_eq!((status, printed.as_str()), (2, ""));
    assert!(said.contains("--force"), "{said}");
    fs::remove_file(folder.join("a.pub")).unwrap();
    assert_eq!(hmr(&folder, &["keygen", "a", "--no-password"]).0, 2);
    assert_eq!(fs::read_to_string(folder.join("a.key")).unwrap(), secret);
    // Nothing of it is shown, whatever is done with it.
    fs::write(folder.join("x.rune"), rune()).unwrap();
    let line = secret.lines().nth(1).unwrap();
    for args in [
        &["sign", "x.rune", "--key", "a.key"][..],
        &["verify", "x.rune", "--key", "a.key"],
        &["keys", "add", "ring.toml", "a.key"],
    ] {
        let (_, printed, said) = hmr(&folder, args);
        assert!(!printed.contains(line) && !said.contains(line), "{said}");
    }
    let (status, _, said) = hmr(&folder, &["verify", "x.rune", "--key", "a.key"]);
    assert!(status == 2 && said.contains("it is a secret key"), "{said}");
    let (status, _, said) = hmr(&folder, &["sign", "x.rune", "--key", &id]);
    assert!(status == 2 && said.contains("there is no file"), "{said}");
    // One that others can read is not used.
    fs::set_permissions(folder.join("a.key"), fs::Permissions::from_mode(0o640)).unwrap();
    let (status, _, said) = hmr(&folder, &["sign", "x.rune", "--key", "a.key"]);
    assert!(status == 2 && said.contains("chmod 600"), "{said}");
    let other = done(&folder, &["keygen", "a", "--no-password", "--force"]);
    assert_ne!(other.trim_end(), id);
    assert_eq!(mode("a.key"), 0o600);
}

#[test]
fn a_password_opens_a_key() {
    let folder = folder("password");
    fs::write(folder.join("right"), "open sesame\n").unwrap();
    fs::write(folder.join("wrong"), "open barley\n").unwrap();
    fs::write(folder.join("empty"), "\n").unwrap();
    fs::write(folder.join("x.rune"), rune()).unwrap();
    let (status, _, said) = hmr(&folder, &["keygen", "a", "--password-file", "empty"]);
    assert!(status == 2 && said.contains("is empty"), "{said}");
    done(&folder, &["keygen", "a", "--password-file", "right"]);
    let sign = ["sign", "x.rune", "--key", "a.key", "--password-file"];
    let (status, _, said) = hmr(&folder, &[&sign[..], &["wrong"]].concat());
    assert!(
        status == 2 && said.contains("the password is wrong"),
        "{said}"
    );
    done(&folder, &[&sign[..], &["right"]].concat());
    done(&folder, &["verify", "x.rune", "--key", "a.pub"]);
    // Where there is no terminal to ask at, the way out is said.
    for args in [&["keygen", "b"][..], &["sign", "x.rune", "--key", "a.key"]] {
        let output = Command::new("setsid")
            .arg(env!("CARGO_BIN_EXE_hmr"))
            .args(args)
            .current_dir(&folder)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains("there is no terminal") && said.contains("--password-file"),
            "{said}"
        );
    }
}

#[test]
fn usage_is_that_of_the_other_programs() {
    let folder = folder("usage");
    for (args, status) in [
        (&["--help"][..], 0),
        (&["--version"], 0),
        (&["sign", "--help"], 0),
        (&[], 2),
        (&["sign"], 2),
        (&["verify", "x.rune"], 2),
        (&["keygen", "a", "--class", "root"], 2),
        (&["nonsense"], 2),
    ] {
        let (got, printed, said) = hmr(&folder, args);
        assert_eq!(got, status, "{args:?}: {said}");
        assert_eq!(printed.is_empty(), status != 0, "{args:?}: {said}");
        assert!(!said.contains('\x1b'), "{said}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = done(&folder, &["completions", shell]);
        assert!(
            script.contains("hmr") && script.contains("keygen"),
            "{script}"
        );
    }
}
