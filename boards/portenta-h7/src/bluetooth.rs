//! The Bluetooth controller of the Murata 1DX, on UART7: its packets, and whether it answers.
//!
//! That is all there is: the controller wants a patch before it is of use, which has a licence of its own, and no host
//! runs here. See `docs/book/portenta.md`.

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
use rune_firmware::{Hci, HciError, Packets, Radio};
use static_cell::StaticCell;

bind_interrupts!(struct Interrupts {
    UART7 => BufferedInterruptHandler<UART7>;
});

/// Several packets each way.
const PIPE: usize = 1024;

type Bytes = Pipe<CriticalSectionRawMutex, PIPE>;

static FROM_CONTROLLER: Bytes = Bytes::new();
static TO_CONTROLLER: Bytes = Bytes::new();

/// The command of HCI that resets the controller, and the event that says it is done, up to its status.
const RESET: [u8; 4] = [1, 0x03, 0x0C, 0];
const RESET_DONE: [u8; 6] = [4, 0x0E, 4, 1, 0x03, 0x0C];

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

/// The controller.
pub(crate) struct Bluetooth {
    hci: Hci,
}

impl Bluetooth {
    /// Turns it on and asks it to reset itself; [`answered`](Self::answered) says when it did.
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
        let mut bluetooth = Self { hci: Hci::new() };
        // There is room for the first packet.
        let _ = bluetooth.send(&RESET);
        Ok(bluetooth)
    }

    /// Whether the controller has answered since this was asked last, with its status; 0 is good.
    pub(crate) fn answered(&mut self) -> Option<u8> {
        let mut packet = [0; 260];
        let count = self.receive(&mut packet).ok().flatten()?;
        let status = packet[..count].strip_prefix(&RESET_DONE)?;
        status.first().copied()
    }
}

impl Radio for Bluetooth {
    type Error = HciError;

    const PACKETS: Packets = Packets::Hci;

    fn receive(&mut self, into: &mut [u8]) -> Result<Option<usize>, HciError> {
        let mut byte = [0];
        while FROM_CONTROLLER.try_read(&mut byte).is_ok() {
            if let Some(packet) = self.hci.push(byte[0])? {
                let place = into.get_mut(..packet.len());
                let place = place.ok_or(HciError::Long(packet.len()))?;
                place.copy_from_slice(packet);
                return Ok(Some(packet.len()));
            }
        }
        Ok(None)
    }

    fn send(&mut self, packet: &[u8]) -> Result<bool, HciError> {
        if packet.len() > PIPE {
            return Err(HciError::Long(packet.len()));
        }
        // Whole or not at all; only this takes room.
        let has_room = TO_CONTROLLER.free_capacity() >= packet.len();
        let mut rest = if has_room { packet } else { &[] };
        while let Ok(count @ 1..) = TO_CONTROLLER.try_write(rest) {
            rest = &rest[count..];
        }
        Ok(has_room)
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
