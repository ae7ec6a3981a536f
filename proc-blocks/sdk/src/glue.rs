//! What [`block!`](crate::block) expands to calls of.

use alloc::{boxed::Box, vec::Vec};
use core::ptr;

#[cfg(target_arch = "wasm32")]
use crate::memory::arena::ARENA;
pub use crate::raw::{Context, Tensor};
use crate::{
    Block, Call, Flow, Inputs, Outputs, Refusal, Setup,
    memory::{Area, Planner},
};

/// An instance and the size of its memory.
#[repr(C)]
#[derive(Debug)]
pub struct Placed<B> {
    state: *mut u8,
    state_bytes: usize,
    scratch_bytes: usize,
    /// How many records `run` is given.
    inputs: usize,
    outputs: usize,
    block: B,
}

impl<B: Block> Placed<B> {
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn state_bytes(&self) -> usize {
        self.state_bytes
    }

    /// One call.
    ///
    /// # Safety
    /// `scratch` is aligned to 16 and as large as the context of `init` was told; it and the state are
    /// used by nobody else for `'a`.
    #[expect(unsafe_code, reason = "the border to raw memory")]
    pub(crate) unsafe fn run<'a>(
        &'a self,
        scratch: *mut u8,
        inputs: <B::Inputs as Inputs>::View<'a>,
        outputs: <B::Outputs as Outputs>::View<'a>,
    ) -> Result<Flow, crate::Fault> {
        // SAFETY: the state was planned to be this large, and the caller's promise.
        let mut call = unsafe {
            Call {
                state: Area::new(self.state, self.state_bytes),
                scratch: Area::new(scratch, self.scratch_bytes),
            }
        };
        self.block.run(inputs, outputs, &mut call)
    }
}

/// Makes an instance on the frozen arena, unless `B` is for other types.
///
/// # Errors
/// What the block says.
///
/// # Safety
/// `context` is as `docs/abi.md` says.
#[expect(unsafe_code, reason = "the border to the records of the contract")]
pub(crate) unsafe fn place<B: Block>(
    context: &mut Context,
) -> Option<Result<&'static Placed<B>, Refusal>> {
    // SAFETY: the caller's promise.
    let mut setup = unsafe { Setup::new(context) };
    if !setup.has_types::<B>() {
        return None;
    }
    Some(B::init(&mut setup).map(|block| {
        context.scratch = setup.lent.used;
        // Without state there is no address to follow when the instance is moved.
        let mut state = ptr::without_provenance_mut(Planner::ALIGN);
        if setup.kept.used > 0 {
            state = setup.state_base();
            context.state = state.wrapping_add(setup.kept.used);
        }
        // What an instance owns lives as long as the rune.
        &*Box::leak(Box::new(Placed {
            state,
            state_bytes: setup.kept.used,
            scratch_bytes: setup.lent.used,
            inputs: context.input_count,
            outputs: context.output_count,
            block,
        }))
    }))
}

/// The export `init` for one type of instance: `None` if `B` is for other element types.
///
/// # Safety
/// `context` is as `docs/abi.md` says.
#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "the border to the records of the contract")]
pub unsafe fn init<B: Block>(context: *mut Context) -> Option<*const u8> {
    // SAFETY: the caller's promise.
    let context = unsafe { &mut *context };
    ARENA.open(context.frozen, context.frozen_end);
    // SAFETY: the caller's promise.
    let placed = unsafe { place::<B>(context) };
    let instance = placed.map(|placed| match placed {
        Ok(placed) => ptr::from_ref(placed).cast(),
        Err(refusal) => fail(context, refusal),
    });
    (context.frozen, context.freed) = ARENA.close();
    instance
}

/// What `init` answers when no type of instance fits.
///
/// # Safety
/// `context` is as `docs/abi.md` says.
#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "the border to the records of the contract")]
pub unsafe fn no_variant(context: *mut Context) -> *const u8 {
    // SAFETY: the caller's promise.
    let context = unsafe { &mut *context };
    let message = "the block has no variant for these element types";
    context.message = message.as_ptr();
    context.message_length = message.len();
    ptr::null()
}

#[cfg(target_arch = "wasm32")]
fn fail(context: &mut Context, refusal: Refusal) -> *const u8 {
    let message = refusal.leak();
    context.message = message.as_ptr();
    context.message_length = message.len();
    ptr::null()
}

/// The export `run`.
///
/// # Safety
/// As `docs/abi.md` says.
#[expect(unsafe_code, reason = "the border to the records of the contract")]
#[inline]
pub unsafe fn run<B: Block>(
    instance: *const Placed<B>,
    scratch: *mut u8,
    inputs: *const Tensor,
    outputs: *mut Tensor,
) -> i32 {
    // SAFETY: the caller's promise.
    let result = unsafe {
        let placed = &*instance;
        let inputs = B::Inputs::view(inputs, placed.inputs);
        let outputs = B::Outputs::view(outputs, placed.outputs);
        placed.run(scratch, inputs, outputs)
    };
    match result {
        Ok(Flow::Output) => 0,
        Ok(Flow::Nothing) => 1,
        Err(fault) => fault as i32,
    }
}

/// The dimensions of every output, from a block that computes them.
pub type Shape = fn(&Setup<'_>) -> Result<Vec<Vec<u32>>, Refusal>;

/// Calls `shape` and checks that what it says fits the records.
///
/// # Errors
/// What the block says.
///
/// # Safety
/// `context` is as `docs/abi.md` says.
#[expect(unsafe_code, reason = "the border to the records of the contract")]
pub(crate) unsafe fn dims(context: &Context, shape: Shape) -> Result<Vec<Vec<u32>>, Refusal> {
    // SAFETY: the caller's promise.
    let setup = unsafe { Setup::new(context) };
    let dims = shape(&setup)?;
    if dims.len() != context.output_count || dims.iter().any(|d| d.len() > MAX_RANK) {
        return Err("the block computes dimensions for other outputs than it has".into());
    }
    Ok(dims)
}

/// Dimensions that there is room for in a record of `shape`.
const MAX_RANK: usize = 8;

/// The export `shape`.
///
/// # Safety
/// `context` is as `docs/abi.md` says, and the dimensions of every output have room for [`MAX_RANK`].
#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "the border to the records of the contract")]
pub unsafe fn shape(context: *mut Context, shape: Shape) -> i32 {
    // SAFETY: the caller's promise.
    let context = unsafe { &mut *context };
    ARENA.open(context.frozen, context.frozen_end);
    // SAFETY: the caller's promise.
    let answer = match unsafe { dims(context, shape) } {
        Ok(dims) => {
            for (index, dims) in dims.iter().enumerate() {
                // SAFETY: there is a record for every input and output, and room for the dimensions.
                unsafe {
                    let output = context.types.add(context.input_count + index).cast_mut();
                    (*output).rank = dims.len() as u32;
                    let room = (*output).dims.cast_mut();
                    room.copy_from_nonoverlapping(dims.as_ptr(), dims.len());
                }
            }
            1
        }
        Err(refusal) => {
            fail(context, refusal);
            0
        }
    };
    (context.frozen, context.freed) = ARENA.close();
    answer
}

/// A broken promise stops the rune; there is nobody to tell more than that.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
