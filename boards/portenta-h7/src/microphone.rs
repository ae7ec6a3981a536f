//! The left microphone of the Vision Shield, an MP34DT06J: bits over SAI4 by BDMA, and sound from them.
//!
//! Pins, clocks and frames are those of Arduino (arduino/ArduinoCore-mbed, libraries/PDM/src/portenta/audio.{c,h}), the
//! filter is our own. It runs in an interrupt, so nothing is lost while a rune computes for a second.

use core::{
    cell::RefCell,
    sync::atomic::{AtomicBool, Ordering},
};

use critical_section::Mutex;
use embassy_executor::SendSpawner;
use embassy_stm32::{
    Peri, bind_interrupts,
    dma::{self, Channel, ReadableRingBuffer, TransferOptions},
    gpio::{AfType, Flex, OutputType, Pull, Speed},
    pac::{
        RCC, SAI4,
        rcc::vals::Saiasel,
        sai::vals::{
            Ckstr, Ds, Fsoff, Fspol, Fth, Lsbfirst, Mckdiv, Mode, Mono, Prtcfg, Slotsz, Syncen,
        },
    },
    peripherals as p,
    sai::{self, A},
};
use heapless::Deque;
use rune_core::{Device, SourceError, Taken};
use rune_firmware::{BitOrder, Decimator};
use static_cell::StaticCell;

use crate::clock;

bind_interrupts!(struct Interrupts {
    BDMA_CHANNEL1 => dma::InterruptHandler<p::BDMA_CH1>;
});

/// Samples per second, as they are called: the clock gives 15,997.
pub(crate) const HERTZ: u32 = 16_000;
const SAMPLE_NS: u64 = 1_000_000_000 / HERTZ as u64;
/// Samples are made 8 times as loud: speech is far below what such microphones bear.
const GAIN: u32 = 3;
/// The kernel clock, 49.143 MHz, by this is twice the microphones' clock.
const DIVIDER: u8 = 24;
/// Words of the ring of BDMA, each with eight bits of both microphones: 64 milliseconds.
const WORDS: usize = 8192;
/// A second of sound.
const SAMPLES: usize = 16_384;

#[unsafe(link_section = ".sram4")]
static RING: StaticCell<[u16; WORDS]> = StaticCell::new();

struct Sound {
    samples: Deque<i16, SAMPLES>,
    lost: u64,
}

static SOUND: Mutex<RefCell<Sound>> = Mutex::new(RefCell::new(Sound {
    samples: Deque::new(),
    lost: 0,
}));

/// What the microphones are on.
pub(crate) struct Pins {
    pub(crate) clock: Peri<'static, p::PE2>,
    pub(crate) data: Peri<'static, p::PB2>,
    pub(crate) dma: Peri<'static, p::BDMA_CH1>,
}

/// Starts to listen.
pub(crate) fn start(spawner: SendSpawner, pins: Pins) {
    spawner.spawn(listen(pins).expect("it is spawned once"));
}

/// SAI4's function of both pins.
const FUNCTION: u8 = 10;

#[embassy_executor::task]
async fn listen(pins: Pins) {
    let mut clock_pin = Flex::new(pins.clock);
    let output = AfType::output(OutputType::PushPull, Speed::High);
    clock_pin.set_as_af_unchecked(FUNCTION, output);
    let mut data_pin = Flex::new(pins.data);
    data_pin.set_as_af_unchecked(FUNCTION, AfType::input(Pull::None));
    set_up();
    let request = sai::Dma::<p::SAI4, A>::request(&*pins.dma);
    let channel = Channel::new(pins.dma, Interrupts);
    let register = SAI4.ch(0).dr().as_ptr().cast();
    let ring = RING.init([0; WORDS]);
    // SAFETY: the register is SAI4's, which the request belongs to, and BDMA reaches SRAM4.
    let mut ring = unsafe {
        ReadableRingBuffer::new(channel, request, register, ring, TransferOptions::default())
    };
    ring.start();
    SAI4.ch(0).cr1().modify(|w| w.set_dmaen(true));
    SAI4.ch(0).cr1().modify(|w| w.set_saien(true));
    let mut decimator = Decimator::new(BitOrder::HighFirst, GAIN);
    let mut words = [0; 512];
    loop {
        if ring.read_exact(&mut words).await.is_err() {
            ring.clear();
            critical_section::with(|cs| {
                // At least what the ring held.
                SOUND.borrow_ref_mut(cs).lost += WORDS as u64 / 8;
            });
            continue;
        }
        for word in words {
            // The lower byte is of the first microphone.
            if let Some(sample) = decimator.push(word as u8) {
                critical_section::with(|cs| SOUND.borrow_ref_mut(cs).put(sample));
            }
        }
    }
}

/// Registers of SAI4, block A: frames of 16 bits, eight of each microphone, with the PDM interface before it.
fn set_up() {
    RCC.d3ccipr().modify(|w| w.set_sai4asel(Saiasel::PLL3_P));
    RCC.apb4enr().modify(|w| w.set_sai4en(true));
    RCC.apb4rstr().modify(|w| w.set_sai4rst(true));
    RCC.apb4rstr().modify(|w| w.set_sai4rst(false));
    let block = SAI4.ch(0);
    block.cr1().write(|w| {
        w.set_mode(Mode::MASTER_RX);
        w.set_prtcfg(Prtcfg::FREE);
        w.set_ds(Ds::BIT16);
        w.set_lsbfirst(Lsbfirst::LSB_FIRST);
        w.set_ckstr(Ckstr::RISING_EDGE);
        w.set_syncen(Syncen::ASYNCHRONOUS);
        w.set_mono(Mono::STEREO);
        w.set_nodiv(true);
        w.set_mckdiv(Mckdiv::from_bits(DIVIDER));
    });
    block.cr2().write(|w| w.set_fth(Fth::QUARTER1));
    block.frcr().write(|w| {
        w.set_frl(16 - 1);
        // One bit.
        w.set_fsall(0);
        w.set_fspol(Fspol::RISING_EDGE);
        w.set_fsoff(Fsoff::ON_FIRST);
    });
    block.slotr().write(|w| {
        w.set_slotsz(Slotsz::DATA_SIZE);
        // One slot, which is active.
        w.set_nbslot(0);
        w.0 |= 1 << 16;
    });
    SAI4.pdmcr().write(|w| {
        // One pair.
        w.set_micnbr(0);
        w.set_cken(0, true);
    });
    SAI4.pdmcr().modify(|w| w.set_pdmen(true));
}

impl Sound {
    fn put(&mut self, sample: i16) {
        if self.samples.is_full() {
            self.samples.pop_front();
            self.lost += 1;
        }
        // There is room now.
        let _ = self.samples.push_back(sample);
    }
}

/// Whether there is a [`Microphone`].
static IS_HEARD: AtomicBool = AtomicBool::new(false);

/// The microphone, as a rune hears it. There is one at a time.
pub(crate) struct Microphone(());

impl Microphone {
    /// From now on.
    ///
    /// # Errors
    /// Where there is one already.
    pub(crate) fn new() -> Result<Self, SourceError> {
        if IS_HEARD.swap(true, Ordering::Relaxed) {
            return Err(SourceError::Failed(
                "the microphone feeds another capability",
            ));
        }
        critical_section::with(|cs| {
            let mut sound = SOUND.borrow_ref_mut(cs);
            sound.samples.clear();
            sound.lost = 0;
        });
        Ok(Self(()))
    }
}

impl Drop for Microphone {
    fn drop(&mut self) {
        IS_HEARD.store(false, Ordering::Relaxed);
    }
}

impl Device for Microphone {
    fn take(&mut self, out: &mut [u8]) -> Result<Taken, SourceError> {
        critical_section::with(|cs| {
            let mut sound = SOUND.borrow_ref_mut(cs);
            let lost = core::mem::take(&mut sound.lost);
            let waiting = sound.samples.len() as u64;
            let mut bytes = 0;
            for place in out.chunks_exact_mut(2) {
                let Some(sample) = sound.samples.pop_front() else {
                    break;
                };
                place.copy_from_slice(&sample.to_le_bytes());
                bytes += 2;
            }
            let time_ns = clock::now_ns().saturating_sub(waiting * SAMPLE_NS);
            Ok(Taken {
                bytes,
                time_ns: (bytes > 0).then_some(time_ns),
                lost,
                is_end: false,
            })
        })
    }
}
