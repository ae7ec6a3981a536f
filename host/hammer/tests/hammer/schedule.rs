//! What happens to a link and the device behind it, from a seed.

use std::time::Duration;

use rune_abi::ElementType;
use rune_core::Rand;

/// Numbers from a seed.
struct Dice(Rand);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Rand::new(ElementType::I32, (0.0, 1.0), 0, seed).unwrap())
    }

    fn below(&mut self, end: u32) -> u32 {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        u32::from_le_bytes(bytes) % end
    }

    /// Whether something happens that does so often in a thousand times.
    fn chance(&mut self, permille: u32) -> bool {
        self.below(1000) < permille
    }
}

/// What happens, in the time since the begin.
pub(crate) struct Schedule {
    dice: Dice,
    /// In a thousand packets.
    lost: u32,
    twice: u32,
    changed: u32,
    /// Milliseconds that a packet takes at most.
    delay: u32,
    /// When the device starts anew.
    pub(crate) resets: Vec<Duration>,
    /// From when to when no packet gets through.
    cut: (Duration, Duration),
}

impl Schedule {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let ms = |n: u32| Duration::from_millis(n.into());
        let mut resets: Vec<Duration> = (0..dice.below(3)).map(|_| ms(dice.below(2500))).collect();
        resets.sort();
        let cut = ms(dice.below(2000));
        let cut = (cut, cut + ms(dice.below(2) * dice.below(3000)));
        Self {
            lost: dice.below(4) * 60,
            twice: dice.below(3) * 60,
            changed: dice.below(3) * 10,
            delay: 1 + dice.below(4) * 100,
            resets,
            cut,
            dice,
        }
    }

    /// Nothing goes wrong any more.
    pub(crate) fn calm(&mut self) {
        (self.lost, self.twice, self.changed, self.delay) = (0, 0, 0, 1);
        self.resets.clear();
        self.cut = (Duration::ZERO, Duration::ZERO);
    }

    /// The next start of the device that is due, which is taken out.
    pub(crate) fn reset(&mut self, now: Duration) -> Option<Duration> {
        let is_due = self.resets.first().is_some_and(|at| *at <= now);
        is_due.then(|| self.resets.remove(0))
    }

    /// When a packet that is sent now arrives, each time that it does, and as what.
    pub(crate) fn fly(&mut self, now: Duration, packet: &[u8]) -> Vec<(Duration, Vec<u8>)> {
        let copies = 1 + u32::from(self.dice.chance(self.twice));
        let mut arrivals = vec![];
        for _ in 0..copies {
            let is_cut = (self.cut.0..self.cut.1).contains(&now);
            if is_cut || self.dice.chance(self.lost) {
                continue;
            }
            let mut packet = packet.to_vec();
            if self.dice.chance(self.changed) {
                let at = self.dice.below(packet.len() as u32) as usize;
                packet[at] ^= 1 << self.dice.below(8);
            }
            let delay = self.dice.below(self.delay);
            arrivals.push((now + Duration::from_millis(delay.into()), packet));
        }
        arrivals
    }
}
