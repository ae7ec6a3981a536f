//! A TensorFlow Lite file through the importer, and a small graph on through the compiler.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rune_testsuite::overlay::Overlay;

const TEXT: &[u8] = b"FROM runicos/base\nCAPABILITY RAW x\nMODEL ./m.tflite m\nOUT SERIAL\nRUN x m serial\n";

fuzz_target!(|file: &[u8]| {
    let Ok(graph) = rune_models::import(file) else {
        return;
    };
    if graph.tensors.values().map(|t| t.bytes()).sum::<usize>() < 1 << 16 {
        let world = Overlay::new(".").with("./m.tflite", file);
        runec::compile("Runefile", "fuzz", TEXT, &world, &runec::Options::default());
    }
});
