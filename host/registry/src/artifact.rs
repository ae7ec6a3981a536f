//! What an artifact is made of: the Wasm layout of OCI, with the sources as layers beside the rune.
//!
//! A rune alone is one manifest. With images for processors it is an index with an entry for each platform, the rune's
//! first. Layers are found by the digest that configuration or notes name, never by their place.

use serde::{Deserialize, Serialize};

use crate::{
    Descriptor, Digest, Error, Index, Manifest, Store,
    manifest::{Annotations, to_bytes},
};

/// Media types.
pub mod media {
    /// A manifest.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An index.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// A rune with its sources, as kind of artifact.
    pub const RUNE: &str = "application/vnd.rune.v1";
    /// The configuration of a WebAssembly artifact.
    pub const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
    /// A rune.
    pub const WASM: &str = "application/wasm";
    /// A rune as machine code, as kind of artifact and as layer.
    pub const IMAGE: &str = "application/vnd.rune.image.v1";
    /// The configuration of such an image.
    pub const IMAGE_CONFIG: &str = "application/vnd.rune.image.config.v1+json";
    /// A Runefile.
    pub const RUNEFILE: &str = "application/vnd.rune.runefile.v1+text";
    /// A model.
    pub const MODEL: &str = "application/vnd.rune.model.v1+tflite";
    /// A block that is no part of the catalogue.
    pub const BLOCK: &str = "application/vnd.rune.block.v1+wasm";
    /// What else a Runefile names.
    pub const RESOURCE: &str = "application/vnd.rune.resource.v1";
    /// A signature of a manifest, as kind of artifact.
    pub const SIGNATURE: &str = "application/vnd.rune.signature.v1";
    /// The file of such a signature, as minisign has it.
    pub const MINISIG: &str = "application/vnd.rune.minisig.v1+text";
    /// Nothing, where there must be a configuration.
    pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
}

/// The note with the number of the Runefile that a file belongs to, from the top.
const LAYER: &str = "dev.rune.layer";
/// The note with the path of a file as that Runefile has it.
const PATH: &str = "dev.rune.path";
const TITLE: &str = "org.opencontainers.image.title";
const VERSION: &str = "org.opencontainers.image.version";
/// Most Runefiles that lie on each other.
const MOST_RUNEFILES: usize = 16;

/// What an entry of an index is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// The kind of processor.
    pub architecture: String,
    /// What it has for a system.
    pub os: String,
    /// The processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// Where runes run as they are.
    pub fn wasm() -> Self {
        Self {
            architecture: "wasm".to_owned(),
            os: "wasip1".to_owned(),
            variant: None,
        }
    }

    /// Where images for a target run.
    pub fn image(target: &str) -> Self {
        Self {
            architecture: "arm".to_owned(),
            os: "none".to_owned(),
            variant: Some(target.to_owned()),
        }
    }

    /// The platform of a name: `wasm`, or the name of a target.
    pub fn named(name: &str) -> Self {
        match name {
            "wasm" => Self::wasm(),
            target => Self::image(target),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.variant.as_deref().unwrap_or(&self.architecture)
    }
}

/// What a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceKind {
    /// A Runefile; its path is its name.
    Runefile,
    /// The module of a block that is a folder.
    Block,
    /// A model, or what else is read as a file.
    File,
}

/// A file that a rune was built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The number of the Runefile it belongs to: 0 the rune's own, and then what lies below.
    pub layer: usize,
    /// What it is.
    pub kind: SourceKind,
    /// Its path as the Runefile has it. It names no file here.
    pub path: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl SourceFile {
    fn media_type(&self) -> &'static str {
        match self.kind {
            SourceKind::Runefile => media::RUNEFILE,
            SourceKind::Block => media::BLOCK,
            SourceKind::File if self.bytes.get(4..8) == Some(b"TFL3") => media::MODEL,
            SourceKind::File => media::RESOURCE,
        }
    }
}

/// A rune as machine code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The name of the target it is for.
    pub target: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A rune, to be put into a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Artifact {
    /// Its name and its version.
    pub name: (String, String),
    /// The rune.
    pub rune: Vec<u8>,
    /// The same for processors.
    pub images: Vec<Image>,
    /// What it was built from.
    pub sources: Vec<SourceFile>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WasmConfig {
    /// Required by readers; what is built again is to be the same.
    created: String,
    architecture: String,
    os: String,
    layer_digests: Vec<Digest>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ImageConfig {
    target: String,
    layer_digests: Vec<Digest>,
}

impl Artifact {
    /// Puts it into a store; what names the whole. The same artifact gives the same bytes.
    pub fn put(&self, store: &Store) -> Result<Descriptor, Error> {
        let rune = self.put_rune(store)?;
        if self.images.is_empty() {
            return Ok(rune);
        }
        let mut entries = vec![Descriptor {
            platform: Some(Platform::wasm()),
            ..rune
        }];
        for image in &self.images {
            entries.push(Descriptor {
                platform: Some(Platform::image(&image.target)),
                ..self.put_image(store, image)?
            });
        }
        store.put(media::INDEX, &to_bytes(&Index::new(entries)))
    }

    fn put_rune(&self, store: &Store) -> Result<Descriptor, Error> {
        let mut rune = store.put(media::WASM, &self.rune)?;
        let title = format!("{}.rune", self.name.0);
        rune.annotations.insert(TITLE.to_owned(), title);
        let config = WasmConfig {
            created: "1970-01-01T00:00:00Z".to_owned(),
            architecture: "wasm".to_owned(),
            os: "wasip1".to_owned(),
            layer_digests: vec![rune.digest],
        };
        let config = store.put(media::WASM_CONFIG, &to_bytes(&config))?;
        let mut layers = vec![rune];
        for source in &self.sources {
            let mut layer = store.put(source.media_type(), &source.bytes)?;
            let notes = &mut layer.annotations;
            notes.insert(LAYER.to_owned(), source.layer.to_string());
            notes.insert(PATH.to_owned(), source.path.clone());
            layers.push(layer);
        }
        self.put_manifest(store, Manifest::new(media::RUNE, config, layers))
    }

    fn put_image(&self, store: &Store, image: &Image) -> Result<Descriptor, Error> {
        let mut layer = store.put(media::IMAGE, &image.bytes)?;
        let title = format!("{}.img", self.name.0);
        layer.annotations.insert(TITLE.to_owned(), title);
        let config = ImageConfig {
            target: image.target.clone(),
            layer_digests: vec![layer.digest],
        };
        let config = store.put(media::IMAGE_CONFIG, &to_bytes(&config))?;
        self.put_manifest(store, Manifest::new(media::IMAGE, config, vec![layer]))
    }

    fn put_manifest(&self, store: &Store, mut manifest: Manifest) -> Result<Descriptor, Error> {
        let (name, version) = self.name.clone();
        manifest.annotations =
            Annotations::from([(TITLE.to_owned(), name), (VERSION.to_owned(), version)]);
        store.put(media::MANIFEST, &to_bytes(&manifest))
    }

    /// A signature of a manifest, and what the manifest is.
    #[cfg(feature = "http")]
    pub(crate) fn put_signature(
        store: &Store,
        subject: &Descriptor,
        signature: &str,
    ) -> Result<Descriptor, Error> {
        let config = store.put(media::EMPTY, b"{}")?;
        let layer = store.put(media::MINISIG, signature.as_bytes())?;
        let mut manifest = Manifest::new(media::SIGNATURE, config, vec![layer]);
        manifest.subject = Some(Descriptor {
            annotations: Annotations::new(),
            platform: None,
            ..subject.clone()
        });
        let put = store.put(media::MANIFEST, &to_bytes(&manifest))?;
        Ok(Descriptor {
            artifact_type: Some(media::SIGNATURE.to_owned()),
            ..put
        })
    }
}

/// The manifests that a name stands for: one, or those of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A manifest.
    One(Box<Manifest>),
    /// An index.
    Many(Index),
}

impl Named {
    /// Reads what a registry gave, by its own word for what it is.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Either {
            manifests: Option<serde::de::IgnoredAny>,
        }
        // Both have all but lists in common, and some registries lose the media type.
        let either = serde_json::from_slice::<Either>(bytes);
        if either.is_ok_and(|either| either.manifests.is_some()) {
            return Index::parse(bytes).map(Self::Many);
        }
        Manifest::parse(bytes).map(|manifest| Self::One(Box::new(manifest)))
    }
}

impl Manifest {
    /// The layer with the rune, or with the image: the one that is of its media type, and the configuration names it.
    pub fn main(&self, store: &Store) -> Result<&Descriptor, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Config {
            layer_digests: Vec<Digest>,
        }

        let wanted = match self.config.media_type.as_str() {
            media::WASM_CONFIG => media::WASM,
            media::IMAGE_CONFIG => media::IMAGE,
            other => {
                let other: String = other.chars().take(80).collect();
                return Err(Error::Format(format!(
                    "it is no rune: its configuration is `{}`",
                    other.escape_debug()
                )));
            }
        };
        let config: Config = serde_json::from_slice(&store.read(&self.config)?)
            .map_err(|e| Error::Format(format!("the configuration is none: {e}")))?;
        let is_main = |layer: &&Descriptor| {
            layer.media_type == wanted && config.layer_digests.contains(&layer.digest)
        };
        let mut all = self.layers.iter().filter(is_main);
        match (all.next(), all.next()) {
            (Some(layer), None) => Ok(layer),
            (None, _) => Err(Error::Format("it has no layer with a rune".to_owned())),
            (Some(_), Some(_)) => Err(Error::Format("it has several runes".to_owned())),
        }
    }

    /// The layers that sources are in.
    pub fn source_layers(&self) -> impl Iterator<Item = &Descriptor> {
        let kinds = [media::RUNEFILE, media::BLOCK, media::MODEL, media::RESOURCE];
        let mut layers = self.layers.iter();
        std::iter::from_fn(move || layers.find(|l| kinds.contains(&l.media_type.as_str())))
    }

    /// What it was built from, in the order of layers and paths; empty: that was not pushed.
    pub fn sources(&self, store: &Store) -> Result<Vec<SourceFile>, Error> {
        let mut sources = vec![];
        for layer in self.source_layers() {
            let note = |name| layer.annotations.get(name).cloned();
            let number = note(LAYER).and_then(|n| n.parse().ok());
            let number = number.filter(|n| *n < MOST_RUNEFILES);
            let (Some(number), Some(path)) = (number, note(PATH)) else {
                let what = format!("the layer {} does not say what it is of", layer.digest);
                return Err(Error::Format(what));
            };
            sources.push(SourceFile {
                layer: number,
                kind: match layer.media_type.as_str() {
                    media::RUNEFILE => SourceKind::Runefile,
                    media::BLOCK => SourceKind::Block,
                    _ => SourceKind::File,
                },
                path,
                bytes: store.read(layer)?,
            });
        }
        sources.sort_by(|a, b| (a.layer, a.kind, &a.path).cmp(&(b.layer, b.kind, &b.path)));
        let twice = sources.windows(2).any(|w| {
            let key = |s: &SourceFile| (s.layer, s.kind, s.path.clone());
            key(&w[0]) == key(&w[1])
        });
        if twice {
            return Err(Error::Format("two layers are the same file".to_owned()));
        }
        Ok(sources)
    }
}

impl Store {
    /// The manifest for a platform of what a digest names.
    pub fn manifest(&self, digest: Digest, platform: &Platform) -> Result<Manifest, Error> {
        match Named::parse(&self.read_manifest(digest)?)? {
            Named::One(manifest) => of_platform(*manifest, platform),
            Named::Many(index) => {
                let entry = index
                    .find(platform)
                    .ok_or_else(|| missing(&index, platform))?;
                Manifest::parse(&self.read(entry)?)
            }
        }
    }
}

/// A manifest that stands alone, if it is for a platform.
pub(crate) fn of_platform(manifest: Manifest, platform: &Platform) -> Result<Manifest, Error> {
    let is_rune = manifest.config.media_type == media::WASM_CONFIG;
    if !is_rune || *platform == Platform::wasm() {
        return Ok(manifest);
    }
    let name = platform.name();
    Err(Error::NotFound(format!(
        "image for {name}, but only the rune"
    )))
}

/// That an index has nothing for a platform.
pub(crate) fn missing(index: &Index, platform: &Platform) -> Error {
    let there = index.manifests.iter().filter_map(|e| e.platform.as_ref());
    let there: Vec<&str> = there.map(Platform::name).take(16).collect();
    Error::NotFound(format!(
        "artifact for {} under this name, but for {}",
        platform.name().escape_debug(),
        there.join(", ").escape_debug()
    ))
}
