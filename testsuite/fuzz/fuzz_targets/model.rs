//! A TensorFlow Lite file through the importer; what it gives goes on through passes and kernels, and is
//! evaluated, where it is small.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rune_codegen::{Simd, kernels, nest::Buffer, passes};
use rune_ir::{arena::Arena, graph::Graph};

/// Most bytes of tensors of a graph that is evaluated, and most multiplications of its greatest operators.
const SMALL: usize = 1 << 12;

fuzz_target!(|file: &[u8]| {
    let _ = rune_models::outline(file);
    if let Ok(Some(open)) = rune_models::open(file) {
        // Any number will do: 3, which most models do not have otherwise.
        let given = |dims: &Vec<Option<u32>>| Some(dims.iter().map(|d| d.unwrap_or(3)).collect());
        let shapes: Vec<Option<Vec<u32>>> = open.inputs.iter().map(|(_, d)| given(d)).collect();
        if let Ok(graph) = rune_models::import_with(file, &shapes) {
            compile(graph);
        }
    }
    if let Ok(graph) = rune_models::import(file) {
        compile(graph);
    }
});

fn compile(mut graph: Graph) {
    if graph.tensors.values().map(|t| t.bytes()).sum::<usize>() > SMALL {
        return;
    }
    if graph.nodes.iter().all(|node| node.op.ends()) {
        let zeros: Vec<Vec<u8>> = graph
            .inputs
            .iter()
            .map(|id| vec![0; graph.tensors[*id].bytes()])
            .collect();
        graph.evaluate(&zeros);
    }
    passes::optimise(&mut graph);
    graph.check().expect("passes keep the laws");
    for simd in [Simd::Off, Simd::On] {
        let mut buffers = Arena::default();
        let inputs: Vec<_> = graph
            .inputs
            .iter()
            .map(|id| {
                buffers.push(Buffer {
                    name: String::new(),
                    bytes: graph.tensors[*id].bytes() as u32,
                    align: 16,
                    data: None,
                    initial: None,
                })
            })
            .collect();
        if let Ok(compiled) = kernels::compile(&graph, &inputs, &mut buffers, simd) {
            for kernel in &compiled.kernels {
                kernel.code().body(&|_| 1 << 20);
            }
        }
    }
}
