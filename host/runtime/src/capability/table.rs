//! Readings in CSV files: ACCEL from three columns, TEMPERATURE and GPIO from one.

use rune_abi::{Capability, CapabilityKind};
use rune_adapt::{Axes, MotionFormat, MotionSource, Rate, Source as Given, Unit};

use super::{
    OpenError, Source, SourceError,
    adapted::{recording, stream_plan},
    files::Files,
    integer,
    setup::Setup,
    window::Windows,
};

/// Triplets; the hop is in triplets.
pub(super) fn open_accel(
    capability: &Capability,
    files: &Files,
) -> Result<Box<dyn Source>, OpenError> {
    let recordings = files.recordings(|file, setup, bytes| {
        let bytes = floats(file, &bytes, 3)?;
        let source = Given::Motion(readings(capability, setup));
        let plan = stream_plan(capability, file, &source)?;
        Ok(recording(plan, &bytes))
    })?;
    Ok(Box::new(Windows::new(
        capability, recordings, 12, "triplet",
    )?))
}

/// What the numbers of a file are: where nothing is said, g, with the axes of the device, as often as the rune
/// asks for.
pub(super) fn readings(capability: &Capability, setup: &Setup) -> MotionSource {
    let wanted = integer(capability, "hz").and_then(|hz| u32::try_from(hz).ok());
    MotionSource {
        rate: setup.rate().or(wanted.map(Rate::hz)),
        format: MotionFormat::F32,
        // To add -0 changes no number; to add 0 changes -0.
        offset: setup.offset.unwrap_or(-0.0),
        scale: setup.scale.unwrap_or(1.0),
        unit: setup.unit.unwrap_or(Unit::G),
        axes: setup.axes.unwrap_or(Axes::SAME),
    }
}

/// Single readings; the hop is in readings.
pub(super) fn open(capability: &Capability, files: &Files) -> Result<Box<dyn Source>, OpenError> {
    let is_level = capability.kind == CapabilityKind::Gpio;
    let recordings = files.recordings(|file, _, bytes| {
        let bytes = floats(file, &bytes, 1)?;
        if !is_level {
            return Ok(bytes);
        }
        let levels = bytes.chunks_exact(4).enumerate().map(|(i, bytes)| {
            let is = |level: f32| bytes == level.to_le_bytes();
            match (is(0.0), is(1.0)) {
                (false, false) => Err(SourceError::new(
                    file,
                    format_args!("reading {} is not 0 or 1", i + 1),
                )),
                (_, high) => Ok(u8::from(high)),
            }
        });
        Ok(levels.collect::<Result<Vec<u8>, _>>()?)
    })?;
    let bytes = capability.ty.element().size() as usize;
    Ok(Box::new(Windows::new(
        capability, recordings, bytes, "reading",
    )?))
}

/// The numbers of a CSV file as little-endian f32. Empty lines are skipped, and so is a first line that is
/// a header: one in which no field is a number.
pub(super) fn floats(name: &str, bytes: &[u8], columns: usize) -> Result<Vec<u8>, SourceError> {
    let text = std::str::from_utf8(bytes).map_err(|_| SourceError::new(name, "it is not text"))?;
    let text = text.trim_start_matches('\u{feff}');
    let mut data = vec![];
    for (i, line) in text.lines().enumerate() {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        if line.trim().is_empty() || (i == 0 && fields.iter().all(|f| f.parse::<f32>().is_err())) {
            continue;
        }
        let place = || format!("{name}:{}", i + 1);
        if fields.len() != columns {
            let fields_of = if columns == 1 { "field" } else { "fields" };
            return Err(SourceError::new(
                place(),
                format_args!(
                    "a reading has {columns} {fields_of}, and this line has {}",
                    fields.len()
                ),
            ));
        }
        for field in fields {
            let value = field.parse().ok().filter(|v: &f32| v.is_finite());
            let value = value.ok_or_else(|| {
                SourceError::new(place(), format_args!("{field:?} is not a finite number"))
            })?;
            data.extend(value.to_le_bytes());
        }
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn triplets(text: &str) -> Result<Vec<f32>, String> {
        let bytes = floats("a.csv", text.as_bytes(), 3).map_err(|e| e.to_string())?;
        Ok(bytes
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect())
    }

    #[test]
    fn headers_blank_lines_and_line_ends_are_no_data() {
        let want = Ok(vec![1.0, -2.5, 3e2, 4.0, 5.0, 6.0]);
        assert_eq!(triplets("x,y,z\r\n1, -2.5,3e2\r\n\r\n4,5,6"), want);
        assert_eq!(triplets("1,-2.5,300\n4,5,6\n"), want);
        assert_eq!(triplets(""), Ok(vec![]));
    }

    #[test]
    fn errors_name_the_file_and_the_line() {
        assert_eq!(
            triplets("1,2,3\n1,2").unwrap_err(),
            "a.csv:2: a reading has 3 fields, and this line has 2"
        );
        assert_eq!(
            triplets("1,2,3\n1,2,up").unwrap_err(),
            "a.csv:2: \"up\" is not a finite number"
        );
        assert!(triplets("1,2,x").unwrap_err().contains("a.csv:1"));
        assert!(triplets("1,2,3\n1,2,inf").unwrap_err().contains("a.csv:2"));
        assert!(triplets("x,y,z\nx,y,z").unwrap_err().contains("a.csv:2"));
        let binary = floats("a.csv", &[0xff, 0xfe], 3).unwrap_err();
        assert_eq!(binary.to_string(), "a.csv: it is not text");
    }
}
