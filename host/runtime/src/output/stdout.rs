//! Standard output as a sink.

use std::{
    io::{self, ErrorKind, Write},
    sync::Arc,
    time::Instant,
};

use super::sink::{Line, Stopped, Then, Writer};

/// Standard output. Who does not read it holds the rune back.
pub(super) struct Stdout;

impl Writer for Stdout {
    fn write(&mut self, lines: &[Arc<Line>], _until: Instant) -> Result<(), Stopped> {
        let mut stdout = io::stdout().lock();
        for (done, line) in lines.iter().enumerate() {
            let wrote = stdout.write_all(line.text.as_bytes());
            wrote
                .and_then(|()| stdout.flush())
                .map_err(|error| Stopped {
                    done,
                    what: error.to_string(),
                    then: if error.kind() == ErrorKind::BrokenPipe {
                        Then::Closed
                    } else {
                        Then::Next
                    },
                })?;
        }
        Ok(())
    }
}
