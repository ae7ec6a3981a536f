//! Detached signatures, by us and by minisign, which nobody here wrote.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use rune_trust::{Class, Detached, SecretKey};

use crate::support::{done, folder, key, refused};

/// Runs minisign with what is typed into it; whether it ended well, and what it said. `None`: it is not installed.
fn minisign(folder: &Path, args: &[&str], typed: &str) -> Option<(bool, String)> {
    let program = Command::new("minisign")
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut program) = program else {
        eprintln!("skipped: no minisign; `apt install minisign`");
        return None;
    };
    // It may end before it has read everything.
    let _ = program.stdin.take().unwrap().write_all(typed.as_bytes());
    let output = program.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    Some((
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    ))
}

#[test]
fn minisign_takes_our_keys_and_signatures() {
    let folder = folder("to-minisign");
    key(&folder, "a", "rune");
    fs::write(folder.join("password"), "open\n").unwrap();
    done(
        &folder,
        &["keygen", "locked", "--password-file", "password"],
    );
    fs::write(folder.join("model.bin"), [1, 2, 3]).unwrap();
    let args = [
        "sign",
        "model.bin",
        "--key",
        "a.key",
        "--detached",
        "--comment",
        "version 3",
    ];
    done(&folder, &args);
    let verify = ["-V", "-H", "-m", "model.bin", "-p"];
    let Some((ok, said)) = minisign(&folder, &[&verify[..], &["a.pub"]].concat(), "") else {
        return;
    };
    assert!(ok && said.contains("Trusted comment: version 3"), "{said}");
    let (ok, said) = minisign(&folder, &[&verify[..], &["locked.pub"]].concat(), "").unwrap();
    assert!(!ok, "{said}");
    // It signs with our keys, encrypted and not.
    for (name, typed) in [("a", ""), ("locked", "open\n")] {
        let (secret, public) = (format!("{name}.key"), format!("{name}.pub"));
        let args = ["-S", "-m", "model.bin", "-s", &secret];
        let args = [&args[..], if typed.is_empty() { &["-W"] } else { &[] }].concat();
        let (ok, said) = minisign(&folder, &args, typed).unwrap();
        assert!(ok, "{said}");
        done(
            &folder,
            &["verify", "model.bin", "--key", &public, "--detached"],
        );
    }
    fs::write(folder.join("model.bin"), [1, 2, 4]).unwrap();
    let (ok, said) = minisign(&folder, &[&verify[..], &["locked.pub"]].concat(), "").unwrap();
    assert!(!ok, "{said}");
}

#[test]
fn we_take_keys_and_signatures_of_minisign() {
    let folder = folder("from-minisign");
    let make = ["-G", "-W", "-p", "m.pub", "-s", "m.key"];
    let Some((ok, said)) = minisign(&folder, &make, "") else {
        return;
    };
    assert!(ok, "{said}");
    fs::write(folder.join("model.bin"), [1, 2, 3]).unwrap();
    // Of the digest, and of the file itself as it once did.
    for kind in [&["-S"][..], &["-S", "-l"]] {
        let args = [
            kind,
            &["-W", "-s", "m.key", "-m", "model.bin", "-t", "a comment"],
        ]
        .concat();
        let (ok, said) = minisign(&folder, &args, "").unwrap();
        assert!(ok, "{said}");
        let verify = [
            "verify",
            "model.bin",
            "--key",
            "m.pub",
            "--detached",
            "model.bin.minisig",
        ];
        let said = done(&folder, &verify);
        assert!(said.contains("comment: a comment"), "{said}");
    }
    let args = [
        "sign",
        "model.bin",
        "--key",
        "m.key",
        "--detached",
        "-o",
        "own.minisig",
    ];
    done(&folder, &args);
    let verify = ["-V", "-p", "m.pub", "-m", "model.bin", "-x", "own.minisig"];
    let (ok, said) = minisign(&folder, &verify, "").unwrap();
    assert!(ok, "{said}");
}

#[test]
fn detached_signatures_are_refused_with_the_reason() {
    let folder = folder("detached");
    key(&folder, "a", "rune");
    key(&folder, "b", "rune");
    fs::write(folder.join("f"), "file").unwrap();
    done(&folder, &["sign", "f", "--key", "a.key", "--detached"]);
    let good = fs::read_to_string(folder.join("f.minisig")).unwrap();
    let verify = ["verify", "f", "--detached", "--key"];
    let says = |key: &str| refused(&folder, &[&verify[..], &[key]].concat());
    assert!(says("b.pub").contains("it is a signature by key "));
    let id = fs::read_to_string(folder.join("b.pub")).unwrap();
    assert!(says(id.lines().nth(1).unwrap()).contains("it is a signature by key "));
    fs::write(folder.join("f.minisig"), good.replace("file:f", "file:g")).unwrap();
    assert!(says("a.pub").contains("its comment was altered"));
    fs::write(folder.join("f.minisig"), "nonsense\n").unwrap();
    assert!(says("a.pub").contains("it is no signature"));
    fs::write(folder.join("f.minisig"), &good).unwrap();
    done(&folder, &[&verify[..], &["a.pub"]].concat());
    fs::write(folder.join("f"), "fill").unwrap();
    assert!(says("a.pub").contains("is not of this file"));
}

#[test]
fn damaged_signatures_do_not_count() {
    let key = SecretKey::new(Class::Rune, [7; 40]);
    let good = Detached::sign(&key, b"file", "a comment");
    assert_eq!(Detached::parse(&good.to_text()).unwrap(), good);
    let text = good.to_text();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    let (mut read, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let mut bytes = text.clone().into_bytes();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            match random(4) {
                0 => bytes[at] = random(256) as u8,
                1 => bytes[at] ^= 1 << random(8),
                2 => bytes.truncate(at + 1),
                _ => bytes.insert(at, random(256) as u8),
            }
        }
        let Ok(parsed) = Detached::parse(&String::from_utf8_lossy(&bytes)) else {
            refused += 1;
            continue;
        };
        read += 1;
        let counts = parsed.verify(&key.public(), b"file").is_ok();
        // Nothing but the first comment, which nobody signs, and blanks can be altered.
        assert_eq!(
            counts,
            parsed == good,
            "{}",
            String::from_utf8_lossy(&bytes)
        );
    }
    assert!(
        read > 500 && refused > 5000,
        "{read} read, {refused} refused"
    );
}
