//! The CMSDK's serial ports: UART0 is the console, UART1 the link, whose bytes an interrupt puts into a ring.

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

static RECEIVED_BYTES: Mutex<RefCell<Received>> = Mutex::new(RefCell::new(Received {
    ring: Deque::new(),
    lost: 0,
}));

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
        critical_section::with(|cs| RECEIVED_BYTES.borrow_ref_mut(cs).ring.pop_front())
    }

    fn send(&mut self, bytes: &[u8]) {
        LINK.send(bytes);
    }

    fn lost(&self) -> u32 {
        critical_section::with(|cs| RECEIVED_BYTES.borrow_ref(cs).lost)
    }
}

/// The handler of [`Interrupt::Uart1Receive`].
pub(crate) fn take_received() {
    const RECEIVE_PENDING: u32 = 1 << 1;
    critical_section::with(|cs| {
        let mut received = RECEIVED_BYTES.borrow_ref_mut(cs);
        let Received { ring, lost } = &mut *received;
        LINK.interrupts.write(RECEIVE_PENDING);
        while LINK.state.read() & RECEIVED != 0 {
            let byte = LINK.data.read() as u8;
            *lost += u32::from(ring.push_back(byte).is_err());
        }
        if LINK.state.read() & RECEIVE_OVERRUN != 0 {
            LINK.state.write(RECEIVE_OVERRUN);
            *lost += 1;
        }
    });
}
