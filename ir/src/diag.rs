//! Diagnostics as data: what is wrong, where, and what to try. Rendered in `host/runec` alone.

use std::fmt;

/// A file the compiler has read, by its number in a [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileId(pub u32);

/// A range of bytes in a source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The span of bytes `start..end` of `file`.
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        Self {
            file,
            start: start as u32,
            end: end as u32,
        }
    }

    /// The smallest span that holds both; both are of one file.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self {
            file: self.file,
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }
}

/// A value and where it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Joins a value and its place.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// The source texts of one compilation.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<(String, String)>,
}

impl Sources {
    /// Takes in a text under the name to show for it.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        self.files.push((name.into(), text.into()));
        FileId(self.files.len() as u32 - 1)
    }

    /// The name to show for a file.
    pub fn name(&self, file: FileId) -> &str {
        &self.files[file.0 as usize].0
    }

    /// The text of a file.
    pub fn text(&self, file: FileId) -> &str {
        &self.files[file.0 as usize].1
    }

    /// Every file, in the order added.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &str, &str)> {
        self.files
            .iter()
            .enumerate()
            .map(|(i, (n, t))| (FileId(i as u32), n.as_str(), t.as_str()))
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// Compiles, but probably not what was meant.
    Warning,
    /// Does not compile.
    Error,
}

impl Severity {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A place a diagnostic points at, and what to say there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What to say there; may be empty.
    pub message: String,
}

/// One finding of the compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which law was broken.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line without a final full stop.
    pub message: String,
    /// Where it is wrong.
    pub primary: Label,
    /// Other places that matter.
    pub secondary: Vec<Label>,
    /// Why, or what else to know; one sentence each.
    pub notes: Vec<String>,
    /// What to try; one sentence each, the most likely first.
    pub hints: Vec<String>,
    /// Changes of the text that repair it, the most likely first.
    pub fixes: Vec<Fix>,
}

/// A change of the text that repairs what a diagnostic is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What it does, as a command: "remove the argument".
    pub title: String,
    /// The pieces to replace, none overlapping another; by rising start.
    pub edits: Vec<Edit>,
    /// Whether it may be applied unseen.
    pub safety: Safety,
}

/// Replaces the bytes of a span; an empty span inserts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What to replace.
    pub span: Span,
    /// By what.
    pub text: String,
}

/// Whether a fix may be applied unseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Safety {
    /// The rune does what it did before.
    Safe,
    /// The rune may do something else, or the guess may be wrong.
    Unsafe,
}

impl Fix {
    /// A fix of one piece of the text.
    pub fn new(
        safety: Safety,
        title: impl Into<String>,
        span: Span,
        text: impl Into<String>,
    ) -> Self {
        Self {
            title: title.into(),
            edits: vec![Edit {
                span,
                text: text.into(),
            }],
            safety,
        }
    }
}

impl Diagnostic {
    /// A finding of `code`'s own severity at `span`.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: message.into(),
            primary: Label {
                span,
                message: String::new(),
            },
            secondary: Vec::new(),
            notes: Vec::new(),
            hints: Vec::new(),
            fixes: Vec::new(),
        }
    }

    /// What to say at the primary place.
    #[must_use]
    pub fn at(mut self, message: impl Into<String>) -> Self {
        self.primary.message = message.into();
        self
    }

    /// Another place that matters.
    #[must_use]
    pub fn also(mut self, span: Span, message: impl Into<String>) -> Self {
        self.secondary.push(Label {
            span,
            message: message.into(),
        });
        self
    }

    /// Adds a note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds a fix.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fixes.push(fix);
        self
    }

    /// Adds a fix if there is one.
    #[must_use]
    pub fn maybe_fix(mut self, fix: Option<Fix>) -> Self {
        self.fixes.extend(fix);
        self
    }

    /// Adds a hint if there is one.
    #[must_use]
    pub fn maybe_hint(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }
}

/// Whether any of these stops the compilation.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|d| d.severity == Severity::Error)
}

/// The nearest of `known` to a misspelt `word`, if near enough to be meant: at most a third of the letters
/// wrong, two neighbours in the wrong order counting as one, and case for nothing.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let letters = lower.chars().count();
    known
        .into_iter()
        .filter(|k| *k != word)
        .map(|k| (edit_distance(&lower, &k.to_lowercase()), k))
        .filter(|(d, k)| *d < letters && *d <= (letters.max(k.chars().count()) / 3).max(1))
        .min_by_key(|(d, _)| *d)
        .map(|(_, k)| k)
}

/// Distance of two words by optimal string alignment: Levenshtein's, and swapping two neighbours counts as one
/// step. Words count up to 64 characters.
fn edit_distance(a: &str, b: &str) -> usize {
    let [a, b] = [a, b].map(|word| word.chars().take(64).collect::<Vec<char>>());
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let substitute = above[j] + usize::from(a[i] != b[j]);
            let mut least = substitute.min(row[j] + 1).min(above[j + 1] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

macro_rules! codes {
    ($($name:ident $code:literal $kebab:literal $severity:ident $($off:ident)? $text:literal)*) => {
        /// The law a diagnostic is about. Numbers are never used again for something else.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $text] $name,)*
        }

        impl Code {
            /// Every code, in the order of the numbers.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable number, such as `R0101`.
            pub const fn number(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The readable name, in kebab case: what configuration and `ignore` comments may say instead.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $kebab,)* }
            }

            /// One line that says what the code is about.
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// How bad it is unless configured otherwise.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }

            /// Whether it is reported unless configured otherwise.
            pub const fn on_by_default(self) -> bool {
                match self { $(Self::$name => concat!($(stringify!($off),)? "").is_empty(),)* }
            }

            /// The code of a number, in any case.
            pub fn from_number(number: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|c| c.number().eq_ignore_ascii_case(number))
            }

            /// The code of a number or a name, in any case.
            pub fn from_text(text: &str) -> Option<Self> {
                let by_name = || Self::ALL.iter().copied().find(|c| c.name().eq_ignore_ascii_case(text));
                Self::from_number(text).or_else(by_name)
            }

            /// Whether it is a lint (R1...): about taste and likely mistakes, and what is on may be configured.
            pub fn is_lint(self) -> bool {
                self.number().starts_with("R1")
            }
        }
    };
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.number())
    }
}

// R00 text, R01 names, R02 arguments, R03 types, R04 shape of the pipeline, R05 models, R06 blocks,
// R07 limits and devices, R08 layers, R09 the world outside, R10 lints.
codes! {
    Syntax "R0001" "syntax" Error "the text is not a Runefile instruction"
    UnknownInstruction "R0002" "unknown-instruction" Error "a line begins with a word that is no instruction"
    BadValue "R0003" "bad-value" Error "a value is written in a form the language does not have"
    InvalidUtf8 "R0004" "invalid-utf8" Error "the Runefile is not UTF-8 text"
    YamlSyntax "R0005" "yaml-syntax" Error "the text is not YAML, or uses a part of YAML that Runefiles do not have"
    MissingField "R0006" "missing-field" Error "a field is missing that a Runefile in YAML must have"
    UnknownField "R0007" "unknown-field" Warning "a field that Runefiles in YAML do not have"
    BadField "R0008" "bad-field" Error "a field has a value it cannot have"
    UnknownStage "R0101" "unknown-stage" Error "a stage is named that no instruction defines"
    DuplicateName "R0102" "duplicate-name" Error "two instructions define the same name"
    UnknownCapability "R0103" "unknown-capability" Error "a capability kind that does not exist"
    UnknownOutput "R0104" "unknown-output" Error "an output kind that does not exist"
    UnknownBlock "R0105" "unknown-block" Error "a block that is not in the catalogue"
    UnknownImage "R0106" "unknown-image" Error "a base image that is not in the catalogue"
    UnknownResource "R0107" "unknown-resource" Error "a `$name` that no RESOURCE defines"
    UnknownElementType "R0108" "unknown-element-type" Error "an element type that does not exist"
    OldWordOrder "R0110" "old-word-order" Warning "an instruction is written in an old word order"
    ResourceSource "R0111" "resource-source" Error "a resource has both a file and a text, or neither"
    ResourceType "R0112" "resource-type" Error "a resource is used as what it is not"
    ModelFormat "R0113" "model-format" Error "a model is declared in a format that is unknown or not its file's"
    UnusedArgument "R0114" "unused-argument" Warning "arguments that nothing reads"
    UnknownArgument "R0201" "unknown-argument" Error "an argument its instruction does not take"
    MissingArgument "R0202" "missing-argument" Error "an argument is required and has no default"
    ArgumentKind "R0203" "argument-kind" Error "an argument has a value of the wrong kind"
    ArgumentRange "R0204" "argument-range" Error "an argument lies outside its range"
    DuplicateArgument "R0205" "duplicate-argument" Error "an argument is given twice"
    ContradictingArguments "R0206" "contradicting-arguments" Warning "arguments contradict each other or the type"
    TypeMismatch "R0301" "type-mismatch" Error "a stage is fed elements of a type it does not take"
    ShapeMismatch "R0302" "shape-mismatch" Error "a stage is fed a tensor of a shape it does not take"
    CannotInfer "R0303" "cannot-infer" Error "a type is not given and does not follow from anything"
    ImplicitReshape "R0304" "implicit-reshape" Warning "a tensor is reshaped between two stages without saying so"
    ModelTypeMismatch "R0305" "model-type-mismatch" Error "a model is declared with a type that is not its file's"
    BadDimension "R0306" "bad-dimension" Error "a dimension is zero or too large"
    TypeCount "R0307" "type-count" Error "an instruction declares too few or too many types"
    MissingFrom "R0401" "missing-from" Error "a Runefile has no FROM"
    DuplicateFrom "R0402" "duplicate-from" Error "a Runefile has more than one FROM"
    Cycle "R0404" "cycle" Error "stages feed each other in a circle"
    UnusedStage "R0405" "unused-stage" Warning "a stage whose result nothing uses"
    UnreachableOutput "R0406" "unreachable-output" Error "an output that nothing feeds"
    NoInputs "R0407" "no-inputs" Error "a stage that takes no input is fed one"
    NoOutputs "R0408" "no-outputs" Error "a stage that gives no output is read"
    UnknownPort "R0409" "unknown-port" Error "a stage has fewer outputs than the port that is named"
    InputCount "R0410" "input-count" Error "a stage is fed too few or too many inputs"
    EmptyRun "R0411" "empty-run" Error "a RUN names no stage or only one"
    NothingRuns "R0412" "nothing-runs" Error "a Runefile runs nothing"
    ModelUnreadable "R0501" "model-unreadable" Error "a model file is damaged or not a model"
    UnsupportedOperator "R0502" "unsupported-operator" Error "a model uses an operator this compiler does not have"
    UnsupportedModel "R0503" "unsupported-model" Error "a model uses a form of an operator this compiler does not have"
    RepairedModel "R0504" "repaired-model" Warning "a model's file says something that cannot be meant"
    BlockInvalid "R0601" "block-invalid" Error "a block is not a valid block"
    BlockInit "R0602" "block-init" Error "a block refused its arguments or types"
    BlockAddress "R0603" "block-address" Error "a block's init depends on its address"
    BlockLink "R0605" "block-link" Error "a block cannot be linked"
    BlockBuild "R0606" "block-build" Error "a block's folder is not built or cannot be"
    TooLarge "R0701" "too-large" Error "the rune does not fit in a 32-bit memory"
    DeviceLacks "R0702" "device-lacks" Error "a device does not have a capability or output that the rune uses"
    DeviceParameter "R0703" "device-parameter" Error "a capability is asked for more than the device's can do"
    DeviceMemory "R0705" "device-memory" Error "a rune needs more memory than a device has for it"
    DeviceFlash "R0706" "device-flash" Error "a rune is larger than the flash a device has for it"
    DeviceFeatures "R0707" "device-features" Error "a rune uses WebAssembly features that a device's engine lacks"
    DeviceNearlyFull "R0709" "device-nearly-full" Warning "a rune takes nearly all the memory or flash of a device"
    LayerCycle "R0801" "layer-cycle" Error "layers lie on each other in a circle"
    LayerDepth "R0802" "layer-depth" Error "too many layers lie on each other"
    LayerUnusable "R0803" "layer-unusable" Error "what a FROM names cannot be used as a layer"
    LayerInRegistry "R0804" "layer-in-registry" Error "a FROM names an image of a registry"
    NotInherited "R0805" "not-inherited" Error "a REPLACE or SET names a stage that no layer below defines"
    InterfaceChanged "R0806" "interface-changed" Error "a stage is replaced by one that takes or gives something else"
    FileMissing "R0901" "file-missing" Error "a file cannot be read"
    BadConfig "R0902" "bad-config" Error "a Rune.toml says something that cannot be"
    UnusedIgnore "R1000" "unused-ignore" Warning "a comment ignores what is not there or cannot be ignored"
    ShadowedName "R1001" "shadowed-name" Warning "a name that already means something else"
    UnusedResource "R1002" "unused-resource" Warning "a RESOURCE that nothing uses"
    DuplicateLabel "R1003" "duplicate-label" Warning "a LABEL key that is given twice"
    LabelCount "R1004" "label-count" Warning "a list of labels is not as long as there are classes"
    LabelItems "R1005" "label-items" Warning "a list of labels with the same item twice, an empty one, or blanks around one"
    LongList "R1006" "long-list" Note "a long list stands in the Runefile rather than in a file"
    OneItemList "R1007" "one-item-list" Warning "a list has one item that looks like several"
    SampleRate "R1008" "sample-rate" Warning "a block is told another sample rate than it is fed"
    QuantizationMismatch "R1009" "quantization-mismatch" Warning "integers are not on the scale of the quantised model beside them"
    UnscaledInput "R1010" "unscaled-input" Warning "a model of floats is fed integers that nothing has scaled"
    NormalizedTwice "R1011" "normalized-twice" Warning "numbers that are normalised already are normalised again"
    ChannelOrder "R1012" "channel-order" Warning "a reshape makes a picture's channels its first dimension without moving them"
    SoftmaxTwice "R1013" "softmax-twice" Warning "the softmax of a softmax is taken"
    ConstantResult "R1014" "constant-result" Warning "a stage whose result is always the same"
    NoOpStage "R1015" "no-op-stage" Warning "a block gives what it was fed"
    DuplicateStage "R1016" "duplicate-stage" Warning "two stages compute the same thing"
    DuplicateEdge "R1017" "duplicate-edge" Warning "two RUNs make the same edge"
    ResizedTwice "R1018" "resized-twice" Warning "a picture is resized more than once"
    WindowGaps "R1019" "window-gaps" Warning "samples between one window and the next are never looked at"
    OverlappingStream "R1020" "overlapping-stream" Warning "a block that follows a stream is fed the same samples again"
    SlowTransform "R1021" "slow-transform" Note "a Fourier transform has a length that takes several times as long"
    IgnoredArgument "R1022" "ignored-argument" Note "an argument that changes nothing"
    DefaultArgument "R1023" "default-argument" Note off "an argument is given the value that it has anyway"
    OldSpelling "R1024" "old-spelling" Note "something is called by an old name"
    MachinePath "R1025" "machine-path" Warning "a path that only this machine has"
    BadLabel "R1026" "bad-label" Warning "a LABEL that tools will not understand"
    Unpublishable "R1027" "unpublishable" Warning off "a LABEL is missing that a published rune needs"
    UnpinnedFrom "R1028" "unpinned-from" Note off "a FROM without a version"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_sorted() {
        assert!(Code::ALL.windows(2).all(|w| w[0].number() < w[1].number()));
        let names: std::collections::BTreeSet<&str> = Code::ALL.iter().map(|c| c.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
    }

    #[test]
    fn suggests_the_nearest_name() {
        let known = ["normalize", "label", "modulo"];
        assert_eq!(did_you_mean("normalise", known), Some("normalize"));
        assert_eq!(did_you_mean("labl", known), Some("label"));
        assert_eq!(did_you_mean("lable", known), Some("label"));
        assert_eq!(did_you_mean("MODULO", known), Some("modulo"));
        assert_eq!(did_you_mean("fft", known), None);
        assert_eq!(did_you_mean("x", ["y"]), None);
    }
}
