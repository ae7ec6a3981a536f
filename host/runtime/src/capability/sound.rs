//! SOUND: mono 16-bit samples from WAV files of the rate the rune asks for.

use std::io::Cursor;

use hound::{SampleFormat, WavReader};
use rune_abi::{Capability, ElementType};

use super::{
    Given, Source, SourceError, integer, unfit,
    window::{Recording, Windows},
};

/// Opens WAV files; the hop is in samples.
pub(super) fn open(capability: &Capability, given: &Given) -> Result<Box<dyn Source>, SourceError> {
    if capability.ty.element() != ElementType::I16 {
        return Err(unfit(capability, "is not of I16"));
    }
    let hz = integer(capability, "hz");
    let recordings = given
        .values
        .iter()
        .map(|file| {
            Ok(Recording {
                name: file.clone(),
                data: parse(file, &given.read(file)?, hz)?,
            })
        })
        .collect::<Result<_, SourceError>>()?;
    Ok(Box::new(Windows::new(capability, recordings, 2, "sample")?))
}

/// The samples of a WAV file as little-endian i16, channels mixed to one.
fn parse(name: &str, bytes: &[u8], hz: Option<i64>) -> Result<Vec<u8>, SourceError> {
    let bad =
        |e: hound::Error| SourceError::new(name, format_args!("unable to read it as WAV: {e}"));
    let mut reader = WavReader::new(Cursor::new(bytes)).map_err(bad)?;
    let spec = reader.spec();
    if let Some(hz) = hz
        && hz != i64::from(spec.sample_rate)
    {
        return Err(SourceError::new(
            name,
            format_args!(
                "it has {} samples per second and the rune asks for {hz}",
                spec.sample_rate
            ),
        ));
    }
    let samples: Vec<i16> = match spec.sample_format {
        SampleFormat::Int => reader
            .samples::<i32>()
            .map(|s| s.map(|s| to_16_bits(s, spec.bits_per_sample)))
            .collect::<Result<_, _>>(),
        SampleFormat::Float => reader
            .samples::<f32>()
            .map(|s| s.map(|s| (s * 32768.0).round() as i16))
            .collect(),
    }
    .map_err(bad)?;
    let channels = usize::from(spec.channels.max(1));
    Ok(samples
        .chunks_exact(channels)
        .flat_map(|frame| {
            let sum: i32 = frame.iter().map(|s| i32::from(*s)).sum();
            ((sum / channels as i32) as i16).to_le_bytes()
        })
        .collect())
}

/// The upper 16 bits of a sample, or a shorter one moved up.
fn to_16_bits(sample: i32, bits: u16) -> i16 {
    if bits > 16 {
        (sample >> (bits - 16)) as i16
    } else {
        (sample << (16 - bits)) as i16
    }
}

#[cfg(test)]
mod tests {
    use hound::{WavSpec, WavWriter};

    use super::*;

    fn wav<S: hound::Sample + Copy>(
        channels: u16,
        bits_per_sample: u16,
        sample_format: SampleFormat,
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

    fn samples(bytes: &[u8]) -> Vec<i16> {
        parse("a.wav", bytes, Some(16_000))
            .unwrap()
            .chunks_exact(2)
            .map(|b| i16::from_le_bytes([b[0], b[1]]))
            .collect()
    }

    #[test]
    fn every_sample_format_becomes_16_bits() {
        let want = [0, 256, -256, 32512];
        let int = SampleFormat::Int;
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
        assert_eq!(samples(&wav(1, 32, SampleFormat::Float, &floats)), want);
        let loud = [1.5f32, -1.5, f32::NAN];
        let loud = samples(&wav(1, 32, SampleFormat::Float, &loud));
        assert_eq!(loud, [i16::MAX, i16::MIN, 0]);
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
        let mono = samples(&wav(2, 16, SampleFormat::Int, &stereo));
        assert_eq!(mono, [200, -200, i16::MAX]);
    }

    #[test]
    fn another_rate_is_an_error_that_names_both() {
        let bytes = wav(1, 16, SampleFormat::Int, &[1i32, 2]);
        let error = parse("a.wav", &bytes, Some(8_000)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a.wav: it has 16000 samples per second and the rune asks for 8000"
        );
        let error = parse("a.wav", b"RIFF", None).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("a.wav: unable to read it as WAV")
        );
    }
}
