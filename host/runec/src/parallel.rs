//! Work on many items on all processors, with results in the order of the items.

use std::{
    num::NonZero,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

/// Applies `work` to every item, on as many threads as there are processors, and hands each result to `each`
/// in the order of the items, as soon as those before it are there. What `each` sees does not depend on the
/// threads.
pub(crate) fn in_order<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    mut each: impl FnMut(R),
) {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = processors.min(items.len());
    if threads <= 1 {
        return items.iter().for_each(|item| each(work(item)));
    }
    // Each thread takes the next item there is, so one that is slow holds up no other.
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (sender, results) = mpsc::channel();
        for _ in 0..threads {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                while let Some((index, item)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    items.get(index).map(|item| (index, item))
                } {
                    if sender.send((index, work(item))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut waiting: Vec<Option<R>> = items.iter().map(|_| None).collect();
        let mut first = 0;
        for (index, result) in results {
            waiting[index] = Some(result);
            while let Some(result) = waiting.get_mut(first).and_then(Option::take) {
                each(result);
                first += 1;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for count in [0, 1, 2, 1000] {
            let items: Vec<u32> = (0..count).collect();
            let mut results = Vec::new();
            let slow = |item: &u32| {
                // The first ones take longest.
                thread::sleep(std::time::Duration::from_micros(u64::from(
                    20 - (item % 20),
                )));
                item * 2
            };
            in_order(&items, slow, |result| results.push(result));
            let expected: Vec<u32> = items.iter().map(|item| item * 2).collect();
            assert_eq!(results, expected);
        }
    }
}
