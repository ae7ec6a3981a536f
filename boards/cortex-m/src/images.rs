//! Engine two: runs images where they lie.

use alloc::alloc::{alloc_zeroed, dealloc};
use core::{
    alloc::Layout,
    ops::Range,
    ptr::NonNull,
    sync::atomic::{AtomicU32, Ordering},
};

use rune_abi::{
    Import, WasmFeatures,
    image::{FirstRead, ImageView, Operation, Target, Trap, last_write, service},
};
use rune_core::{Checked, Engine, Host, Instance, Limits, StartError, Stop, Text};
use rune_firmware::mpu::{Region, allocation, cover};
use rune_saga::Failure;

use crate::{
    gate::{self, Pass, cause},
    mpu::{self, ALL_READ, ALL_READ_WRITE, CACHED, NO_EXECUTE, NONE, Rights},
};

/// The engine for images.
#[derive(Clone, Copy, Debug)]
pub struct Images {
    /// Nanoseconds since the start.
    pub now_ns: fn() -> u64,
    /// The addresses around one of flash that an image there may read, as its own slot: regions of the protection unit
    /// are coarser than images.
    pub slot: fn(u32) -> Range<u32>,
}

/// Bytes below the stack of an image that contains itself, of which nobody may touch one.
const GUARD_BITS: u8 = 8;

/// RAM of an image: its stack, and above it its block. It is given back with the value.
struct Ram {
    start: NonNull<u8>,
    layout: Layout,
}

impl Ram {
    fn new(size: usize, align: usize) -> Option<Self> {
        let layout = Layout::from_size_align(size, align).ok()?;
        // SAFETY: it has bytes, as every image has a stack.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(Self { start, layout })
    }

    fn range(&self) -> Range<u32> {
        let start = self.start.as_ptr() as u32;
        start..start.wrapping_add(self.layout.size() as u32)
    }
}

impl Drop for Ram {
    fn drop(&mut self) {
        // It is nobody's any more.
        mpu::forget();
        // SAFETY: it was allocated so, and who had a part of it is gone.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

/// A part of an image, as addresses.
fn shifted(part: &Range<usize>, place: u32) -> Range<u32> {
    // An image lies in memory, so that its end has an address.
    place.wrapping_add(part.start as u32)..place.wrapping_add(part.end as u32)
}

/// An image that was started.
pub struct Loaded<H> {
    host: H,
    image: ImageView<'static>,
    /// Given back at the end.
    _ram: Ram,
    /// Of the stack and the block, in RAM.
    used: Range<u32>,
    block: u32,
    /// Its memory, in its block.
    memory: *mut [u8],
    rights: Rights,
    number: u32,
    control: u32,
    entry: u32,
    code: Range<u32>,
    /// Of what an exception pushes the last place, from the start of what is used.
    room: u32,
    /// Of a supervisor call the last place, from the start of the code.
    last: u32,
    /// The services it may ask for, by their numbers.
    imports: u32,
    /// What is read for it before each call.
    first_read: Option<FirstRead>,
}

impl Engine for Images {
    const FEATURES: WasmFeatures = WasmFeatures(0);

    type Instance<H: Host + 'static> = Loaded<H>;

    fn start<H: Host + 'static>(
        &self,
        rune: &Checked<'static>,
        limits: &Limits,
        host: H,
    ) -> Result<Loaded<H>, (StartError, H)> {
        let Some(image) = rune.image() else {
            return Err((StartError::NoModules, host));
        };
        let mut loaded = self.load(image, host)?;
        gate::set_deadline((self.now_ns)().saturating_add(limits.call_ns));
        // Its host does nothing for it before it is called.
        match loaded.run(Operation::Init, 0, 0) {
            Ok(_) => Ok(loaded),
            Err(stop) => {
                let why = match stop {
                    Stop::Host => Failure::Contract,
                    Stop::Trap(failure) => failure,
                };
                let text = format_args!("its start was stopped by {}", why.name());
                Err((StartError::Image(Text::of(text)), loaded.host))
            }
        }
    }
}

impl Images {
    /// Takes all memory that an image needs, and finds the regions for it.
    fn load<H>(&self, image: &ImageView<'static>, host: H) -> Result<Loaded<H>, (StartError, H)> {
        /// Of the last image that was started.
        static NUMBER: AtomicU32 = AtomicU32::new(0);

        match image.target() {
            Target::CortexM7 => {}
        }
        let is_native = image.containment().is_native();
        let free = mpu::free();
        // The block comes behind the stack. Each has at most 2^28 bytes, see the header.
        let stack = image.stack_bytes().next_multiple_of(ImageView::BLOCK_ALIGN);
        let (below, size) = if is_native {
            let guard = 1 << GUARD_BITS;
            let size = stack.wrapping_add(image.block_bytes()).wrapping_add(guard);
            (guard, Some((size, guard)))
        } else {
            let room = stack.wrapping_add(image.block_bytes());
            (0, allocation(room, if free > 4 { 2 } else { 1 }))
        };
        let ram = size.and_then(|(size, align)| Ram::new(size, align));
        let Some(ram) = ram else {
            return Err((StartError::Memory, host));
        };
        let Some(rights) = self.rights(image, &ram, is_native) else {
            let why = "the protection unit has not enough regions for where it lies";
            return Err((StartError::Image(Text::of(why)), host));
        };
        let start = ram.range().start.wrapping_add(below as u32);
        let block = start.wrapping_add(stack as u32);
        let used = start..block.wrapping_add(image.block_bytes() as u32);
        // What an exception pushes, with floating point or without, begins with eight words.
        let (Some(room), Some(last)) = (
            (used.len() as u32).checked_sub(32),
            (image.code().len() as u32).checked_sub(2),
        ) else {
            return Err((StartError::Memory, host));
        };
        let memory = image.memory();
        let memory = core::ptr::slice_from_raw_parts_mut(
            (block as usize).wrapping_add(memory.start) as *mut u8,
            memory.len(),
        );
        let place = image.bytes().as_ptr() as u32;
        let code = shifted(&image.code(), place);
        // SAFETY: it holds no writes. What it holds of the place may be of an image that was there before.
        unsafe { cortex_m::Peripherals::steal() }
            .SCB
            .invalidate_icache();
        // None is 0, which is no image.
        let number = (NUMBER.load(Ordering::Relaxed) % (u32::MAX - 1)) + 1;
        NUMBER.store(number, Ordering::Relaxed);
        Ok(Loaded {
            host,
            image: *image,
            _ram: ram,
            used,
            block,
            memory,
            rights,
            number,
            control: if is_native {
                gate::PRIVILEGED
            } else {
                gate::UNPRIVILEGED
            },
            entry: place.wrapping_add(image.entry() as u32) | 1,
            code,
            room,
            last,
            imports: image
                .imports()
                .fold(0, |all, import| all | 1 << service::of(import)),
            first_read: image.first_read(),
        })
    }

    /// What an image may do; `None` where there are not enough regions.
    fn rights(&self, image: &ImageView<'_>, ram: &Ram, is_native: bool) -> Option<Rights> {
        let mut regions = [(Region::default(), 0); mpu::MOST];
        let free = mpu::free();
        let place = image.bytes().as_ptr() as u32;
        let slot = (self.slot)(place);
        let whole = shifted(&(0..image.signed().len()), place);
        let code = shifted(&image.code(), place);
        let mut count = 0;
        let mut add = |wanted: Range<u32>, within: Range<u32>, most: usize, attributes: u32| {
            let mut found = [Region::default(); mpu::MOST];
            let most = most.min(free.checked_sub(count)?);
            let cover = cover(wanted, within, &mut found[..most])?;
            for region in &found[..cover.regions] {
                regions[count] = (*region, attributes);
                count += 1;
            }
            Some(())
        };
        if is_native {
            let start = ram.range().start;
            let guard = start..start.wrapping_add(1 << GUARD_BITS);
            add(guard.clone(), guard, 1, NONE | NO_EXECUTE)?;
        } else {
            add(
                ram.range(),
                ram.range(),
                2,
                CACHED | ALL_READ_WRITE | NO_EXECUTE,
            )?;
            // The code must get one of what is left.
            add(whole, slot.clone(), 2, CACHED | ALL_READ | NO_EXECUTE)?;
        }
        add(code, slot, 2, CACHED | ALL_READ)?;
        Some(Rights::new(&regions[..count]))
    }
}

impl<H: Host> Loaded<H> {
    /// Runs an operation to its end, with what it is told. It may ask for the services of these bits.
    #[inline]
    fn run(&mut self, operation: Operation, told: i32, imports: u32) -> Result<i32, Stop> {
        let pass = gate::pass();
        // SAFETY: nothing runs that has it, and the regions are the image's.
        unsafe {
            self.rights.set(self.number);
            (*pass).stack = self.block;
            (*pass).resume = self.entry;
            (*pass).arguments = [self.block, operation.number(), told as u32];
            (*pass).control = self.control;
        }
        loop {
            // SAFETY: the pass is for this image, whose regions are set: the host has set no others, as it enters none.
            unsafe { gate::enter() };
            // SAFETY: it has come back.
            let back = unsafe { &*pass };
            if back.cause != cause::SVC {
                return Err(self.stopped(back));
            }
            let Some(call) = self.service(back) else {
                return Err(self.trap(Failure::OtherTrap, None));
            };
            if call.number == service::END {
                let [result, last, _] = call.arguments;
                if let Some((output, at)) = last_write(last) {
                    self.check(Import::Write, imports, call.place)?;
                    self.ask(Import::Write, [output, at, 0], call.place)?;
                }
                return Ok(result as i32);
            }
            let answer = self.serve(&call, imports)?;
            // SAFETY: as above.
            unsafe {
                (*pass).stack = call.stack;
                (*pass).resume = call.place | 1;
                (*pass).arguments = [answer as u32, 0, 0];
            }
        }
    }

    /// What is answered to a supervisor call that is not the last.
    #[inline(never)]
    fn serve(&mut self, call: &Call, imports: u32) -> Result<i32, Stop> {
        if call.number == service::TRAP {
            return Err(self.trapped(call));
        }
        let Some(import) = service::import(call.number) else {
            return Err(self.trap(Failure::OtherTrap, Some(call.place.wrapping_sub(2))));
        };
        self.check(import, imports, call.place)?;
        self.ask(import, call.arguments, call.place)
    }

    /// Whether it may ask for an import; `place` is behind what asks.
    #[inline]
    fn check(&mut self, import: Import, imports: u32, place: u32) -> Result<(), Stop> {
        if imports >> service::of(import) & 1 == 1 {
            return Ok(());
        }
        Err(self.trap(Failure::OtherTrap, Some(place.wrapping_sub(2))))
    }

    /// What the host answers; `place` is behind what asks.
    #[inline]
    fn ask(&mut self, import: Import, arguments: [u32; 3], place: u32) -> Result<i32, Stop> {
        // SAFETY: the image waits, and nobody else has a part of its memory.
        let memory = unsafe { &mut *self.memory };
        let answer = self.host.import(import, arguments, memory)?;
        if gate::is_late() {
            return Err(self.trap(Failure::Deadline, Some(place.wrapping_sub(2))));
        }
        Ok(answer)
    }

    /// What the processor has pushed, where it lies in the image's RAM.
    #[inline]
    fn pushed(&self, back: &Pass) -> Option<&[u32; 8]> {
        // Of the stack and the block together are more than these bytes.
        let offset = back.stack.wrapping_sub(self.used.start);
        let is_within = offset <= self.room && back.stack.is_multiple_of(4);
        // SAFETY: it lies in RAM that is there, and the image waits.
        is_within.then(|| unsafe { &*(back.stack as *const [u32; 8]) })
    }

    /// What a supervisor call asks for; `None` where it does not come from the code of the image, or not as one can be
    /// answered.
    #[inline]
    fn service(&self, back: &Pass) -> Option<Call> {
        /// Bits of xPSR: a word was left out to align the stack; the instruction was a part of an `it` block.
        const ALIGNED: u32 = 1 << 9;
        const IN_BLOCK: u32 = 0b11 << 25 | 0b11_1111 << 10;
        let &[r0, r1, r2, _, _, _, pc, xpsr] = self.pushed(back)?;
        let at = pc.wrapping_sub(2);
        if at.wrapping_sub(self.code.start) > self.last || xpsr & IN_BLOCK != 0 {
            return None;
        }
        // SAFETY: it lies in the code, which is there as long as the image is.
        let instruction = unsafe { (at as *const u16).read() };
        // Eight words, and those of floating point where there are some.
        let bytes: u32 = if back.exc_return & 1 << 4 == 0 {
            0x68
        } else {
            0x20
        };
        Some(Call {
            number: instruction as u8,
            arguments: [r0, r1, r2],
            place: pc,
            stack: back
                .stack
                .wrapping_add(bytes)
                .wrapping_add((xpsr & ALIGNED) / (ALIGNED / 4)),
        })
    }

    /// It says itself that it trapped.
    #[cold]
    fn trapped(&mut self, call: &Call) -> Stop {
        let failure = match Trap::from_number(call.arguments[0]) {
            Some(Trap::Unreachable) => Failure::Unreachable,
            Some(Trap::Memory) => Failure::MemoryBounds,
            Some(Trap::Table | Trap::Null | Trap::Signature) => Failure::TableAccess,
            Some(Trap::Division | Trap::Overflow | Trap::Conversion) => Failure::Arithmetic,
            Some(Trap::Exhausted) => Failure::StackOverflow,
            None => Failure::OtherTrap,
        };
        self.trap(failure, Some(call.place.wrapping_sub(2)))
    }

    /// A fault or the deadline has stopped it.
    #[cold]
    fn stopped(&mut self, back: &Pass) -> Stop {
        const NOT_PUSHED: u32 = 1 << 4 | 1 << 5 | 1 << 12 | 1 << 13;
        const MEMORY_ADDRESS: u32 = 1 << 7;
        const BY_DIVISION: u32 = 1 << 25;
        const OF_MEMORY: u32 = 0xFFFF;
        if back.cause != cause::FAULT {
            let place = self.pushed(back).map(|pushed| pushed[6]);
            return self.trap(Failure::Deadline, place);
        }
        let is_pushed = back.cfsr & NOT_PUSHED == 0;
        let place = self.pushed(back).filter(|_| is_pushed).map(|p| p[6]);
        // A frame may be as large as its own stack, and leap so far.
        let below = self.used.start - (self.block - self.used.start).min(self.used.start);
        let address = (back.cfsr & MEMORY_ADDRESS != 0).then_some(back.mmfar);
        let is_below = address.is_some_and(|a| (below..self.used.start).contains(&a));
        let failure = if !is_pushed || is_below {
            Failure::StackOverflow
        } else if back.cfsr & BY_DIVISION != 0 {
            Failure::Arithmetic
        } else if back.cfsr & OF_MEMORY != 0 {
            Failure::MemoryBounds
        } else {
            Failure::OtherTrap
        };
        self.trap(failure, place)
    }

    /// Tells the host where it trapped.
    #[cold]
    fn trap(&mut self, failure: Failure, place: Option<u32>) -> Stop {
        let start = self.image.bytes().as_ptr() as usize;
        let place = place.and_then(|place| (place as usize).checked_sub(start));
        if let Some(function) = place.and_then(|place| self.image.function_at(place)) {
            self.host.trapped(function);
        }
        Stop::Trap(failure)
    }
}

/// A supervisor call.
struct Call {
    number: u8,
    arguments: [u32; 3],
    /// Behind it.
    place: u32,
    /// The stack pointer at it.
    stack: u32,
}

impl<H: Host> Instance<H> for Loaded<H> {
    #[inline]
    fn call(&mut self) -> Result<i32, Stop> {
        gate::set_deadline(self.host.deadline_ns());
        let told = match self.first_read {
            Some(FirstRead {
                capability,
                at,
                bytes,
            }) => self.ask(Import::Read, [capability, at, bytes], self.entry)?,
            None => 0,
        };
        self.run(Operation::Call, told, self.imports)
    }

    fn reset(&mut self) -> Result<(), Stop> {
        if !self.image.resets() {
            return Ok(());
        }
        gate::set_deadline(self.host.deadline_ns());
        self.run(Operation::Reset, 0, self.imports).map(drop)
    }

    fn host(&self) -> &H {
        &self.host
    }

    fn host_mut(&mut self) -> &mut H {
        &mut self.host
    }

    fn into_host(self) -> H {
        self.host
    }
}
