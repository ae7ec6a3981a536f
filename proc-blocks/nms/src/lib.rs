//! `nms`: of boxes that overlap, the one with the greatest score.
//!
//! A heap gives the boxes by falling score, so that only as many are sorted as are looked at.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use rune_block_sdk::{Block, Bounded, BoundedMut, Call, Fault, Flow, Refusal, Scratch, Setup};
use rune_block_tensor::greatest;

rune_block_sdk::block! { "../block.toml", "run" => Nms }

/// Indices of the arguments in `block.toml`.
const IOU: usize = 1;
const THRESHOLD: usize = 2;
const FORMAT: usize = 3;
const ACROSS_CLASSES: usize = 4;

/// What the four numbers of a box are.
#[derive(Clone, Copy, Debug)]
enum Format {
    Corners,
    Center,
    Size,
}

/// An instance.
#[derive(Debug)]
pub struct Nms {
    /// Scores per box.
    classes: usize,
    iou: f32,
    threshold: f32,
    format: Format,
    across_classes: bool,
    /// Boxes above the threshold.
    heap: Scratch<Candidate>,
    /// The rectangles of the boxes kept.
    kept: Scratch<[f32; 4]>,
}

/// The score of a box as an integer of the same order, and the complement of its index, so that the first
/// of equal scores is the greatest.
type Candidate = [u32; 2];

type OutputViews<'a> = (
    BoundedMut<'a, f32>,
    BoundedMut<'a, f32>,
    BoundedMut<'a, u32>,
);

impl Block for Nms {
    type Inputs = (f32, f32);
    type Outputs = (Bounded<f32>, Bounded<f32>, Bounded<u32>);

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let (boxes, scores) = (setup.input(0).len() / 4, setup.input(1).len());
        if boxes == 0 || scores == 0 || !scores.is_multiple_of(boxes) {
            return Err(alloc::format!(
                "there are {scores} scores for {boxes} boxes, but every box has as many scores"
            )
            .into());
        }
        Ok(Self {
            classes: scores / boxes,
            iou: setup.float(IOU)? as f32,
            threshold: setup.float(THRESHOLD)? as f32,
            format: match setup.text(FORMAT)? {
                "center" => Format::Center,
                "size" => Format::Size,
                _ => Format::Corners,
            },
            across_classes: setup.bool(ACROSS_CLASSES)?,
            heap: setup.scratch(boxes)?,
            kept: setup.scratch(setup.output(1).len().min(boxes))?,
        })
    }

    fn run(
        &self,
        (boxes, scores): (&[f32], &[f32]),
        (mut kept_boxes, mut kept_scores, mut kept_classes): OutputViews<'_>,
        call: &mut Call<'_>,
    ) -> Result<Flow, Fault> {
        let heap = call.scratch.get(&self.heap);
        let mut above = 0;
        for (index, scores) in (0_u32..).zip(scores.chunks_exact(self.classes)) {
            let (_, score) = best(scores);
            if score > self.threshold {
                heap[above] = [ordered(score), !index];
                above += 1;
            }
        }
        for top in (0..above / 2).rev() {
            sink(&mut heap[..above], top);
        }
        let mut count = 0;
        while count < kept_scores.len() && above > 0 {
            let index = pop(&mut call.scratch.get(&self.heap)[..above]);
            above -= 1;
            let numbers: [f32; 4] = core::array::from_fn(|i| boxes[4 * index + i]);
            let (class, score) = best(&scores[index * self.classes..][..self.classes]);
            let corners = self.format.corners(numbers);
            let kept = call.scratch.get(&self.kept);
            let is_double = kept[..count].iter().zip(&*kept_classes).any(|(other, of)| {
                (self.across_classes || *of == class) && overlap(corners, *other) > self.iou
            });
            if is_double {
                continue;
            }
            kept[count] = corners;
            kept_boxes[4 * count..][..4].copy_from_slice(&numbers);
            kept_scores[count] = score;
            kept_classes[count] = class;
            count += 1;
        }
        kept_boxes.truncate(4 * count);
        kept_scores.truncate(count);
        kept_classes.truncate(count);
        Ok(Flow::Output)
    }
}

/// The class and value of the greatest score, the first of equals; NaN where all are.
fn best(scores: &[f32]) -> (u32, f32) {
    greatest(scores.iter().copied()).unwrap_or((0, f32::NAN))
}

/// The bits of a score that is no NaN, in the order of the scores; 0 and -0 are one.
fn ordered(score: f32) -> u32 {
    let bits = (score + 0.0).to_bits();
    if bits >> 31 == 0 {
        bits | 1 << 31
    } else {
        !bits
    }
}

/// Takes the greatest out of a heap, which is one shorter then, and gives its index.
fn pop(heap: &mut [Candidate]) -> usize {
    let last = heap.len() - 1;
    heap.swap(0, last);
    sink(&mut heap[..last], 0);
    !heap[last][1] as usize
}

/// Moves what is at `at` down until neither child is greater.
fn sink(heap: &mut [Candidate], mut at: usize) {
    loop {
        let mut child = 2 * at + 1;
        if child >= heap.len() {
            return;
        }
        if child + 1 < heap.len() && heap[child] < heap[child + 1] {
            child += 1;
        }
        if heap[child] <= heap[at] {
            return;
        }
        heap.swap(at, child);
        at = child;
    }
}

impl Format {
    /// The lowest and the highest corner.
    fn corners(self, [a, b, c, d]: [f32; 4]) -> [f32; 4] {
        match self {
            Self::Corners => [a.min(c), b.min(d), a.max(c), b.max(d)],
            Self::Center => [a - c / 2.0, b - d / 2.0, a + c / 2.0, b + d / 2.0],
            Self::Size => [a, b, a + c, b + d],
        }
    }
}

/// Intersection over union; 0 where a box has no area.
fn overlap(a: [f32; 4], b: [f32; 4]) -> f32 {
    let area = |r: [f32; 4]| (r[2] - r[0]) * (r[3] - r[1]);
    let (area_a, area_b) = (area(a), area(b));
    if !(area_a > 0.0 && area_b > 0.0) {
        return 0.0;
    }
    let width = a[2].min(b[2]) - a[0].max(b[0]);
    let height = a[3].min(b[3]) - a[1].max(b[1]);
    if !(width > 0.0 && height > 0.0) {
        return 0.0;
    }
    let both = width * height;
    both / (area_a + area_b - both)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::{Instance, Value};

    struct Kept {
        boxes: Vec<f32>,
        scores: Vec<f32>,
        classes: Vec<u32>,
    }

    fn run(args: &[Value<'_>], boxes: &[[f32; 4]], scores: &[f32], max: u32) -> Kept {
        let n = boxes.len() as u32;
        let dims: [&[u32]; 2] = [&[n, 4], &[n, scores.len() as u32 / n]];
        let outputs: [&[u32]; 3] = [&[max, 4], &[max], &[max]];
        let mut block = Instance::<Nms>::new(args, &dims, &outputs).unwrap();
        let room = max as usize;
        let mut kept = Kept {
            boxes: vec![f32::NAN; 4 * room],
            scores: vec![f32::NAN; room],
            classes: vec![99; room],
        };
        let mut counts = [0; 3];
        let [a, b, c] = &mut counts;
        let views = (
            BoundedMut::new(&mut kept.boxes, a),
            BoundedMut::new(&mut kept.scores, b),
            BoundedMut::new(&mut kept.classes, c),
        );
        block.run((boxes.as_flattened(), scores), views).unwrap();
        assert_eq!(counts, [4 * counts[1], counts[1], counts[1]]);
        kept.boxes.truncate(counts[0]);
        kept.scores.truncate(counts[1]);
        kept.classes.truncate(counts[2]);
        kept
    }

    fn args(max: i64, iou: f64, threshold: f64, format: &str, across: bool) -> [Value<'_>; 5] {
        [
            max.into(),
            iou.into(),
            threshold.into(),
            format.into(),
            across.into(),
        ]
    }

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }

    #[test]
    fn classes_do_not_drop_each_other_unless_asked() {
        let boxes = [[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.0]];
        let scores = [0.2, 0.9, 0.8, 0.1];
        let kept = run(&args(9, 0.5, 0.0, "corners", false), &boxes, &scores, 9);
        assert_eq!((kept.scores, kept.classes), (vec![0.9, 0.8], vec![1, 0]));
        let kept = run(&args(9, 0.5, 0.0, "corners", true), &boxes, &scores, 9);
        assert_eq!((kept.scores, kept.classes), (vec![0.9], vec![1]));
        assert_eq!(kept.boxes, boxes[0]);
    }

    #[test]
    fn an_overlap_of_the_limit_stays() {
        // One half of the first: intersection 2, union 4.
        let boxes = [[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 1.0, 2.0]];
        let kept = |iou| {
            run(&args(9, iou, 0.0, "corners", false), &boxes, &[0.9, 0.9], 9)
                .scores
                .len()
        };
        assert_eq!((kept(0.5), kept(0.49)), (2, 1));
    }

    #[test]
    fn formats_say_the_same_boxes() {
        for (format, boxes) in [
            ("corners", [[4.0, 4.0, 0.0, 0.0], [0.0, 0.5, 4.0, 4.5]]),
            ("center", [[2.0, 2.0, 4.0, 4.0], [2.0, 2.5, 4.0, 4.0]]),
            ("size", [[0.0, 0.0, 4.0, 4.0], [0.0, 0.5, 4.0, 4.0]]),
        ] {
            let kept = run(&args(9, 0.7, 0.0, format, false), &boxes, &[0.1, 0.9], 9);
            assert_eq!(
                (kept.boxes, kept.scores),
                (boxes[1].to_vec(), vec![0.9]),
                "{format}"
            );
        }
    }

    #[test]
    fn what_is_no_number_is_no_score_and_overlaps_nothing() {
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        let boxes = [
            [nan, 0.0, 2.0, 2.0],
            [0.0, 0.0, 2.0, 2.0],
            [0.0, 0.0, inf, inf],
            [0.0; 4],
        ];
        let kept = run(
            &args(9, 0.0, -1.0, "corners", false),
            &boxes,
            &[0.5, nan, inf, -0.5],
            9,
        );
        assert_eq!(kept.scores, [inf, 0.5, -0.5]);
        let kept = run(&args(9, 0.0, 0.0, "center", true), &boxes, &[nan; 4], 9);
        assert!(kept.scores.is_empty());
    }

    #[test]
    fn keeps_no_more_than_asked() {
        let boxes: Vec<[f32; 4]> = (0..50)
            .map(|i| [i as f32, 0.0, i as f32 + 0.5, 1.0])
            .collect();
        let kept = run(&args(3, 0.5, 0.0, "corners", false), &boxes, &[0.25; 50], 3);
        assert_eq!(kept.boxes, boxes[..3].as_flattened());
    }

    #[test]
    fn scores_are_as_many_per_box() {
        let outputs: [&[u32]; 3] = [&[9, 4], &[9], &[9]];
        let args = args(9, 0.5, 0.0, "corners", false);
        let refusal = Instance::<Nms>::new(&args, &[&[3, 4], &[7]], &outputs).unwrap_err();
        assert!(
            refusal
                .message()
                .starts_with("there are 7 scores for 3 boxes")
        );
    }
}
