//! Sound cards and cameras, which not every build can read.

#[cfg(feature = "alsa")]
use std::process::Command;
use std::{fs, path::PathBuf};

#[cfg(feature = "alsa")]
use rune_abi::Value;
use rune_abi::{CapabilityKind, ElementType};

#[cfg(feature = "alsa")]
use crate::support::param;
use crate::{
    sources::failed,
    support::{self, capability, echo, ty},
};

fn folder(name: &str) -> PathBuf {
    support::folder("devices", name)
}

/// ALSA's plugin for files stands for a sound card: it gives what is in a file, as fast as it is read.
#[cfg(feature = "alsa")]
#[test]
fn a_sound_card_is_heard_through_alsa() {
    let folder = folder("alsa");
    let samples = 1000i16.to_le_bytes().repeat(4 << 20);
    fs::write(folder.join("in.raw"), samples).unwrap();
    let config = format!(
        "pcm.null {{ type null }}\npcm.!default {{ type file slave.pcm null file /dev/null infile {} format raw }}\n",
        folder.join("in.raw").display()
    );
    fs::write(folder.join("asound.conf"), config).unwrap();
    let mut sound = capability(CapabilityKind::Sound, "mic", ty(ElementType::I16, &[160]));
    sound.params = vec![param("hz", Value::Integer(16_000))];
    fs::write(folder.join("app.rune"), echo(sound)).unwrap();
    let run = |flag: &str| {
        Command::new(env!("CARGO_BIN_EXE_rune"))
            .args([
                "run", "app.rune", "-n", "2", "--sound", flag, "--allow", "mic",
            ])
            .env("ALSA_CONFIG_PATH", folder.join("asound.conf"))
            .current_dir(&folder)
            .output()
            .unwrap()
    };
    let want = format!("[{}]", ["1000"; 160].join(", "));
    for flag in [
        "alsa:",
        "alsa:default",
        "alsa:,rate=44100",
        "alsa:,rate=48000",
    ] {
        let output = run(flag);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{flag}: {stderr}");
        let line = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(line.contains(&want), "{flag}: {line}");
    }
    let output = run("alsa:none");
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(stderr, "error: alsa:none: there is no such sound card\n");
}

#[cfg(feature = "v4l2")]
#[test]
fn what_is_no_camera_is_said() {
    let folder = folder("v4l2");
    let camera = capability(
        CapabilityKind::Image,
        "cam",
        ty(ElementType::U8, &[2, 2, 3]),
    );
    fs::write(folder.join("app.rune"), echo(camera)).unwrap();
    for (flag, says) in [
        (
            "/dev/video-none",
            "error: /dev/video-none: No such file or directory (os error 2)\n",
        ),
        ("v4l2:/dev/null", "error: /dev/null: it is not a camera\n"),
        (
            "v4l2:app.rune,crop=centre",
            "app.rune: it is not a camera\n",
        ),
    ] {
        let args = ["run", "app.rune", "--image", flag, "--allow", "cam"];
        let (status, stderr) = failed(&folder, &args);
        assert_eq!(status, 2);
        assert!(stderr.ends_with(says), "{flag}: {stderr}");
    }
    let (status, stderr) = failed(&folder, &["run", "app.rune", "--image", "v4l2:/dev/null"]);
    assert_eq!(status, 1);
    let line =
        "`capabilities.cam = { kind = \"IMAGE\", source = \"v4l2\", device = \"/dev/null\" }`\n";
    assert!(
        stderr.contains("from /dev/null, a sensor") && stderr.ends_with(line),
        "{stderr}"
    );
    // A policy may bind it too.
    let policy = "version = 1\n[capabilities.cam]\nkind = \"IMAGE\"\nsource = \"v4l2\"\ndevice = \"/dev/null\"\n\
        crop = \"centre\"\n[outputs.serial]\nkind = \"SERIAL\"\nsink = \"stdout\"\n";
    fs::write(folder.join("p.toml"), policy).unwrap();
    let (status, stderr) = failed(&folder, &["run", "app.rune", "--policy", "p.toml"]);
    assert_eq!(
        (status, stderr.as_str()),
        (2, "error: /dev/null: it is not a camera\n")
    );
}

#[test]
fn a_build_says_what_it_was_built_without() {
    let folder = folder("features");
    let sound = capability(CapabilityKind::Sound, "mic", ty(ElementType::I16, &[160]));
    fs::write(folder.join("sound.rune"), echo(sound)).unwrap();
    let camera = capability(
        CapabilityKind::Image,
        "cam",
        ty(ElementType::U8, &[2, 2, 3]),
    );
    fs::write(folder.join("image.rune"), echo(camera)).unwrap();
    for (has, feature, args) in [
        (
            cfg!(feature = "alsa"),
            "alsa",
            ["run", "sound.rune", "--sound", "alsa:"],
        ),
        (
            cfg!(feature = "v4l2"),
            "v4l2",
            ["run", "image.rune", "--image", "/dev/video9"],
        ),
    ] {
        let (_, stderr) = failed(&folder, &args);
        let says = format!("build it with `--features {feature}`\n");
        assert_eq!(stderr.ends_with(&says), !has, "{stderr}");
    }
}
