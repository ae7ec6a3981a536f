//! What flags give a rune that runs elsewhere, on a board that adapts sensors itself.

use rune_abi::CapabilityKind;

use crate::{
    Rune,
    capability::{self, Given, OpenError, Recording, Source},
    grant::{GrantError, SourceFlag, given_by_hand, not_opened, unfed},
};

/// What feeds one capability.
pub enum Input {
    /// Samples as the rune reads them.
    Samples(Box<dyn Source>),
    /// What the only sensor of its kind gives, in a form of its own.
    Recording(Recording),
}

impl Rune {
    /// What flags give each capability, in the order of the manifest: files of sound, readings and pictures as a sensor
    /// gives them, where one does, and all else as samples. Whether such a sensor can be adapted is not asked here.
    ///
    /// # Errors
    /// Where the flags do not fit, something is given nothing, or a source cannot be opened or has no sample.
    pub fn inputs(&self, flags: &[SourceFlag]) -> Result<Vec<Input>, GrantError> {
        let manifest = self.manifest();
        let capabilities = &manifest.capabilities;
        let given = given_by_hand(manifest, vec![], flags).map_err(GrantError::Flags)?;
        let unfed: Vec<String> = capabilities
            .iter()
            .zip(&given)
            .filter(|(c, given)| given.is_none() && c.kind != CapabilityKind::Rand)
            .map(|(capability, _)| unfed(manifest, capability))
            .collect();
        if !unfed.is_empty() {
            return Err(GrantError::Refused(unfed));
        }
        // A camera feeds both kinds of images.
        let sensor = |kind| {
            if kind == CapabilityKind::FloatImage {
                CapabilityKind::Image
            } else {
                kind
            }
        };
        let open = |index: usize, given: Option<Given>| {
            let capability = &capabilities[index];
            let kinds = capabilities.iter().map(|c| sensor(c.kind));
            let is_only = kinds.filter(|k| *k == sensor(capability.kind)).count() == 1;
            let recording = if let Some(Given::Files(files)) = &given
                && is_only
            {
                capability::recording(capability, files).map_err(not_opened)?
            } else {
                None
            };
            let given = given.unwrap_or(Given::Seeds(vec![]));
            match (capability::open(capability, index, given), recording) {
                // What cannot be adapted is for the board to say.
                (Ok(_) | Err(OpenError::Refused(_)), Some(recording)) => {
                    Ok(Input::Recording(recording))
                }
                (Ok(source), None) => Ok(Input::Samples(source)),
                (Err(error), _) => Err(not_opened(error)),
            }
        };
        given
            .into_iter()
            .enumerate()
            .map(|(i, given)| open(i, given))
            .collect()
    }
}
