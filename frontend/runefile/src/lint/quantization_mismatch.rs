//! Law: what a quantised model takes and gives are integers on its own scale.
//!
//! Before it stands a `quantize` with the scale and zero point of its input, not a `cast`, which cuts off
//! the fraction of a float and wraps an integer; after it a `dequantize` with those of its output.

use rune_ir::{
    diag::{Code, Diagnostic, Edit, Fix, Safety, Span},
    graph::Graph,
    pipeline::StageId,
    ty::ElementType,
};

use super::{Subject, edit};
use crate::tree;

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (id, stage) in subject.pipeline.stages.iter() {
        for (index, edge) in stage.inputs.iter().enumerate() {
            // A model reads what a block makes, ...
            if let Some((graph, block)) = subject.model(id).zip(subject.block(edge.from)) {
                let quantization = graph.inputs.get(index).and_then(|t| per_tensor(graph, *t));
                if let Some((scale, zero)) = quantization {
                    match block {
                        "quantize" => numbers(subject, edge.from, id, (scale, zero), found),
                        "cast" => cast(subject, edge.from, id, (scale, zero), found),
                        _ => {}
                    }
                }
            }
            // ... or a block what a model makes.
            if let Some(graph) = subject.model(edge.from)
                && subject.block(id) == Some("dequantize")
            {
                let output = graph.outputs.get(edge.port as usize);
                if let Some(quantization) = output.and_then(|t| per_tensor(graph, *t)) {
                    numbers(subject, id, edge.from, quantization, found);
                }
            }
        }
    }
}

/// Scale and zero point of a quantised integer.
fn per_tensor(graph: &Graph, id: rune_ir::graph::TensorId) -> Option<(f32, i32)> {
    graph.tensors[id].quantization.as_ref()?.per_tensor()
}

/// Compares the arguments of a `quantize` or `dequantize` with what the model has.
fn numbers(
    subject: &Subject<'_>,
    block: StageId,
    model: StageId,
    (scale, zero): (f32, i32),
    found: &mut Vec<Diagnostic>,
) {
    let (Some(said), Some(said_zero)) = (
        subject.float(block, "scale"),
        subject.integer(block, "zero-point"),
    ) else {
        return;
    };
    // Twelve digits of a scale are seldom written; one part in ten thousand moves no integer of eight bits.
    let near = (said - f64::from(scale)).abs() <= 1e-4 * f64::from(scale);
    if near && said_zero == i64::from(zero) {
        return;
    }
    let name = subject.called(model);
    let diagnostic = Diagnostic::new(
        Code::QuantizationMismatch,
        subject.name(block),
        format!(
            "`{}` uses scale {said} and zero point {said_zero}, and `{name}` has {scale} and {zero}",
            subject.called(block)
        ),
    )
    .at("another scale")
    .also(subject.name(model), format!("the scale is {scale}, the zero point {zero}"))
    .hint(format!("write `--scale {scale} --zero-point {zero}`"));
    let mut diagnostic = diagnostic;
    if let Some(stage) = subject.written(&subject.pipeline.stages[block]) {
        let edits = [
            ("scale", scale.to_string()),
            ("zero-point", zero.to_string()),
        ]
        .into_iter()
        .filter_map(|(name, value)| write(subject, block, stage, name, value))
        .collect();
        diagnostic = diagnostic.fix(Fix {
            title: format!("take those of `{name}`"),
            edits: sorted(edits),
            safety: Safety::Unsafe,
        });
    }
    found.push(diagnostic);
}

/// Writes the value of an argument: in the place of the one that is there, or at the end.
fn write(
    subject: &Subject<'_>,
    id: StageId,
    stage: &tree::Stage,
    name: &str,
    value: String,
) -> Option<Edit> {
    let Some(span) = subject.arg(id, name)?.span else {
        let end = stage.span.end as usize;
        return Some(Edit {
            span: Span::new(stage.span.file, end, end),
            text: format!(" --{name} {value}"),
        });
    };
    let arg = stage
        .args
        .iter()
        .find(|a| a.name.span.to(a.value.span) == span)?;
    Some(Edit {
        span: arg.value.span,
        text: value,
    })
}

fn sorted(mut edits: Vec<Edit>) -> Vec<Edit> {
    edits.sort_by_key(|e| e.span.start);
    edits
}

/// Reports a `cast` to the integers of a model.
fn cast(
    subject: &Subject<'_>,
    block: StageId,
    model: StageId,
    (scale, zero): (f32, i32),
    found: &mut Vec<Diagnostic>,
) {
    let (Some(from), Some(to)) = (subject.input(block, 0), subject.output(block, 0)) else {
        return;
    };
    let is_float = matches!(from.element, ElementType::F32 | ElementType::F64);
    let is_integer = matches!(
        to.element,
        ElementType::I8 | ElementType::U8 | ElementType::I16
    );
    let wraps = (from.element, to.element) == (ElementType::U8, ElementType::I8);
    let why = if is_float && is_integer {
        "A cast cuts off the fraction, so numbers from 0 to 1 become 0."
    } else if wraps {
        "A cast keeps the bits, so 200 becomes -56."
    } else {
        return;
    };
    let name = subject.called(model);
    let mut diagnostic = Diagnostic::new(
        Code::QuantizationMismatch,
        subject.name(block),
        format!(
            "`{}` casts {} to the {} of the quantised model `{name}`",
            subject.called(block),
            from.element,
            to.element
        ),
    )
    .at("no scale is applied here")
    .also(
        subject.name(model),
        format!("an integer q stands for {scale} (q - {zero})"),
    )
    .note(why);
    if is_float {
        diagnostic = diagnostic.hint(format!(
            "use `runicos/quantize --scale {scale} --zero-point {zero}`"
        ));
        let stage = subject.written(&subject.pipeline.stages[block]);
        if let Some(stage) = stage.filter(|s| from.element == ElementType::F32 && s.args.is_empty())
        {
            let path = edit::path(stage, subject.env);
            let end = stage.span.end as usize;
            diagnostic = diagnostic.fix(Fix {
                title: "quantise instead".to_owned(),
                edits: vec![
                    Edit {
                        span: path.span,
                        text: "runicos/quantize".to_owned(),
                    },
                    Edit {
                        span: Span::new(stage.span.file, end, end),
                        text: format!(" --scale {scale} --zero-point {zero}"),
                    },
                ],
                safety: Safety::Unsafe,
            });
        }
    } else {
        diagnostic = diagnostic.hint(
            "scale the picture to floats with `runicos/image-normalization`, then quantise them with `runicos/quantize`",
        );
    }
    found.push(diagnostic);
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fixed, found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::QuantizationMismatch;

    /// `int8.tflite` takes I8[4] of scale 0.5 and zero point -3, and gives the same.
    fn model(before: &str, after: &str) -> String {
        format!(
            "CAPABILITY<F32[4]> RAND a\nPROC_BLOCK {before}\nMODEL int8.tflite net\nPROC_BLOCK {after}\n\
             OUT SERIAL\nRUN a q net d serial"
        )
    }
    const RIGHT: &str = "runicos/quantize q --scale 0.5 --zero-point -3";
    const BACK: &str = "runicos/dequantize d --scale 0.5 --zero-point -3";

    #[test]
    fn the_models_own_scale_is_fine() {
        none(LAW, &model(RIGHT, BACK));
    }

    #[test]
    fn other_scales_are_found_and_corrected() {
        let wrong = model("runicos/quantize q --scale 0.25 --zero-point -3", BACK);
        assert_eq!(found(LAW, &wrong).len(), 1);
        assert_eq!(fixed(LAW, &wrong), model(RIGHT, BACK));
        let wrong = model(RIGHT, "runicos/dequantize d --scale 0.5");
        assert_eq!(fixed(LAW, &wrong), model(RIGHT, BACK));
    }

    #[test]
    fn a_cast_of_floats_becomes_a_quantize() {
        let wrong = model("runicos/cast q", BACK);
        assert!(
            found(LAW, &wrong)[0].contains("casts F32 to the I8"),
            "{:?}",
            found(LAW, &wrong)
        );
        assert_eq!(fixed(LAW, &wrong), model(RIGHT, BACK));
    }
}
