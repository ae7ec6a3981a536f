//! The areas and slots of `rune-install` as files, and the values of the server as one more.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
};

use rune_install::{Geometry, ReadFault, Region, Storage};
use sha2::{Digest as _, Sha256};

use super::disk::Disk;
use crate::hex;

/// Files of a disk as a storage: `area-0`, `area-1`, `slot-0` and so on. An erased one is not there, or shorter. Of
/// areas every bit is inverted: what is skipped in a file reads as 0, and has to read as erased.
#[derive(Debug)]
pub(super) struct Files<D> {
    pub(super) disk: D,
    pub(super) geometry: Geometry,
    /// Whether names changed that are not lasting yet; at first those of a process that was killed may be.
    pub(super) names: bool,
}

/// The name of a region's file.
pub(super) fn file_name(region: Region) -> String {
    match region {
        Region::Area(area) => format!("area-{area}"),
        Region::Slot(slot) => format!("slot-{slot}"),
    }
}

impl<D: Disk> Storage for Files<D> {
    type Error = io::Error;

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(
        &mut self,
        region: Region,
        offset: u32,
        into: &mut [u8],
    ) -> Result<(), ReadFault<io::Error>> {
        let name = file_name(region);
        let read = match self.disk.read_at(&name, u64::from(offset), into) {
            Ok(read) => read,
            Err(e) if e.kind() == ErrorKind::NotFound => 0,
            Err(e) => return Err(ReadFault::Failed(e)),
        };
        if let Region::Area(_) = region {
            into[..read].iter_mut().for_each(|byte| *byte = !*byte);
        }
        into[read..].fill(0xFF);
        Ok(())
    }

    fn write(&mut self, region: Region, offset: u32, bytes: &[u8]) -> io::Result<()> {
        let name = file_name(region);
        let inverted: Vec<u8>;
        let bytes = match region {
            Region::Area(_) => {
                inverted = bytes.iter().map(|byte| !byte).collect();
                &inverted
            }
            Region::Slot(_) => bytes,
        };
        match self.disk.write_at(&name, u64::from(offset), bytes) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                self.disk.create(&name)?;
                self.names = true;
                self.disk.write_at(&name, u64::from(offset), bytes)
            }
            result => result,
        }
    }

    fn erase(&mut self, region: Region, from: u32) -> io::Result<()> {
        let name = file_name(region);
        let result = if from == 0 {
            self.names = true;
            self.disk.unlink(&name)
        } else {
            self.disk.truncate(&name, u64::from(from))
        };
        match result {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    fn sync(&mut self, region: Region) -> io::Result<()> {
        match self.disk.sync(&file_name(region)) {
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            result => result?,
        }
        if self.names {
            self.disk.sync_folder()?;
            self.names = false;
        }
        Ok(())
    }
}

const VALUES: &str = "values";
/// Where values are written before they get their name.
const NEW: &str = "values.new";
/// Most bytes of all values together.
pub(super) const MOST_VALUES: usize = 1 << 20;

/// Reads the values, and makes lasting what a process that was killed may have left otherwise. `None` where the
/// file is damaged.
pub(super) fn read_values(disk: &mut impl Disk) -> io::Result<Option<BTreeMap<String, String>>> {
    match disk.unlink(NEW) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    disk.sync_folder()?;
    let mut bytes = vec![0; MOST_VALUES + 65];
    let read = match disk.read_at(VALUES, 0, &mut bytes) {
        Ok(read) => read,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Some(BTreeMap::new())),
        Err(e) => return Err(e),
    };
    let text = std::str::from_utf8(&bytes[..read]).ok();
    let parts = text.and_then(|text| text.split_once('\n'));
    Ok(parts
        .filter(|(sum, json)| *sum == hex(&Sha256::digest(json)))
        .and_then(|(_, json)| serde_json::from_str(json).ok()))
}

/// Replaces the values by others, all or none. `false` where they are too long.
pub(super) fn write_values(
    disk: &mut impl Disk,
    values: &BTreeMap<String, String>,
) -> io::Result<bool> {
    let json = serde_json::to_string(values)?;
    if json.len() > MOST_VALUES {
        return Ok(false);
    }
    match disk.unlink(NEW) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    disk.create(NEW)?;
    let text = format!("{}\n{json}", hex(&Sha256::digest(&json)));
    disk.write_at(NEW, 0, text.as_bytes())?;
    disk.sync(NEW)?;
    disk.rename(NEW, VALUES)?;
    disk.sync_folder()?;
    Ok(true)
}
