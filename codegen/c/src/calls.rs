//! Who calls whom: which functions are needed, which may call themselves, and how deep calls go at most.

use std::collections::BTreeSet;

use wasmparser::Operator;

use crate::{
    Error,
    module::{Module, Signature},
};

/// The calls of a module. Types are told by the first index of an equal one.
pub(crate) struct Calls {
    /// For each type, the first index of an equal one.
    pub(crate) canonical: Vec<u32>,
    /// Whether an export may reach a function, by its place among those that are not imported.
    pub(crate) needed: Vec<bool>,
    /// Whether a function may call itself, directly or not.
    pub(crate) cyclic: Vec<bool>,
    /// The types that are called through the table.
    pub(crate) indirect: BTreeSet<u32>,
    /// The most calls that can be under way, where no function calls itself.
    pub(crate) depth: Option<u32>,
}

/// The functions, and after them the types: a call through the table may be one of any entry of its type.
struct Graph {
    edges: Vec<Vec<usize>>,
    functions: usize,
}

impl Calls {
    pub(crate) fn of(module: &Module<'_>) -> Result<Self, Error> {
        let canonical = canonical(&module.types);
        let functions = module.bodies.len();
        let imported = module.imports.len();
        let mut edges = vec![BTreeSet::new(); functions + module.types.len()];
        for (index, body) in module.bodies.iter().enumerate() {
            for operator in body.get_operators_reader()? {
                let operator = operator?;
                if let Operator::Call { function_index } = operator {
                    if let Some(callee) = (function_index as usize).checked_sub(imported) {
                        edges[index].insert(callee);
                    }
                } else if let Operator::CallIndirect { type_index, .. } = operator {
                    edges[index].insert(functions + canonical[type_index as usize] as usize);
                }
            }
        }
        for function in module.table.iter().flatten() {
            if let Some(callee) = (*function as usize).checked_sub(imported) {
                let ty = canonical[module.functions[callee] as usize];
                edges[functions + ty as usize].insert(callee);
            }
        }
        let graph = Graph {
            edges: edges
                .into_iter()
                .map(|set| set.into_iter().collect())
                .collect(),
            functions,
        };
        let starts = module.exports.iter().filter_map(|(_, function)| {
            // An exported import has no body here.
            (*function as usize).checked_sub(imported)
        });
        let reached = graph.reached(starts);
        let (cyclic, depths) = graph.components();
        let depth = (0..functions)
            .filter(|f| reached[*f])
            .max_by_key(|f| depths[*f]);
        let recursive = (0..functions).any(|f| reached[f] && cyclic[f]);
        Ok(Self {
            canonical,
            needed: reached[..functions].to_vec(),
            cyclic: cyclic[..functions].to_vec(),
            indirect: (functions..reached.len())
                .filter(|node| reached[*node])
                .map(|node| (node - functions) as u32)
                .collect(),
            depth: (!recursive).then(|| depth.map_or(0, |f| depths[f])),
        })
    }
}

fn canonical(types: &[Signature]) -> Vec<u32> {
    let mut first = std::collections::BTreeMap::new();
    let of = |(index, ty): (usize, &Signature)| {
        let key = (ty.params.clone(), ty.results.clone());
        *first.entry(key).or_insert(index as u32)
    };
    types.iter().enumerate().map(of).collect()
}

impl Graph {
    fn reached(&self, starts: impl Iterator<Item = usize>) -> Vec<bool> {
        let mut reached = vec![false; self.edges.len()];
        let mut work: Vec<usize> = starts.collect();
        while let Some(node) = work.pop() {
            if !std::mem::replace(&mut reached[node], true) {
                work.extend(&self.edges[node]);
            }
        }
        reached
    }

    /// For each node whether it lies on a cycle, and the most functions on a way from it, cycles counted once. This is
    /// Tarjan's algorithm with a stack of its own: a component is complete after all that it reaches.
    fn components(&self) -> (Vec<bool>, Vec<u32>) {
        const NEW: usize = usize::MAX;
        let count = self.edges.len();
        let (mut order, mut low) = (vec![NEW; count], vec![0; count]);
        let (mut cyclic, mut depths) = (vec![false; count], vec![0; count]);
        let (mut waiting, mut is_waiting) = (Vec::new(), vec![false; count]);
        let mut next = 0;
        for start in 0..count {
            if order[start] != NEW {
                continue;
            }
            // A node, and how many of its edges were followed.
            let mut path = vec![(start, 0)];
            while let Some((node, followed)) = path.last_mut() {
                let node = *node;
                if *followed == 0 && order[node] == NEW {
                    (order[node], low[node]) = (next, next);
                    next += 1;
                    waiting.push(node);
                    is_waiting[node] = true;
                }
                if let Some(to) = self.edges[node].get(*followed).copied() {
                    *followed += 1;
                    if order[to] == NEW {
                        path.push((to, 0));
                    } else if is_waiting[to] {
                        low[node] = low[node].min(order[to]);
                    }
                    continue;
                }
                path.pop();
                if let Some((parent, _)) = path.last() {
                    low[*parent] = low[*parent].min(low[node]);
                }
                if low[node] == order[node] {
                    let first = waiting.iter().rposition(|n| *n == node);
                    let component = waiting.split_off(first.expect("a node waits until its end"));
                    self.finish(&component, &mut cyclic, &mut depths);
                    for member in component {
                        is_waiting[member] = false;
                    }
                }
            }
        }
        (cyclic, depths)
    }

    fn finish(&self, component: &[usize], cyclic: &mut [bool], depths: &mut [u32]) {
        let itself = |node: &usize| self.edges[*node].contains(node);
        let on_cycle = component.len() > 1 || component.iter().any(itself);
        let beyond = component.iter().flat_map(|n| &self.edges[*n]);
        let beyond = beyond.map(|to| depths[*to]).max().unwrap_or(0);
        let own = component.iter().filter(|n| **n < self.functions).count() as u32;
        for node in component {
            cyclic[*node] = on_cycle;
            depths[*node] = beyond + own;
        }
    }
}
