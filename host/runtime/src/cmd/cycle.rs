//! Samples from memory, again and again: a bench measures the rune and not its sources.

use std::time::Instant;

use crate::{Grants, Read, Source, SourceError};

/// Most samples that are kept of a source, and most bytes of them.
const MOST_SAMPLES: usize = 1024;
const MOST_BYTES: usize = 64 << 20;

/// The first samples of a source, and then these without end.
struct Cycle {
    /// `None` once enough are kept, or it has ended.
    source: Option<Box<dyn Source>>,
    samples: Vec<Box<[u8]>>,
    bytes: usize,
    next: usize,
}

/// Puts every source behind memory.
pub(super) fn cycle(mut grants: Grants) -> Grants {
    let cycle = |source| {
        Box::new(Cycle {
            source: Some(source),
            samples: vec![],
            bytes: 0,
            next: 0,
        }) as Box<dyn Source>
    };
    grants.sources = grants.sources.into_iter().map(cycle).collect();
    grants
}

impl Source for Cycle {
    fn read(&mut self, out: &mut [u8], deadline: Instant) -> Result<Read, SourceError> {
        if let Some(source) = &mut self.source {
            match source.read(out, deadline)? {
                Read::Sample => {
                    self.samples.push(out.into());
                    self.bytes += out.len();
                    if self.samples.len() >= MOST_SAMPLES || self.bytes >= MOST_BYTES {
                        self.source = None;
                    }
                    return Ok(Read::Sample);
                }
                end @ Read::End { .. } if self.samples.is_empty() => return Ok(end),
                Read::End { .. } => self.source = None,
            }
        }
        out.copy_from_slice(&self.samples[self.next]);
        self.next = (self.next + 1) % self.samples.len();
        Ok(Read::Sample)
    }

    fn is_endless(&self) -> bool {
        true
    }
}
