//! Sources: recordings that are adapted, sensors that go on while the rune works, and what holds for all.

use std::{
    f64::consts::PI,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rune_abi::{Capability, CapabilityKind, ElementType, TensorType, Value};
use rune_runtime::{
    GrantError, Limits, Policy, Read, Replay, Rune, Source, SourceErrorKind, SourceFlag,
};

use crate::support::{self, capability, echo, flags, param, pty, rune, ty};

fn folder(name: &str) -> PathBuf {
    support::folder("sources", name)
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// What `rune` prints, which must have gone well.
fn printed(folder: &Path, args: &[&str]) -> String {
    let output = rune(folder, args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// Exit status and standard error of what went wrong.
pub(crate) fn failed(folder: &Path, args: &[&str]) -> (i32, String) {
    let output = rune(folder, args);
    assert!(output.stdout.is_empty(), "{args:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), stderr)
}

/// The rune of an example, compiled once into a folder, with a line of its Runefile replaced.
fn compiled(folder: &Path, name: &str, replace: (&str, &str)) {
    let from = examples().join(name);
    for file in fs::read_dir(&from).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_none_or(|e| e == "tflite") {
            fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
        }
    }
    let text = fs::read_to_string(from.join("Runefile")).unwrap();
    assert!(text.contains(replace.0));
    fs::write(folder.join("Runefile"), text.replace(replace.0, replace.1)).unwrap();
    printed(folder, &["build", ".", "-o", "app.rune"]);
}

fn expected(path: &str) -> String {
    fs::read_to_string(examples().join(path)).unwrap()
}

/// A signal at another rate, interpolated by a sinc under a Hann window; at the ends it stays as it is.
fn interpolated(signal: &[f64], given: usize, wanted: usize) -> Vec<f64> {
    const HALF: i64 = 24;
    let at = |n: i64| signal[n.clamp(0, signal.len() as i64 - 1) as usize];
    let one = |k: usize| {
        let before = (k * given / wanted) as i64;
        let after = (k * given % wanted) as f64 / wanted as f64;
        if after == 0.0 {
            return at(before);
        }
        let (mut sum, mut total) = (0.0, 0.0);
        for j in 1 - HALF..=HALF {
            let t = after - j as f64;
            let weight = (PI * t).sin() / (PI * t) * (0.5 + 0.5 * (PI * t / HALF as f64).cos());
            sum += weight * at(before + j);
            total += weight;
        }
        sum / total
    };
    (0..signal.len() * wanted / given).map(one).collect()
}

fn write_wav(path: &Path, rate: u32, channels: u16, bits: u16, samples: impl Iterator<Item = f64>) {
    let is_float = bits == 32;
    let spec = hound::WavSpec {
        channels,
        sample_rate: rate,
        bits_per_sample: bits,
        sample_format: if is_float {
            hound::SampleFormat::Float
        } else {
            hound::SampleFormat::Int
        },
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    let full = f64::from(1i32 << (bits - 1).min(30));
    for sample in samples {
        if is_float {
            writer.write_sample(sample as f32).unwrap();
        } else {
            let sample = (sample * full).round().clamp(-full, full - 1.0);
            writer.write_sample(sample as i32).unwrap();
        }
    }
    writer.finalize().unwrap();
}

#[test]
fn words_of_any_rate_and_format_get_the_same_labels() {
    let folder = folder("words");
    compiled(&folder, "keyword", ("", ""));
    let want = expected("keyword/words.expected.jsonl");
    let original = examples().join("keyword/words.wav");
    let run = |wav: &str| printed(&folder, &["run", "app.rune", "--sound", wav]);
    assert_eq!(run(original.to_str().unwrap()), want);

    let mut reader = hound::WavReader::open(&original).unwrap();
    let words = reader.samples::<i16>();
    let words: Vec<f64> = words.map(|s| f64::from(s.unwrap()) / 32_768.0).collect();
    // Each channel has noise that the other has not.
    let stereo = interpolated(&words, 16_000, 44_100).into_iter().enumerate();
    let stereo = stereo.flat_map(|(n, v)| {
        let tone = 0.2 * (n as f64 * 0.3).sin();
        [v * 0.7 + tone, v * 0.7 - tone]
    });
    write_wav(&folder.join("44.wav"), 44_100, 2, 16, stereo);
    assert_eq!(run("44.wav"), want);
    // Above what the rune hears there is a tone at 20 kHz.
    let fast = interpolated(&words, 16_000, 48_000).into_iter().enumerate();
    let fast: Vec<f64> = fast
        .map(|(n, v)| v * 0.7 + 0.2 * (n as f64 * 2.0 * PI * 20.0 / 48.0).sin())
        .collect();
    write_wav(&folder.join("48.wav"), 48_000, 1, 32, fast.iter().copied());
    assert_eq!(run("48.wav"), want);
    write_wav(&folder.join("24.wav"), 48_000, 1, 24, fast.into_iter());
    assert_eq!(run("24.wav"), want);

    write_wav(&folder.join("8.wav"), 8_000, 1, 16, words.into_iter());
    let (status, stderr) = failed(&folder, &["run", "app.rune", "--sound", "8.wav"]);
    assert_eq!(status, 1);
    assert!(
        stderr.starts_with("error: 8.wav cannot feed SOUND `"),
        "{stderr}"
    );
    assert!(
        stderr.contains("asks for 16000 Hz and the sensor gives 8000 Hz"),
        "{stderr}"
    );
}

#[test]
fn signs_in_any_unit_and_with_any_axes_get_the_same_label() {
    let folder = folder("signs");
    compiled(&folder, "gesture", ("", ""));
    for sign in ["ring", "wing", "slope", "unknown"] {
        let want = expected(&format!("gesture/{sign}.expected.jsonl"));
        let csv = fs::read_to_string(examples().join(format!("gesture/{sign}.csv"))).unwrap();
        let readings: Vec<[f64; 3]> = csv
            .lines()
            .map(|line| {
                let values: Vec<f64> = line.split(',').map(|v| v.parse().unwrap()).collect();
                values.try_into().unwrap()
            })
            .collect();
        let run = |make: &dyn Fn([f64; 3]) -> [f64; 3], suffix: &str| {
            let lines = readings.iter().map(|reading| {
                let [x, y, z] = make(*reading);
                format!("{x},{y},{z}\n")
            });
            fs::write(folder.join("a.csv"), lines.collect::<String>()).unwrap();
            printed(
                &folder,
                &["run", "app.rune", "--accel", &format!("a.csv{suffix}")],
            )
        };
        let counts = |range: f64, bits: i32| {
            let end = 2f64.powi(bits - 1);
            move |g: [f64; 3]| g.map(|g| (g / range * end).round().clamp(-end, end - 1.0))
        };
        assert_eq!(run(&|g| g, ""), want, "{sign}");
        let (two, eight) = (counts(2.0, 16), counts(8.0, 12));
        assert_eq!(run(&two, ",scale=0.00006103515625"), want, "{sign}, +-2 g");
        assert_eq!(run(&eight, ",scale=0.00390625"), want, "{sign}, +-8 g");
        let metres = |g: [f64; 3]| g.map(|g| g * 9.806_65);
        assert_eq!(run(&metres, ",unit=m/s2"), want, "{sign}, m/s²");
        let lying = |[x, y, z]: [f64; 3]| [-y, x, z];
        assert_eq!(run(&lying, ",axes=y-xz"), want, "{sign}, swapped axes");
        let all = |g: [f64; 3]| two(lying(g)).map(|count| count + 100.0);
        let suffix = ",axes=y-xz,scale=0.00006103515625,offset=-100,unit=g";
        assert_eq!(run(&all, suffix), want, "{sign}, all at once");
        // The same by a policy.
        let policy = "version = 1\n[capabilities.accelerometer]\nkind = \"ACCEL\"\nfiles = [\"a.csv\"]\n\
            axes = \"y-xz\"\nscale = 0.00006103515625\noffset = -100\n[outputs.serial]\nkind = \"SERIAL\"\nsink = \"stdout\"\n";
        fs::write(folder.join("p.toml"), policy).unwrap();
        let by_policy = printed(&folder, &["run", "app.rune", "--policy", "p.toml"]);
        assert_eq!(by_policy, want, "{sign}, by a policy");
    }
    let (status, stderr) = failed(&folder, &["run", "app.rune", "--accel", "a.csv,unit=ft"]);
    assert_eq!(status, 2);
    assert!(stderr.contains("a unit is `g` or `m/s2`"), "{stderr}");
}

#[test]
fn readings_of_another_rate_are_adapted_or_refused() {
    let folder = folder("rates");
    let mut accel = capability(CapabilityKind::Accel, "a", ty(ElementType::F32, &[5, 3]));
    accel.params = vec![param("hz", Value::Integer(25))];
    fs::write(folder.join("app.rune"), echo(accel)).unwrap();
    fs::write(folder.join("a.csv"), "0.5,-1,0\n".repeat(20)).unwrap();
    let run = |flag: &str| printed(&folder, &["run", "app.rune", "--accel", flag]);
    assert_eq!(run("a.csv").lines().count(), 4);
    assert_eq!(run("a.csv,rate=25").lines().count(), 4);
    assert_eq!(run("a.csv,rate=100").lines().count(), 1);
    let (status, stderr) = failed(&folder, &["run", "app.rune", "--accel", "a.csv,rate=12.5"]);
    assert_eq!(status, 1);
    assert!(
        stderr.contains("what it did not catch cannot be made up"),
        "{stderr}"
    );
}

#[test]
fn a_refusal_has_every_reason_at_once() {
    let folder = folder("reasons");
    write_wav(&folder.join("a.wav"), 8_000, 17, 16, (0..34).map(|_| 0.0));
    let mut sound = capability(CapabilityKind::Sound, "mic", ty(ElementType::I16, &[4]));
    sound.params = vec![param("hz", Value::Integer(16_000))];
    let rune = Rune::load(echo(sound)).unwrap();
    let file = folder.join("a.wav").display().to_string();
    let given = flags(&[(CapabilityKind::Sound, &file)]);
    let Err(GrantError::Refused(reasons)) = rune.grant(&given, &Limits::default()) else {
        panic!("granted");
    };
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    let start = format!("{file} cannot feed SOUND `mic` (I16[4]): ");
    assert!(reasons.iter().all(|r| r.starts_with(&start)), "{reasons:?}");
}

#[test]
fn digits_of_any_size_and_format_get_the_same_label() {
    let folder = folder("digits");
    compiled(&folder, "digits", ("", ""));
    let run = |flag: &str| printed(&folder, &["run", "app.rune", "--image", flag]);
    for digit in ["0", "3", "7", "9"] {
        let want = expected(&format!("digits/{digit}.expected.jsonl"));
        let path = examples().join(format!("digits/{digit}.png"));
        let small = image::open(&path).unwrap().into_luma8();
        let large = image::imageops::resize(&small, 96, 96, image::imageops::FilterType::Nearest);
        large.save(folder.join("gray.png")).unwrap();
        let colour = image::DynamicImage::ImageLuma8(large.clone());
        colour.to_rgb8().save(folder.join("colour.png")).unwrap();
        colour.to_rgba16().save(folder.join("deep.png")).unwrap();
        colour.to_luma8().save(folder.join("gray.jpg")).unwrap();
        let mut wide = image::GrayImage::from_pixel(136, 96, image::Luma([200]));
        image::imageops::replace(&mut wide, &large, 20, 0);
        wide.save(folder.join("wide.png")).unwrap();
        let files = [
            "gray.png",
            "colour.png",
            "deep.png",
            "gray.jpg",
            "wide.png,crop=centre",
        ];
        for file in files {
            assert_eq!(run(file), want, "{digit} {file}");
        }
    }
    let large = examples().join("digits/7-large.png");
    assert_eq!(
        run(large.to_str().unwrap()),
        expected("digits/7-large.expected.jsonl")
    );
}

#[test]
fn pictures_in_floats_and_readings_and_levels_are_read() {
    let folder = folder("kinds");
    let image = image::RgbImage::from_pixel(2, 2, image::Rgb([0, 51, 255]));
    image.save(folder.join("a.png")).unwrap();
    let mut camera = capability(
        CapabilityKind::FloatImage,
        "cam",
        ty(ElementType::F32, &[1, 1, 3]),
    );
    camera.params = vec![
        param("width", Value::Integer(1)),
        param("height", Value::Integer(1)),
    ];
    fs::write(folder.join("image.rune"), echo(camera)).unwrap();
    let line = printed(&folder, &["run", "image.rune", "--float-image", "a.png"]);
    assert!(line.contains("\"elements\": [0.0, 0.2, 1.0]"), "{line}");

    let warm = capability(CapabilityKind::Temperature, "t", ty(ElementType::F32, &[2]));
    fs::write(folder.join("warm.rune"), echo(warm)).unwrap();
    fs::write(folder.join("t.csv"), "celsius\n20.5\n-3\n21\n").unwrap();
    let line = printed(&folder, &["run", "warm.rune", "--temperature", "t.csv"]);
    assert!(line.contains("\"elements\": [20.5, -3.0]") && line.lines().count() == 1);

    let pin = capability(CapabilityKind::Gpio, "pin", ty(ElementType::U8, &[3]));
    fs::write(folder.join("pin.rune"), echo(pin)).unwrap();
    fs::write(folder.join("p.csv"), "0\n1\n1\n").unwrap();
    let line = printed(&folder, &["run", "pin.rune", "--gpio", "p.csv"]);
    assert!(line.contains("\"elements\": [0, 1, 1]"), "{line}");
    fs::write(folder.join("p.csv"), "0\n2\n1\n").unwrap();
    let (status, stderr) = failed(&folder, &["run", "pin.rune", "--gpio", "p.csv"]);
    assert_eq!(
        (status, stderr.as_str()),
        (2, "error: p.csv: reading 2 is not 0 or 1\n")
    );
}

fn raw(bytes: u32) -> Vec<u8> {
    echo(capability(
        CapabilityKind::Raw,
        "raw",
        ty(ElementType::U8, &[bytes]),
    ))
}

/// A pipe into `rune`: what it is given, and then silence as long as `open` says.
fn piped(folder: &Path, args: &[&str], input: &[u8], open: Duration) -> std::process::Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rune"))
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
        std::thread::sleep(open);
    });
    child.wait_with_output().unwrap()
}

#[test]
fn standard_input_is_read_to_its_end_and_waits_for_the_rune() {
    let folder = folder("stdin");
    fs::write(folder.join("app.rune"), raw(2)).unwrap();
    let args = ["run", "app.rune", "--raw", "-"];
    let output = piped(&folder, &args, &[1, 2, 3, 4, 5], Duration::ZERO);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(text(&output.stdout).ends_with("\"elements\": [3, 4]}]}\n"));
    let note = "note: stdin: the last 1 of 5 bytes do not fill a window and were left out\n";
    assert_eq!(text(&output.stderr), note);
    // Nothing is lost of more than any buffer on the way holds.
    fs::write(folder.join("large.rune"), raw(1 << 12)).unwrap();
    let args = ["run", "large.rune", "--raw", "-"];
    let input: Vec<u8> = (0..=255).cycle().take(1 << 19).collect();
    let output = piped(&folder, &args, &input, Duration::ZERO);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(text(&output.stdout).lines().count(), 128);
    let args = ["run", "app.rune", "--raw", "-"];
    let output = piped(&folder, &args, &[1], Duration::ZERO);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        text(&output.stderr),
        "error: stdin: it gave 1 bytes and one call reads 2\n"
    );
}

#[test]
fn a_sensor_that_never_answers_ends_the_call_in_time() {
    let folder = folder("late");
    fs::write(folder.join("app.rune"), raw(2)).unwrap();
    let args = ["run", "app.rune", "--raw", "-", "--time-limit", "1"];
    let begin = Instant::now();
    let output = piped(&folder, &args, &[1, 2, 3], Duration::from_secs(20));
    assert!(begin.elapsed() < Duration::from_secs(10));
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 1);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        said,
        "error: stdin: it gave no sample within the time of the call\n"
    );
}

/// A tree like `/sys` with an accelerometer, a thermometer and a pin.
pub(crate) fn tree(folder: &Path) {
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let device = "bus/iio/devices/iio:device1/";
    for (file, text) in [
        ("name", "lis3dh\n"),
        ("in_accel_x_raw", "0\n"),
        ("in_accel_y_raw", "512\n"),
        ("in_accel_z_raw", "-1024\n"),
        ("in_accel_scale", "0.009576806640625\n"),
        ("sampling_frequency", "100.000000\n"),
        ("in_temp_raw", "100\n"),
        ("in_temp_offset", "110\n"),
        ("in_temp_scale", "100\n"),
        ("in_anglvel_x_raw", "10\n"),
        ("in_anglvel_x_scale", "0.5\n"),
        ("in_voltage0_input", "1200\n"),
    ] {
        write(&format!("{device}{file}"), text);
    }
    write("bus/iio/devices/iio:device0/name", "other\n");
    write("class/thermal/thermal_zone0/temp", "48312\n");
    write("class/gpio/gpio17/value", "1\n");
}

/// What one call of an echo reads under a policy.
fn by_policy(top: &Path, capability: Capability, rule: &str) -> Result<String, String> {
    let kind = capability.kind.spec().name;
    let name = capability.name.clone();
    fs::write(top.join("app.rune"), echo(capability)).unwrap();
    let policy = format!(
        "version = 1\n[capabilities.{name}]\nkind = \"{kind}\"\n{rule}\n[outputs.serial]\nkind = \"SERIAL\"\nsink = \"stdout\"\n"
    );
    fs::write(top.join("p.toml"), policy).unwrap();
    let output = rune(top, &["run", "app.rune", "--policy", "p.toml", "-n", "1"]);
    if !output.status.success() {
        return Err(String::from_utf8(output.stderr).unwrap());
    }
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    Ok(line["serial"][0]["elements"].to_string())
}

#[test]
fn sensors_of_sysfs_are_read_from_their_tree() {
    use CapabilityKind::{Accel, Gpio, Raw, Temperature};
    let top = folder("sysfs");
    tree(&top.join("sys"));
    let accel = |hz: i64| {
        let mut accel = capability(Accel, "accel", ty(ElementType::F32, &[2, 3]));
        accel.params = vec![param("hz", Value::Integer(hz))];
        accel
    };
    let iio = "source = \"iio\"\nroot = \"sys\"\n";
    // 1024 counts of 0.009576806640625 m/s² are a g.
    for device in ["iio:device1", "1", "lis3dh"] {
        let rule = format!("{iio}device = \"{device}\"");
        let read = by_policy(&top, accel(100), &rule);
        assert_eq!(
            read.as_deref(),
            Ok("[0.0,0.5,-1.0,0.0,0.5,-1.0]"),
            "{device}"
        );
    }
    let device = format!("{iio}device = \"lis3dh\"\n");
    let turned = by_policy(&top, accel(100), &format!("{device}axes = \"-zxy\""));
    assert_eq!(turned.as_deref(), Ok("[1.0,0.0,0.5,1.0,0.0,0.5]"));
    let matrix = top.join("sys/bus/iio/devices/iio:device1/in_accel_mount_matrix");
    fs::write(&matrix, "0, 1, 0; 0, 0, -1; -1, 0, 0\n").unwrap();
    let turned = by_policy(&top, accel(100), &device);
    assert_eq!(turned.as_deref(), Ok("[0.5,1.0,-0.0,0.5,1.0,-0.0]"));
    fs::write(&matrix, "0.7, 0.7, 0; -0.7, 0.7, 0; 0, 0, 1\n").unwrap();
    let refused = by_policy(&top, accel(100), &device).unwrap_err();
    assert!(refused.contains("not a turn by right angles"), "{refused}");
    fs::remove_file(&matrix).unwrap();
    let slow = by_policy(&top, accel(400), &device).unwrap_err();
    assert!(slow.contains("cannot feed ACCEL `accel`"), "{slow}");

    let warm = || capability(Temperature, "t", ty(ElementType::F32, &[1]));
    let read = by_policy(&top, warm(), &device);
    assert_eq!(read.as_deref(), Ok("[21.0]"));
    let sysfs = "source = \"sysfs\"\nroot = \"sys\"\n";
    let zone = format!("{sysfs}device = \"class/thermal/thermal_zone0/temp\"\nrate = 100");
    let warm_twice = capability(Temperature, "t", ty(ElementType::F32, &[2]));
    let read = by_policy(&top, warm_twice, &zone);
    assert_eq!(read.as_deref(), Ok("[48.312,48.312]"));
    let pin = || capability(Gpio, "pin", ty(ElementType::U8, &[1]));
    let read = by_policy(
        &top,
        pin(),
        &format!("{sysfs}device = \"class/gpio/gpio17/value\""),
    );
    assert_eq!(read.as_deref(), Ok("[1]"));

    let gyro = || capability(Raw, "gyro", ty(ElementType::F32, &[2]));
    let channels = format!("{device}channels = [\"anglvel_x\", \"voltage0\"]\nrate = 50");
    let read = by_policy(&top, gyro(), &channels);
    assert_eq!(read.as_deref(), Ok("[5.0,1200.0]"));
    for (made, rule, says) in [
        (
            warm(),
            format!("{sysfs}device = \"../secret\""),
            "not a path inside the tree",
        ),
        (
            warm(),
            format!("{sysfs}device = \"/etc/passwd\""),
            "not a path inside the tree",
        ),
        (
            warm(),
            format!("{sysfs}device = \"class/none\""),
            "No such file",
        ),
        (
            warm(),
            format!("{iio}device = \"7\""),
            "there are 0 (other), 1 (lis3dh)",
        ),
        (
            pin(),
            format!("{sysfs}device = \"class/thermal/thermal_zone0/temp\""),
            "48312 is not 0 or 1",
        ),
        (
            gyro(),
            format!("{device}channels = [\"../x\"]"),
            "not the name of a channel",
        ),
        (
            gyro(),
            device.clone(),
            "p.toml:3:8: RAW from iio needs `channels`",
        ),
        (
            pin(),
            "source = \"serial\"".to_owned(),
            "p.toml:3:8: `serial` cannot feed GPIO",
        ),
        (
            pin(),
            format!("{sysfs}device = \"x\"\nbaud = 9600"),
            "does not take `baud`",
        ),
        (
            accel(1),
            format!("{device}axes = \"xx\""),
            "p.toml:7:8: axes are",
        ),
        (
            warm(),
            "source = \"sysfs\"\nfiles = [\"a\"]".to_owned(),
            "not both",
        ),
    ] {
        let error = by_policy(&top, made, &rule).unwrap_err();
        assert!(error.contains(says), "{rule}: {error}");
    }
}

#[test]
fn a_serial_port_gives_its_bytes_as_they_are() {
    let folder = folder("serial");
    fs::write(folder.join("app.rune"), raw(6)).unwrap();
    let (mut near, far) = pty();
    let flag = format!("serial:{far},baud=9600");
    let child = Command::new(env!("CARGO_BIN_EXE_rune"))
        .args([
            "run", "app.rune", "-n", "1", "--raw", &flag, "--allow", "raw",
        ])
        .current_dir(&folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // A port is emptied when it is opened, so it goes on until somebody has read.
    let writer = std::thread::spawn(move || {
        for _ in 0..200 {
            // Line ends, ends of input and interrupts are bytes like others.
            if near.write_all(b"\r\n\x03\x04\xff\0").is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let output = child.wait_with_output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    assert!(
        line.contains("\"elements\": [13, 10, 3, 4, 255, 0]"),
        "{line}"
    );
    drop(writer);
    fs::write(folder.join("file"), "x").unwrap();
    let args = ["run", "app.rune", "--raw", "serial:file", "--allow", "raw"];
    let (status, stderr) = failed(&folder, &args);
    let file = folder.join("file").canonicalize().unwrap();
    let said = format!("error: {}: it is not a serial port\n", file.display());
    assert_eq!((status, stderr), (2, said));
    // A device is no file, and is not read to an end that it does not have.
    let (status, stderr) = failed(&folder, &["run", "app.rune", "--raw", "/dev/zero"]);
    assert!(
        status == 2 && stderr.contains("/dev/zero: it is a device, not a file"),
        "{stderr}"
    );
}

#[test]
fn a_recording_is_given_again_bit_for_bit() {
    let folder = folder("record");
    let mut bytes = capability(CapabilityKind::Raw, "raw", ty(ElementType::U8, &[3]));
    bytes.params = vec![param("hop", Value::Integer(2))];
    fs::write(folder.join("app.rune"), echo(bytes)).unwrap();
    fs::write(folder.join("in.bin"), [1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    let record = ["run", "app.rune", "--raw", "in.bin", "--record", "seen"];
    let first = rune(&folder, &record);
    let again = rune(&folder, &["run", "app.rune", "--replay", "seen"]);
    assert!(!first.stdout.is_empty());
    assert_eq!(
        (&first.stdout, &first.stderr),
        (&again.stdout, &again.stderr)
    );
    // A recording is not overwritten, and one of a recording is the same.
    let (status, stderr) = failed(&folder, &record);
    assert!(
        status == 2 && stderr.contains("seen/00.rrec: File exists"),
        "{stderr}"
    );
    rune(
        &folder,
        &["run", "app.rune", "--replay", "seen", "--record", "copy"],
    );
    let file = |name: &str| fs::read(folder.join(name).join("00.rrec")).unwrap();
    assert_eq!(file("seen"), file("copy"));

    let rand = capability(CapabilityKind::Rand, "rand", ty(ElementType::F32, &[4]));
    fs::write(folder.join("rand.rune"), echo(rand)).unwrap();
    let args = [
        "run",
        "rand.rune",
        "--rand",
        "7",
        "-n",
        "5",
        "--record",
        "dice",
    ];
    let want = printed(&folder, &args);
    assert_eq!(
        printed(&folder, &["run", "rand.rune", "--replay", "dice"]),
        want
    );

    // Another rune.
    let (status, stderr) = failed(&folder, &["run", "rand.rune", "--replay", "seen"]);
    assert_eq!(
        (status, stderr.as_str()),
        (
            1,
            "error: the rune reads RAND `rand` (F32[4]), and seen/00.rrec holds RAW `raw` (U8[3])\n"
        )
    );
    let (status, stderr) = failed(&folder, &["run", "rand.rune", "--replay", "none"]);
    assert!(
        status == 2 && stderr.contains("there is no recording in it"),
        "{stderr}"
    );
    // Damage.
    let mut bad = file("seen");
    let at = bad.len() - 40;
    bad[at] ^= 1;
    fs::write(folder.join("copy/00.rrec"), bad).unwrap();
    let damaged = rune(&folder, &["run", "app.rune", "--replay", "copy"]);
    assert_eq!(damaged.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&damaged.stderr).into_owned();
    assert!(
        stderr.contains("error: copy/00.rrec, byte ") && stderr.contains("damaged"),
        "{stderr}"
    );
}

/// What every source must do, whatever it is.
fn conform(name: &str, mut source: Box<dyn Source>, ty: TensorType) {
    let mut out = vec![0xAA; ty.bytes() as usize];
    let mut samples = 0;
    let end = loop {
        let begin = Instant::now();
        let result = source.read(&mut out, begin + Duration::from_secs(5));
        assert!(
            begin.elapsed() < Duration::from_secs(8),
            "{name} minds no deadline"
        );
        match result {
            Ok(Read::Sample) => samples += 1,
            Ok(Read::End { .. }) => break true,
            Err(error) => panic!("{name}: {error}"),
        }
        if let Some(time) = source.stamp().time {
            let year_2020 = 1_577_836_800_000_000_000;
            assert!(time > year_2020, "{name}: {time}");
        }
        // Generators and sensors have no end.
        if samples == 3 {
            break false;
        }
    };
    assert!(samples > 0, "{name} gives nothing");
    // After the end there is the end, without a word.
    for _ in 0..if end { 2 } else { 0 } {
        let again = source.read(&mut out, Instant::now());
        assert_eq!(again, Ok(Read::End { note: None }), "{name}");
    }
    assert!(!(end && source.is_endless()), "{name}");
}

#[test]
fn every_source_keeps_the_contract_and_so_does_its_recording() {
    use CapabilityKind::{Accel, FloatImage, Gpio, Image, Rand, Raw, Sound, Temperature};
    let top = folder("conformance");
    tree(&top.join("sys"));
    let file = |name: &str, bytes: &[u8]| {
        fs::write(top.join(name), bytes).unwrap();
        top.join(name).display().to_string()
    };
    let csv = file("a.csv", b"1,2,3\n4,5,6\n7,8,9\n");
    let column = file("b.csv", b"0\n1\n0\n");
    let bytes = file("c.bin", &[1, 2, 3, 4, 5, 6]);
    write_wav(
        &top.join("d.wav"),
        16_000,
        2,
        16,
        (0..64).map(|n| f64::from(n) / 64.0),
    );
    image::GrayImage::new(5, 4).save(top.join("e.png")).unwrap();
    let (wav, png) = (top.join("d.wav"), top.join("e.png"));
    let (wav, png) = (wav.display(), png.display());
    let sys = top.join("sys");
    let sys = sys.display();
    let (mut near, far) = pty();
    std::thread::spawn(move || {
        while near.write_all(&[1; 4]).is_ok() {
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    let gray = param("pixel-format", Value::Text("GrayScale".to_owned()));
    let cases = [
        (Rand, ty(ElementType::F32, &[2]), "7".to_owned()),
        (Raw, ty(ElementType::U8, &[4]), bytes),
        (Raw, ty(ElementType::U8, &[4]), format!("serial:{far}")),
        (
            Raw,
            ty(ElementType::F32, &[2]),
            format!("iio:1,root={sys},rate=100,channels=anglvel_x+temp"),
        ),
        (Accel, ty(ElementType::F32, &[2, 3]), csv),
        (
            Accel,
            ty(ElementType::F32, &[2, 3]),
            format!("iio:lis3dh,root={sys}"),
        ),
        (Temperature, ty(ElementType::F32, &[2]), column.clone()),
        (
            Temperature,
            ty(ElementType::F32, &[2]),
            format!("iio:lis3dh,root={sys},rate=50"),
        ),
        (
            Temperature,
            ty(ElementType::F32, &[2]),
            format!("sysfs:class/thermal/thermal_zone0/temp,root={sys},rate=50"),
        ),
        (Gpio, ty(ElementType::U8, &[1]), column),
        (
            Gpio,
            ty(ElementType::U8, &[2]),
            format!("sysfs:class/gpio/gpio17/value,root={sys},rate=50"),
        ),
        (Sound, ty(ElementType::I16, &[8]), wav.to_string()),
        (Image, ty(ElementType::U8, &[2, 2, 1]), png.to_string()),
        (
            FloatImage,
            ty(ElementType::F32, &[2, 2, 1]),
            png.to_string(),
        ),
    ];
    let mut cases = cases.to_vec();
    // Where there is a camera; one in memory is tested beside it.
    if cfg!(feature = "v4l2") && Path::new("/dev/video0").exists() {
        cases.push((
            Image,
            ty(ElementType::U8, &[2, 2, 1]),
            "/dev/video0".to_owned(),
        ));
    }
    for (index, (kind, ty, value)) in cases.into_iter().enumerate() {
        let mut made = capability(kind, "it", ty);
        if [Image, FloatImage].contains(&kind) {
            made.params = vec![gray.clone()];
        }
        let rune = Rune::load(echo(made)).unwrap();
        let given = [SourceFlag {
            kind,
            value: value.clone(),
        }];
        let one = |grants: rune_runtime::Grants| grants.into_sources().pop().unwrap();
        let grants = rune.grant(&given, &Limits::default()).unwrap();
        conform(&value, one(grants), ty);
        // Two samples through a recorder are the same again.
        let folder = top.join(format!("recording-{index}"));
        let grants = rune.grant(&given, &Limits::default()).unwrap();
        let mut recorded = one(rune.record(grants, &folder).unwrap());
        let replay = |policy: Option<&Policy>| {
            let replay = Replay::new(&folder);
            let granted = rune.grant_replay(policy, replay, &[], &Limits::default());
            one(granted.unwrap())
        };
        let mut seen = vec![];
        for _ in 0..2 {
            let mut out = vec![0; ty.bytes() as usize];
            let deadline = Instant::now() + Duration::from_secs(5);
            let read = recorded.read(&mut out, deadline).unwrap();
            seen.push((read, out, recorded.stamp()));
        }
        let mut replayed = replay(None);
        for (read, out, stamp) in seen {
            let mut again = vec![0; ty.bytes() as usize];
            let got = replayed.read(&mut again, Instant::now()).unwrap();
            assert_eq!(got, read, "{value}");
            if read == Read::Sample {
                assert_eq!((again, replayed.stamp()), (out, stamp), "{value}");
            }
        }
        conform(&format!("a recording of {value}"), replay(None), ty);
    }
}

#[test]
fn late_is_a_failure_of_its_own_kind() {
    let (_near, far) = pty();
    let rune = Rune::load(raw(2)).unwrap();
    let given = flags(&[(CapabilityKind::Raw, &format!("serial:{far}"))]);
    let limits = Limits {
        call_time: Duration::from_millis(200),
        ..Limits::default()
    };
    let grants = rune.grant(&given, &limits).unwrap();
    let mut instance = rune.start(grants, Box::new(|_, _| {})).unwrap();
    let begin = Instant::now();
    let error = instance.call().unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(3));
    let rune_runtime::Cause::Source(error) = error.cause else {
        panic!("{error}");
    };
    assert_eq!(error.kind, SourceErrorKind::Late);
    assert_eq!(error.place, far);
}
