//! Runes of layers as they run: what is set and replaced is what the engine does, with sources in the file or
//! without.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use rune_codegen::{Options, Output};
use rune_ir::{
    env::{Env, Layer},
    eval::Data,
};
use rune_testsuite::{
    engines::{self, Outcome},
    overlay::Overlay,
    root,
};
use runec::{
    driver::{self, Request},
    source::{self, Recorder},
    world::World,
};

const BASE: &str = "\
FROM runicos/base
CAPABILITY<F32[1]> RAW x
PROC_BLOCK runicos/modulo wave --modulus 10
MODEL ./examples/sine/sine.tflite sine
OUT SERIAL
RUN x wave sine
";

/// The repository, and below every Runefile this one layer.
struct On {
    world: Overlay,
    base: Layer,
}

impl Env for On {
    fn file(&self, path: &str) -> Result<Arc<[u8]>, String> {
        self.world.file(path)
    }

    fn layer(&self, _: &str) -> Result<Layer, String> {
        Ok(self.base.clone())
    }

    fn block(&self, name: &str) -> Option<Arc<[u8]>> {
        self.world.block(name)
    }

    fn resolve_block(&self, name: &str) -> Option<String> {
        self.world.resolve_block(name)
    }

    fn blocks(&self) -> Vec<String> {
        self.world.blocks()
    }

    fn has_image(&self, name: &str) -> bool {
        self.world.has_image(name)
    }

    fn images(&self) -> Vec<String> {
        self.world.images()
    }
}

fn build(text: &str, env: &dyn Env) -> Output {
    let compiled = engines::compile_text(text, env, &Options::default());
    let rendered = engines::rendered(&compiled);
    compiled
        .output
        .unwrap_or_else(|| panic!("{text}\n{rendered}"))
}

/// What the rune makes of 0.5 and of 12.5.
fn values(output: &Output) -> Vec<f32> {
    let feeds = [0.5_f32, 12.5].map(|x| vec![x.to_le_bytes().to_vec()]);
    let value = |outcome: Outcome| {
        let Outcome::Outputs(outputs) = outcome else {
            panic!("{outcome:?}");
        };
        match &outputs[0].as_ref().unwrap()[0] {
            Data::Bytes(bytes) => f32::from_le_bytes(bytes[..].try_into().unwrap()),
            Data::Strings(texts) => panic!("{texts:?}"),
        }
    };
    engines::run(output, &feeds)
        .into_iter()
        .map(value)
        .collect()
}

#[test]
fn a_layer_changes_what_the_rune_does_and_its_sources_do_not() {
    let world: Arc<dyn Env> = Arc::new(World::new(root()));
    let recorder = Recorder::new("Runefile", BASE.as_bytes(), world);
    let request = Request::new("Runefile", "case", BASE.as_bytes(), &recorder);
    let mut base = driver::generate(driver::analyse(&request), &Options::default())
        .output
        .unwrap();
    let plain = values(&base);
    recorder.attach(&mut base.wasm).unwrap();
    // The runtime takes the rune as it is, and it does the same.
    assert_eq!(values(&base), plain);
    assert!((plain[0] - 0.5_f32.sin()).abs() < 0.1, "{plain:?}");
    assert!((plain[1] - 2.5_f32.sin()).abs() < 0.1, "{plain:?}");
    let on = On {
        world: Overlay::new(root()),
        base: source::open(&base.wasm, "base.rune", "base.rune", World::new("")).unwrap(),
    };
    let same = build("FROM ./base.rune\n", &on);
    assert_eq!(values(&same), plain);
    let set = values(&build("FROM ./base.rune\nSET wave --modulus 12\n", &on));
    assert_eq!(set[0], plain[0]);
    assert_eq!(set[1], plain[0], "12.5 modulo 12 is 0.5");
    let replaced = "\
FROM ./base.rune
REPLACE PROC_BLOCK<F32[1, 1] -> F32[1, 1]> runicos/modulo sine --modulus 2
";
    assert_eq!(values(&build(replaced, &on)), [0.5, 0.5]);
}
