//! The runtime: what all runes of a process share.

use std::{ffi::c_char, mem::MaybeUninit, path::Path};

use rune_runtime::{Cache, Compiler, Runtime, WorkerLimits};

use crate::{
    error::{guard, make, optional, runicos_error_t},
    runicos_status_t,
};

/// Starts runes. One serves a whole process. It has a thread, which counts deadlines.
#[derive(Debug)]
pub struct runicos_runtime_t(pub(crate) Runtime);

/// Makes a runtime.
///
/// `worker` is the path of the program `rune`, which then compiles runes in processes of its own with limits on their
/// time and memory; this is for runes that you do not trust. NULL: runes are compiled in this process.
///
/// `cache` is a folder that keeps machine code between processes, with the key that authenticates it. It is made where it
/// is missing, and must be writable by nobody but this user. NULL: nothing is kept.
///
/// The runtime is ended with `runicos_runtime_free`; instances that were started before go on.
///
/// # Safety
/// Both are NULL, or strings that end with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn runicos_runtime_new(
    worker: *const c_char,
    cache: *const c_char,
    runtime: Option<&mut MaybeUninit<*mut runicos_runtime_t>>,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
) -> runicos_status_t {
    make(runtime, error, || {
        // SAFETY: the caller promises strings.
        let (worker, cache) = unsafe { (optional(worker, "worker")?, optional(cache, "cache")?) };
        let compiler = worker.map_or(Compiler::InProcess, |program| Compiler::Worker {
            program: program.into(),
            args: vec!["compile-worker".to_owned()],
            limits: WorkerLimits::default(),
        });
        let cache = cache.map(|folder| {
            let path = Path::new(folder);
            Cache::open(&path.join("modules"), &path.join("cache.key")).map_err(|e| {
                let status = runicos_status_t::RUNICOS_FILE;
                runicos_error_t::new(status, format_args!("{folder}: {e}"))
            })
        });
        Ok(runicos_runtime_t(Runtime::new(
            compiler,
            cache.transpose()?,
        )?))
    })
}

/// Ends a runtime, which may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_runtime_free(runtime: Option<Box<runicos_runtime_t>>) {
    guard(None, || {
        drop(runtime);
        Ok(())
    });
}
