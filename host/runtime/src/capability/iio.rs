//! Sensors of Linux's Industrial I/O (IIO): acceleration, temperature, and any other channel as RAW.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rune_abi::{Capability, CapabilityKind, ElementType};
use rune_adapt::{Axes, Axis, MotionFormat, MotionSource, Rate, Source as Given, Unit};

use super::{
    OpenError, Setup, Source, SourceError,
    adapted::stream_plan,
    describe,
    live::{self, Live, Poll, Polled},
    setup, sysfs,
    sysfs::number,
};

/// Opens a device by its number or its name. It is asked through sysfs, at its own rate if it has one.
pub(super) fn open(capability: &Capability, setup: &Setup) -> Result<Box<dyn Source>, OpenError> {
    let (folder, _) = find(setup)?;
    let name = folder.display().to_string();
    let own = folder.join("sampling_frequency");
    let own = if own.exists() {
        setup::rate(number(&own)?)
    } else {
        None
    };
    let rate = setup.rate().or(own);
    let rate = rate.unwrap_or_else(|| sysfs::wanted_rate(capability, setup));
    let (device, cut) = match capability.kind {
        CapabilityKind::Accel => {
            let channels = channels(&folder, ["accel_x", "accel_y", "accel_z"])?;
            let source = motion(capability, setup, &folder, &channels, rate)?;
            let plan = stream_plan(capability, &name, &Given::Motion(source))?;
            // What all axes have in common is in the plan.
            let is_scaled = source.scale == 1.0 && source.offset == 0.0;
            let poll = poll(channels, move |channel, raw| {
                let value = if is_scaled { channel.value(raw) } else { raw };
                (value as f32).to_le_bytes()
            });
            (Polled::new(rate, poll), live::adapted(plan))
        }
        CapabilityKind::Temperature => {
            // IIO has thousandths of a degree.
            let poll = poll(channels(&folder, ["temp"])?, |channel, raw| {
                ((channel.value(raw) / 1000.0) as f32).to_le_bytes()
            });
            // Readings of another rate than the rune's would have to be adapted, and it can be asked at any.
            let rate = sysfs::wanted_rate(capability, setup);
            (
                Polled::new(rate, poll),
                live::bytes(capability, 4, "reading")?,
            )
        }
        // What is left of what it feeds.
        CapabilityKind::Raw
        | CapabilityKind::Rand
        | CapabilityKind::Sound
        | CapabilityKind::Image
        | CapabilityKind::FloatImage
        | CapabilityKind::Gpio => {
            if capability.ty.element() != ElementType::F32 {
                let shown = describe(capability);
                let reason = format!("{name} cannot feed {shown}: it gives F32");
                return Err(OpenError::Refused(vec![reason]));
            }
            let names = setup.channels.iter().map(String::as_str);
            let poll = poll(channels(&folder, names)?, |channel, raw| {
                (channel.value(raw) as f32).to_le_bytes()
            });
            (Polled::new(rate, poll), live::bytes(capability, 1, "byte")?)
        }
    };
    Ok(Box::new(Live::new(name, Box::new(device), cut)))
}

/// The folder of a device, which is said by that, `iio:device0`, by its number, or by what it calls itself; and that.
pub(super) fn find(setup: &Setup) -> Result<(PathBuf, String), SourceError> {
    let wanted = setup.device.as_deref().unwrap_or_default();
    let devices = sysfs::root(setup).join("bus/iio/devices");
    let fail = |what: String| SourceError::new(format_args!("iio:{wanted}"), what);
    let entries =
        fs::read_dir(&devices).map_err(|e| fail(format!("{}: {e}", devices.display())))?;
    let mut there = vec![];
    for entry in entries.flatten() {
        let folder = entry.path();
        let file = entry.file_name().to_string_lossy().into_owned();
        let Some(number) = file.strip_prefix("iio:device") else {
            continue;
        };
        let own = fs::read_to_string(folder.join("name")).unwrap_or_default();
        let own = own.trim().replace(char::is_control, "?");
        if wanted == file || wanted == number || (wanted == own && !wanted.is_empty()) {
            return Ok((folder, own));
        }
        there.push(format!("{number} ({own})"));
    }
    there.sort();
    let there = if there.is_empty() {
        "there is none".to_owned()
    } else {
        format!("there are {}", there.join(", "))
    };
    Err(fail(format!("no such device; {there}")))
}

/// One channel: a reading r is (r + `offset`) `scale`.
#[derive(Clone, Debug, PartialEq)]
struct Channel {
    path: PathBuf,
    offset: f64,
    scale: f64,
}

impl Channel {
    fn value(&self, raw: f64) -> f64 {
        (raw + self.offset) * self.scale
    }
}

/// The channels of these names, which can be read.
fn channels<'a>(
    folder: &Path,
    names: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Channel>, SourceError> {
    let one = |name: &'a str| {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(is_name) {
            let what = format!("`{name}` is not the name of a channel, such as `anglvel_x`");
            return Err(SourceError::new(folder.display(), what));
        }
        let input = folder.join(format!("in_{name}_input"));
        let raw = folder.join(format!("in_{name}_raw"));
        if !raw.exists() && input.exists() {
            number(&input)?;
            return Ok(Channel {
                path: input,
                offset: 0.0,
                scale: 1.0,
            });
        }
        number(&raw)?;
        // Of the channel itself, or of all of its sort: `accel` of `accel_x`, `voltage` of `voltage0`.
        let sort = name.split('_').next().unwrap_or(name);
        let sort = sort.trim_end_matches(|c: char| c.is_ascii_digit());
        let said = |what: &str, otherwise: f64| {
            let files = [name, sort].map(|n| folder.join(format!("in_{n}_{what}")));
            let file = files.iter().find(|file| file.exists());
            file.map_or(Ok(otherwise), |file| number(file))
        };
        Ok(Channel {
            path: raw,
            offset: said("offset", 0.0)?,
            scale: said("scale", 1.0)?,
        })
    };
    names.into_iter().map(one).collect()
}

/// Asks channels one after the other.
fn poll(
    channels: Vec<Channel>,
    encode: impl Fn(&Channel, f64) -> [u8; 4] + Send + 'static,
) -> Poll {
    Box::new(move |bytes| {
        for channel in &channels {
            bytes.extend(encode(channel, number(&channel.path)?));
        }
        Ok(())
    })
}

/// What an accelerometer gives. IIO has m/s²; axes with scales of their own are scaled before.
fn motion(
    capability: &Capability,
    setup: &Setup,
    folder: &Path,
    channels: &[Channel],
    rate: Rate,
) -> Result<MotionSource, OpenError> {
    let first = &channels[0];
    let is_common = channels
        .iter()
        .all(|c| c.scale == first.scale && c.offset == first.offset);
    let (offset, scale) = if is_common {
        (first.offset, first.scale)
    } else {
        (0.0, 1.0)
    };
    let axes = match setup.axes {
        Some(axes) => axes,
        None => mounted(capability, folder)?,
    };
    Ok(MotionSource {
        rate: Some(rate),
        format: MotionFormat::F32,
        offset,
        scale,
        unit: Unit::MetresPerSecondSquared,
        axes,
    })
}

/// How the sensor sits in the device, by its mount matrix; as the device where it has none.
fn mounted(capability: &Capability, folder: &Path) -> Result<Axes, OpenError> {
    let files = ["in_accel_mount_matrix", "in_mount_matrix", "mount_matrix"];
    let texts = files.map(|file| fs::read_to_string(folder.join(file)).ok());
    let Some(text) = texts.into_iter().flatten().next() else {
        return Ok(Axes::SAME);
    };
    turned(&text).ok_or_else(|| {
        OpenError::Refused(vec![format!(
            "{} cannot feed {}: its mount matrix {:?} is not a turn by right angles; `axes` says how it sits",
            folder.display(),
            describe(capability),
            text.trim()
        )])
    })
}

/// A matrix such as `0, 1, 0; -1, 0, 0; 0, 0, 1` as axes.
fn turned(text: &str) -> Option<Axes> {
    let axis = |row: &str| {
        let numbers = row.split(',').map(|n| n.trim().parse::<f64>().ok());
        let numbers: Vec<f64> = numbers.collect::<Option<_>>()?;
        match numbers.as_slice() {
            [1.0, 0.0, 0.0] => Some(Axis::X),
            [0.0, 1.0, 0.0] => Some(Axis::Y),
            [0.0, 0.0, 1.0] => Some(Axis::Z),
            [-1.0, 0.0, 0.0] => Some(Axis::MinusX),
            [0.0, -1.0, 0.0] => Some(Axis::MinusY),
            [0.0, 0.0, -1.0] => Some(Axis::MinusZ),
            _ => None,
        }
    };
    let rows: Vec<Axis> = text.split(';').map(axis).collect::<Option<_>>()?;
    Some(Axes(rows.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_matrix_of_right_angles_is_read() {
        let axes = Axes([Axis::Y, Axis::MinusX, Axis::Z]);
        assert_eq!(turned("0, 1, 0; -1, 0, 0; 0, 0, 1\n"), Some(axes));
        assert_eq!(turned("1.0,0.0,0.0;0,1,0;0,0,1"), Some(Axes::SAME));
        for bad in ["", "1, 0, 0", "0.7, 0.7, 0; 0, 1, 0; 0, 0, 1", "a; b; c"] {
            assert_eq!(turned(bad), None, "{bad}");
        }
    }
}
