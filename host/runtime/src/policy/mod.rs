//! What the owner of a machine allows runes: a file of limits, sources and sinks.
//!
//! [`Policy::load`] reads and checks the file; whether a rune keeps to it is decided with all else that it
//! needs, in [`Rune::grant_by`](crate::Rune::grant_by). `docs/book/policy.md` describes the file.

mod outputs;
mod schema;

use std::{
    fmt::{self, Write},
    fs,
    ops::Range,
    path::Path,
    time::Duration,
};

use rune_abi::{Capability, CapabilityKind, Manifest, Output, OutputKind, ParamType, Value};
use rune_core::Schedule;
use toml::Spanned;

use crate::{
    Limits, Rates, Signer,
    capability::{self, Given, Setup},
    output::sink::Sink,
};

/// The only version of the format.
const VERSION: u32 = 1;
/// How long a trial runs before it is healthy, where the policy does not say.
const HEALTHY_AFTER: Duration = Duration::from_secs(10);

/// A policy that was read and makes sense.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its file, as messages name it.
    name: String,
    file: schema::File,
}

/// What is wrong with a policy, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// The file.
    pub name: String,
    /// Line and column, from 1; `None` if the file cannot be read.
    pub place: Option<(usize, usize)>,
    /// What is wrong there, without a final full stop.
    pub what: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for PolicyError {}

impl Policy {
    /// Reads a policy; its folders are relative to the one it lies in.
    ///
    /// # Errors
    /// Where the file cannot be read, or [`Policy::parse`] fails.
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| PolicyError {
            name: name.clone(),
            place: None,
            what: error.to_string(),
        })?;
        let mut policy = Self::parse(&name, &text)?;
        let beside = path.parent().unwrap_or(Path::new(""));
        for rule in policy.file.capabilities.values_mut() {
            rule.folder = beside.join(&rule.folder);
            rule.root = rule.root.take().map(|root| beside.join(root));
        }
        for rule in policy.file.outputs.values_mut() {
            rule.lie_beside(beside);
        }
        Ok(policy)
    }

    /// Reads the text of a policy; its folders are relative to the current one.
    ///
    /// # Errors
    /// Where the text is no TOML, has a key that the format does not, or a value that cannot be. Every error
    /// has a place.
    pub fn parse(name: &str, text: &str) -> Result<Self, PolicyError> {
        let error = |span: Range<usize>, what: String| PolicyError {
            name: name.to_owned(),
            place: Some(place(text, span.start)),
            what,
        };
        let file: schema::File = toml::from_str(text).map_err(|e| {
            let what = e.message().lines().next().unwrap_or("it is not TOML");
            error(e.span().unwrap_or(0..0), what.to_owned())
        })?;
        file.check().map_err(|(span, what)| error(span, what))?;
        Ok(Self {
            name: name.to_owned(),
            file,
        })
    }

    /// Its limits, and where it sets none those that are given.
    pub(crate) fn limits(&self, otherwise: &Limits) -> Limits {
        let own = &self.file.limits;
        Limits {
            memory_bytes: own.memory_bytes.map_or(otherwise.memory_bytes, u64::from),
            call_time: own.call_time_ms.map_or(otherwise.call_time, |ms| {
                Duration::from_millis(u64::from(ms.get()))
            }),
        }
    }

    /// How often a rune may be called and how much it may write.
    pub(crate) fn rates(&self) -> Rates {
        Rates {
            calls_per_second: self.file.limits.calls_per_second,
            output_bytes_per_second: self.file.limits.output_bytes_per_second,
        }
    }

    /// When a served rune is called; without a schedule as soon as it has input.
    pub(crate) fn schedule(&self) -> Schedule {
        match self.file.schedule.as_ref().map(Spanned::get_ref) {
            Some(schema::Schedule {
                every_ms: Some(ms), ..
            }) => Schedule::Every(Duration::from_millis(u64::from(ms.get()))),
            Some(schema::Schedule {
                on: Some(schema::On::Trigger),
                ..
            }) => Schedule::Trigger,
            _ => Schedule::Input,
        }
    }

    /// How long an installed rune runs on trial before it is healthy.
    pub(crate) fn healthy_after(&self) -> Duration {
        let ms = self.file.install.healthy_after_ms;
        ms.map_or(HEALTHY_AFTER, |ms| Duration::from_millis(ms.get().into()))
    }

    /// Whether a trial that is healthy is confirmed, without a person.
    pub(crate) fn confirms(&self) -> bool {
        self.file.install.confirm == schema::Confirm::Healthy
    }

    /// The line that would allow this much memory.
    pub(crate) fn memory_line(&self, bytes: u32) -> String {
        self.line(&format!("limits.memory-bytes = {bytes}"))
    }

    /// That the policy wants the signature of somebody else, if it does.
    pub(crate) fn unsigned(&self, by: &[Signer]) -> Option<String> {
        let wanted: Vec<Signer> = self.file.signers.iter().map(|s| *s.get_ref()).collect();
        if wanted.is_empty() || wanted.iter().any(|signer| by.contains(signer)) {
            return None;
        }
        let list = |signers: &[Signer], between: &str| {
            let texts = signers.iter().map(ToString::to_string);
            texts.collect::<Vec<_>>().join(between)
        };
        let quoted = |signers: &[Signer]| {
            let all: Vec<_> = signers.iter().map(|s| format!("\"{s}\"")).collect();
            all.join(", ")
        };
        let (signed, line) = if by.is_empty() {
            let line = format!(
                "{} would take any rune, signed or not, with `signers = []`",
                self.name
            );
            ("not signed".to_owned(), line)
        } else {
            let all = [&wanted[..], by].concat();
            let line = self.line(&format!("signers = [{}]", quoted(&all)));
            (format!("signed by {}", list(by, " and ")), line)
        };
        Some(format!(
            "the rune is {signed}, and {} wants the signature of one of: {}; have one of them sign it, or {line}",
            self.name,
            list(&wanted, ", "),
        ))
    }

    /// What feeds a capability.
    ///
    /// # Errors
    /// Why none of the policy's sources does, each reason with the line that would allow it.
    pub(crate) fn source(&self, capability: &Capability) -> Result<Given, Vec<String>> {
        let shown = capability::describe(capability);
        let Some(rule) = self.file.capabilities.get(&capability.name) else {
            let line = self.line(&format!(
                "capabilities.{} = {}",
                key(&capability.name),
                example(capability.kind)
            ));
            return Err(vec![format!("the rune reads {shown}; {line}")]);
        };
        let kind = capability.kind.spec().name;
        if CapabilityKind::from_name(rule.kind.get_ref()) != Some(capability.kind) {
            return Err(vec![format!(
                "the rune reads {shown}; {}",
                self.line(&format!(
                    "capabilities.{}.kind = \"{kind}\"",
                    key(&capability.name)
                ))
            )]);
        }
        let mut missing = vec![];
        for (name, range) in &rule.params {
            let has = capability.params.iter().find(|p| p.name == *name);
            let (said, allow) = match has.map(|p| &p.value) {
                Some(value) if range.get_ref().holds(value) => continue,
                Some(Value::Text(word)) => (word.clone(), format!("{{ words = [{word:?}] }}")),
                Some(Value::Integer(n)) => (n.to_string(), format!("{{ min = {n}, max = {n} }}")),
                Some(Value::Float(x)) => (x.to_string(), format!("{{ min = {x:?}, max = {x:?} }}")),
                None => {
                    missing.push(format!(
                        "the rune reads {shown} and does not say its {name}, which {} limits: remove `capabilities.{}.params.{name}`",
                        self.name,
                        key(&capability.name),
                    ));
                    continue;
                }
            };
            let line = self.line(&format!(
                "capabilities.{}.params.{name} = {allow}",
                key(&capability.name)
            ));
            missing.push(format!("the rune reads {shown} with {name} {said}; {line}"));
        }
        if missing.is_empty() {
            Ok(rule.given())
        } else {
            Err(missing)
        }
    }

    /// Where an output goes.
    ///
    /// # Errors
    /// That the policy binds it to nothing, with the line that would.
    pub(crate) fn sink(&self, output: &Output) -> Result<Sink, String> {
        let of_kind = |rule: &&schema::Output| {
            OutputKind::from_name(rule.kind.get_ref()) == Some(output.kind)
        };
        let rule = self.file.outputs.get(&output.name).filter(of_kind);
        rule.and_then(schema::Output::sink).ok_or_else(|| {
            let kind = output.kind.spec().name;
            let line = self.line(&format!(
                "outputs.{} = {{ kind = \"{kind}\", sink = \"stdout\" }}",
                key(&output.name)
            ));
            format!("the rune writes {kind} `{}`; {line}", output.name)
        })
    }

    /// The line that would allow a sensor, of this policy or of any.
    pub(crate) fn sensor_line(
        policy: Option<&Self>,
        capability: &Capability,
        setup: &Setup,
    ) -> String {
        let kind = capability.kind.spec().name;
        let said = setup
            .said()
            .map(|(key, value)| format!(", {key} = {value}"));
        let line = format!(
            "capabilities.{} = {{ kind = \"{kind}\"{} }}",
            key(&capability.name),
            said.collect::<String>()
        );
        policy.map_or_else(
            || format!("a policy would allow it with `{line}`"),
            |policy| policy.line(&line),
        )
    }

    fn line(&self, line: &str) -> String {
        format!("{} would allow it with `{line}`", self.name)
    }
}

/// The sinks of a rune for whom there is no policy.
pub(crate) fn default_sinks(manifest: &Manifest) -> Vec<Sink> {
    vec![Sink::Stdout; manifest.outputs.len()]
}

/// Line and column of a byte, from 1; columns count characters.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(at)];
    let line = before.rfind('\n').map_or(0, |i| i + 1);
    let row = before.matches('\n').count() + 1;
    (row, before[line..].chars().count() + 1)
}

/// A name as a key of TOML.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.chars().all(is_bare) {
        return name.to_owned();
    }
    quoted(name)
}

/// A text as TOML writes it.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // A manifest has none, but nobody should have to rely on that.
            c if c.is_control() => {
                write!(quoted, "\\u{:04X}", u32::from(c)).expect("a string takes everything");
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn example(kind: CapabilityKind) -> String {
    let name = kind.spec().name;
    if kind == CapabilityKind::Rand {
        return format!("{{ kind = \"{name}\", seed = 0 }}");
    }
    let file = capability::flag(kind).value;
    format!("{{ kind = \"{name}\", folder = \".\", files = [\"{file}\"] }}")
}

impl schema::File {
    /// What serde does not see: kinds, parameters and sources that cannot be.
    fn check(&self) -> Result<(), (Range<usize>, String)> {
        if *self.version.get_ref() != VERSION {
            let what = format!("this runtime reads version {VERSION} of policies");
            return Err((self.version.span(), what));
        }
        if let Some(schedule) = &self.schedule {
            let schema::Schedule { every_ms, on } = schedule.get_ref();
            if every_ms.is_some() == on.is_some() {
                let what = "a schedule is either `every-ms` or `on`".to_owned();
                return Err((schedule.span(), what));
            }
        }
        self.capabilities.values().try_for_each(check_capability)?;
        self.outputs.values().try_for_each(schema::Output::check)
    }
}

fn check_capability(rule: &schema::Capability) -> Result<(), (Range<usize>, String)> {
    let Some(kind) = CapabilityKind::from_name(rule.kind.get_ref()) else {
        let known = rune_abi::CAPABILITIES.iter().map(|s| s.name);
        return Err(unknown(&rule.kind, "capability", known));
    };
    let name = kind.spec().name;
    let is_rand = kind == CapabilityKind::Rand;
    let is_fed = !rule.files.is_empty() || rule.source.is_some();
    if is_rand && is_fed {
        let what = "RAND takes a `seed`, and no `files` or `source`".to_owned();
        return Err((rule.kind.span(), what));
    }
    if !is_rand && (!is_fed || rule.seed.is_some()) {
        let what = format!("{name} takes `files`, at least one, or a `source`, and no `seed`");
        return Err((rule.kind.span(), what));
    }
    if rule.source.is_some() && !rule.files.is_empty() {
        let what = format!("{name} takes `files` or a `source`, not both");
        return Err((rule.kind.span(), what));
    }
    if is_rand && rule.says_more() {
        let what = "RAND takes nothing but a `seed`".to_owned();
        return Err((rule.kind.span(), what));
    }
    let setup = rule.setup()?;
    let checked = setup.check(kind);
    checked.map_err(|what| (rule.kind.span(), what))?;
    for (param, range) in &rule.params {
        let span = range.span();
        let Some(spec) = kind.spec().params.iter().find(|p| p.name == param) else {
            return Err((span, format!("{name} has no parameter `{param}`")));
        };
        let range = range.get_ref();
        let is_words = matches!(spec.ty, ParamType::Word(_));
        if is_words != range.words.is_some() || (is_words && (range.min.or(range.max)).is_some()) {
            let what = if is_words {
                "`words`"
            } else {
                "`min` and `max`"
            };
            return Err((span, format!("`{param}` of {name} is limited by {what}")));
        }
        if let (Some(min), Some(max)) = (range.min, range.max)
            && (min > max || min.is_nan() || max.is_nan())
        {
            return Err((span, "no number is in this range".to_owned()));
        }
    }
    Ok(())
}

fn unknown(
    kind: &Spanned<String>,
    what: &str,
    known: impl Iterator<Item = &'static str>,
) -> (Range<usize>, String) {
    let known: Vec<&str> = known.collect();
    let message = format!(
        "there is no {what} `{}`; there are {}",
        kind.get_ref(),
        known.join(", ")
    );
    (kind.span(), message)
}

impl schema::Range {
    /// Whether a value is in it.
    fn holds(&self, value: &Value) -> bool {
        let within = |x: f64| self.min.is_none_or(|m| m <= x) && self.max.is_none_or(|m| x <= m);
        match (value, &self.words) {
            (Value::Text(word), Some(words)) => words.iter().any(|w| w.eq_ignore_ascii_case(word)),
            (Value::Integer(n), None) => within(*n as f64),
            (Value::Float(x), None) => within(*x),
            _ => false,
        }
    }
}

impl schema::Capability {
    /// Whether it says how a source is to be read.
    fn says_more(&self) -> bool {
        self.setup().is_ok_and(|setup| setup != Setup::default())
    }

    /// What it says of its source.
    fn setup(&self) -> Result<Setup, (Range<usize>, String)> {
        let word = |word: &Spanned<String>| (word.span(), word.get_ref().clone());
        let axes = self.axes.as_ref().map(word);
        let unit = self.unit.as_ref().map(word);
        let crop = self.crop.as_ref().map(word);
        let at = |span: Range<usize>| move |what| (span, what);
        Ok(Setup {
            sensor: self.source,
            device: self.device.clone(),
            root: self.root.clone(),
            rate: self.rate,
            unit: unit
                .map(|(span, text)| capability::unit(&text).map_err(at(span)))
                .transpose()?,
            scale: self.scale,
            offset: self.offset,
            axes: axes
                .map(|(span, text)| capability::axes(&text).map_err(at(span)))
                .transpose()?,
            crop: crop
                .map(|(span, text)| capability::crop(&text).map_err(at(span)))
                .transpose()?,
            baud: self.baud,
            channels: self.channels.clone(),
        })
    }

    fn given(&self) -> Given {
        let setup = self.setup().expect("it was checked when it was read");
        if self.source.is_some() {
            Given::Sensor(setup)
        } else if self.files.is_empty() {
            Given::Seeds(self.seed.iter().map(u64::to_string).collect())
        } else {
            Given::beneath(self.folder.clone(), &self.files, &setup)
        }
    }
}
