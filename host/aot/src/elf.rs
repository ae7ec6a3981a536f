//! What compiler and linker made, read: objects with their calls, and the linked image.

use std::collections::{BTreeMap, BTreeSet};

use object::{
    Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionKind, SymbolKind,
    elf::{self, FileHeader32},
    read::elf::ElfFile,
};

use crate::{
    Error,
    stack::{self, Graph},
    unit::{ENTRY, FACTS, KEPT_BYTES},
};

type File<'a> = ElfFile<'a, FileHeader32<object::Endianness>>;

/// What a host that is asked, and one interrupt, put on the stack each: a frame with floats, and its alignment.
const EXCEPTION_BYTES: u32 = 112;
/// What aligning the stack for vectors takes at most, beside the frame that the compiler tells.
const ALIGNING_BYTES: u32 = 16;
/// Functions in assembly, of whose frames no compiler tells.
const ASSEMBLY: [(&str, u32); 3] = [
    (ENTRY, 0),
    ("__aeabi_uldivmod", 24),
    ("__aeabi_ldivmod", 24),
];

/// Relocations of branches.
const BRANCHES: [u32; 4] = [
    elf::R_ARM_THM_PC22,
    elf::R_ARM_THM_JUMP24,
    elf::R_ARM_THM_JUMP19,
    elf::R_ARM_CALL,
];

/// Objects, and what is known of them.
pub(crate) struct Objects {
    files: Vec<String>,
    graph: Graph,
    facts: Option<[u32; 3]>,
    /// Whether functions align their stack.
    aligns: bool,
}

impl Objects {
    pub(crate) fn new(aligns: bool) -> Self {
        let mut graph = Graph::default();
        for (name, bytes) in ASSEMBLY {
            graph.frame(name, bytes);
        }
        Self {
            files: Vec::new(),
            graph,
            facts: None,
            aligns,
        }
    }

    pub(crate) fn files(&self) -> &[String] {
        &self.files
    }

    /// Takes an object with what the compiler said of the stack that its functions use.
    pub(crate) fn add(&mut self, name: &str, bytes: &[u8], usage: &str) -> Result<(), Error> {
        for line in usage.lines() {
            let (function, bytes) = stack::usage(line).map_err(Error::Machine)?;
            let more = if self.aligns { ALIGNING_BYTES } else { 0 };
            self.graph.frame(function, bytes + more);
        }
        let file = File::parse(bytes).map_err(|error| unreadable(name, error))?;
        for section in file.sections() {
            let section_name = section.name().map_err(|error| unreadable(name, error))?;
            if section.kind() == SectionKind::Text {
                self.calls(&file, &section)?;
                continue;
            }
            let is_unwinding = section_name.starts_with(".ARM.ex");
            if is_kept(&section) && !is_unwinding && section.relocations().next().is_some() {
                return Err(Error::Machine(format!(
                    "the constants in {section_name} hold addresses"
                )));
            }
            if section_name == FACTS {
                let data = section.data().map_err(|error| unreadable(name, error))?;
                let (words, _) = data.as_chunks();
                let words: Vec<u32> = words.iter().copied().map(u32::from_le_bytes).collect();
                self.facts = words.try_into().ok();
            }
        }
        self.files.push(name.to_owned());
        Ok(())
    }

    /// Who calls whom in a section, by the relocations of branches.
    fn calls<'a>(
        &mut self,
        file: &File<'a>,
        section: &impl ObjectSection<'a>,
    ) -> Result<(), Error> {
        let functions: BTreeMap<u64, &str> = file
            .symbols()
            .filter(|s| s.section_index() == Some(section.index()) && is_function(s))
            .filter_map(|s| Some((s.address() & !1, s.name().ok()?)))
            .collect();
        for (at, relocation) in section.relocations() {
            let from = functions.range(..=at).next_back().map(|(_, name)| *name);
            let from =
                from.ok_or_else(|| Error::Machine("a call comes from no function".to_owned()))?;
            let RelocationTarget::Symbol(index) = relocation.target() else {
                continue;
            };
            let symbol = file
                .symbol_by_index(index)
                .map_err(|error| unreadable(from, error))?;
            let object::RelocationFlags::Elf { r_type } = relocation.flags() else {
                continue;
            };
            let to = callee(file, &symbol);
            match (BRANCHES.contains(&r_type), to) {
                (true, Some(to)) => self.graph.call(from, to),
                (true, None) => {
                    return Err(Error::Machine(format!(
                        "{from} branches to what is no function"
                    )));
                }
                (false, Some(to)) if !symbol.is_undefined() => {
                    return Err(Error::Machine(format!(
                        "{from} takes the address of {to}, so that its calls are not known"
                    )));
                }
                (false, _) => {}
            }
        }
        Ok(())
    }

    /// Where memory begins in the block, its bytes, and those of the block.
    pub(crate) fn facts(&self) -> Result<(u32, u32, u32), Error> {
        let [at, memory, block] = self.facts.ok_or_else(|| {
            Error::Machine("the object does not say where memory begins".to_owned())
        })?;
        Ok((at, memory, block))
    }

    /// The most bytes of stack that an operation uses, with those of exceptions.
    pub(crate) fn stack(&self, call_limit: u32) -> Result<u32, Error> {
        let most = self.graph.most(ENTRY, call_limit).map_err(Error::Machine)?;
        let kept = if self.aligns { KEPT_BYTES } else { 0 };
        let all = most
            .checked_add(kept + 2 * EXCEPTION_BYTES)
            .and_then(|all| all.checked_next_multiple_of(8));
        all.ok_or_else(|| Error::Machine("its stack has no end".to_owned()))
    }
}

/// Whether a section is part of what runs.
fn is_kept<'a>(section: &impl ObjectSection<'a>) -> bool {
    let object::SectionFlags::Elf { sh_flags } = section.flags() else {
        return false;
    };
    sh_flags & u64::from(elf::SHF_ALLOC) != 0
}

/// Whether a symbol is a function; mapping symbols, `$t`, are none.
fn is_function<'a>(symbol: &impl ObjectSymbol<'a>) -> bool {
    symbol.kind() == SymbolKind::Text
        && symbol
            .name()
            .is_ok_and(|name| !name.is_empty() && !name.starts_with('$'))
}

/// The function that a symbol of a relocation means: itself, one of another object, or the first of a section.
fn callee<'a>(file: &File<'a>, symbol: &impl ObjectSymbol<'a>) -> Option<&'a str> {
    if symbol.is_undefined() || is_function(symbol) {
        return symbol.name().ok();
    }
    if symbol.kind() != SymbolKind::Section {
        return None;
    }
    let section = symbol.section_index();
    let mut functions = file
        .symbols()
        .filter(|s| s.section_index() == section && is_function(s));
    functions.next()?.name().ok()
}

/// What a linker made, as an image has it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Linked {
    /// Constants and code.
    pub(crate) bytes: Vec<u8>,
    pub(crate) constant_bytes: u32,
    /// From the start of the code.
    pub(crate) entry: u32,
    /// By where they begin, from the start of the code.
    pub(crate) functions: Vec<(u32, String)>,
}

impl Linked {
    /// That linking elsewhere gave the same.
    pub(crate) fn same_as(self, other: &Self) -> Result<Self, Error> {
        let differs = self
            .bytes
            .iter()
            .zip(&other.bytes)
            .position(|(a, b)| a != b);
        let Some(at) = differs else {
            return if self == *other {
                Ok(self)
            } else {
                Err(Error::Machine(
                    "its layout depends on where it lies".to_owned(),
                ))
            };
        };
        let place = (at as u32).checked_sub(self.constant_bytes);
        let function = place.and_then(|place| {
            let before = self
                .functions
                .iter()
                .take_while(|(start, _)| *start <= place);
            before.last().map(|(_, name)| name.as_str())
        });
        Err(Error::Machine(match function {
            Some(function) => {
                format!("{function} holds an address: byte {at} depends on where it lies")
            }
            None => format!("its constants hold an address: byte {at} depends on where it lies"),
        }))
    }
}

/// Reads a linked image.
pub(crate) fn linked(bytes: &[u8], base: u32) -> Result<Linked, Error> {
    let bad = |error| unreadable("the image", error);
    let rule = |reason: &str| Err(Error::Machine(reason.to_owned()));
    let file = File::parse(bytes).map_err(bad)?;
    let (mut constants, mut code) = (Vec::new(), None);
    for section in file.sections() {
        if section.relocations().next().is_some() {
            return rule("addresses are left to be filled in");
        }
        if !is_kept(&section) || section.size() == 0 {
            continue;
        }
        let data = section.data().map_err(bad)?;
        let at = section.address();
        match section.name().map_err(bad)? {
            ".rodata" if at == u64::from(base) => constants = data.to_vec(),
            ".text" if at == u64::from(base) + constants.len() as u64 => {
                code = Some((at, data.to_vec()));
            }
            other => {
                return Err(Error::Machine(format!(
                    "it has a section {other} at {at:#x}"
                )));
            }
        }
    }
    let Some((start, code)) = code else {
        return rule("it has no code");
    };
    let functions: BTreeSet<(u32, String)> = file
        .symbols()
        .filter(is_function)
        .filter_map(|symbol| {
            let at = (symbol.address() & !1).checked_sub(start)?;
            Some((u32::try_from(at).ok()?, symbol.name().ok()?.to_owned()))
        })
        .collect();
    let entry = functions.iter().find(|(_, name)| name == ENTRY);
    let Some((entry, _)) = entry else {
        return rule("it has no entry");
    };
    let entry = *entry;
    // Of several names for one place, the first.
    let mut functions: Vec<(u32, String)> = functions.into_iter().collect();
    functions.dedup_by_key(|(at, _)| *at);
    let constant_bytes = constants.len() as u32;
    constants.extend_from_slice(&code);
    Ok(Linked {
        bytes: constants,
        constant_bytes,
        entry,
        functions,
    })
}

fn unreadable(what: &str, error: object::Error) -> Error {
    Error::Machine(format!("{what} cannot be read: {error}"))
}
