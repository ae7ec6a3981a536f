//! The kinds of capabilities and outputs and their parameters.

use crate::ElementType;

/// Where data comes from. The number is its tag in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum CapabilityKind {
    /// Random numbers.
    Rand = 1,
    /// Mono sound, signed 16-bit samples.
    Sound = 2,
    /// Accelerometer, (x, y, z) triplets.
    Accel = 3,
    /// A camera image, 8-bit, rows of pixels.
    Image = 4,
    /// Bytes as they come.
    Raw = 5,
    /// A camera image, samples from 0 to 1, rows of pixels.
    FloatImage = 6,
    /// Temperature in degrees Celsius.
    Temperature = 7,
    /// The level of a pin.
    Gpio = 8,
}

/// Where results go. The number is its tag in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum OutputKind {
    /// The serial port; standard output on a host.
    Serial = 1,
}

/// What values a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ParamType {
    /// A whole number from the first to the second, both included.
    Integer(i64, i64),
    /// A finite number from the first to the second.
    Float(f64, f64),
    /// One of these words, compared without regard to case.
    Word(&'static [&'static str]),
}

/// One parameter of a capability or output kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParamSpec {
    /// Canonical name, in kebab case.
    pub name: &'static str,
    /// Other spellings that mean the same, without leading dashes.
    pub aliases: &'static [&'static str],
    /// The values it takes.
    pub ty: ParamType,
    /// What it is when not given, as text; `None`: nothing is assumed.
    pub default: Option<&'static str>,
    /// The unit of the value, empty if it has none.
    pub unit: &'static str,
    /// One sentence for help and hover.
    pub doc: &'static str,
}

/// One row of the table of capability or output kinds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KindSpec<K: 'static> {
    /// The kind itself.
    pub kind: K,
    /// Canonical name, upper case.
    pub name: &'static str,
    /// Other names of the same kind.
    pub aliases: &'static [&'static str],
    /// One sentence for help and hover.
    pub doc: &'static str,
    /// Element types it can deliver or take, the default first.
    pub elements: &'static [ElementType],
    /// Its parameters.
    pub params: &'static [ParamSpec],
}

const fn integer(
    name: &'static str,
    aliases: &'static [&'static str],
    range: (i64, i64),
    default: Option<&'static str>,
    unit: &'static str,
    doc: &'static str,
) -> ParamSpec {
    ParamSpec {
        name,
        aliases,
        ty: ParamType::Integer(range.0, range.1),
        default,
        unit,
        doc,
    }
}

const LIMIT: i64 = 1 << 28;

/// What every capability takes.
const SOURCE: ParamSpec = integer(
    "source",
    &[],
    (0, crate::limit::ITEMS as i64 - 1),
    None,
    "",
    "Which of the sources of this kind that the host was given it reads, from 0; capabilities may share one.",
);

/// What both kinds of images take.
const PICTURE: &[ParamSpec] = &[
    integer(
        "width",
        &[],
        (1, 16_384),
        None,
        "px",
        "Columns of the image.",
    ),
    integer("height", &[], (1, 16_384), None, "px", "Rows of the image."),
    ParamSpec {
        name: "pixel-format",
        aliases: &[],
        ty: ParamType::Word(&["RGB", "BGR", "GrayScale"]),
        default: Some("RGB"),
        unit: "",
        doc: "The samples of a pixel and their order.",
    },
    SOURCE,
];

const fn reads(doc: &'static str) -> ParamSpec {
    integer("samples", &["n"], (1, LIMIT), None, "", doc)
}

const fn hop(doc: &'static str) -> ParamSpec {
    integer("hop", &[], (1, LIMIT), None, "", doc)
}

/// Every capability kind.
pub const CAPABILITIES: &[KindSpec<CapabilityKind>] = &[
    KindSpec {
        kind: CapabilityKind::Rand,
        name: "RAND",
        aliases: &["rand", "random"],
        doc: "Random numbers: floats uniform in [min, max), integers over their whole range.",
        elements: &[
            ElementType::F32,
            ElementType::F64,
            ElementType::U8,
            ElementType::I8,
            ElementType::U16,
            ElementType::I16,
            ElementType::U32,
            ElementType::I32,
            ElementType::U64,
            ElementType::I64,
        ],
        params: &[
            integer(
                "samples",
                &["n", "amount", "count"],
                (1, LIMIT),
                None,
                "",
                "How many numbers one call reads.",
            ),
            ParamSpec {
                name: "min",
                aliases: &[],
                ty: ParamType::Float(-3.0e38, 3.0e38),
                default: Some("0"),
                unit: "",
                doc: "Smallest float.",
            },
            ParamSpec {
                name: "max",
                aliases: &[],
                ty: ParamType::Float(-3.0e38, 3.0e38),
                default: Some("1"),
                unit: "",
                doc: "Floats stay below this.",
            },
            SOURCE,
        ],
    },
    KindSpec {
        kind: CapabilityKind::Sound,
        name: "SOUND",
        aliases: &["AUDIO", "sound", "audio"],
        doc: "Mono sound in signed 16-bit samples.",
        elements: &[ElementType::I16],
        params: &[
            integer(
                "hz",
                &["frequency"],
                (1, 384_000),
                Some("16000"),
                "Hz",
                "Samples per second.",
            ),
            integer(
                "sample-duration-ms",
                &["sample-duration"],
                (1, 3_600_000),
                None,
                "ms",
                "Length of the window one call reads.",
            ),
            integer(
                "samples",
                &["n"],
                (1, LIMIT),
                None,
                "",
                "How many samples one call reads.",
            ),
            integer(
                "sample-size",
                &["sample-size-ms"],
                (1, LIMIT),
                None,
                "",
                "Accepted for old Runefiles; the window follows from the other parameters.",
            ),
            integer(
                "hop",
                &[],
                (1, LIMIT),
                None,
                "",
                "How many samples the window advances per call; a whole window where not given.",
            ),
            SOURCE,
        ],
    },
    KindSpec {
        kind: CapabilityKind::Accel,
        name: "ACCEL",
        aliases: &["accel", "ACCELEROMETER", "accelerometer"],
        doc: "Acceleration as (x, y, z) triplets.",
        elements: &[ElementType::F32],
        params: &[
            integer(
                "samples",
                &["n"],
                (1, LIMIT),
                None,
                "",
                "How many triplets one call reads.",
            ),
            integer("hz", &[], (1, 100_000), None, "Hz", "Triplets per second."),
            integer(
                "hop",
                &[],
                (1, LIMIT),
                None,
                "",
                "How many triplets the window advances per call; a whole window where not given.",
            ),
            SOURCE,
        ],
    },
    KindSpec {
        kind: CapabilityKind::Image,
        name: "IMAGE",
        aliases: &["image", "CAMERA"],
        doc: "An image in 8-bit samples, row by row.",
        elements: &[ElementType::U8],
        params: PICTURE,
    },
    KindSpec {
        kind: CapabilityKind::Raw,
        name: "RAW",
        aliases: &["raw"],
        doc: "Bytes as they come, little-endian.",
        elements: &[
            ElementType::U8,
            ElementType::I8,
            ElementType::U16,
            ElementType::I16,
            ElementType::U32,
            ElementType::I32,
            ElementType::U64,
            ElementType::I64,
            ElementType::F32,
            ElementType::F64,
        ],
        params: &[
            integer(
                "length",
                &["n"],
                (1, LIMIT),
                None,
                "bytes",
                "How many bytes one call reads.",
            ),
            integer(
                "hop",
                &[],
                (1, LIMIT),
                None,
                "bytes",
                "How many bytes the window advances per call; a whole window where not given.",
            ),
            SOURCE,
        ],
    },
    KindSpec {
        kind: CapabilityKind::FloatImage,
        name: "FLOAT_IMAGE",
        aliases: &["float-image", "float_image"],
        doc: "An image in samples from 0 to 1, row by row.",
        elements: &[ElementType::F32],
        params: PICTURE,
    },
    KindSpec {
        kind: CapabilityKind::Temperature,
        name: "TEMPERATURE",
        aliases: &["temperature"],
        doc: "Temperature in degrees Celsius.",
        elements: &[ElementType::F32],
        params: &[
            reads("How many readings one call reads."),
            integer(
                "hz",
                &[],
                (1, 1000),
                Some("1"),
                "Hz",
                "Readings per second.",
            ),
            hop("How many readings the window advances per call; a whole window where not given."),
            SOURCE,
        ],
    },
    KindSpec {
        kind: CapabilityKind::Gpio,
        name: "GPIO",
        aliases: &["gpio"],
        doc: "The level of a pin, 0 or 1.",
        elements: &[ElementType::U8],
        params: &[
            reads("How many readings one call reads."),
            integer(
                "hz",
                &[],
                (1, 1000),
                Some("10"),
                "Hz",
                "Readings per second.",
            ),
            hop("How many readings the window advances per call; a whole window where not given."),
            SOURCE,
        ],
    },
];

/// Every output kind.
pub const OUTPUTS: &[KindSpec<OutputKind>] = &[KindSpec {
    kind: OutputKind::Serial,
    name: "SERIAL",
    aliases: &["serial"],
    doc: "The serial port; on a host, one line of JSON per call on standard output.",
    elements: &ElementType::ALL,
    params: &[],
}];

impl<K: Copy + PartialEq> KindSpec<K> {
    /// The row of a table for a kind.
    fn of(table: &'static [Self], kind: K) -> &'static Self {
        let mut rows = table.iter();
        rows.find(|s| s.kind == kind)
            .expect("the table has every kind")
    }

    /// The kind in a table of a canonical name or alias.
    fn named(table: &'static [Self], name: &str) -> Option<K> {
        let mut rows = table.iter();
        rows.find(|s| s.name == name || s.aliases.contains(&name))
            .map(|s| s.kind)
    }
}

impl CapabilityKind {
    /// The row of the table for this kind.
    pub fn spec(self) -> &'static KindSpec<Self> {
        KindSpec::of(CAPABILITIES, self)
    }

    /// The kind of a canonical name or alias.
    pub fn from_name(name: &str) -> Option<Self> {
        KindSpec::named(CAPABILITIES, name)
    }

    /// The kind of a tag of the manifest.
    pub fn from_tag(tag: u16) -> Option<Self> {
        CAPABILITIES
            .iter()
            .map(|s| s.kind)
            .find(|k| *k as u16 == tag)
    }
}

impl OutputKind {
    /// The row of the table for this kind.
    pub fn spec(self) -> &'static KindSpec<Self> {
        KindSpec::of(OUTPUTS, self)
    }

    /// The kind of a canonical name or alias.
    pub fn from_name(name: &str) -> Option<Self> {
        KindSpec::named(OUTPUTS, name)
    }

    /// The kind of a tag of the manifest.
    pub fn from_tag(tag: u16) -> Option<Self> {
        OUTPUTS.iter().map(|s| s.kind).find(|k| *k as u16 == tag)
    }
}
