//! A panic ends at the border, and what it left half done is used no more.
#![allow(unsafe_code, reason = "it calls what C calls")]

use std::{
    ffi::{CStr, c_int, c_void},
    mem::MaybeUninit,
    ptr,
};

use rune_abi::{CapabilityKind, ElementType};
use runicos::{
    runicos_error_free, runicos_error_message, runicos_error_t, runicos_grants_new,
    runicos_grants_source, runicos_instance_call, runicos_instance_free, runicos_instance_health,
    runicos_instance_start, runicos_rune_free, runicos_rune_load, runicos_runtime_free,
    runicos_runtime_new, runicos_status_t,
};

use crate::runes::{capability, echo, ty};

unsafe extern "C-unwind" fn panics(_: *mut c_void, _: *mut u8, _: usize, _: u64) -> c_int {
    panic!("the sensor fell off");
}

unsafe extern "C-unwind" fn count(context: *mut c_void) {
    // SAFETY: the test gives a counter.
    unsafe { *context.cast::<u32>() += 1 }
}

/// Calls a function with a place for its result and one for its error.
fn made<T>(
    function: impl FnOnce(
        Option<&mut MaybeUninit<T>>,
        Option<&mut MaybeUninit<*mut runicos_error_t>>,
    ) -> runicos_status_t,
) -> Result<T, (runicos_status_t, String)> {
    let (mut result, mut error) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    let status = function(Some(&mut result), Some(&mut error));
    if status == runicos_status_t::RUNICOS_OK {
        // SAFETY: a function that gives RUNICOS_OK fills its place.
        return Ok(unsafe { result.assume_init() });
    }
    // SAFETY: any other leaves an error, which is this test's now.
    let error = unsafe { Box::from_raw(error.assume_init()) };
    // SAFETY: the message is a string and lives as long as the error.
    let message = unsafe { CStr::from_ptr(runicos_error_message(Some(&error))) };
    let message = message.to_str().unwrap().to_owned();
    runicos_error_free(Some(error));
    Err((status, message))
}

#[test]
fn a_callback_that_unwinds_is_an_error() {
    let rune = echo(capability(
        CapabilityKind::Raw,
        "raw",
        ty(ElementType::U8, &[4]),
    ));
    let mut released = 0u32;
    let context = ptr::from_mut(&mut released).cast();
    // SAFETY: the strings and arrays are such, and what was made is used by its type and freed once.
    unsafe {
        let runtime = made(|r, e| runicos_runtime_new(ptr::null(), ptr::null(), r, e)).unwrap();
        let rune = made(|r, e| runicos_rune_load(rune.as_ptr(), rune.len(), r, e)).unwrap();
        let grants = made(|g, e| runicos_grants_new(g, e)).unwrap();
        let status = runicos_grants_source(
            Some(&*grants),
            c"raw".as_ptr(),
            Some(panics),
            context,
            Some(count),
            None,
        );
        assert_eq!(status, runicos_status_t::RUNICOS_OK);
        let grants = Some(Box::from_raw(grants));
        let started =
            made(|i, e| runicos_instance_start(Some(&*runtime), Some(&*rune), grants, i, e));
        let instance = started.unwrap();
        let first = made(|r, e| runicos_instance_call(Some(&*instance), r, e));
        let expected = |what: &str| (runicos_status_t::RUNICOS_PANIC, what.to_owned());
        assert_eq!(first.unwrap_err(), expected("the sensor fell off"));
        let before = expected("something panicked in it before");
        let second = made(|r, e| runicos_instance_call(Some(&*instance), r, e));
        assert_eq!(second.unwrap_err(), before);
        let health = made(|h, e| runicos_instance_health(Some(&*instance), h, e));
        assert_eq!(health.unwrap_err(), before);
        runicos_instance_free(Some(Box::from_raw(instance)));
        runicos_rune_free(Some(Box::from_raw(rune)));
        runicos_runtime_free(Some(Box::from_raw(runtime)));
    }
    assert_eq!(released, 1);
}
