//! Errors as values, and what all functions share: arguments, results, and where panics end.

use std::{
    any::Any,
    ffi::{CStr, CString, c_char},
    fmt::Display,
    mem::MaybeUninit,
    panic::{self, AssertUnwindSafe},
    ptr,
    sync::{Mutex, PoisonError},
    thread::{self, ThreadId},
};

use rune_runtime::{CallError, Cause, GrantError, LoadError, PolicyError, StartError};

/// What a call of a function came to. A number keeps its meaning for ever.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum runicos_status_t {
    /// It did what it should.
    RUNICOS_OK = 0,
    /// An argument is NULL, a string that is not UTF-8, or a number beyond the last.
    RUNICOS_ARGUMENT = 1,
    /// A file or folder cannot be read or made.
    RUNICOS_FILE = 2,
    /// The bytes are not a rune, or one that this runtime cannot run.
    RUNICOS_RUNE = 3,
    /// The policy cannot be read, or makes no sense.
    RUNICOS_POLICY = 4,
    /// What is granted does not fit what the rune reads.
    RUNICOS_FLAGS = 5,
    /// The rune needs what was not granted: each reason is something that is missing.
    RUNICOS_REFUSED = 6,
    /// A source could not be opened, or failed.
    RUNICOS_SOURCE = 7,
    /// The rune could not be turned into machine code.
    RUNICOS_COMPILE = 8,
    /// Memory or a thread could not be had.
    RUNICOS_START = 9,
    /// The rune said that it failed.
    RUNICOS_FAULT = 10,
    /// The code of the rune trapped.
    RUNICOS_TRAP = 11,
    /// The call took too long.
    RUNICOS_DEADLINE = 12,
    /// The rune asked its host for what it may not.
    RUNICOS_CONTRACT = 13,
    /// The instance has stopped at an error before, for good.
    RUNICOS_STOPPED = 14,
    /// A callback used what it was called by.
    RUNICOS_BUSY = 15,
    /// The library failed at a mistake of its own, or a callback unwound. What was in use is of no more use.
    RUNICOS_PANIC = 16,
}

use runicos_status_t as Status;

/// Why something failed.
#[derive(Debug)]
pub struct runicos_error_t {
    status: Status,
    message: CString,
    reasons: Vec<CString>,
}

pub(crate) type Result<T> = std::result::Result<T, runicos_error_t>;

/// The status that a function gave with this error; `RUNICOS_OK` for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_error_status(error: Option<&runicos_error_t>) -> runicos_status_t {
    error.map_or(Status::RUNICOS_OK, |error| error.status)
}

/// What went wrong, in words: its reasons, a line each. Belongs to the error; an empty string for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_error_message(error: Option<&runicos_error_t>) -> *const c_char {
    error.map_or(c"", |error| &error.message).as_ptr()
}

/// How many reasons there are: one, or all that is missing of `RUNICOS_REFUSED`; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_error_reasons(error: Option<&runicos_error_t>) -> usize {
    error.map_or(0, |error| error.reasons.len())
}

/// One of the reasons, counted from 0. Belongs to the error; NULL beyond the last.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_error_reason(
    error: Option<&runicos_error_t>,
    index: usize,
) -> *const c_char {
    let reason = error.and_then(|error| error.reasons.get(index));
    reason.map_or(ptr::null(), |reason| reason.as_ptr())
}

/// Ends an error, which may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn runicos_error_free(error: Option<Box<runicos_error_t>>) {
    drop(error);
}

impl runicos_error_t {
    pub(crate) fn new(status: Status, what: impl Display) -> Self {
        Self::of(status, &[what.to_string()])
    }

    fn of(status: Status, reasons: &[String]) -> Self {
        Self {
            status,
            message: string(&reasons.join("\n")),
            reasons: reasons.iter().map(|reason| string(reason)).collect(),
        }
    }

    /// That an argument is none.
    pub(crate) fn argument(what: impl Display) -> Self {
        Self::new(Status::RUNICOS_ARGUMENT, what)
    }

    fn panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self::new(Status::RUNICOS_PANIC, text.unwrap_or("something panicked"))
    }
}

impl From<LoadError> for runicos_error_t {
    fn from(error: LoadError) -> Self {
        Self::new(Status::RUNICOS_RUNE, error)
    }
}

impl From<PolicyError> for runicos_error_t {
    fn from(error: PolicyError) -> Self {
        Self::new(Status::RUNICOS_POLICY, error)
    }
}

impl From<GrantError> for runicos_error_t {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::Refused(missing) => Self::of(Status::RUNICOS_REFUSED, &missing),
            GrantError::Flags(what) => Self::new(Status::RUNICOS_FLAGS, what),
            GrantError::Source(error) => Self::new(Status::RUNICOS_SOURCE, error),
        }
    }
}

impl From<StartError> for runicos_error_t {
    fn from(error: StartError) -> Self {
        let status = match error {
            StartError::Compile(_) => Status::RUNICOS_COMPILE,
            StartError::Sources { .. } | StartError::Instance(_) | StartError::Runtime(_) => {
                Status::RUNICOS_START
            }
        };
        Self::new(status, error)
    }
}

impl From<CallError> for runicos_error_t {
    fn from(error: CallError) -> Self {
        let status = match error.cause {
            Cause::Fault(..) => Status::RUNICOS_FAULT,
            Cause::Trap(_) => Status::RUNICOS_TRAP,
            Cause::Deadline(_) => Status::RUNICOS_DEADLINE,
            Cause::Contract(_) => Status::RUNICOS_CONTRACT,
            Cause::Source(_) => Status::RUNICOS_SOURCE,
            Cause::Stopped => Status::RUNICOS_STOPPED,
        };
        Self::new(status, error)
    }
}

/// Runs the body of a function: its error goes where the caller asks for it, and a panic ends here.
pub(crate) fn guard(
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
    body: impl FnOnce() -> Result<()>,
) -> Status {
    // What a panic left half done is behind `Exclusive`, which gives it to nobody any more.
    let result = panic::catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|payload| Err(runicos_error_t::panic(&*payload)));
    let status = result
        .as_ref()
        .err()
        .map_or(Status::RUNICOS_OK, |e| e.status);
    if let Some(error) = error {
        error.write(result.map_or_else(|e| Box::into_raw(Box::new(e)), |()| ptr::null_mut()));
    }
    status
}

/// The same for a function that fills a place of the caller.
pub(crate) fn fill<T>(
    place: Option<&mut MaybeUninit<T>>,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
    body: impl FnOnce() -> Result<T>,
) -> Status {
    guard(error, || {
        let place = given(place, "the place for the result")?;
        place.write(body()?);
        Ok(())
    })
}

/// The same for a function that makes an object; its place is NULL where it does not.
pub(crate) fn make<T>(
    mut place: Option<&mut MaybeUninit<*mut T>>,
    error: Option<&mut MaybeUninit<*mut runicos_error_t>>,
    body: impl FnOnce() -> Result<T>,
) -> Status {
    if let Some(place) = &mut place {
        place.write(ptr::null_mut());
    }
    fill(place, error, || Ok(Box::into_raw(Box::new(body()?))))
}

/// An argument that must be there.
pub(crate) fn given<T>(argument: Option<T>, name: &str) -> Result<T> {
    argument.ok_or_else(|| runicos_error_t::argument(format_args!("{name} is NULL")))
}

/// One of several things, by its number.
pub(crate) fn nth<'a, T>(items: &'a [T], index: usize, what: &str) -> Result<&'a T> {
    items.get(index).ok_or_else(|| {
        let count = items.len();
        runicos_error_t::argument(format_args!(
            "there is no {what} {index}: there are {count}"
        ))
    })
}

/// An argument that is a string.
///
/// # Safety
/// It is NULL, or a string that ends with NUL and lives as long as the call.
pub(crate) unsafe fn text<'a>(argument: *const c_char, name: &str) -> Result<&'a str> {
    // SAFETY: as the caller promises.
    let argument = unsafe { optional(argument, name) }?;
    given(argument, name)
}

/// An argument that is a string or NULL.
///
/// # Safety
/// As [`text`].
pub(crate) unsafe fn optional<'a>(argument: *const c_char, name: &str) -> Result<Option<&'a str>> {
    if argument.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller promises a string that ends with NUL.
    let text = unsafe { CStr::from_ptr(argument) }.to_str();
    text.map(Some)
        .map_err(|_| runicos_error_t::argument(format_args!("{name} is not UTF-8")))
}

/// Text as C has it. What it cannot have in it, a NUL, becomes U+FFFD.
pub(crate) fn string(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).expect("there is no NUL in it")
}

/// What is used by one thread at a time; others wait. A callback that comes back to what it was called by is told so
/// and does not wait for itself.
#[derive(Debug)]
pub(crate) struct Exclusive<T> {
    value: Mutex<T>,
    user: Mutex<Option<ThreadId>>,
}

impl<T> Exclusive<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            user: Mutex::new(None),
        }
    }

    pub(crate) fn with<R>(&self, body: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
        let me = Some(thread::current().id());
        if *self.user() == me {
            let what = "a callback may not use what it is called by";
            return Err(runicos_error_t::new(Status::RUNICOS_BUSY, what));
        }
        let value = self.value.lock();
        let mut value = value.map_err(|_| Self::broken())?;
        *self.user() = me;
        let _gone = Gone(self);
        body(&mut value)
    }

    pub(crate) fn into_inner(self) -> Result<T> {
        self.value.into_inner().map_err(|_| Self::broken())
    }

    fn user(&self) -> std::sync::MutexGuard<'_, Option<ThreadId>> {
        self.user.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn broken() -> runicos_error_t {
        let what = "something panicked in it before";
        runicos_error_t::new(Status::RUNICOS_PANIC, what)
    }
}

/// Clears the user when it has gone, however it went.
struct Gone<'a, T>(&'a Exclusive<T>);

impl<T> Drop for Gone<'_, T> {
    fn drop(&mut self) {
        *self.0.user() = None;
    }
}
