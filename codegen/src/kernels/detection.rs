//! `TFLite_Detection_PostProcess`: decodes boxes, and takes the best that do not overlap.
//!
//! Nothing is sorted: each box taken is found by a look at all that are left, of which there are few above
//! the threshold. Regular suppression inserts what it takes into a list by falling score.

use rune_ir::{
    graph::{DataType, Node, Tensor},
    op::Detection,
    quant,
};

use super::{
    Context, element,
    exp::expf,
    float::{at_least, at_most, canonical},
};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Kernel, Op, Role, Store};

/// What the code works on.
struct Code<'a> {
    detection: &'a Detection,
    boxes: u32,
    /// Columns of the scores, and how many of them are before the first class.
    columns: u32,
    skipped: u32,
    encodings: (&'a Tensor, BufferId),
    scores: (&'a Tensor, BufferId),
    anchors: (&'a Tensor, BufferId),
    /// Corners, classes, scores and number of what is found.
    outputs: [BufferId; 4],
    /// The corners of every box.
    decoded: BufferId,
    /// The score of every box that suppression goes by.
    score: BufferId,
    /// Whether a box is left.
    left: BufferId,
    /// Whether a class of a box was taken.
    taken: BufferId,
    /// Box, class and score of what regular suppression found so far.
    list: [BufferId; 3],
}

pub(super) fn detection(context: &mut Context, node: &Node, detection: &Detection) -> Kernel {
    let inputs = [0, 1, 2].map(|i| context.input(node, i));
    let outputs = [0, 1, 2, 3].map(|i| context.output_at(node, i).1);
    let [encodings, scores, anchors] = inputs;
    let boxes = encodings.0.shape[1];
    let columns = scores.0.shape[2];
    let entries = if detection.regular { detection.most } else { 1 };
    let code = Code {
        detection,
        boxes,
        columns,
        skipped: columns - detection.classes,
        encodings,
        scores,
        anchors,
        outputs,
        decoded: context.scratch("decoded", 16 * boxes),
        score: context.scratch("score", 4 * boxes),
        left: context.scratch("left", boxes),
        taken: context.scratch("taken", detection.classes),
        list: ["boxes", "classes", "scores"].map(|name| context.scratch(name, 4 * entries)),
    };
    let mut f = Builder::new("detection_postprocess");
    for (name, (_, buffer)) in ["encodings", "scores", "anchors"].into_iter().zip(inputs) {
        f.operand(Role::Read, name, buffer);
    }
    let names = ["boxes", "classes", "found", "count"];
    for (name, buffer) in names.into_iter().zip(outputs) {
        f.operand(Role::Write, name, buffer);
    }
    for (name, buffer) in [
        ("decoded", code.decoded),
        ("score", code.score),
        ("left", code.left),
        ("taken", code.taken),
    ] {
        f.operand(Role::Write, name, buffer);
    }
    let names = ["list_boxes", "list_classes", "list_scores"];
    for (name, buffer) in names.into_iter().zip(code.list) {
        f.operand(Role::Write, name, buffer);
    }
    let slots = detection.most * detection.classes_each;
    for (buffer, bytes) in outputs.into_iter().zip([16 * slots, 4 * slots, 4 * slots]) {
        f.fill(word(buffer, &0.into()), 0, bytes);
    }
    code.decode(&mut f);
    let count = f.accumulator("count", Expr::I32(0));
    if detection.regular {
        code.regular(&mut f, &count);
    } else {
        code.fast(&mut f, &count);
    }
    let count = Expr::op(Op::F32ConvertI32S, [count]);
    f.store(Store::Whole, word(outputs[3], &0.into()), count);
    f.finish()
}

/// Word `index` of a buffer.
fn word(buffer: BufferId, index: &Affine) -> Address {
    Address {
        buffer,
        offset: index * 4,
    }
}

/// Byte `index` of a buffer.
fn flag(buffer: BufferId, index: &Affine) -> Address {
    Address {
        buffer,
        offset: index.clone(),
    }
}

fn number(buffer: BufferId, index: &Affine) -> Expr {
    element::at(DataType::F32, &word(buffer, index))
}

/// An element as the real it stands for. Quantisation was checked.
fn real((tensor, buffer): (&Tensor, BufferId), index: &Affine) -> Expr {
    let at = Address {
        buffer,
        offset: index * tensor.ty.size(),
    };
    let x = element::at(tensor.ty, &at);
    match quant::affine(tensor) {
        Ok((scale, zero_point)) if tensor.ty == DataType::U8 => {
            Expr::op(Op::F32ConvertI32S, [x - Expr::I32(zero_point)]) * Expr::f32(scale)
        }
        _ => x,
    }
}

impl Code<'_> {
    fn decode(&self, f: &mut Builder) {
        let scales = self.detection.scales;
        let width = self.encodings.0.shape[2];
        f.each("box", self.boxes, |f, index| {
            let encoding = |i: u32| {
                let x = real(self.encodings, &(index * width + i));
                x / Expr::f32(scales[i as usize])
            };
            let anchor = |i: u32| real(self.anchors, &(index * 4 + i));
            for i in [0, 1] {
                let centre = encoding(i) * anchor(i + 2) + anchor(i);
                let centre = f.value("centre", centre);
                let size = expf(f, encoding(i + 2));
                let half = f.value("half", Expr::f32(0.5) * size * anchor(i + 2));
                let corners = [centre.clone() - half.clone(), centre + half];
                for (corner, at) in corners.into_iter().zip([i, i + 2]) {
                    let corner = canonical(f, corner);
                    f.store(Store::Whole, word(self.decoded, &(index * 4 + at)), corner);
                }
            }
        });
    }

    /// The score of a class of a box.
    fn score_of(&self, index: &Affine, class: &Affine) -> Expr {
        real(self.scores, &(index * self.columns + class + self.skipped))
    }

    /// Takes boxes by falling score, at most `most`; `taken` is written once for what is done with each.
    fn suppress(&self, f: &mut Builder, most: u32, taken: impl FnOnce(&mut Builder, &Affine)) {
        let left = f.accumulator("left", Expr::I32(0));
        f.each("box", self.boxes, |f, index| {
            let score = number(self.score, index);
            let threshold = Expr::f32(self.detection.score);
            let kept = f.value("kept", Expr::op(Op::F32Ge, [score, threshold]));
            f.store(Store::I8, flag(self.left, index), kept.clone());
            f.set(&left, left.clone() + kept);
        });
        f.each("k", most, |f, _| {
            f.branch(
                Expr::I32(0).lt(left.clone()),
                |f| {
                    let best = self.best_left(f);
                    f.store(Store::I8, flag(self.left, &best), Expr::I32(0));
                    f.set(&left, left.clone() - Expr::I32(1));
                    taken(f, &best);
                    self.drop_overlapping(f, &best, &left);
                },
                |_| {},
            );
        });
    }

    /// The first of those left with the greatest score.
    fn best_left(&self, f: &mut Builder) -> Affine {
        Self::first_greatest(f, self.boxes, self.left, 1, |index| {
            number(self.score, index)
        })
    }

    /// The first of `count` numbers, of those whose flag is `wanted`, that none after it is greater than.
    fn first_greatest(
        f: &mut Builder,
        count: u32,
        flags: BufferId,
        wanted: i32,
        value: impl Fn(&Affine) -> Expr,
    ) -> Affine {
        let best = f.accumulator("best", Expr::f32(0.0));
        let at = f.accumulator("at", Expr::I32(-1));
        f.each("i", count, |f, i| {
            let set = element::at(DataType::Bool, &flag(flags, i));
            f.branch(
                set.equals(Expr::I32(wanted)),
                |f| {
                    let x = f.value("x", value(i));
                    let none = at.clone().lt(Expr::I32(0));
                    let better = Expr::I32(1).or_else(none, best.clone().lt(x.clone()));
                    let better = f.value("better", better);
                    f.set(&best, x.or_else(better.clone(), best.clone()));
                    f.set(&at, Expr::from(i).or_else(better, at.clone()));
                },
                |_| {},
            );
        });
        f.index("found", at)
    }

    fn drop_overlapping(&self, f: &mut Builder, best: &Affine, left: &Expr) {
        let corners = |f: &mut Builder, index: &Affine| {
            [0, 1, 2, 3].map(|i| f.value("corner", number(self.decoded, &(index * 4 + i))))
        };
        let area = |[top, left, bottom, right]: [Expr; 4]| (bottom - top) * (right - left);
        let a = corners(f, best);
        let of_a = f.value("area", area(a.clone()));
        let empty = |area: &Expr| Expr::op(Op::F32Le, [area.clone(), Expr::f32(0.0)]);
        f.each("box", self.boxes, |f, index| {
            let still = element::at(DataType::Bool, &flag(self.left, index));
            f.branch(
                still,
                |f| {
                    let b = corners(f, index);
                    let of_b = f.value("area", area(b.clone()));
                    let mut side = |low: usize, high: usize| {
                        let to = at_most(a[high].clone(), b[high].clone());
                        let from = at_least(a[low].clone(), b[low].clone());
                        let side = f.value("side", to - from);
                        f.value("side", at_least(side, Expr::f32(0.0)))
                    };
                    let (height, width) = (side(0, 2), side(1, 3));
                    let shared = f.value("shared", height * width);
                    let covered = of_a.clone() + of_b.clone() - shared.clone();
                    let threshold = Expr::f32(self.detection.overlap);
                    let over = Expr::op(Op::F32Gt, [shared / covered, threshold]);
                    let over = Expr::I32(0).or_else(empty(&of_a), over);
                    let over = f.value("over", Expr::I32(0).or_else(empty(&of_b), over));
                    f.set(left, left.clone() - over.clone());
                    f.store(Store::I8, flag(self.left, index), over.equals(Expr::I32(0)));
                },
                |_| {},
            );
        });
    }

    fn put(&self, f: &mut Builder, slot: &Affine, index: &Affine, class: Expr, score: Expr) {
        let [corners, classes, scores, _] = self.outputs;
        f.copy(
            word(corners, &(slot * 4)),
            word(self.decoded, &(index * 4)),
            16,
        );
        let class = Expr::op(Op::F32ConvertI32S, [class]);
        f.store(Store::Whole, word(classes, slot), class);
        let score = canonical(f, score);
        f.store(Store::Whole, word(scores, slot), score);
    }

    fn fast(&self, f: &mut Builder, count: &Expr) {
        let Detection {
            classes,
            classes_each,
            most,
            ..
        } = *self.detection;
        f.each("box", self.boxes, |f, index| {
            let best = f.accumulator("best", self.score_of(index, &0.into()));
            f.range("class", 1, classes, 1, |f, class| {
                let x = f.value("x", self.score_of(index, class));
                let more = best.clone().lt(x.clone());
                f.set(&best, x.or_else(more, best.clone()));
            });
            f.store(Store::Whole, word(self.score, index), best);
        });
        self.suppress(f, most, |f, index| {
            let row = f.index("row", count.clone());
            f.fill(flag(self.taken, &0.into()), 0, classes);
            f.each("column", classes_each.min(classes), |f, column| {
                let score = |class: &Affine| self.score_of(index, class);
                let class = Self::first_greatest(f, classes, self.taken, 0, score);
                f.store(Store::I8, flag(self.taken, &class), Expr::I32(1));
                let slot = &row * classes_each + column;
                self.put(f, &slot, index, Expr::from(&class), score(&class));
            });
            f.set(count, count.clone() + Expr::I32(1));
        });
    }

    fn regular(&self, f: &mut Builder, count: &Expr) {
        let Detection {
            classes,
            most,
            per_class,
            ..
        } = *self.detection;
        let [boxes, labels, scores] = self.list;
        f.each("class", classes, |f, class| {
            f.each("box", self.boxes, |f, index| {
                let score = self.score_of(index, class);
                f.store(Store::Whole, word(self.score, index), score);
            });
            self.suppress(f, per_class.min(most), |f, index| {
                let score = f.value("score", number(self.score, index));
                let end = f.index("end", count.clone());
                // Behind all that are not less.
                let before = f.accumulator("before", Expr::I32(0));
                f.range("j", 0, &end, 1, |f, j| {
                    let not_less = Expr::op(Op::F32Ge, [number(scores, j), score.clone()]);
                    f.set(&before, before.clone() + not_less);
                });
                f.branch(
                    before.clone().lt(Expr::I32(most as i32)),
                    |f| {
                        let at = f.index("at", before);
                        let last = Expr::I32(most as i32 - 1);
                        let full = last.clone().lt(Expr::from(&end));
                        let last = f.value("last", last.or_else(full, Expr::from(&end)));
                        let moved = f.index("moved", last.clone() - Expr::from(&at));
                        f.range("j", 0, &moved, 1, |f, j| {
                            let to = f.index("to", last.clone() - Expr::from(j));
                            for buffer in [boxes, labels, scores] {
                                let from = element::at(DataType::I32, &word(buffer, &(&to + -1)));
                                f.store(Store::Whole, word(buffer, &to), from);
                            }
                        });
                        f.store(Store::Whole, word(boxes, &at), Expr::from(index));
                        f.store(Store::Whole, word(labels, &at), Expr::from(class));
                        f.store(Store::Whole, word(scores, &at), score);
                        f.set(count, last + Expr::I32(1));
                    },
                    |_| {},
                );
            });
        });
        let end = f.index("end", count.clone());
        f.range("slot", 0, &end, 1, |f, slot| {
            let load = |buffer| element::at(DataType::I32, &word(buffer, slot));
            let index = f.index("box", load(boxes));
            self.put(f, slot, &index, load(labels), number(scores, slot));
        });
    }
}
