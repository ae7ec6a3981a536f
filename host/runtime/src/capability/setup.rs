//! What a person says of a source: which it is, and what it does not say of itself.

use std::path::PathBuf;

use rune_abi::CapabilityKind;
use rune_adapt::{Axes, Axis, Crop, Rate, Unit};
use serde::Deserialize;

use crate::policy::quoted;

/// A source that is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sensor {
    /// The standard input of this process.
    Stdin,
    /// A serial port.
    Serial,
    /// A sensor of Linux's Industrial I/O.
    Iio,
    /// A file of sysfs that holds a reading.
    Sysfs,
    /// A sound card.
    Alsa,
    /// A camera of V4L2.
    V4l2,
}

impl Sensor {
    const ALL: [Self; 6] = [
        Self::Stdin,
        Self::Serial,
        Self::Iio,
        Self::Sysfs,
        Self::Alsa,
        Self::V4l2,
    ];

    /// As flags and policies name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Stdin => "stdin",
            Self::Serial => "serial",
            Self::Iio => "iio",
            Self::Sysfs => "sysfs",
            Self::Alsa => "alsa",
            Self::V4l2 => "v4l2",
        }
    }

    /// Whether it can feed capabilities of a kind.
    fn feeds(self, kind: CapabilityKind) -> bool {
        use CapabilityKind::{Accel, FloatImage, Gpio, Image, Raw, Sound, Temperature};
        match self {
            Self::Stdin | Self::Serial => kind == Raw,
            Self::Iio => [Accel, Temperature, Raw].contains(&kind),
            Self::Sysfs => [Temperature, Gpio].contains(&kind),
            Self::Alsa => kind == Sound,
            Self::V4l2 => [Image, FloatImage].contains(&kind),
        }
    }

    /// Whether it has to be said which one.
    fn needs_device(self) -> bool {
        matches!(self, Self::Serial | Self::Iio | Self::Sysfs | Self::V4l2)
    }
}

/// What is said of a source.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Setup {
    /// `None`: files.
    pub(crate) sensor: Option<Sensor>,
    pub(crate) device: Option<String>,
    /// Of the tree of sysfs.
    pub(crate) root: Option<PathBuf>,
    /// Frames per second.
    pub(crate) rate: Option<f64>,
    pub(crate) unit: Option<Unit>,
    pub(crate) scale: Option<f64>,
    pub(crate) offset: Option<f64>,
    pub(crate) axes: Option<Axes>,
    pub(crate) crop: Option<Crop>,
    pub(crate) baud: Option<u32>,
    /// Of IIO, for RAW.
    pub(crate) channels: Vec<String>,
}

impl Setup {
    /// Reads the value of a flag, such as `walk.csv,unit=m/s2` or `serial:/dev/ttyUSB0,baud=9600`: the file,
    /// if it is one, and what is said.
    pub(crate) fn parse(
        kind: CapabilityKind,
        text: &str,
    ) -> Result<(Option<String>, Self), String> {
        let mut setup = Self::default();
        let mut rest = text;
        while let Some((before, last)) = rest.rsplit_once(',')
            && let Some((key, value)) = last.split_once('=')
            && Self::KEYS.contains(&key)
        {
            let said = setup.set(key, value);
            said.map_err(|what| format!("`{last}` in `{text}`: {what}"))?;
            rest = before;
        }
        let mut file = None;
        let sensor = |scheme: &str| Sensor::ALL.into_iter().find(|s| s.name() == scheme);
        if rest == "-" {
            setup.sensor = Some(Sensor::Stdin);
        } else if let Some((scheme, device)) = rest.split_once(':')
            && let Some(sensor) = sensor(scheme)
        {
            setup.sensor = Some(sensor);
            setup.device = (!device.is_empty()).then(|| device.to_owned());
        } else if Sensor::V4l2.feeds(kind) && rest.starts_with("/dev/video") {
            setup.sensor = Some(Sensor::V4l2);
            setup.device = Some(rest.to_owned());
        } else {
            file = Some(rest.to_owned());
        }
        let checked = setup.check(kind);
        checked.map_err(|what| format!("`{text}`: {what}"))?;
        Ok((file, setup))
    }

    /// What can be said in the value of a flag.
    const KEYS: [&str; 9] = [
        "rate", "unit", "scale", "offset", "axes", "crop", "baud", "root", "channels",
    ];

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let number = || value.parse().map_err(|_| "this is not a number".to_owned());
        match key {
            "rate" => self.rate = Some(number()?),
            "scale" => self.scale = Some(number()?),
            "offset" => self.offset = Some(number()?),
            "unit" => self.unit = Some(unit(value)?),
            "axes" => self.axes = Some(axes(value)?),
            "crop" => self.crop = Some(crop(value)?),
            "root" => self.root = Some(value.into()),
            "channels" => self.channels = value.split('+').map(str::to_owned).collect(),
            _ => {
                let baud = value.parse().map_err(|_| "this is not a whole number");
                self.baud = Some(baud?);
            }
        }
        Ok(())
    }

    /// What is set, as a policy says it.
    pub(crate) fn said(&self) -> impl Iterator<Item = (&'static str, String)> {
        let number = |n: f64| format!("{n:?}");
        let unit = |unit| match unit {
            Unit::G => quoted("g"),
            Unit::MetresPerSecondSquared => quoted("m/s2"),
        };
        let crop = |crop| {
            quoted(if crop == Crop::Centred {
                "centre"
            } else {
                "whole"
            })
        };
        let channels: Vec<String> = self.channels.iter().map(|c| quoted(c)).collect();
        let channels = format!("[{}]", channels.join(", "));
        let root = self
            .root
            .as_ref()
            .map(|root| quoted(&root.display().to_string()));
        let said = [
            ("source", self.sensor.map(|s| quoted(s.name()))),
            ("device", self.device.as_deref().map(quoted)),
            ("root", root),
            ("rate", self.rate.map(number)),
            ("unit", self.unit.map(unit)),
            ("scale", self.scale.map(number)),
            ("offset", self.offset.map(number)),
            (
                "axes",
                self.axes
                    .map(|Axes(axes)| quoted(&axes.map(letter).concat())),
            ),
            ("crop", self.crop.map(crop)),
            ("baud", self.baud.map(|baud| baud.to_string())),
            ("channels", (!self.channels.is_empty()).then_some(channels)),
        ];
        let set = said.into_iter();
        set.filter_map(|(key, value)| Some((key, value?)))
    }

    /// Whether all this can be said of a source for a kind.
    pub(crate) fn check(&self, kind: CapabilityKind) -> Result<(), String> {
        use CapabilityKind::{Accel, FloatImage, Image, Raw};
        let name = kind.spec().name;
        let takes: &[&str] = match (self.sensor, kind) {
            (Some(sensor), _) if !sensor.feeds(kind) => {
                return Err(format!("`{}` cannot feed {name}", sensor.name()));
            }
            (None, Accel) => &["rate", "unit", "scale", "offset", "axes"],
            (None, Image | FloatImage) => &["crop"],
            (None | Some(Sensor::Stdin), _) => &[],
            (Some(Sensor::Serial), _) => &["device", "baud"],
            (Some(Sensor::Iio), Accel) => &["device", "root", "rate", "axes"],
            (Some(Sensor::Iio), Raw) => &["device", "root", "rate", "channels"],
            (Some(Sensor::Iio | Sensor::Sysfs), _) => &["device", "root", "rate"],
            (Some(Sensor::Alsa), _) => &["device", "rate"],
            (Some(Sensor::V4l2), _) => &["device", "crop"],
        };
        let source = self.sensor.map_or("files", Sensor::name);
        let mut said = self.said().map(|(key, _)| key);
        if let Some(key) = said.find(|k| *k != "source" && !takes.contains(k)) {
            let others = if takes.is_empty() {
                "nothing else".to_owned()
            } else {
                takes.join(", ")
            };
            return Err(format!(
                "{name} from {source} does not take `{key}`; it takes {others}"
            ));
        }
        if let Some(sensor) = self.sensor
            && sensor.needs_device()
            && self.device.is_none()
        {
            return Err(format!("`{source}` needs a device"));
        }
        if self.sensor == Some(Sensor::Iio) && kind == Raw && self.channels.is_empty() {
            return Err("RAW from iio needs `channels`, such as `anglvel_x`".to_owned());
        }
        for (key, number) in [("scale", self.scale), ("offset", self.offset)] {
            if number.is_some_and(|n| !n.is_finite()) {
                return Err(format!("`{key}` is not finite"));
            }
        }
        if self.rate.is_some_and(|r| rate(r).is_none()) {
            return Err("`rate` is not a frequency from 0.001 to 1000000 Hz".to_owned());
        }
        if self.baud == Some(0) {
            return Err("`baud` is 0".to_owned());
        }
        Ok(())
    }

    /// The rate that is said, as a fraction.
    pub(crate) fn rate(&self) -> Option<Rate> {
        self.rate.and_then(rate)
    }
}

/// A frequency in thousandths of a hertz; `None` if it is none.
pub(crate) fn rate(hz: f64) -> Option<Rate> {
    (0.001..=1e6).contains(&hz).then(|| Rate {
        numerator: (hz * 1000.0).round() as u32,
        denominator: 1000,
    })
}

/// `g` or `m/s2`.
pub(crate) fn unit(text: &str) -> Result<Unit, String> {
    match text {
        "g" => Ok(Unit::G),
        "m/s2" => Ok(Unit::MetresPerSecondSquared),
        _ => Err("a unit is `g` or `m/s2`".to_owned()),
    }
}

/// `whole` or `centre`.
pub(crate) fn crop(text: &str) -> Result<Crop, String> {
    match text {
        "whole" => Ok(Crop::Whole),
        "centre" => Ok(Crop::Centred),
        _ => Err("a crop is `whole` or `centre`".to_owned()),
    }
}

/// Which axis of the sensor is x, y and z of the device, such as `y-xz`.
pub(crate) fn axes(text: &str) -> Result<Axes, String> {
    let mut axes = vec![];
    let mut negative = false;
    for c in text.chars() {
        let axis = match (c, negative) {
            ('-', _) => None,
            ('x', false) => Some(Axis::X),
            ('y', false) => Some(Axis::Y),
            ('z', false) => Some(Axis::Z),
            ('x', true) => Some(Axis::MinusX),
            ('y', true) => Some(Axis::MinusY),
            ('z', true) => Some(Axis::MinusZ),
            _ => return Err(bad_axes()),
        };
        negative = axis.is_none();
        axes.extend(axis);
    }
    let letters = ['x', 'y', 'z'].map(|c| text.matches(c).count());
    match axes.try_into() {
        Ok(axes) if letters == [1, 1, 1] && !negative && !text.contains("--") => Ok(Axes(axes)),
        _ => Err(bad_axes()),
    }
}

fn letter(axis: Axis) -> &'static str {
    match axis {
        Axis::X => "x",
        Axis::Y => "y",
        Axis::Z => "z",
        Axis::MinusX => "-x",
        Axis::MinusY => "-y",
        Axis::MinusZ => "-z",
    }
}

fn bad_axes() -> String {
    "axes are x, y and z of the sensor in the order of the device, each once and perhaps with a minus, such as `y-xz`".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_three_letters_with_signs() {
        assert_eq!(axes("xyz"), Ok(Axes::SAME));
        let turned = Axes([Axis::Y, Axis::MinusX, Axis::Z]);
        assert_eq!(axes("y-xz"), Ok(turned));
        for bad in ["", "xy", "xxz", "xyzx", "x,y,z", "--xyz", "xyz-", "XYZ"] {
            assert!(axes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_flag_is_a_file_or_a_sensor_and_what_is_said_of_it() {
        use CapabilityKind::{Accel, Image, Raw, Sound};
        let parse = |kind, text| Setup::parse(kind, text);
        let (file, setup) = parse(Accel, "a,b=c.csv,unit=m/s2,axes=-yxz,scale=0.5").unwrap();
        assert_eq!(file.as_deref(), Some("a,b=c.csv"));
        assert_eq!(setup.unit, Some(Unit::MetresPerSecondSquared));
        assert_eq!((setup.scale, setup.offset), (Some(0.5), None));
        let (file, setup) = parse(Raw, "serial:/dev/ttyUSB0,baud=9600").unwrap();
        assert_eq!((file, setup.sensor), (None, Some(Sensor::Serial)));
        assert_eq!(setup.device.as_deref(), Some("/dev/ttyUSB0"));
        assert_eq!(setup.baud, Some(9600));
        assert_eq!(parse(Raw, "-").unwrap().1.sensor, Some(Sensor::Stdin));
        for camera in ["/dev/video1,crop=centre", "v4l2:/dev/video1,crop=centre"] {
            let (file, setup) = parse(Image, camera).unwrap();
            assert_eq!((file, setup.sensor), (None, Some(Sensor::V4l2)));
            assert_eq!(setup.device.as_deref(), Some("/dev/video1"));
            assert_eq!(setup.crop, Some(Crop::Centred));
        }
        assert_eq!(parse(Raw, "/dev/video1").unwrap().1.sensor, None);
        assert_eq!(parse(Raw, "./-").unwrap().0.as_deref(), Some("./-"));
        for (kind, text, says) in [
            (
                Accel,
                "a.csv,unit=ft",
                "`unit=ft` in `a.csv,unit=ft`: a unit is `g` or `m/s2`",
            ),
            (Accel, "a.csv,scale=x", "this is not a number"),
            (Accel, "a.csv,scale=inf", "`scale` is not finite"),
            (Accel, "a.csv,rate=0", "`rate` is not a frequency"),
            (
                Accel,
                "a.csv,baud=9600",
                "ACCEL from files does not take `baud`",
            ),
            (Sound, "a.wav,unit=g", "it takes nothing else"),
            (Sound, "-", "`stdin` cannot feed SOUND"),
            (Raw, "serial:", "`serial` needs a device"),
            (Raw, "iio:0", "needs `channels`"),
            (Image, "v4l2:", "`v4l2` needs a device"),
            (Image, "/dev/video0,rate=30", "it takes device, crop"),
            (Image, "a.png,crop=left", "a crop is `whole` or `centre`"),
        ] {
            let error = parse(kind, text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
