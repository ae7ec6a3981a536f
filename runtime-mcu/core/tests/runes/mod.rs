//! Small runes written by hand, as the text form of WebAssembly: for the tests of every runtime.
#![allow(dead_code, reason = "not every suite that shares this uses all of it")]

use std::fmt::Write as _;

use rune_abi::{
    Base, Capability, CapabilityKind, Dim, ElementType, Feed, Manifest, Output, OutputKind, Param,
    TensorType, Value, Version, WasmFeatures,
};

/// Every import of the contract.
pub(crate) const IMPORTS: &str = r#"
  (import "runicos" "read" (func $read (param i32 i32 i32) (result i32)))
  (import "runicos" "write" (func $write (param i32 i32) (result i32)))
  (import "runicos" "log" (func $log (param i32 i32 i32)))
  (import "runicos" "fault" (func $fault (param i32 i32 i32)))
  (import "runicos" "mark" (func $mark (param i32 i32)))"#;

/// Where the tests keep a record, what they read, and the manifest.
pub(crate) const RECORD: u32 = 512;
pub(crate) const INPUT: u32 = 1024;
pub(crate) const MANIFEST: u32 = 32768;

pub(crate) fn ty(element: ElementType, dims: &[u32]) -> TensorType {
    let dims: Vec<Dim> = dims.iter().map(|d| Dim::Exact(*d)).collect();
    TensorType::new(element, &dims).unwrap()
}

pub(crate) fn param(name: &str, value: Value) -> Param {
    Param {
        name: name.to_owned(),
        value,
    }
}

pub(crate) fn capability(kind: CapabilityKind, name: &str, ty: TensorType) -> Capability {
    Capability {
        kind,
        name: name.to_owned(),
        ty,
        params: vec![],
    }
}

pub(crate) fn output(name: &str, types: &[TensorType]) -> Output {
    let feed = |ty: &TensorType| Feed {
        from: "stage".to_owned(),
        ty: *ty,
    };
    Output {
        kind: OutputKind::Serial,
        name: name.to_owned(),
        tensors: types.iter().map(feed).collect(),
        params: vec![],
    }
}

/// A manifest of one page and all features but SIMD.
pub(crate) fn manifest(capabilities: Vec<Capability>, outputs: Vec<Output>) -> Manifest {
    Manifest {
        abi_version: rune_abi::ABI_VERSION,
        features: WasmFeatures(0b1_1111),
        security_counter: 0,
        memory_bytes: 65536,
        stack_bytes: 0,
        name: "test".to_owned(),
        version: Version::default(),
        bases: vec![Base {
            name: "runicos/base".to_owned(),
            version: Version::default(),
        }],
        capabilities,
        outputs,
        models: vec![],
        stages: vec!["first".to_owned(), "second".to_owned()],
    }
}

/// Bytes as a string of the text form.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, b| {
        write!(text, "\\{b:02x}").unwrap();
        text
    })
}

/// A whole rune as text: `call` is the body of `_call`, `more` any further fields of the module.
pub(crate) fn text(manifest: &Manifest, call: &str, more: &str) -> String {
    let bytes = quoted(&manifest.to_bytes().unwrap());
    let pages = manifest.memory_bytes.div_ceil(65536);
    format!(
        r#"(module {IMPORTS}
  (memory (export "memory") {pages} {pages})
  (data (i32.const {MANIFEST}) "{bytes}")
  (@custom "rune.manifest" "{bytes}")
  (func (export "_manifest") (result i32) i32.const {MANIFEST})
  (func (export "_call") (result i32) {call})
  {more})"#
    )
    .replace(
        IMPORTS,
        &IMPORTS
            .lines()
            .filter(|line| match line {
                line if line.contains("$read") => !manifest.capabilities.is_empty(),
                line if line.contains("$write") => !manifest.outputs.is_empty(),
                _ => true,
            })
            .collect::<Vec<_>>()
            .join("\n"),
    )
}

pub(crate) fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// A record of one tensor, as a data segment at [`RECORD`].
pub(crate) fn record(address: u32, ty: &TensorType) -> String {
    let mut words = vec![address, ty.bytes(), ty.dims().len() as u32];
    words.extend(ty.dims().iter().map(|d| d.bound()));
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    format!("(data (i32.const {RECORD}) \"{}\")", quoted(&bytes))
}

/// A rune that writes what it reads to the output `serial`.
pub(crate) fn echo(capability: Capability) -> Vec<u8> {
    let ty = capability.ty;
    let call = format!(
        "(if (i32.eqz (call $read (i32.const 0) (i32.const {INPUT}) (i32.const {})))
           (then (return (i32.const 2))))
         (call $write (i32.const 0) (i32.const {RECORD}))",
        ty.bytes()
    );
    let manifest = manifest(vec![capability], vec![output("serial", &[ty])]);
    wasm(&text(&manifest, &call, &record(INPUT, &ty)))
}

/// A rune without capabilities or outputs and this `_call`.
pub(crate) fn bare(call: &str) -> Vec<u8> {
    wasm(&text(&manifest(vec![], vec![]), call, ""))
}
