//! Merging loses nothing, and quantiles are as near to those of the sorted list as they are said to be.

use rune_saga::Histogram;

use crate::random::Random;

fn of(durations: &[u64]) -> Histogram {
    let mut histogram = Histogram::new();
    for &ns in durations {
        histogram.record(ns);
    }
    histogram
}

fn merged(mut a: Histogram, b: &Histogram) -> Histogram {
    a.merge(b);
    a
}

/// A list as a rune gives it: about one duration with some spread, or of all orders of magnitude.
fn durations(random: &mut Random, most: usize) -> Vec<u64> {
    let n = random.below(most);
    let usual = random.duration(34);
    let even = random.below(2) == 0;
    (0..n)
        .map(|_| {
            if even {
                random.duration(64)
            } else {
                usual + random.next() % (usual / 2 + 1)
            }
        })
        .collect()
}

#[test]
fn merging_is_recording_everything_in_one_in_any_order() {
    let mut random = Random::new(1);
    for _ in 0..300 {
        let lists = [(); 3].map(|()| durations(&mut random, 200));
        let [a, b, c] = lists.each_ref().map(|list| of(list));
        let all = of(&lists.concat());
        let left = merged(merged(a.clone(), &b), &c);
        let right = merged(a.clone(), &merged(b.clone(), &c));
        let back = merged(merged(c, &b), &a);
        assert_eq!(left, all);
        assert_eq!(right, all);
        assert_eq!(back, all);
        assert_eq!(merged(all.clone(), &Histogram::new()), all);
    }
}

#[test]
fn quantiles_are_within_the_stated_error() {
    let mut random = Random::new(2);
    let mut worst = 0.0f64;
    for _ in 0..500 {
        let mut list = durations(&mut random, 400);
        list.retain(|ns| *ns <= Histogram::RANGE_NS);
        let histogram = of(&list);
        list.sort_unstable();
        for q in [0.0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1.0] {
            let rank = (q * list.len() as f64).ceil().max(1.0) as usize;
            let due = list.get(rank - 1).map(|ns| (*ns).max(1));
            let found = histogram.quantile_ns(q);
            let (Some(due), Some(found)) = (due, found) else {
                assert_eq!(found, due);
                continue;
            };
            let error = due.abs_diff(found) as f64 / due as f64;
            worst = worst.max(error);
            assert!(
                error <= Histogram::RELATIVE_ERROR,
                "{q}: {found} for {due} of {list:?}"
            );
        }
        assert_eq!(histogram.min_ns(), list.first().map(|n| (*n).max(1)));
        assert_eq!(histogram.max_ns(), list.last().map(|n| (*n).max(1)));
        let sum = list.iter().map(|n| (*n).max(1)).sum::<u64>();
        assert_eq!(histogram.summary().sum_ns(), sum);
    }
    // The bound is one that is reached, not a guess far above.
    assert!(worst > 0.9 * Histogram::RELATIVE_ERROR, "{worst}");
}

#[test]
fn counts_up_to_a_bound_are_those_of_the_list() {
    let mut random = Random::new(3);
    for _ in 0..200 {
        let list = durations(&mut random, 200);
        let histogram = of(&list);
        let counted = |bound: u64| list.iter().filter(|ns| **ns <= bound).count() as u64;
        for bit in 0..=36 {
            assert_eq!(histogram.at_most(1 << bit), counted(1 << bit));
        }
        let mut sum = 0;
        for bucket in histogram.buckets() {
            sum += bucket.count;
            assert_eq!(sum, counted(bucket.upper_ns.unwrap_or(u64::MAX)));
        }
        assert_eq!(sum, histogram.count());
    }
}
