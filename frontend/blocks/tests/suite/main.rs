//! Blocks read, snapshotted and run: those of the catalogue against oracles of their own, and blocks in C
//! that keep or break the contract.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod catalogue;
mod contract;
mod freed;
mod interpreter;
mod mutation;
mod random;
mod shape;
mod snapshot;

use std::{fs, path::Path, sync::Arc};

use rune_blocks::{Wasmi, read};
use rune_ir::{
    args::Bound,
    block::{Block, BlockEngine, Instance},
    eval::Data,
    ty::{ElementType, TensorType},
};

/// The bytes of a block of the catalogue, or of that name in the folder `RUNE_BLOCKS`.
#[expect(
    clippy::disallowed_methods,
    reason = "the tool that compiles blocks tests them before they are in the catalogue"
)]
fn catalogued(name: &str) -> Arc<[u8]> {
    match std::env::var("RUNE_BLOCKS") {
        Ok(folder) => fs::read(Path::new(&folder).join(format!("{name}.wasm")))
            .unwrap()
            .into(),
        Err(_) => rune_catalogue::block(&format!("runicos/{name}"))
            .unwrap()
            .into(),
    }
}

/// The bytes of a block in C.
fn fixture(name: &str) -> Arc<[u8]> {
    let bytes: &[u8] = match name {
        "smooth" => include_bytes!("../fixtures/smooth.wasm"),
        "faulty" => include_bytes!("../fixtures/faulty.wasm"),
        "freeing" => include_bytes!("../fixtures/freeing.wasm"),
        "join" => include_bytes!("../fixtures/join.wasm"),
        "importing" => include_bytes!("../fixtures/importing.wasm"),
        _ => panic!("no such fixture"),
    };
    bytes.into()
}

fn block(bytes: Arc<[u8]>) -> Block {
    read(bytes).unwrap_or_else(|error| panic!("{error}"))
}

/// An instance whose type variables are bound by what the first ports have.
fn instance(
    block: &Block,
    args: &[Bound],
    inputs: &[TensorType],
    outputs: &[TensorType],
) -> Instance {
    use rune_ir::block::PortElement;
    let ports = block.signature.inputs.iter().zip(inputs);
    let ports = ports.chain(block.signature.outputs.iter().zip(outputs));
    let bound: Vec<ElementType> = (0..block.signature.types.len())
        .map(|variable| {
            let mut ports = ports.clone();
            ports
                .find(|(port, _)| port.element == PortElement::Variable(variable))
                .unwrap()
                .1
                .element
        })
        .collect();
    Instance {
        export: block.signature.export(&bound),
        args: args.to_vec(),
        inputs: inputs.to_vec(),
        outputs: outputs.to_vec(),
    }
}

/// One call of a fresh instance, which can be snapshotted too.
fn run(
    block: &Block,
    args: &[Bound],
    inputs: &[(TensorType, Data)],
    outputs: &[TensorType],
) -> Result<Vec<Data>, i32> {
    let types: Vec<TensorType> = inputs.iter().map(|(ty, _)| ty.clone()).collect();
    let instance = instance(block, args, &types, outputs);
    let engine = Wasmi::default();
    engine.snapshot(block, &instance).unwrap();
    let mut running = engine.start(block, &instance).unwrap();
    let data: Vec<Data> = inputs.iter().map(|(_, data)| data.clone()).collect();
    Ok(running.run(&data)?.expect("it gives an output"))
}

/// A number that tensors are made of.
trait Number: Copy {
    const TYPE: ElementType;
    fn bytes(self) -> Vec<u8>;
    fn of(bytes: &[u8]) -> Self;
}

macro_rules! numbers {
    ($($t:ty => $tag:ident),*) => {$(
        impl Number for $t {
            const TYPE: ElementType = ElementType::$tag;
            fn bytes(self) -> Vec<u8> {
                self.to_le_bytes().to_vec()
            }
            fn of(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().unwrap())
            }
        }
    )*};
}
numbers!(u8 => U8, i8 => I8, u16 => U16, i16 => I16, u32 => U32, i32 => I32, u64 => U64, i64 => I64, f32 => F32, f64 => F64);

/// A tensor of one dimension.
fn tensor<T: Number>(values: &[T]) -> (TensorType, Data) {
    (
        TensorType::new(T::TYPE, &[values.len() as u32]),
        Data::Bytes(values.iter().flat_map(|v| v.bytes()).collect()),
    )
}

fn values<T: Number>(data: &Data) -> Vec<T> {
    match data {
        Data::Bytes(bytes) => bytes.chunks_exact(size_of::<T>()).map(T::of).collect(),
        Data::Strings(_) => panic!("strings, not numbers"),
    }
}
