//! What the board is: sensors, lamps, watchdog.

use alloc::boxed::Box;
use core::{
    fmt::{self, Write as _},
    time::Duration,
};

use cortex_m::peripheral::SCB;
use embassy_stm32::{
    gpio::{Level, Output},
    mode::Blocking,
    peripherals::IWDG1,
    usart::UartTx,
    wdg::IndependentWatchdog,
};
use rune_abi::{CapabilityKind, CapabilityView, OutputKind};
use rune_adapt::{Crop, ImageSource, PixelFormat, Rate, SampleFormat, SoundSource};
use rune_core::{
    Adapted, Engines, Gives, Interpreter, Policy, Rand, Schedule, Sensor, Source, SourceError,
    Table,
};
use rune_cortex_m::Images;
use rune_firmware::{Chip, Shown, whole};

use crate::{
    camera::{self, Camera},
    clock,
    guard::STACK_GUARD_BYTES,
    links::Links,
    memory,
    microphone::{self, Microphone},
    qspi::{self, Flash},
};

const MICROPHONE: usize = 0;
const CAMERA: usize = 1;
const RANDOM: usize = 2;

static TABLE: Table = Table {
    bases: &["runicos/base", "runicos/portenta-h7"],
    sensors: &[
        Sensor {
            name: "the microphone",
            kind: CapabilityKind::Sound,
            gives: Gives::Adapted(rune_adapt::Source::Sound(SoundSource {
                rate: Rate::hz(microphone::HERTZ),
                channels: 1,
                format: SampleFormat::S16,
            })),
            ranges: &[],
        },
        Sensor {
            name: "the camera",
            kind: CapabilityKind::Image,
            gives: Gives::Adapted(rune_adapt::Source::Image(ImageSource {
                width: camera::WIDTH,
                height: camera::HEIGHT,
                stride: 0,
                format: PixelFormat::Gray8,
                crop: Crop::Centred,
            })),
            ranges: &[],
        },
        Sensor {
            name: "the generator of random numbers",
            kind: CapabilityKind::Rand,
            gives: Gives::Exact,
            ranges: &[],
        },
        // A kind that the board has, and FLOAT_IMAGE with it, is the host's only where the host says so.
        whole(CapabilityKind::Accel),
        whole(CapabilityKind::Raw),
        whole(CapabilityKind::Temperature),
        whole(CapabilityKind::Gpio),
    ],
    outputs: &[OutputKind::Serial],
    memory_bytes: 4 << 20,
    code_bytes: 256 << 10,
    native_keys: &[],
};

/// Red, green and blue, which shine when their pins are low.
pub(crate) struct Lamps {
    pub(crate) red: Output<'static>,
    pub(crate) green: Output<'static>,
    pub(crate) blue: Output<'static>,
}

/// Text for people: the UART on the pins that Arduino calls TX and RX, 115,200 bits a second.
pub(crate) struct Console(pub(crate) UartTx<'static, Blocking>);

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0
            .blocking_write(text.as_bytes())
            .map_err(|_| fmt::Error)
    }
}

impl Console {
    /// A line.
    pub(crate) fn say(&mut self, text: fmt::Arguments<'_>) {
        // A console that does not work has nowhere to say it.
        let _ = self.write_fmt(text).and_then(|()| self.write_str("\r\n"));
    }
}

/// Reserved addresses behind SRAM4.
#[cfg(feature = "crash")]
const NOWHERE: usize = 0x3900_0000;

/// The board.
pub(crate) struct Portenta {
    pub(crate) console: Console,
    pub(crate) lamps: Lamps,
    pub(crate) watchdog: IndependentWatchdog<'static, IWDG1>,
    /// Of what RAND gives.
    pub(crate) seed: u64,
    /// Whether there is one.
    pub(crate) has_camera: bool,
}

impl Chip for Portenta {
    type Links = Links;
    type Flash = Flash;
    type Engine = Engines<Interpreter, Images>;

    const NAME: &'static str = "portenta-h7";
    const TABLE: &'static Table = &TABLE;
    /// At most 32 seconds.
    const WATCHDOG: Duration = Duration::from_secs(20);

    fn engine(&self) -> Self::Engine {
        Engines {
            modules: Interpreter,
            images: Images {
                now_ns: clock::now_ns,
                slot: qspi::slot,
            },
        }
    }

    fn now_ns() -> u64 {
        clock::now_ns()
    }

    /// With its own sensors it is called as they give data.
    fn policy() -> Policy {
        Policy {
            schedule: Schedule::Input,
            memory_bytes: TABLE.memory_bytes,
            ..Policy::default()
        }
    }

    fn open(
        &mut self,
        row: usize,
        index: usize,
        capability: &CapabilityView<'static>,
    ) -> Result<Option<Box<dyn Source>>, SourceError> {
        let clock: fn() -> u64 = clock::now_ns;
        let plan = || {
            let plan = TABLE.sensors[row].plan(capability);
            plan.ok_or(SourceError::Failed("it has no plan"))
        };
        let source: Box<dyn Source> = match row {
            MICROPHONE => Box::new(Adapted::new(plan()?, Microphone::new()?, clock)),
            CAMERA if self.has_camera => Box::new(Adapted::new(plan()?, Camera::new()?, clock)),
            CAMERA => return Err(SourceError::Failed("no camera was found at the start")),
            RANDOM => {
                // Each rune has numbers of its own.
                self.seed = self.seed.wrapping_add(clock());
                let random = Rand::open(capability, index, self.seed);
                let unfit = |_| SourceError::Failed("there are no such random numbers");
                Box::new(random.map_err(unfit)?)
            }
            _ => return Ok(None),
        };
        Ok(Some(source))
    }

    fn say(&mut self, text: fmt::Arguments<'_>) {
        self.console.say(text);
    }

    fn show(&mut self, shown: Shown) {
        let [red, green, blue] = match shown {
            Shown::Idle => [false, false, true],
            Shown::Running => [false, true, false],
            Shown::Failed => [true, false, false],
        }
        .map(|shines| if shines { Level::Low } else { Level::High });
        self.lamps.red.set_level(red);
        self.lamps.green.set_level(green);
        self.lamps.blue.set_level(blue);
    }

    fn feed_watchdog(&mut self) {
        self.watchdog.pet();
    }

    fn heap(&self) -> [usize; 3] {
        memory::heap()
    }

    fn stack(&self) -> [usize; 2] {
        rune_cortex_m::stack::used(STACK_GUARD_BYTES as usize)
    }

    fn reset(&mut self) -> ! {
        SCB::sys_reset()
    }

    #[cfg(feature = "crash")]
    fn crash(&mut self, how: rune_link::Crash) -> Result<(), &'static str> {
        if how != rune_link::Crash::Links {
            rune_cortex_m::fault::crash(how, NOWHERE);
        }
        Ok(())
    }
}
