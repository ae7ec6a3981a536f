//! Step two: what a rune reads, what it writes, and how it is stopped.

use std::time::{Duration, Instant};

use rune_abi::{CapabilityKind, Dim, ElementType, TensorType, Value};
use rune_runtime::{Call, Cause, GrantError, Limits, Read, Rune, Source, SourceError, serial};

use crate::support::{
    INPUT, RECORD, Zeros, bare, call, capability, echo, flags, lines, manifest, output, param,
    quoted, record, start, text, ty, wasm,
};

fn fault(body: &str) -> String {
    call(body).unwrap_err().to_string()
}

/// One line of a rune that writes these bytes as a tensor of this type.
fn written(ty: TensorType, bytes: &[u8]) -> String {
    let data = format!(
        "{} (data (i32.const {INPUT}) \"{}\")",
        record(INPUT, &ty),
        quoted(bytes)
    );
    let body = format!("(call $write (i32.const 0) (i32.const {RECORD}))");
    let manifest = manifest(vec![], vec![output("serial", &[ty])]);
    lines_of(&text(&manifest, &body, &data))
}

fn lines_of(text: &str) -> String {
    let rune = Rune::load(wasm(text)).unwrap();
    let (mut instance, _) = start(wasm(text), vec![], Limits::default());
    match instance.call().unwrap() {
        Call::Output(records) => serial::line(rune.manifest(), records),
        other @ (Call::NoOutput | Call::End) => panic!("{other:?}"),
    }
}

#[test]
fn the_result_of_a_call_is_its_code() {
    assert_eq!(call("i32.const 0").unwrap(), Call::NoOutput);
    assert_eq!(call("i32.const 1").unwrap(), Call::NoOutput);
    assert_eq!(call("i32.const 2").unwrap(), Call::End);
    assert_eq!(fault("i32.const -4"), "an index is out of range");
    assert_eq!(fault("i32.const 77"), "the rune failed with code 77");
}

#[test]
fn a_fault_says_its_reason_and_its_stage() {
    let call = "(call $mark (i32.const 0) (i32.const 0)) (call $mark (i32.const 0) (i32.const 1))
        (call $mark (i32.const 1) (i32.const 0))
        (call $fault (i32.const -3) (i32.const 2048) (i32.const 9))
        i32.const -3";
    let more = "(data (i32.const 2048) \"label\\n 99\")";
    let bytes = wasm(&text(&manifest(vec![], vec![]), call, more));
    let (mut instance, _) = start(bytes, vec![], Limits::default());
    assert_eq!(
        instance.call().unwrap_err().to_string(),
        "in stage `second`: a block was given a value it cannot process: label  99"
    );
    assert_eq!(instance.call().unwrap_err().cause, Cause::Stopped);
    assert_eq!(instance.reset().unwrap_err().cause, Cause::Stopped);
}

#[test]
fn a_trap_stops_the_rune_and_says_which() {
    let stage = "(call $mark (i32.const 0) (i32.const 0))";
    for (code, says) in [
        ("unreachable", "`unreachable`"),
        ("(i32.load (i32.const -4))", "out of bounds memory access"),
        (
            "(i32.div_s (i32.const 1) (i32.const 0))",
            "integer divide by zero",
        ),
        ("(call $r)", "call stack exhausted"),
    ] {
        let recursive = "(func $r (result i32) (i32.add (call $r) (call $r)))";
        let body = format!("{stage} {code}");
        let bytes = wasm(&text(&manifest(vec![], vec![]), &body, recursive));
        let (mut instance, _) = start(bytes, vec![], Limits::default());
        let error = instance.call().unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(error.stage.as_deref(), Some("first"));
        assert_eq!(instance.call().unwrap_err().cause, Cause::Stopped);
    }
}

#[test]
fn an_endless_loop_is_stopped_in_time() {
    let limits = Limits {
        call_time: Duration::from_millis(50),
        ..Limits::default()
    };
    let (mut instance, _) = start(bare("(loop $l (br $l)) i32.const 0"), vec![], limits);
    let begin = Instant::now();
    assert_eq!(
        instance.call().unwrap_err().to_string(),
        "the rune was stopped: one call took longer than 50ms"
    );
    let took = begin.elapsed();
    assert!(
        took >= Duration::from_millis(50) && took < Duration::from_secs(5),
        "{took:?}"
    );
}

#[test]
fn every_call_has_the_whole_time() {
    let limits = Limits {
        call_time: Duration::from_millis(100),
        ..Limits::default()
    };
    let (mut instance, _) = start(bare("i32.const 1"), vec![], limits);
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(instance.call().unwrap(), Call::NoOutput);
    }
}

#[test]
fn memory_cannot_grow() {
    assert_eq!(
        call("(i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (if (result i32) (then i32.const 1) (else unreachable))")
            .unwrap(),
        Call::NoOutput
    );
}

#[test]
fn reset_puts_state_back() {
    let more = "(global $n (mut i32) (i32.const 0))
        (func (export \"_reset\") (global.set $n (i32.const 0)))";
    let call = "(global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)";
    let bytes = wasm(&text(&manifest(vec![], vec![]), call, more));
    let (mut instance, _) = start(bytes, vec![], Limits::default());
    assert_eq!(instance.call().unwrap(), Call::NoOutput);
    assert_eq!(instance.call().unwrap(), Call::End);
    instance.reset().unwrap();
    assert_eq!(instance.call().unwrap(), Call::NoOutput);
}

#[test]
fn what_a_rune_logs_is_named_bounded_and_fit_for_a_terminal() {
    let more = "(data (i32.const 2048) \"a\\1b[2Jb\\ff\")";
    let call = "(local $i i32) (loop $l
        (call $log (i32.const 2) (i32.const 2048) (i32.const 7))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5000))))
        i32.const 1";
    let bytes = wasm(&text(&manifest(vec![], vec![]), call, more));
    let (mut instance, log) = start(bytes, vec![], Limits::default());
    instance.call().unwrap();
    let log = log.lock().unwrap();
    assert_eq!(log[0], "2 test: a [2Jb\u{fffd}");
    assert_eq!(log.len(), 1001);
    assert!(log[1000].contains("logs too much"));
}

#[test]
fn numbers_are_written_so_that_they_read_back() {
    let floats = [
        0.1f32,
        1.0,
        -0.0,
        1e30,
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MIN_POSITIVE,
        3.862_493_4e-5,
        -9.5e-6,
        1e15,
        16_777_216.0,
    ];
    let bytes: Vec<u8> = floats.iter().flat_map(|x| x.to_le_bytes()).collect();
    assert_eq!(
        written(ty(ElementType::F32, &[3, 4]), &bytes),
        r#"{"serial": [{"element_type": "f32", "dimensions": [3, 4], "elements": [0.1, 1.0, -0.0, 1e30, "NaN", "inf", "-inf", 1.1754944e-38, 0.000038624934, -9.5e-6, 1000000000000000.0, 16777216.0]}]}"#
    );
    let f64s: Vec<u8> = [0.1f64, f64::NAN]
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    assert_eq!(
        written(ty(ElementType::F64, &[2]), &f64s),
        r#"{"serial": [{"element_type": "f64", "dimensions": [2], "elements": [0.1, "NaN"]}]}"#
    );
    let ones = [0xffu8; 8];
    for (element, says) in [
        (ElementType::U8, "255"),
        (ElementType::I8, "-1"),
        (ElementType::U16, "65535"),
        (ElementType::I16, "-1"),
        (ElementType::U32, "4294967295"),
        (ElementType::I32, "-1"),
        (ElementType::U64, "18446744073709551615"),
        (ElementType::I64, "-1"),
    ] {
        let ty = ty(element, &[]);
        assert_eq!(
            written(ty, &ones[..element.size() as usize]),
            format!(
                r#"{{"serial": [{{"element_type": "{}", "dimensions": [], "elements": [{says}]}}]}}"#,
                element.name()
            )
        );
    }
}

#[test]
fn strings_are_written_as_json() {
    let pairs: Vec<u8> = [2048u32, 4, 2052, 5]
        .iter()
        .flat_map(|w| w.to_le_bytes())
        .collect();
    let ty = ty(ElementType::Utf8, &[2]);
    let data = format!(
        "{} (data (i32.const {INPUT}) \"{}\") (data (i32.const 2048) \"Ring\\\"\\0a\\c3\\a9!\")",
        record(INPUT, &ty),
        quoted(&pairs)
    );
    let body = format!("(call $write (i32.const 0) (i32.const {RECORD}))");
    let manifest = manifest(vec![], vec![output("serial", &[ty])]);
    assert_eq!(
        lines_of(&text(&manifest, &body, &data)),
        r#"{"serial": [{"element_type": "utf8", "dimensions": [2], "elements": ["Ring", "\"\né!"]}]}"#
    );
}

#[test]
fn several_outputs_are_one_line_in_the_order_of_the_manifest() {
    let byte = ty(ElementType::U8, &[1]);
    let outputs = vec![
        output("first", &[byte]),
        output("silent", &[byte]),
        output("pair", &[byte, byte]),
    ];
    let words: Vec<u8> = [INPUT, 1, 1, 1, INPUT + 1, 1, 1, 1]
        .iter()
        .flat_map(|w| w.to_le_bytes())
        .collect();
    let data = format!(
        "(data (i32.const {RECORD}) \"{}\") (data (i32.const {INPUT}) \"\\05\\06\")",
        quoted(&words)
    );
    let body = format!(
        "(drop (call $write (i32.const 2) (i32.const {RECORD})))
         (call $write (i32.const 0) (i32.const {RECORD}))"
    );
    assert_eq!(
        lines_of(&text(&manifest(vec![], outputs), &body, &data)),
        r#"{"first": [{"element_type": "u8", "dimensions": [1], "elements": [5]}], "pair": [{"element_type": "u8", "dimensions": [1], "elements": [5]}, {"element_type": "u8", "dimensions": [1], "elements": [6]}]}"#
    );
}

#[test]
fn a_bounded_dimension_may_be_shorter() {
    let boxes = TensorType::new(ElementType::U8, &[Dim::AtMost(4), Dim::Exact(2)]).unwrap();
    let outputs = vec![output("boxes", &[boxes])];
    let with = |words: &[u32]| {
        let words: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        let data = format!("(data (i32.const {RECORD}) \"{}\")", quoted(&words));
        let body = format!("(call $write (i32.const 0) (i32.const {RECORD}))");
        let manifest = manifest(vec![], outputs.clone());
        let (mut instance, _) = start(
            wasm(&text(&manifest, &body, &data)),
            vec![],
            Limits::default(),
        );
        match instance.call() {
            Ok(Call::Output(records)) => Ok(records[0].tensors[0].dims.clone()),
            Ok(other @ (Call::NoOutput | Call::End)) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    };
    let dims = |words| with(words).unwrap();
    assert_eq!(dims(&[INPUT, 6, 2, 3, 2]), [3, 2]);
    assert_eq!(dims(&[INPUT, 0, 2, 0, 2]), [0, 2]);
    for words in [
        [INPUT, 10, 2, 5, 2],
        [INPUT, 4, 2, 4, 1],
        [INPUT, 7, 2, 3, 2],
        [INPUT, 6, 1, 3, 2],
        [65535, 6, 2, 3, 2],
    ] {
        let error = with(&words).unwrap_err();
        assert!(
            error.contains("breaking the contract: `boxes`: "),
            "{error}"
        );
    }
}

#[test]
fn a_rune_that_breaks_the_contract_is_stopped() {
    let four = ty(ElementType::U8, &[4]);
    let with = |body: &str| {
        let manifest = manifest(
            vec![capability(CapabilityKind::Raw, "raw", four)],
            vec![output("serial", &[four])],
        );
        let bytes = wasm(&text(&manifest, body, &record(INPUT, &four)));
        let (mut instance, _) = start(bytes, vec![Box::new(Zeros(9))], Limits::default());
        instance.call().unwrap_err().to_string()
    };
    let write = format!("(call $write (i32.const 0) (i32.const {RECORD}))");
    for (body, says) in [
        (
            "(call $read (i32.const 1) (i32.const 0) (i32.const 4))",
            "it read capability 1",
        ),
        (
            "(call $read (i32.const 0) (i32.const 0) (i32.const 3))",
            "it read 3 bytes of `raw`, which gives 4",
        ),
        (
            "(call $read (i32.const 0) (i32.const 65533) (i32.const 4))",
            "outside its memory",
        ),
        (
            "(call $read (i32.const 0) (i32.const -1) (i32.const 4))",
            "outside its memory",
        ),
        (
            "(call $write (i32.const 5) (i32.const 0))",
            "it wrote to output 5",
        ),
        (
            "(call $write (i32.const 0) (i32.const 65530))",
            "its record lies outside memory",
        ),
        (
            "(call $write (i32.const 0) (i32.const -1))",
            "its record lies outside memory",
        ),
        (
            &format!("(drop {write}) {write}"),
            "it wrote to `serial` twice",
        ),
        (
            "(call $log (i32.const 1) (i32.const 65530) (i32.const 7)) i32.const 0",
            "logged a text outside",
        ),
        (
            "(call $fault (i32.const -1) (i32.const -1) (i32.const 1)) i32.const 0",
            "gave a reason outside",
        ),
    ] {
        let error = with(body);
        assert!(error.contains(says), "{body}: {error}");
    }
}

#[test]
fn strings_cannot_fill_the_memory_of_the_host() {
    let ty = ty(ElementType::Utf8, &[4]);
    let whole: Vec<u8> = [0u32, 30_000]
        .iter()
        .flat_map(|w| w.to_le_bytes())
        .collect();
    let data = format!(
        "{} (data (i32.const {INPUT}) \"{}\")",
        record(INPUT, &ty),
        quoted(&whole.repeat(4))
    );
    let body = format!("(call $write (i32.const 0) (i32.const {RECORD}))");
    let manifest = manifest(vec![], vec![output("serial", &[ty])]);
    let (mut instance, _) = start(
        wasm(&text(&manifest, &body, &data)),
        vec![],
        Limits::default(),
    );
    let error = instance.call().unwrap_err().to_string();
    assert!(error.contains("longer than its memory"), "{error}");
}

#[test]
fn an_error_of_a_source_is_the_error_of_the_call() {
    struct Broken;
    impl Source for Broken {
        fn read(&mut self, _: &mut [u8], _: Instant) -> Result<Read, SourceError> {
            Err(SourceError::new("sensor", "gone"))
        }
    }
    let raw = capability(CapabilityKind::Raw, "raw", ty(ElementType::U8, &[1]));
    let (mut instance, _) = start(echo(raw), vec![Box::new(Broken)], Limits::default());
    assert_eq!(instance.call().unwrap_err().to_string(), "sensor: gone");
}

fn temp(name: &str, bytes: &[u8]) -> String {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name.replace('.', "-"));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

fn elements(lines: &[String]) -> Vec<String> {
    lines
        .iter()
        .map(|line| {
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            json["serial"][0]["elements"].to_string()
        })
        .collect()
}

#[test]
fn raw_files_come_in_windows_and_the_rest_is_noted() {
    let file = temp("raw.bin", &[1, 2, 3, 4, 5, 6, 7]);
    let mut raw = capability(CapabilityKind::Raw, "raw", ty(ElementType::U8, &[3]));
    let given = [(CapabilityKind::Raw, file.as_str())];
    let (whole, log) = lines(echo(raw.clone()), &given);
    assert_eq!(elements(&whole), ["[1,2,3]", "[4,5,6]"]);
    assert_eq!(
        log,
        [format!(
            "{file}: the last 1 of 7 bytes do not fill a window and were left out"
        )]
    );
    raw.params = vec![param("hop", Value::Integer(2))];
    let (overlapping, log) = lines(echo(raw.clone()), &given);
    assert_eq!(elements(&overlapping), ["[1,2,3]", "[3,4,5]", "[5,6,7]"]);
    assert!(log.is_empty(), "{log:?}");
    raw.params = vec![param("hop", Value::Integer(4))];
    let (skipping, log) = lines(echo(raw.clone()), &given);
    assert_eq!(elements(&skipping), ["[1,2,3]", "[5,6,7]"]);
    assert!(log.is_empty(), "{log:?}");
    raw.params = vec![param("hop", Value::Integer(5))];
    let (skipping, log) = lines(echo(raw), &given);
    assert_eq!(elements(&skipping), ["[1,2,3]"]);
    assert!(log[0].contains("the last 2 of 7 bytes"), "{log:?}");
}

#[test]
fn several_files_follow_each_other() {
    let (a, b) = (temp("a.bin", &[1, 2]), temp("b.bin", &[3, 4]));
    let raw = capability(CapabilityKind::Raw, "raw", ty(ElementType::U8, &[2]));
    let given = [
        (CapabilityKind::Raw, a.as_str()),
        (CapabilityKind::Raw, b.as_str()),
    ];
    assert_eq!(elements(&lines(echo(raw), &given).0), ["[1,2]", "[3,4]"]);
}

#[test]
fn rand_gives_one_call_of_its_seed() {
    let rand = capability(CapabilityKind::Rand, "rand", ty(ElementType::F32, &[2]));
    let seeded = |seed| lines(echo(rand.clone()), &[(CapabilityKind::Rand, seed)]).0;
    assert_eq!(elements(&seeded("1")), ["[0.5665616,0.7457818]"]);
    assert_eq!(seeded("0"), lines(echo(rand.clone()), &[]).0);
    assert_ne!(seeded("0"), seeded("1"));
}

#[test]
fn accel_reads_csv() {
    let file = temp("walk.csv", b"x,y,z\n1,2,3\n4,5,6\n7,8,9\n");
    let accel = capability(
        CapabilityKind::Accel,
        "accelerometer",
        ty(ElementType::F32, &[2, 3]),
    );
    let (got, log) = lines(echo(accel), &[(CapabilityKind::Accel, &file)]);
    assert_eq!(elements(&got), ["[1.0,2.0,3.0,4.0,5.0,6.0]"]);
    assert!(log[0].contains("the last 1 of 3 triplets"), "{log:?}");
}

/// A WAV file of 8,000 samples a second.
fn wav(samples: &[i16]) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut bytes = std::io::Cursor::new(vec![]);
    let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
    for sample in samples {
        writer.write_sample(*sample).unwrap();
    }
    writer.finalize().unwrap();
    bytes.into_inner()
}

#[test]
fn sound_reads_wav() {
    let file = temp("clip.wav", &wav(&[1, -2, 3, -4, 5]));
    let mut sound = capability(CapabilityKind::Sound, "mic", ty(ElementType::I16, &[4]));
    sound.params = vec![
        param("hz", Value::Integer(8000)),
        param("hop", Value::Integer(1)),
    ];
    let (got, _) = lines(echo(sound), &[(CapabilityKind::Sound, &file)]);
    assert_eq!(elements(&got), ["[1,-2,3,-4]", "[-2,3,-4,5]"]);
}

#[test]
fn images_are_resized_one_per_call() {
    let png = |colour: [u8; 3]| {
        let image = image::RgbImage::from_pixel(5, 7, image::Rgb(colour));
        let mut bytes = std::io::Cursor::new(vec![]);
        image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    };
    let (a, b) = (
        temp("a.png", &png([10, 20, 30])),
        temp("b.png", &png([255, 255, 255])),
    );
    let given = [
        (CapabilityKind::Image, a.as_str()),
        (CapabilityKind::Image, b.as_str()),
    ];
    let with = |dims: &[u32], params: &[(&str, Value)]| {
        let mut camera = capability(CapabilityKind::Image, "camera", ty(ElementType::U8, dims));
        camera.params = params.iter().map(|(n, v)| param(n, v.clone())).collect();
        elements(&lines(echo(camera), &given).0)
    };
    let format = |f: &str| ("pixel-format", Value::Text(f.to_owned()));
    let size = [("width", Value::Integer(2)), ("height", Value::Integer(1))];
    assert_eq!(
        with(&[1, 2, 3], &[size[0].clone(), size[1].clone()]),
        ["[10,20,30,10,20,30]", "[255,255,255,255,255,255]"]
    );
    assert_eq!(with(&[1, 1, 1, 3], &[format("BGR")])[0], "[30,20,10]");
    assert_eq!(with(&[1, 2], &[format("GrayScale")])[1], "[255,255]");
    let gray = image::GrayImage::from_raw(2, 2, vec![0, 50, 100, 255]).unwrap();
    let mut bytes = std::io::Cursor::new(vec![]);
    gray.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    let same_size = temp("gray.png", &bytes.into_inner());
    let mut camera = capability(
        CapabilityKind::Image,
        "camera",
        ty(ElementType::U8, &[2, 2, 1]),
    );
    camera.params = vec![param("pixel-format", Value::Text("GrayScale".to_owned()))];
    let (got, _) = lines(echo(camera), &[(CapabilityKind::Image, &same_size)]);
    assert_eq!(elements(&got), ["[0,50,100,255]"]);
}

#[test]
fn a_source_that_cannot_serve_says_why() {
    let error = |capability, flag: (CapabilityKind, &str)| {
        let rune = Rune::load(echo(capability)).unwrap();
        match rune.grant(&flags(&[flag]), &Limits::default()) {
            Err(GrantError::Source(error)) => error.to_string(),
            Err(GrantError::Refused(reasons)) => reasons.join("; "),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("granted"),
        }
    };
    let short = temp("short.csv", b"1,2,3\n");
    let accel = capability(
        CapabilityKind::Accel,
        "accel",
        ty(ElementType::F32, &[128, 3]),
    );
    assert_eq!(
        error(accel.clone(), (CapabilityKind::Accel, &short)),
        format!("{short}: it holds 1 triplets and one call of `accel` reads 128")
    );
    assert!(error(accel, (CapabilityKind::Accel, "no/such.csv")).starts_with("no/such.csv: "));
    let odd = capability(CapabilityKind::Accel, "accel", ty(ElementType::F32, &[4]));
    assert_eq!(
        error(odd, (CapabilityKind::Accel, &short)),
        format!(
            "{short} cannot feed ACCEL `accel` (F32[4]): 4 elements are not whole frames of 3 readings"
        )
    );
    let camera = capability(CapabilityKind::Image, "cam", ty(ElementType::U8, &[2]));
    assert!(error(camera, (CapabilityKind::Image, &short)).contains("2 elements are not an image"));
    let whole = capability(CapabilityKind::Sound, "mic", ty(ElementType::F32, &[2]));
    let wav = temp("whole.wav", &wav(&[1, 2]));
    assert!(
        error(whole, (CapabilityKind::Sound, &wav)).contains("SOUND has no elements of type F32")
    );
}

#[test]
fn a_damaged_image_is_the_error_of_its_call() {
    let file = temp("bad.png", b"\x89PNG\r\n\x1a\nnothing");
    let camera = capability(
        CapabilityKind::Image,
        "cam",
        ty(ElementType::U8, &[1, 1, 3]),
    );
    let rune = Rune::load(echo(camera)).unwrap();
    let given = flags(&[(CapabilityKind::Image, &file)]);
    let grants = rune.grant(&given, &Limits::default()).unwrap();
    let mut instance = rune.start(grants, Box::new(|_, _| {})).unwrap();
    let error = instance.call().unwrap_err();
    assert!(matches!(error.cause, Cause::Source(_)));
    assert!(
        error.to_string().contains("unable to read it as an image"),
        "{error}"
    );
}

#[test]
fn a_refusal_lists_everything_and_opens_nothing() {
    let mut wants = manifest(
        vec![
            capability(
                CapabilityKind::Accel,
                "accelerometer",
                ty(ElementType::F32, &[128, 3]),
            ),
            capability(CapabilityKind::Sound, "left", ty(ElementType::I16, &[16])),
            capability(CapabilityKind::Sound, "right", ty(ElementType::I16, &[16])),
            capability(
                CapabilityKind::Image,
                "camera",
                ty(ElementType::U8, &[8, 8, 3]),
            ),
            capability(CapabilityKind::Raw, "raw", ty(ElementType::I32, &[4])),
            capability(CapabilityKind::Rand, "rand", ty(ElementType::F32, &[1])),
        ],
        vec![],
    );
    wants.memory_bytes = 3 << 20;
    wants.bases[0].name = "runicos/moon".to_owned();
    let rune = Rune::load(wasm(&text(&wants, "i32.const 0", ""))).unwrap();
    let limits = Limits {
        memory_bytes: 1 << 20,
        ..Limits::default()
    };
    let given = flags(&[(CapabilityKind::Sound, "left=no/such.wav")]);
    let Err(GrantError::Refused(missing)) = rune.grant(&given, &limits) else {
        panic!("not refused");
    };
    assert_eq!(
        missing,
        [
            "the rune is built on `runicos/moon` 0.0.0, which this runtime does not offer",
            "the rune needs 3145728 bytes of memory and the limit is 1048576",
            "the rune reads ACCEL `accelerometer` (F32[128, 3]): give --accel FILE.csv",
            "the rune reads SOUND `right` (I16[16]): give --sound right=FILE.wav",
            "the rune reads IMAGE `camera` (U8[8, 8, 3]): give --image FILE.png",
            "the rune reads RAW `raw` (I32[4]): give --raw FILE",
        ]
    );
}

#[test]
fn flags_find_their_capability() {
    let two = manifest(
        vec![
            capability(CapabilityKind::Raw, "left", ty(ElementType::U8, &[1])),
            capability(CapabilityKind::Raw, "right", ty(ElementType::U8, &[1])),
            capability(CapabilityKind::Rand, "rand", ty(ElementType::U8, &[1])),
        ],
        vec![],
    );
    let rune = Rune::load(wasm(&text(&two, "i32.const 0", ""))).unwrap();
    let (a, b) = (temp("left.bin", b"a"), temp("right=1.bin", b"b"));
    let grant = |given: &[(CapabilityKind, &str)]| {
        rune.grant(&flags(given), &Limits::default())
            .map_err(|e| e.to_string())
            .map(|_| ())
    };
    let raw = CapabilityKind::Raw;
    assert_eq!(grant(&[(raw, &a), (raw, &b)]), Ok(()));
    assert_eq!(grant(&[(raw, &format!("right={b}")), (raw, &a)]), Ok(()));
    assert_eq!(
        grant(&[(raw, &a), (raw, &a), (raw, &a)]).unwrap_err(),
        "`--raw` is given 3 times and the rune has 2 capabilities RAW to feed: write NAME=VALUE"
    );
    assert_eq!(
        grant(&[(CapabilityKind::Accel, "x.csv")]).unwrap_err(),
        "`--accel x.csv` feeds nothing: the rune reads RAW `left` (U8[1]) and RAW `right` (U8[1]) and RAND `rand` (U8[1])"
    );
    assert_eq!(
        grant(&[(raw, "rand=x")]).unwrap_err(),
        "`--raw rand=x` is for rand, which is RAND"
    );
}

#[test]
fn a_capability_may_ask_for_a_source_by_number() {
    let with_source = |name: &str, number: i64| {
        let mut capability = capability(CapabilityKind::Raw, name, ty(ElementType::U8, &[1]));
        capability.params = vec![param("source", Value::Integer(number))];
        capability
    };
    let three = manifest(
        vec![
            with_source("second", 1),
            capability(CapabilityKind::Raw, "first", ty(ElementType::U8, &[1])),
            with_source("again", 1),
        ],
        vec![],
    );
    let rune = Rune::load(wasm(&text(&three, "i32.const 0", ""))).unwrap();
    let (a, b) = (temp("source-a.bin", b"a"), temp("source-b.bin", b"b"));
    let raw = CapabilityKind::Raw;
    let grant = |given: &[(CapabilityKind, &str)]| {
        rune.grant(&flags(given), &Limits::default())
            .map_err(|e| e.to_string())
            .map(|_| ())
    };
    assert_eq!(grant(&[(raw, &a), (raw, &b)]), Ok(()));
    assert_eq!(
        grant(&[(raw, &a)]).unwrap_err(),
        "RAW `second` (U8[1]) asks for source 1, counted from 0, and only 1 is given"
    );
}

#[test]
fn each_of_two_capabilities_reads_its_own_file() {
    let byte = ty(ElementType::U8, &[1]);
    let both = manifest(
        vec![
            capability(CapabilityKind::Raw, "left", byte),
            capability(CapabilityKind::Raw, "right", byte),
        ],
        vec![output("serial", &[ty(ElementType::U8, &[2])])],
    );
    let body = format!(
        "(drop (call $read (i32.const 0) (i32.const {INPUT}) (i32.const 1)))
         (if (i32.eqz (call $read (i32.const 1) (i32.const {}) (i32.const 1)))
           (then (return (i32.const 2))))
         (call $write (i32.const 0) (i32.const {RECORD}))",
        INPUT + 1
    );
    let bytes = wasm(&text(
        &both,
        &body,
        &record(INPUT, &ty(ElementType::U8, &[2])),
    ));
    let (one, two) = (temp("one.bin", &[1]), temp("two.bin", &[2]));
    let raw = CapabilityKind::Raw;
    let in_order = lines(bytes.clone(), &[(raw, &one), (raw, &two)]).0;
    assert_eq!(elements(&in_order), ["[1,2]"]);
    let named = format!("left={two}");
    assert_eq!(
        elements(&lines(bytes, &[(raw, &one), (raw, &named)]).0),
        ["[2,1]"]
    );
}
