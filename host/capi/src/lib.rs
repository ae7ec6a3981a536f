//! `librunicos`: the runtime as a library for C, and for whatever calls C.
//!
//! Every function is described where it stands, and [cbindgen](../cbindgen.toml) carries that over to
//! `include/runicos.h`. Names are those of the header, so that one search finds both.
//!
//! Three things hold for all of it. Arguments that may be NULL are `Option`s of references and boxes, which is what a
//! pointer of C is; only strings, arrays and callbacks are raw, and functions that take them unsafe. A function that
//! can fail is a closure in [`error::fill`], where errors become values and panics end. What an object hands out lies in
//! it and is not changed while it lives, so that handles need no locks, but for grants and instances, which are
//! behind one.
#![allow(non_camel_case_types, reason = "the names are those of the header")]
#![allow(
    clippy::enum_variant_names,
    reason = "the values of an enumeration of C stand beside all others"
)]
#![allow(
    clippy::needless_pass_by_value,
    reason = "an argument that is a box is one that the caller gives away"
)]
#![allow(
    unsafe_code,
    reason = "functions for C have names that are not mangled"
)]

mod error;
mod grants;
mod instance;
mod result;
mod rune;
mod runtime;

use std::ffi::c_char;

pub use error::{
    runicos_error_free, runicos_error_message, runicos_error_reason, runicos_error_reasons,
    runicos_error_status, runicos_error_t, runicos_status_t,
};
pub use grants::{
    RUNICOS_READ_END, RUNICOS_READ_LATE, RUNICOS_READ_SAMPLE, runicos_grants_call_time,
    runicos_grants_flag, runicos_grants_free, runicos_grants_log, runicos_grants_memory,
    runicos_grants_new, runicos_grants_policy, runicos_grants_source, runicos_grants_t,
    runicos_log_t, runicos_read_t, runicos_release_t,
};
pub use instance::{
    runicos_instance_call, runicos_instance_free, runicos_instance_health, runicos_instance_reset,
    runicos_instance_start, runicos_instance_t, runicos_string_free,
};
pub use result::{
    runicos_outcome_t, runicos_result_free, runicos_result_interval_ns, runicos_result_json,
    runicos_result_outcome, runicos_result_t, runicos_result_tensor, runicos_result_tensors,
    runicos_result_text, runicos_tensor_t,
};
pub use rune::{
    runicos_capability_t, runicos_element_t, runicos_output_t, runicos_param_kind_t,
    runicos_param_t, runicos_rune_capabilities, runicos_rune_capability, runicos_rune_digest,
    runicos_rune_free, runicos_rune_load, runicos_rune_name, runicos_rune_open,
    runicos_rune_output, runicos_rune_output_type, runicos_rune_outputs, runicos_rune_param,
    runicos_rune_t, runicos_rune_version, runicos_type_t,
};
pub use runtime::{runicos_runtime_free, runicos_runtime_new, runicos_runtime_t};

/// The version of this interface that a program is compiled for; see `runicos_abi_version`.
pub const RUNICOS_ABI_VERSION: u32 = 1;

/// The version of this interface that the library has. A program that is linked dynamically compares it with
/// `RUNICOS_ABI_VERSION` before it calls anything else.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_abi_version() -> u32 {
    RUNICOS_ABI_VERSION
}

/// The version of the library, such as `0.1.0`: a string that is always there.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// What is handed out may be used by every thread.
const _: () = {
    const fn every_thread<T: Send + Sync>() {}
    every_thread::<runicos_error_t>();
    every_thread::<runicos_grants_t>();
    every_thread::<runicos_instance_t>();
    every_thread::<runicos_result_t>();
    every_thread::<runicos_rune_t>();
    every_thread::<runicos_runtime_t>();
};
