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
    if let Some(joined) = unify(a, b) {
        return Some((joined, Fit::Same));
    }
    let (longer, shorter) = if a.len() > b.len() { (a, b) } else { (b, a) };
    let (head, tail) = longer.split_at(longer.len() - shorter.len());
    // An open dimension is the batch where the shape to batch is known.
    let is_one = |d: &Option<Dim>| *d == ONE || (d.is_none() && !shorter.contains(&None));
    if !head.is_empty()
        && head.iter().all(is_one)
        && let Some(mut joined) = unify(tail, shorter)
    {
        if a.len() > b.len() {
            joined.splice(0..0, vec![ONE; head.len()]);
        }
        return Some((joined, Fit::Batch));
    }
    let (full_a, full_b) = (by_count(a, b), by_count(b, a));
    let (a, b) = (
        full_a.as_deref().unwrap_or(a),
        full_b.as_deref().unwrap_or(b),
    );
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

/// A shape whose one open dimension follows from the number of elements of a whole one, if so.
fn by_count(open: &[Option<Dim>], whole: &[Option<Dim>]) -> Option<Vec<Option<Dim>>> {
    let count = |dims: &[Option<Dim>]| {
        dims.iter().try_fold(1u64, |n, dim| match dim {
            Some(Dim::Exact(d)) => n.checked_mul(u64::from(*d)),
            Some(Dim::AtMost(_)) => None,
            None => Some(n),
        })
    };
    let is_one_open = open.iter().filter(|d| d.is_none()).count() == 1;
    if !is_one_open || whole.contains(&None) {
        return None;
    }
    let (all, known) = (count(whole)?, count(open)?);
    if known == 0 || all % known != 0 {
        return None;
    }
    let last = Dim::Exact(u32::try_from(all / known).ok()?);
    Some(open.iter().map(|d| d.or(Some(last))).collect())
}

/// The shape with the rank a pattern wants: unchanged, without or with leading ones, or without any ones.
pub(super) fn fit(pattern: &[PortDim], dims: &[Option<Dim>]) -> Option<Vec<Option<Dim>>> {
    let fixed = pattern.iter().filter(|p| !p.is_run()).count();
    let has_rest = fixed < pattern.len();
    if dims.len() == fixed || (has_rest && dims.len() > fixed) {
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
