//! Variables, `CALL_ONCE`, IF and WHILE.

use rune_ir::op::{Access, Control, Op, share_variables};

use super::{Read, ReadOp, Reader};
use crate::{
    error::{ImportError, unreadable, unsupported_form},
    schema,
    tensor::check_size,
};

/// Most variables there may be in all graphs together: each has a copy of every one.
const MAX_COPIES: usize = 1 << 16;

pub(super) fn reader(name: &str) -> Option<ReadOp> {
    Some(match name {
        "VAR_HANDLE" => |r| r.var_handle(),
        "READ_VARIABLE" => |r| r.read_variable(),
        "ASSIGN_VARIABLE" => |r| r.assign_variable(),
        "CALL_ONCE" => |r| r.call_once(),
        "IF" => |r| r.branch(),
        "WHILE" => |r| r.repeat(),
        _ => return None,
    })
}

impl Reader<'_, '_> {
    fn var_handle(&mut self) -> Result<Read, ImportError> {
        let o: schema::VarHandleOptions = self.expect_options(111)?;
        let &[handle] = &self.outputs[..] else {
            return Err(unreadable(format!("it has {} outputs", self.outputs.len())));
        };
        let text = |bytes: Option<crate::flatbuffer::Vector<u8>>| {
            bytes.map_or_else(Vec::new, |b| b.bytes().to_vec())
        };
        let key = (text(o.container()?), text(o.shared_name()?));
        self.tensors.handles.insert(handle, key);
        Ok(Read::Done)
    }

    fn read_variable(&mut self) -> Result<Read, ImportError> {
        let handle = self.take_handle()?;
        let &[value] = &self.outputs[..] else {
            return Err(unreadable(format!("it has {} outputs", self.outputs.len())));
        };
        self.use_variable(handle, value)?;
        Ok(Read::Op(Op::Access(Access::Read)))
    }

    fn assign_variable(&mut self) -> Result<Read, ImportError> {
        let handle = self.take_handle()?;
        let &[value] = &self.inputs[..] else {
            return Err(unreadable(format!(
                "it has {} inputs",
                self.inputs.len() + 1
            )));
        };
        self.use_variable(handle, value)?;
        Ok(Read::Op(Op::Access(Access::Assign)))
    }

    fn take_handle(&mut self) -> Result<i32, ImportError> {
        if self.inputs.is_empty() {
            return Err(unreadable("it lacks input 0"));
        }
        Ok(self.inputs.remove(0))
    }

    /// Says that the node uses the variable of a handle. The first use makes it, of the type and shape of the
    /// tensor it is about, and zeros.
    fn use_variable(&mut self, handle: i32, value: i32) -> Result<(), ImportError> {
        let Some(key) = self.tensors.handles.get(&handle).cloned() else {
            return Err(unsupported_form(
                "its variable is not named by a VAR_HANDLE",
            ));
        };
        let variable = if let Some(known) = self.importer.named_variables.get(&key) {
            *known
        } else {
            let name = String::from_utf8_lossy(&key.1).chars().take(200).collect();
            let id = self.tensors.import(value)?;
            let tensor = self.tensors.get(id);
            check_size(tensor)?;
            let bytes = tensor.bytes();
            self.importer.keep(bytes)?;
            let made = self.tensors.variable_like(value, name)?;
            self.importer.named_variables.insert(key, made);
            made
        };
        self.variables.push(variable);
        Ok(())
    }

    /// Runs the initialisation now: what it assigns is what variables begin with.
    fn call_once(&mut self) -> Result<Read, ImportError> {
        let o: schema::CallOnceOptions = self.expect_options(103)?;
        let index = o.init_subgraph_index()?.unwrap_or(0);
        if self
            .tensors
            .graph
            .nodes
            .iter()
            .any(|n| !n.variables.is_empty())
        {
            return Err(unsupported_form(
                "it comes after an operator that uses variables",
            ));
        }
        let graph = self.subgraph(index, &[])?;
        if self.importer.has_faults() {
            return Ok(Read::Done);
        }
        if !graph.inputs.is_empty() || !graph.outputs.is_empty() {
            return Err(unsupported_form("its subgraph has inputs or outputs"));
        }
        graph
            .check()
            .map_err(|fault| unsupported_form(fault.to_string()))?;
        if !graph.nodes.iter().all(|node| node.op.ends()) {
            return Err(unsupported_form("its subgraph may not end"));
        }
        let mut state = graph.state();
        graph.run(&[], &mut state);
        for (id, value) in state.iter() {
            self.tensors.graph.variables[id].initial = value.as_slice().into();
        }
        Ok(Read::Done)
    }

    fn branch(&mut self) -> Result<Read, ImportError> {
        let o: schema::IfOptions = self.expect_options(92)?;
        let shapes = self.shapes(1)?;
        let then = self.subgraph(o.then_subgraph_index()?.unwrap_or(0), &shapes)?;
        let otherwise = self.subgraph(o.else_subgraph_index()?.unwrap_or(0), &shapes)?;
        for (output, id) in then.outputs.iter().enumerate() {
            self.set_shape(output, then.tensors[*id].shape.clone())?;
        }
        self.control(Control::If {
            then: Box::new(then),
            otherwise: Box::new(otherwise),
        })
    }

    fn repeat(&mut self) -> Result<Read, ImportError> {
        let o: schema::WhileOptions = self.expect_options(93)?;
        let shapes = self.shapes(0)?;
        let condition = self.subgraph(o.cond_subgraph_index()?.unwrap_or(0), &shapes)?;
        let body = self.subgraph(o.body_subgraph_index()?.unwrap_or(0), &shapes)?;
        for (output, shape) in shapes.into_iter().enumerate() {
            self.set_shape(output, shape.unwrap_or_default())?;
        }
        self.control(Control::While {
            condition: Box::new(condition),
            body: Box::new(body),
        })
    }

    /// The node of a control operator, with all variables so far in its graphs.
    fn control(&mut self, mut control: Control) -> Result<Read, ImportError> {
        self.importer.bodies += 2;
        let variables = &self.tensors.graph.variables;
        if self.importer.bodies.saturating_mul(variables.len()) > MAX_COPIES {
            return Err(unsupported_form(
                "there are too many variables and subgraphs",
            ));
        }
        for graph in control.graphs_mut() {
            graph.variables = variables.clone();
            share_variables(graph);
        }
        self.variables = control.variables();
        Ok(Read::Op(Op::Control(control)))
    }

    /// The shapes of the inputs from `first` on.
    fn shapes(&mut self, first: usize) -> Result<Vec<Option<Vec<u32>>>, ImportError> {
        (first..self.inputs.len())
            .map(|input| Ok(Some(self.input(input)?.shape.clone())))
            .collect()
    }

    /// Another subgraph of the file.
    fn subgraph(
        &mut self,
        index: i32,
        shapes: &[Option<Vec<u32>>],
    ) -> Result<rune_ir::graph::Graph, ImportError> {
        let index = usize::try_from(index)
            .ok()
            .filter(|index| *index > 0)
            .ok_or_else(|| unreadable(format!("it names subgraph {index}")))?;
        // The variables are with the graph that is being read.
        self.importer.variables = std::mem::take(&mut self.tensors.graph.variables);
        let graph = self.importer.subgraph(index, shapes);
        self.tensors.graph.variables = std::mem::take(&mut self.importer.variables);
        let mut graph = graph?;
        graph.variables = self.tensors.graph.variables.clone();
        share_variables(&mut graph);
        Ok(graph)
    }
}
