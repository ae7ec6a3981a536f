//! An application as code of this firmware: its capability and its output are functions that it calls.

use core::{cell::RefCell, slice};

use critical_section::Mutex;
use rune_core::check;

use crate::{
    Span,
    app::{App, Sensor},
    clock,
    result::Receiver,
};

/// What the functions work with.
static HOST: Mutex<RefCell<Option<Host>>> = Mutex::new(RefCell::new(None));

struct Host {
    sensor: Sensor,
    receiver: Receiver,
    /// Whether the tensor of its output has texts.
    is_text: bool,
}

/// Starts the application and calls it so often.
pub(crate) fn run(app: &'static App, calls: u32) -> Span {
    let rune = check(app.rune).expect("it is a rune");
    let manifest = rune.manifest();
    let capability = manifest.capabilities.get(0).expect("it has a capability");
    let output = manifest.outputs.get(0).expect("it has an output");
    let ty = output.tensors.get(0).expect("it has a tensor").ty;
    let host = Host {
        sensor: app.source(&capability, 0),
        receiver: Receiver::default(),
        is_text: ty.element() == rune_abi::ElementType::Utf8,
    };
    critical_section::with(|cs| HOST.borrow_ref_mut(cs).replace(host));
    clock::start();
    let begin = clock::ticks();
    // SAFETY: the functions are compiled from the rune, whose imports are those below.
    unsafe { (app.native.start)() };
    for call in 0..calls {
        // SAFETY: as above, and it was started.
        let result = unsafe { (app.native.call)() };
        assert!(result >= 0, "the application failed: {result}");
        // The timer must be read before it begins anew.
        if call % 64 == 0 {
            clock::ticks();
        }
    }
    let ticks = clock::ticks() - begin;
    let sum = with(|host| host.receiver.sum());
    Span {
        ticks,
        sum,
        services: 0,
    }
}

fn with<T>(f: impl FnOnce(&mut Host) -> T) -> T {
    critical_section::with(|cs| f(HOST.borrow_ref_mut(cs).as_mut().expect("the run has begun")))
}

/// The import `read`.
///
/// # Safety
/// There are so many bytes that can be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn figure3_read(out: *mut u8, len: u32) -> i32 {
    // SAFETY: the caller's promise.
    let out = unsafe { slice::from_raw_parts_mut(out, len as usize) };
    with(|host| host.sensor.fill(out));
    len as i32
}

/// The import `write`: the record lies at `at` of the application's memory.
///
/// # Safety
/// There is a record as `docs/abi.md` has it.
#[unsafe(no_mangle)]
unsafe extern "C" fn figure3_write(memory: *const u8, at: u32) -> i32 {
    // SAFETY: the caller's promise.
    let word = |at: u32| unsafe { memory.add(at as usize).cast::<u32>().read_unaligned() };
    let (mut from, mut len) = (word(at), word(at + 4));
    with(|host| {
        if host.is_text {
            (from, len) = (word(from), word(from + 4));
        }
        // SAFETY: as above.
        let bytes = unsafe { slice::from_raw_parts(memory.add(from as usize), len as usize) };
        host.receiver.take(bytes);
    });
    0
}

/// The import `fault`, and traps.
#[unsafe(no_mangle)]
extern "C" fn figure3_fault() -> ! {
    panic!("the application failed");
}
