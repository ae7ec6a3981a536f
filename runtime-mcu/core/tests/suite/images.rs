//! Images: what is checked of them, and who runs them.

use rune_abi::{
    CapabilityKind, ElementType, Import, WasmFeatures,
    image::{Containment, Image, ImageView, Target},
};
use rune_core::{
    AddError, Checked, Engine, Engines, Host, Instance, Interpreter, Limits, LoadError, Missing,
    Policy, StartError, Stopped, Table, check, grant,
};
use sha2::{Digest, Sha256};

use crate::{
    bench::{TABLE, flash, policy, runtime},
    runes::{bare, capability, manifest, ty},
};

/// An image with a manifest of one capability or none.
fn image(containment: Containment, reads: bool, imports: &[Import]) -> Vec<u8> {
    let raw = capability(CapabilityKind::Raw, "raw", ty(ElementType::U8, &[4]));
    let capabilities = if reads { vec![raw] } else { vec![] };
    let image = Image {
        target: Target::CortexM7,
        containment,
        imports: imports.to_vec(),
        resets: false,
        first_read: None,
        keeps_records: false,
        block_bytes: 1000,
        memory: (16, 900),
        stack_bytes: 256,
        manifest: manifest(capabilities, vec![]).to_bytes().unwrap(),
        linked: vec![0xBF; 64],
        constant_bytes: 32,
        entry: 0,
        functions: vec![],
        graph_digest: [0; 32],
    };
    image.encode(|parts| Sha256::digest(parts.concat()).into())
}

#[test]
fn an_image_is_checked_by_its_header_its_digest_and_its_manifest() {
    let good = image(Containment::Mpu, true, &[Import::Read, Import::Log]);
    let checked = check(&good).unwrap();
    assert_eq!(checked.manifest().name, "test");
    let imports: Vec<Import> = checked.imports().iter().collect();
    assert_eq!(imports, [Import::Read, Import::Log]);
    assert_eq!((checked.memory_bytes(), checked.code_bytes()), (1256, 0));
    assert_eq!(checked.features(), WasmFeatures(0));
    assert_eq!(checked.bytes(), good);
    assert!(checked.image().is_some() && checked.data().next().is_none());
    // Every byte but those of the digest of the graph, which is a claim, is covered.
    for at in 0..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 0x40;
        assert!(check(&changed).is_err(), "byte {at}");
    }
    for length in 8..good.len() {
        let error = check(&good[..length]).unwrap_err();
        assert!(matches!(error, LoadError::Image(_)), "{length}: {error}");
    }
    let reads = image(Containment::Mpu, false, &[Import::Read]);
    let said = check(&reads).unwrap_err().to_string();
    assert_eq!(
        said,
        "it imports `read`, and its manifest names no capability"
    );
    let writes = image(Containment::Mpu, false, &[Import::Write]);
    assert!(check(&writes).is_err());
}

/// What is missing, where these keys are held.
fn missing(bytes: &[u8], table: &'static Table) -> Vec<String> {
    let checked: Checked<'_> = check(bytes).unwrap();
    let granted = grant(&checked, table, &Policy::default(), WasmFeatures(0), 2000);
    let mut all = vec![];
    if let Err(refusal) = granted {
        refusal.each(|missing| {
            assert!(matches!(
                missing,
                Missing::Native(_) | Missing::Memory { .. }
            ));
            all.push(missing.to_string());
        });
    }
    all
}

#[test]
fn what_contains_itself_needs_a_key_and_no_features() {
    assert_eq!(
        missing(&image(Containment::Mpu, false, &[]), &TABLE),
        [""; 0]
    );
    for containment in [Containment::Bounds, Containment::Mask] {
        let bytes = image(containment, false, &[]);
        assert_eq!(ImageView::new(&bytes).unwrap().signatures().count(), 0);
        let said = missing(&bytes, &TABLE);
        assert!(said[0].contains(containment.name()), "{said:?}");
    }
}

/// Says that it was asked.
#[derive(Default)]
struct Refusing;

impl Engine for Refusing {
    const FEATURES: WasmFeatures = WasmFeatures(0);
    type Instance<H: Host + 'static> = <Interpreter as Engine>::Instance<H>;

    fn start<H: Host + 'static>(
        &self,
        _: &Checked<'static>,
        _: &Limits,
    ) -> Result<Self::Instance<H>, StartError> {
        Err(StartError::NoModules)
    }
}

/// A host that is never asked.
struct Nobody;

impl Host for Nobody {
    fn read(&mut self, _: u32, _: u32, _: Option<&mut [u8]>) -> Result<i32, Stopped> {
        Err(Stopped)
    }

    fn write(&mut self, _: &[u8], _: u32, _: u32) -> Result<(), Stopped> {
        Err(Stopped)
    }

    fn log(&mut self, _: u32, _: Option<&[u8]>) -> Result<(), Stopped> {
        Err(Stopped)
    }

    fn fault(&mut self, _: Option<&[u8]>) -> Result<(), Stopped> {
        Err(Stopped)
    }

    fn mark(&mut self, _: u32, _: u32) {}

    fn is_in_time(&mut self) -> Result<(), Stopped> {
        Err(Stopped)
    }

    fn trapped(&mut self, _: rune_saga::Failure, _: Option<&'static str>) {}
}

#[test]
fn an_interpreter_refuses_images_by_name_and_two_engines_share_them() {
    let bytes = flash(image(Containment::Mpu, false, &[]));
    let added = runtime().add(bytes, [0; 32], policy());
    let Err(AddError::Start(StartError::NoImages)) = added else {
        panic!("{added:?}");
    };
    let limits = Limits {
        fuel: 1_000_000,
        stack_values: 1024,
        depth: 64,
        call_ns: 1,
    };
    let engines = Engines::<Interpreter, Refusing>::default();
    let started = engines.start::<Nobody>(&check(bytes).unwrap(), &limits);
    assert!(matches!(started, Err(StartError::NoModules)));
    let module = flash(bare("i32.const 0"));
    let started = engines.start(&check(module).unwrap(), &limits);
    let mut instance = started.unwrap_or_else(|error| panic!("{error}"));
    let mut host = Some(Box::new(Nobody));
    assert_eq!(instance.call(&mut host, u64::MAX), Ok(0));
    // It is given back, and without one nothing is done.
    assert!(host.take().is_some());
    assert_eq!(instance.call(&mut host, u64::MAX), Err(Stopped));
}
