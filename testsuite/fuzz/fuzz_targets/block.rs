//! The bytes of a block, taken apart.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = rune_blocks::read(bytes.into());
});
