//! IF and WHILE, each one kernel with those of the graphs inside it; and what moves values to and from
//! variables.

use rune_ir::{
    graph::{DataType, Graph, Node},
    op::{Access, Control},
};

use super::{Compiled, Context, element};
use crate::nest::{Address, Affine, BufferId, Builder, Kernel, Role};

pub(super) fn control(context: &mut Context, node: &Node, op: &Control) -> Result<Kernel, String> {
    let inputs: Vec<BufferId> = (0..node.inputs.len())
        .map(|i| context.input(node, i).1)
        .collect();
    let outputs: Vec<BufferId> = (0..node.outputs.len())
        .map(|i| context.output_at(node, i).1)
        .collect();
    match op {
        Control::If { then, otherwise } => branches(context, [then, otherwise], &inputs, &outputs),
        Control::While { condition, body } => repeat(context, condition, body, &inputs, &outputs),
    }
}

fn branches(
    context: &mut Context,
    graphs: [&Graph; 2],
    inputs: &[BufferId],
    outputs: &[BufferId],
) -> Result<Kernel, String> {
    let [condition, inputs @ ..] = inputs else {
        return Err("it has no condition".to_owned());
    };
    let [then, otherwise] = graphs.map(|graph| context.body(graph, inputs));
    let (then, otherwise) = (then?, otherwise?);
    let mut f = Builder::new("if");
    f.operand(Role::Read, "condition", *condition);
    for output in outputs {
        f.operand(Role::Write, "y", *output);
    }
    let run = |f: &mut Builder, compiled: Compiled| {
        compiled
            .kernels
            .into_iter()
            .for_each(|kernel| f.inline(kernel));
        for (to, from) in outputs.iter().zip(&compiled.outputs) {
            copy(context, f, *to, *from);
        }
    };
    let holds = element::get(DataType::Bool, *condition, &0.into());
    f.branch(holds, |f| run(f, then), |f| run(f, otherwise));
    Ok(f.finish())
}

/// Outputs hold what goes from one run to the next.
fn repeat(
    context: &mut Context,
    condition: &Graph,
    body: &Graph,
    inputs: &[BufferId],
    outputs: &[BufferId],
) -> Result<Kernel, String> {
    let condition = context.body(condition, outputs)?;
    let body = context.body(body, outputs)?;
    // What the body hands on from another place must be put aside before that place is written.
    let mut aside = Vec::new();
    let results: Vec<BufferId> = (body.outputs.iter().zip(outputs))
        .map(|(from, to)| {
            if from == to || !outputs.contains(from) {
                return *from;
            }
            let kept = context.scratch("aside", context.buffers[*from].bytes);
            aside.push((kept, *from));
            kept
        })
        .collect();
    let mut f = Builder::new("while");
    for (to, from) in outputs.iter().zip(inputs) {
        f.operand(Role::Write, "y", *to);
        copy(context, &mut f, *to, *from);
    }
    f.repeat(
        |f| {
            condition
                .kernels
                .into_iter()
                .for_each(|kernel| f.inline(kernel));
            let test = condition.outputs[0];
            f.operand(Role::Read, "condition", test);
            element::get(DataType::Bool, test, &0.into())
        },
        |f| {
            body.kernels.into_iter().for_each(|kernel| f.inline(kernel));
            for (to, from) in aside {
                f.operand(Role::Write, "aside", to);
                copy(context, f, to, from);
            }
            for (to, from) in outputs.iter().zip(results) {
                copy(context, f, *to, from);
            }
        },
    );
    Ok(f.finish())
}

/// Copies a whole buffer, unless it is there already.
fn copy(context: &Context, f: &mut Builder, to: BufferId, from: BufferId) {
    if from == to {
        return;
    }
    f.operand(Role::Read, "x", from);
    let start = |buffer| Address {
        buffer,
        offset: Affine::default(),
    };
    f.copy(start(to), start(from), context.buffers[to].bytes);
}

pub(super) fn access(context: &mut Context, node: &Node, op: Access) -> Kernel {
    let (_, variable) = context.variable(node, 0);
    let (name, from, to) = match op {
        Access::Read => ("read_variable", variable, context.output(node).1),
        Access::Assign => ("assign_variable", context.input(node, 0).1, variable),
    };
    let mut f = Builder::new(name);
    f.operand(Role::Keep, "variable", variable);
    match op {
        Access::Read => f.operand(Role::Write, "y", to),
        Access::Assign => f.operand(Role::Read, "x", from),
    }
    copy(context, &mut f, to, from);
    f.finish()
}
