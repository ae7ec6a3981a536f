//! The Bluetooth controller of the Murata 1DX, on UART7: bytes of H4 both ways.
//!
//! The host above is that of `rune_ble`. The controller wants a patch before all of it is of use, which has a licence of its
//! own and is not given here. See `docs/book/portenta.md`.

use embassy_executor::{SendSpawner, Spawner};
use embassy_stm32::{
    Peri, bind_interrupts,
    gpio::{Level, Output, Speed},
    peripherals::{self as p, UART7},
    usart::{
        BufferedInterruptHandler, BufferedUart, BufferedUartRx, BufferedUartTx, Config, ConfigError,
    },
};
use embassy_sync::{blocking_mutex::raw::CriticalSectionRawMutex, pipe::Pipe};
use embedded_io_async::{Read, Write};
use rune_ble::{ErrorKind, Port};
use static_cell::StaticCell;

bind_interrupts!(struct Interrupts {
    UART7 => BufferedInterruptHandler<UART7>;
});

/// Several packets each way.
const PIPE: usize = 1024;

type Bytes = Pipe<CriticalSectionRawMutex, PIPE>;

static FROM_CONTROLLER: Bytes = Bytes::new();
static TO_CONTROLLER: Bytes = Bytes::new();

/// Pins (micropython, `ports/stm32/boards/ARDUINO_PORTENTA_H7/{mpconfigboard.h,pins.csv}`: `MICROPY_HW_UART7_*`,
/// `BT_REG_ON`).
pub(crate) struct Pins {
    pub(crate) uart: Peri<'static, UART7>,
    pub(crate) tx: Peri<'static, p::PA15>,
    pub(crate) rx: Peri<'static, p::PF6>,
    pub(crate) rts: Peri<'static, p::PF8>,
    pub(crate) cts: Peri<'static, p::PF9>,
    pub(crate) power: Peri<'static, p::PJ12>,
}

/// The port of the controller.
pub(crate) struct Bluetooth(());

impl Bluetooth {
    /// Turns it on; what is sent waits until it can listen.
    ///
    /// # Errors
    /// Where the clocks do not give 115,200 bits a second.
    pub(crate) fn start(spawner: SendSpawner, pins: Pins) -> Result<Self, ConfigError> {
        static SEND: StaticCell<[u8; 512]> = StaticCell::new();
        static RECEIVE: StaticCell<[u8; 512]> = StaticCell::new();
        let Pins {
            uart,
            tx,
            rx,
            rts,
            cts,
            power,
        } = pins;
        let power = Output::new(power, Level::Low, Speed::Low);
        let uart = BufferedUart::new_with_rtscts(
            uart,
            rx,
            tx,
            rts,
            cts,
            Interrupts,
            SEND.init([0; 512]),
            RECEIVE.init([0; 512]),
            Config::default(),
        )?;
        let (tx, rx) = uart.split();
        spawner.spawn(run(tx, rx, power).expect("it is spawned once"));
        Ok(Self(()))
    }
}

impl Port for Bluetooth {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ErrorKind> {
        Ok(FROM_CONTROLLER.try_read(into).unwrap_or(0))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        Ok(TO_CONTROLLER.try_write(bytes).unwrap_or(0))
    }
}

#[embassy_executor::task]
async fn run(
    mut tx: BufferedUartTx<'static>,
    rx: BufferedUartRx<'static>,
    mut power: Output<'static>,
) {
    power.set_high();
    // Until its flow control is right; firmware of others waits no longer.
    embassy_time::Timer::after_millis(500).await;
    // SAFETY: what is spawned stays on this executor, whose tasks run one at a time.
    let here = unsafe { Spawner::for_current_executor() }.await;
    here.spawn(listen(rx).expect("it is spawned once"));
    let mut bytes = [0; 64];
    loop {
        let count = TO_CONTROLLER.read(&mut bytes).await;
        // What the port does not send, nobody answers.
        let _ = tx.write_all(&bytes[..count]).await;
    }
}

#[embassy_executor::task]
async fn listen(mut rx: BufferedUartRx<'static>) {
    let mut bytes = [0; 64];
    loop {
        // Of what was lost the packets are out of step, which their reader says.
        if let Ok(count) = rx.read(&mut bytes).await {
            FROM_CONTROLLER.write_all(&bytes[..count]).await;
        }
    }
}
