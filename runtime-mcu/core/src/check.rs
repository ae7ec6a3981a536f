//! Step one of starting a rune: its bytes against the contract, by reading alone and without an allocator. What is
//! inside functions is for the validator of an engine, with exactly the features of the manifest.

use core::fmt;

use rune_abi::{
    ABI_VERSION, Import, ManifestError, ManifestView, ParamType, ParamView, ValType, ValueView,
    WasmFeatures, export,
    image::{ImageError, ImageView},
};
use sha2::{Digest as _, Sha256};

use crate::module::{List, Module, Reader};

const PAGE: u64 = 1 << 16;
/// Most entries of a table; a rune needs one per function whose address is taken.
pub const TABLE_ENTRIES: u32 = 1 << 16;

/// Why bytes are not a rune.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LoadError<'a> {
    /// They are not a WebAssembly module.
    Module {
        /// Bytes from the start of the module.
        offset: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// They begin as an image, and are none.
    Image(ImageError),
    /// An image has another digest than it says.
    Digest,
    /// The manifest breaks its format.
    Manifest(ManifestError),
    /// It is made for another version of the contract.
    AbiVersion(u16),
    /// The module breaks a rule of the contract.
    Contract(Breach<'a>),
}

impl fmt::Display for LoadError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Module { offset, what } => {
                write!(f, "not a valid module: {what} at byte {offset:#x}")
            }
            Self::Image(error) => write!(f, "not a valid image: {error}"),
            Self::Digest => f.write_str("its bytes have another digest than the image says"),
            Self::Manifest(error) => write!(f, "its manifest is damaged: {error}"),
            Self::AbiVersion(version) => write!(
                f,
                "it needs version {version} of the contract and this runtime has {ABI_VERSION}"
            ),
            Self::Contract(breach) => breach.fmt(f),
        }
    }
}

impl core::error::Error for LoadError<'_> {}

/// A rule of the contract that a rune breaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Breach<'a> {
    /// It is a component.
    Component,
    /// There is no manifest.
    NoManifest,
    /// There are several manifests.
    TwoManifests,
    /// A parameter in the manifest is not one of the contract.
    Param {
        /// Of the capability or output.
        kind: &'static str,
        /// Its name.
        stage: &'a str,
        /// Of the parameter.
        name: &'a str,
        /// What is wrong with it.
        fault: ParamFault<'a>,
    },
    /// It has a start section.
    Start,
    /// Where its data goes is not a constant.
    ComputedAddress,
    /// It imports what the contract does not have.
    Import(&'a str, &'a str),
    /// It imports a function by another signature than that of the contract.
    Signature(Import),
    /// It imports a function twice.
    ImportTwice(Import),
    /// It reads, and its manifest names nothing to read.
    NothingToRead,
    /// It writes, and its manifest names nothing to write to.
    NothingToWrite,
    /// It lacks an export of this name.
    NoExport(&'static str),
    /// Its export `memory` is none.
    NotMemory,
    /// It exports what the contract does not have.
    Export(&'a str),
    /// An export is not a function of its own of the contract's type.
    ExportType(&'a str),
    /// It has no memory.
    Memories,
    /// Its memory is not of the size its manifest says.
    MemorySize {
        /// Pages it has at first.
        least: u32,
        /// Pages it may have.
        most: Option<u32>,
        /// Pages of the manifest.
        pages: u64,
    },
    /// It has a table of so many entries.
    Table(u32),
    /// Its function `_manifest` is not one constant.
    NotConstant,
    /// What `_manifest` points at is not the manifest.
    Elsewhere,
}

/// What is wrong with a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamFault<'a> {
    /// It is there twice.
    Twice,
    /// It looks like the name of something of the host.
    Resource(&'a str),
    /// The contract does not have it.
    Unknown,
    /// Its value is not allowed.
    Value,
}

impl fmt::Display for Breach<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Component => f.write_str("it is a component, not a core module"),
            Self::NoManifest => f.write_str("it has no section `rune.manifest`"),
            Self::TwoManifests => f.write_str("it has more than one section `rune.manifest`"),
            Self::Param {
                kind,
                stage,
                name,
                fault,
            } => {
                write!(f, "parameter `{name}` of {kind} `{stage}` is ")?;
                match fault {
                    ParamFault::Twice => f.write_str("in its manifest twice"),
                    ParamFault::Resource(text) => write!(
                        f,
                        "{text:?}: a rune names nothing of its host, which is for flags and policies"
                    ),
                    ParamFault::Unknown => f.write_str("not in the contract"),
                    ParamFault::Value => f.write_str("not a value that the contract allows"),
                }
            }
            Self::Start => f.write_str("it has a start section"),
            Self::ComputedAddress => f.write_str("a data segment has a computed address"),
            Self::Import(module, name) => {
                write!(
                    f,
                    "it imports `{module}.{name}`, which is not in the contract"
                )
            }
            Self::Signature(import) => {
                write!(f, "it imports `{}` with another signature", Path(import))
            }
            Self::ImportTwice(import) => write!(f, "it imports `{}` twice", Path(import)),
            Self::NothingToRead => {
                f.write_str("it imports `read`, and its manifest names no capability")
            }
            Self::NothingToWrite => {
                f.write_str("it imports `write`, and its manifest names no output")
            }
            Self::NoExport(name) => write!(f, "it does not export `{name}`"),
            Self::NotMemory => f.write_str("its export `memory` is not a memory"),
            Self::Export(name) => write!(f, "it exports `{name}`, which is not in the contract"),
            Self::ExportType(name) => write!(
                f,
                "its export `{name}` is not a function of its own of the contract's type"
            ),
            Self::Memories => f.write_str("it does not have exactly one memory"),
            Self::MemorySize { least, most, pages } => {
                write!(f, "its memory is {least} to ")?;
                match most {
                    Some(most) => write!(f, "{most}")?,
                    None => f.write_str("any")?,
                }
                write!(f, " pages and its manifest says {pages}")
            }
            Self::Table(entries) => write!(
                f,
                "it has a table of {entries} entries and the limit is {TABLE_ENTRIES}"
            ),
            Self::NotConstant => {
                f.write_str("its function `_manifest` is not exactly one constant")
            }
            Self::Elsewhere => {
                f.write_str("what `_manifest` points at is not the section `rune.manifest`")
            }
        }
    }
}

/// An import as it is written.
struct Path(Import);

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", Import::MODULE, self.0.name())
    }
}

/// A rune that keeps the contract, but for what is inside its functions.
#[derive(Clone, Debug)]
pub struct Checked<'a> {
    code: Code<'a>,
    section: &'a [u8],
    manifest: ManifestView<'a>,
    imports: Imports,
}

/// What the code of a rune is.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is checked without an allocator"
)]
enum Code<'a> {
    Module(Module<'a>),
    Image(ImageView<'a>),
}

/// The functions a rune imports, in its order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imports {
    list: [Option<Import>; Import::ALL.len()],
}

impl Imports {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Import> {
        self.list.into_iter().flatten()
    }

    /// Whether it is among them.
    pub fn contains(&self, import: Import) -> bool {
        self.list.contains(&Some(import))
    }
}

impl<'a> Checked<'a> {
    /// The whole rune.
    pub const fn bytes(&self) -> &'a [u8] {
        match &self.code {
            Code::Module(module) => module.bytes,
            Code::Image(image) => image.bytes(),
        }
    }

    /// The image, where it is one.
    pub const fn image(&self) -> Option<&ImageView<'a>> {
        match &self.code {
            Code::Module(_) => None,
            Code::Image(image) => Some(image),
        }
    }

    /// The section `rune.manifest`.
    pub const fn section(&self) -> &'a [u8] {
        self.section
    }

    /// What it is and what it needs.
    pub const fn manifest(&self) -> &ManifestView<'a> {
        &self.manifest
    }

    /// The functions it imports.
    pub const fn imports(&self) -> &Imports {
        &self.imports
    }

    /// Bytes of RAM for it: of a module its memory, of an image its block and its stack.
    pub fn memory_bytes(&self) -> u32 {
        match &self.code {
            Code::Module(_) => self.manifest.memory_bytes,
            Code::Image(image) => (image.block_bytes() + image.stack_bytes()) as u32,
        }
    }

    /// Bytes of the bodies of its functions, which an engine translates; none of an image.
    pub fn code_bytes(&self) -> usize {
        match &self.code {
            Code::Module(module) => module.code_bytes(),
            Code::Image(_) => 0,
        }
    }

    /// The features of WebAssembly that its engine must have; none of an image.
    pub fn features(&self) -> WasmFeatures {
        match &self.code {
            Code::Module(_) => self.manifest.features,
            Code::Image(_) => WasmFeatures(0),
        }
    }

    /// A module without the data that [`data`](Self::data) gives, for engines that fill memory from where the
    /// module lies; nothing of an image.
    pub fn without_data(&self) -> &'a [u8] {
        match &self.code {
            Code::Module(module) => module.without_data(),
            Code::Image(_) => &[],
        }
    }

    /// The data that [`without_data`](Self::without_data) left out: addresses in memory, and what goes there.
    pub fn data(&self) -> impl Iterator<Item = (u32, &'a [u8])> + use<'a> {
        let left_out = match &self.code {
            Code::Module(module) => (!module.counts_data).then_some(module.data),
            Code::Image(_) => None,
        };
        let segments = left_out.map(|data| Segments::new(data, self.manifest.features));
        // They were read when the module was checked.
        segments.into_iter().flatten().filter_map(Result::ok)
    }
}

/// Checks a rune, a module or an image, against every rule of `docs/abi.md` that can be seen without running it or
/// reading its functions. Who signed an image is a question of the board, see [`grant`](crate::grant).
///
/// # Errors
/// The first rule that it breaks.
pub fn check(bytes: &[u8]) -> Result<Checked<'_>, LoadError<'_>> {
    if ImageView::is_one(bytes) {
        return check_image(bytes);
    }
    let module = Module::read(bytes)?;
    if module.is_component {
        return contract(Breach::Component);
    }
    let section = match module.manifests {
        (1, section) => section,
        (0, _) => return contract(Breach::NoManifest),
        _ => return contract(Breach::TwoManifests),
    };
    let manifest = manifest(section)?;
    if module.has_start {
        return contract(Breach::Start);
    }
    let imports = imports(&module, &manifest)?;
    let constant = exports(&module)?;
    memory(&module, manifest.memory_bytes)?;
    tables(&module)?;
    let Some(address) = module.constant_function(constant)? else {
        return contract(Breach::NotConstant);
    };
    manifest_at(&module, manifest.features, address, section)?;
    Ok(Checked {
        code: Code::Module(module),
        section,
        manifest,
        imports,
    })
}

fn check_image(bytes: &[u8]) -> Result<Checked<'_>, LoadError<'_>> {
    let image = ImageView::new(bytes).map_err(LoadError::Image)?;
    let mut digest = Sha256::new();
    for part in image.digested() {
        digest.update(part);
    }
    if digest.finalize()[..] != *image.digest() {
        return Err(LoadError::Digest);
    }
    let section = image.manifest();
    let manifest = manifest(section)?;
    let mut imports = Imports::default();
    for (place, import) in imports.list.iter_mut().zip(image.imports()) {
        named(import, &manifest)?;
        *place = Some(import);
    }
    Ok(Checked {
        code: Code::Image(image),
        section,
        manifest,
        imports,
    })
}

/// The manifest, of this version of the contract and with its parameters.
fn manifest(section: &[u8]) -> Result<ManifestView<'_>, LoadError<'_>> {
    let manifest = ManifestView::parse(section).map_err(LoadError::Manifest)?;
    if manifest.abi_version != ABI_VERSION {
        return Err(LoadError::AbiVersion(manifest.abi_version));
    }
    parameters(&manifest)?;
    Ok(manifest)
}

/// What is imported, the manifest speaks of.
fn named<'a>(import: Import, manifest: &ManifestView<'a>) -> Result<(), LoadError<'a>> {
    if import == Import::Read && manifest.capabilities.is_empty() {
        return contract(Breach::NothingToRead);
    }
    if import == Import::Write && manifest.outputs.is_empty() {
        return contract(Breach::NothingToWrite);
    }
    Ok(())
}

fn contract<T>(breach: Breach<'_>) -> Result<T, LoadError<'_>> {
    Err(LoadError::Contract(breach))
}

/// The parameters of capabilities and outputs are those of the contract's table, with values it allows. As no
/// row of it takes free text, a rune cannot name a file, a device or an address of its host.
fn parameters<'a>(manifest: &ManifestView<'a>) -> Result<(), LoadError<'a>> {
    let capabilities = manifest.capabilities.iter().map(|c| {
        let spec = c.kind.spec();
        (spec.name, c.name, spec.params, c.params)
    });
    let outputs = manifest.outputs.iter().map(|o| {
        let spec = o.kind.spec();
        (spec.name, o.name, spec.params, o.params)
    });
    for (kind, stage, specs, params) in capabilities.chain(outputs) {
        for (index, param) in params.iter().enumerate() {
            let is_again = params.iter().take(index).any(|p| p.name == param.name);
            let fault = if is_again {
                Some(ParamFault::Twice)
            } else if let ValueView::Text(text) = param.value
                && names_resource(text)
            {
                Some(ParamFault::Resource(text))
            } else {
                match specs.iter().find(|s| s.name == param.name) {
                    None => Some(ParamFault::Unknown),
                    Some(spec) => (!fits(spec.ty, param)).then_some(ParamFault::Value),
                }
            };
            if let Some(fault) = fault {
                return contract(Breach::Param {
                    kind,
                    stage,
                    name: param.name,
                    fault,
                });
            }
        }
    }
    Ok(())
}

fn fits(ty: ParamType, param: ParamView<'_>) -> bool {
    match (ty, param.value) {
        (ParamType::Integer(least, most), ValueView::Integer(n)) => (least..=most).contains(&n),
        (ParamType::Float(least, most), ValueView::Float(x)) => (least..=most).contains(&x),
        (ParamType::Float(least, most), ValueView::Integer(n)) => {
            (least..=most).contains(&(n as f64))
        }
        (ParamType::Word(words), ValueView::Text(text)) => {
            words.iter().any(|w| w.eq_ignore_ascii_case(text))
        }
        _ => false,
    }
}

/// Whether a text looks like a path, a device, a URL or a topic: each has a separator that no word has.
fn names_resource(text: &str) -> bool {
    text.starts_with(['.', '~']) || text.contains(['/', '\\', ':', '#', '+', '$'])
}

/// The imports, if they are a subset of what the contract offers and the manifest speaks of.
fn imports<'a>(module: &Module<'a>, manifest: &ManifestView<'a>) -> Result<Imports, LoadError<'a>> {
    let mut found = Imports::default();
    let List { mut items, count } = module.imports;
    for index in 0..count {
        let (from, name) = (items.name()?, items.name()?);
        let known = (from == Import::MODULE)
            .then(|| Import::from_name(name))
            .flatten();
        let (Some(known), 0) = (known, items.byte()?) else {
            return contract(Breach::Import(from, name));
        };
        items.u32()?;
        // Only functions get here, so an import's place is its function index.
        let (params, results) = known.signature();
        if !is_type(module, index, params, results)? {
            return contract(Breach::Signature(known));
        }
        if found.contains(known) {
            return contract(Breach::ImportTwice(known));
        }
        named(known, manifest)?;
        // As none is there twice, there is a place for it.
        found.list[index as usize] = Some(known);
    }
    Ok(found)
}

/// The exports are exactly those of the contract. Gives the function `_manifest`.
fn exports<'a>(module: &Module<'a>) -> Result<u32, LoadError<'a>> {
    let list = |visit: &mut dyn FnMut(&'a str, u8, u32) -> Result<(), LoadError<'a>>| {
        let List { mut items, count } = module.exports;
        (0..count).try_for_each(|_| {
            let (name, kind) = (items.name()?, items.byte()?);
            visit(name, kind, items.u32()?)
        })
    };
    let mut manifest = 0;
    for wanted in [export::MEMORY, export::MANIFEST, export::CALL] {
        let mut is_there = false;
        list(&mut |name, _, index| {
            if name == wanted {
                is_there = true;
            }
            if name == export::MANIFEST {
                manifest = index;
            }
            Ok(())
        })?;
        if !is_there {
            return contract(Breach::NoExport(wanted));
        }
    }
    list(&mut |name, kind, index| {
        let results: &[ValType] = match name {
            export::MEMORY if kind == 2 => return Ok(()),
            export::MANIFEST | export::CALL => &[ValType::I32],
            export::RESET => &[],
            export::MEMORY => return contract(Breach::NotMemory),
            _ => return contract(Breach::Export(name)),
        };
        if kind != 0 || index < module.imported() || !is_type(module, index, &[], results)? {
            return contract(Breach::ExportType(name));
        }
        Ok(())
    })?;
    Ok(manifest)
}

/// The one memory has exactly the size the manifest says.
fn memory<'a>(module: &Module<'a>, bytes: u32) -> Result<(), LoadError<'a>> {
    let List { mut items, count } = module.memories;
    match count {
        0 => return contract(Breach::Memories),
        1 => {}
        _ => return items.fault("a second memory"),
    }
    let (least, most) = items.limits()?;
    let pages = u64::from(bytes).div_ceil(PAGE);
    if u64::from(least) != pages || most.map(u64::from) != Some(pages) {
        return contract(Breach::MemorySize { least, most, pages });
    }
    Ok(())
}

/// No table is larger than a runtime makes.
fn tables<'a>(module: &Module<'a>) -> Result<(), LoadError<'a>> {
    let List { mut items, count } = module.tables;
    for _ in 0..count {
        items.byte()?;
        let (entries, _) = items.limits()?;
        if entries > TABLE_ENTRIES {
            return contract(Breach::Table(entries));
        }
    }
    Ok(())
}

/// The active segments of a module, in order. After an error there is nothing more to read.
struct Segments<'a> {
    items: Reader<'a>,
    left: u32,
    has_bulk: bool,
}

impl<'a> Segments<'a> {
    const fn new(data: List<'a>, features: WasmFeatures) -> Self {
        Self {
            items: data.items,
            left: data.count,
            has_bulk: features.contains(WasmFeatures::BULK_MEMORY),
        }
    }

    /// The next segment; `None` for the address of a passive one.
    fn segment(&mut self) -> Result<(Option<u32>, &'a [u8]), LoadError<'a>> {
        let flags = self.items.u32()?;
        if flags > 2 || flags > 0 && !self.has_bulk {
            return self.items.fault("data of another form");
        }
        if flags == 2 && self.items.u32()? != 0 {
            return self.items.fault("data for another memory");
        }
        let mut address = None;
        if flags != 1 {
            address = self.items.constant()?;
            if address.is_none() {
                return contract(Breach::ComputedAddress);
            }
        }
        let len = self.items.u32()? as usize;
        Ok((address, self.items.take(len)?))
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Result<(u32, &'a [u8]), LoadError<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            match self.segment() {
                Ok((Some(address), bytes)) => return Some(Ok((address, bytes))),
                Ok((None, _)) => {}
                Err(error) => {
                    self.left = 0;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

/// The bytes at an address are the manifest, all in one segment that no other touches.
fn manifest_at<'a>(
    module: &Module<'a>,
    features: WasmFeatures,
    address: u32,
    section: &'a [u8],
) -> Result<(), LoadError<'a>> {
    let (start, end) = (
        u64::from(address),
        u64::from(address) + section.len() as u64,
    );
    let mut touching = 0;
    let mut held = None;
    let mut segments = Segments::new(module.data, features);
    for segment in &mut segments {
        let (at, bytes) = segment?;
        if u64::from(at) < end && start < u64::from(at) + bytes.len() as u64 {
            touching += 1;
            held = address
                .checked_sub(at)
                .and_then(|skip| bytes.get(skip as usize..)?.get(..section.len()));
        }
    }
    if !segments.items.is_empty() {
        return segments.items.fault("bytes behind the last data");
    }
    if touching == 1 && held == Some(section) {
        Ok(())
    } else {
        contract(Breach::Elsewhere)
    }
}

fn is_type<'a>(
    module: &Module<'a>,
    function: u32,
    params: &[ValType],
    results: &[ValType],
) -> Result<bool, LoadError<'a>> {
    let same = |have: &[u8], want: &[ValType]| {
        have.iter().copied().eq(want.iter().map(|w| match w {
            ValType::I32 => 0x7f,
        }))
    };
    let (have_params, have_results) = module.signature(function)?;
    Ok(same(have_params, params) && same(have_results, results))
}
