//! TEMPERATURE and GPIO from files of sysfs that hold one reading.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use rune_abi::{Capability, CapabilityKind};
use rune_adapt::Rate;

use super::{
    OpenError, Setup, Source, SourceError, integer,
    live::{self, Live, Polled},
};

/// Where the tree is, if it is not said.
pub(super) fn root(setup: &Setup) -> PathBuf {
    setup.root.clone().unwrap_or_else(|| "/sys".into())
}

/// Opens a file such as `class/thermal/thermal_zone0/temp` (thousandths of a degree) or
/// `class/gpio/gpio17/value` (0 or 1); the hop is in readings.
pub(super) fn open(capability: &Capability, setup: &Setup) -> Result<Box<dyn Source>, OpenError> {
    let path = path(setup)?;
    let name = path.display().to_string();
    let frame = capability.ty.element().size() as usize;
    let cut = live::bytes(capability, frame, "reading")?;
    let is_level = capability.kind == CapabilityKind::Gpio;
    let poll = move |bytes: &mut Vec<u8>| {
        let value = number(&path)?;
        if !is_level {
            bytes.extend(((value / 1000.0) as f32).to_le_bytes());
        } else if value == 0.0 || value == 1.0 {
            bytes.push(value as u8);
        } else {
            let what = format!("{value} is not 0 or 1");
            return Err(SourceError::new(path.display(), what));
        }
        Ok(())
    };
    poll(&mut vec![])?;
    let device = Polled::new(wanted_rate(capability, setup), Box::new(poll));
    Ok(Box::new(Live::new(name, Box::new(device), cut)))
}

/// The file that is meant.
pub(super) fn path(setup: &Setup) -> Result<PathBuf, SourceError> {
    let device = setup.device.as_deref().unwrap_or_default();
    let is_inside = |c| matches!(c, Component::Normal(_) | Component::CurDir);
    if Path::new(device).components().all(is_inside) {
        Ok(root(setup).join(device))
    } else {
        let what = "it is not a path inside the tree, such as `class/thermal/thermal_zone0/temp`";
        Err(SourceError::new(device, what))
    }
}

/// The path of the very file or folder, links followed.
pub(super) fn real(path: &Path) -> Result<PathBuf, SourceError> {
    fs::canonicalize(path).map_err(|e| SourceError::new(path.display(), e))
}

/// How often a sensor is asked that answers whenever it is asked: as is said, or as the rune wants it.
pub(super) fn wanted_rate(capability: &Capability, setup: &Setup) -> Rate {
    let hz = integer(capability, "hz").and_then(|hz| u32::try_from(hz).ok());
    let wanted = hz.filter(|hz| *hz > 0).map(Rate::hz);
    setup.rate().or(wanted).unwrap_or(Rate::hz(1))
}

/// The number that a file holds.
pub(super) fn number(path: &Path) -> Result<f64, SourceError> {
    let text = fs::read_to_string(path).map_err(|e| SourceError::new(path.display(), e))?;
    let number = text.trim().parse().ok().filter(|n: &f64| n.is_finite());
    number.ok_or_else(|| {
        let shown: String = text.trim().chars().take(40).collect();
        SourceError::new(path.display(), format_args!("{shown:?} is not a number"))
    })
}
