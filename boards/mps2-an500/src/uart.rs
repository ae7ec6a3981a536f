//! The CMSDK's serial ports: UART0 is the console, UART1 the link, whose bytes an interrupt puts into a ring, and UART2, in
//! the same way, that of a Bluetooth controller.

use core::{cell::RefCell, fmt};

use cortex_m::peripheral::NVIC;
use critical_section::Mutex;
use heapless::Deque;
use rune_firmware::Port;

use crate::chip::{self, Interrupt, Peripheral, Register};

/// Most bytes that were received and not read: several frames.
const RING: usize = 4096;

const TRANSMIT_FULL: u32 = 1;
const RECEIVED: u32 = 1 << 1;
const RECEIVE_OVERRUN: u32 = 1 << 3;
const ENABLE: u32 = 0b11;
const RECEIVE_INTERRUPT: u32 = 1 << 3;

struct Uart {
    data: Register,
    state: Register,
    control: Register,
    interrupts: Register,
    divider: Register,
}

impl Uart {
    const fn new(at: Peripheral) -> Self {
        Self {
            data: at.register(0),
            state: at.register(4),
            control: at.register(8),
            interrupts: at.register(0xC),
            divider: at.register(0x10),
        }
    }

    fn start(&self, control: u32) {
        // 115,200 bits a second.
        self.divider.write(chip::HERTZ / 115_200);
        self.control.write(control);
    }

    /// Waits until every byte has gone to the port.
    fn send(&self, bytes: &[u8]) {
        for &byte in bytes {
            while self.state.read() & TRANSMIT_FULL != 0 {}
            self.data.write(u32::from(byte));
        }
    }
}

static CONSOLE: Uart = Uart::new(chip::UART0);
static LINK: Uart = Uart::new(chip::UART1);

/// Text for people.
pub(crate) struct Console;

impl Console {
    pub(crate) fn start() {
        CONSOLE.start(ENABLE);
    }
}

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        CONSOLE.send(text.as_bytes());
        Ok(())
    }
}

/// Prints a line on the console.
macro_rules! say {
    ($($text:tt)*) => {{
        use core::fmt::Write as _;
        // The console takes everything.
        let _ = writeln!($crate::uart::Console, $($text)*);
    }};
}
pub(crate) use say;

struct Received {
    ring: Deque<u8, RING>,
    lost: u32,
}

/// What a port has received.
struct Inbox(Mutex<RefCell<Received>>);

impl Inbox {
    const fn new() -> Self {
        Self(Mutex::new(RefCell::new(Received {
            ring: Deque::new(),
            lost: 0,
        })))
    }

    fn pop(&self) -> Option<u8> {
        critical_section::with(|cs| self.0.borrow_ref_mut(cs).ring.pop_front())
    }

    /// Takes what the port has; in its handler.
    fn take(&self, port: &Uart) {
        const RECEIVE_PENDING: u32 = 1 << 1;
        critical_section::with(|cs| {
            let mut received = self.0.borrow_ref_mut(cs);
            let Received { ring, lost } = &mut *received;
            port.interrupts.write(RECEIVE_PENDING);
            while port.state.read() & RECEIVED != 0 {
                let byte = port.data.read() as u8;
                *lost += u32::from(ring.push_back(byte).is_err());
            }
            if port.state.read() & RECEIVE_OVERRUN != 0 {
                port.state.write(RECEIVE_OVERRUN);
                *lost += 1;
            }
        });
    }
}

static FROM_LINK: Inbox = Inbox::new();

/// The port of the protocol.
pub(crate) struct Link(());

impl Link {
    pub(crate) fn start() -> Self {
        LINK.start(ENABLE | RECEIVE_INTERRUPT);
        // SAFETY: its handler shares only the ring, which is locked.
        unsafe { NVIC::unmask(Interrupt::Uart1Receive) };
        Self(())
    }
}

impl Port for Link {
    fn receive(&mut self) -> Option<u8> {
        FROM_LINK.pop()
    }

    fn send(&mut self, bytes: &[u8]) {
        LINK.send(bytes);
    }

    fn lost(&self) -> u32 {
        critical_section::with(|cs| FROM_LINK.0.borrow_ref(cs).lost)
    }
}

/// The handler of [`Interrupt::Uart1Receive`].
pub(crate) fn take_received() {
    FROM_LINK.take(&LINK);
}

#[cfg(feature = "ble")]
static CONTROLLER: Uart = Uart::new(chip::UART2);
#[cfg(feature = "ble")]
static FROM_CONTROLLER: Inbox = Inbox::new();

/// The port of a Bluetooth controller.
#[cfg(feature = "ble")]
pub(crate) struct Controller(());

#[cfg(feature = "ble")]
impl Controller {
    pub(crate) fn start() -> Self {
        CONTROLLER.start(ENABLE | RECEIVE_INTERRUPT);
        // SAFETY: its handler shares only the ring, which is locked.
        unsafe { NVIC::unmask(Interrupt::Uart2Receive) };
        Self(())
    }
}

#[cfg(feature = "ble")]
impl rune_ble::Port for Controller {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, rune_ble::ErrorKind> {
        let mut read = 0;
        while let Some(place) = into.get_mut(read)
            && let Some(byte) = FROM_CONTROLLER.pop()
        {
            *place = byte;
            read += 1;
        }
        Ok(read)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, rune_ble::ErrorKind> {
        CONTROLLER.send(bytes);
        Ok(bytes.len())
    }
}

/// The handler of [`Interrupt::Uart2Receive`].
#[cfg(feature = "ble")]
pub(crate) fn take_from_controller() {
    FROM_CONTROLLER.take(&CONTROLLER);
}
