//! How much shadow stack each function needs, callees included: what [`frame`](super::frame) finds in
//! each body, added up along the call graph, which must have no cycle.

use std::collections::BTreeMap;

use rune_ir::{
    arena::Side,
    object::{Function, FunctionId, FunctionType, Object},
};

use super::{
    Fault,
    frame::{Callee, Frame},
    reach::Reach,
};

/// Bytes of stack that a call of each reached function takes, at most; 0 for the others.
pub(super) fn needs(object: &Object, reach: &Reach) -> Result<Side<Function, u32>, Fault> {
    let mut frames: Side<Function, Option<Frame>> = Side::filled(&object.functions, None);
    for id in reach.functions() {
        let function = &object.functions[id];
        let frame = Frame::of(object, function);
        frames[id] = Some(frame.map_err(|what| {
            let Fault { message, hint } = what;
            Fault {
                message: format!("`{}` {message}", function.name),
                hint,
            }
        })?);
    }
    let mut by_type: BTreeMap<&FunctionType, Vec<FunctionId>> = BTreeMap::new();
    for id in reach.called_slots() {
        by_type
            .entry(&object.functions[id].ty)
            .or_default()
            .push(id);
    }
    let callees = Side::new(&object.functions, |id, _| {
        let calls = frames[id].as_ref().map_or(&[][..], |frame| &frame.calls);
        let mut all: BTreeMap<FunctionId, u32> = BTreeMap::new();
        for call in calls {
            let direct = match call.callee {
                Callee::Function(f) => vec![f],
                Callee::Indirect(ty) => by_type.get(ty).cloned().unwrap_or_default(),
            };
            for callee in direct {
                let depth = all.entry(callee).or_default();
                *depth = call.depth.max(*depth);
            }
        }
        all.into_iter().collect::<Vec<_>>()
    });
    let mut needs = Side::filled(&object.functions, 0u32);
    for id in callees_first(object, reach, &callees)? {
        let own = frames[id].as_ref().map_or(0, |frame| frame.depth);
        let deepest = callees[id]
            .iter()
            .map(|(callee, depth)| depth.checked_add(needs[*callee]));
        needs[id] = deepest
            .chain([Some(own)])
            .try_fold(0, |most, need| Some(need?.max(most)))
            .ok_or_else(|| Fault::new("its calls need more stack than there is memory"))?;
    }
    Ok(needs)
}

/// The reached functions, each behind all it calls.
fn callees_first(
    object: &Object,
    reach: &Reach,
    callees: &Side<Function, Vec<(FunctionId, u32)>>,
) -> Result<Vec<FunctionId>, Fault> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = Side::filled(&object.functions, Mark::New);
    let mut order = Vec::new();
    for root in reach.functions() {
        if marks[root] != Mark::New {
            continue;
        }
        // The functions being visited, each with the number of its callees already looked at.
        let mut path = vec![(root, 0)];
        marks[root] = Mark::Open;
        while let Some((id, seen)) = path.last_mut() {
            let id = *id;
            let Some((callee, _)) = callees[id].get(*seen) else {
                marks[id] = Mark::Done;
                order.push(id);
                path.pop();
                continue;
            };
            *seen += 1;
            match marks[*callee] {
                Mark::Done => {}
                Mark::New => {
                    marks[*callee] = Mark::Open;
                    path.push((*callee, 0));
                }
                Mark::Open => {
                    let cycle = path.iter().map(|(f, _)| *f).skip_while(|f| f != callee);
                    let names: Vec<&str> = cycle
                        .chain([*callee])
                        .map(|f| object.functions[f].name.as_str())
                        .collect();
                    return Err(Fault::new(format!(
                        "its calls may recurse, so its stack has no bound: `{}`",
                        names.join("` calls `")
                    ))
                    .hint("Write the recursion as a loop; of indirect calls, every function of the type counts."));
                }
            }
        }
    }
    Ok(order)
}
