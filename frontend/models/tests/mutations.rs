//! Damaged model files: a clear error or a sound graph, never a panic and never memory beyond the file's size.

mod vectors;

use rune_ir::graph::{Graph, Tensor};
use rune_models::{import, outline};

struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        self.next() as usize % limit
    }
}

/// Changes one to three places, or the length, of a file.
fn damage(file: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let at = random.below(file.len());
        match random.below(16) {
            0 => file.truncate(at.max(1)),
            1..=5 => file[at] ^= 1 << random.below(8),
            6..=9 => file[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            // A whole word, which lengths and offsets are.
            10..=13 => {
                let word = [0, 1, 4, 0x7fff_ffff, u32::MAX, 1 << 31, file.len() as u32];
                let word = word[random.below(word.len())].to_le_bytes();
                let at = at & !3;
                for (byte, new) in file[at..].iter_mut().zip(word) {
                    *byte = new;
                }
            }
            14 => {
                let from = random.below(file.len());
                let length = (file.len() - at.max(from)).min(1 + random.below(16));
                file.copy_within(from..from + length, at);
            }
            _ => drop(file.drain(at..(at + 1 + random.below(4)).min(file.len()))),
        }
        if file.is_empty() {
            return;
        }
    }
}

/// A graph that obeys the laws, and surely ends, evaluates without a panic.
fn evaluate_if_small(graph: &Graph, random: &mut Random) {
    if !graph.nodes.iter().all(|node| node.op.ends()) {
        return;
    }
    if graph.tensors.values().map(Tensor::elements).sum::<usize>() > 5000 {
        return;
    }
    let bytes = |random: &mut Random, length| (0..length).map(|_| random.next() as u8).collect();
    let inputs: Vec<Vec<u8>> = graph
        .inputs
        .iter()
        .map(|id| bytes(random, graph.tensors[*id].bytes()))
        .collect();
    for (id, value) in graph.outputs.iter().zip(graph.evaluate(&inputs)) {
        assert_eq!(value.len(), graph.tensors[*id].bytes());
    }
}

#[test]
fn damaged_files_are_errors_or_sound_graphs() {
    let models: Vec<_> = vectors::operators()
        .iter()
        .flat_map(|operator| vectors::load(operator))
        .map(|case| case.model)
        .collect();
    let mut random = Random(7);
    let (mut sound, mut refused, mut described) = (0, 0, 0);
    for round in 0..6000 {
        let mut file = models[random.below(models.len())].clone();
        damage(&mut file, &mut random);
        match import(&file) {
            Ok(graph) => {
                sound += 1;
                assert_eq!(graph.check(), Ok(()), "round {round}");
                let constants = graph.tensors.values().filter_map(|t| t.data.as_ref());
                assert!(constants.map(|d| d.len()).sum::<usize>() <= 40 * file.len());
                evaluate_if_small(&graph, &mut random);
                // A description also reads tensors that nothing names, which may be the damaged ones.
                if let Ok(outline) = outline(&file) {
                    // Operators on constants are folded.
                    assert!(outline.operators.len() >= graph.nodes.len());
                    assert!(outline.operators.iter().all(|o| o.known));
                }
            }
            Err(error) => {
                refused += 1;
                assert!(error.message.len() > 12, "round {round}: {error}");
                // Less is asked of a file that is only described; what comes out can be counted.
                if let Ok(outline) = outline(&file) {
                    described += 1;
                    let (_, _) = (outline.macs(), outline.parameters());
                    outline.activation_bytes();
                }
            }
        }
    }
    assert!(described > 100, "{described} described");
    assert!(
        sound > 500 && refused > 500,
        "{sound} sound, {refused} refused"
    );
}

#[test]
fn every_prefix_of_a_file_is_refused() {
    let file = vectors::load("conv_2d").swap_remove(0).model;
    for end in 0..file.len() {
        if let Ok(graph) = import(&file[..end]) {
            // Only bytes that nothing names may be missing.
            assert_eq!(Ok(graph), import(&file), "{end} of {}", file.len());
        }
    }
    assert!(import(&file[..file.len() / 2]).is_err());
}
