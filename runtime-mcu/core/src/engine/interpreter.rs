//! Engine one: wasmi, for any rune as it comes.
//!
//! A rune's code is translated when it is started, into memory; its data is copied from where the module lies to
//! where it goes, and nothing of it is kept. Each rune has an engine of its own, because an engine never gives back
//! what it translated.

use alloc::vec::Vec;

use rune_abi::{Import, WasmFeatures, export};
use rune_saga::Failure;
use wasmi::{
    Caller, CompilationMode, Config, Error, Extern, Func, Memory, Module, Store, StoreLimits,
    StoreLimitsBuilder, TrapCode, TypedFunc,
    errors::{ErrorKind, HostError, MemoryError},
};

use super::{Engine, Host, Instance, Lent, Limits, StartError, Stopped};
use crate::{Checked, check::TABLE_ENTRIES, text::Text};

/// The interpreter. A step is about one instruction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interpreter;

/// What the store of a rune holds.
struct State<H> {
    /// For the time of an operation.
    host: Lent<H>,
    limits: StoreLimits,
    memory: Option<Memory>,
}

/// A rune on wasmi.
pub struct Running<H> {
    store: Store<State<H>>,
    call: TypedFunc<(), i32>,
    reset: Option<TypedFunc<(), ()>>,
    fuel: u64,
}

impl core::fmt::Display for Stopped {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("stopped by the host")
    }
}

impl HostError for Stopped {}

impl Engine for Interpreter {
    const FEATURES: WasmFeatures = if cfg!(feature = "simd") {
        WasmFeatures::ALL
    } else {
        WasmFeatures(WasmFeatures::ALL.0 & !(WasmFeatures::SIMD.0 | WasmFeatures::RELAXED_SIMD.0))
    };

    type Instance<H: Host + 'static> = Running<H>;

    fn start<H: Host + 'static>(
        &self,
        rune: &Checked<'static>,
        limits: &Limits,
    ) -> Result<Running<H>, StartError> {
        if rune.image().is_some() {
            return Err(StartError::NoImages);
        }
        let engine = wasmi::Engine::new(&config(rune.manifest().features, limits));
        let mut store = Store::new(
            &engine,
            State {
                host: None,
                limits: StoreLimitsBuilder::new()
                    .memory_size(rune.manifest().memory_bytes.next_multiple_of(1 << 16) as usize)
                    .table_elements(TABLE_ENTRIES as usize)
                    .instances(1)
                    .memories(1)
                    .build(),
                memory: None,
            },
        );
        let (call, reset) = link(&mut store, rune, limits)?;
        Ok(Running {
            store,
            call,
            reset,
            fuel: limits.fuel,
        })
    }
}

type Exports = (TypedFunc<(), i32>, Option<TypedFunc<(), ()>>);

fn link<H: Host + 'static>(
    store: &mut Store<State<H>>,
    rune: &Checked<'static>,
    limits: &Limits,
) -> Result<Exports, StartError> {
    let invalid = |error: Error| StartError::Module(Text::of(error));
    store.limiter(|state| &mut state.limits);
    let module = Module::new(store.engine(), rune.without_data()).map_err(invalid)?;
    store.set_fuel(limits.fuel).map_err(invalid)?;
    let imports = rune.imports().iter();
    let imports: Vec<Extern> = imports
        .map(|import| Extern::Func(function(store, import)))
        .collect();
    let instance =
        wasmi::Instance::new(&mut *store, &module, &imports).map_err(|error| not_made(&error))?;
    let memory = instance
        .get_memory(&*store, export::MEMORY)
        .ok_or(StartError::Memory)?;
    let bytes = memory.data_mut(&mut *store);
    for (address, data) in rune.data() {
        let place = bytes.get_mut(address as usize..);
        let place = place.and_then(|rest| rest.get_mut(..data.len()));
        place.ok_or(StartError::Data)?.copy_from_slice(data);
    }
    store.data_mut().memory = Some(memory);
    let call = instance
        .get_typed_func(&*store, export::CALL)
        .map_err(invalid)?;
    let reset = match instance.get_func(&*store, export::RESET) {
        Some(reset) => Some(reset.typed(&*store).map_err(invalid)?),
        None => None,
    };
    // The engine takes the memory of its stack at its first call: of a function of the host, so that nothing of the
    // rune runs.
    let nothing = Func::wrap(&mut *store, || {});
    let nothing = nothing.typed::<(), ()>(&*store).map_err(invalid)?;
    nothing.call(&mut *store, ()).map_err(invalid)?;
    Ok((call, reset))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else goes wrong, goes wrong with tables"
)]
fn not_made(error: &Error) -> StartError {
    match error.kind() {
        ErrorKind::Memory(MemoryError::OutOfBoundsAccess)
        | ErrorKind::TrapCode(TrapCode::MemoryOutOfBounds) => StartError::Data,
        ErrorKind::Memory(_) => StartError::Memory,
        _ => StartError::Instance,
    }
}

/// WebAssembly 1.0 and these features, nothing else.
fn config(features: WasmFeatures, limits: &Limits) -> Config {
    let has = |feature| features.contains(feature);
    let mut config = Config::default();
    config
        .wasm_mutable_global(has(WasmFeatures::MUTABLE_GLOBALS))
        .wasm_sign_extension(has(WasmFeatures::SIGN_EXT))
        .wasm_saturating_float_to_int(has(WasmFeatures::SATURATING_FLOAT_TO_INT))
        .wasm_bulk_memory(has(WasmFeatures::BULK_MEMORY))
        .wasm_multi_value(has(WasmFeatures::MULTI_VALUE))
        .wasm_multi_memory(false)
        .wasm_reference_types(false)
        .wasm_tail_call(false)
        .wasm_extended_const(false)
        .wasm_custom_page_sizes(false)
        .wasm_memory64(false)
        .wasm_wide_arithmetic(false)
        .floats(true)
        .ignore_custom_sections(true)
        .consume_fuel(true)
        .compilation_mode(CompilationMode::Eager)
        .set_max_recursion_depth(limits.depth)
        .set_max_stack_height(limits.stack_values)
        .set_min_stack_height(limits.stack_values)
        .set_max_cached_stacks(1);
    #[cfg(feature = "simd")]
    config
        .wasm_simd(has(WasmFeatures::SIMD))
        .wasm_relaxed_simd(has(WasmFeatures::RELAXED_SIMD));
    config
}

/// A function of the contract.
fn function<H: Host + 'static>(store: &mut Store<State<H>>, import: Import) -> Func {
    match import {
        Import::Read => Func::wrap(store, |caller: Caller<'_, State<H>>, a, b, c| {
            ask(caller, Import::Read, [a, b, c])
        }),
        Import::Write => Func::wrap(store, |caller: Caller<'_, State<H>>, a, b| {
            ask(caller, Import::Write, [a, b, 0])
        }),
        // One closure for both: each is a kilobyte of code.
        Import::Log | Import::Fault => {
            Func::wrap(store, move |caller: Caller<'_, State<H>>, a, b, c| {
                ask(caller, import, [a, b, c]).map(drop)
            })
        }
        Import::Mark => Func::wrap(store, |caller: Caller<'_, State<H>>, a, b| {
            ask(caller, Import::Mark, [a, b, 0]).map(drop)
        }),
    }
}

fn ask<H: Host>(
    mut caller: Caller<'_, State<H>>,
    import: Import,
    args: [u32; 3],
) -> Result<i32, Error> {
    let (bytes, state): (&mut [u8], _) = match caller.data().memory {
        Some(memory) => memory.data_and_store_mut(&mut caller),
        None => (&mut [], caller.data_mut()),
    };
    let host = state.host.as_mut().ok_or(Stopped);
    let answer = host.and_then(|host| {
        host.is_in_time()?;
        host.import(import, args, bytes)
    });
    answer.map_err(Error::host)
}

impl<H: Host + 'static> Running<H> {
    fn enter<R: wasmi::WasmResults>(
        &mut self,
        export: TypedFunc<(), R>,
        host: &mut Lent<H>,
    ) -> Result<R, Stopped> {
        self.store.data_mut().host = Some(host.take().ok_or(Stopped)?);
        let result = self.store.set_fuel(self.fuel);
        let result = result.and_then(|()| export.call(&mut self.store, ()));
        *host = self.store.data_mut().host.take();
        result.map_err(|error| {
            let is_host = error.downcast_ref::<Stopped>().is_some();
            if let Some(host) = host
                && !is_host
            {
                let failure = error.as_trap_code().map_or(Failure::OtherTrap, kind_of);
                host.trapped(failure, None);
            }
            Stopped
        })
    }
}

impl<H: Host + 'static> Instance<H> for Running<H> {
    fn call(&mut self, host: &mut Lent<H>, _: u64) -> Result<i32, Stopped> {
        self.enter(self.call, host)
    }

    fn reset(&mut self, host: &mut Lent<H>, _: u64) -> Result<(), Stopped> {
        match self.reset {
            Some(reset) => self.enter(reset, host),
            None => Ok(()),
        }
    }
}

/// What Saga counts a trap as.
fn kind_of(trap: TrapCode) -> Failure {
    match trap {
        TrapCode::UnreachableCodeReached => Failure::Unreachable,
        TrapCode::MemoryOutOfBounds => Failure::MemoryBounds,
        TrapCode::TableOutOfBounds | TrapCode::IndirectCallToNull | TrapCode::BadSignature => {
            Failure::TableAccess
        }
        TrapCode::IntegerOverflow
        | TrapCode::IntegerDivisionByZero
        | TrapCode::BadConversionToInteger => Failure::Arithmetic,
        TrapCode::StackOverflow => Failure::StackOverflow,
        TrapCode::OutOfFuel => Failure::Deadline,
        TrapCode::GrowthOperationLimited => Failure::OtherTrap,
    }
}
