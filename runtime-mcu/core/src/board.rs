//! What a board has, what a rune may have of it, and whether that is what the rune needs.

use core::fmt;

use rune_abi::{
    BaseView, CapabilityKind, CapabilityView, ManifestView, OutputKind, ParamView, ValueView,
    WasmFeatures,
    image::{Containment, ImageView},
    limit,
};
use rune_adapt::Plan;

use crate::{Checked, Schedule, signature};

/// What a board has, as data.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// The base images it offers.
    pub bases: &'static [&'static str],
    /// Its sensors; of those that can feed a capability the first does.
    pub sensors: &'static [Sensor],
    /// The kinds of outputs it has.
    pub outputs: &'static [OutputKind],
    /// Bytes of linear memory for all runes together; of images their blocks and stacks.
    pub memory_bytes: u32,
    /// Bytes of code that one rune may have: an engine that translates it takes memory for that.
    pub code_bytes: u32,
    /// The ed25519 keys of class *native*: images that are not contained by the board itself run only where one of
    /// these vouches for them. Without any there are no such images.
    pub native_keys: &'static [[u8; 32]],
}

/// One sensor of a board.
#[derive(Clone, Copy, Debug)]
pub struct Sensor {
    /// What messages call it.
    pub name: &'static str,
    /// The kind of capability it feeds.
    pub kind: CapabilityKind,
    /// What it gives.
    pub gives: Gives,
    /// What it can do of the parameters that are whole numbers, beside what adapting settles.
    pub ranges: &'static [Range],
}

/// What a sensor gives.
#[derive(Clone, Copy, Debug)]
pub enum Gives {
    /// Bytes that are adapted to what a capability asks for.
    Adapted(rune_adapt::Source),
    /// Whatever the type of a capability is.
    Exact,
}

/// The values of a parameter that a sensor can do, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Of the parameter, as the manifest has it.
    pub name: &'static str,
    /// The least.
    pub least: i64,
    /// The most.
    pub most: i64,
}

/// What one rune may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// When it is called.
    pub schedule: Schedule,
    /// Bytes of linear memory.
    pub memory_bytes: u32,
    /// Steps of one call, see [`Interpreter`](crate::Interpreter).
    pub fuel: u64,
    /// Time of one call, which sources keep that wait, in nanoseconds. Code that asks its host for nothing is stopped
    /// by its fuel alone where it is interpreted, and by this where it is an image.
    pub call_ns: u64,
    /// Bytes of the strings that one call may write.
    pub text_bytes: u32,
    /// Values of its stack, see [`Limits`](crate::Limits).
    pub stack_values: u16,
    /// Functions that call each other.
    pub depth: u16,
    /// The rows of the table of sensors that it may use: bit 0 is the first.
    pub sensors: u32,
}

impl Default for Policy {
    /// All sensors, 1 MiB, ten seconds, and as many steps as a Cortex-M7 runs in them.
    fn default() -> Self {
        Self {
            schedule: Schedule::Input,
            memory_bytes: 1 << 20,
            fuel: 200_000_000,
            call_ns: 10_000_000_000,
            text_bytes: 1024,
            stack_values: 1024,
            depth: 64,
            sensors: u32::MAX,
        }
    }
}

/// One thing that a rune needs and does not get.
#[derive(Clone, Copy, Debug)]
pub enum Missing<'a> {
    /// A base image that the board does not offer.
    Base(BaseView<'a>),
    /// A feature of WebAssembly that the engine does not have, by its name.
    Feature(&'static str),
    /// Memory.
    Memory {
        /// Bytes it needs.
        needs: u32,
        /// Bytes its policy allows, or that are left on the board.
        limit: u32,
    },
    /// It has more code than the board takes.
    Code {
        /// Bytes it has.
        has: usize,
        /// Bytes the board takes.
        limit: u32,
    },
    /// It is an image with the rights of the runtime, and no key of class *native* has signed it.
    Native(Containment),
    /// The board has no sensor of this kind.
    NoSensor(CapabilityView<'a>),
    /// The policy does not let it use the only sensor there is.
    Forbidden(CapabilityView<'a>, &'static str),
    /// A sensor cannot be made into what it asks for.
    Adapt(CapabilityView<'a>, &'static str, rune_adapt::Reason),
    /// A sensor does not do this value of a parameter.
    Range(CapabilityView<'a>, &'static str, ParamView<'a>, Range),
    /// The board has no output of this kind.
    NoOutput(&'a str, OutputKind),
}

/// A capability as messages name it.
struct Shown<'a>(&'a CapabilityView<'a>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CapabilityView { kind, name, ty, .. } = self.0;
        write!(f, "{} `{name}`, {ty}", kind.spec().name)
    }
}

impl fmt::Display for Missing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base(BaseView { name, version }) => write!(
                f,
                "the rune is built on `{name}` {version}, which this runtime does not offer"
            ),
            Self::Feature(name) => write!(
                f,
                "the code of the rune uses {name}, which this runtime does not have"
            ),
            Self::Memory { needs, limit } => write!(
                f,
                "the rune needs {needs} bytes of memory and the limit is {limit}"
            ),
            Self::Code { has, limit } => write!(
                f,
                "the rune has {has} bytes of code and the limit is {limit}"
            ),
            Self::Native(containment) => write!(
                f,
                "the code of the rune contains itself (`{}`), and no key that this runtime trusts with that has signed it",
                containment.name()
            ),
            Self::NoSensor(capability) => write!(
                f,
                "the rune reads {}, and there is no such sensor",
                Shown(capability)
            ),
            Self::Forbidden(capability, name) => write!(
                f,
                "the rune reads {}, and its policy does not let it use `{name}`",
                Shown(capability)
            ),
            Self::Adapt(capability, name, reason) => {
                write!(f, "{name} cannot feed {}: {reason}", Shown(capability))
            }
            Self::Range(capability, name, param, range) => {
                let (shown, Range { least, most, .. }) = (Shown(capability), range);
                write!(f, "{name} cannot feed {shown}: `{}` is ", param.name)?;
                match param.value {
                    ValueView::Integer(n) => write!(f, "{n}")?,
                    ValueView::Float(x) => write!(f, "{x}")?,
                    ValueView::Text(text) => write!(f, "{text}")?,
                }
                write!(f, " and it does {least} to {most}")
            }
            Self::NoOutput(name, kind) => write!(
                f,
                "the rune writes to {} `{name}`, and there is no such output",
                kind.spec().name
            ),
        }
    }
}

/// How the capabilities of a rune are fed: for each the row of the table of sensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    rows: [u8; limit::ITEMS],
}

impl Grant {
    /// The row of the sensor that feeds the capability at an index of the manifest.
    pub fn row(&self, index: usize) -> usize {
        usize::from(self.rows[index])
    }
}

/// Everything that a rune needs and does not get: at least one thing. Nothing is kept for it but the place of the
/// question, so that it needs no memory: what is missing is found anew when it is asked.
#[derive(Clone, Copy)]
pub struct Refusal<'a> {
    question: Question<'a>,
}

impl<'a> Refusal<'a> {
    /// Calls `then` with each missing thing, in the order of the manifest.
    pub fn each(&self, mut then: impl FnMut(Missing<'a>)) {
        self.question.answer(&mut then);
    }
}

impl fmt::Display for Refusal<'_> {
    /// One missing thing per line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut result, mut is_first) = (Ok(()), true);
        self.each(|missing| {
            let end = if is_first { "" } else { "\n" };
            is_first = false;
            result = result.and_then(|()| write!(f, "{end}{missing}"));
        });
        result
    }
}

impl fmt::Debug for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for Refusal<'_> {}

/// Whether a board and a policy have what a rune needs.
#[derive(Clone, Copy)]
struct Question<'a> {
    manifest: ManifestView<'a>,
    image: Option<ImageView<'a>>,
    memory_bytes: u32,
    code_bytes: usize,
    table: &'static Table,
    policy: Policy,
    /// Those it uses and the engine lacks.
    lacking: WasmFeatures,
    memory_left: u32,
}

/// Step two of starting a rune: its manifest against what the board has and the policy allows. `features` are those of
/// the engine, and `memory_left` is what other runes leave of the board's memory.
///
/// # Errors
/// Everything that is missing.
pub fn grant<'a>(
    rune: &Checked<'a>,
    table: &'static Table,
    policy: &Policy,
    features: WasmFeatures,
    memory_left: u32,
) -> Result<Grant, Refusal<'a>> {
    let question = Question {
        manifest: *rune.manifest(),
        image: rune.image().copied(),
        memory_bytes: rune.memory_bytes(),
        code_bytes: rune.code_bytes(),
        table,
        policy: *policy,
        lacking: WasmFeatures(rune.features().0 & !features.0),
        memory_left,
    };
    let mut is_granted = true;
    let grant = question.answer(&mut |_| is_granted = false);
    is_granted.then_some(grant).ok_or(Refusal { question })
}

impl<'a> Question<'a> {
    /// Tells everything that is missing; the grant counts if nothing is.
    fn answer(&self, missing: &mut dyn FnMut(Missing<'a>)) -> Grant {
        let manifest = &self.manifest;
        for base in &manifest.bases {
            if !self.table.bases.contains(&base.name) {
                missing(Missing::Base(base));
            }
        }
        self.lacking
            .names()
            .map(Missing::Feature)
            .for_each(&mut *missing);
        let limit = self.policy.memory_bytes.min(self.memory_left);
        if self.memory_bytes > limit {
            missing(Missing::Memory {
                needs: self.memory_bytes,
                limit,
            });
        }
        if let Some(image) = &self.image
            && image.containment().is_native()
            && !signature::vouches(image, self.table.native_keys)
        {
            missing(Missing::Native(image.containment()));
        }
        if self.code_bytes > self.table.code_bytes as usize {
            missing(Missing::Code {
                has: self.code_bytes,
                limit: self.table.code_bytes,
            });
        }
        let mut grant = Grant {
            rows: [0; limit::ITEMS],
        };
        for (row, capability) in grant.rows.iter_mut().zip(manifest.capabilities) {
            *row = self.sensor(capability, missing);
        }
        for output in &manifest.outputs {
            if !self.table.outputs.contains(&output.kind) {
                missing(Missing::NoOutput(output.name, output.kind));
            }
        }
        grant
    }

    /// The first sensor that can feed a capability, or why the first of its kind cannot.
    fn sensor(&self, capability: CapabilityView<'a>, missing: &mut dyn FnMut(Missing<'a>)) -> u8 {
        let rows = self.table.sensors.iter().enumerate().take(32);
        let mut of_kind = rows.filter(|(_, sensor)| sensor.feeds(capability.kind));
        let may = |row: usize| self.policy.sensors >> row & 1 == 1;
        let fits = |(row, sensor): &(usize, &Sensor)| {
            let mut fits = may(*row);
            sensor.lacking(&capability, &mut |_| fits = false);
            fits
        };
        if let Some((row, _)) = of_kind.clone().find(fits) {
            return row as u8;
        }
        match of_kind.clone().find(|(row, _)| may(*row)) {
            Some((_, sensor)) => sensor.lacking(&capability, missing),
            None => missing(match of_kind.next() {
                Some((_, sensor)) => Missing::Forbidden(capability, sensor.name),
                None => Missing::NoSensor(capability),
            }),
        }
        0
    }
}

impl Sensor {
    /// Whether it is of the kind of a capability; a camera feeds both kinds of images.
    fn feeds(&self, kind: CapabilityKind) -> bool {
        let is_camera = matches!(self.gives, Gives::Adapted(rune_adapt::Source::Image(_)));
        self.kind == kind || is_camera && kind == CapabilityKind::FloatImage
    }

    /// How its bytes become what a capability asks for; `None` of a sensor that gives that as it is, or cannot.
    pub fn plan(&self, capability: &CapabilityView<'_>) -> Option<Plan> {
        match &self.gives {
            Gives::Adapted(source) => rune_adapt::plan(capability, source).ok(),
            Gives::Exact => None,
        }
    }

    /// Why it cannot feed a capability of its kind.
    fn lacking<'a>(&self, capability: &CapabilityView<'a>, missing: &mut dyn FnMut(Missing<'a>)) {
        if let Gives::Adapted(source) = &self.gives
            && let Err(refusal) = rune_adapt::plan(capability, source)
        {
            let reasons = refusal.reasons();
            reasons.for_each(|reason| missing(Missing::Adapt(*capability, self.name, reason)));
        }
        for param in capability.params {
            let of_name = self.ranges.iter().find(|range| range.name == param.name);
            if let (Some(range), ValueView::Integer(n)) = (of_name, param.value)
                && !(range.least..=range.most).contains(&n)
            {
                missing(Missing::Range(*capability, self.name, param, *range));
            }
        }
    }
}
