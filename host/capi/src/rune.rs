//! Runes, and what their manifests say.

use std::{
    ffi::{CString, c_char},
    mem::MaybeUninit,
    path::Path,
    ptr, slice,
    sync::Arc,
};

use rune_abi::{Dim, ElementType, TensorType, Value};
use rune_runtime::Rune;

use crate::{
    error::{fill, given, guard, make, nth, runicos_error_t, string, text},
    runicos_status_t,
};

/// A rune that was read and checked. Nothing of it has run. It does not change.
#[derive(Debug)]
pub struct runicos_rune_t {
    pub(crate) rune: Arc<Rune>,
    name: CString,
    version: CString,
    digest: CString,
    capabilities: Vec<Capability>,
    outputs: Vec<Output>,
}

#[derive(Debug)]
struct Capability {
    kind: CString,
    name: CString,
    ty: Type,
    params: Vec<(CString, Setting)>,
}

#[derive(Debug)]
enum Setting {
    Integer(i64),
    Float(f64),
    Text(CString),
}

#[derive(Debug)]
struct Output {
    kind: CString,
    name: CString,
    types: Vec<Type>,
}

#[derive(Debug)]
struct Type {
    ty: TensorType,
    dims: Vec<u32>,
    text: CString,
}

/// The type of an element of a tensor.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum runicos_element_t {
    /// `uint8_t`
    RUNICOS_U8 = 1,
    /// `int8_t`
    RUNICOS_I8 = 2,
    /// `uint16_t`
    RUNICOS_U16 = 3,
    /// `int16_t`
    RUNICOS_I16 = 4,
    /// `uint32_t`
    RUNICOS_U32 = 5,
    /// `int32_t`
    RUNICOS_I32 = 6,
    /// `uint64_t`
    RUNICOS_U64 = 7,
    /// `int64_t`
    RUNICOS_I64 = 8,
    /// `float`
    RUNICOS_F32 = 9,
    /// `double`
    RUNICOS_F64 = 10,
    /// A text in UTF-8.
    RUNICOS_UTF8 = 11,
}

impl From<ElementType> for runicos_element_t {
    fn from(element: ElementType) -> Self {
        match element {
            ElementType::U8 => Self::RUNICOS_U8,
            ElementType::I8 => Self::RUNICOS_I8,
            ElementType::U16 => Self::RUNICOS_U16,
            ElementType::I16 => Self::RUNICOS_I16,
            ElementType::U32 => Self::RUNICOS_U32,
            ElementType::I32 => Self::RUNICOS_I32,
            ElementType::U64 => Self::RUNICOS_U64,
            ElementType::I64 => Self::RUNICOS_I64,
            ElementType::F32 => Self::RUNICOS_F32,
            ElementType::F64 => Self::RUNICOS_F64,
            ElementType::Utf8 => Self::RUNICOS_UTF8,
        }
    }
}

/// The type of a tensor that enters or leaves a rune.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct runicos_type_t {
    /// Of its elements.
    pub element: runicos_element_t,
    /// How many dimensions it has; 0 for a scalar.
    pub rank: u32,
    /// As many dimensions, the outermost first.
    pub dims: *const u32,
    /// Bit i is set where dimension i is the largest that may be, and not what it always is.
    pub bounds: u32,
    /// Bytes of a sample: what a callback fills.
    pub bytes: u32,
    /// As a Runefile spells it: `F32[<=100, 6]`.
    pub text: *const c_char,
}

/// Something that a rune reads.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct runicos_capability_t {
    /// `ACCEL`, `RAW` and so on.
    pub kind: *const c_char,
    /// Its name in the rune, by which it is granted.
    pub name: *const c_char,
    /// What one read gives.
    pub r#type: runicos_type_t,
    /// How many parameters it has.
    pub params: usize,
}

/// Which field of a parameter holds its value.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum runicos_param_kind_t {
    /// `integer`.
    RUNICOS_INTEGER = 0,
    /// `number`.
    RUNICOS_FLOAT = 1,
    /// `text`.
    RUNICOS_TEXT = 2,
}

/// A parameter of a capability, such as `hz`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct runicos_param_t {
    /// Its name.
    pub name: *const c_char,
    /// Which of the fields below is its value; the others are 0 and NULL.
    pub kind: runicos_param_kind_t,
    /// A whole number.
    pub integer: i64,
    /// A number.
    pub number: f64,
    /// A text.
    pub text: *const c_char,
}

/// Something that a rune writes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct runicos_output_t {
    /// `SERIAL`.
    pub kind: *const c_char,
    /// Its name in the rune.
    pub name: *const c_char,
    /// How many tensors are written to it at once.
    pub tensors: usize,
}

/// Takes `len` bytes as a rune and checks them; they are copied. Ended with `runicos_rune_free`; instances go on.
///
/// # Safety
/// There are `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn runicos_rune_load(
    bytes: *const u8,
    len: usize,
    rune: Option<&mut MaybeUninit<*mut runicos_rune_t>>,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
) -> runicos_status_t {
    make(rune, error, || {
        let bytes = given(ptr::NonNull::new(bytes.cast_mut()), "bytes")?;
        // SAFETY: the caller promises so many bytes, and it is not NULL.
        let bytes = unsafe { slice::from_raw_parts(bytes.as_ptr(), len) };
        Ok(runicos_rune_t::new(Rune::load(bytes.to_vec())?))
    })
}

/// Reads a file as a rune. Ended with `runicos_rune_free`; instances go on.
///
/// # Safety
/// `path` is a string that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn runicos_rune_open(
    path: *const c_char,
    rune: Option<&mut MaybeUninit<*mut runicos_rune_t>>,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
) -> runicos_status_t {
    make(rune, error, || {
        // SAFETY: the caller promises a string.
        let path = unsafe { text(path, "path") }?;
        let failed = |status, what: &dyn std::fmt::Display| {
            runicos_error_t::new(status, format_args!("{path}: {what}"))
        };
        let bytes = Rune::read(Path::new(path));
        let bytes = bytes.map_err(|e| failed(runicos_status_t::RUNICOS_FILE, &e))?;
        let rune = Rune::load(bytes).map_err(|e| failed(runicos_status_t::RUNICOS_RUNE, &e))?;
        Ok(runicos_rune_t::new(rune))
    })
}

/// The name of a rune. Belongs to the rune; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_rune_name(rune: Option<&runicos_rune_t>) -> *const c_char {
    rune.map_or(ptr::null(), |rune| rune.name.as_ptr())
}

/// The version of a rune, such as `1.2.3`. Belongs to the rune; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_rune_version(rune: Option<&runicos_rune_t>) -> *const c_char {
    rune.map_or(ptr::null(), |rune| rune.version.as_ptr())
}

/// SHA-256 of the bytes of a rune, in hexadecimal. Belongs to the rune; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_rune_digest(rune: Option<&runicos_rune_t>) -> *const c_char {
    rune.map_or(ptr::null(), |rune| rune.digest.as_ptr())
}

/// How many capabilities a rune has; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_rune_capabilities(rune: Option<&runicos_rune_t>) -> usize {
    rune.map_or(0, |rune| rune.capabilities.len())
}

/// Describes a capability, counted from 0. What it points to belongs to the rune.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_rune_capability(
    rune: Option<&runicos_rune_t>,
    index: usize,
    capability: Option<&mut MaybeUninit<runicos_capability_t>>,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
) -> runicos_status_t {
    fill(capability, error, || {
        let capability = nth(&given(rune, "rune")?.capabilities, index, "capability")?;
        Ok(runicos_capability_t {
            kind: capability.kind.as_ptr(),
            name: capability.name.as_ptr(),
            r#type: capability.ty.shown(),
            params: capability.params.len(),
        })
    })
}

/// Describes a parameter of a capability, both counted from 0. What it points to belongs to the rune.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_rune_param(
    rune: Option<&runicos_rune_t>,
    capability: usize,
    index: usize,
    param: Option<&mut MaybeUninit<runicos_param_t>>,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
) -> runicos_status_t {
    fill(param, error, || {
        let capability = nth(&given(rune, "rune")?.capabilities, capability, "capability")?;
        let (name, setting) = nth(&capability.params, index, "parameter")?;
        let param = runicos_param_t {
            name: name.as_ptr(),
            kind: runicos_param_kind_t::RUNICOS_INTEGER,
            integer: 0,
            number: 0.0,
            text: ptr::null(),
        };
        Ok(match setting {
            Setting::Integer(integer) => runicos_param_t {
                integer: *integer,
                ..param
            },
            Setting::Float(number) => runicos_param_t {
                kind: runicos_param_kind_t::RUNICOS_FLOAT,
                number: *number,
                ..param
            },
            Setting::Text(text) => runicos_param_t {
                kind: runicos_param_kind_t::RUNICOS_TEXT,
                text: text.as_ptr(),
                ..param
            },
        })
    })
}

/// How many outputs a rune has; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_rune_outputs(rune: Option<&runicos_rune_t>) -> usize {
    rune.map_or(0, |rune| rune.outputs.len())
}

/// Describes an output, counted from 0. What it points to belongs to the rune.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_rune_output(
    rune: Option<&runicos_rune_t>,
    index: usize,
    output: Option<&mut MaybeUninit<runicos_output_t>>,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
) -> runicos_status_t {
    fill(output, error, || {
        let output = nth(&given(rune, "rune")?.outputs, index, "output")?;
        Ok(runicos_output_t {
            kind: output.kind.as_ptr(),
            name: output.name.as_ptr(),
            tensors: output.types.len(),
        })
    })
}

/// The type of a tensor of an output, both counted from 0. What it points to belongs to the rune.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_rune_output_type(
    rune: Option<&runicos_rune_t>,
    output: usize,
    tensor: usize,
    r#type: Option<&mut MaybeUninit<runicos_type_t>>,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
) -> runicos_status_t {
    fill(r#type, error, || {
        let output = nth(&given(rune, "rune")?.outputs, output, "output")?;
        Ok(nth(&output.types, tensor, "tensor")?.shown())
    })
}

/// Ends a rune, which may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_rune_free(rune: Option<Box<runicos_rune_t>>) {
    guard(None, || {
        drop(rune);
        Ok(())
    });
}

impl runicos_rune_t {
    fn new(rune: Rune) -> Self {
        let manifest = rune.manifest();
        let capabilities = manifest.capabilities.iter().map(|c| Capability {
            kind: string(c.kind.spec().name),
            name: string(&c.name),
            ty: Type::new(c.ty),
            params: (c.params.iter())
                .map(|p| (string(&p.name), Setting::new(&p.value)))
                .collect(),
        });
        let outputs = manifest.outputs.iter().map(|o| Output {
            kind: string(o.kind.spec().name),
            name: string(&o.name),
            types: o.tensors.iter().map(|feed| Type::new(feed.ty)).collect(),
        });
        Self {
            name: string(&manifest.name),
            version: string(&manifest.version.to_string()),
            digest: string(&rune.digest_hex()),
            capabilities: capabilities.collect(),
            outputs: outputs.collect(),
            rune: Arc::new(rune),
        }
    }
}

impl Setting {
    fn new(value: &Value) -> Self {
        match value {
            Value::Integer(integer) => Self::Integer(*integer),
            Value::Float(number) => Self::Float(*number),
            Value::Text(text) => Self::Text(string(text)),
        }
    }
}

impl Type {
    fn new(ty: TensorType) -> Self {
        Self {
            ty,
            dims: ty.dims().iter().map(|dim| dim.bound()).collect(),
            text: string(&ty.to_string()),
        }
    }

    fn shown(&self) -> runicos_type_t {
        let dims = self.ty.dims().iter().enumerate();
        let bounds = dims.map(|(i, dim)| u32::from(matches!(dim, Dim::AtMost(_))) << i);
        runicos_type_t {
            element: self.ty.element().into(),
            rank: self.dims.len() as u32,
            dims: self.dims.as_ptr(),
            bounds: bounds.sum(),
            bytes: self.ty.bytes(),
            text: self.text.as_ptr(),
        }
    }
}
