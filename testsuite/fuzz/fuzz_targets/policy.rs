//! The text of a policy: one that makes sense, or an error with a place in the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rune_runtime::Policy;

fuzz_target!(|text: &str| {
    if let Err(error) = Policy::parse("policy", text) {
        let (line, column) = error.place.expect("an error has a place");
        // One behind the last line and the last column is the end of the text.
        let lines: Vec<&str> = text.split('\n').collect();
        let width = lines.get(line - 1).map(|l| l.chars().count());
        assert!(width.is_some_and(|w| (1..=w + 1).contains(&column)), "{error}");
        assert!(!error.what.is_empty() && !error.what.contains('\n'), "{error:?}");
    }
});
