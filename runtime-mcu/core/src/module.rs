//! A WebAssembly module taken apart in place, as far as the contract looks into it. What is inside functions is for
//! the validator of an engine.

use crate::check::LoadError;

/// Bytes being read; places in errors count from the start of the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    module: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn fault<T>(&self, what: &'static str) -> Result<T, LoadError<'a>> {
        Err(LoadError::Module {
            offset: self.at,
            what,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at == self.end
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], LoadError<'a>> {
        if len > self.end - self.at {
            return self.fault("unexpected end");
        }
        self.at += len;
        Ok(&self.module[self.at - len..self.at])
    }

    pub(crate) fn byte(&mut self) -> Result<u8, LoadError<'a>> {
        Ok(self.take(1)?[0])
    }

    /// The next `len` bytes, to be read on their own.
    fn part(&mut self, len: usize) -> Result<Self, LoadError<'a>> {
        let at = self.at;
        self.take(len)?;
        Ok(Self {
            module: self.module,
            at,
            end: self.at,
        })
    }

    /// A number of 32 bits in LEB128; a signed one is the same bits.
    fn leb(&mut self, is_signed: bool) -> Result<u32, LoadError<'a>> {
        let mut number = 0;
        for shift in (0..).step_by(7).take(5) {
            let byte = self.byte()?;
            number |= u32::from(byte & 0x7f) << shift;
            // The last byte has room for four bits, and those above them only repeat the sign.
            let is_sign = is_signed && byte & 0x78 == 0x78;
            if shift == 28 && byte & 0x70 != 0 && !is_sign {
                return self.fault("a number has more than 32 bits");
            }
            if byte & 0x80 == 0 {
                if is_signed && byte & 0x40 != 0 && shift < 28 {
                    number |= u32::MAX << (shift + 7);
                }
                return Ok(number);
            }
        }
        self.fault("a number has more than 5 bytes")
    }

    pub(crate) fn u32(&mut self) -> Result<u32, LoadError<'a>> {
        self.leb(false)
    }

    pub(crate) fn name(&mut self) -> Result<&'a str, LoadError<'a>> {
        let len = self.u32()? as usize;
        let bytes = self.take(len)?;
        core::str::from_utf8(bytes).or_else(|_| self.fault("a name is not UTF-8"))
    }

    /// What `i32.const N; end` is the constant of; `None` where it is something else.
    pub(crate) fn constant(&mut self) -> Result<Option<u32>, LoadError<'a>> {
        if self.byte()? != 0x41 {
            return Ok(None);
        }
        let number = self.leb(true)?;
        Ok((self.byte()? == 0x0b).then_some(number))
    }

    /// Least and most entries or pages.
    pub(crate) fn limits(&mut self) -> Result<(u32, Option<u32>), LoadError<'a>> {
        match self.byte()? {
            0 => Ok((self.u32()?, None)),
            1 => Ok((self.u32()?, Some(self.u32()?))),
            _ => self.fault("limits of another form"),
        }
    }

    /// A list of value types, each of one byte.
    pub(crate) fn types(&mut self) -> Result<&'a [u8], LoadError<'a>> {
        let len = self.u32()? as usize;
        self.take(len)
    }
}

/// A section that is a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List<'a> {
    pub(crate) items: Reader<'a>,
    pub(crate) count: u32,
}

impl<'a> List<'a> {
    /// What `read` gives for the item at an index, which must be there; it reads those before it too.
    fn nth<T>(
        mut self,
        index: u32,
        mut read: impl FnMut(&mut Reader<'a>) -> Result<T, LoadError<'a>>,
    ) -> Result<T, LoadError<'a>> {
        if index >= self.count {
            return self.items.fault("an index beyond the end");
        }
        for _ in 0..index {
            read(&mut self.items)?;
        }
        read(&mut self.items)
    }
}

/// The sections of a module.
#[derive(Clone, Debug)]
pub(crate) struct Module<'a> {
    pub(crate) bytes: &'a [u8],
    types: List<'a>,
    pub(crate) imports: List<'a>,
    functions: List<'a>,
    pub(crate) tables: List<'a>,
    pub(crate) memories: List<'a>,
    pub(crate) exports: List<'a>,
    bodies: List<'a>,
    pub(crate) data: List<'a>,
    /// Where the section of data begins.
    data_begins: Option<usize>,
    pub(crate) counts_data: bool,
    pub(crate) has_start: bool,
    /// The sections `rune.manifest`: their number and the first.
    pub(crate) manifests: (u32, &'a [u8]),
    pub(crate) is_component: bool,
}

/// The place of a section in a module by its id; `None` of one that is not known.
fn place(id: u8) -> Option<u8> {
    const ORDER: [u8; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11];
    let place = ORDER.iter().position(|known| *known == id)?;
    Some(place as u8 + 1)
}

impl<'a> Module<'a> {
    /// Finds the sections. A known one is there once at most, and in its place.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, LoadError<'a>> {
        let mut r = Reader {
            module: bytes,
            at: 0,
            end: bytes.len(),
        };
        if !bytes.starts_with(b"\0asm") {
            return r.fault("no magic");
        }
        r.take(4)?;
        let version = r.take(4)?;
        let none = List {
            items: Reader { end: r.at, ..r },
            count: 0,
        };
        let mut module = Self {
            bytes,
            types: none,
            imports: none,
            functions: none,
            tables: none,
            memories: none,
            exports: none,
            bodies: none,
            data: none,
            data_begins: None,
            counts_data: false,
            has_start: false,
            manifests: (0, &[]),
            is_component: version == [0x0d, 0, 1, 0],
        };
        if module.is_component {
            return Ok(module);
        }
        if version != [1, 0, 0, 0] {
            return r.fault("another version of WebAssembly");
        }
        let mut last = 0;
        while !r.is_empty() {
            let begin = r.at;
            let id = r.byte()?;
            let len = r.u32()? as usize;
            let mut section = r.part(len)?;
            if id == 0 {
                if section.name()? == rune_abi::section::MANIFEST {
                    let content = section.take(section.end - section.at)?;
                    if module.manifests.0 == 0 {
                        module.manifests.1 = content;
                    }
                    module.manifests.0 += 1;
                }
                continue;
            }
            let Some(place) = place(id).filter(|place| *place > last) else {
                return section.fault("a section that is unknown or out of its place");
            };
            last = place;
            let list = match id {
                1 => &mut module.types,
                2 => &mut module.imports,
                3 => &mut module.functions,
                4 => &mut module.tables,
                5 => &mut module.memories,
                7 => &mut module.exports,
                10 => &mut module.bodies,
                11 => {
                    module.data_begins = Some(begin);
                    &mut module.data
                }
                8 => {
                    module.has_start = true;
                    continue;
                }
                12 => {
                    module.counts_data = true;
                    continue;
                }
                _ => continue,
            };
            let count = section.u32()?;
            *list = List {
                items: section,
                count,
            };
        }
        Ok(module)
    }

    /// The module without data and what comes behind it, which is one too: an engine need not copy the data. Where
    /// the module says how much data it has, the whole.
    pub(crate) fn without_data(&self) -> &'a [u8] {
        match self.data_begins {
            Some(begin) if !self.counts_data => &self.bytes[..begin],
            _ => self.bytes,
        }
    }

    /// Bytes of all function bodies.
    pub(crate) fn code_bytes(&self) -> usize {
        self.bodies.items.end - self.bodies.items.at
    }

    /// How many functions it imports, if it imports nothing else.
    pub(crate) fn imported(&self) -> u32 {
        self.imports.count
    }

    /// Parameters and results of a function, imported or its own.
    pub(crate) fn signature(&self, function: u32) -> Result<(&'a [u8], &'a [u8]), LoadError<'a>> {
        let ty = match function.checked_sub(self.imported()) {
            None => self.imports.nth(function, |r| {
                r.name()?;
                r.name()?;
                r.byte()?;
                r.u32()
            })?,
            Some(own) => self.functions.nth(own, Reader::u32)?,
        };
        self.types.nth(ty, |r| {
            if r.byte()? != 0x60 {
                return r.fault("a type that is not of a function");
            }
            Ok((r.types()?, r.types()?))
        })
    }

    /// The constant that a function of its own consists of, if it does.
    pub(crate) fn constant_function(&self, function: u32) -> Result<Option<u32>, LoadError<'a>> {
        let Some(own) = function.checked_sub(self.imported()) else {
            return Ok(None);
        };
        let mut body = self.bodies.nth(own, |r| {
            let len = r.u32()? as usize;
            r.part(len)
        })?;
        if body.u32()? != 0 {
            return Ok(None);
        }
        Ok(body.constant()?.filter(|_| body.is_empty()))
    }
}
