//! What a rune asks for against what the host offers.

use std::{fmt, path::Path, sync::Arc};

use rune_abi::{Capability, CapabilityKind, Manifest, Value};

use crate::{
    Limits, Policy, Rates, Rune, Sink,
    capability::{self, Given, OpenError, Recorder, Replay, Sensor, Setup, Source, SourceError},
    consent::{Consent, Wish},
    output::flag,
    policy,
};

/// The base images this runtime stands for.
const BASES: &[&str] = &["runicos/base", "runicos/linux"];

/// One flag that offers a source, such as `--accel left=walk.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFlag {
    /// The kind of capability it can feed.
    pub kind: CapabilityKind,
    /// A file, sensor or seed, with `NAME=` in front where it is for the capability of that name.
    pub value: String,
}

impl SourceFlag {
    /// The flag of this name, as on the command line with or without its dashes: `accel`; `None` where there is none.
    pub fn new(name: &str, value: impl Into<String>) -> Option<Self> {
        let name = name.strip_prefix("--").unwrap_or(name);
        let mut kinds = rune_abi::CAPABILITIES.iter().map(|spec| spec.kind);
        let kind =
            kinds.find(|kind| capability::flag(*kind).name.strip_prefix("--") == Some(name))?;
        Some(Self {
            kind,
            value: value.into(),
        })
    }
}

/// What a host offers a rune: see [`Rune::grant_offer`](crate::Rune::grant_offer).
#[derive(Default)]
pub struct Offer<'a> {
    /// What the owner of the machine allows; `None`: what is offered here, and nothing else.
    pub policy: Option<&'a Policy>,
    /// Sources that the host brings itself, each for the capability of a name. Whatever the policy binds, they count.
    /// They give what the manifest says, to the byte; nothing is adapted.
    pub sources: Vec<(String, Box<dyn Source>)>,
    /// Files, sensors and seeds for other capabilities.
    pub flags: &'a [SourceFlag],
    /// Sinks, each as `--out` takes it.
    pub outs: &'a [String],
    /// Where the policy sets no limit.
    pub limits: Limits,
}

impl fmt::Debug for Offer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.sources.iter().map(|(name, _)| name);
        f.debug_struct("Offer")
            .field("policy", &self.policy)
            .field("sources", &names.collect::<Vec<_>>())
            .field("flags", &self.flags)
            .field("outs", &self.outs)
            .field("limits", &self.limits)
            .finish()
    }
}

/// What a rune was given; goes into [`Rune::start`](crate::Rune::start).
pub struct Grants {
    /// One per capability, in the order of the manifest.
    pub(crate) sources: Vec<Box<dyn Source>>,
    pub(crate) limits: Limits,
    /// One per output, in the order of the manifest.
    sinks: Vec<Sink>,
    rates: Rates,
}

impl Grants {
    /// Grants made by hand: one source per capability, in the order of the manifest.
    pub fn new(sources: Vec<Box<dyn Source>>, limits: Limits) -> Self {
        Self {
            sources,
            limits,
            sinks: vec![],
            rates: Rates::default(),
        }
    }

    /// The sources alone, one per capability.
    pub fn into_sources(self) -> Vec<Box<dyn Source>> {
        self.sources
    }

    /// The same with everything that the sources give written down in a folder.
    pub(crate) fn record(
        mut self,
        capabilities: &[Capability],
        folder: &Path,
    ) -> Result<Self, SourceError> {
        let sources = std::mem::take(&mut self.sources).into_iter();
        let recorded = sources.zip(capabilities).enumerate();
        self.sources = recorded
            .map(|(index, (source, capability))| {
                let recorder = Recorder::new(source, capability, folder, index)?;
                Ok(Box::new(recorder) as Box<dyn Source>)
            })
            .collect::<Result<_, SourceError>>()?;
        Ok(self)
    }

    /// Where each output goes, in the order of the manifest; standard output beyond the last.
    pub fn sinks(&self) -> &[Sink] {
        &self.sinks
    }

    /// The part of it that outlives the start.
    pub(crate) fn way(&self) -> Way {
        Way {
            sinks: self.sinks.clone(),
            rates: self.rates,
        }
    }

    /// How often the rune may be called and how much it may write: a [`Router`](crate::Router) works it out.
    pub fn rates(&self) -> Rates {
        self.rates
    }
}

/// Where the output of a rune goes, and how much of it.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) sinks: Vec<Sink>,
    pub(crate) rates: Rates,
}

/// Why nothing was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantError {
    /// The flags do not fit the rune.
    Flags(String),
    /// The host does not give what the rune needs: everything that is missing.
    Refused(Vec<String>),
    /// A source could not be opened.
    Source(SourceError),
}

impl fmt::Display for GrantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flags(what) => f.write_str(what),
            Self::Refused(missing) => f.write_str(&missing.join("\n")),
            Self::Source(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for GrantError {}

/// Matches what is offered with capabilities, refuses what is missing, and only then opens sources. Where there is a
/// recording, it stands for every source. `consent`: how the rune comes by leave for the sensors that flags name;
/// `None`: the caller gives it.
pub(crate) fn grant(
    rune: &Rune,
    offer: Offer<'_>,
    replay: Option<&Arc<Replay>>,
    consent: Option<&Consent<'_>>,
) -> Result<Grants, GrantError> {
    let Offer {
        policy,
        sources,
        flags,
        outs,
        limits,
    } = offer;
    let manifest = rune.manifest();
    let capabilities = &manifest.capabilities;
    let sources: Vec<Option<Given>> = match replay {
        None => given_by_hand(manifest, sources, flags).map_err(GrantError::Flags)?,
        Some(replay) => capabilities
            .iter()
            .map(|_| Some(Given::Replay(replay.clone())))
            .collect(),
    };
    consent.map_or(Ok(()), Consent::check)?;
    let consent = consent.filter(|_| replay.is_none());
    let by_hand = flag::sinks(manifest, outs).map_err(GrantError::Flags)?;
    let limits = policy.map_or(limits, |policy| policy.limits(&limits));
    let mut missing = unmet(rune, &limits, policy);
    let (mut given, mut wishes, mut lost) = (vec![], vec![], None);
    for (capability, source) in capabilities.iter().zip(sources) {
        match (source, policy) {
            (Some(source), _) => {
                let reason = source.lacking(capability);
                let sensor = source
                    .sensor()
                    .filter(|_| consent.is_some() && reason.is_none());
                let pinned = sensor.map_or(Ok(None), |setup| wish(capability, setup, policy));
                let wish = pinned.unwrap_or_else(|error| {
                    lost.get_or_insert(error);
                    None
                });
                let setup = wish.as_ref().map(|wish| Given::Sensor(wish.setup.clone()));
                given.push(setup.unwrap_or(source));
                wishes.extend(wish);
                missing.extend(reason);
            }
            (None, Some(policy)) => match policy.source(capability) {
                Ok(source) => {
                    missing.extend(source.lacking(capability));
                    given.push(source);
                }
                Err(reasons) => missing.extend(reasons),
            },
            (None, None) if capability.kind == CapabilityKind::Rand => {
                given.push(Given::Seeds(vec![]));
            }
            (None, None) => missing.push(unfed(manifest, capability)),
        }
    }
    let mut sinks = policy::default_sinks(manifest);
    for ((sink, output), given) in sinks.iter_mut().zip(&manifest.outputs).zip(by_hand) {
        match (given, policy) {
            (Some(given), _) => *sink = given,
            (None, None) => {}
            (None, Some(policy)) => match policy.sink(output) {
                Ok(bound) => *sink = bound,
                Err(reason) => missing.push(reason),
            },
        }
    }
    if let Some(consent) = consent {
        wishes = consent.open(wishes)?;
        if let Some(why) = consent.silence(input(capabilities, &given)) {
            missing.extend(wishes.drain(..).map(|wish| wish.denied(&why, policy)));
        }
    }
    if !missing.is_empty() {
        return Err(GrantError::Refused(missing));
    }
    if let Some(error) = lost {
        return Err(GrantError::Source(error));
    }
    if let Some(consent) = consent {
        consent.ask(&wishes)?;
    }
    if let Some(replay) = replay {
        replay.check(capabilities).map_err(not_opened)?;
    }
    let opened = capabilities.iter().zip(given).enumerate();
    let opened =
        opened.map(|(index, (capability, given))| capability::open(capability, index, given));
    Ok(Grants {
        sources: capability::all(opened).map_err(not_opened)?,
        limits,
        sinks,
        rates: policy.map_or(Rates::default(), Policy::rates),
    })
}

pub(crate) fn not_opened(error: OpenError) -> GrantError {
    match error {
        OpenError::Refused(reasons) => GrantError::Refused(reasons),
        OpenError::Source(error) => GrantError::Source(error),
    }
}

/// A sensor that a flag names, if it needs leave: a policy that binds it to the capability is leave too.
fn wish<'a>(
    capability: &'a Capability,
    setup: &Setup,
    policy: Option<&Policy>,
) -> Result<Option<Wish<'a>>, SourceError> {
    let Some((setup, place)) = capability::pin(setup)? else {
        return Ok(None);
    };
    let bound = policy.and_then(|policy| policy.source(capability).ok());
    if let Some(bound) = bound.as_ref().and_then(Given::sensor)
        && let Ok(Some((_, bound))) = capability::pin(bound)
        && bound == place
    {
        return Ok(None);
    }
    Ok(Some(Wish {
        capability,
        setup,
        place,
    }))
}

/// The capability that standard input feeds.
fn input<'a>(capabilities: &'a [Capability], given: &[Given]) -> Option<&'a str> {
    let mut pairs = capabilities.iter().zip(given);
    let fed = pairs.find(|(_, given)| {
        let setup = given.sensor();
        setup.is_some_and(|setup| setup.sensor == Some(Sensor::Stdin))
    });
    fed.map(|(capability, _)| capability.name.as_str())
}

/// What the host's own sources and flags give each capability.
pub(crate) fn given_by_hand(
    manifest: &Manifest,
    sources: Vec<(String, Box<dyn Source>)>,
    flags: &[SourceFlag],
) -> Result<Vec<Option<Given>>, String> {
    let capabilities = &manifest.capabilities;
    let twice = |name: &str| format!("`{name}` is given two sources");
    let mut given: Vec<Option<Given>> = capabilities.iter().map(|_| None).collect();
    for (name, source) in sources {
        let index = capabilities.iter().position(|c| c.name == name);
        let index = index.ok_or_else(|| {
            format!(
                "there is no `{name}` to feed: the rune reads {}",
                capability::list(capabilities)
            )
        })?;
        if given[index].replace(Given::Own(source)).is_some() {
            return Err(twice(&name));
        }
    }
    let values = match_flags(manifest, &given, flags)?;
    for ((capability, given), values) in capabilities.iter().zip(&mut given).zip(values) {
        if !values.is_empty() {
            let flags = Given::by_hand(capability.kind, values)?;
            if given.replace(flags).is_some() {
                return Err(twice(&capability.name));
            }
        }
    }
    Ok(given)
}

/// The values for each capability. A named value goes to its capability; the others of a kind are numbered
/// from 0, and a capability with `--source N` gets that one. Those nobody asks for by number go to the
/// capabilities of that kind that have none yet, of flags or otherwise: all to the only one, or one to each in
/// order. One seed serves every RAND.
fn match_flags(
    manifest: &Manifest,
    given: &[Option<Given>],
    flags: &[SourceFlag],
) -> Result<Vec<Vec<String>>, String> {
    let capabilities = &manifest.capabilities;
    let mut values: Vec<Vec<String>> = vec![vec![]; capabilities.len()];
    let mut unnamed: Vec<&SourceFlag> = vec![];
    for flag in flags {
        let named = flag.value.split_once('=').and_then(|(name, value)| {
            let index = capabilities.iter().position(|c| c.name == name)?;
            Some((index, value))
        });
        match named {
            Some((index, _)) if capabilities[index].kind != flag.kind => {
                return Err(format!(
                    "`{} {}` is for {}, which is {}",
                    capability::flag(flag.kind).name,
                    flag.value,
                    capabilities[index].name,
                    capabilities[index].kind.spec().name,
                ));
            }
            Some((index, value)) => values[index].push(value.to_owned()),
            None => unnamed.push(flag),
        }
    }
    let is_open = |i: usize, values: &[Vec<String>]| values[i].is_empty() && given[i].is_none();
    for spec in rune_abi::CAPABILITIES {
        let mut given: Vec<&str> = unnamed
            .iter()
            .filter(|f| f.kind == spec.kind)
            .map(|f| f.value.as_str())
            .collect();
        let mut open: Vec<usize> = (0..capabilities.len())
            .filter(|i| capabilities[*i].kind == spec.kind && is_open(*i, &values))
            .collect();
        if !given.is_empty() {
            let numbered = by_number(manifest, &open, given.len())?;
            for (index, number) in &numbered {
                values[*index].push(given[*number].to_owned());
            }
            open.retain(|i| values[*i].is_empty());
            let mut number = 0;
            given.retain(|_| {
                number += 1;
                numbered.iter().all(|(_, n)| n + 1 != number)
            });
        }
        match (given.as_slice(), open.as_slice()) {
            ([], _) => {}
            ([first, ..], []) => return Err(useless(manifest, spec.kind, first)),
            (given, [only]) => values[*only].extend(given.iter().map(|v| (*v).to_owned())),
            ([seed], open) if spec.kind == CapabilityKind::Rand => {
                for index in open {
                    values[*index].push((*seed).to_owned());
                }
            }
            (given, open) if given.len() <= open.len() => {
                for (index, value) in open.iter().zip(given) {
                    values[*index].push((*value).to_owned());
                }
            }
            (given, open) => {
                return Err(format!(
                    "`{}` is given {} times and the rune has {} capabilities {} to feed: write NAME=VALUE",
                    capability::flag(spec.kind).name,
                    given.len(),
                    open.len(),
                    spec.name,
                ));
            }
        }
    }
    Ok(values)
}

/// Of these capabilities those with `--source N`, each with its number.
fn by_number(
    manifest: &Manifest,
    open: &[usize],
    given: usize,
) -> Result<Vec<(usize, usize)>, String> {
    let mut numbered = vec![];
    for index in open {
        let capability = &manifest.capabilities[*index];
        let param = capability.params.iter().find(|p| p.name == "source");
        let Some(Value::Integer(number)) = param.map(|p| &p.value) else {
            continue;
        };
        let Some(number) = usize::try_from(*number).ok().filter(|n| *n < given) else {
            let given = match given {
                1 => "only 1 is".to_owned(),
                given => format!("only {given} are"),
            };
            return Err(format!(
                "{} asks for source {number}, counted from 0, and {given} given",
                capability::describe(capability)
            ));
        };
        numbered.push((*index, number));
    }
    Ok(numbered)
}

fn useless(manifest: &Manifest, kind: CapabilityKind, value: &str) -> String {
    let reads = capability::list(&manifest.capabilities);
    format!(
        "`{} {value}` feeds nothing: the rune reads {reads}",
        capability::flag(kind).name
    )
}

/// What the rune needs beside sources and sinks and does not get, one sentence each.
fn unmet(rune: &Rune, limits: &Limits, policy: Option<&Policy>) -> Vec<String> {
    let manifest = rune.manifest();
    let mut missing = vec![];
    for base in &manifest.bases {
        if !BASES.contains(&base.name.as_str()) {
            missing.push(format!(
                "the rune is built on `{}` {}, which this runtime does not offer",
                base.name, base.version
            ));
        }
    }
    if u64::from(manifest.memory_bytes) > limits.memory_bytes {
        let line = policy.map(|p| format!("; {}", p.memory_line(manifest.memory_bytes)));
        let reason = format!(
            "the rune needs {} bytes of memory and the limit is {}{}",
            manifest.memory_bytes,
            limits.memory_bytes,
            line.unwrap_or_default()
        );
        missing.push(reason);
    }
    missing.extend(policy.and_then(|policy| policy.unsigned(rune.signers())));
    missing
}

/// That no flag feeds a capability, and which would.
pub(crate) fn unfed(manifest: &Manifest, capability: &Capability) -> String {
    let flag = capability::flag(capability.kind);
    let of_kind = |c: &&Capability| c.kind == capability.kind;
    let name = if manifest.capabilities.iter().filter(of_kind).count() == 1 {
        String::new()
    } else {
        format!("{}=", capability.name)
    };
    format!(
        "the rune reads {}: give {} {name}{}",
        capability::describe(capability),
        flag.name,
        flag.value
    )
}
