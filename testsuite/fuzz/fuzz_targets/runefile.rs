//! A Runefile through the whole compiler: a rune, or an error with a place that can be shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rune_testsuite::{engines::rendered, overlay::Overlay};

fuzz_target!(|text: &[u8]| {
    let world = Overlay::new("../../examples/gesture");
    let compiled = runec::compile("Runefile", "fuzz", text, &world, &runec::Options::default());
    let shown = rendered(&compiled);
    assert!(compiled.output.is_some() || shown.contains("error["), "{shown}");
});
