//! Registers of the chip: where they are, and the one place that touches them.

/// A 32-bit register of a peripheral.
#[derive(Clone, Copy)]
pub(crate) struct Register(usize);

impl Register {
    /// The register at `offset` of the peripheral at `base`.
    const fn new(base: Peripheral, offset: usize) -> Self {
        Self(base.0 + offset)
    }

    pub(crate) fn read(self) -> u32 {
        // SAFETY: only this module makes registers, of peripherals that are always there.
        unsafe { (self.0 as *const u32).read_volatile() }
    }

    pub(crate) fn write(self, value: u32) {
        // SAFETY: as above; none of these peripherals writes to memory.
        unsafe { (self.0 as *mut u32).write_volatile(value) }
    }
}

/// A peripheral, by its address.
#[derive(Clone, Copy)]
pub(crate) struct Peripheral(usize);

impl Peripheral {
    pub(crate) const fn register(self, offset: usize) -> Register {
        Register::new(self, offset)
    }
}

pub(crate) const TIMER0: Peripheral = Peripheral(0x4000_0000);
pub(crate) const UART0: Peripheral = Peripheral(0x4000_4000);
pub(crate) const UART1: Peripheral = Peripheral(0x4000_5000);
#[cfg(feature = "ble")]
pub(crate) const UART2: Peripheral = Peripheral(0x4000_6000);
pub(crate) const WATCHDOG: Peripheral = Peripheral(0x4000_8000);
#[cfg(feature = "ethernet")]
pub(crate) const ETHERNET: Peripheral = Peripheral(0xA000_0000);

/// Ticks per second of the processor, the timers and the watchdog.
pub(crate) const HERTZ: u32 = 25_000_000;

/// Interrupts, by their numbers at the NVIC.
#[derive(Clone, Copy)]
#[repr(u16)]
pub(crate) enum Interrupt {
    /// UART1 has received a byte.
    Uart1Receive = 2,
    /// UART2 has received a byte.
    #[cfg(feature = "ble")]
    Uart2Receive = 4,
    /// The Ethernet controller has received a frame.
    #[cfg(feature = "ethernet")]
    Ethernet = 13,
}

/// Those that are used.
pub(crate) const INTERRUPTS: &[Interrupt] = &[
    Interrupt::Uart1Receive,
    #[cfg(feature = "ble")]
    Interrupt::Uart2Receive,
    #[cfg(feature = "ethernet")]
    Interrupt::Ethernet,
];

// SAFETY: the numbers are those of the chip.
unsafe impl cortex_m::interrupt::InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}

/// The settings of what is used: of both ports, the timer and the watchdog.
#[cfg(feature = "crash")]
pub(crate) fn settings(mut with: impl FnMut(u32)) {
    for (peripheral, offset) in [
        (UART0, 8),
        (UART0, 0x10),
        (UART1, 8),
        (UART1, 0x10),
        (TIMER0, 0),
        (TIMER0, 8),
        (WATCHDOG, 0),
        (WATCHDOG, 8),
        (WATCHDOG, 0xC00),
    ] {
        with(peripheral.register(offset).read());
    }
}
