//! The oracle: runs a whole pipeline slowly and obviously, models by their operators' definitions and
//! blocks unlinked, as they come.

use crate::{
    block::{BlockEngine, InitError, RunningBlock},
    check::{TypedKind, Verified},
    graph::State,
    ty::ElementType,
};

/// The value of one tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// Elements as little-endian bytes.
    Bytes(Vec<u8>),
    /// Strings.
    Strings(Vec<String>),
}

/// What one call gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// For each output, in the order of [`Verified::stages`], what it was given, or `None` where nothing was.
    /// Every NaN is the canonical one, as in what a compiled rune writes.
    Outputs(Vec<Option<Vec<Data>>>),
    /// A capability has no more data.
    EndOfData,
}

/// A pipeline ready to be called. Blocks and models keep their state from call to call.
pub struct Evaluator<'v> {
    verified: &'v Verified,
    stages: Vec<Running>,
}

/// What a stage keeps.
enum Running {
    /// Nothing: a capability or an output.
    Nothing,
    Block(Box<dyn RunningBlock>),
    Model(State),
}

impl<'v> Evaluator<'v> {
    /// Starts every block of a pipeline.
    ///
    /// # Errors
    /// What a block's `init` says.
    pub fn new(verified: &'v Verified, engine: &dyn BlockEngine) -> Result<Self, InitError> {
        let start = |kind: &TypedKind| match kind {
            TypedKind::Block {
                block, instance, ..
            } => engine.start(block, instance).map(Running::Block),
            TypedKind::Model { graph, .. } => Ok(Running::Model(graph.state())),
            TypedKind::Capability { .. } | TypedKind::Output { .. } => Ok(Running::Nothing),
        };
        let stages = verified
            .stages()
            .iter()
            .map(|s| start(&s.kind))
            .collect::<Result<_, _>>()?;
        Ok(Self { verified, stages })
    }

    /// One call. `read` gives the next sample of a capability, counted in the order of the stages, as
    /// exactly the bytes of its type.
    ///
    /// # Errors
    /// The fault code of a block.
    pub fn call(&mut self, read: &mut dyn FnMut(usize) -> Option<Vec<u8>>) -> Result<Call, i32> {
        let mut values: Vec<Option<Vec<Data>>> = Vec::new();
        let mut outputs = Vec::new();
        let mut capabilities = 0;
        for (stage, running) in self.verified.stages().iter().zip(&mut self.stages) {
            let inputs: Option<Vec<Data>> = stage
                .inputs
                .iter()
                .map(|i| values[i.stage].as_ref().map(|v| v[i.port].clone()))
                .collect();
            let made = match (&stage.kind, inputs, running) {
                (TypedKind::Capability { .. }, _, _) => {
                    let Some(sample) = read(capabilities) else {
                        return Ok(Call::EndOfData);
                    };
                    capabilities += 1;
                    Some(vec![Data::Bytes(sample)])
                }
                (TypedKind::Output { .. }, inputs, _) => {
                    let types = stage.inputs.iter().map(|i| i.ty.element);
                    let canonical =
                        |data: Vec<Data>| data.into_iter().zip(types).map(canonical).collect();
                    outputs.push(inputs.map(canonical));
                    None
                }
                (TypedKind::Model { graph, .. }, Some(inputs), Running::Model(state)) => {
                    let bytes: Vec<Vec<u8>> = inputs.into_iter().map(bytes).collect();
                    let results = graph.run(&bytes, state);
                    Some(results.into_iter().map(Data::Bytes).collect())
                }
                (TypedKind::Block { .. }, Some(inputs), Running::Block(block)) => {
                    block.run(&inputs)?
                }
                (TypedKind::Model { .. } | TypedKind::Block { .. }, _, _) => None,
            };
            values.push(made);
        }
        Ok(Call::Outputs(outputs))
    }
}

/// The bytes of a tensor that is fed to a model, which takes no strings.
fn bytes(data: Data) -> Vec<u8> {
    match data {
        Data::Bytes(bytes) => bytes,
        Data::Strings(_) => Vec::new(),
    }
}

/// A tensor with the canonical NaN in place of any other.
fn canonical((mut data, element): (Data, ElementType)) -> Data {
    if let Data::Bytes(bytes) = &mut data {
        if element == ElementType::F32 {
            for x in bytes.as_chunks_mut::<4>().0 {
                if f32::from_le_bytes(*x).is_nan() {
                    *x = 0x7fc0_0000u32.to_le_bytes();
                }
            }
        } else if element == ElementType::F64 {
            for x in bytes.as_chunks_mut::<8>().0 {
                if f64::from_le_bytes(*x).is_nan() {
                    *x = 0x7ff8_0000_0000_0000u64.to_le_bytes();
                }
            }
        }
    }
    data
}
