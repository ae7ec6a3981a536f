//! Engine two: runs images where they lie.

use alloc::alloc::{alloc_zeroed, dealloc};
use core::{
    alloc::Layout,
    ops::Range,
    ptr::{self, NonNull},
    slice,
    sync::atomic::{AtomicU32, Ordering},
};

use rune_abi::{
    Import, WasmFeatures,
    image::{FirstRead, ImageView, Operation, Target, Trap, last_write, service},
};
use rune_core::{Checked, Engine, Host, Instance, Lent, Limits, StartError, Stopped, Text};
use rune_firmware::mpu::{Region, allocation, cover};
use rune_saga::Failure;

use crate::{
    gate::{self, Back, Entry, cause},
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
pub struct Loaded {
    image: ImageView<'static>,
    /// Given back at the end.
    _ram: Ram,
    /// Of the stack and the block, in RAM.
    used: Range<u32>,
    /// Its memory, in its block.
    memory: *mut [u8],
    rights: Rights,
    number: u32,
    /// How an operation begins, but for its arguments.
    entry: Entry,
    /// Behind the first instruction of the code.
    behind: u32,
    /// Of what an exception pushes the last place, from the start of what is used.
    room: u32,
    /// Behind the last, from there.
    last: u32,
    /// The services it may ask for, by their numbers.
    imports: u32,
    /// What is read for it before each call, and where it goes; `None` where that is not in its memory.
    first_read: Option<(FirstRead, Option<NonNull<u8>>)>,
    /// The last write of a call that its host has found right, where it does not change: then the elements are passed on
    /// as they are.
    known: LastWrite,
}

/// A write at the end of a call, and the elements of its record.
struct LastWrite {
    /// As the image says it, see [`last_write`]; 0 is none.
    word: u32,
    output: u32,
    elements: *mut [u8],
}

impl LastWrite {
    fn none() -> Self {
        Self {
            word: 0,
            output: 0,
            elements: ptr::slice_from_raw_parts_mut(NonNull::dangling().as_ptr(), 0),
        }
    }
}

impl Engine for Images {
    const FEATURES: WasmFeatures = WasmFeatures(0);

    type Instance<H: Host + 'static> = Loaded;

    fn start<H: Host + 'static>(
        &self,
        rune: &Checked<'static>,
        limits: &Limits,
    ) -> Result<Loaded, StartError> {
        let image = rune.image().ok_or(StartError::NoModules)?;
        let deadline_ns = (self.now_ns)().saturating_add(limits.call_ns);
        self.run_up(image, deadline_ns)
    }
}

/// The host of an image that is being started: nothing is done for it before it is called.
struct Starting(Failure);

impl Host for Starting {
    fn read(&mut self, _: u32, _: u32, _: Option<&mut [u8]>) -> Result<i32, Stopped> {
        Err(Stopped)
    }

    fn write(&mut self, _: &[u8], _: u32, _: u32) -> Result<(), Stopped> {
        Err(Stopped)
    }

    fn log(&mut self, _: u32, _: Option<&[u8]>) -> Result<(), Stopped> {
        Err(Stopped)
    }

    fn fault(&mut self, _: Option<&[u8]>) -> Result<(), Stopped> {
        Err(Stopped)
    }

    fn mark(&mut self, _: u32, _: u32) {}

    fn is_in_time(&mut self) -> Result<(), Stopped> {
        Err(Stopped)
    }

    fn trapped(&mut self, failure: Failure, _: Option<&'static str>) {
        self.0 = failure;
    }
}

impl Images {
    /// Loads an image and runs what it begins with.
    fn run_up(&self, image: &ImageView<'static>, deadline_ns: u64) -> Result<Loaded, StartError> {
        let mut loaded = self.load(image)?;
        gate::set_deadline(deadline_ns);
        let mut host = Starting(Failure::Contract);
        // It may ask for nothing.
        let imports = core::mem::take(&mut loaded.imports);
        let ran = loaded.run(&mut host, Operation::Init, 0);
        loaded.imports = imports;
        ran.map(|_| loaded).map_err(|Stopped| {
            let text = format_args!("its start was stopped by {}", host.0.name());
            StartError::Image(Text::of(text))
        })
    }

    /// Takes all memory that an image needs, and finds the regions for it.
    fn load(&self, image: &ImageView<'static>) -> Result<Loaded, StartError> {
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
        let ram = ram.ok_or(StartError::Memory)?;
        let rights = self.rights(image, &ram, is_native).ok_or_else(|| {
            let why = "the protection unit has not enough regions for where it lies";
            StartError::Image(Text::of(why))
        })?;
        let start = ram.range().start.wrapping_add(below as u32);
        let block = start.wrapping_add(stack as u32);
        let used = start..block.wrapping_add(image.block_bytes() as u32);
        // What an exception pushes, with floating point or without, begins with eight words.
        let room = (used.len() as u32).checked_sub(32);
        let last = (image.code().len() as u32).checked_sub(2);
        let (room, last) = room.zip(last).ok_or(StartError::Memory)?;
        let memory = image.memory();
        let memory = ptr::slice_from_raw_parts_mut(
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
            image: *image,
            _ram: ram,
            used,
            memory,
            rights,
            number,
            entry: Entry {
                stack: block,
                resume: place.wrapping_add(image.entry() as u32) | 1,
                arguments: [block, 0, 0],
                control: if is_native {
                    gate::PRIVILEGED
                } else {
                    gate::UNPRIVILEGED
                },
            },
            room,
            last,
            behind: code.start.wrapping_add(2),
            imports: image
                .imports()
                .fold(0, |all, import| all | 1 << service::of(import)),
            first_read: image.first_read().map(|read| {
                let end = read.at.checked_add(read.bytes);
                let is_within = end.is_some_and(|end| end as usize <= memory.len());
                let start = memory.cast::<u8>().wrapping_add(read.at as usize);
                (read, NonNull::new(start).filter(|_| is_within))
            }),
            known: LastWrite::none(),
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

impl Loaded {
    /// A call, with what is read for it before and written behind it.
    fn call(&mut self, host: &mut dyn Host, deadline_ns: u64) -> Result<i32, Stopped> {
        gate::set_deadline(deadline_ns);
        let told = match self.first_read {
            Some((
                FirstRead {
                    capability, bytes, ..
                },
                start,
            )) => {
                // SAFETY: so many bytes lie in its memory; the image waits, and nobody else has a part of it.
                let out = start.map(|start| unsafe {
                    slice::from_raw_parts_mut(start.as_ptr(), bytes as usize)
                });
                // If that took all of its time, the next interrupt stops it.
                host.read(capability, bytes, out)?
            }
            None => 0,
        };
        self.run(host, Operation::Call, told)
    }

    /// Runs an operation to its end, with what it is told.
    #[inline(always)]
    fn run(
        &mut self,
        host: &mut dyn Host,
        operation: Operation,
        told: i32,
    ) -> Result<i32, Stopped> {
        let [_, kind, argument] = &mut self.entry.arguments;
        (*kind, *argument) = (operation.number(), told as u32);
        // SAFETY: nothing runs that has the regions, and they are the image's, whose header says where it is entered.
        let back = unsafe {
            self.rights.set(self.number);
            gate::enter(&self.entry)
        };
        match self.service(back) {
            Some((service::END, pushed)) => self.end(host, &pushed),
            _ => self.go_on(host, back),
        }
    }

    /// The operation has ended, perhaps with a record.
    #[inline(always)]
    fn end(&mut self, host: &mut dyn Host, pushed: &Pushed) -> Result<i32, Stopped> {
        if pushed.r1 != 0 {
            if pushed.r1 == self.known.word {
                // SAFETY: they lie in the image's memory; it waits, and nobody else has a part of it.
                let elements = unsafe { &*self.known.elements };
                host.write_elements(self.known.output, elements)?;
            } else {
                self.write_last(host, pushed)?;
            }
        }
        Ok(pushed.r0 as i32)
    }

    /// Writes what a call writes last.
    #[inline(never)]
    fn write_last(&mut self, host: &mut dyn Host, pushed: &Pushed) -> Result<(), Stopped> {
        let word = pushed.r1;
        let Some((output, at)) = last_write(word) else {
            return Ok(());
        };
        if !self.may(Import::Write) {
            let at = pushed.pc.wrapping_sub(2);
            return Err(self.trap(host, Failure::OtherTrap, Some(at)));
        }
        let memory = self.memory();
        host.write(memory, output, at)?;
        let place = host.elements(memory, output, at);
        self.known = match place.filter(|_| self.image.keeps_records()) {
            Some(place) => LastWrite {
                word,
                output,
                elements: ptr::slice_from_raw_parts_mut(
                    self.memory.cast::<u8>().wrapping_add(place.start),
                    place.len(),
                ),
            },
            None => LastWrite::none(),
        };
        Ok(())
    }

    /// The image has come back before the end of an operation: what it asks for is done, and so on to the end.
    #[inline(never)]
    fn go_on(&mut self, host: &mut dyn Host, mut back: &Back) -> Result<i32, Stopped> {
        loop {
            if back.cause != cause::SVC {
                return Err(self.stopped(host, back));
            }
            let Some((number, pushed)) = self.service(back) else {
                return Err(self.trap(host, Failure::OtherTrap, None));
            };
            if number == service::END {
                return self.end(host, &pushed);
            }
            let entry = self.serve(host, number, back.exc_return, back.stack, &pushed)?;
            // SAFETY: it goes on where it left, with its regions, as the host sets no others.
            back = unsafe { gate::enter(&entry) };
        }
    }

    /// Its memory.
    fn memory(&mut self) -> &mut [u8] {
        // SAFETY: the image waits, and nobody else has a part of its memory.
        unsafe { &mut *self.memory }
    }

    /// How an image goes on after a supervisor call that is not the last.
    fn serve(
        &mut self,
        host: &mut dyn Host,
        number: u8,
        exc_return: u32,
        stack: u32,
        pushed: &Pushed,
    ) -> Result<Entry, Stopped> {
        let &Pushed {
            r0,
            r1,
            r2,
            pc,
            xpsr,
            ..
        } = pushed;
        let at = Some(pc.wrapping_sub(2));
        if number == service::TRAP {
            return Err(self.trap(host, trapped(r0), at));
        }
        let import = service::import(number).filter(|import| self.may(*import));
        let Some(import) = import else {
            return Err(self.trap(host, Failure::OtherTrap, at));
        };
        let answer = host.import(import, [r0, r1, r2], self.memory())?;
        if gate::is_late() {
            return Err(self.trap(host, Failure::Deadline, at));
        }
        // Eight words, and those of floating point where there are some.
        let bytes: u32 = if exc_return & 1 << 4 == 0 { 0x68 } else { 0x20 };
        let stack = stack.wrapping_add(bytes);
        Ok(Entry {
            stack: stack.wrapping_add((xpsr & Pushed::ALIGNED) / (Pushed::ALIGNED / 4)),
            resume: pc | 1,
            arguments: [answer as u32, 0, 0],
            control: self.entry.control,
        })
    }

    /// Whether it may ask for an import.
    fn may(&self, import: Import) -> bool {
        self.imports >> service::of(import) & 1 == 1
    }

    /// What the processor has pushed, where it lies in the image's RAM.
    #[inline(always)]
    fn pushed(&self, back: &Back) -> Option<Pushed> {
        // Of the stack and the block together are more than these bytes.
        let offset = back.stack.wrapping_sub(self.used.start);
        if offset > self.room || !back.stack.is_multiple_of(4) {
            return None;
        }
        // SAFETY: it lies in RAM that is there, and the image waits.
        Some(unsafe { *(back.stack as *const Pushed) })
    }

    /// The number of a supervisor call, and what was pushed for it; `None` where it does not come from the code of the
    /// image, or not as one can be answered.
    #[inline(always)]
    fn service(&self, back: &Back) -> Option<(u8, Pushed)> {
        if back.cause != cause::SVC {
            return None;
        }
        let pushed = self.pushed(back)?;
        if pushed.pc.wrapping_sub(self.behind) > self.last || pushed.xpsr & Pushed::IN_BLOCK != 0 {
            return None;
        }
        // SAFETY: it lies in the code, which is there as long as the image is.
        let instruction = unsafe { (pushed.pc.wrapping_sub(2) as *const u16).read() };
        Some((instruction as u8, pushed))
    }

    /// A fault or the deadline has stopped it.
    #[cold]
    #[inline(never)]
    fn stopped(&mut self, host: &mut dyn Host, back: &Back) -> Stopped {
        const NOT_PUSHED: u32 = 1 << 4 | 1 << 5 | 1 << 12 | 1 << 13;
        const MEMORY_ADDRESS: u32 = 1 << 7;
        const BY_DIVISION: u32 = 1 << 25;
        const OF_MEMORY: u32 = 0xFFFF;
        if back.cause != cause::FAULT {
            let place = self.pushed(back).map(|pushed| pushed.pc);
            return self.trap(host, Failure::Deadline, place);
        }
        let is_pushed = back.cfsr & NOT_PUSHED == 0;
        let place = self.pushed(back).filter(|_| is_pushed).map(|p| p.pc);
        // A frame may be as large as its own stack, and leap so far.
        let below = self.used.start - (self.entry.stack - self.used.start).min(self.used.start);
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
        self.trap(host, failure, place)
    }

    /// Tells the host where it trapped.
    #[cold]
    #[inline(never)]
    fn trap(&mut self, host: &mut dyn Host, failure: Failure, place: Option<u32>) -> Stopped {
        let start = self.image.bytes().as_ptr() as usize;
        let place = place.and_then(|place| (place as usize).checked_sub(start));
        let function = place.and_then(|place| self.image.function_at(place));
        host.trapped(failure, function);
        Stopped
    }
}

/// What the processor pushes at an exception.
#[repr(C)]
#[derive(Clone, Copy)]
struct Pushed {
    r0: u32,
    r1: u32,
    r2: u32,
    r3: u32,
    r12: u32,
    lr: u32,
    pc: u32,
    xpsr: u32,
}

impl Pushed {
    /// Bits of xPSR: the instruction was a part of an `it` block.
    const IN_BLOCK: u32 = 0b11 << 25 | 0b11_1111 << 10;
    /// A word was left out to align the stack.
    const ALIGNED: u32 = 1 << 9;
}

/// What Saga counts a trap as that an image tells of itself.
#[cold]
fn trapped(number: u32) -> Failure {
    match Trap::from_number(number) {
        Some(Trap::Unreachable) => Failure::Unreachable,
        Some(Trap::Memory) => Failure::MemoryBounds,
        Some(Trap::Table | Trap::Null | Trap::Signature) => Failure::TableAccess,
        Some(Trap::Division | Trap::Overflow | Trap::Conversion) => Failure::Arithmetic,
        Some(Trap::Exhausted) => Failure::StackOverflow,
        None => Failure::OtherTrap,
    }
}

impl<H: Host> Instance<H> for Loaded {
    fn call(&mut self, host: &mut Lent<H>, deadline_ns: u64) -> Result<i32, Stopped> {
        let host = host.as_deref_mut().ok_or(Stopped)?;
        Self::call(self, host, deadline_ns)
    }

    fn reset(&mut self, host: &mut Lent<H>, deadline_ns: u64) -> Result<(), Stopped> {
        if !self.image.resets() {
            return Ok(());
        }
        let host = host.as_deref_mut().ok_or(Stopped)?;
        gate::set_deadline(deadline_ns);
        self.run(host, Operation::Reset, 0).map(drop)
    }
}
