//! FILE: lines appended to a file, whole or not at all.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::{FileExt, MetadataExt},
    sync::Arc,
    time::Instant,
};

use super::sink::{FileSink, Line, Stopped, Then, Writer};
use crate::capability::beneath::Place;

/// A file that is open and locked.
pub(super) struct Lines {
    place: Place,
    file: File,
    /// Whether the file ends within a line: a program that wrote it was stopped, or the disk is full.
    torn: bool,
    max_bytes: Option<u64>,
    keep: u32,
}

/// Opens the file, and makes it if it is not there.
pub(super) fn open(sink: &FileSink) -> io::Result<Lines> {
    let place = match &sink.folder {
        Some(folder) => Place::beneath(folder, &sink.file)?,
        None => Place::anywhere(&sink.file)?,
    };
    let file = place.append()?;
    Ok(Lines {
        torn: is_torn(&file),
        place,
        file,
        max_bytes: sink.max_bytes.map(u64::from),
        keep: sink.keep,
    })
}

fn is_torn(file: &File) -> bool {
    let mut last = [b'\n'];
    match file.metadata() {
        Ok(meta) if meta.is_file() && meta.len() > 0 => {
            file.read_exact_at(&mut last, meta.len() - 1).is_ok() && last != [b'\n']
        }
        _ => false,
    }
}

impl Lines {
    fn line(&mut self, line: &str) -> io::Result<()> {
        let mut meta = self.file.metadata()?;
        // It may have been removed, or renamed to make room for another.
        if meta.is_file() && self.place.identity() != Some((meta.dev(), meta.ino())) {
            self.reopen()?;
            meta = self.file.metadata()?;
        }
        if let Some(max) = self.max_bytes
            && meta.is_file()
            && meta.len() > 0
            && meta.len().saturating_add(line.len() as u64) > max
        {
            if self.keep == 0 {
                self.file.set_len(0)?;
            } else {
                self.place.shift(self.keep)?;
                self.reopen()?;
            }
            self.torn = false;
            meta = self.file.metadata()?;
        }
        let wrote = if self.torn {
            self.file.write_all(format!("\n{line}").as_bytes())
        } else {
            self.file.write_all(line.as_bytes())
        };
        match wrote {
            Ok(()) => self.torn = false,
            // Half a line is worth nothing, and would spoil the next.
            Err(_) if meta.is_file() => {
                if self.file.set_len(meta.len()).is_err() {
                    self.torn = is_torn(&self.file);
                }
            }
            Err(_) => {}
        }
        wrote
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.file = self.place.append()?;
        self.torn = is_torn(&self.file);
        Ok(())
    }
}

impl Writer for Lines {
    fn write(&mut self, lines: &[Arc<Line>], _until: Instant) -> Result<(), Stopped> {
        for (done, line) in lines.iter().enumerate() {
            self.line(&line.text).map_err(|error| Stopped {
                done,
                what: error.to_string(),
                then: Then::Next,
            })?;
        }
        Ok(())
    }
}
