//! Law: samples and pixels are scaled before a model of floats reads them.
//!
//! A `cast` makes floats of integers and leaves 255 as it is, while nearly every model of floats was
//! trained on numbers between -1 and 1. A model that begins by quantising with a scale of a half or more
//! was not.

use rune_abi::CapabilityKind;
use rune_ir::{
    diag::{Code, Diagnostic, Fix, Safety},
    graph::{DataType, Graph, TensorId},
    op::Op,
    pipeline::{StageId, StageKind},
};

use super::{Subject, edit};

/// Blocks that leave the range of numbers as it is.
const RANGE_KEPT: [&str; 8] = [
    "crop",
    "frame",
    "grayscale",
    "image-resize",
    "resample",
    "reshape",
    "slice",
    "fir",
];

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (id, stage) in subject.pipeline.stages.iter() {
        let Some(graph) = subject.model(id) else {
            continue;
        };
        for (tensor, edge) in graph.inputs.iter().zip(&stage.inputs) {
            if graph.tensors[*tensor].ty != DataType::F32 || takes_raw(graph, *tensor) {
                continue;
            }
            if let Some((cast, source, remedy)) = unscaled(subject, edge.from) {
                found.push(diagnostic(subject, cast, source, id, remedy));
            }
        }
    }
}

/// Whether a model's first step is to quantise numbers that go beyond -1 to 1 by far.
fn takes_raw(graph: &Graph, input: TensorId) -> bool {
    graph.nodes.iter().any(|node| {
        let output = node.outputs.first().map(|id| &graph.tensors[*id]);
        let scale = output.and_then(|t| t.quantization.as_ref()?.per_tensor());
        node.op == Op::Quantize
            && node.inputs.contains(&Some(input))
            && scale.is_some_and(|(scale, _)| scale >= 0.5)
    })
}

/// A cast, what feeds it, and the block that should stand in its place, where samples or pixels come
/// through it as they were.
fn unscaled(subject: &Subject<'_>, maker: StageId) -> Option<(StageId, StageId, &'static str)> {
    let path = std::iter::once(maker).chain(subject.upstream(maker));
    let mut cast = None;
    for id in path {
        if let StageKind::Capability(kind) = &subject.pipeline.stages[id].kind {
            let remedy = match kind.value {
                CapabilityKind::Image => "runicos/image-normalization",
                CapabilityKind::Sound => "runicos/audio-float-conversion",
                CapabilityKind::Rand
                | CapabilityKind::Accel
                | CapabilityKind::Raw
                | CapabilityKind::FloatImage
                | CapabilityKind::Temperature
                | CapabilityKind::Gpio => return None,
            };
            return cast.map(|cast| (cast, id, remedy));
        }
        match subject.block(id)? {
            "cast" if cast.is_none() => cast = Some(id),
            block if RANGE_KEPT.contains(&block) => {}
            _ => return None,
        }
    }
    None
}

fn diagnostic(
    subject: &Subject<'_>,
    cast: StageId,
    source: StageId,
    model: StageId,
    remedy: &str,
) -> Diagnostic {
    let name = subject.called(model);
    let mut diagnostic = Diagnostic::new(
        Code::UnscaledInput,
        subject.name(cast),
        format!(
            "`{name}` takes floats, and is fed the integers of `{}` as they are",
            subject.called(source)
        ),
    )
    .at("changes the type, and leaves the range")
    .also(subject.name(source), "the integers come from here")
    .hint(format!(
        "use `{remedy}` unless `{name}` was trained on such numbers"
    ));
    let stage = subject.written(&subject.pipeline.stages[cast]);
    if let Some(stage) = stage {
        let path = edit::path(stage, subject.env).span;
        let title = format!("scale with `{remedy}`");
        diagnostic = diagnostic.fix(Fix::new(Safety::Unsafe, title, path, remedy));
    }
    diagnostic
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fixed, found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::UnscaledInput;

    /// `net.tflite` takes F32[4] and gives F32[4].
    fn pipeline(block: &str) -> String {
        format!(
            "CAPABILITY<I16[4]> SOUND a\nPROC_BLOCK {block} b\nMODEL net.tflite net\nOUT SERIAL\nRUN a b net serial"
        )
    }

    #[test]
    fn a_bare_cast_is_found_and_replaced() {
        let found = found(LAW, &pipeline("runicos/cast"));
        assert!(
            found.len() == 1 && found[0].contains("integers of `a` as they are"),
            "{found:?}"
        );
        let fixed = fixed(LAW, &pipeline("runicos/cast"));
        assert_eq!(fixed, pipeline("runicos/audio-float-conversion"));
        none(LAW, &fixed);
    }

    #[test]
    fn a_model_that_takes_raw_numbers_gets_them() {
        none(
            LAW,
            &pipeline("runicos/cast").replace("net.tflite", "raw.tflite"),
        );
    }
}
