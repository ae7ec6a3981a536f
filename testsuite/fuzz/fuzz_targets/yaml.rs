//! A Runefile in YAML through the whole compiler, and to the text form, which is read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rune_ir::diag::{FileId, has_errors};
use rune_runefile::{Format, convert, read};
use rune_testsuite::{engines::rendered, overlay::Overlay};

fuzz_target!(|bytes: &[u8]| {
    let world = Overlay::new("../../examples/gesture");
    let options = runec::Options::default();
    let compiled = runec::compile("Runefile.yml", "fuzz", bytes, &world, &options);
    let shown = rendered(&compiled);
    assert!(compiled.output.is_some() || shown.contains("error["), "{shown}");
    let (tree, _) = read(Format::Yaml, FileId(0), bytes);
    if let (false, Ok(text)) = (tree.flawed, std::str::from_utf8(bytes))
        && let Ok(converted) = convert(&tree, text, &world)
    {
        let (_, found) = read(Format::Text, FileId(0), converted.text.as_bytes());
        assert!(!has_errors(&found), "{}\n{found:?}", converted.text);
    }
});
