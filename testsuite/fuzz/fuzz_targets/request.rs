//! A line at the control socket: no request, or one that says the same when it is written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rune_runtime::serve::Request;

fuzz_target!(|line: &[u8]| {
    if let Ok(request) = serde_json::from_slice::<Request>(line) {
        let again = serde_json::to_vec(&request).expect("a request is JSON");
        assert_eq!(serde_json::from_slice::<Request>(&again).ok(), Some(request));
    }
});
