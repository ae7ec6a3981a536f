//! What a rune costs, byte by byte, and which stage each byte is for.

use std::collections::BTreeMap;

use rune_ir::check::Verified;

use crate::{
    link::{PartCost, Selection},
    plan::Plan,
    program::{Action, Program},
};

/// What a rune costs. Every byte of its memory is in one region, and every byte of its code is a stage's,
/// a shared block's, or the entry's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The memory from address 0, without gaps.
    pub memory: Vec<Region>,
    /// Bytes of the second memory: constants that only kernels read, if they are there and not in memory.
    pub flash: u32,
    /// What each stage costs, in execution order.
    pub stages: Vec<StageCost>,
    /// Blocks that several stages run, once each.
    pub shared: Vec<SharedCost>,
    /// Bytes of code that joins the stages: `_call`, `_manifest` and `_reset`.
    pub entry: u32,
    /// When the tensors take the most memory.
    pub peak: Peak,
}

/// A piece of a rune's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// What it is for.
    pub kind: RegionKind,
    /// How many bytes, with what is lost to alignment.
    pub bytes: u32,
}

/// What a piece of memory is for, in the order of the addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegionKind {
    /// Of calls in blocks.
    Stack,
    /// What blocks remember from call to call.
    State,
    /// Tensors, and what blocks work in, one after the other in the same place.
    Arena,
    /// Weights of models, and where the tensors of each call lie.
    Constants,
    /// Data of blocks, and what their `init` left.
    Tables,
    /// Names of stages, the first value of the state, the manifest.
    Rest,
}

impl RegionKind {
    /// Every kind, in the order of the addresses.
    pub const ALL: [Self; 6] = [
        Self::Stack,
        Self::State,
        Self::Arena,
        Self::Constants,
        Self::Tables,
        Self::Rest,
    ];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stack => "stack",
            Self::State => "state",
            Self::Arena => "arena",
            Self::Constants => "constants",
            Self::Tables => "tables",
            Self::Rest => "rest",
        }
    }
}

/// What one stage costs, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageCost {
    /// The stage.
    pub name: String,
    /// How much of what.
    pub cost: Cost,
}

/// What a block costs that several stages run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedCost {
    /// The block.
    pub name: String,
    /// How much of what: code and tables.
    pub cost: Cost,
}

/// How much of what, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Code that nothing else runs.
    pub code: u32,
    /// Weights, and where its tensors lie.
    pub constants: u32,
    /// Data of its block, and what `init` left.
    pub tables: u32,
    /// What it remembers from call to call.
    pub state: u32,
    /// Tensors and scratch it has in the arena at the peak.
    pub arena: u32,
    /// Stack its block needs; stages share the stack.
    pub stack: u32,
    /// Weights in the second memory, if there is one: no part of what a rune says of itself.
    pub flash: u32,
}

impl Cost {
    /// The kinds of cost by name.
    pub const NAMES: [&'static str; 6] = ["code", "constants", "tables", "state", "arena", "stack"];

    /// How much of each, in the order of [`Cost::NAMES`].
    pub const fn parts(&self) -> [u32; 6] {
        [
            self.code,
            self.constants,
            self.tables,
            self.state,
            self.arena,
            self.stack,
        ]
    }

    /// The cost of these parts, and no second memory.
    pub const fn from_parts(parts: [u32; 6]) -> Self {
        let [code, constants, tables, state, arena, stack] = parts;
        Self {
            code,
            constants,
            tables,
            state,
            arena,
            stack,
            flash: 0,
        }
    }

    /// What of the rune's memory is this stage's alone at the peak: all but code and stack.
    pub fn memory(&self) -> u64 {
        [self.constants, self.tables, self.state, self.arena]
            .into_iter()
            .map(u64::from)
            .sum()
    }

    /// What of the rune's file is this stage's: all that is not zero from the start. An upper bound,
    /// because long runs of zeros are left out.
    pub fn file(&self) -> u64 {
        [self.code, self.constants, self.tables, self.flash]
            .into_iter()
            .map(u64::from)
            .sum()
    }
}

/// When the tensors of a rune take the most memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peak {
    /// The stage that runs then; empty where there is no tensor.
    pub stage: String,
    /// What is in use then, the greatest first.
    pub buffers: Vec<Live>,
}

/// A piece of the arena.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// The tensor's name: its stage's, and a part where there are several.
    pub name: String,
    /// Where it begins, counted from the first byte of the arena. Buffers may lie in each other.
    pub offset: u32,
    /// Its bytes.
    pub bytes: u32,
}

/// What the finished module knows.
pub(crate) struct Finished<'a> {
    /// Bytes of each body, in the order of [`Finished::kernels`] after the entry functions.
    pub(crate) bodies: &'a [u32],
    /// How many of these come before the kernels.
    pub(crate) entries: usize,
    /// The steps with kernels, in the order of the functions.
    pub(crate) kernels: &'a [usize],
    /// One past the data of blocks.
    pub(crate) tables_end: u32,
    /// Bytes of memory in use.
    pub(crate) memory_bytes: u32,
    /// Bytes of the second memory.
    pub(crate) flash_bytes: u32,
}

/// Counts everything.
pub(crate) fn report(
    program: &Program,
    verified: &Verified,
    selection: &Selection<'_>,
    plan: &Plan,
    finished: &Finished<'_>,
) -> Report {
    let mut costs = vec![Cost::default(); verified.stages().len()];
    let (entry, rest) = finished.bodies.split_at(finished.entries);
    let (kernels, linked) = rest.split_at(finished.kernels.len());
    for (step, bytes) in finished.kernels.iter().zip(kernels) {
        costs[program.steps[*step].stage].code += bytes;
    }
    let shared = blocks(program, &selection.costs(), linked, &mut costs);
    let owners = owners(program);
    for id in &plan.constants {
        if let Some(stage) = owners.get(id) {
            costs[*stage].constants += program.buffers[*id].bytes;
        }
    }
    for id in &plan.flash {
        if let Some(stage) = owners.get(id) {
            costs[*stage].flash += program.buffers[*id].bytes;
        }
    }
    for id in &plan.kept {
        if let Some(stage) = owners.get(id) {
            costs[*stage].state += program.buffers[*id].bytes;
        }
    }
    let peak = peak(program, verified, plan, &owners, &mut costs);
    let ends = [
        plan.stack_top(),
        plan.arena,
        plan.constants_at,
        plan.readonly,
        finished.tables_end,
        finished.memory_bytes,
    ];
    let starts = std::iter::once(0).chain(ends);
    let memory = RegionKind::ALL.into_iter().zip(starts.zip(ends));
    let stages = verified.stages().iter().zip(costs);
    Report {
        memory: memory
            .map(|(kind, (start, end))| Region {
                kind,
                bytes: end - start,
            })
            .collect(),
        flash: finished.flash_bytes,
        stages: stages
            .map(|(stage, cost)| StageCost {
                name: stage.name.clone(),
                cost,
            })
            .collect(),
        shared,
        entry: entry.iter().sum(),
        peak,
    }
}

/// Adds what blocks cost to their stages; what several stages share stands for itself.
fn blocks(
    program: &Program,
    parts: &[PartCost],
    linked: &[u32],
    costs: &mut [Cost],
) -> Vec<SharedCost> {
    let mut shared = Vec::new();
    let mut rest = linked;
    for (block, part) in parts.iter().enumerate() {
        let (bodies, others) = rest.split_at(part.functions);
        rest = others;
        let stages: Vec<usize> = program
            .steps
            .iter()
            .filter(|step| matches!(&step.action, Action::Block(call) if call.block == block))
            .map(|step| step.stage)
            .collect();
        for (stage, instance) in stages.iter().zip(&part.instances) {
            costs[*stage].tables += instance.frozen;
            costs[*stage].state += instance.state;
            costs[*stage].stack = instance.stack;
        }
        let code: u32 = bodies.iter().sum();
        if let [only] = stages.as_slice() {
            costs[*only].code += code;
            costs[*only].tables += part.data;
        } else {
            shared.push(SharedCost {
                name: program.blocks[block].signature.name.clone(),
                cost: Cost {
                    code,
                    tables: part.data,
                    ..Cost::default()
                },
            });
        }
    }
    shared
}

/// The stage whose step first uses each buffer.
fn owners(program: &Program) -> BTreeMap<crate::nest::BufferId, usize> {
    let mut owners = BTreeMap::new();
    for step in &program.steps {
        for id in Program::uses(step) {
            owners.entry(id).or_insert(step.stage);
        }
    }
    owners
}

/// The step at which most of the arena is in use, and what is in use then.
fn peak(
    program: &Program,
    verified: &Verified,
    plan: &Plan,
    owners: &BTreeMap<crate::nest::BufferId, usize>,
    costs: &mut [Cost],
) -> Peak {
    let mut order: Vec<usize> = (0..plan.lives.len()).collect();
    order.sort_by_key(|i| plan.lives[*i].1.first);
    let mut begins = order.into_iter().peekable();
    let mut alive: Vec<usize> = Vec::new();
    let mut most: Option<(u64, usize, Vec<usize>)> = None;
    for step in 0..program.steps.len() {
        alive.retain(|i| plan.lives[*i].1.last as usize >= step);
        while let Some(next) = begins.next_if(|i| plan.lives[*i].1.first as usize <= step) {
            alive.push(next);
        }
        let bytes = covered(plan, &alive);
        if bytes > most.as_ref().map_or(0, |(bytes, ..)| *bytes) {
            most = Some((bytes, step, alive.clone()));
        }
    }
    let Some((_, step, mut alive)) = most else {
        return Peak::default();
    };
    alive.retain(|i| plan.lives[*i].1.bytes > 0);
    alive.sort_by_key(|i| plan.address(plan.lives[*i].0));
    let (mut buffers, mut end) = (Vec::new(), 0);
    for index in alive {
        let (id, life) = &plan.lives[index];
        let from = plan.address(*id);
        // What lies in another counts once.
        let to = (from + life.bytes).max(end);
        if let Some(stage) = owners.get(id) {
            costs[*stage].arena += to - from.max(end);
        }
        end = to;
        buffers.push(Live {
            name: program.buffers[*id].name.clone(),
            offset: from - plan.arena,
            bytes: life.bytes,
        });
    }
    buffers.sort_by_key(|b| std::cmp::Reverse(b.bytes));
    Peak {
        stage: verified.stages()[program.steps[step].stage].name.clone(),
        buffers,
    }
}

/// Bytes that these of the plan's lives lie in together.
fn covered(plan: &Plan, lives: &[usize]) -> u64 {
    let mut spans: Vec<(u64, u64)> = lives
        .iter()
        .map(|i| {
            let (id, life) = &plan.lives[*i];
            let at = u64::from(plan.address(*id));
            (at, at + u64::from(life.bytes))
        })
        .collect();
    spans.sort_unstable();
    let add = |(sum, end): (u64, u64), (from, to): (u64, u64)| {
        (sum + to.saturating_sub(end.max(from)), end.max(to))
    };
    spans.into_iter().fold((0, 0), add).0
}

impl Report {
    /// Bytes of a region.
    pub fn region(&self, kind: RegionKind) -> u32 {
        let found = self.memory.iter().find(|r| r.kind == kind);
        found.map_or(0, |r| r.bytes)
    }

    /// Bytes of memory that never change, and are there because a block or the host reads them: all that is constant,
    /// where there is no second memory.
    pub fn constant(&self) -> u32 {
        let kinds = [RegionKind::Constants, RegionKind::Tables, RegionKind::Rest];
        kinds.map(|kind| self.region(kind)).iter().sum()
    }

    /// Bytes of all code.
    pub fn code(&self) -> u64 {
        let stages = self.stages.iter().map(|s| u64::from(s.cost.code));
        let shared = self.shared.iter().map(|s| u64::from(s.cost.code));
        stages.chain(shared).sum::<u64>() + u64::from(self.entry)
    }
}
