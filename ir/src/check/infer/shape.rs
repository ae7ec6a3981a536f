//! When two shapes hold the same elements in the same order.

use crate::{
    block::PortDim,
    ty::{Dim, PartialType},
};

/// How two shapes that hold the same elements differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// Not at all.
    Same,
    /// By leading dimensions of 1.
    Batch,
    /// By dimensions of 1 elsewhere.
    Units,
}

const ONE: Option<Dim> = Some(Dim::Exact(1));

/// Whether two shapes hold the same elements in the same order; gives the first, with its open dimensions
/// filled in from the second.
pub(super) fn join(a: &[Option<Dim>], b: &[Option<Dim>]) -> Option<(Vec<Option<Dim>>, Fit)> {
    fn unify(a: &[Option<Dim>], b: &[Option<Dim>]) -> Option<Vec<Option<Dim>>> {
        (a.len() == b.len()).then_some(())?;
        a.iter()
            .zip(b)
            .map(|(a, b)| {
                if a.is_none() || b.is_none() || a == b {
                    Some(a.or(*b))
                } else {
                    None
                }
            })
            .collect()
    }
    let lead = |dims: &[Option<Dim>]| dims.iter().take_while(|d| **d == ONE).count();
    if let Some(joined) = unify(a, b) {
        return Some((joined, Fit::Same));
    }
    let (longer, shorter) = if a.len() > b.len() { (a, b) } else { (b, a) };
    let extra = longer.len() - shorter.len();
    if extra > 0 && lead(longer) >= extra {
        let tail = &longer[extra..];
        let (a_tail, b_tail) = if a.len() > b.len() {
            (tail, b)
        } else {
            (a, tail)
        };
        if let Some(joined) = unify(a_tail, b_tail) {
            let head = if a.len() > b.len() { &a[..extra] } else { &[] };
            return Some(([head, &joined[..]].concat(), Fit::Batch));
        }
    }
    let units = |dims: &[Option<Dim>]| {
        dims.iter()
            .copied()
            .filter(|d| *d != ONE)
            .collect::<Vec<_>>()
    };
    let mut joined = unify(&units(a), &units(b))?.into_iter();
    Some((
        a.iter()
            .map(|d| {
                if *d == ONE {
                    ONE
                } else {
                    joined.next().flatten()
                }
            })
            .collect(),
        Fit::Units,
    ))
}

/// The shape with the rank a pattern wants: unchanged, without or with leading ones, or without any ones.
pub(super) fn fit(pattern: &[PortDim], dims: &[Option<Dim>]) -> Option<Vec<Option<Dim>>> {
    let fixed = pattern
        .iter()
        .filter(|p| !matches!(p, PortDim::Rest(_)))
        .count();
    if fixed < pattern.len() {
        return (dims.len() >= fixed).then(|| dims.to_vec());
    }
    if dims.len() == fixed {
        return Some(dims.to_vec());
    }
    if dims.len() < fixed {
        let mut padded = vec![ONE; fixed - dims.len()];
        padded.extend_from_slice(dims);
        return Some(padded);
    }
    let extra = dims.len() - fixed;
    if dims[..extra].iter().all(|d| *d == ONE) {
        return Some(dims[extra..].to_vec());
    }
    let mut units: Vec<Option<Dim>> = dims.iter().copied().filter(|d| *d != ONE).collect();
    while units.len() < fixed {
        units.insert(0, ONE);
    }
    (units.len() == fixed).then_some(units)
}

/// What a written type makes of a known one: the written shape where it holds the same elements.
pub(super) fn merge_declared(known: &PartialType, written: &PartialType) -> Option<PartialType> {
    let element = match (known.element, written.element) {
        (Some(a), Some(b)) if a != b => return None,
        (a, b) => b.or(a),
    };
    let dims = match (&known.dims, &written.dims) {
        (Some(known), Some(written)) => Some(join(written, known)?.0),
        (known, written) => written.clone().or_else(|| known.clone()),
    };
    Some(PartialType { element, dims })
}
