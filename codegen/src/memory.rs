//! The first contents of a rune's memory, as data segments.

/// Zeros between two pieces of data that cost more than starting a segment anew.
const GAP: usize = 16;

/// The first contents of a memory.
pub(crate) struct Memory {
    pieces: Vec<(u32, Vec<u8>)>,
    /// One past the last byte that has a use.
    pub(crate) end: u32,
}

impl Memory {
    /// Nothing yet, and nothing to be appended before `end`.
    pub(crate) fn new(end: u32) -> Self {
        Self {
            pieces: Vec::new(),
            end,
        }
    }

    pub(crate) fn put(&mut self, address: u32, bytes: &[u8]) {
        self.end = self.end.max(address + bytes.len() as u32);
        self.pieces.push((address, bytes.to_vec()));
    }

    /// Puts bytes behind everything else.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> u32 {
        let at = self.end;
        self.put(at, bytes);
        at
    }

    /// Segments by rising address, without long runs of zeros: memory is zero from the start.
    pub(crate) fn segments(&self) -> Vec<(u32, Vec<u8>)> {
        let mut pieces: Vec<&(u32, Vec<u8>)> =
            self.pieces.iter().filter(|(_, b)| !b.is_empty()).collect();
        pieces.sort_by_key(|(address, _)| *address);
        let mut segments: Vec<(u32, Vec<u8>)> = Vec::new();
        for (address, bytes) in pieces {
            let mut at = 0;
            while let Some(start) = bytes[at..].iter().position(|b| *b != 0).map(|i| at + i) {
                let mut end = start;
                let mut next = start;
                while next < bytes.len() && next - end <= GAP {
                    if bytes[next] != 0 {
                        end = next + 1;
                    }
                    next += 1;
                }
                let begin = address + start as u32;
                match segments.last_mut() {
                    Some((last, data)) if (begin - (*last + data.len() as u32)) as usize <= GAP => {
                        data.resize((begin - *last) as usize, 0);
                        data.extend_from_slice(&bytes[start..end]);
                    }
                    _ => segments.push((begin, bytes[start..end].to_vec())),
                }
                at = end;
            }
        }
        segments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_leave_out_zeros() {
        let mut memory = Memory::new(0);
        memory.put(100, &[0, 0, 1, 2, 0, 3]);
        memory.put(200, &[0; 50]);
        memory.put(90, &[7]);
        let mut long = vec![9];
        long.extend([0; 40]);
        long.push(8);
        memory.put(300, &long);
        let mut joined = vec![7];
        joined.extend([0; 11]);
        joined.extend([1, 2, 0, 3]);
        assert_eq!(
            memory.segments(),
            [(90, joined), (300, vec![9]), (341, vec![8])]
        );
    }
}
