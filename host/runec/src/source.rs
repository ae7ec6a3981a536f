//! The section `rune.source`: what a rune was built from, so that another can be built on top of it.
//!
//! It holds the answers that the world gave the compiler: of each layer its Runefile, and each file and each
//! module of a folder block that was asked for, under the path as the Runefile has it. The catalogue is not in
//! it, every compiler has its own. `docs/abi.md` has the bytes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rune_abi::section;
use rune_ir::env::{Env, Layer, Unbuilt};
use rune_registry::{SourceFile, SourceKind};
use rune_runefile::MAX_LAYERS;

use crate::world::World;

/// The first bytes.
const MAGIC: [u8; 4] = *b"RSRC";
/// The layout of the rest.
const VERSION: u32 = 1;

/// One layer with everything its Runefile names.
#[derive(Clone, Debug, Default, PartialEq)]
struct Stored {
    /// The name of its file, without folders.
    name: String,
    runefile: Arc<[u8]>,
    /// By path as written.
    files: Files,
    /// Modules of blocks that are folders, by path as written.
    blocks: Files,
}

type Files = BTreeMap<String, Arc<[u8]>>;

/// A world that remembers what it was asked, to put it into a rune.
#[derive(Clone)]
pub struct Recorder {
    world: Arc<dyn Env>,
    /// The layers so far, the Runefile asked for first.
    log: Arc<Mutex<Vec<Stored>>>,
    /// Which of them is asking.
    index: usize,
}

impl Recorder {
    /// Remembers what a Runefile, shown as `path`, asks `world`.
    pub fn new(path: &str, runefile: &[u8], world: Arc<dyn Env>) -> Self {
        let own = Stored::new(path, runefile.into());
        Self {
            world,
            log: Arc::new(Mutex::new(vec![own])),
            index: 0,
        }
    }

    /// Adds to a rune, built from what was asked here, the section with the answers.
    ///
    /// # Errors
    /// One sentence, where they are too large.
    pub fn attach(&self, rune: &mut Vec<u8>) -> Result<(), String> {
        let too_large = || "the sources are larger than 4 GiB".to_owned();
        let content = encode(&self.log()).ok_or_else(too_large)?;
        let name = section::SOURCE.as_bytes();
        let size = u32::try_from(content.len() + 1 + name.len()).map_err(|_| too_large())?;
        rune.push(0);
        leb(rune, size);
        leb(rune, name.len() as u32);
        rune.extend(name);
        rune.extend(content);
        Ok(())
    }

    fn log(&self) -> MutexGuard<'_, Vec<Stored>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A layer whose world remembers too.
    fn below(&self, layer: Layer) -> Layer {
        let index = self.index + 1;
        let mut log = self.log();
        if log.len() == index {
            log.push(Stored::new(&layer.name, layer.bytes.clone()));
        }
        let env = Self {
            world: layer.env,
            log: self.log.clone(),
            index,
        };
        Layer {
            env: Arc::new(env),
            ..layer
        }
    }

    fn note(&self, files: fn(&mut Stored) -> &mut Files, path: &str, bytes: &Arc<[u8]>) {
        files(&mut self.log()[self.index]).insert(path.to_owned(), bytes.clone());
    }
}

impl Env for Recorder {
    fn file(&self, path: &str) -> Result<Arc<[u8]>, String> {
        let bytes = self.world.file(path)?;
        self.note(|stored| &mut stored.files, path, &bytes);
        Ok(bytes)
    }

    fn layer(&self, path: &str) -> Result<Layer, String> {
        Ok(self.below(self.world.layer(path)?))
    }

    fn fetched(&self, reference: &str) -> Option<Result<Layer, String>> {
        Some(
            self.world
                .fetched(reference)?
                .map(|layer| self.below(layer)),
        )
    }

    fn archive(&self, path: &str) -> Option<Result<Arc<[u8]>, String>> {
        let bytes = self.world.archive(path)?;
        if let Ok(bytes) = &bytes {
            // A folder is asked for as nothing else, so it will do as a file.
            self.note(|stored| &mut stored.files, path, bytes);
        }
        Some(bytes)
    }

    fn block(&self, name: &str) -> Option<Arc<[u8]>> {
        self.world.block(name)
    }

    fn folder_block(&self, path: &str, build: bool) -> Option<Result<Arc<[u8]>, Unbuilt>> {
        let built = self.world.folder_block(path, build)?;
        if let Ok(bytes) = &built {
            self.note(|stored| &mut stored.blocks, path, bytes);
        }
        Some(built)
    }

    fn resolve_block(&self, name: &str) -> Option<String> {
        self.world.resolve_block(name)
    }

    fn blocks(&self) -> Vec<String> {
        self.world.blocks()
    }

    fn has_image(&self, name: &str) -> bool {
        self.world.has_image(name)
    }

    fn images(&self) -> Vec<String> {
        self.world.images()
    }
}

/// What a layer sees whose rune carries its sources: those, and the catalogue of this compiler.
struct Archive {
    layers: Arc<[Stored]>,
    index: usize,
    /// The path of the rune, to show, and what tells it from other files.
    rune: (String, String),
    catalogue: World,
}

impl Archive {
    /// The layer at `index`, which is there.
    fn layer_at(&self, index: usize) -> Layer {
        let stored = &self.layers[index];
        let below = match index {
            0 => String::new(),
            _ => format!("layer-{index}/"),
        };
        let (rune, id) = &self.rune;
        Layer {
            name: format!("{rune}/{below}{}", stored.name),
            id: format!("{id}/{index}"),
            bytes: stored.runefile.clone(),
            env: Arc::new(Self {
                layers: self.layers.clone(),
                index,
                rune: self.rune.clone(),
                catalogue: self.catalogue.clone(),
            }),
        }
    }
}

impl Env for Archive {
    fn file(&self, path: &str) -> Result<Arc<[u8]>, String> {
        let files = &self.layers[self.index].files;
        files
            .get(path)
            .cloned()
            .ok_or_else(|| format!("{} does not carry it", self.rune.0))
    }

    fn layer(&self, _: &str) -> Result<Layer, String> {
        // A Runefile names one other, so the path tells nothing.
        match self.layers.get(self.index + 1) {
            Some(_) => Ok(self.layer_at(self.index + 1)),
            None => Err(format!("{} does not carry it", self.rune.0)),
        }
    }

    fn fetched(&self, reference: &str) -> Option<Result<Layer, String>> {
        Some(self.layer(reference))
    }

    fn block(&self, name: &str) -> Option<Arc<[u8]>> {
        self.catalogue.block(name)
    }

    fn folder_block(&self, path: &str, _: bool) -> Option<Result<Arc<[u8]>, Unbuilt>> {
        self.layers[self.index].blocks.get(path).cloned().map(Ok)
    }

    fn resolve_block(&self, name: &str) -> Option<String> {
        self.catalogue.resolve_block(name)
    }

    fn blocks(&self) -> Vec<String> {
        self.catalogue.blocks()
    }

    fn has_image(&self, name: &str) -> bool {
        self.catalogue.has_image(name)
    }

    fn images(&self) -> Vec<String> {
        self.catalogue.images()
    }
}

/// Whether these are the bytes of a WebAssembly module rather than of a Runefile.
pub fn is_module(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\0asm")
}

/// The layer that a rune with sources is, shown as `rune`, and `id` telling its file from others.
///
/// # Errors
/// One sentence, where it has no sources or they are damaged.
pub fn open(bytes: &[u8], rune: &str, id: &str, catalogue: World) -> Result<Layer, String> {
    let damaged = |what: &str| format!("{rune} is damaged: {what}");
    let contents = sources_of(bytes).ok_or_else(|| damaged("it is no whole module"))?;
    let Some(content) = contents.first() else {
        return Err(format!(
            "{rune} carries no sources; build it with `runec build --with-source`"
        ));
    };
    let layers = decode(content).map_err(|what| damaged(&format!("in its sources, {what}")))?;
    Ok(archive(layers.into(), rune, id, catalogue))
}

fn archive(layers: Arc<[Stored]>, rune: &str, id: &str, catalogue: World) -> Layer {
    let archive = Archive {
        layers,
        index: 0,
        rune: (rune.to_owned(), id.to_owned()),
        catalogue,
    };
    archive.layer_at(0)
}

/// What a rune was built from.
#[derive(Clone, Debug)]
pub struct Sources(Arc<[Stored]>);

impl Sources {
    /// Those that are in files which were taken out of a rune.
    ///
    /// # Errors
    /// Half a sentence, where they are not all of a rune.
    pub fn of_files(files: Vec<SourceFile>) -> Result<Self, String> {
        if files.is_empty() {
            return Err(
                "carries no sources; build it with `runec build --with-source` before it is pushed"
                    .to_owned(),
            );
        }
        let mut layers: Vec<Stored> = vec![];
        for file in files {
            let bytes = file.bytes.into();
            match file.kind {
                // They come by rising layer, each layer's Runefile first.
                SourceKind::Runefile if file.layer == layers.len() => {
                    layers.push(Stored::new(&file.path, bytes));
                }
                SourceKind::Block if file.layer + 1 == layers.len() => {
                    layers[file.layer].blocks.insert(file.path, bytes);
                }
                SourceKind::File if file.layer + 1 == layers.len() => {
                    layers[file.layer].files.insert(file.path, bytes);
                }
                SourceKind::Runefile | SourceKind::Block | SourceKind::File => {
                    return Err("is damaged: a layer has no Runefile, or two".to_owned());
                }
            }
        }
        Ok(Self(layers.into()))
    }

    /// Bytes of all of them.
    pub(crate) fn weight(&self) -> usize {
        let of = |files: &Files| files.values().map(|bytes| bytes.len()).sum::<usize>();
        let layers = self.0.iter();
        layers
            .map(|layer| layer.runefile.len() + of(&layer.files) + of(&layer.blocks))
            .sum()
    }

    /// The layer that they are, shown as of `rune`, and `id` telling it from others.
    pub fn layer(&self, rune: &str, id: &str, catalogue: World) -> Layer {
        archive(self.0.clone(), rune, id, catalogue)
    }
}

/// A rune without its sources, and each of them.
pub type TakenOut = (Vec<u8>, Vec<SourceFile>);

/// Takes the sources out of a rune: the rune without them, and each. `None`: it carries none.
///
/// # Errors
/// One sentence, where it is no whole module or its sources are damaged.
pub fn take_out(module: &[u8]) -> Result<Option<TakenOut>, String> {
    let cut = || "it is no whole module".to_owned();
    let mut reader = Reader(module);
    let mut rest = reader.bytes(8).ok_or_else(cut)?.to_vec();
    let mut content = None;
    while !reader.0.is_empty() {
        let before = reader.0;
        let (has_sources, section) = reader.section().ok_or_else(cut)?;
        if has_sources && content.is_none() {
            content = Some(section);
        } else {
            rest.extend(&before[..before.len() - reader.0.len()]);
        }
    }
    let Some(content) = content else {
        return Ok(None);
    };
    let layers = decode(content).map_err(|what| format!("its sources are damaged: {what}"))?;
    let mut files = vec![];
    for (layer, stored) in layers.into_iter().enumerate() {
        let file = |kind, path, bytes: &[u8]| SourceFile {
            layer,
            kind,
            path,
            bytes: bytes.to_vec(),
        };
        files.push(file(SourceKind::Runefile, stored.name, &stored.runefile));
        let blocks = stored.blocks.into_iter();
        files.extend(blocks.map(|(path, bytes)| file(SourceKind::Block, path, &bytes)));
        let plain = stored.files.into_iter();
        files.extend(plain.map(|(path, bytes)| file(SourceKind::File, path, &bytes)));
    }
    Ok(Some((rest, files)))
}

impl Stored {
    fn new(path: &str, runefile: Arc<[u8]>) -> Self {
        let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
        Self {
            name: name.to_owned(),
            runefile,
            ..Self::default()
        }
    }
}

/// The content of the section; `None`: some size is beyond 32 bits.
fn encode(layers: &[Stored]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    out.extend(MAGIC);
    out.extend([0; 4]);
    out.extend(VERSION.to_le_bytes());
    out.extend(u32::try_from(layers.len()).ok()?.to_le_bytes());
    let put = |out: &mut Vec<u8>, bytes: &[u8]| -> Option<()> {
        out.extend(u32::try_from(bytes.len()).ok()?.to_le_bytes());
        out.extend(bytes);
        Some(())
    };
    for layer in layers {
        put(&mut out, layer.name.as_bytes())?;
        put(&mut out, &layer.runefile)?;
        for files in [&layer.files, &layer.blocks] {
            out.extend(u32::try_from(files.len()).ok()?.to_le_bytes());
            for (path, bytes) in files {
                put(&mut out, path.as_bytes())?;
                put(&mut out, bytes)?;
            }
        }
    }
    let length = u32::try_from(out.len()).ok()?;
    out[4..8].copy_from_slice(&length.to_le_bytes());
    Some(out)
}

/// The layers in the content of a section, or what is wrong with it. There is at least one, and every byte
/// means something.
fn decode(content: &[u8]) -> Result<Vec<Stored>, &'static str> {
    let mut reader = Reader(content);
    if reader.bytes(4) != Some(&MAGIC) {
        return Err("the first bytes are not those of sources");
    }
    if reader.word() != u32::try_from(content.len()).ok() {
        return Err("the length is not what it says");
    }
    if reader.word() != Some(VERSION) {
        return Err("the layout is of another version of the compiler");
    }
    let count = reader.word().unwrap_or(0) as usize;
    if !(1..=MAX_LAYERS).contains(&count) {
        return Err("there are no layers, or too many");
    }
    let layers: Option<Vec<Stored>> = (0..count).map(|_| reader.stored()).collect();
    match layers {
        Some(layers) if reader.0.is_empty() => Ok(layers),
        Some(_) | None => Err("an entry is cut off or out of order"),
    }
}

/// Takes pieces off the front of bytes; `None` where there are too few.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn word(&mut self) -> Option<u32> {
        let bytes = self.bytes(4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }

    /// Bytes behind their count.
    fn counted(&mut self) -> Option<&'a [u8]> {
        let count = self.word()?;
        self.bytes(count as usize)
    }

    fn text(&mut self) -> Option<String> {
        Some(std::str::from_utf8(self.counted()?).ok()?.to_owned())
    }

    fn stored(&mut self) -> Option<Stored> {
        Some(Stored {
            name: self.text()?,
            runefile: self.counted()?.into(),
            files: self.files()?,
            blocks: self.files()?,
        })
    }

    /// Files by rising path.
    fn files(&mut self) -> Option<Files> {
        let count = self.word()?;
        let mut files = Files::new();
        for _ in 0..count {
            let path = self.text()?;
            if files
                .last_key_value()
                .is_some_and(|(last, _)| *last >= path)
            {
                return None;
            }
            files.insert(path, self.counted()?.into());
        }
        Some(files)
    }

    /// Whether the next section of a module has sources, and its content; `None`: it is cut off.
    fn section(&mut self) -> Option<(bool, &'a [u8])> {
        let id = self.bytes(1)?;
        let size = self.leb()?;
        let mut section = Reader(self.bytes(size as usize)?);
        if id != [0] {
            return Some((false, section.0));
        }
        let length = section.leb()?;
        let name = section.bytes(length as usize)?;
        Some((name == section::SOURCE.as_bytes(), section.0))
    }

    /// A number in LEB128 of at most 32 bits.
    fn leb(&mut self) -> Option<u32> {
        let mut value = 0_u64;
        for shift in (0..35).step_by(7) {
            let byte = self.bytes(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(value).ok();
            }
        }
        None
    }
}

/// The contents of the sections of sources of a module; `None`: it is no whole module.
fn sources_of(module: &[u8]) -> Option<Vec<&[u8]>> {
    let mut reader = Reader(module);
    // Magic and version.
    reader.bytes(8)?;
    let mut found = Vec::new();
    while !reader.0.is_empty() {
        let (has_sources, section) = reader.section()?;
        found.extend(has_sources.then_some(section));
    }
    Some(found)
}

/// Writes a number in LEB128.
fn leb(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers() -> Vec<Stored> {
        let files = |list: &[(&str, &[u8])]| -> Files {
            list.iter()
                .map(|(path, bytes)| ((*path).to_owned(), Arc::from(*bytes)))
                .collect()
        };
        vec![
            Stored {
                name: "Runefile".to_owned(),
                runefile: Arc::from(&b"FROM ../base"[..]),
                files: files(&[("../up/a.tflite", &[1, 2, 3]), ("labels.txt", b"a\nb")]),
                blocks: files(&[("./gain", b"\0asm")]),
            },
            Stored {
                name: "base.Runefile".to_owned(),
                runefile: Arc::from(&b"FROM runicos/base"[..]),
                ..Stored::default()
            },
        ]
    }

    /// A module of nothing but a section of another name and the sources.
    fn module() -> Vec<u8> {
        let mut module = b"\0asm\x01\0\0\0\0\x05\x04name".to_vec();
        let recorder = Recorder {
            world: Arc::new(World::new("")),
            log: Arc::new(Mutex::new(layers())),
            index: 0,
        };
        recorder.attach(&mut module).unwrap();
        module
    }

    fn opened(module: &[u8]) -> Result<Layer, String> {
        open(module, "x.rune", "/x.rune", World::new(""))
    }

    #[test]
    fn what_was_put_in_comes_out() {
        let top = opened(&module()).unwrap();
        assert_eq!(top.name, "x.rune/Runefile");
        assert_eq!(*top.bytes, *b"FROM ../base");
        assert_eq!(*top.env.file("../up/a.tflite").unwrap(), [1, 2, 3]);
        assert_eq!(*top.env.file("labels.txt").unwrap(), *b"a\nb");
        assert!(top.env.folder_block("./gain", false).unwrap().is_ok());
        assert!(top.env.folder_block("labels.txt", false).is_none());
        let base = top.env.layer("../base").unwrap();
        assert_eq!(base.name, "x.rune/layer-1/base.Runefile");
        assert_ne!(base.id, top.id);
        let missing = base.env.file("labels.txt").unwrap_err();
        assert_eq!(missing, "x.rune does not carry it");
        assert!(base.env.layer("./more").is_err());
    }

    #[test]
    fn sources_are_taken_out_and_open_again() {
        let module = module();
        let (rest, files) = take_out(&module).unwrap().unwrap();
        assert_eq!(rest, b"\0asm\x01\0\0\0\0\x05\x04name");
        assert_eq!(take_out(&rest), Ok(None));
        let sources = Sources::of_files(files.clone()).unwrap();
        let layer = sources.layer("x", "y", World::new(""));
        assert_eq!(*layer.bytes, *b"FROM ../base");
        assert_eq!(*layer.env.file("labels.txt").unwrap(), *b"a\nb");
        assert!(layer.env.folder_block("./gain", false).unwrap().is_ok());
        let base = layer.env.layer("anything").unwrap();
        assert_eq!(*base.bytes, *b"FROM runicos/base");
        // Of what is missing or doubled no rune is made.
        for bad in [&files[1..], &[&files[..1], &files[..]].concat(), &[]] {
            assert!(Sources::of_files(bad.to_vec()).is_err());
        }
        for length in 0..module.len() {
            let is_whole = length == 8 || length == 15;
            assert_eq!(take_out(&module[..length]).is_ok(), is_whole, "{length}");
        }
    }

    #[test]
    fn a_rune_without_sources_says_what_to_do() {
        let error = opened(b"\0asm\x01\0\0\0\0\x05\x04name").err().unwrap();
        assert!(error.contains("--with-source"), "{error}");
    }

    #[test]
    fn a_module_that_is_cut_off_is_damaged_at_every_length_but_a_section_end() {
        let module = module();
        for length in 0..module.len() {
            let error = opened(&module[..length]).err().unwrap();
            let is_whole = length == 8 || length == 15;
            assert_eq!(error.contains("carries no sources"), is_whole, "{error}");
        }
    }

    /// What is read back and written again is the same: every byte that is taken means something.
    #[test]
    fn damaged_sources_are_refused_or_read_as_they_are() {
        let good = encode(&layers()).unwrap();
        assert_eq!(decode(&good).unwrap(), layers());
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed % below as u64) as usize
        };
        let (mut read, mut refused) = (0, 0);
        for _ in 0..20_000 {
            let mut bad = good.clone();
            for _ in 0..=random(3) {
                let at = random(bad.len());
                match random(4) {
                    0 => bad[at] = random(256) as u8,
                    1 => bad[at] ^= 1 << random(8),
                    2 => bad.truncate(at + 1),
                    _ => bad.insert(at, random(256) as u8),
                }
            }
            match decode(&bad) {
                Ok(layers) => {
                    assert_eq!(encode(&layers).unwrap(), bad);
                    read += 1;
                }
                Err(_) => refused += 1,
            }
        }
        assert!(
            read > 1000 && refused > 1000,
            "{read} read, {refused} refused"
        );
    }
}
