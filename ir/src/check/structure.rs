//! The shape of a pipeline: no circles, every input fed once, every port there, every output reached.

use crate::{
    arena::Side,
    check::{Arity, Loaded, edge_name, infer::Args},
    diag::{Code, Diagnostic, Span},
    pipeline::{Pipeline, Stage, StageId, StageKind},
};

/// What the structure pass worked out.
pub(super) struct Structure {
    /// The stages some output depends on, each after what it reads.
    pub(super) order: Vec<StageId>,
    /// The same, in an order that follows from their names and edges alone.
    pub(super) by_name: Vec<StageId>,
}

/// Checks the structure; `None` if there is no order to go on with.
pub(super) fn check(
    pipeline: &Pipeline,
    loaded: &Side<Stage, Loaded>,
    args: &Args,
    found: &mut Vec<Diagnostic>,
) -> Option<Structure> {
    let arities = Side::new(&pipeline.stages, |id, stage| {
        Arity::new(stage, &loaded[id], &args[id])
    });
    let readers = readers(pipeline);
    let before = found.len();
    for (id, stage) in pipeline.stages.iter() {
        let is_read = !readers[id].is_empty();
        ports(pipeline, &arities, id, stage, is_read, found);
    }
    let order = match sort(pipeline, pipeline.stages.ids()) {
        Ok(order) => order,
        Err(cycle) => {
            // The step that closes a circle mostly feeds a stage that is fed already: the same mistake.
            let spans = || std::iter::once(&cycle.primary).chain(&cycle.secondary);
            let mut index = 0;
            found.retain(|d| {
                index += 1;
                let same = || spans().any(|label| label.span == d.primary.span);
                index <= before || d.code != Code::InputCount || !same()
            });
            found.push(*cycle);
            return None;
        }
    };
    let live = live(pipeline);
    // What is missing from a partial pipeline may be what was wrongly written.
    let whole = !pipeline.partial;
    let outputs = || {
        let is_output = |s: &&Stage| matches!(s.kind, StageKind::Output(_));
        pipeline.stages.values().filter(is_output)
    };
    if whole && outputs().next().is_none() {
        let end = Span {
            start: pipeline.whole.end,
            ..pipeline.whole
        };
        found.push(
            Diagnostic::new(Code::NothingRuns, end, "this Runefile has no output")
                .at("the end of the Runefile")
                .hint("add `OUT SERIAL` and a RUN that names the stages in order, such as `RUN input model serial`"),
        );
        return None;
    }
    let is_wired = pipeline.stages.values().any(|s| !s.inputs.is_empty());
    if whole
        && !is_wired
        && let Some(output) = outputs().next()
    {
        let is_output = |s: &&Stage| matches!(s.kind, StageKind::Output(_));
        let (last, first): (Vec<&Stage>, Vec<&Stage>) =
            pipeline.stages.values().partition(is_output);
        let names: Vec<&str> = first
            .iter()
            .chain(last.first())
            .map(|s| s.name.value.as_str())
            .collect();
        let hint = if first.is_empty() || names.len() > 12 {
            "add a RUN that names the stages in the order data flows, such as `RUN input model serial`".to_owned()
        } else {
            format!(
                "name the stages in the order data flows: `RUN {}`",
                names.join(" ")
            )
        };
        found.push(
            Diagnostic::new(
                Code::NothingRuns,
                output.span,
                "no RUN says what feeds what",
            )
            .at(format!("nothing is written to `{}`", output.name.value))
            .hint(hint),
        );
        return None;
    }
    for (id, stage) in pipeline.stages.iter() {
        if whole && !live[id] && !matches!(stage.kind, StageKind::Output(_)) {
            found.push(
                Diagnostic::new(
                    Code::UnusedStage,
                    stage.name.span,
                    format!("nothing uses `{}`", stage.name.value),
                )
                .at("its result reaches no output")
                .hint("name it in a RUN that ends in an output, or remove this line"),
            );
        }
    }
    for stage in outputs().filter(|s| whole && s.inputs.is_empty()) {
        found.push(
            Diagnostic::new(
                Code::UnreachableOutput,
                stage.span,
                format!("nothing is written to `{}`", stage.name.value),
            )
            .at("no RUN feeds this output")
            .hint(format!("end a RUN in it: `RUN ... {}`", stage.name.value)),
        );
    }
    let mut names: Vec<StageId> = pipeline.stages.ids().collect();
    names.sort_by_key(|id| &pipeline.stages[*id].name.value);
    let by_name = sort(pipeline, names).unwrap_or_else(|_| order.clone());
    let only_live = |order: Vec<StageId>| order.into_iter().filter(|id| live[*id]).collect();
    Some(Structure {
        order: only_live(order),
        by_name: only_live(by_name),
    })
}

/// The stages that read each stage, once for each edge.
pub(super) fn readers(pipeline: &Pipeline) -> Side<Stage, Vec<StageId>> {
    let mut readers = Side::filled(&pipeline.stages, Vec::new());
    for (id, stage) in pipeline.stages.iter() {
        for edge in &stage.inputs {
            readers[edge.from].push(id);
        }
    }
    readers
}

/// Checks how many inputs a stage is fed, and that the ports it reads exist.
fn ports(
    pipeline: &Pipeline,
    arities: &Side<Stage, Arity>,
    id: StageId,
    stage: &Stage,
    is_read: bool,
    found: &mut Vec<Diagnostic>,
) {
    if let Some(range) = &arities[id].inputs {
        let have = stage.inputs.len();
        let (want, most) = (*range.start(), *range.end());
        let takes = if want == most {
            plural(want, "input")
        } else {
            format!("{want} to {most} inputs")
        };
        if have > most && most > 0 {
            let extra = &stage.inputs[most];
            found.push(
                Diagnostic::new(Code::InputCount, extra.span, format!("`{}` takes {takes}, but {have} stages feed it", stage.name.value))
                    .at(format!("`{}` is one too many", edge_name(pipeline, extra)))
                    .also(stage.name.span, format!("`{}` is defined here", stage.name.value))
                    .hint("a RUN adds to what earlier RUNs feed a stage; leave out the edge that is not meant"),
            );
        } else if !pipeline.partial && have < want && (have > 0 || is_read) {
            let span = stage.inputs.last().map_or(stage.name.span, |e| e.span);
            found.push(
                Diagnostic::new(
                    Code::InputCount,
                    span,
                    format!(
                        "`{}` takes {takes}, but {} it",
                        stage.name.value,
                        match have {
                            0 => "nothing feeds".to_owned(),
                            1 => "only 1 stage feeds".to_owned(),
                            n => format!("only {n} stages feed"),
                        }
                    ),
                )
                .at("too few inputs")
                .hint(if want == 1 {
                    format!("put a stage before it: `RUN ... {}`", stage.name.value)
                } else {
                    format!(
                        "feed them as a group: `RUN [{}] {}`",
                        vec!["a"; want].join(", "),
                        stage.name.value
                    )
                }),
            );
        }
    }
    for edge in &stage.inputs {
        let from = &pipeline.stages[edge.from];
        if let Some(outputs) = arities[edge.from].outputs
            && edge.port as usize >= outputs
            && outputs > 0
        {
            found.push(
                Diagnostic::new(
                    Code::UnknownPort,
                    edge.source,
                    format!(
                        "`{}` has only {}",
                        from.name.value,
                        plural(outputs, "output")
                    ),
                )
                .at(format!("there is no output {}", edge.port))
                .also(
                    from.name.span,
                    format!("`{}` is defined here", from.name.value),
                )
                .note(format!(
                    "The \"{}\" node has no {}'th output.",
                    from.name.value, edge.port
                ))
                .hint(format!(
                    "outputs count from 0: `{0}.0` is the first and the same as `{0}`",
                    from.name.value
                )),
            );
        }
    }
}

/// The stages in an order in which each follows what it reads, otherwise that of `roots`.
fn sort(
    pipeline: &Pipeline,
    roots: impl IntoIterator<Item = StageId>,
) -> Result<Vec<StageId>, Box<Diagnostic>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = Side::filled(&pipeline.stages, Mark::New);
    let mut order = Vec::new();
    // An explicit stack of (stage, next input), so that a long chain cannot overflow ours.
    for root in roots {
        let mut stack = vec![(root, 0)];
        while let Some((id, next)) = stack.pop() {
            if next == 0 {
                if marks[id] == Mark::Done {
                    continue;
                }
                marks[id] = Mark::Open;
            }
            let Some(edge) = pipeline.stages[id].inputs.get(next) else {
                marks[id] = Mark::Done;
                order.push(id);
                continue;
            };
            stack.push((id, next + 1));
            match marks[edge.from] {
                Mark::Done => {}
                Mark::New => stack.push((edge.from, 0)),
                Mark::Open => {
                    let start = stack.iter().position(|(s, _)| *s == edge.from).unwrap_or(0);
                    let path: Vec<StageId> = stack[start..].iter().map(|(s, _)| *s).collect();
                    let spans = stack[start..].iter();
                    let spans: Vec<Span> = spans
                        .map(|(s, next)| pipeline.stages[*s].inputs[next - 1].span)
                        .collect();
                    return Err(Box::new(cycle(pipeline, &path, &spans)));
                }
            }
        }
    }
    Ok(order)
}

/// Says that the stages of `path` feed each other: each receives from the next, the last from the first,
/// by the edges at `spans`.
fn cycle(pipeline: &Pipeline, path: &[StageId], spans: &[Span]) -> Diagnostic {
    let name = |i: usize| pipeline.stages[path[i % path.len()]].name.value.as_str();
    let last = path.len() - 1;
    let mut diagnostic = Diagnostic::new(
        Code::Cycle,
        spans[last],
        format!("Cycle detected when checking \"{}\"", name(0)),
    )
    .at(passes(name(last), true));
    for (i, span) in spans[..last].iter().enumerate() {
        diagnostic = diagnostic.also(*span, passes(name(i), false));
    }
    for i in 1..=path.len() {
        let end = if i == path.len() {
            ", completing the cycle."
        } else {
            "..."
        };
        diagnostic = diagnostic.note(format!(
            "... which receives input from \"{}\"{end}",
            name(i)
        ));
    }
    diagnostic.hint("data flows one way within a call; leave out one of these steps")
}

/// What an edge of a circle does, in the reference compiler's words.
fn passes(reader: &str, is_last: bool) -> String {
    let end = if is_last {
        ", completing the cycle."
    } else {
        "..."
    };
    format!("... which passes data to \"{reader}\"{end}")
}

/// Which stages an output depends on; outputs themselves where something feeds them.
fn live(pipeline: &Pipeline) -> Side<Stage, bool> {
    let mut live = Side::filled(&pipeline.stages, false);
    let mut work: Vec<StageId> = pipeline
        .stages
        .iter()
        .filter(|(_, s)| matches!(s.kind, StageKind::Output(_)))
        .map(|(id, _)| id)
        .collect();
    while let Some(id) = work.pop() {
        if !live[id] {
            live[id] = true;
            work.extend(pipeline.stages[id].inputs.iter().map(|e| e.from));
        }
    }
    live
}

/// "1 input", "2 inputs".
pub(super) fn plural(n: usize, noun: &str) -> String {
    if n == 1 {
        format!("1 {noun}")
    } else {
        format!("{n} {noun}s")
    }
}
