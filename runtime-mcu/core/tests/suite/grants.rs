//! What a board refuses: everything at once, in words, with no memory for them.

use rune_abi::{CapabilityKind, ElementType, Manifest, OutputKind, Value, WasmFeatures};
use rune_adapt::{Rate, SampleFormat, SoundSource};
use rune_core::{AddError, Engine, Gives, Interpreter, Policy, Range, Sensor, Table, check, grant};

use crate::{
    bench::{TABLE, add, flash, policy, runtime},
    runes::{bare, capability, manifest, output, param, text, ty, wasm},
};

fn rune(manifest: &Manifest) -> &'static [u8] {
    flash(wasm(&text(manifest, "i32.const 1", "")))
}

fn refusal(manifest: &Manifest, table: &'static Table, policy: &Policy) -> Vec<String> {
    let rune = check(rune(manifest)).unwrap();
    match grant(
        &rune,
        table,
        policy,
        Interpreter::FEATURES,
        table.memory_bytes,
    ) {
        Ok(_) => vec![],
        Err(refusal) => refusal.to_string().lines().map(str::to_owned).collect(),
    }
}

static BOARD: Table = Table {
    bases: &["runicos/base"],
    sensors: &[
        Sensor {
            name: "microphone",
            kind: CapabilityKind::Sound,
            gives: Gives::Adapted(rune_adapt::Source::Sound(SoundSource {
                rate: Rate::hz(16_000),
                channels: 1,
                format: SampleFormat::S16,
            })),
            ranges: &[],
        },
        Sensor {
            name: "thermometer",
            kind: CapabilityKind::Temperature,
            gives: Gives::Exact,
            ranges: &[Range {
                name: "hz",
                least: 1,
                most: 10,
            }],
        },
    ],
    outputs: &[OutputKind::Serial],
    memory_bytes: 1 << 17,
    code_bytes: 64,
    native_keys: &[],
};

fn sound(hz: i64) -> rune_abi::Capability {
    let mut sound = capability(CapabilityKind::Sound, "ear", ty(ElementType::I16, &[16]));
    sound.params = vec![param("hz", Value::Integer(hz))];
    sound
}

fn temperature(hz: i64) -> rune_abi::Capability {
    let one = ty(ElementType::F32, &[1]);
    let mut temperature = capability(CapabilityKind::Temperature, "warmth", one);
    temperature.params = vec![param("hz", Value::Integer(hz))];
    temperature
}

#[test]
fn what_a_board_has_is_granted() {
    let wanted = manifest(
        vec![sound(8000), temperature(10)],
        vec![output("serial", &[ty(ElementType::U8, &[1])])],
    );
    assert_eq!(refusal(&wanted, &BOARD, &policy()), [""; 0]);
    let rune = check(rune(&wanted)).unwrap();
    let granted = grant(&rune, &BOARD, &policy(), Interpreter::FEATURES, 1 << 17).unwrap();
    assert_eq!((granted.row(0), granted.row(1)), (0, 1));
}

#[test]
fn a_refusal_lists_everything_that_is_missing() {
    let accel = capability(CapabilityKind::Accel, "motion", ty(ElementType::F32, &[3]));
    let mut wanted = manifest(vec![sound(48_000), temperature(11), accel], vec![]);
    wanted.bases[0].name = "runicos/zephyr".to_owned();
    wanted.memory_bytes = 3 << 16;
    let deaf = Policy {
        sensors: !1,
        ..policy()
    };
    let missing = refusal(&wanted, &BOARD, &policy());
    assert_eq!(
        missing,
        [
            "the rune is built on `runicos/zephyr` 0.0.0, which this runtime does not offer",
            "the rune needs 196608 bytes of memory and the limit is 131072",
            "microphone cannot feed SOUND `ear`, I16[16]: the rune asks for 48000 Hz and the sensor gives 16000 Hz; what it did not catch cannot be made up",
            "thermometer cannot feed TEMPERATURE `warmth`, F32[1]: `hz` is 11 and it does 1 to 10",
            "the rune reads ACCEL `motion`, F32[3], and there is no such sensor",
        ]
    );
    assert_eq!(
        refusal(&wanted, &BOARD, &deaf)[2],
        "the rune reads SOUND `ear`, I16[16], and its policy does not let it use `microphone`"
    );
}

#[test]
fn code_and_features_beyond_the_engine_are_refused() {
    let mut wide = manifest(vec![], vec![]);
    wide.features = wide.features.union(WasmFeatures::SIMD);
    let none = WasmFeatures(0);
    let code = format!("{} i32.const 1", "nop ".repeat(100));
    let rune = check(flash(wasm(&text(&wide, &code, "")))).unwrap();
    let refusal = grant(&rune, &BOARD, &policy(), none, 1 << 17).unwrap_err();
    let refusal = refusal.to_string();
    assert!(
        refusal.contains("the code of the rune uses simd128, which this runtime does not have"),
        "{refusal}"
    );
    assert!(
        refusal.ends_with("bytes of code and the limit is 64"),
        "{refusal}"
    );
}

#[test]
fn runes_share_the_memory_of_a_board() {
    let mut runtime = runtime();
    let mut half = manifest(vec![], vec![]);
    half.memory_bytes = TABLE.memory_bytes / 2;
    let first = runtime.add(rune(&half), [0; 32], policy()).unwrap();
    add(&mut runtime, bare("i32.const 1"));
    let Err(AddError::Refused(refusal)) = runtime.add(rune(&half), [0; 32], policy()) else {
        panic!("there was memory for it");
    };
    assert_eq!(
        refusal.to_string(),
        "the rune needs 524288 bytes of memory and the limit is 458752"
    );
    assert!(runtime.remove(first));
    assert!(runtime.add(rune(&half), [0; 32], policy()).is_ok());
}
