//! The allocator of `init` against a model, on memory of the host.
#![expect(unsafe_code, reason = "calls an allocator and reads what it gave")]

use std::{
    alloc::{GlobalAlloc, Layout},
    ops::Range,
    vec::Vec,
};

use super::arena::Arena;

const BYTES: usize = 1 << 14;

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % n
    }

    fn layout(&mut self) -> Layout {
        let align = 1 << [0, 0, 1, 2, 2, 3, 4, 6][self.below(8)];
        let most = [8, 40, 400][self.below(3)];
        Layout::from_size_align(1 + self.below(most), align).unwrap()
    }
}

struct Block {
    at: *mut u8,
    layout: Layout,
    seed: u8,
}

impl Block {
    fn range(&self) -> Range<usize> {
        self.at.addr()..self.at.addr() + self.layout.size()
    }

    fn byte(&self, index: usize) -> u8 {
        self.seed.wrapping_add(index as u8) | 1
    }

    /// Writes what [`check`](Self::check) expects, from byte `from`, where it finds zeros.
    fn fill(&self, from: usize) {
        for i in from..self.layout.size() {
            // SAFETY: inside the block.
            unsafe {
                assert_eq!(self.at.add(i).read(), 0, "memory is zero");
                self.at.add(i).write(self.byte(i));
            }
        }
    }

    fn check(&self, bytes: usize) {
        for i in 0..bytes {
            // SAFETY: inside the block.
            assert_eq!(unsafe { self.at.add(i).read() }, self.byte(i));
        }
    }
}

/// The list is well formed, apart from every block, and with the blocks it is all that is not zero.
fn check(arena: &Arena, memory: *mut u8, blocks: &[Block], next: *mut u8, mut link: u32) -> usize {
    let mut used = vec![false; BYTES];
    let mut mark = |range: Range<usize>| {
        for byte in &mut used[range.start - memory.addr()..range.end - memory.addr()] {
            assert!(!*byte, "memory is in use once");
            *byte = true;
        }
    };
    for block in blocks {
        assert!(block.range().end <= next.addr());
        assert_eq!(block.at.addr() % block.layout.align(), 0);
        block.check(block.layout.size());
        mark(block.range());
    }
    let mut last = 0;
    let mut freed = 0;
    while link != 0 {
        // SAFETY: a link of the list.
        let node = unsafe { arena.node(link) };
        assert!(link.is_multiple_of(8) && node.bytes.is_multiple_of(8) && node.bytes > 0);
        assert!(link > last, "rises, and neighbours are one range");
        last = link + node.bytes;
        let at = memory.addr() - 8 + link as usize;
        assert!(at + node.bytes as usize <= next.addr());
        mark(at..at + node.bytes as usize);
        // SAFETY: inside the arena.
        let rest = unsafe {
            std::slice::from_raw_parts(memory.with_addr(at + 8), node.bytes as usize - 8)
        };
        assert!(rest.iter().all(|b| *b == 0));
        freed += node.bytes as usize;
        link = node.next;
    }
    for (i, used) in used.iter().enumerate() {
        // SAFETY: inside the arena.
        assert!(*used || unsafe { memory.add(i).read() } == 0);
    }
    freed
}

#[test]
fn behaves_as_the_model() {
    for seed in 1..40 {
        let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ seed);
        let mut memory = vec![0_u128; BYTES / 16];
        let start: *mut u8 = memory.as_mut_ptr().cast();
        let arena = Arena::new();
        arena.open(start, start.wrapping_add(BYTES));
        let mut blocks: Vec<Block> = Vec::new();
        let mut refused = 0;
        for _ in 0..400 {
            let choice = random.below(10);
            // SAFETY: blocks are given back as they were taken.
            unsafe {
                if choice < 5 || blocks.is_empty() {
                    let layout = random.layout();
                    let at = arena.alloc(layout);
                    if at.is_null() {
                        refused += 1;
                        continue;
                    }
                    let block = Block {
                        at,
                        layout,
                        seed: random.below(256) as u8,
                    };
                    block.fill(0);
                    blocks.push(block);
                    continue;
                }
                let index = random.below(blocks.len());
                let mut block = blocks.swap_remove(index);
                if choice < 8 {
                    arena.dealloc(block.at, block.layout);
                    continue;
                }
                let (old, size) = (block.layout.size(), random.layout().size());
                let at = arena.realloc(block.at, block.layout, size);
                if !at.is_null() {
                    block.at = at;
                    block.layout = Layout::from_size_align(size, block.layout.align()).unwrap();
                    block.check(old.min(size));
                    block.fill(old.min(size));
                }
                blocks.push(block);
            }
        }
        let (next, link) = arena.close();
        arena.open(start, start);
        check(&arena, start, &blocks, next, link);
        assert!(refused < 200, "seed {seed} hardly ever had room");
    }
}

#[test]
fn freed_memory_is_used_again() {
    let mut memory = vec![0_u128; BYTES / 16];
    let start: *mut u8 = memory.as_mut_ptr().cast();
    let arena = Arena::new();
    arena.open(start, start.wrapping_add(BYTES));
    let layout = |size| Layout::from_size_align(size, 4).unwrap();
    // SAFETY: blocks are given back as they were taken.
    unsafe {
        let blocks: Vec<_> = (0..6).map(|_| arena.alloc(layout(24))).collect();
        assert!(blocks.windows(2).all(|w| w[1].addr() - w[0].addr() == 24));
        // Neighbours freed in any order become one range.
        for index in [1, 3, 2] {
            arena.dealloc(blocks[index], layout(24));
        }
        assert_eq!(arena.alloc(layout(68)), blocks[1]);
        arena.dealloc(blocks[1], layout(68));
        assert_eq!(arena.alloc(layout(8)), blocks[1]);
        // The last block goes back to the end.
        arena.dealloc(blocks[5], layout(24));
        assert_eq!(arena.alloc(layout(1000)), blocks[5]);
        assert_eq!(arena.realloc(blocks[5], layout(1000), 24), blocks[5]);
        assert!(arena.alloc(layout(BYTES)).is_null());
    }
    let (next, link) = arena.close();
    assert_eq!(next.addr() - start.addr(), 6 * 24);
    arena.open(start, start);
    // SAFETY: the first link of the list.
    let node = unsafe { arena.node(link) };
    assert_eq!((node.bytes, node.next), (3 * 24 - 8, 0));
}
