//! Manifests and indexes of OCI, read with bounds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Digest, Error, Platform, media};

/// Most bytes of a manifest or an index: what registries take.
pub(crate) const MOST_BYTES: u64 = 4 << 20;
/// Most layers of a manifest, and entries of an index.
const MOST_ENTRIES: usize = 1024;
/// Most bytes of one layer.
const MOST_LAYER: u64 = 1 << 30;
/// Most bytes of all layers of a manifest.
const MOST_LAYERS: u64 = 2 << 30;

/// Notes on content.
pub(crate) type Annotations = BTreeMap<String, String>;

/// Content by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// What kind of artifact it is, in indexes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// What it is for, in indexes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Notes on it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
}

impl Descriptor {
    /// Of bytes.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
            artifact_type: None,
            platform: None,
            annotations: Annotations::new(),
        }
    }
}

/// An artifact: its configuration and its layers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    schema_version: u32,
    #[serde(default)]
    media_type: Option<String>,
    /// What kind of artifact it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Its configuration.
    pub config: Descriptor,
    /// Its layers, in no order that means something.
    pub layers: Vec<Descriptor>,
    /// What it is about, as a signature is about what is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Notes on it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
}

/// Artifacts of one name, one for each platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    schema_version: u32,
    #[serde(default)]
    media_type: Option<String>,
    /// The artifacts.
    pub manifests: Vec<Descriptor>,
    /// Notes on it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
}

impl Manifest {
    pub(crate) fn new(artifact_type: &str, config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media::MANIFEST.to_owned()),
            artifact_type: Some(artifact_type.to_owned()),
            config,
            layers,
            subject: None,
            annotations: Annotations::new(),
        }
    }

    /// Reads one; its layers are no larger than any may be.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let manifest: Self = json(bytes, "manifest")?;
        if manifest.schema_version != 2 {
            return Err(Error::Format(
                "the manifest is of another version than 2".to_owned(),
            ));
        }
        check(
            &manifest.layers,
            manifest.layers.iter().chain([&manifest.config]),
        )?;
        Ok(manifest)
    }
}

impl Index {
    pub(crate) fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media::INDEX.to_owned()),
            manifests,
            annotations: Annotations::new(),
        }
    }

    /// Reads one.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let index: Self = json(bytes, "index")?;
        if index.schema_version != 2 {
            return Err(Error::Format(
                "the index is of another version than 2".to_owned(),
            ));
        }
        check(&index.manifests, &index.manifests)?;
        Ok(index)
    }

    /// The artifact for a platform.
    pub fn find(&self, platform: &Platform) -> Option<&Descriptor> {
        let mut all = self.manifests.iter();
        all.find(|entry| entry.platform.as_ref() == Some(platform))
    }
}

fn json<'a, T: Deserialize<'a>>(bytes: &'a [u8], what: &'static str) -> Result<T, Error> {
    if bytes.len() as u64 > MOST_BYTES {
        let most = MOST_BYTES;
        return Err(Error::TooLarge { what, most });
    }
    serde_json::from_slice(bytes).map_err(|e| Error::Format(format!("the {what} is none: {e}")))
}

fn check<'a>(
    entries: &[Descriptor],
    all: impl IntoIterator<Item = &'a Descriptor>,
) -> Result<(), Error> {
    if entries.len() > MOST_ENTRIES {
        let what = format!("it has more than {MOST_ENTRIES} parts");
        return Err(Error::Format(what));
    }
    let mut sum = 0_u64;
    for layer in all {
        if layer.size > MOST_LAYER {
            let (what, most) = ("a layer", MOST_LAYER);
            return Err(Error::TooLarge { what, most });
        }
        sum += layer.size;
    }
    if sum > MOST_LAYERS {
        let (what, most) = ("the artifact", MOST_LAYERS);
        return Err(Error::TooLarge { what, most });
    }
    Ok(())
}

/// The bytes of something that is stored as JSON.
pub(crate) fn to_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("text and numbers can be written")
}
