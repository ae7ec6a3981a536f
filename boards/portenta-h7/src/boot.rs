//! What the bootloader finds where it looks for a program: a stack pointer and a start, those of slot A.
//!
//! The sector is kept for a program that chooses between two slots; until then these two words do. Arduino's bootloader
//! starts it if the stack pointer lies in RAM (arduino/mcuboot-arduino-stm32h7, app/main.cpp, `valid_application`).

unsafe extern "C" {
    static _stack_start: u32;
    fn Reset() -> !;
}

/// The beginning of a vector table. The rest is not read: `Reset` sets the vector table of the slot first.
#[repr(C)]
struct Entry {
    stack: *const u32,
    reset: unsafe extern "C" fn() -> !,
}

// SAFETY: two constants.
unsafe impl Sync for Entry {}

#[used]
#[unsafe(link_section = ".boot")]
static ENTRY: Entry = Entry {
    stack: &raw const _stack_start,
    reset: Reset,
};
