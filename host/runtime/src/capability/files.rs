//! Files that feed a capability, and RAW, which takes their bytes as they are.

use std::{
    fs,
    io::{self, Read as _},
    os::unix::fs::FileTypeExt,
    path::PathBuf,
};

use rune_abi::Capability;

use super::{
    OpenError, Source, SourceError,
    beneath::open as open_beneath,
    setup::Setup,
    window::{Recording, Windows},
};

/// Files, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    /// Each with what is said of it.
    pub(super) files: Vec<(String, Setup)>,
    /// The folder beneath which the files must lie; `None`: a person named them, and they may lie anywhere.
    pub(super) folder: Option<PathBuf>,
}

impl Files {
    /// The content of one of the files.
    pub(super) fn read(&self, file: &str) -> Result<Vec<u8>, SourceError> {
        let read = || match &self.folder {
            None => {
                let kind = fs::metadata(file)?.file_type();
                if kind.is_char_device() || kind.is_block_device() {
                    return Err(io::Error::other(
                        "it is a device, not a file; a sensor is named by what it is, such as serial:DEVICE",
                    ));
                }
                fs::read(file)
            }
            Some(folder) => {
                let mut bytes = vec![];
                open_beneath(folder, file)?.read_to_end(&mut bytes)?;
                Ok(bytes)
            }
        };
        read().map_err(|e| SourceError::new(file, e))
    }

    /// Every file as a recording, made by a function of its name, what is said of it, and its bytes.
    pub(super) fn recordings(
        &self,
        make: impl Fn(&str, &Setup, Vec<u8>) -> Result<Vec<u8>, OpenError>,
    ) -> Result<Vec<Recording>, OpenError> {
        super::all(self.files.iter().map(|(file, setup)| {
            Ok(Recording {
                name: file.clone(),
                data: make(file, setup, self.read(file)?)?,
            })
        }))
    }
}

/// The bytes of files; the hop is in bytes.
pub(super) fn open_raw(
    capability: &Capability,
    files: &Files,
) -> Result<Box<dyn Source>, OpenError> {
    let recordings = files.recordings(|_, _, bytes| Ok(bytes))?;
    Ok(Box::new(Windows::new(capability, recordings, 1, "byte")?))
}
