//! `runec inspect`, `runec diff` and `--for` as a person or a script meets them.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use rune_codegen::{
    Level, Options, Simd,
    report::{Live, RegionKind},
};
use runec::{inspect::Rune, world::Input};
use serde_json::Value;

const WAND: &str = "\
FROM runicos/base
LABEL version=1.2.0 security-counter=3
CAPABILITY<F32[64, 3]> ACCEL wand --hz 100
PROC_BLOCK runicos/normalize calm
PROC_BLOCK runicos/reshape flat --shape 192
PROC_BLOCK runicos/most-confident-indices best --count 2
PROC_BLOCK runicos/label label --labels Wing,Ring,Slope
OUT SERIAL
RUN wand calm flat best label serial
";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// An empty folder that is of one test alone.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("inspect")
        .join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn runec(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runec"));
    command.args(args).current_dir(folder).output().unwrap()
}

/// Exit status, standard output, standard error.
fn said(output: &Output) -> (i32, &str, &str) {
    (
        output.status.code().unwrap(),
        std::str::from_utf8(&output.stdout).unwrap(),
        std::str::from_utf8(&output.stderr).unwrap(),
    )
}

fn build(path: &Path, options: &Options) -> rune_codegen::Output {
    let input = Input::open(path).unwrap();
    let compiled = runec::compile(
        &input.path,
        &input.name,
        &input.bytes,
        &input.world,
        options,
    );
    compiled
        .output
        .unwrap_or_else(|| panic!("{:#?}", compiled.diagnostics))
}

/// The Runefiles of the examples, and of pipelines that share blocks and keep state.
fn runes() -> Vec<(String, rune_codegen::Output)> {
    let mut runes = Vec::new();
    for example in ["sine", "gesture", "digits", "keyword", "paper"] {
        for (level, simd) in [(Level::O0, Simd::Off), (Level::O1, Simd::On)] {
            let options = Options {
                level,
                simd,
                ..Options::default()
            };
            let path = root().join("examples").join(example);
            runes.push((
                format!("{example} {level:?} {simd:?}"),
                build(&path, &options),
            ));
        }
    }
    let text = "\
FROM runicos/base
CAPABILITY<F32[8]> RAW x
CAPABILITY<F32[8]> RAW y
PROC_BLOCK runicos/modulo a --modulus 2
PROC_BLOCK runicos/modulo b --modulus 3
PROC_BLOCK runicos/debounce calm
OUT SERIAL
OUT SERIAL second
RUN x a calm serial
RUN y b second
";
    let folder = folder("runes");
    fs::write(
        folder.join("Runefile"),
        text.replace("PROC_BLOCK runicos/debounce calm\n", "")
            .replace("a calm serial", "a serial"),
    )
    .unwrap();
    runes.push(("shared".to_owned(), build(&folder, &Options::default())));
    runes
}

/// How many bytes of the arena lie in some of these buffers.
fn covered(buffers: &[Live]) -> u32 {
    let mut spans: Vec<(u32, u32)> = buffers
        .iter()
        .map(|b| (b.offset, b.offset + b.bytes))
        .collect();
    spans.sort_unstable();
    let (mut bytes, mut end) = (0, 0);
    for (from, to) in spans {
        bytes += to.saturating_sub(end.max(from));
        end = end.max(to);
    }
    bytes
}

#[test]
fn costs_add_up_to_the_module() {
    for (name, output) in runes() {
        let report = &output.report;
        let rune = Rune::read(&output.wasm).unwrap();
        assert_eq!(report.code(), rune.code_bytes, "{name}: code");
        let regions: u32 = report.memory.iter().map(|r| r.bytes).sum();
        assert_eq!(regions, output.manifest.memory_bytes, "{name}: memory");
        assert_eq!(
            report.region(RegionKind::Stack),
            output.manifest.stack_bytes,
            "{name}"
        );
        let costs = || {
            let stages = report.stages.iter().map(|s| s.cost);
            stages.chain(report.shared.iter().map(|s| s.cost))
        };
        // Between pieces there is only what alignment leaves.
        let pieces = 16 * 64;
        for (kind, sum) in [
            (RegionKind::State, costs().map(|c| c.state).sum::<u32>()),
            (RegionKind::Constants, costs().map(|c| c.constants).sum()),
            (RegionKind::Tables, costs().map(|c| c.tables).sum()),
        ] {
            let region = report.region(kind);
            assert!(
                sum <= region && region - sum < pieces,
                "{name}: {kind:?} {sum} of {region}"
            );
        }
        let arena: u32 = costs().map(|c| c.arena).sum();
        assert_eq!(arena, covered(&report.peak.buffers), "{name}: tensors");
        assert!(arena <= report.region(RegionKind::Arena), "{name}: arena");
        let parts: u64 = rune.parts.iter().map(|p| p.bytes).sum();
        assert_eq!(parts, output.wasm.len() as u64, "{name}: file");
        // The rune says the same of itself.
        let graph = rune.graph.unwrap();
        assert_eq!(graph.report.stages, report.stages, "{name}");
        assert_eq!(graph.report.shared, report.shared, "{name}");
        assert_eq!(graph.report.memory, report.memory, "{name}");
    }
    let shared = runes().pop().unwrap().1.report.shared;
    assert_eq!(shared[0].name, "modulo");
    assert!(shared[0].cost.code > 0);
}

#[test]
fn a_damaged_rune_is_an_error_and_never_a_panic() {
    let good = build(&root().join("examples/gesture"), &Options::default()).wasm;
    let folder = folder("damaged");
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |n: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % n as u64).unwrap()
    };
    // The text about the stages is the last thing in the file.
    let graph = good.len() - 900;
    let mut refused = 0;
    let mut unknown = 0;
    for round in 0..4000 {
        let mut bytes = good.clone();
        match round % 4 {
            0 => bytes.truncate(random(good.len())),
            1 => bytes[random(good.len())] ^= 1 << random(8),
            2 => {
                let at = graph + random(900);
                bytes[at] = b"0123456789 ,=\n-x"[random(16)];
            }
            _ => {
                let at = random(good.len());
                let other = random(good.len());
                bytes[at] = good[other];
            }
        }
        match Rune::read(&bytes) {
            Err(reason) => {
                refused += 1;
                assert!(!reason.is_empty() && !reason.contains('\n'), "{reason}");
            }
            Ok(rune) => unknown += usize::from(rune.graph.is_err()),
        }
        if round % 400 < 4 {
            let file = folder.join("x.rune");
            fs::write(&file, &bytes).unwrap();
            for args in [
                &["inspect", "x.rune"][..],
                &["inspect", "--json", "x.rune"],
                &["diff", "x.rune", "x.rune"],
            ] {
                let output = runec(&folder, args);
                let (code, _, err) = said(&output);
                assert!(
                    (0..=2).contains(&code) && !err.contains("panicked"),
                    "{err}"
                );
            }
        }
    }
    assert!(
        refused > 1000 && unknown > 100,
        "{refused} refused, {unknown} without stages"
    );
}

#[test]
fn what_is_no_rune_is_told_apart() {
    let folder = folder("foreign");
    let sine = root().join("examples/sine/sine.tflite");
    fs::copy(sine, folder.join("model")).unwrap();
    fs::copy(
        root().join("stdlib/catalogue/blocks/label.wasm"),
        folder.join("block"),
    )
    .unwrap();
    fs::write(folder.join("module"), b"\0asm\x01\0\0\0").unwrap();
    fs::write(folder.join("short"), b"\0asm\x01").unwrap();
    fs::write(folder.join("png"), b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR").unwrap();
    fs::write(folder.join("empty"), b"").unwrap();
    for (file, reason) in [
        (
            "model",
            "it is a model, not a rune; `runec model FILE` shows it",
        ),
        (
            "block",
            "it is a block, not a rune; `runec blocks FILE` shows it",
        ),
        (
            "module",
            "it is a WebAssembly module, but no rune: it has no section `rune.manifest`",
        ),
        ("short", "the module is damaged"),
        (
            "png",
            "it is no rune: it does not begin as a WebAssembly module does",
        ),
        ("empty", "it is empty"),
    ] {
        let output = runec(&folder, &["inspect", file]);
        let (code, out, err) = said(&output);
        assert_eq!((code, out), (1, ""), "{file}: {err}");
        let start = format!("error: cannot show {file}: {reason}");
        assert!(
            err.starts_with(&start) && err.lines().count() == 1,
            "{file}: {err}"
        );
        assert_eq!(said(&runec(&folder, &["diff", file, file])).0, 2, "{file}");
    }
    for args in [
        &["inspect", "missing"][..],
        &["diff", "missing", "missing"],
        &["diff", "model"],
    ] {
        assert_eq!(said(&runec(&folder, args)).0, 2, "{args:?}");
    }
}

#[test]
fn a_runefile_with_errors_shows_them() {
    let folder = folder("errors");
    fs::write(
        folder.join("Runefile"),
        WAND.replace("normalize", "normalise"),
    )
    .unwrap();
    let output = runec(&folder, &["inspect"]);
    let (code, out, err) = said(&output);
    assert_eq!((code, out), (1, ""));
    assert!(err.contains("error[R0105]"), "{err}");
    assert_eq!(said(&runec(&folder, &["diff", ".", "."])).0, 2);
}

#[test]
fn the_json_says_what_the_text_says() {
    let folder = folder("json");
    fs::write(folder.join("Runefile"), WAND).unwrap();
    let output = runec(&folder, &["build", "-o", "wand.rune", "--with-source"]);
    assert_eq!(said(&output).0, 0, "{}", said(&output).2);
    let output = runec(&folder, &["inspect", "--json", "wand.rune"]);
    let value: Value = serde_json::from_str(said(&output).1).unwrap();
    assert_eq!(value["version"], 1);
    assert_eq!(value["rune_version"], "1.2.0");
    assert_eq!(value["security_counter"], 3);
    assert_eq!(value["has_source"], true);
    assert_eq!(value["bases"][0]["name"], "runicos/base");
    assert_eq!(value["capabilities"][0]["kind"], "ACCEL");
    assert_eq!(value["capabilities"][0]["parameters"]["hz"], 100);
    assert_eq!(value["outputs"][0]["tensors"][0]["from"], "label");
    let stages = value["stages"].as_array().unwrap();
    let names: Vec<&str> = stages.iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["wand", "calm", "flat", "best", "label", "serial"]);
    assert_eq!(stages[1]["inputs"][0]["from"], "wand.0");
    assert!(stages[4]["bytes"]["code"].as_u64().unwrap() > 0);
    let parts = value["file"]["parts"].as_object().unwrap();
    let sum: u64 = parts.values().map(|v| v.as_u64().unwrap()).sum();
    assert_eq!(sum, value["file"]["bytes"].as_u64().unwrap());
    // Every key is in the book.
    let page = fs::read_to_string(root().join("docs/book/inspecting.md")).unwrap();
    for key in value
        .as_object()
        .unwrap()
        .keys()
        .filter(|k| *k != "version")
    {
        assert!(page.contains(&format!("`{key}`")), "{key}");
    }
}

/// What `runec diff` says of two Runefiles, and its exit status.
fn diff(name: &str, old: &str, new: &str) -> (i32, String) {
    let folder = folder(name);
    for (file, text) in [("old.Runefile", old), ("new.Runefile", new)] {
        fs::write(folder.join(file), text).unwrap();
    }
    let output = runec(&folder, &["diff", "old.Runefile", "new.Runefile"]);
    let (code, out, err) = said(&output);
    assert!(err.is_empty() || code != 2, "{err}");
    (code, out.to_owned())
}

#[test]
fn a_rune_does_not_differ_from_itself() {
    let (code, out) = diff("same", WAND, WAND);
    assert_eq!((code, out.lines().count()), (0, 3), "{out}");
    assert!(
        out.ends_with("\nVersion: nothing that matters changed\n")
            || out.ends_with("\nVersion: the files are the same\n"),
        "{out}"
    );
}

#[test]
fn a_reviewer_sees_the_gravest_first() {
    let new = WAND
        .replace(
            "version=1.2.0 security-counter=3",
            "version=1.2.1 security-counter=2",
        )
        .replace("--hz 100", "--hz 50")
        .replace("--count 2", "--count 3")
        .replace(
            "RUN wand",
            "CAPABILITY<U8[4]> RAW extra\nOUT SERIAL spare\nRUN extra spare\nRUN wand",
        );
    let (code, out) = diff("gravest", WAND, &new);
    assert_eq!(code, 1, "{out}");
    let mut rest = out.as_str();
    for line in [
        "\nPermissions\n",
        "  + reads RAW `extra`, U8[4]\n",
        "  + writes SERIAL `spare`, U8[4]\n",
        "\nInterface\n",
        "  ~ ACCEL `wand` has hz 50, had 100\n",
        "  ~ SERIAL `serial` gets UTF8[3], got UTF8[2]\n",
        "\nRequirements\n",
        "  ! security counter 2, was 3: a device that has run the old rune refuses the new one\n",
        "\nStages\n",
        "  ~ `best` has `--count 3`, had 2\n",
        "\nSize\n",
        "\nVersion: breaking change: ",
        "write `LABEL version=2.0.0`",
    ] {
        let (_, after) = rest
            .split_once(line)
            .unwrap_or_else(|| panic!("no {line:?} in its place in\n{out}"));
        rest = after;
    }
    // Back again, what came goes.
    let (_, out) = diff("back", &new, WAND);
    assert!(out.contains("  - reads RAW `extra`, U8[4]\n"), "{out}");
}

#[test]
fn what_only_computes_otherwise_keeps_the_interface() {
    let new = WAND
        .replace("version=1.2.0", "version=1.3.0")
        .replace("wand calm flat", "wand flat");
    let (code, out) = diff("feature", WAND, &new);
    assert_eq!(code, 0, "{out}");
    for line in [
        "  - `calm`, runicos/normalize@",
        "  ~ `flat` reads wand, read calm\n",
        "Version: feature change: its results may differ; 1.2.0 to 1.3.0 says so\n",
    ] {
        assert!(out.contains(line), "no {line:?} in\n{out}");
    }
    let folder = folder("feature-json");
    fs::write(folder.join("a.Runefile"), WAND).unwrap();
    fs::write(folder.join("b.Runefile"), &new).unwrap();
    let output = runec(&folder, &["diff", "--json", "a.Runefile", "b.Runefile"]);
    let value: Value = serde_json::from_str(said(&output).1).unwrap();
    assert_eq!(value["same_interface"], true);
    assert_eq!(value["weight"], "feature");
    let topics = value["changes"].as_array().unwrap().iter();
    assert!(
        topics
            .clone()
            .any(|c| c["topic"] == "stages" && c["sign"] == "removed")
    );
}

#[test]
fn a_device_is_asked_for_on_the_command_line() {
    let folder = folder("for");
    let text = "FROM runicos/base\nCAPABILITY<F32[3000000]> RAND x\nOUT SERIAL\nRUN x serial\n";
    fs::write(folder.join("Runefile"), text).unwrap();
    assert_eq!(said(&runec(&folder, &["check"])), (0, "", ""));
    for command in ["check", "build"] {
        let output = runec(&folder, &[command, "--for", "portenta-h7"]);
        let (code, _, err) = said(&output);
        assert_eq!(code, 1, "{err}");
        assert!(
            err.contains("error[R0705]") && err.contains("`--for portenta-h7`"),
            "{err}"
        );
    }
    assert!(!folder.join("for.rune").exists());
    let output = runec(&folder, &["build", "--for", "linux", "-o", "x.rune"]);
    assert_eq!(said(&output).0, 0, "{}", said(&output).2);
    let output = runec(&folder, &["check", "--for", "portenta"]);
    let (code, _, err) = said(&output);
    assert_eq!(code, 2);
    assert!(err.contains("there is no device portenta"), "{err}");
    // Asking changes nothing.
    let small = text.replace("3000000", "30");
    fs::write(folder.join("Runefile"), &small).unwrap();
    runec(&folder, &["build", "-o", "a.rune"]);
    runec(&folder, &["build", "-o", "b.rune", "--for", "portenta-h7"]);
    assert_eq!(
        fs::read(folder.join("a.rune")).unwrap(),
        fs::read(folder.join("b.rune")).unwrap()
    );
}

/// What the fix of a finding makes of the text is what the message says.
#[test]
fn the_nearest_a_device_can_do_is_a_fix() {
    let text = "FROM runicos/portenta-h7\nCAPABILITY<I16[960]> SOUND s --hz 96000\nOUT SERIAL\nRUN s serial\n";
    let folder = folder("fix");
    fs::write(folder.join("Runefile"), text).unwrap();
    let input = Input::open(&folder).unwrap();
    let found = runec::check(&input.path, &input.name, &input.bytes, &input.world).diagnostics;
    let [only] = found.as_slice() else {
        panic!("{found:#?}");
    };
    let edit = &only.fixes[0].edits[0];
    let (start, end) = (edit.span.start as usize, edit.span.end as usize);
    let fixed = format!("{}{}{}", &text[..start], edit.text, &text[end..]);
    assert!(fixed.contains("SOUND s --hz 48000\n"), "{fixed}");
    fs::write(folder.join("Runefile"), &fixed).unwrap();
    assert_eq!(said(&runec(&folder, &["check"])), (0, "", ""));
}

#[test]
fn what_is_nearly_full_can_be_ignored_and_denied() {
    let folder = folder("ignored");
    let text = "FROM runicos/base\nFOR runicos/portenta-h7\nCAPABILITY<F32[1000000]> RAND x\nPROC_BLOCK normalize n\nOUT SERIAL\nRUN x n serial\n";
    let write = |text: &str| fs::write(folder.join("Runefile"), text).unwrap();
    write(text);
    for command in [&["check"][..], &["build"]] {
        let output = runec(&folder, command);
        let (code, _, err) = said(&output);
        assert_eq!(code, 0, "{err}");
        assert!(err.contains("warning[R0709]"), "{command:?}: {err}");
    }
    write(&text.replace(" x\n", " x # runec: ignore[R0709]\n"));
    assert_eq!(said(&runec(&folder, &["check"])), (0, "", ""));
    let output = runec(&folder, &["build"]);
    assert!(!said(&output).2.contains("R0709"), "{}", said(&output).2);
    // The fix of what is too large makes the comment one too many.
    write(
        &text
            .replace(" x\n", " x # runec: ignore[R0709]\n")
            .replace("1000000", "10"),
    );
    let output = runec(&folder, &["check"]);
    assert!(said(&output).2.contains("R1000"), "{}", said(&output).2);
    write(text);
    fs::write(
        folder.join("Rune.toml"),
        "[lints]\ndevice-nearly-full = \"deny\"\n",
    )
    .unwrap();
    assert_eq!(said(&runec(&folder, &["check"])).0, 1);
    assert_eq!(said(&runec(&folder, &["build"])).0, 1);
}
