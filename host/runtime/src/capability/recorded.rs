//! Files as a sensor gives them: described, and not adapted to any rune.

use rune_abi::{Capability, CapabilityKind};
use rune_adapt::{ImageSource, Source as Given};

use super::{OpenError, files::Files, image, setup::Setup, sound, table};

/// What a sensor gave, in its own form.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// What the bytes are.
    pub source: Given,
    /// Whole frames, or pictures.
    pub bytes: Vec<u8>,
}

/// What one sensor would have given that files hold; `None` of what no sensor gives in a form of its own, of several
/// recordings, which do not follow each other, and of pictures of several forms, or none.
///
/// # Errors
/// Where it cannot be read.
pub(crate) fn recording(
    capability: &Capability,
    files: &Files,
) -> Result<Option<Recording>, OpenError> {
    if let CapabilityKind::Image | CapabilityKind::FloatImage = capability.kind {
        return pictures(files);
    }
    let [(file, setup)] = &files.files[..] else {
        return Ok(None);
    };
    let (source, bytes) = match capability.kind {
        CapabilityKind::Sound => {
            let (source, bytes) = sound::samples(file, &files.read(file)?)?;
            (Given::Sound(source), bytes)
        }
        CapabilityKind::Accel => {
            let bytes = table::floats(file, &files.read(file)?, 3)?;
            (Given::Motion(table::readings(capability, setup)), bytes)
        }
        CapabilityKind::Rand
        | CapabilityKind::Image
        | CapabilityKind::Raw
        | CapabilityKind::FloatImage
        | CapabilityKind::Temperature
        | CapabilityKind::Gpio => return Ok(None),
    };
    Ok(Some(Recording { source, bytes }))
}

/// One picture after the other, if all are of one form. One that is none is an error of its call, and no recording.
fn pictures(files: &Files) -> Result<Option<Recording>, OpenError> {
    let mut all: Option<(ImageSource, Vec<u8>)> = None;
    for (file, Setup { crop, .. }) in &files.files {
        let Ok((size, format, mut pixels)) = image::decode(&files.read(file)?) else {
            return Ok(None);
        };
        let source = image::source(size, 0, format, *crop);
        match &mut all {
            None => all = Some((source, pixels)),
            Some((form, bytes)) if *form == source => bytes.append(&mut pixels),
            Some(_) => return Ok(None),
        }
    }
    Ok(all.map(|(source, bytes)| Recording {
        source: Given::Image(source),
        bytes,
    }))
}
