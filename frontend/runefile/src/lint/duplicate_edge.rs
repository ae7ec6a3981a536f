//! Law: an edge is made once. Two RUNs that go the same way feed the tensor to the reader twice.
//!
//! Within one RUN, `[a, b, a]` says that it is wanted.

use rune_ir::diag::{Code, Diagnostic};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (id, stage) in subject.own() {
        for (index, edge) in stage.inputs.iter().enumerate() {
            let run = subject.instruction(edge.span);
            let mut before = stage.inputs[..index].iter();
            let first = before.find(|e| {
                (e.from, e.port) == (edge.from, edge.port) && subject.instruction(e.span) != run
            });
            let Some(first) = first else { continue };
            let (from, to) = (subject.called(edge.from), subject.called(id));
            found.push(
                Diagnostic::new(
                    Code::DuplicateEdge,
                    edge.span,
                    format!("`{from}` feeds `{to}` twice"),
                )
                .at("the same edge again")
                .also(first.span, "made here first")
                .hint(format!(
                    "begin the second RUN behind what both have: each RUN adds edges, and does not repeat `{from}`"
                )),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::DuplicateEdge;

    const STAGES: &str = "CAPABILITY<F32[4]> RAND a\nCAPABILITY<F32[4]> RAND b\nOUT SERIAL\n";

    #[test]
    fn an_edge_of_two_runs_is_found() {
        let found = found(LAW, &format!("{STAGES}RUN a serial\nRUN [b, a] serial\n"));
        assert!(found.len() == 1 && found[0].starts_with("6: "), "{found:?}");
    }

    #[test]
    fn twice_in_one_run_is_meant() {
        none(LAW, &format!("{STAGES}RUN [a, b, a] serial\n"));
    }
}
