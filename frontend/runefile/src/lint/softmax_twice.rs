//! Law: softmax is taken once. The softmax of probabilities makes them all nearly the same.

use rune_ir::{
    diag::{Code, Diagnostic, Safety},
    graph::Graph,
    op::Op,
    pipeline::StageId,
};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (id, _) in subject.own() {
        if subject.block(id) != Some("softmax") {
            continue;
        }
        let Some((first, what)) = probabilities(subject, id) else {
            continue;
        };
        let (name, before) = (subject.called(id), subject.called(first));
        let mut diagnostic = Diagnostic::new(
            Code::SoftmaxTwice,
            subject.name(id),
            format!("`{name}` takes the softmax of probabilities"),
        )
        .at("softmax again")
        .also(subject.name(first), format!("`{before}` {what}"))
        .hint(format!("leave out `{name}`"));
        let fix = subject.without_stage(id, format!("remove `{name}`"), Safety::Unsafe);
        diagnostic.fixes.extend(fix);
        found.push(diagnostic);
    }
}

/// The stage before that gives the result of a softmax, in whatever shape or type.
fn probabilities(subject: &Subject<'_>, id: StageId) -> Option<(StageId, &'static str)> {
    let mut reader = id;
    for before in subject.upstream(id) {
        let port = subject.source(reader)?.port;
        if let Some(graph) = subject.model(before) {
            return ends_in_softmax(graph, port).then_some((before, "ends in a softmax"));
        }
        match subject.block(before)? {
            "softmax" => return Some((before, "is a softmax")),
            "dequantize" | "reshape" | "cast" => reader = before,
            _ => return None,
        }
    }
    None
}

/// Whether the last operator of a model's output that computes something is SOFTMAX.
pub(super) fn ends_in_softmax(graph: &Graph, port: u32) -> bool {
    matches!(last_operator(graph, port), Some(Op::Softmax { .. }))
}

/// The operator that computes a model's output, perhaps in another shape or type.
pub(super) fn last_operator(graph: &Graph, port: u32) -> Option<&Op> {
    let mut tensor = graph.outputs.get(port as usize).copied();
    // Nodes follow what they read, so one way back through them is enough.
    for node in graph.nodes.iter().rev() {
        if tensor.is_none_or(|t| !node.outputs.contains(&t)) {
            continue;
        }
        if !matches!(node.op, Op::Quantize | Op::Dequantize | Op::Reshape) {
            return Some(&node.op);
        }
        tensor = node.inputs.first().copied().flatten();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fixed, found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::SoftmaxTwice;

    fn pipeline(blocks: &str, names: &str) -> String {
        format!("CAPABILITY<F32[4]> RAND a\n{blocks}OUT SERIAL\nRUN a {names} serial")
    }
    const SOFTMAX: &str = "PROC_BLOCK runicos/softmax p\n";

    #[test]
    fn a_model_that_ends_in_one_is_enough() {
        let model = "MODEL softmax.tflite net\n";
        let text = pipeline(&format!("{model}{SOFTMAX}"), "net p");
        assert_eq!(found(LAW, &text).len(), 1);
        assert_eq!(fixed(LAW, &text), pipeline(model, "net"));
        none(LAW, &text.replace("softmax.tflite", "net.tflite"));
    }

    #[test]
    fn two_blocks_are_one_too_many() {
        let text = pipeline(&format!("{SOFTMAX}PROC_BLOCK runicos/softmax q\n"), "p q");
        assert_eq!(found(LAW, &text).len(), 1);
    }
}
