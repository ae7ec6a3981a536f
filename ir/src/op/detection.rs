//! `TFLite_Detection_PostProcess`: decodes boxes and keeps the best that do not overlap much.
//!
//! A box is decoded from an encoding (y, x, h, w, ...), an anchor (y, x, h, w) and the operator's scales:
//! its centre is y / scale * h + y of scale and anchor, half its height is 0.5 * `libm::expf`(h / scale) * h of
//! the anchor, all in f32. (The reference decodes in f64; decisions can differ where two boxes overlap by
//! just the threshold.) U8 stands for (q - zero point) * scale.
//!
//! *Suppression* takes boxes by falling score, of equals the first, from those whose score is at least the
//! threshold, and drops those that overlap a taken one by more than the other threshold. *Fast*: a
//! box's score is that of its best class; each box taken gives a slot for each of its best classes, the
//! first of equals first. *Regular*: suppression for each class by itself; what is taken of all classes,
//! by falling score and of equals the earlier, gives a slot each. Slots that are left are zeros.

use super::{operand, operand::Operands};
use crate::{
    graph::{DataType, Graph, Node, Tensor},
    quant,
};

/// Most slots, so that sizes fit.
const MAX_SLOTS: u64 = 1 << 16;

/// Decodes boxes and chooses some.
///
/// Inputs: encodings [1, n, 4 or more], scores [1, n, c or c + 1], anchors [n, 4]. Outputs, F32, of k slots:
/// corners [1, k, 4], classes [1, k], scores [1, k], number of boxes [1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// What encodings of y, x, height and width are divided by.
    pub scales: [f32; 4],
    /// Classes, beside a background that may be the first column of the scores.
    pub classes: u32,
    /// Most boxes found.
    pub most: u32,
    /// Slots of each box; k is `most` times this.
    pub classes_each: u32,
    /// Most boxes that regular suppression takes of a class.
    pub per_class: u32,
    /// Whether each class is suppressed by itself.
    pub regular: bool,
    /// The least score.
    pub score: f32,
    /// The largest overlap.
    pub overlap: f32,
}

impl Detection {
    pub(super) fn check(&self, graph: &Graph, node: &Node) -> Result<(), String> {
        check(graph, node, self)
    }

    /// Corners, classes, scores and the number of boxes.
    pub(super) fn evaluate(&self, graph: &Graph, node: &Node, values: [&[u8]; 3]) -> Vec<Vec<u8>> {
        evaluate(graph, node, self, values).into()
    }
}

struct Inputs<'a> {
    encodings: &'a Tensor,
    scores: &'a Tensor,
    anchors: &'a Tensor,
}

fn operands<'a>(graph: &'a Graph, node: &Node) -> Result<(Inputs<'a>, Vec<&'a Tensor>), String> {
    let operands = Operands::of(graph, node, (3, 3), (4, 4), 0)?;
    let inputs = Inputs {
        encodings: operands.input(0),
        scores: operands.input(1),
        anchors: operands.input(2),
    };
    Ok((inputs, operands.outputs))
}

fn check(graph: &Graph, node: &Node, detection: &Detection) -> Result<(), String> {
    let (inputs, outputs) = operands(graph, node)?;
    let Inputs {
        encodings,
        scores,
        anchors,
    } = inputs;
    for tensor in [encodings, scores, anchors] {
        if tensor.ty == DataType::U8 {
            quant::affine(tensor)?;
        } else {
            operand::one_of(tensor, &[DataType::F32])?;
        }
    }
    operand::same_type(encodings, anchors)?;
    let [batch, boxes, width] = operand::dims(encodings)?;
    let [_, _, columns] = operand::dims(scores)?;
    if batch != 1 || width < 4 {
        return Err(format!(
            "`{}` has the shape {:?}",
            encodings.name, encodings.shape
        ));
    }
    operand::shape(scores, &[1, boxes as u32, columns as u32])?;
    operand::shape(anchors, &[boxes as u32, 4])?;
    let Detection {
        classes,
        most,
        classes_each,
        per_class,
        overlap,
        ..
    } = *detection;
    if classes == 0 || !(classes..=classes.saturating_add(1)).contains(&(columns as u32)) {
        return Err(format!(
            "`{}` has {columns} columns for {classes} classes",
            scores.name
        ));
    }
    if most == 0 || classes_each == 0 || per_class == 0 {
        return Err("it finds nothing".to_owned());
    }
    if !(overlap > 0.0 && overlap <= 1.0) {
        return Err(format!("its boxes may overlap by {overlap}"));
    }
    let slots = u64::from(most) * u64::from(classes_each);
    if slots > MAX_SLOTS {
        return Err(format!(
            "it finds up to {slots} boxes, more than {MAX_SLOTS}"
        ));
    }
    let slots = slots as u32;
    let due: [&[u32]; 4] = [&[1, slots, 4], &[1, slots], &[1, slots], &[1]];
    for (output, due) in outputs.into_iter().zip(due) {
        operand::shape(output, due)?;
        operand::one_of(output, &[DataType::F32])?;
    }
    Ok(())
}

/// Top, left, bottom, right.
type Corners = [f32; 4];

/// Boxes, classes, scores and the number of boxes.
fn evaluate(graph: &Graph, node: &Node, detection: &Detection, values: [&[u8]; 3]) -> [Vec<u8>; 4] {
    let (inputs, _) = operands(graph, node).expect("checked");
    let encodings = reals(inputs.encodings, values[0]);
    let scores = reals(inputs.scores, values[1]);
    let anchors = reals(inputs.anchors, values[2]);
    let width = inputs.encodings.shape[2] as usize;
    let columns = inputs.scores.shape[2] as usize;
    let boxes: Vec<Corners> = encodings
        .chunks_exact(width)
        .zip(anchors.chunks_exact(4))
        .map(|(encoding, anchor)| decode(encoding, anchor, detection.scales))
        .collect();
    // Where there is one column more than classes, the first is the background.
    let skipped = columns - detection.classes as usize;
    let scores: Vec<&[f32]> = scores
        .chunks_exact(columns)
        .map(|s| &s[skipped..])
        .collect();
    let (found, count) = if detection.regular {
        regular(&boxes, &scores, detection)
    } else {
        fast(&boxes, &scores, detection)
    };
    let of = |slot: &Option<Found>| slot.map_or((0.0, 0.0), |f| (f.class as f32, f.score));
    let corners = found
        .iter()
        .flat_map(|slot| slot.map_or([0.0; 4], |f| boxes[f.index]));
    [
        operand::float_bytes(corners),
        operand::float_bytes(found.iter().map(|slot| of(slot).0)),
        operand::float_bytes(found.iter().map(|slot| of(slot).1)),
        operand::float_bytes([count as f32]),
    ]
}

/// One class of one box that was taken.
#[derive(Clone, Copy)]
struct Found {
    index: usize,
    class: usize,
    score: f32,
}

fn reals(tensor: &Tensor, value: &[u8]) -> Vec<f32> {
    if tensor.ty == DataType::F32 {
        return operand::floats(value);
    }
    let (scale, zero_point) = quant::affine(tensor).expect("checked");
    let bytes = value.iter();
    bytes
        .map(|q| (i32::from(*q) - zero_point) as f32 * scale)
        .collect()
}

fn decode(encoding: &[f32], anchor: &[f32], scales: [f32; 4]) -> Corners {
    let centre = |i: usize| encoding[i] / scales[i] * anchor[i + 2] + anchor[i];
    let half = |i: usize| 0.5 * libm::expf(encoding[i] / scales[i]) * anchor[i];
    let [y, x, h, w] = [centre(0), centre(1), half(2), half(3)];
    [y - h, x - w, y + h, x + w]
}

/// The slots, and how many boxes were taken.
fn fast(
    boxes: &[Corners],
    scores: &[&[f32]],
    detection: &Detection,
) -> (Vec<Option<Found>>, usize) {
    let each = detection.classes_each as usize;
    let best = |scores: &&[f32]| by_falling_score(scores);
    let order: Vec<Vec<usize>> = scores.iter().map(best).collect();
    let greatest: Vec<f32> = (0..boxes.len()).map(|i| scores[i][order[i][0]]).collect();
    let taken = suppress(boxes, &greatest, detection, detection.most as usize);
    let mut slots = vec![None; detection.most as usize * each];
    for (row, index) in taken.iter().enumerate() {
        for (column, class) in order[*index].iter().take(each).enumerate() {
            slots[row * each + column] = Some(Found {
                index: *index,
                class: *class,
                score: scores[*index][*class],
            });
        }
    }
    (slots, taken.len())
}

fn regular(
    boxes: &[Corners],
    scores: &[&[f32]],
    detection: &Detection,
) -> (Vec<Option<Found>>, usize) {
    let mut all: Vec<Found> = Vec::new();
    for class in 0..detection.classes as usize {
        let of_class: Vec<f32> = scores.iter().map(|s| s[class]).collect();
        let taken = suppress(boxes, &of_class, detection, detection.per_class as usize);
        all.extend(taken.into_iter().map(|index| Found {
            index,
            class,
            score: of_class[index],
        }));
    }
    let scores: Vec<f32> = all.iter().map(|f| f.score).collect();
    let order = by_falling_score(&scores);
    let kept = order.into_iter().take(detection.most as usize);
    let mut slots: Vec<_> = kept.map(|i| Some(all[i])).collect();
    let count = slots.len();
    slots.resize(
        detection.most as usize * detection.classes_each as usize,
        None,
    );
    (slots, count)
}

/// The indices by falling score, of equals the first first.
fn by_falling_score(scores: &[f32]) -> Vec<usize> {
    let mut left: Vec<usize> = (0..scores.len()).collect();
    let mut order = Vec::new();
    while !left.is_empty() {
        let best = greatest(&left, scores);
        order.push(left.remove(best));
    }
    order
}

/// Which of the indices has the first greatest score.
fn greatest(indices: &[usize], scores: &[f32]) -> usize {
    (1..indices.len()).fold(0, |best, i| {
        if scores[indices[i]] > scores[indices[best]] {
            i
        } else {
            best
        }
    })
}

fn suppress(boxes: &[Corners], scores: &[f32], detection: &Detection, most: usize) -> Vec<usize> {
    let above = |i: &usize| scores[*i] >= detection.score;
    let mut left: Vec<usize> = (0..boxes.len()).filter(above).collect();
    let mut taken = Vec::new();
    while !left.is_empty() && taken.len() < most {
        let best = left.remove(greatest(&left, scores));
        taken.push(best);
        left.retain(|i| {
            let over = overlap(boxes[best], boxes[*i]) > detection.overlap;
            !over
        });
    }
    taken
}

/// The area that two boxes share over the area that either covers.
fn overlap(a: Corners, b: Corners) -> f32 {
    let area = |[top, left, bottom, right]: Corners| (bottom - top) * (right - left);
    let (of_a, of_b) = (area(a), area(b));
    if of_a <= 0.0 || of_b <= 0.0 {
        return 0.0;
    }
    let greater = |x: f32, y: f32| if x < y { y } else { x };
    let less = |x: f32, y: f32| if y < x { y } else { x };
    let height = greater(less(a[2], b[2]) - greater(a[0], b[0]), 0.0);
    let width = greater(less(a[3], b[3]) - greater(a[1], b[1]), 0.0);
    let shared = height * width;
    shared / (of_a + of_b - shared)
}
