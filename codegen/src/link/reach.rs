//! What the roots of one block reach: functions, data, and slots of the table.

use std::collections::BTreeSet;

use rune_ir::{
    arena::{Arena, Side},
    block::{Snapshot, SnapshotTarget, SnapshotWord},
    object::{
        Datum, DatumId, Encoding, Function, FunctionId, FunctionType, Object, Relocation, Target,
    },
};

use super::{Fault, known, type_at};

/// Something reachable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    /// May be called.
    Function(FunctionId),
    /// Has its slot taken, and is called once an indirect call of its type is reached.
    Slot(FunctionId),
    Datum(DatumId),
}

/// How the walk came upon a node.
#[derive(Clone, Copy, Debug)]
enum Via {
    Root,
    Node(Node),
}

/// What is reached, each with the way there.
#[derive(Debug)]
pub(super) struct Reach {
    functions: Side<Function, Option<Via>>,
    slots: Side<Function, Option<Via>>,
    data: Side<Datum, Option<Via>>,
}

impl Reach {
    /// Walks from the functions and the snapshots of the instances.
    ///
    /// A function whose slot is taken counts as reached only if reached code calls some function of its
    /// type indirectly: a call of another type traps before it gets there. What only the slots of dead
    /// methods (a vtable's `Debug`, say) would keep is thus dropped.
    pub(super) fn from_roots(
        object: &Object,
        roots: &[(FunctionId, &Snapshot)],
    ) -> Result<Self, Fault> {
        let mut walk = Walk {
            object,
            reach: Self {
                functions: Side::filled(&object.functions, None),
                slots: Side::filled(&object.functions, None),
                data: Side::filled(&object.data, None),
            },
            called: BTreeSet::new(),
            waiting: Vec::new(),
            open: Vec::new(),
        };
        for (run, snapshot) in roots {
            walk.meet(Node::Function(*run), Via::Root)?;
            for word in snapshot.frozen_words.iter().chain(&snapshot.state_words) {
                match word.target {
                    SnapshotTarget::Frozen(_) | SnapshotTarget::State(_) => {}
                    SnapshotTarget::Datum(datum, _) => walk.meet(Node::Datum(datum), Via::Root)?,
                    SnapshotTarget::Slot(f) => walk.meet(Node::Slot(f), Via::Root)?,
                }
            }
        }
        walk.run()?;
        Ok(walk.reach)
    }

    /// Whether a function may be called.
    pub(super) fn function(&self, id: FunctionId) -> bool {
        self.functions[id].is_some()
    }

    /// Every function that may be called, in order.
    pub(super) fn functions(&self) -> impl Iterator<Item = FunctionId> {
        self.functions
            .iter()
            .filter(|(_, via)| via.is_some())
            .map(|(id, _)| id)
    }

    /// Every function whose slot is taken, in order; not all of them may be called.
    pub(super) fn slots(&self) -> impl Iterator<Item = FunctionId> {
        self.slots
            .iter()
            .filter(|(_, via)| via.is_some())
            .map(|(id, _)| id)
    }

    /// Every function that an indirect call may end in, in order.
    pub(super) fn called_slots(&self) -> impl Iterator<Item = FunctionId> {
        self.slots().filter(|id| self.function(*id))
    }

    /// Every datum, in order.
    pub(super) fn data(&self) -> impl Iterator<Item = DatumId> {
        self.data
            .iter()
            .filter(|(_, via)| via.is_some())
            .map(|(id, _)| id)
    }

    fn via(&self, node: Node) -> Option<Via> {
        match node {
            Node::Function(id) => self.functions[id],
            Node::Slot(id) => self.slots[id],
            Node::Datum(id) => self.data[id],
        }
    }
}

struct Walk<'a> {
    object: &'a Object,
    reach: Reach,
    /// Types of the indirect calls met.
    called: BTreeSet<&'a FunctionType>,
    /// Functions whose slot is taken and which no indirect call met so far may call.
    waiting: Vec<FunctionId>,
    /// Met, and not yet looked into.
    open: Vec<Node>,
}

impl<'a> Walk<'a> {
    fn run(&mut self) -> Result<(), Fault> {
        loop {
            while let Some(node) = self.open.pop() {
                self.enter(node)?;
            }
            let object = self.object;
            let (callable, waiting) = std::mem::take(&mut self.waiting)
                .into_iter()
                .partition(|f| self.called.contains(&object.functions[*f].ty));
            self.waiting = waiting;
            let callable: Vec<FunctionId> = callable;
            if callable.is_empty() {
                return Ok(());
            }
            for f in callable {
                self.meet(Node::Function(f), Via::Node(Node::Slot(f)))?;
            }
        }
    }

    /// Looks at what a node names.
    fn enter(&mut self, node: Node) -> Result<(), Fault> {
        let object = self.object;
        let relocations: &'a [Relocation] = match node {
            Node::Function(id) => &object.functions[id].relocations,
            Node::Datum(id) => &object.data[id].relocations,
            Node::Slot(id) => {
                self.waiting.push(id);
                return Ok(());
            }
        };
        for relocation in relocations {
            match relocation.target {
                Target::Function(f) => self.meet(Node::Function(f), Via::Node(node))?,
                Target::Slot(f) => self.meet(Node::Slot(f), Via::Node(node))?,
                Target::Address(datum, offset) => {
                    self.meet(Node::Datum(datum), Via::Node(node))?;
                    if relocation.encoding == Encoding::Leb && offset < 0 {
                        return Err(Fault::new(format!(
                            "`{}` accesses memory before the start of `{}`",
                            self.name(node),
                            object.data[datum].name
                        )));
                    }
                }
                Target::Type(index) => {
                    self.called.insert(type_at(object, index)?);
                }
                Target::StackPointer | Target::Table => {}
            }
        }
        Ok(())
    }

    /// Notes that a node is reached.
    fn meet(&mut self, node: Node, via: Via) -> Result<(), Fault> {
        let mark = match node {
            Node::Function(id) => {
                known(&self.object.functions, id)?;
                &mut self.reach.functions[id]
            }
            Node::Slot(id) => {
                known(&self.object.functions, id)?;
                &mut self.reach.slots[id]
            }
            Node::Datum(id) => {
                known(&self.object.data, id)?;
                &mut self.reach.data[id]
            }
        };
        if mark.is_some() {
            return Ok(());
        }
        *mark = Some(via);
        self.open.push(node);
        match node {
            Node::Datum(id) if self.object.data[id].writable => Err(self.writable(id)),
            Node::Datum(_) | Node::Function(_) | Node::Slot(_) => Ok(()),
        }
    }

    fn name(&self, node: Node) -> &'a str {
        match node {
            Node::Function(id) | Node::Slot(id) => &self.object.functions[id].name,
            Node::Datum(id) => &self.object.data[id].name,
        }
    }

    /// The fault of reaching data that code may write, with the way there.
    fn writable(&self, id: DatumId) -> Fault {
        let mut way = Vec::new();
        let mut via = self.reach.via(Node::Datum(id));
        // Each step was met before the one it led to, so this ends.
        while let Some(Via::Node(node)) = via {
            let name = self.name(node);
            if way.last() != Some(&name) {
                way.push(name);
            }
            via = self.reach.via(node);
        }
        way.reverse();
        let datum = &self.object.data[id];
        let path = match way.as_slice() {
            [] => "what `init` left behind".to_owned(),
            [run] => format!("`{run}`"),
            [run, first, .., last] if way.len() > 4 => {
                format!("`{run}` (by way of `{first}`, ..., `{last}`)")
            }
            [run, between @ ..] => format!("`{run}` (by way of `{}`)", between.join("`, `")),
        };
        let allocates = datum.bytes.is_empty()
            || way.iter().chain([&datum.name.as_str()]).any(|name| {
                let name = name.to_lowercase();
                ["alloc", "malloc", "heap", "grow_one", "finish_grow"]
                    .iter()
                    .any(|word| name.contains(word))
            });
        if allocates {
            Fault::new(format!(
                "{path} allocates memory: it reaches `{}`",
                datum.name
            ))
            .hint("Allocate in `init`; `run` has its scratch memory, whose size `init` declares.")
        } else {
            Fault::new(format!(
                "{path} reaches the mutable static `{}`",
                datum.name
            ))
            .hint("Keep what must change between calls in the state arena.")
        }
    }
}

/// That a snapshot's words lie in it and point at what exists.
pub(super) fn check_snapshot(object: &Object, snapshot: &Snapshot) -> Result<(), Fault> {
    let words = |bytes: &[u8], words: &[SnapshotWord]| {
        words.iter().all(|word| {
            let inside = word.offset as usize + 4 <= bytes.len();
            inside
                && match word.target {
                    SnapshotTarget::Frozen(at) => at as usize <= snapshot.frozen.len(),
                    SnapshotTarget::State(at) => at as usize <= snapshot.state.len(),
                    SnapshotTarget::Datum(id, _) => has(&object.data, id),
                    SnapshotTarget::Slot(id) => has(&object.functions, id),
                }
        })
    };
    let whole = words(&snapshot.frozen, &snapshot.frozen_words)
        && words(&snapshot.state, &snapshot.state_words)
        && snapshot.instance as usize <= snapshot.frozen.len();
    if whole {
        Ok(())
    } else {
        Err(Fault::new("its snapshot points outside itself"))
    }
}

fn has<T>(arena: &Arena<T>, id: rune_ir::arena::Id<T>) -> bool {
    arena.get(id).is_some()
}
