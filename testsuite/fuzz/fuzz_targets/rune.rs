//! The bytes of a rune, checked against the contract.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = rune_runtime::Rune::load(bytes.to_vec());
});
