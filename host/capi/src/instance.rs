//! Runes that were started.

use std::{
    ffi::{CString, c_char},
    mem::MaybeUninit,
    sync::Arc,
};

use rune_runtime::{Instance, Rates, Rune};
use rune_saga::Snapshot;

use crate::{
    error::{Exclusive, fill, given, guard, make, runicos_error_t, string},
    grants::runicos_grants_t,
    result::runicos_result_t,
    rune::runicos_rune_t,
    runicos_status_t,
    runtime::runicos_runtime_t,
};

/// A rune that is ready to be called. It needs neither its runtime nor its rune any more.
#[derive(Debug)]
pub struct runicos_instance_t {
    rune: Arc<Rune>,
    rates: Rates,
    instance: Exclusive<Instance>,
}

/// Starts a rune with what it was granted. `grants` are the library's from now on, whatever this gives; where they are
/// not enough, it gives `RUNICOS_REFUSED` with everything that is missing. Ended with `runicos_instance_free`.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_instance_start(
    runtime: Option<&runicos_runtime_t>,
    rune: Option<&runicos_rune_t>,
    grants: Option<Box<runicos_grants_t>>,
    instance: Option<&mut MaybeUninit<*mut runicos_instance_t>>,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
) -> runicos_status_t {
    make(instance, error, || {
        let rune = &given(rune, "rune")?.rune;
        let runtime = &given(runtime, "runtime")?.0;
        let (grants, listener) = given(grants, "grants")?.grant(rune)?;
        Ok(runicos_instance_t {
            rune: rune.clone(),
            rates: grants.rates(),
            instance: Exclusive::new(runtime.start(rune, grants, listener)?),
        })
    })
}

/// Runs the pipeline of a rune once. The result is ended with `runicos_result_free` and needs the instance no more.
/// After an error the instance has stopped, and every further call is `RUNICOS_STOPPED`.
///
/// A rune takes up to 512 KiB of the stack of the thread that calls it: one with less than 1 MiB is too small.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_instance_call(
    instance: Option<&runicos_instance_t>,
    result: Option<&mut MaybeUninit<*mut runicos_result_t>>,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
) -> runicos_status_t {
    make(result, error, || {
        let of = given(instance, "instance")?;
        of.instance.with(|instance| {
            let call = instance.call()?;
            Ok(runicos_result_t::new(of.rune.clone(), call, &of.rates))
        })
    })
}

/// Puts the rune's own state back to what it was at the start; its sources stay where they are.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_instance_reset(
    instance: Option<&runicos_instance_t>,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
) -> runicos_status_t {
    guard(error, || {
        let instance = &given(instance, "instance")?.instance;
        instance.with(|instance| Ok(instance.reset()?))
    })
}

/// What an instance did so far, as JSON: calls, failures, latencies, stages and outputs, also once it has stopped. The
/// string is ended with `runicos_string_free`.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_instance_health(
    instance: Option<&runicos_instance_t>,
    json: Option<&mut MaybeUninit<*mut c_char>>,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
) -> runicos_status_t {
    fill(json, error, || {
        let of = given(instance, "instance")?;
        let record = of
            .instance
            .with(|instance| Ok(of.rune.health_record(instance.health())))?;
        let snapshot = Snapshot::decode(&record).expect("it was encoded just now");
        let json = rune_exporters::json::snapshot(&snapshot).to_string();
        Ok(string(&json).into_raw())
    })
}

/// Ends an instance, which may be NULL, with its sources: their `release` is called.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_instance_free(instance: Option<Box<runicos_instance_t>>) {
    guard(None, || {
        drop(instance);
        Ok(())
    });
}

/// Ends a string that a function made, which may be NULL.
///
/// # Safety
/// It was made by this library, and is ended once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn runicos_string_free(string: *mut c_char) {
    if !string.is_null() {
        // SAFETY: the caller promises that `CString::into_raw` gave it.
        drop(unsafe { CString::from_raw(string) });
    }
}
