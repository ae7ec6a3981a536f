//! The registers of the HM01B0.
//!
//! Their names and values are facts of its maker, here after openmv, drivers/sensors/hm01b0.c; 0x3044 to 0x3058 are
//! settings of its analog part that the data sheet does not explain.

use core::fmt;

use embassy_stm32::{
    i2c::{I2c, Master},
    mode::Blocking,
};

use crate::clock;

const ADDRESS: u8 = 0x24;
/// What its registers 0 and 1 say.
const MODEL: [u8; 2] = [0x01, 0xB0];

const MODE: u16 = 0x0100;
const RESET: u16 = 0x0103;
const STANDBY: u8 = 0;
const STREAMING: u8 = 1;

/// Clocks of a line, and lines of a picture: at 6 MHz / 4 fifteen a second.
const LINE: u16 = 0x178;
const LINES: u16 = 0x104;

const SETTINGS: &[(u16, u8)] = &[
    // Black level and defective pixels.
    (0x1000, 0x43),
    (0x1001, 0x43),
    (0x1002, 0x43),
    (0x1003, 0x00),
    (0x1006, 0x01),
    (0x1007, 0x08),
    (0x1008, 0x01),
    (0x1009, 0xA0),
    (0x100A, 0x60),
    (0x100B, 0x90),
    (0x100C, 0x40),
    // Sync is not shifted.
    (0x1012, 0x00),
    // Analog part.
    (0x3044, 0x0A),
    (0x3045, 0x00),
    (0x3047, 0x0A),
    (0x3050, 0xC0),
    (0x3051, 0x42),
    (0x3052, 0x50),
    (0x3053, 0x00),
    (0x3054, 0x03),
    (0x3055, 0xF7),
    (0x3056, 0xF8),
    (0x3057, 0x29),
    (0x3058, 0x1F),
    (0x3064, 0x00),
    (0x3065, 0x04),
    // The clock comes from outside.
    (0x3067, 0x00),
    // Exposure and gain by itself: on, level, limits.
    (0x0350, 0x7F),
    (0x2000, 0x07),
    (0x2100, 0x01),
    (0x2101, 0x64),
    (0x2102, 0x0A),
    (0x2103, 0x03),
    (0x2104, 0x05),
    (0x2105, ((LINES - 2) >> 8) as u8),
    (0x2106, (LINES - 2) as u8),
    (0x2108, 0x04),
    (0x2109, 0x04),
    (0x210B, 0xC0),
    (0x210D, 0x20),
    (0x210E, 0x00),
    (0x0202, 0x01),
    (0x0203, 0x08),
    (0x0205, 0x00),
    (0x020E, 0x01),
    (0x020F, 0x00),
    // No motion detection.
    (0x2150, 0x00),
    // 320 x 240, no binning, eight bits on eight lines.
    (0x0340, (LINES >> 8) as u8),
    (0x0341, LINES as u8),
    (0x0342, (LINE >> 8) as u8),
    (0x0343, LINE as u8),
    (0x3010, 0x01),
    (0x0383, 0x01),
    (0x0387, 0x01),
    (0x0390, 0x00),
    (0x3011, 0x70),
    (0x3059, 0x02),
    // Its clock by 4.
    (0x3060, 0x09),
    (0x0101, 0x00),
    // Pixels change on the falling edge of their clock.
    (0x3068, 0x21),
    // All of this counts from now on.
    (0x0104, 0x01),
];

/// Why there is no camera.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Missing {
    /// Nothing answers.
    NoAnswer,
    /// Something else does: what it says it is.
    Model([u8; 2]),
    /// It does not come out of its reset.
    Reset,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer => f.write_str("nothing answers where a camera is"),
            Self::Model([high, low]) => write!(f, "it is no HM01B0 but {high:02x}{low:02x}"),
            Self::Reset => f.write_str("it does not come out of its reset"),
        }
    }
}

struct Registers<'a>(&'a mut I2c<'static, Blocking, Master>);

impl Registers<'_> {
    fn write(&mut self, register: u16, value: u8) -> Result<(), Missing> {
        let [high, low] = register.to_be_bytes();
        let sent = self.0.blocking_write(ADDRESS, &[high, low, value]);
        sent.map_err(|_| Missing::NoAnswer)
    }

    fn read(&mut self, register: u16) -> Result<u8, Missing> {
        let mut value = [0];
        let asked = self
            .0
            .blocking_write_read(ADDRESS, &register.to_be_bytes(), &mut value);
        asked.map_err(|_| Missing::NoAnswer)?;
        Ok(value[0])
    }
}

/// Sets the sensor up, and lets it send pictures.
pub(super) fn start(i2c: &mut I2c<'static, Blocking, Master>) -> Result<(), Missing> {
    let mut registers = Registers(i2c);
    let model = [registers.read(0)?, registers.read(1)?];
    if model != MODEL {
        return Err(Missing::Model(model));
    }
    let mut is_ready = false;
    for _ in 0..10 {
        registers.write(RESET, 1)?;
        clock::wait_us(1_000);
        is_ready = registers.read(MODE)? == STANDBY;
        if is_ready {
            break;
        }
        clock::wait_us(10_000);
    }
    if !is_ready {
        return Err(Missing::Reset);
    }
    for &(register, value) in SETTINGS {
        registers.write(register, value)?;
    }
    registers.write(MODE, STREAMING)
}
