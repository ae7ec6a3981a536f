//! RAW: the bytes of files as they are.

use rune_abi::Capability;

use super::{
    Source, SourceError, read_file,
    window::{Recording, Windows},
};

/// Opens files; the hop is in bytes.
pub(super) fn open(
    capability: &Capability,
    files: &[String],
) -> Result<Box<dyn Source>, SourceError> {
    let recordings = files
        .iter()
        .map(|file| {
            Ok(Recording {
                name: file.clone(),
                data: read_file(file)?,
            })
        })
        .collect::<Result<_, SourceError>>()?;
    Ok(Box::new(Windows::new(capability, recordings, 1, "byte")?))
}
