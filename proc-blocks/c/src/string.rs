//! `string.h`. What copies and fills are instructions of WebAssembly, so none of these calls itself.
#![expect(unsafe_code, reason = "C passes addresses and lengths")]

use core::{cmp::Ordering, ptr};

/// # Safety
/// `count` bytes can be written at `to` and read at `from`, and they are apart.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the caller's promise.
    unsafe { ptr::copy_nonoverlapping(from, to, count) };
    to
}

/// # Safety
/// `count` bytes can be written at `to` and read at `from`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the caller's promise.
    unsafe { ptr::copy(from, to, count) };
    to
}

/// # Safety
/// `count` bytes can be written at `to`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    // SAFETY: the caller's promise.
    unsafe { ptr::write_bytes(to, byte as u8, count) };
    to
}

/// # Safety
/// `count` bytes can be read at both.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    for i in 0..count {
        // SAFETY: the caller's promise.
        let (a, b) = unsafe { (*left.add(i), *right.add(i)) };
        match a.cmp(&b) {
            Ordering::Equal => {}
            other => return other as i32,
        }
    }
    0
}

/// # Safety
/// `count` bytes can be read.
#[unsafe(no_mangle)]
unsafe extern "C" fn memchr(text: *const u8, byte: i32, count: usize) -> *const u8 {
    for i in 0..count {
        // SAFETY: the caller's promise.
        let at = unsafe { text.add(i) };
        // SAFETY: as above.
        if unsafe { *at } == byte as u8 {
            return at;
        }
    }
    ptr::null()
}

/// # Safety
/// The text ends with a zero.
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut length = 0;
    // Volatile, or the compiler sees that this is `strlen` and calls it.
    // SAFETY: the caller's promise.
    while unsafe { text.add(length).read_volatile() } != 0 {
        length += 1;
    }
    length
}

/// # Safety
/// The text ends with a zero.
#[unsafe(no_mangle)]
unsafe extern "C" fn strchr(text: *const u8, byte: i32) -> *const u8 {
    // SAFETY: the caller's promise; the zero at the end can be looked for too.
    unsafe { memchr(text, byte, strlen(text) + 1) }
}

/// # Safety
/// Both texts end with a zero, or have `count` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn strncmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    for i in 0..count {
        // SAFETY: no zero came before.
        let (a, b) = unsafe { (*left.add(i), *right.add(i)) };
        if a != b || a == 0 {
            return i32::from(a) - i32::from(b);
        }
    }
    0
}

/// # Safety
/// Both texts end with a zero.
#[unsafe(no_mangle)]
unsafe extern "C" fn strcmp(left: *const u8, right: *const u8) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { strncmp(left, right, usize::MAX) }
}
