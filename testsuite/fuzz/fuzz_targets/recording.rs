//! A file of a recording, read to its end: samples and an end, or an error with a place in the file.
#![no_main]

use std::{fs, path::PathBuf, sync::LazyLock, time::Instant};

use libfuzzer_sys::fuzz_target;
use rune_runtime::{Read, Replay, SourceError};

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("rune-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("the fuzzer may write");
    folder
});

fuzz_target!(|file: &[u8]| {
    fs::write(FOLDER.join("00.rrec"), file).expect("the fuzzer may write");
    if let Err(error) = read(file) {
        assert!(error.place.contains("00.rrec, byte "), "{error}");
    }
});

fn read(file: &[u8]) -> Result<(), SourceError> {
    let mut source = Replay::new(&*FOLDER).open(0)?;
    let mut sample = [0; 2];
    let mut count = 0;
    while let Read::Sample = source.read(&mut sample, Instant::now())? {
        count += sample.len();
        assert!(count < file.len(), "more was read than there is");
    }
    Ok(())
}
