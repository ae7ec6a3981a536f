//! What a call came to, and the tensors that it wrote.

use std::{
    ffi::{CString, c_char},
    mem::MaybeUninit,
    ptr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use rune_runtime::{Call, Elements, Rates, Record, Rune, Tensor, serial};

use crate::{
    error::{Result, fill, given, guard, nth, runicos_error_t, string},
    rune::runicos_element_t,
    runicos_status_t,
};

/// What one call came to. It does not change.
#[derive(Debug)]
pub struct runicos_result_t {
    rune: Arc<Rune>,
    outcome: runicos_outcome_t,
    records: Vec<Record>,
    interval: Duration,
    json: OnceLock<CString>,
}

/// What a call came to that did not fail.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum runicos_outcome_t {
    /// There is no result: it is NULL.
    RUNICOS_NONE = 0,
    /// The rune wrote something.
    RUNICOS_OUTPUT = 1,
    /// It wrote nothing this time, as when a block waits for more data.
    RUNICOS_NO_OUTPUT = 2,
    /// A source has no more data.
    RUNICOS_END = 3,
}

/// A tensor that a rune wrote.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct runicos_tensor_t {
    /// The type of its elements.
    pub element: runicos_element_t,
    /// How many dimensions it has; 0 for a scalar.
    pub rank: u32,
    /// As many dimensions, the outermost first.
    pub dims: *const u32,
    /// How many elements it has.
    pub elements: usize,
    /// Its numbers in row order, little-endian, and aligned as from malloc; NULL where they are texts, which
    /// `runicos_result_text` gives.
    pub data: *const u8,
    /// The bytes of its numbers.
    pub bytes: usize,
}

/// What a call came to; `RUNICOS_NONE` for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_result_outcome(result: Option<&runicos_result_t>) -> runicos_outcome_t {
    result.map_or(runicos_outcome_t::RUNICOS_NONE, |result| result.outcome)
}

/// How many tensors were written to an output, counted from 0 as in the manifest; 0 where nothing was, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_result_tensors(
    result: Option<&runicos_result_t>,
    output: usize,
) -> usize {
    result.map_or(0, |result| result.tensors(output).len())
}

/// Describes a tensor that was written to an output, both counted from 0. What it points to belongs to the result.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_result_tensor(
    result: Option<&runicos_result_t>,
    output: usize,
    index: usize,
    tensor: Option<&mut MaybeUninit<runicos_tensor_t>>,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
) -> runicos_status_t {
    fill(tensor, error, || {
        let tensor = given(result, "result")?.tensor(output, index)?;
        // Memory for bytes comes from malloc like all other, so that C may read any number in it where it lies.
        let (data, bytes, elements) = match &tensor.elements {
            Elements::Numbers(bytes) => {
                let elements = bytes.len() / tensor.element.size() as usize;
                (bytes.as_ptr(), bytes.len(), elements)
            }
            Elements::Texts(texts) => (ptr::null(), 0, texts.len()),
        };
        Ok(runicos_tensor_t {
            element: tensor.element.into(),
            rank: tensor.dims.len() as u32,
            dims: tensor.dims.as_ptr(),
            elements,
            data,
            bytes,
        })
    })
}

/// An element of a tensor of texts: UTF-8 of `*len` bytes, with no NUL behind it. It belongs to the result.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_result_text(
    result: Option<&runicos_result_t>,
    output: usize,
    tensor: usize,
    index: usize,
    text: Option<&mut MaybeUninit<*const c_char>>,
    len: Option<&mut MaybeUninit<usize>>,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
) -> runicos_status_t {
    fill(text, error, || {
        let tensor = given(result, "result")?.tensor(output, tensor)?;
        let Elements::Texts(texts) = &tensor.elements else {
            return Err(runicos_error_t::argument("the tensor has no texts"));
        };
        let text = nth(texts, index, "text")?;
        given(len, "len")?.write(text.len());
        Ok(text.as_ptr().cast())
    })
}

/// All that was written, as the line of JSON that `rune run` prints: an object with a key for each output. Belongs to
/// the result; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_result_json(result: Option<&runicos_result_t>) -> *const c_char {
    let mut json = ptr::null();
    guard(None, || {
        let result = given(result, "result")?;
        let line = || string(&serial::line(result.rune.manifest(), &result.records));
        json = result.json.get_or_init(line).as_ptr();
        Ok(())
    });
    json
}

/// How many nanoseconds there must be from the begin of this call to the begin of the next by the rates of the policy;
/// 0 where it has none, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_result_interval_ns(result: Option<&runicos_result_t>) -> u64 {
    let interval = result.map_or(Duration::ZERO, |result| result.interval);
    u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX)
}

/// Ends a result, which may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_result_free(result: Option<Box<runicos_result_t>>) {
    drop(result);
}

impl runicos_result_t {
    pub(crate) fn new(rune: Arc<Rune>, call: Call<'_>, rates: &Rates) -> Self {
        let (outcome, records) = match call {
            Call::Output(records) => (runicos_outcome_t::RUNICOS_OUTPUT, records.to_vec()),
            Call::NoOutput => (runicos_outcome_t::RUNICOS_NO_OUTPUT, vec![]),
            Call::End => (runicos_outcome_t::RUNICOS_END, vec![]),
        };
        let bytes = records.iter().map(Record::bytes).sum();
        Self {
            rune,
            outcome,
            records,
            interval: rates.interval(bytes),
            json: OnceLock::new(),
        }
    }

    fn tensors(&self, output: usize) -> &[Tensor] {
        let record = self.records.iter().find(|record| record.output == output);
        record.map_or(&[], |record| &record.tensors)
    }

    fn tensor(&self, output: usize, index: usize) -> Result<&Tensor> {
        nth(self.tensors(output), index, "tensor")
    }
}
