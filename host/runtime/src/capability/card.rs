//! SOUND from sound cards, by ALSA.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    time::Duration,
};

use cpal::{
    BufferSize, DeviceId, ErrorKind, HostId, SampleFormat as Form, SizedSample, StreamConfig,
    SupportedStreamConfigRange,
    traits::{DeviceTrait, HostTrait, StreamTrait},
};
use rune_abi::Capability;
use rune_adapt::{Rate, SampleFormat, SoundSource, Source as Given};

use super::{
    OpenError, Setup, Source, SourceError,
    adapted::stream_plan,
    integer,
    live::{self, Device, Live, Next, PATIENCE},
};

/// Periods of the card that wait for the reading thread.
const PERIODS: usize = 64;
/// The rate that is wanted of a card where nothing is said.
const RATE: u32 = 48_000;

/// Opens a card by its name in ALSA, or the default one. Of the rates it has, the rune's own is taken, or else the
/// lowest above it; of channels the fewest.
pub(super) fn open(capability: &Capability, setup: &Setup) -> Result<Box<dyn Source>, OpenError> {
    let wanted = setup.device.as_deref().unwrap_or("default");
    let name = format!("alsa:{wanted}");
    let fail = |e: &dyn std::fmt::Display| SourceError::new(&name, e);
    let host = cpal::host_from_id(HostId::Alsa).map_err(|e| fail(&e))?;
    let device = match wanted {
        "default" => host.default_input_device(),
        wanted => host.device_by_id(&DeviceId::new(HostId::Alsa, wanted)),
    };
    let device = device.ok_or_else(|| fail(&"there is no such sound card"))?;
    let configs = device.supported_input_configs().map_err(|e| fail(&e))?;
    let asked = setup.rate.map(|rate| rate.round() as u32);
    let hz = integer(capability, "hz").and_then(|hz| u32::try_from(hz).ok());
    let hz = asked.or(hz).unwrap_or(RATE);
    let best = configs
        .filter_map(|config| Some((cost(&config, hz)?, config)))
        .min_by_key(|(cost, _)| *cost)
        .map(|(_, config)| config);
    let best = best.ok_or_else(|| fail(&"it gives no sound that can be read"))?;
    let rate = hz.clamp(best.min_sample_rate(), best.max_sample_rate());
    let (format, _) =
        format(best.sample_format()).ok_or_else(|| fail(&"it gives no sound that can be read"))?;
    let source = SoundSource {
        rate: Rate::hz(rate),
        channels: best.channels(),
        format,
    };
    let plan = stream_plan(capability, &name, &Given::Sound(source))?;
    let config = StreamConfig {
        channels: best.channels(),
        sample_rate: rate,
        buffer_size: BufferSize::Default,
    };
    let (sender, periods) = sync_channel(PERIODS);
    let stream = match source.format {
        SampleFormat::U8 => stream::<u8>(&device, config, sender),
        SampleFormat::S16 => stream::<i16>(&device, config, sender),
        SampleFormat::S32 => stream::<i32>(&device, config, sender),
        SampleFormat::F32 => stream::<f32>(&device, config, sender),
        SampleFormat::S24 | SampleFormat::S24In3 => unreachable!("`format` gives none of them"),
    };
    let card = Card {
        stream: stream.map_err(|e| fail(&e))?,
        periods,
        name: name.clone(),
        started: false,
        frame: plan.source_frame_bytes(),
        rate,
    };
    let cut = live::adapted(plan);
    Ok(Box::new(Live::new(name, Box::new(card), cut)))
}

/// A form of samples as the adapter names it, the better the lower the number; `None` if it cannot be read.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "forms that cpal gets later cannot be read either"
)]
fn format(form: Form) -> Option<(SampleFormat, u32)> {
    match form {
        Form::I16 => Some((SampleFormat::S16, 0)),
        Form::F32 => Some((SampleFormat::F32, 1)),
        Form::I32 => Some((SampleFormat::S32, 2)),
        Form::U8 => Some((SampleFormat::U8, 3)),
        _ => None,
    }
}

/// How far what a card gives is from what is wanted: a slower rate costs most, then a faster one, then channels.
fn cost(config: &SupportedStreamConfigRange, hz: u32) -> Option<(u32, u32, u16, u32)> {
    let (_, form) = format(config.sample_format())?;
    let slower = hz.saturating_sub(config.max_sample_rate());
    let faster = config.min_sample_rate().saturating_sub(hz);
    let channels = config.channels();
    (1..=16)
        .contains(&channels)
        .then_some((slower, faster, channels, form))
}

/// What happens on the thread of the card.
enum Period {
    /// Samples, and when the last of them came.
    Samples(Vec<u8>, u64),
    /// The card had no room for what it heard.
    Overrun,
    Gone(String),
}

fn stream<T: SizedSample + LittleEndian>(
    device: &cpal::Device,
    config: StreamConfig,
    sender: SyncSender<Period>,
) -> Result<cpal::Stream, cpal::Error> {
    let failed = sender.clone();
    let mut overrun = false;
    let data = move |samples: &[T], _: &cpal::InputCallbackInfo| {
        let bytes = samples.iter().flat_map(|s| s.little_endian()).collect();
        // The thread of a card never waits.
        if overrun && sender.try_send(Period::Overrun).is_ok() {
            overrun = false;
        }
        let sent = sender.try_send(Period::Samples(bytes, live::now()));
        overrun |= matches!(sent, Err(TrySendError::Full(_)));
    };
    let error = move |error: cpal::Error| {
        let kind = error.kind();
        let period = if kind == ErrorKind::Xrun {
            Period::Overrun
        } else if [ErrorKind::DeviceNotAvailable, ErrorKind::StreamInvalidated].contains(&kind) {
            Period::Gone(error.to_string())
        } else {
            return;
        };
        let _ = failed.try_send(period);
    };
    device.build_input_stream(config, data, error, None)
}

/// The bytes of a sample as the adapter reads them.
trait LittleEndian: Copy {
    fn little_endian(self) -> Vec<u8>;
}

macro_rules! little_endian {
    ($($sample:ty)*) => {
        $(impl LittleEndian for $sample {
            fn little_endian(self) -> Vec<u8> {
                self.to_le_bytes().to_vec()
            }
        })*
    };
}

little_endian!(u8 i16 i32 f32);

struct Card {
    stream: cpal::Stream,
    periods: Receiver<Period>,
    name: String,
    started: bool,
    /// Bytes of a frame.
    frame: usize,
    rate: u32,
}

impl Device for Card {
    fn next(&mut self, bytes: &mut Vec<u8>) -> Result<Next, SourceError> {
        let fail = |e: &dyn std::fmt::Display| SourceError::new(&self.name, e);
        if !self.started {
            self.stream.play().map_err(|e| fail(&e))?;
            self.started = true;
        }
        match self.periods.recv_timeout(PATIENCE) {
            Ok(Period::Samples(samples, end)) => {
                *bytes = samples;
                let frames = (bytes.len() / self.frame.max(1)) as f64;
                let length = Duration::from_secs_f64(frames / f64::from(self.rate.max(1)));
                let length = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
                Ok(Next::Bytes(end.saturating_sub(length)))
            }
            // How much it was, nobody says: a period at least.
            Ok(Period::Overrun) => Ok(Next::Lost(1)),
            Ok(Period::Gone(what)) => Err(fail(&what)),
            Err(RecvTimeoutError::Timeout) => Ok(Next::Nothing),
            Err(RecvTimeoutError::Disconnected) => Err(fail(&"the sound card is gone")),
        }
    }
}
