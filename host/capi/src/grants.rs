//! What a program grants a rune: flags, a policy, sources of its own, limits, and who hears what the rune says.

use std::{
    ffi::{c_char, c_int, c_void},
    fmt,
    mem::MaybeUninit,
    path::Path,
    time::{Duration, Instant},
};

use rune_runtime::{
    Grants, Limits, Listener, Offer, Policy, Read, Rune, Source, SourceError, SourceFlag,
};

use crate::{
    error::{Exclusive, Result, given, guard, make, runicos_error_t, string, text},
    runicos_status_t,
};

/// What a `runicos_read_t` gives when it has filled `out`.
pub const RUNICOS_READ_SAMPLE: c_int = 0;
/// What a `runicos_read_t` gives when there is nothing more: calls come to `RUNICOS_END`.
pub const RUNICOS_READ_END: c_int = 1;
/// What a `runicos_read_t` gives when it had no sample in time: the call fails with `RUNICOS_SOURCE`.
pub const RUNICOS_READ_LATE: c_int = 2;

/// Fills `out`, which is `len` bytes and no place to keep, with the next sample of a capability: numbers
/// little-endian, as the type of the capability says. `timeout_ns` nanoseconds are left for it. Gives
/// `RUNICOS_READ_SAMPLE`, `RUNICOS_READ_END` or `RUNICOS_READ_LATE`; any other number is a failure, and stands in the message.
///
/// It is called during `runicos_instance_call`, by the thread that calls that, and never twice at once. It may not leave
/// by longjmp or an exception, nor free what it is called by.
pub type runicos_read_t = Option<
    unsafe extern "C-unwind" fn(
        context: *mut c_void,
        out: *mut u8,
        len: usize,
        timeout_ns: u64,
    ) -> c_int,
>;

/// Hears a line of a rune, or about it: `level` is 1 (error), 2 (warning), 3 (note), 4 (debug) or 5 (trace), and `text`
/// one line, good during the call. It is called as `runicos_read_t` is.
pub type runicos_log_t =
    Option<unsafe extern "C-unwind" fn(context: *mut c_void, level: u32, text: *const c_char)>;

/// Told once that its `context` is needed no more, by whatever thread it was that needed it last.
pub type runicos_release_t = Option<unsafe extern "C-unwind" fn(context: *mut c_void)>;

/// What is granted to one instance of a rune. Everything stays in it until the instance is started.
#[derive(Debug)]
pub struct runicos_grants_t(Exclusive<Building>);

#[derive(Default)]
struct Building {
    flags: Vec<SourceFlag>,
    policy: Option<Policy>,
    sources: Vec<(String, Box<dyn Source>)>,
    limits: Limits,
    log: Option<Log>,
}

impl fmt::Debug for Building {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Building").finish_non_exhaustive()
    }
}

/// Grants nothing yet, with 256 MiB of memory and ten seconds for a call. Goes into `runicos_instance_start`; where it
/// does not get so far, it is ended with `runicos_grants_free`.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_grants_new(
    grants: Option<&mut MaybeUninit<*mut runicos_grants_t>>,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
) -> runicos_status_t {
    make(grants, error, || {
        Ok(runicos_grants_t(Exclusive::new(Building::default())))
    })
}

/// Grants a file, sensor or seed as the command line does: `"accel"`, `"walk.csv"` is `--accel walk.csv`.
///
/// # Safety
/// Both are strings that end with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn runicos_grants_flag(
    grants: Option<&runicos_grants_t>,
    name: *const c_char,
    value: *const c_char,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
) -> runicos_status_t {
    change(grants, error, || {
        // SAFETY: the caller promises strings.
        let (name, value) = unsafe { (text(name, "name")?, text(value, "value")?) };
        let flag = SourceFlag::new(name, value).ok_or_else(|| {
            let what = format_args!("there is no flag `--{name}` that grants a source");
            runicos_error_t::new(runicos_status_t::RUNICOS_FLAGS, what)
        })?;
        Ok(|building: &mut Building| building.flags.push(flag))
    })
}

/// Grants by the policy in a file, in place of another that was set before. Its limits and signers count, and its
/// sources for what no flag and no callback feeds. Its outputs do not: what a rune writes goes to this program.
///
/// # Safety
/// `path` is a string that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn runicos_grants_policy(
    grants: Option<&runicos_grants_t>,
    path: *const c_char,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
) -> runicos_status_t {
    change(grants, error, || {
        // SAFETY: the caller promises a string.
        let policy = Policy::load(Path::new(unsafe { text(path, "path") }?))?;
        Ok(|building: &mut Building| building.policy = Some(policy))
    })
}

/// Grants a callback to the capability of a name. `release`, which may be NULL, is called once with `context` when
/// neither grants nor instance need it any more, and also where this function fails. `context` may be used by other
/// threads than this one, if others call the instance.
///
/// # Safety
/// `name` is a string that ends with NUL, and the callbacks keep to what their types say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn runicos_grants_source(
    grants: Option<&runicos_grants_t>,
    name: *const c_char,
    read: runicos_read_t,
    context: *mut c_void,
    release: runicos_release_t,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
) -> runicos_status_t {
    let context = Context { context, release };
    change(grants, error, || {
        // SAFETY: the caller promises a string.
        let name = unsafe { text(name, "name") }?.to_owned();
        let source = Box::new(Callback {
            read: given(read, "read")?,
            context,
            name: name.clone(),
        });
        Ok(|building: &mut Building| building.sources.push((name, source)))
    })
}

/// The most bytes of memory that the rune may have, where no policy says it.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_grants_memory(
    grants: Option<&runicos_grants_t>,
    bytes: u64,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
) -> runicos_status_t {
    change(grants, error, || {
        Ok(|building: &mut Building| building.limits.memory_bytes = bytes)
    })
}

/// The most milliseconds that a call may take, in steps of ten, where no policy says it.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_grants_call_time(
    grants: Option<&runicos_grants_t>,
    milliseconds: u64,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
) -> runicos_status_t {
    change(grants, error, || {
        let time = Duration::from_millis(milliseconds);
        Ok(move |building: &mut Building| building.limits.call_time = time)
    })
}

/// Says who hears what the rune logs, in place of who did before. `context` and `release` are as in
/// `runicos_grants_source`.
///
/// # Safety
/// The callbacks keep to what their types say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn runicos_grants_log(
    grants: Option<&runicos_grants_t>,
    log: runicos_log_t,
    context: *mut c_void,
    release: runicos_release_t,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
) -> runicos_status_t {
    let context = Context { context, release };
    change(grants, error, || {
        let log = Log {
            log: given(log, "log")?,
            context,
        };
        Ok(|building: &mut Building| building.log = Some(log))
    })
}

/// Ends grants that were not used; they may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_grants_free(grants: Option<Box<runicos_grants_t>>) {
    guard(None, || {
        drop(grants);
        Ok(())
    });
}

/// Works out a change and makes it.
fn change<C: FnOnce(&mut Building)>(
    grants: Option<&runicos_grants_t>,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
    body: impl FnOnce() -> Result<C>,
) -> runicos_status_t {
    guard(error, || {
        let change = body()?;
        given(grants, "grants")?.0.with(|building| {
            change(building);
            Ok(())
        })
    })
}

impl runicos_grants_t {
    /// Grants the rune what it asks for, or says all that is missing.
    pub(crate) fn grant(self, rune: &Rune) -> Result<(Grants, Listener)> {
        let Building {
            flags,
            policy,
            sources,
            limits,
            log,
        } = self.0.into_inner()?;
        // The program takes what the rune writes: a sink by hand, whatever the policy binds.
        let discard = ["discard".to_owned()];
        let outs = if rune.manifest().outputs.is_empty() {
            &[][..]
        } else {
            &discard
        };
        let grants = rune.grant_offer(Offer {
            policy: policy.as_ref(),
            sources,
            flags: &flags,
            outs,
            limits,
        })?;
        let listener: Listener = match log {
            Some(log) => Box::new(move |level, text| log.say(level, text)),
            None => Box::new(|_, _| {}),
        };
        Ok((grants, listener))
    }
}

/// What a callback gets back.
struct Context {
    context: *mut c_void,
    release: runicos_release_t,
}

// SAFETY: whoever gives a context says that other threads may use it; see `runicos_grants_source`.
unsafe impl Send for Context {}

impl Drop for Context {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: the callback is for this context and keeps to its type, and this is the only call.
            unsafe { release(self.context) }
        }
    }
}

/// A source that is a callback.
struct Callback {
    read: unsafe extern "C-unwind" fn(*mut c_void, *mut u8, usize, u64) -> c_int,
    context: Context,
    /// Of the capability, for messages.
    name: String,
}

impl Source for Callback {
    fn read(
        &mut self,
        out: &mut [u8],
        deadline: Instant,
    ) -> std::result::Result<Read, SourceError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = u64::try_from(left.as_nanos()).unwrap_or(u64::MAX);
        // SAFETY: the callback is for this context and keeps to its type, and `out` is as long as it is told.
        let code = unsafe { (self.read)(self.context.context, out.as_mut_ptr(), out.len(), left) };
        match code {
            RUNICOS_READ_SAMPLE => Ok(Read::Sample),
            RUNICOS_READ_END => Ok(Read::End { note: None }),
            RUNICOS_READ_LATE => Err(SourceError::late(&self.name)),
            code => Err(SourceError::new(
                &self.name,
                format_args!("its callback gave {code}"),
            )),
        }
    }
}

/// A listener that is a callback.
struct Log {
    log: unsafe extern "C-unwind" fn(*mut c_void, u32, *const c_char),
    context: Context,
}

impl Log {
    fn say(&self, level: u32, text: &str) {
        let text = string(text);
        // SAFETY: the callback is for this context and keeps to its type, and the text lives as long as the call.
        unsafe { (self.log)(self.context.context, level, text.as_ptr()) }
    }
}
