//! The greatest element, and the largest elements in order.
//!
//! Of the latter the result itself is the heap of the best so far, so it takes O(n log count) and no other memory.

use core::cmp::Ordering;

use rune_block_sdk::{Element, Fault};

/// The greatest element, the first of equals, and its index; none where all are NaN.
pub fn greatest<T: Element>(elements: impl Iterator<Item = T>) -> Option<(u32, T)> {
    let mut elements = (0..).zip(elements);
    #[expect(clippy::eq_op, reason = "NaN alone is not itself")]
    let mut best = elements.find(|(_, x)| x == x)?;
    // From here on a NaN is not greater.
    for (index, x) in elements {
        if x > best.1 {
            best = (index, x);
        }
    }
    Some(best)
}

/// Fills `indices` with those of the largest elements, the largest first; of equal ones the lower index
/// comes first, and NaN comes last.
///
/// # Errors
/// If there are fewer elements than indices.
pub fn largest<T: Element>(confidences: &[T], indices: &mut [u32]) -> Result<(), Fault> {
    let count = indices.len();
    if count > confidences.len() {
        return Err(Fault::OutOfRange);
    }
    for (i, index) in indices.iter_mut().enumerate() {
        *index = i as u32;
    }
    // A heap with the least confident on top, so that the next candidate has one rival.
    for top in (0..count / 2).rev() {
        sink(indices, top, confidences);
    }
    for i in count..confidences.len() {
        if order(confidences, i as u32, indices[0]).is_lt() {
            indices[0] = i as u32;
            sink(indices, 0, confidences);
        }
    }
    // Take the top off again and again: the least confident goes to the end.
    for end in (1..count).rev() {
        indices.swap(0, end);
        sink(&mut indices[..end], 0, confidences);
    }
    Ok(())
}

/// Moves the index at `at` down until neither child comes after it.
fn sink<T: Element>(heap: &mut [u32], mut at: usize, confidences: &[T]) {
    loop {
        let mut child = 2 * at + 1;
        if child >= heap.len() {
            return;
        }
        if child + 1 < heap.len() && order(confidences, heap[child], heap[child + 1]).is_lt() {
            child += 1;
        }
        if order(confidences, heap[child], heap[at]).is_lt() {
            return;
        }
        heap.swap(at, child);
        at = child;
    }
}

/// The order of two indices in the result: confidence falling, NaN last, index rising.
fn order<T: Element>(confidences: &[T], a: u32, b: u32) -> Ordering {
    let (x, y) = (confidences[a as usize], confidences[b as usize]);
    #[expect(clippy::eq_op, reason = "NaN alone is not itself")]
    let by_confidence = y.partial_cmp(&x).unwrap_or_else(|| (x != x).cmp(&(y != y)));
    by_confidence.then(a.cmp(&b))
}
