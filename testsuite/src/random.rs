//! Random numbers for tests: the same on every machine.

/// Marsaglia's xorshift32.
#[derive(Clone, Debug)]
pub struct Random(u32);

impl Random {
    /// Numbers that depend on the seed alone, which is not zero.
    pub fn new(seed: u32) -> Self {
        Self(seed.max(1))
    }

    /// The next 32 bits.
    pub fn word(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.word() as usize % n.max(1)
    }

    /// `n` random bytes.
    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| (self.word() >> 24) as u8).collect()
    }

    /// Changes bytes as a careless hand would: flips, cuts, repeats, moves, or puts in a telling value.
    pub fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let n = bytes.len();
            let at = self.below(n);
            let end = (at + 1 + self.below(24)).min(n);
            match self.below(7) {
                _ if n == 0 => bytes.extend(self.bytes(8)),
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = (self.word() >> 24) as u8,
                2 => drop(bytes.drain(at..end)),
                3 => {
                    let piece = bytes[at..end].to_vec();
                    let to = self.below(n + 1);
                    bytes.splice(to..to, piece);
                }
                4 => bytes.truncate(at),
                5 => {
                    let telling = [0u32, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff_fff0];
                    let value = telling[self.below(telling.len())].to_le_bytes();
                    let end = (at + 4).min(n);
                    bytes[at..end].copy_from_slice(&value[..end - at]);
                }
                _ => {
                    let other = self.below(n);
                    bytes.swap(at, other);
                }
            }
        }
    }
}
