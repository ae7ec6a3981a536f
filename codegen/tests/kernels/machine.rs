//! Runs the kernels of a model in an interpreter.

use std::collections::BTreeMap;

use rune_abi::WasmFeatures as Features;
use rune_c::Intrinsic;
use rune_codegen::{
    kernels::{self, Compiled, Simd, Unsupported},
    nest::{Buffer, BufferId, Kernel, Links, Place, Role},
};
use rune_ir::{arena::Arena, graph::Graph};
use wasm_encoder::{
    CodeSection, DataSection, ExportKind, ExportSection, FunctionSection, MemorySection,
    MemoryType, Module, TypeSection, ValType,
};
use wasmparser::{Validator, WasmFeatures};

/// What is put around every buffer, so that a kernel that writes beside its own is found out.
const GUARD: usize = 64;
const GUARD_BYTE: u8 = 0xa5;

/// Buffers with addresses, and a module whose function `i` is kernel `i`.
pub(crate) struct Machine {
    pub(crate) compiled: Compiled,
    pub(crate) inputs: Vec<BufferId>,
    pub(crate) buffers: Arena<Buffer>,
    pub(crate) module: Vec<u8>,
    addresses: BTreeMap<BufferId, u32>,
    pages: u32,
    /// How many results lie over an operand.
    pub(crate) overlaid: usize,
}

impl Machine {
    /// Compiles a graph and validates the module with exactly the features its kernels claim.
    pub(crate) fn new(graph: &Graph, simd: Simd) -> Result<Self, Unsupported> {
        Self::with(graph, simd, false)
    }

    /// As [`new`](Self::new), but each result lies over an operand where its kernel allows that.
    pub(crate) fn overlaid(graph: &Graph, simd: Simd) -> Result<Self, Unsupported> {
        Self::with(graph, simd, true)
    }

    fn with(graph: &Graph, simd: Simd, overlay: bool) -> Result<Self, Unsupported> {
        let mut buffers = Arena::default();
        let inputs: Vec<BufferId> = graph
            .inputs
            .iter()
            .map(|id| {
                buffers.push(Buffer {
                    name: graph.tensors[*id].name.clone(),
                    bytes: graph.tensors[*id].bytes() as u32,
                    align: 16,
                    data: None,
                    initial: None,
                })
            })
            .collect();
        let compiled = kernels::compile(graph, &inputs, &mut buffers, simd)?;
        let over = if overlay {
            overlays(&compiled, &buffers)
        } else {
            BTreeMap::new()
        };
        let room = |id: BufferId| {
            let above = over.iter().filter(|(_, under)| **under == id);
            let above = above.map(|(id, _)| buffers[*id].bytes);
            above.fold(buffers[id].bytes, u32::max)
        };
        let mut end = GUARD as u32;
        let mut addresses: BTreeMap<BufferId, u32> = buffers
            .iter()
            .map(|(id, buffer)| {
                let at = end.next_multiple_of(buffer.align);
                end = at + room(id) + GUARD as u32;
                (id, at)
            })
            .collect();
        // One buffer, of each kind for some model, ends where memory does: reading beyond it traps.
        let last = BufferId::from_index(end as usize / 4 % buffers.len());
        let pages = (end + room(last)).div_ceil(1 << 16);
        addresses.insert(last, (pages << 16) - room(last));
        for (id, under) in &over {
            addresses.insert(*id, addresses[under]);
        }
        let module = module(&compiled.kernels, &buffers, &addresses, pages);
        let features = compiled
            .kernels
            .iter()
            .fold(Features::default(), |all, k| all.union(k.features()));
        validate(&module, features);
        Ok(Self {
            compiled,
            inputs,
            buffers,
            module,
            addresses,
            pages,
            overlaid: over.len(),
        })
    }

    /// Runs all kernels on these inputs, what is kept being as before the first call, and gives the outputs.
    pub(crate) fn run(&self, inputs: &[Vec<u8>]) -> Vec<Vec<u8>> {
        self.runs(&[inputs]).remove(0)
    }

    /// The outputs of calls one after the other.
    pub(crate) fn runs(&self, calls: &[&[Vec<u8>]]) -> Vec<Vec<Vec<u8>>> {
        let engine = wasmi::Engine::default();
        let module = wasmi::Module::new(&engine, &self.module).unwrap();
        let mut store = wasmi::Store::new(&engine, ());
        let instance = wasmi::Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance.get_memory(&store, "memory").unwrap();
        let mut image = vec![GUARD_BYTE; (self.pages as usize) << 16];
        for (id, buffer) in self.buffers.iter() {
            if let Some(data) = buffer.data.as_ref().or(buffer.initial.as_ref()) {
                image[self.range(id)].copy_from_slice(data);
            }
        }
        let written: Vec<_> = self
            .compiled
            .kernels
            .iter()
            .flat_map(Kernel::operands)
            .filter(|o| o.role != Role::Read)
            .map(|o| self.range(o.buffer))
            .collect();
        let mut all = Vec::new();
        for inputs in calls {
            // Nothing but what is kept passes from call to call.
            for (id, buffer) in self.buffers.iter() {
                if buffer.data.is_none() && buffer.initial.is_none() {
                    image[self.range(id)].fill(GUARD_BYTE);
                }
            }
            for (id, value) in self.inputs.iter().zip(*inputs) {
                image[self.range(*id)].copy_from_slice(value);
            }
            memory.data_mut(&mut store).copy_from_slice(&image);
            for (i, kernel) in self.compiled.kernels.iter().enumerate() {
                let function = instance
                    .get_typed_func::<(), ()>(&store, &format!("k{i}"))
                    .unwrap();
                function
                    .call(&mut store, ())
                    .unwrap_or_else(|trap| panic!("{trap} in\n{kernel}"));
            }
            let after = memory.data(&store);
            for (at, (before, after)) in image.iter().zip(after).enumerate() {
                assert!(
                    before == after || written.iter().any(|r| r.contains(&at)),
                    "address {at} was written, which belongs to no result"
                );
            }
            let outputs = self.compiled.outputs.iter();
            all.push(outputs.map(|id| after[self.range(*id)].to_vec()).collect());
            image.copy_from_slice(after);
        }
        all
    }

    fn range(&self, id: BufferId) -> std::ops::Range<usize> {
        let start = self.addresses[&id] as usize;
        start..start + self.buffers[id].bytes as usize
    }
}

/// The results that may lie over an operand, and over which: one that is given or computed, and that
/// nothing uses afterwards.
fn overlays(compiled: &Compiled, buffers: &Arena<Buffer>) -> BTreeMap<BufferId, BufferId> {
    let uses = |kernel: &Kernel, id| kernel.operands().iter().any(|o| o.buffer == id);
    let mut over: BTreeMap<BufferId, BufferId> = BTreeMap::new();
    for (at, kernel) in compiled.kernels.iter().enumerate() {
        for output in kernel.buffers(Role::Write) {
            let under = kernel.buffers(Role::Read).find(|input| {
                let is_free =
                    |id: &BufferId| !over.contains_key(id) && !over.values().any(|v| v == id);
                buffers[*input].data.is_none()
                    && !compiled.outputs.contains(input)
                    && !compiled.kernels[at + 1..].iter().any(|k| uses(k, *input))
                    && !compiled.kernels[..at].iter().any(|k| uses(k, output))
                    && is_free(input)
                    && is_free(&output)
                    && kernel.may_replace(*input, output)
            });
            over.extend(under.map(|under| (output, under)));
        }
    }
    over
}

fn module(
    kernels: &[Kernel],
    buffers: &Arena<Buffer>,
    addresses: &BTreeMap<BufferId, u32>,
    pages: u32,
) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    types.ty().function([ValType::I32], [ValType::I32]);
    types.ty().function([ValType::I32; 3], [ValType::I32]);
    let mut functions = FunctionSection::new();
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: pages.into(),
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0);
    let mut code = CodeSection::new();
    for (i, kernel) in (0..).zip(kernels) {
        functions.function(0);
        exports.export(&format!("k{i}"), ExportKind::Func, i);
        let place = |id| {
            assert!(kernel.operands().iter().any(|o| o.buffer == id));
            Place::from(addresses[&id])
        };
        code.raw(&kernel.code().body(&Links {
            place: &place,
            intrinsics: kernels.len() as u32,
        }));
    }
    let uses_intrinsics = kernels.iter().any(|k| k.code().has_intrinsics());
    for intrinsic in Intrinsic::ALL.into_iter().filter(|_| uses_intrinsics) {
        functions.function(if intrinsic.operands() == 1 { 1 } else { 2 });
        code.raw(intrinsic.body());
    }
    assert!(buffers.len() == addresses.len());
    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&memories)
        .section(&exports)
        .section(&code)
        .section(&DataSection::new());
    module.finish()
}

fn validate(module: &[u8], features: Features) {
    let known = [
        (Features::BULK_MEMORY, WasmFeatures::BULK_MEMORY),
        (Features::SIGN_EXT, WasmFeatures::SIGN_EXTENSION),
        (
            Features::SATURATING_FLOAT_TO_INT,
            WasmFeatures::SATURATING_FLOAT_TO_INT,
        ),
        (Features::SIMD, WasmFeatures::SIMD),
        (Features::RELAXED_SIMD, WasmFeatures::RELAXED_SIMD),
    ];
    let enabled = known
        .into_iter()
        .filter(|(feature, _)| features.contains(*feature))
        .fold(WasmFeatures::FLOATS, |all, (_, feature)| all | feature);
    Validator::new_with_features(enabled)
        .validate_all(module)
        .unwrap_or_else(|error| panic!("{error}"));
}
