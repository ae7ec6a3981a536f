//! RAW: the bytes of files as they are.

use rune_abi::Capability;

use super::{
    Given, Source, SourceError,
    window::{Recording, Windows},
};

/// Opens files; the hop is in bytes.
pub(super) fn open(capability: &Capability, given: &Given) -> Result<Box<dyn Source>, SourceError> {
    let recordings = given
        .values
        .iter()
        .map(|file| {
            Ok(Recording {
                name: file.clone(),
                data: given.read(file)?,
            })
        })
        .collect::<Result<_, SourceError>>()?;
    Ok(Box::new(Windows::new(capability, recordings, 1, "byte")?))
}
