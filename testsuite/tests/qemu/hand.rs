//! Images made by hand, of assembly.

use std::{
    io::Write,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use object::{Object, ObjectSection};
use rune_abi::{
    ABI_VERSION, Capability, CapabilityKind, Dim, ElementType, Feed, Import, Manifest, Output,
    OutputKind, TensorType, Version, WasmFeatures,
    image::{Containment, FirstRead, Image, Target},
};
use rune_testsuite::engines;
use sha2::{Digest, Sha256};

/// The assembler, if there is one.
fn assembler() -> Option<&'static str> {
    let has = |name: &&str| {
        let mut clang = Command::new(name);
        let asked = clang.arg("--version").stdout(Stdio::null());
        asked.status().is_ok_and(|status| status.success())
    };
    ["clang-19", "clang"].into_iter().find(has)
}

/// Why there is none.
pub(crate) fn missing() -> Option<&'static str> {
    assembler()
        .is_none()
        .then_some("no clang: `apt install clang-19`")
}

/// The bytes of assembly that needs no linker.
fn assemble(text: &str) -> Vec<u8> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let object = std::env::temp_dir().join(format!("rune-hand-{}-{count}.o", std::process::id()));
    let mut clang = Command::new(assembler().unwrap())
        .args([
            "--target=thumbv7em-none-eabihf",
            "-mcpu=cortex-m7",
            "-mfpu=fpv5-d16",
        ])
        .args(["-c", "-x", "assembler", "-", "-o"])
        .arg(&object)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = clang.stdin.take().unwrap();
    let text = format!(".syntax unified\n.text\n.thumb\n.p2align 5\n{text}\n.ltorg\n");
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    assert!(clang.wait().unwrap().success(), "{text}");
    let bytes = std::fs::read(&object).unwrap();
    std::fs::remove_file(&object).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let text = file.section_by_name(".text").unwrap();
    assert_eq!(text.relocations().count(), 0, "it would need a linker");
    text.data().unwrap().to_vec()
}

/// An image of assembly. Its entry is the first instruction, its functions are one.
#[derive(Clone)]
pub(crate) struct Hand {
    pub(crate) name: String,
    pub(crate) version: u16,
    pub(crate) containment: Containment,
    /// What it reads, if anything: so many bytes.
    pub(crate) reads: u32,
    /// What it writes, if anything: so many words.
    pub(crate) writes: u32,
    /// What is read before each call, as its header says.
    pub(crate) first_read: Option<FirstRead>,
    pub(crate) keeps_records: bool,
    /// Before the code: 32 bytes are constants.
    pub(crate) constants: [u8; 32],
    pub(crate) code: String,
    /// More functions, by their place.
    pub(crate) functions: Vec<(u32, String)>,
}

/// Bytes of the block of each, and of its stack.
pub(crate) const BLOCK: u32 = 4096;
pub(crate) const STACK: u32 = 1024;

impl Hand {
    /// One that runs this when it is called, and nothing before. In `r0` is the address of its block.
    pub(crate) fn new(name: &str, call: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: 1,
            containment: Containment::Mpu,
            reads: 0,
            writes: 0,
            first_read: None,
            keeps_records: false,
            constants: [0; 32],
            code: format!("cmp r1, #1\nbeq 99f\nmovs r0, #0\nsvc #0\n99:\n{call}\n"),
            functions: vec![(0, "call".to_owned())],
        }
    }

    /// The image without signatures.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let ty = |element, count: u32| TensorType::new(element, &[Dim::Exact(count)]).unwrap();
        let capabilities = (self.reads > 0).then(|| Capability {
            kind: CapabilityKind::Raw,
            name: "raw".to_owned(),
            ty: ty(ElementType::U8, self.reads),
            params: vec![],
        });
        let outputs = (self.writes > 0).then(|| Output {
            kind: OutputKind::Serial,
            name: "serial".to_owned(),
            params: vec![],
            tensors: vec![Feed {
                from: "raw".to_owned(),
                ty: ty(ElementType::U32, self.writes),
            }],
        });
        let manifest = Manifest {
            abi_version: ABI_VERSION,
            features: WasmFeatures(0),
            security_counter: 0,
            memory_bytes: BLOCK,
            stack_bytes: 0,
            name: self.name.clone(),
            version: Version {
                major: self.version,
                minor: 0,
                patch: 0,
            },
            bases: vec![],
            capabilities: capabilities.into_iter().collect(),
            outputs: outputs.into_iter().collect(),
            models: vec![],
            stages: vec![],
        };
        let mut linked = self.constants.to_vec();
        linked.extend(assemble(&self.code));
        let mut imports = vec![Import::Log];
        imports.extend((self.reads > 0).then_some(Import::Read));
        imports.extend((self.writes > 0).then_some(Import::Write));
        let image = Image {
            target: Target::CortexM7,
            containment: self.containment,
            imports,
            resets: false,
            first_read: self.first_read,
            keeps_records: self.keeps_records,
            block_bytes: BLOCK,
            memory: (0, BLOCK),
            stack_bytes: STACK,
            manifest: manifest.to_bytes().unwrap(),
            linked,
            constant_bytes: 32,
            entry: 0,
            functions: self.functions.clone(),
            graph_digest: [0; 32],
        };
        image.encode(|parts| {
            let mut digest = Sha256::new();
            for part in parts {
                digest.update(part);
            }
            digest.finalize().into()
        })
    }

    /// The image, signed with the key for tests.
    pub(crate) fn signed(&self) -> Vec<u8> {
        sign(self.bytes(), 7)
    }
}

/// An image with one more signature, by the key whose seed is this byte.
pub(crate) fn sign(mut image: Vec<u8>, seed: u8) -> Vec<u8> {
    engines::sign(&mut image, seed);
    image
}
