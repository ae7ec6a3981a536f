//! Step one: what is not a rune is refused by reading alone, and says why.

use rune_abi::{CapabilityKind, ElementType, Manifest, Param, Value, WasmFeatures};
use rune_runtime::{Limits, Rune, Source};

use crate::support::{
    self, IMPORTS, MANIFEST, Zeros, capability, echo, manifest, output, param, quoted, text, ty,
    wasm,
};

fn plain() -> Manifest {
    let ty = ty(ElementType::U8, &[4]);
    manifest(
        vec![capability(CapabilityKind::Raw, "raw", ty)],
        vec![output("serial", &[ty])],
    )
}

fn good() -> String {
    text(&plain(), "i32.const 1", "")
}

/// What loading says of a good rune with some of its text replaced.
fn with(old: &str, new: &str) -> String {
    let good = good();
    assert!(good.contains(old), "{old}");
    refusal(wasm(&good.replacen(old, new, 1)))
}

fn refusal(bytes: Vec<u8>) -> String {
    Rune::load(bytes).unwrap_err().to_string()
}

#[test]
fn a_good_rune_is_loaded_with_its_manifest() {
    let rune = Rune::load(wasm(&good())).unwrap();
    assert_eq!(rune.manifest(), &plain());
}

#[test]
fn bytes_that_are_no_module_are_refused() {
    assert!(refusal(b"FROM runicos/base".to_vec()).contains("not a valid module"));
    assert!(refusal(vec![]).contains("not a valid module"));
    let component = wat::parse_str("(component)").unwrap();
    assert_eq!(refusal(component), "it is a component, not a core module");
}

#[test]
fn the_manifest_section_is_required_once_and_whole() {
    let section = good();
    let section = section.lines().find(|l| l.contains("@custom")).unwrap();
    assert_eq!(with(section, ""), "it has no section `rune.manifest`");
    assert_eq!(
        with(section, &format!("{section}{section}")),
        "it has more than one section `rune.manifest`"
    );
    assert_eq!(
        with(section, "(@custom \"rune.manifest\" \"RUNE\")"),
        "its manifest is damaged: ends too early at byte 4 of the manifest"
    );
}

#[test]
fn another_version_of_the_contract_is_refused() {
    let mut manifest = plain();
    manifest.abi_version = 7;
    assert_eq!(
        refusal(wasm(&text(&manifest, "i32.const 1", ""))),
        "it needs version 7 of the contract and this runtime has 1"
    );
}

#[test]
fn imports_outside_the_contract_are_refused() {
    let import = |import: &str| with(IMPORTS, &format!("{IMPORTS}\n{import}"));
    for (field, path) in [
        (r#"(import "env" "read" (func))"#, "`env.read`"),
        (r#"(import "runicos" "exec" (func))"#, "`runicos.exec`"),
        (r#"(import "runicos" "log" (global i32))"#, "`runicos.log`"),
        (r#"(import "runicos" "t" (table 1 funcref))"#, "`runicos.t`"),
    ] {
        let want = format!("it imports {path}, which is not in the contract");
        assert_eq!(import(field), want);
    }
    assert_eq!(
        with(
            "(memory (export \"memory\") 1 1)",
            r#"(memory (export "memory") (import "runicos" "m") 1 1)"#
        ),
        "it imports `runicos.m`, which is not in the contract"
    );
    assert_eq!(
        with("(param i32 i32)))", "(param i32 i64)))"),
        "it imports `runicos.mark` with another signature"
    );
    assert_eq!(
        import(r#"(import "runicos" "mark" (func (param i32 i32)))"#),
        "it imports `runicos.mark` twice"
    );
}

#[test]
fn imports_the_manifest_does_not_speak_of_are_refused() {
    let nothing = text(&manifest(vec![], vec![]), "i32.const 1", "");
    let import = |line: &str| {
        refusal(wasm(&nothing.replacen(
            "(memory",
            &format!("{line}(memory"),
            1,
        )))
    };
    assert_eq!(
        import(IMPORTS.lines().find(|l| l.contains("$read")).unwrap()),
        "it imports `read`, and its manifest names no capability"
    );
    assert_eq!(
        import(IMPORTS.lines().find(|l| l.contains("$write")).unwrap()),
        "it imports `write`, and its manifest names no output"
    );
}

#[test]
fn exports_are_those_of_the_contract() {
    for name in ["memory", "_manifest", "_call"] {
        assert_eq!(
            with(&format!("(export \"{name}\")"), ""),
            format!("it does not export `{name}`")
        );
    }
    let export = |field: &str| refusal(wasm(&text(&plain(), "i32.const 1", field)));
    assert_eq!(
        export("(func (export \"main\"))"),
        "it exports `main`, which is not in the contract"
    );
    let not_own = "its export `_reset` is not a function of its own of the contract's type";
    assert_eq!(export("(func (export \"_reset\") (param i32))"), not_own);
    assert_eq!(
        export("(global (export \"_reset\") i32 (i32.const 1))"),
        not_own
    );
    assert_eq!(export("(export \"_reset\" (func $mark))"), not_own);
    assert_eq!(
        with(
            "(memory (export \"memory\")",
            "(func (export \"memory\")) (memory"
        ),
        "its export `memory` is not a memory"
    );
}

#[test]
fn a_start_section_is_refused() {
    let started = text(&plain(), "i32.const 1", "(func $main) (start $main)");
    assert_eq!(refusal(wasm(&started)), "it has a start section");
}

#[test]
fn memory_has_the_size_of_the_manifest() {
    for (size, said) in [("1 2", "1 to 2"), ("1", "1 to any"), ("2 2", "2 to 2")] {
        assert_eq!(
            with("\"memory\") 1 1", &format!("\"memory\") {size}")),
            format!("its memory is {said} pages and its manifest says 1")
        );
    }
}

#[test]
fn a_table_beyond_the_limit_is_refused() {
    let table = |entries: u32| {
        let more = format!("(table {entries} funcref)");
        wasm(&text(&plain(), "i32.const 1", &more))
    };
    assert!(Rune::load(table(65_536)).is_ok());
    assert_eq!(
        refusal(table(65_537)),
        "it has a table of 65537 entries and the limit is 65536"
    );
}

#[test]
fn parameters_are_those_of_the_contract_and_name_nothing_of_the_host() {
    let with = |params: Vec<Param>| {
        let mut manifest = plain();
        manifest.capabilities[0].params = params;
        Rune::load(wasm(&text(&manifest, "i32.const 1", ""))).map_err(|e| e.to_string())
    };
    let one = |name: &str, value: Value| with(vec![param(name, value)]);
    assert!(one("hop", Value::Integer(1)).is_ok());
    for host in [
        "/etc/passwd",
        "../up",
        ".hidden",
        "~/x",
        "/dev/video0",
        "C:\\x",
        "https://example.org",
        "home/door/+",
        "$SYS",
    ] {
        let refused = one("device", Value::Text(host.to_owned())).unwrap_err();
        assert!(refused.contains("names nothing of its host"), "{refused}");
    }
    for (name, value) in [
        ("device", Value::Text("camera".to_owned())),
        ("device", Value::Integer(1)),
        ("hop", Value::Text("one".to_owned())),
        ("hop", Value::Float(1.0)),
        ("hop", Value::Integer(0)),
    ] {
        assert!(one(name, value.clone()).is_err(), "{name} {value:?}");
    }
    let twice = vec![param("hop", Value::Integer(1)); 2];
    assert!(with(twice).unwrap_err().contains("twice"));
    let mut manifest = plain();
    manifest.outputs[0].params = vec![param("topic", Value::Text("home/door".to_owned()))];
    assert!(refusal(wasm(&text(&manifest, "i32.const 1", ""))).contains("SERIAL"));
}

#[test]
fn the_manifest_function_is_one_constant_that_points_at_the_section() {
    let constant = format!("(result i32) i32.const {MANIFEST}");
    let not_constant = "its function `_manifest` is not exactly one constant";
    for body in [
        "(result i32) i32.const 1 i32.const 2 i32.add".to_owned(),
        format!("(result i32) (local i32) i32.const {MANIFEST}"),
        format!("(result i32) i32.const {MANIFEST} nop"),
        "(result i32) unreachable".to_owned(),
    ] {
        assert_eq!(with(&constant, &body), not_constant);
    }
    let elsewhere = "what `_manifest` points at is not the section `rune.manifest`";
    for address in [0, MANIFEST + 1, MANIFEST - 1, u32::MAX] {
        let body = format!("(result i32) i32.const {address}");
        assert_eq!(with(&constant, &body), elsewhere);
    }
    let mut other = plain();
    other.security_counter = 1;
    let (was, is) = (plain().to_bytes().unwrap(), other.to_bytes().unwrap());
    assert_eq!(with(&quoted(&was), &quoted(&is)), elsewhere);
    let over = format!("(data (i32.const {}) \"x\")", MANIFEST + 20);
    let overwritten = text(&plain(), "i32.const 1", &over);
    assert_eq!(refusal(wasm(&overwritten)), elsewhere);
}

#[test]
fn code_beyond_the_features_of_the_manifest_is_refused() {
    let uses = [
        ("(i32.extend8_s (i32.const 1)) drop", WasmFeatures::SIGN_EXT),
        (
            "(i32.trunc_sat_f32_s (f32.const 1)) drop",
            WasmFeatures::SATURATING_FLOAT_TO_INT,
        ),
        (
            "(memory.fill (i32.const 0) (i32.const 0) (i32.const 0))",
            WasmFeatures::BULK_MEMORY,
        ),
        (
            "(block (result i32 i32) i32.const 1 i32.const 2) drop drop",
            WasmFeatures::MULTI_VALUE,
        ),
        ("(v128.const i32x4 1 2 3 4) drop", WasmFeatures::SIMD),
        (
            "(f32x4.relaxed_madd (v128.const i32x4 0 0 0 0) (v128.const i32x4 0 0 0 0)
               (v128.const i32x4 0 0 0 0)) drop",
            WasmFeatures::SIMD.union(WasmFeatures::RELAXED_SIMD),
        ),
    ];
    for (code, feature) in uses {
        let call = format!("{code} i32.const 1");
        let mut manifest = plain();
        manifest.features = feature;
        let declared = wasm(&text(&manifest, &call, ""));
        assert!(Rune::load(declared).is_ok(), "{code}");
        manifest.features = WasmFeatures(0x3f & !feature.0);
        let undeclared = refusal(wasm(&text(&manifest, &call, "")));
        assert!(
            undeclared.contains("not a valid module"),
            "{code}: {undeclared}"
        );
    }
}

#[test]
fn features_outside_the_contract_are_refused_whatever_the_manifest_says() {
    let mut all = plain();
    all.features = WasmFeatures::ALL;
    for (call, more) in [
        ("i32.const 1", "(table 1 externref)"),
        ("i32.const 1", "(memory 1 1)"),
        ("return_call 0", ""),
        ("(i32.atomic.load (i32.const 0))", ""),
        ("i32.const 1", "(tag)"),
        ("i32.const 1", "(type (struct))"),
    ] {
        let refused = refusal(wasm(&text(&all, call, more)));
        assert!(
            refused.contains("not a valid module"),
            "{call}{more}: {refused}"
        );
    }
}

/// xorshift64*: small, seeded, the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

#[test]
fn no_mutation_of_a_rune_panics() {
    let capability = capability(CapabilityKind::Raw, "raw", ty(ElementType::I16, &[4]));
    let good = echo(capability);
    let mut random = Random(7);
    let (mut loaded, mut refused) = (0, 0);
    for _ in 0..1000 {
        let mut bytes = good.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] = random.next() as u8,
                1 => bytes[at] ^= 1 << random.below(8),
                2 => bytes.insert(at, random.next() as u8),
                _ => bytes.truncate(at.max(1)),
            }
        }
        match Rune::load(bytes.clone()) {
            Err(_) => refused += 1,
            Ok(rune) => {
                loaded += 1;
                // Ten of those that pass are run: whatever they do, it ends.
                if loaded <= 10 {
                    let sources = rune.manifest().capabilities.iter();
                    let sources = sources.map(|_| Box::new(Zeros(3)) as Box<dyn Source>);
                    let (mut instance, _) =
                        support::start(bytes, sources.collect(), Limits::default());
                    let _ = instance.call();
                }
            }
        }
    }
    assert!(loaded > 5 && refused > 500, "{loaded}, {refused}");
}
