//! The camera of the Vision Shield, an HM01B0: 320 x 240 pixels of grey over the DCMI.
//!
//! Pins and polarities are those of Arduino (arduino/ArduinoCore-mbed, libraries/Camera/src/camera.cpp) and `OpenMV`
//! (openmv, `src/omv/boards/ARDUINO_PORTENTA_H7/omv_boardconfig.h`).

mod sensor;

use core::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering},
};

use embassy_executor::SendSpawner;
use embassy_stm32::{
    Peri, bind_interrupts,
    dcmi::{self, Config, Dcmi, HSyncDataInvalidLevel, PixelClockPolarity, VSyncDataInvalidLevel},
    dma,
    gpio::{Level, Output, OutputType, Speed},
    i2c::I2c,
    pac, peripherals as p,
    time::Hertz,
    timer::{
        low_level::CountingMode,
        simple_pwm::{PwmPin, SimplePwm},
    },
};
use embassy_sync::{blocking_mutex::raw::CriticalSectionRawMutex, signal::Signal};
use embassy_time::{Duration, with_timeout};
use rune_core::{Device, SourceError, Taken};

use crate::clock;

bind_interrupts!(struct Interrupts {
    DCMI => dcmi::InterruptHandler<p::DCMI>;
    DMA2_STREAM3 => dma::InterruptHandler<p::DMA2_CH3>;
});

pub(crate) const WIDTH: u32 = 320;
pub(crate) const HEIGHT: u32 = 240;
const BYTES: usize = (WIDTH * HEIGHT) as usize;

/// Longer than a picture takes at 15 a second, the second of two.
const PATIENCE: Duration = Duration::from_millis(500);

/// What is with the picture.
const NOT_WANTED: u8 = 0;
const WANTED: u8 = 1;
const THERE: u8 = 2;
const FAILED: u8 = 3;
static STATE: AtomicU8 = AtomicU8::new(NOT_WANTED);
static WISH: Signal<CriticalSectionRawMutex, ()> = Signal::new();
/// When it was there, in milliseconds since the start.
static TIME_MS: AtomicU32 = AtomicU32::new(0);

/// A picture. The task writes it while it is [`WANTED`], and the device reads it while it is [`THERE`].
struct Picture(UnsafeCell<[u32; BYTES / 4]>);

// SAFETY: the state says who has it.
unsafe impl Sync for Picture {}

#[unsafe(link_section = ".sram1")]
static PICTURE: Picture = Picture(UnsafeCell::new([0; BYTES / 4]));

/// What the camera is on.
pub(crate) struct Pins {
    pub(crate) dcmi: Peri<'static, p::DCMI>,
    pub(crate) dma: Peri<'static, p::DMA2_CH3>,
    pub(crate) d0: Peri<'static, p::PH9>,
    pub(crate) d1: Peri<'static, p::PH10>,
    pub(crate) d2: Peri<'static, p::PH11>,
    pub(crate) d3: Peri<'static, p::PH12>,
    pub(crate) d4: Peri<'static, p::PH14>,
    pub(crate) d5: Peri<'static, p::PI4>,
    pub(crate) d6: Peri<'static, p::PI6>,
    pub(crate) d7: Peri<'static, p::PI7>,
    pub(crate) vsync: Peri<'static, p::PI5>,
    pub(crate) hsync: Peri<'static, p::PA4>,
    pub(crate) pixel_clock: Peri<'static, p::PA6>,
    /// Its clock.
    pub(crate) timer: Peri<'static, p::TIM1>,
    pub(crate) clock: Peri<'static, p::PK1>,
    /// Its power.
    pub(crate) power: Peri<'static, p::PC13>,
    pub(crate) i2c: Peri<'static, p::I2C3>,
    pub(crate) scl: Peri<'static, p::PH7>,
    pub(crate) sda: Peri<'static, p::PH8>,
}

/// Looks for the camera, sets it up, and takes pictures from then on when they are wanted.
///
/// # Errors
/// Why there is none.
pub(crate) fn start(spawner: SendSpawner, pins: Pins) -> Result<(), sensor::Missing> {
    let Pins {
        dcmi,
        dma,
        d0,
        d1,
        d2,
        d3,
        d4,
        d5,
        d6,
        d7,
        vsync,
        hsync,
        pixel_clock,
        timer,
        clock: clock_pin,
        power,
        i2c,
        scl,
        sda,
    } = pins;
    // The memory of the picture has a clock of its own.
    pac::RCC.ahb2enr().modify(|w| w.set_sram1en(true));
    let pin = PwmPin::new(clock_pin, OutputType::PushPull);
    let mut timer = SimplePwm::new(
        timer,
        Some(pin),
        None,
        None,
        None,
        Hertz::mhz(6),
        CountingMode::EdgeAlignedUp,
    );
    timer.ch1().set_duty_cycle_fraction(1, 2);
    timer.ch1().enable();
    let mut power = Output::new(power, Level::Low, Speed::Low);
    clock::wait_us(10_000);
    power.set_high();
    clock::wait_us(100_000);
    let mut i2c = I2c::new_blocking(i2c, scl, sda, embassy_stm32::i2c::Config::default());
    sensor::start(&mut i2c)?;
    let mut config = Config::default();
    config.vsync_level = VSyncDataInvalidLevel::Low;
    config.hsync_level = HSyncDataInvalidLevel::Low;
    config.pixclk_polarity = PixelClockPolarity::FallingEdge;
    let dcmi = Dcmi::new_8bit(
        dcmi,
        dma,
        Interrupts,
        d0,
        d1,
        d2,
        d3,
        d4,
        d5,
        d6,
        d7,
        vsync,
        hsync,
        pixel_clock,
        config,
    );
    // The sensor gives a few columns and rows more.
    pac::DCMI.cwstrt().write(|_| {});
    pac::DCMI.cwsize().write(|w| {
        w.set_capcnt(WIDTH as u16 - 1);
        w.set_vline(HEIGHT as u16 - 1);
    });
    pac::DCMI.cr().modify(|w| w.set_crop(true));
    spawner.spawn(take_pictures(dcmi, timer, power).expect("it is spawned once"));
    Ok(())
}

#[embassy_executor::task]
async fn take_pictures(
    mut dcmi: Dcmi<'static, p::DCMI>,
    clock: SimplePwm<'static, p::TIM1>,
    power: Output<'static>,
) {
    // Both go on as long as this runs.
    let _held = (clock, power);
    loop {
        WISH.wait().await;
        // SAFETY: it is wanted, so it is the task's.
        let picture = unsafe { &mut *PICTURE.0.get() };
        let taken = with_timeout(PATIENCE, dcmi.capture(picture)).await;
        let state = if matches!(taken, Ok(Ok(()))) {
            TIME_MS.store((clock::now_ns() / 1_000_000) as u32, Ordering::Relaxed);
            THERE
        } else {
            pac::DCMI.cr().modify(|w| {
                w.set_capture(false);
                w.set_enable(false);
            });
            FAILED
        };
        STATE.store(state, Ordering::Release);
    }
}

/// Whether there is a [`Camera`].
static IS_SEEN: AtomicBool = AtomicBool::new(false);

/// The camera, as a rune sees it. There is one at a time.
pub(crate) struct Camera {
    /// Bytes of the picture that were taken.
    taken: usize,
}

impl Camera {
    /// The next picture is one from now on, unless one is being taken.
    ///
    /// # Errors
    /// Where there is one already.
    pub(crate) fn new() -> Result<Self, SourceError> {
        if IS_SEEN.swap(true, Ordering::Relaxed) {
            return Err(SourceError::Failed("the camera feeds another capability"));
        }
        if STATE.load(Ordering::Acquire) != WANTED {
            STATE.store(NOT_WANTED, Ordering::Release);
        }
        Ok(Self { taken: 0 })
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        IS_SEEN.store(false, Ordering::Relaxed);
    }
}

impl Device for Camera {
    fn take(&mut self, out: &mut [u8]) -> Result<Taken, SourceError> {
        match STATE.load(Ordering::Acquire) {
            WANTED => return Ok(Taken::default()),
            THERE => {}
            FAILED => {
                STATE.store(NOT_WANTED, Ordering::Release);
                return Err(SourceError::Failed("the camera gave no picture"));
            }
            _ => {
                STATE.store(WANTED, Ordering::Release);
                WISH.signal(());
                return Ok(Taken::default());
            }
        }
        let is_first = self.taken == 0;
        // SAFETY: it is there, so it is the device's, and words are bytes.
        let picture = unsafe { &*PICTURE.0.get().cast::<[u8; BYTES]>() };
        let rest = &picture[self.taken..];
        let bytes = rest.len().min(out.len());
        out[..bytes].copy_from_slice(&rest[..bytes]);
        self.taken += bytes;
        if self.taken == BYTES {
            self.taken = 0;
            STATE.store(NOT_WANTED, Ordering::Release);
        }
        let time_ns = u64::from(TIME_MS.load(Ordering::Relaxed)) * 1_000_000;
        Ok(Taken {
            bytes,
            time_ns: is_first.then_some(time_ns),
            lost: 0,
            is_end: false,
        })
    }
}
