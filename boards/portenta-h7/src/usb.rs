//! The link of the host: a serial port over USB, on the high-speed controller and its ULPI transceiver.
//!
//! It runs in an interrupt, so that the host is answered while a rune computes. Two pipes lead to it: bytes that do not
//! fit into the first wait in the host.

use embassy_executor::{SendSpawner, Spawner};
use embassy_stm32::{
    Peri, bind_interrupts,
    gpio::{Level, Output, Speed},
    peripherals::{self as p, USB_OTG_HS},
    usb::{self, Driver},
};
use embassy_sync::{blocking_mutex::raw::CriticalSectionRawMutex, pipe::Pipe};
use embassy_usb::{
    Builder, Config, UsbDevice,
    class::cdc_acm::{CdcAcmClass, Receiver, Sender, State},
};
use rune_firmware::Port;
use static_cell::StaticCell;

use crate::clock;

bind_interrupts!(struct Interrupts {
    OTG_HS => usb::InterruptHandler<USB_OTG_HS>;
});

/// Bytes of a packet at high speed.
const PACKET: usize = 512;
/// Several frames each way.
const PIPE: usize = 4096;
/// How long a reply waits for a host that does not read.
const PATIENCE_NS: u64 = 200_000_000;

type Bytes = Pipe<CriticalSectionRawMutex, PIPE>;
type Device = Driver<'static, USB_OTG_HS>;

static FROM_HOST: Bytes = Bytes::new();
static TO_HOST: Bytes = Bytes::new();

/// Pins of the transceiver (micropython, `ports/stm32/boards/ARDUINO_PORTENTA_H7/pins.csv`, `USB_HS_*`).
pub(crate) struct Pins {
    pub(crate) clk: Peri<'static, p::PA5>,
    pub(crate) dir: Peri<'static, p::PI11>,
    pub(crate) nxt: Peri<'static, p::PH4>,
    pub(crate) stp: Peri<'static, p::PC0>,
    pub(crate) d0: Peri<'static, p::PA3>,
    pub(crate) d1: Peri<'static, p::PB0>,
    pub(crate) d2: Peri<'static, p::PB1>,
    pub(crate) d3: Peri<'static, p::PB10>,
    pub(crate) d4: Peri<'static, p::PB11>,
    pub(crate) d5: Peri<'static, p::PB12>,
    pub(crate) d6: Peri<'static, p::PB13>,
    pub(crate) d7: Peri<'static, p::PB5>,
    pub(crate) reset: Peri<'static, p::PJ4>,
}

/// Starts it: the task for the port is given to the interrupt.
pub(crate) fn start(spawner: SendSpawner, usb: Peri<'static, USB_OTG_HS>, pins: Pins) {
    spawner.spawn(run(usb, pins).expect("it is spawned once"));
}

#[embassy_executor::task]
async fn run(usb: Peri<'static, USB_OTG_HS>, pins: Pins) {
    static OUT: StaticCell<[u8; 2 * PACKET]> = StaticCell::new();
    static CONFIG: StaticCell<[u8; 256]> = StaticCell::new();
    static BOS: StaticCell<[u8; 256]> = StaticCell::new();
    static CONTROL: StaticCell<[u8; 64]> = StaticCell::new();
    static STATE: StaticCell<State<'static>> = StaticCell::new();

    let Pins {
        clk,
        dir,
        nxt,
        stp,
        d0,
        d1,
        d2,
        d3,
        d4,
        d5,
        d6,
        d7,
        reset,
    } = pins;
    // As the bootloader does it (arduino/mcuboot-arduino-stm32h7, app/main.cpp, `usb_reset`).
    let mut reset = Output::new(reset, Level::Low, Speed::Low);
    embassy_time::Timer::after_millis(10).await;
    reset.set_high();
    embassy_time::Timer::after_millis(10).await;
    let driver = Driver::new_hs_ulpi(
        usb,
        Interrupts,
        clk,
        dir,
        nxt,
        stp,
        d0,
        d1,
        d2,
        d3,
        d4,
        d5,
        d6,
        d7,
        OUT.init([0; 2 * PACKET]),
        usb::Config::default(),
    );
    // For tests among ourselves (pid.codes); a product has a number of its own.
    let mut config = Config::new(0x1209, 0x0001);
    config.manufacturer = Some("Rune");
    config.product = Some("RunicOS on Portenta H7");
    let mut builder = Builder::new(
        driver,
        config,
        CONFIG.init([0; 256]),
        BOS.init([0; 256]),
        &mut [],
        CONTROL.init([0; 64]),
    );
    let class = CdcAcmClass::new(&mut builder, STATE.init(State::new()), PACKET as u16);
    let (sender, receiver) = class.split();
    // SAFETY: what is spawned stays on this executor, whose tasks run one at a time.
    let here = unsafe { Spawner::for_current_executor() }.await;
    here.spawn(receive(receiver).expect("it is spawned once"));
    here.spawn(send(sender).expect("it is spawned once"));
    let mut device: UsbDevice<'static, Device> = builder.build();
    // It does not end, and the transceiver stays out of reset as long.
    device.run().await;
}

#[embassy_executor::task]
async fn receive(mut receiver: Receiver<'static, Device>) {
    let mut packet = [0; PACKET];
    loop {
        receiver.wait_connection().await;
        // An error is the end of the connection.
        while let Ok(count) = receiver.read_packet(&mut packet).await {
            FROM_HOST.write_all(&packet[..count]).await;
        }
    }
}

#[embassy_executor::task]
async fn send(mut sender: Sender<'static, Device>) {
    let mut packet = [0; PACKET];
    loop {
        sender.wait_connection().await;
        loop {
            let count = TO_HOST.read(&mut packet).await;
            let mut sent = sender.write_packet(&packet[..count]).await;
            if sent.is_ok() && count == PACKET && TO_HOST.is_empty() {
                // A packet that is not full ends what belongs together.
                sent = sender.write_packet(&[]).await;
            }
            if sent.is_err() {
                break;
            }
        }
    }
}

/// The port of the protocol.
pub(crate) struct Link {
    lost: u32,
}

impl Link {
    pub(crate) const fn new() -> Self {
        Self { lost: 0 }
    }
}

impl Port for Link {
    fn receive(&mut self) -> Option<u8> {
        let mut byte = [0];
        FROM_HOST.try_read(&mut byte).is_ok().then_some(byte[0])
    }

    fn send(&mut self, bytes: &[u8]) {
        let end = clock::now_ns() + PATIENCE_NS;
        let mut rest = bytes;
        while !rest.is_empty() {
            match TO_HOST.try_write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(_) if clock::now_ns() < end => {}
                Err(_) => {
                    // Nobody reads; what is old is of no use to who comes later.
                    TO_HOST.clear();
                    self.lost = self.lost.saturating_add(rest.len() as u32);
                    return;
                }
            }
        }
    }

    /// Bytes of replies that nobody took; those from the host wait there.
    fn lost(&self) -> u32 {
        self.lost
    }
}
