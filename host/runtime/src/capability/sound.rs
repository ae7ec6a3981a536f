//! SOUND: mono 16-bit samples from WAV files of any rate from that of the rune on.

use std::io::Cursor;

use hound::{SampleFormat as WavFormat, WavReader};
use rune_abi::Capability;
use rune_adapt::{Rate, SampleFormat, SoundSource, Source as Given};

use super::{
    OpenError, Source, SourceError,
    adapted::{recording, stream_plan},
    files::Files,
    window::Windows,
};

/// Opens WAV files; the hop is in samples.
pub(super) fn open(capability: &Capability, files: &Files) -> Result<Box<dyn Source>, OpenError> {
    let recordings = files.recordings(|file, _, bytes| {
        let (source, bytes) = decode(file, &bytes)?;
        let plan = stream_plan(capability, file, &Given::Sound(source))?;
        Ok(recording(plan, &bytes))
    })?;
    Ok(Box::new(Windows::new(capability, recordings, 2, "sample")?))
}

/// The samples of a WAV file as a sensor gives them, integers in no more bytes than they take.
pub(super) fn samples(name: &str, bytes: &[u8]) -> Result<(SoundSource, Vec<u8>), SourceError> {
    let (mut source, bytes) = decode(name, bytes)?;
    let words = bytes.chunks_exact(4);
    // The lower bytes, which are zeros in all samples.
    let spare = words
        .clone()
        .map(|word| word.iter().take_while(|b| **b == 0).count());
    let (format, skip) = match (source.format, spare.min().unwrap_or(0)) {
        (SampleFormat::S32, 2..) => (SampleFormat::S16, 2),
        (SampleFormat::S32, 1) => (SampleFormat::S24In3, 1),
        (format, _) => (format, 0),
    };
    source.format = format;
    Ok((
        source,
        words.flat_map(|word| &word[skip..]).copied().collect(),
    ))
}

/// What a WAV file holds. Integers of any width are moved to the upper end of 32 bits.
fn decode(name: &str, bytes: &[u8]) -> Result<(SoundSource, Vec<u8>), SourceError> {
    let bad =
        |e: hound::Error| SourceError::new(name, format_args!("unable to read it as WAV: {e}"));
    let mut reader = WavReader::new(Cursor::new(bytes)).map_err(bad)?;
    let spec = reader.spec();
    let above = 32u32.saturating_sub(u32::from(spec.bits_per_sample));
    let (format, samples) = match spec.sample_format {
        WavFormat::Int => {
            let samples = reader.samples::<i32>();
            let words = samples.map(|s| s.map(|s| (s << above).to_le_bytes()));
            (SampleFormat::S32, words.collect::<Result<Vec<_>, _>>())
        }
        WavFormat::Float => {
            let samples = reader.samples::<f32>();
            let words = samples.map(|s| s.map(f32::to_le_bytes));
            (SampleFormat::F32, words.collect())
        }
    };
    let source = SoundSource {
        rate: Rate::hz(spec.sample_rate),
        channels: spec.channels,
        format,
    };
    Ok((source, samples.map_err(bad)?.concat()))
}

#[cfg(test)]
mod tests {
    use hound::{WavSpec, WavWriter};
    use rune_abi::{CapabilityKind, Dim, ElementType, Param, TensorType, Value};

    use super::*;

    fn wav<S: hound::Sample + Copy>(
        channels: u16,
        bits_per_sample: u16,
        sample_format: WavFormat,
        samples: &[S],
    ) -> Vec<u8> {
        let spec = WavSpec {
            channels,
            sample_rate: 16_000,
            bits_per_sample,
            sample_format,
        };
        let mut bytes = Cursor::new(vec![]);
        let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
        for sample in samples {
            writer.write_sample(*sample).unwrap();
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    /// What a rune that asks for a rate hears.
    fn heard(bytes: &[u8], hz: i64) -> Result<Vec<i16>, OpenError> {
        let capability = Capability {
            kind: CapabilityKind::Sound,
            name: "mic".to_owned(),
            ty: TensorType::new(ElementType::I16, &[Dim::Exact(1)]).unwrap(),
            params: vec![Param {
                name: "hz".to_owned(),
                value: Value::Integer(hz),
            }],
        };
        let (source, bytes) = decode("a.wav", bytes)?;
        let plan = stream_plan(&capability, "a.wav", &Given::Sound(source))?;
        let bytes = recording(plan, &bytes);
        let samples = bytes.chunks_exact(2);
        Ok(samples.map(|b| i16::from_le_bytes([b[0], b[1]])).collect())
    }

    fn samples(bytes: &[u8]) -> Vec<i16> {
        heard(bytes, 16_000).unwrap()
    }

    #[test]
    fn every_sample_format_becomes_16_bits() {
        let want = [0, 256, -256, 32512];
        let int = WavFormat::Int;
        assert_eq!(samples(&wav(1, 8, int, &[0, 1, -1, 127])), want);
        assert_eq!(samples(&wav(1, 16, int, &[0i32, 256, -256, 32512])), want);
        assert_eq!(
            samples(&wav(1, 24, int, &[0, 65536, -65536, 127 << 16])),
            want
        );
        assert_eq!(
            samples(&wav(1, 32, int, &[0, 1 << 24, -1 << 24, 127 << 24])),
            want
        );
        let floats = [0.0f32, 1.0 / 128.0, -1.0 / 128.0, 127.0 / 128.0];
        assert_eq!(samples(&wav(1, 32, WavFormat::Float, &floats)), want);
        let loud = [1.5f32, -1.5, f32::NAN];
        let loud = samples(&wav(1, 32, WavFormat::Float, &loud));
        assert_eq!(loud, [i16::MAX, i16::MIN, 0]);
    }

    #[test]
    fn samples_take_no_more_bytes_than_they_have() {
        let form = |bytes: &[u8]| {
            let (source, bytes) = super::samples("a.wav", bytes).unwrap();
            (source.format, bytes)
        };
        let int = WavFormat::Int;
        let (s16, s24) = (SampleFormat::S16, SampleFormat::S24In3);
        assert_eq!(form(&wav(1, 8, int, &[1, -1])), (s16, vec![0, 1, 0, 255]));
        assert_eq!(
            form(&wav(1, 16, int, &[1, -2])),
            (s16, vec![1, 0, 254, 255])
        );
        assert_eq!(
            form(&wav(1, 24, int, &[1, 256])),
            (s24, vec![1, 0, 0, 0, 1, 0])
        );
        let (format, bytes) = form(&wav(1, 32, int, &[1, 0]));
        assert_eq!((format, bytes.len()), (SampleFormat::S32, 8));
        let (format, bytes) = form(&wav(1, 32, WavFormat::Float, &[0.5f32]));
        assert_eq!(
            (format, bytes),
            (SampleFormat::F32, 0.5f32.to_le_bytes().to_vec())
        );
    }

    #[test]
    fn channels_are_mixed_to_one() {
        let stereo = [
            100i32,
            300,
            -100,
            -300,
            i32::from(i16::MAX),
            i32::from(i16::MAX),
        ];
        let mono = samples(&wav(2, 16, WavFormat::Int, &stereo));
        assert_eq!(mono, [200, -200, i16::MAX]);
    }

    #[test]
    fn a_slower_recording_is_refused_and_a_faster_one_is_not() {
        let bytes = wav(1, 16, WavFormat::Int, &[1i32; 96]);
        let Err(OpenError::Refused(reasons)) = heard(&bytes, 44_100) else {
            panic!("granted");
        };
        assert_eq!(
            reasons,
            [
                "a.wav cannot feed SOUND `mic` (I16[1]): the rune asks for 44100 Hz and the sensor gives 16000 Hz; what it did not catch cannot be made up"
            ]
        );
        assert_eq!(heard(&bytes, 8_000).unwrap().len(), 48);
        let error = decode("a.wav", b"RIFF").unwrap_err().to_string();
        assert!(
            error.starts_with("a.wav: unable to read it as WAV"),
            "{error}"
        );
    }
}
