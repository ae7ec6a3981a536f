//! What runs other graphs, and what reads and changes variables.

use super::{Op, operand};
use crate::graph::{DataType, Graph, Node, State, Tensor, TensorId, VariableId};

/// An operator that runs graphs.
///
/// Their `variables` are the same as those of the graph it is in, and the node names those that they use.
#[derive(Clone, Debug, PartialEq)]
pub enum Control {
    /// Inputs: a truth value, and the inputs of both graphs. Outputs: those of the one that is run.
    If {
        /// Run where the truth value is true.
        then: Box<Graph>,
        /// Run where it is false.
        otherwise: Box<Graph>,
    },
    /// Inputs: those of both graphs at first. Outputs: those of the last run of `body`, or the inputs.
    While {
        /// Gives the truth value as long as which `body` is run.
        condition: Box<Graph>,
        /// Gives its own next inputs.
        body: Box<Graph>,
    },
}

/// An operator on one variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Output: the variable's value.
    Read,
    /// Input: the variable's value from now on.
    Assign,
}

impl Control {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::If { .. } => "IF",
            Self::While { .. } => "WHILE",
        }
    }

    /// The graphs it runs.
    pub fn graphs(&self) -> [&Graph; 2] {
        match self {
            Self::If { then, otherwise } => [then, otherwise],
            Self::While { condition, body } => [condition, body],
        }
    }

    /// The graphs it runs, to change them.
    pub fn graphs_mut(&mut self) -> [&mut Graph; 2] {
        match self {
            Self::If { then, otherwise } => [then, otherwise],
            Self::While { condition, body } => [condition, body],
        }
    }

    pub(super) fn ends(&self) -> bool {
        let all_end = |graph: &Graph| graph.nodes.iter().all(|node| node.op.ends());
        matches!(self, Self::If { .. }) && self.graphs().into_iter().all(all_end)
    }

    /// The variables that the graphs use, rising.
    pub fn variables(&self) -> Vec<VariableId> {
        let nodes = self.graphs().into_iter().flat_map(|graph| &graph.nodes);
        let mut used: Vec<_> = nodes.flat_map(|node| &node.variables).copied().collect();
        used.sort_unstable();
        used.dedup();
        used
    }

    pub(super) fn check(&self, graph: &Graph, node: &Node) -> Result<(), String> {
        for inner in self.graphs() {
            if inner.variables != graph.variables {
                return Err("a graph inside it has other variables".to_owned());
            }
            inner
                .check()
                .map_err(|fault| format!("inside it, {fault}"))?;
        }
        if node.variables != self.variables() {
            return Err("it does not name the variables that it uses".to_owned());
        }
        let inputs = tensors(graph, node.inputs.iter().copied())?;
        let outputs = tensors(graph, node.outputs.iter().copied().map(Some))?;
        match self {
            Self::If { then, otherwise } => {
                let [condition, inputs @ ..] = &inputs[..] else {
                    return Err("it has no condition".to_owned());
                };
                truth(condition)?;
                for branch in [then, otherwise] {
                    agree(&inputs_of(branch), inputs)?;
                    agree(&outputs_of(branch), &outputs)?;
                }
                Ok(())
            }
            Self::While { condition, body } => {
                agree(&inputs_of(condition), &inputs)?;
                let [test] = outputs_of(condition)[..] else {
                    return Err("its condition is not one truth value".to_owned());
                };
                truth(test)?;
                agree(&inputs_of(body), &inputs)?;
                agree(&outputs_of(body), &inputs)?;
                agree(&inputs, &outputs)
            }
        }
    }

    pub(super) fn evaluate(&self, values: &[Option<&[u8]>], state: &mut State) -> Vec<Vec<u8>> {
        let mut values: Vec<Vec<u8>> = values
            .iter()
            .map(|value| value.expect("checked").to_vec())
            .collect();
        match self {
            Self::If { then, otherwise } => {
                let inputs = values.split_off(1);
                let holds = values[0] != [0];
                let branch = if holds { then } else { otherwise };
                branch.run(&inputs, state)
            }
            Self::While { condition, body } => {
                while condition.run(&values, state)[0] != [0] {
                    values = body.run(&values, state);
                }
                values
            }
        }
    }
}

impl Access {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Read => "READ_VARIABLE",
            Self::Assign => "ASSIGN_VARIABLE",
        }
    }

    pub(super) fn check(self, graph: &Graph, node: &Node) -> Result<(), String> {
        let inputs = tensors(graph, node.inputs.iter().copied())?;
        let outputs = tensors(graph, node.outputs.iter().copied().map(Some))?;
        let ((Self::Read, [], [value]) | (Self::Assign, [value], [])) =
            (self, &inputs[..], &outputs[..])
        else {
            return Err(format!(
                "it has {} inputs and {} outputs",
                inputs.len(),
                outputs.len()
            ));
        };
        let [variable] = node.variables[..] else {
            return Err(format!("it has {} variables", node.variables.len()));
        };
        let variable = graph
            .variables
            .get(variable)
            .ok_or_else(|| format!("it names variable {variable:?}, which is not there"))?;
        if (value.ty, &value.shape) == (variable.ty, &variable.shape) {
            return Ok(());
        }
        Err(format!(
            "`{}` is {} {:?}, but the variable `{}` {} {:?}",
            value.name, value.ty, value.shape, variable.name, variable.ty, variable.shape
        ))
    }

    pub(super) fn evaluate(
        self,
        node: &Node,
        values: &[Option<&[u8]>],
        state: &mut State,
    ) -> Vec<Vec<u8>> {
        let variable = &mut state[node.variables[0]];
        match self {
            Self::Read => vec![variable.clone()],
            Self::Assign => {
                *variable = values[0].expect("checked").to_vec();
                Vec::new()
            }
        }
    }
}

/// The tensors of these ids, none of which is left out.
fn tensors(
    graph: &Graph,
    ids: impl Iterator<Item = Option<TensorId>>,
) -> Result<Vec<&Tensor>, String> {
    ids.map(|id| {
        let id = id.ok_or("it has an operand that is left out")?;
        let tensor = graph
            .tensors
            .get(id)
            .ok_or_else(|| format!("it names tensor {id:?}, which is not there"))?;
        operand::check_size(tensor)?;
        Ok(tensor)
    })
    .collect()
}

/// The inputs of a checked graph.
fn inputs_of(graph: &Graph) -> Vec<&Tensor> {
    graph.inputs.iter().map(|id| &graph.tensors[*id]).collect()
}

/// The outputs of a checked graph.
fn outputs_of(graph: &Graph) -> Vec<&Tensor> {
    graph.outputs.iter().map(|id| &graph.tensors[*id]).collect()
}

/// The tensor is one truth value.
fn truth(tensor: &Tensor) -> Result<(), String> {
    if tensor.ty == DataType::Bool && tensor.elements() == 1 {
        Ok(())
    } else {
        Err(format!(
            "`{}` is {} {:?}, not one truth value",
            tensor.name, tensor.ty, tensor.shape
        ))
    }
}

/// Both are as many tensors of the same types and shapes.
fn agree(inner: &[&Tensor], outer: &[&Tensor]) -> Result<(), String> {
    if inner.len() != outer.len() {
        return Err(format!(
            "{} tensors inside it meet {} outside",
            inner.len(),
            outer.len()
        ));
    }
    let differ = |(a, b): &(&&Tensor, &&Tensor)| a.ty != b.ty || a.shape != b.shape;
    match inner.iter().zip(outer).find(differ) {
        None => Ok(()),
        Some((a, b)) => Err(format!(
            "`{}` is {} {:?}, but `{}` {} {:?}",
            a.name, a.ty, a.shape, b.name, b.ty, b.shape
        )),
    }
}

/// Gives every graph inside `graph` its variables.
pub fn share_variables(graph: &mut Graph) {
    for node in &mut graph.nodes {
        if let Op::Control(control) = &mut node.op {
            for inner in control.graphs_mut() {
                inner.variables = graph.variables.clone();
                share_variables(inner);
            }
        }
    }
}
