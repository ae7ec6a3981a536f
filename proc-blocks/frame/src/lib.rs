//! `frame`: a sliding window over the rows of a stream.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use rune_block_sdk::{Block, Call, Element, Fault, Flow, Refusal, Setup, State};

rune_block_sdk::block! {
    "../block.toml",
    "run.f32" => Frame<f32>,
    "run.i16" => Frame<i16>,
    "run.u8" => Frame<u8>,
    "run.i8" => Frame<i8>,
    "run.u16" => Frame<u16>,
    "run.u32" => Frame<u32>,
    "run.i32" => Frame<i32>,
    "run.u64" => Frame<u64>,
    "run.i64" => Frame<i64>,
    "run.f64" => Frame<f64>,
}

/// Indices of the arguments in `block.toml`.
const LENGTH: usize = 0;
const HOP: usize = 1;

/// An instance for rows of type `T`. Lengths are in elements, always of whole rows.
#[derive(Debug)]
pub struct Frame<T> {
    hop: usize,
    /// The newest elements, as many as a frame has, from `oldest` to the end and on from the start.
    ring: State<T>,
    cursor: State<Cursor>,
}

/// What else stays from call to call: where the oldest element is, and how many are to come until the
/// next frame ends.
type Cursor = [u32; 2];

impl<T: Element> Block for Frame<T> {
    type Inputs = T;
    type Outputs = T;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let dims = setup.input(0).dims();
        let rows = dims.first().copied().unwrap_or(1);
        // The signature keeps both within 20 bits and positive, but for the hop.
        let (length, mut hop) = (setup.integer(LENGTH)? as u32, setup.integer(HOP)? as u32);
        if rows == 0 {
            return Err("no rows come in".into());
        }
        if hop == 0 {
            hop = rows;
        }
        if hop < rows {
            return Err(alloc::format!(
                "a call brings {rows} rows, more than the `--hop` of {hop}, but it can give one frame only"
            )
            .into());
        }
        let row: u64 = dims.iter().skip(1).map(|d| u64::from(*d)).product();
        let elements = |rows: u32| {
            i32::try_from(u64::from(rows) * row)
                .map(|n| n as usize)
                .map_err(|_| Refusal::from("the frame is too large"))
        };
        let (length, hop) = (elements(length)?, elements(hop)?);
        let (ring, cursor) = (setup.state(length)?, setup.state(1)?);
        setup.initial_state().get(&cursor)[0] = [0, length as u32];
        Ok(Self { hop, ring, cursor })
    }

    fn run(&self, new: &[T], frame: &mut [T], call: &mut Call<'_>) -> Result<Flow, Fault> {
        let [oldest, due] = call.state.get(&self.cursor)[0].map(|n| n as usize);
        let ring = call.state.get(&self.ring);
        let ends = due <= new.len();
        if ends {
            give(ring, oldest, &new[..due], frame);
        }
        let oldest = push(ring, oldest, new);
        let due = if ends { due + self.hop } else { due } - new.len();
        call.state.get(&self.cursor)[0] = [oldest as u32, due as u32];
        Ok(if ends { Flow::Output } else { Flow::Nothing })
    }
}

/// Writes the newest elements of the ring followed by `new`, as many as a frame has.
fn give<T: Element>(ring: &[T], oldest: usize, new: &[T], frame: &mut [T]) {
    let old = frame.len().saturating_sub(new.len());
    let (head, tail) = frame.split_at_mut(old);
    tail.copy_from_slice(&new[new.len() - tail.len()..]);
    // The ring in order is its second part, then its first; of that, the last `old`.
    let (first, second) = ring.split_at(oldest);
    let of_first = first.len().min(old);
    let (a, b) = head.split_at_mut(old - of_first);
    a.copy_from_slice(&second[second.len() - a.len()..]);
    b.copy_from_slice(&first[first.len() - of_first..]);
}

/// Puts the newest elements in place of the oldest, and gives where the oldest are now.
fn push<T: Element>(ring: &mut [T], oldest: usize, new: &[T]) -> usize {
    let new = &new[new.len().saturating_sub(ring.len())..];
    let (before, after) = new.split_at(new.len().min(ring.len() - oldest));
    ring[oldest..][..before.len()].copy_from_slice(before);
    ring[..after.len()].copy_from_slice(after);
    let next = oldest + new.len();
    if next < ring.len() {
        next
    } else {
        next - ring.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::Instance;

    fn make(rows: u32, length: u32, hop: i64) -> Result<Instance<Frame<i32>>, Refusal> {
        let args = [i64::from(length).into(), hop.into()];
        Instance::new(&args, &[&[rows, 2]], &[&[length, 2]])
    }

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }

    /// Every small combination against the definition: frame `k` begins at row `k hop`.
    #[test]
    fn equals_the_definition() {
        for (n, length) in (1..=5).flat_map(|n| (1..=9).map(move |l| (n, l))) {
            for hop in n..=12 {
                let mut block = make(n as u32, length as u32, i64::from(hop)).unwrap();
                let mut next = 0;
                for call in 0..40 {
                    let new: Vec<i32> = (2 * call * n..2 * (call + 1) * n).collect();
                    let mut frame = vec![-1; 2 * length as usize];
                    let flow = block.run(&new, &mut frame).unwrap();
                    if (call + 1) * n >= next * hop + length {
                        let first = 2 * next * hop;
                        let want: Vec<i32> = (first..first + 2 * length).collect();
                        assert_eq!((flow, frame), (Flow::Output, want), "{n} {length} {hop}");
                        next += 1;
                    } else {
                        assert_eq!(flow, Flow::Nothing, "{n} {length} {hop}");
                    }
                }
            }
        }
    }

    #[test]
    fn without_a_hop_every_call_gives_once_full() {
        use Flow::{Nothing, Output};
        let mut block = make(1, 3, 0).unwrap();
        let mut frame = [0; 6];
        let flows: Vec<Flow> = (0..5)
            .map(|i| block.run(&[i, -i], &mut frame).unwrap())
            .collect();
        assert_eq!(flows, [Nothing, Nothing, Output, Output, Output]);
        assert_eq!(frame, [2, -2, 3, -3, 4, -4]);
    }

    #[test]
    fn more_rows_than_the_hop_are_refused() {
        assert_eq!(
            make(4, 3, 3).unwrap_err().message(),
            "a call brings 4 rows, more than the `--hop` of 3, but it can give one frame only"
        );
        assert_eq!(make(0, 3, 3).unwrap_err().message(), "no rows come in");
    }
}
