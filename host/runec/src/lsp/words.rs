//! What the words of the language mean, for people.

use std::fmt::Write;

use rune_abi::{CapabilityKind, KindSpec, OutputKind};
use rune_catalogue::Image;
use rune_ir::args::ArgSpec;
use rune_runefile::tree::{Keyword, Role};

use crate::reference;

/// What an instruction is for, in a sentence.
pub(crate) fn keyword(keyword: Keyword) -> &'static str {
    match keyword {
        Keyword::From => {
            "The base image, or the Runefile that this one lies on. There is exactly one."
        }
        Keyword::For => "A device that the rune must fit: its sensors, memory and instruction set.",
        Keyword::Label => "Facts about the rune, such as its name and version.",
        Keyword::Resource => "A file, or a text, that `$name` stands for.",
        Keyword::Set => "Changes arguments of an inherited stage.",
        Keyword::Replace => {
            "Puts another stage of the same interface in the place of an inherited one."
        }
        Keyword::Capability => "A source of data, such as a microphone.",
        Keyword::ProcBlock => "A processing block, of the catalogue or your own.",
        Keyword::Model => "A trained model, a TensorFlow Lite file.",
        Keyword::Run => {
            "What feeds what: each step feeds the next. Stages in brackets are side by side, and `stage.1` is the second output of a stage."
        }
        Keyword::Out => "Where results go.",
    }
}

/// The keys of labels that mean something, and what.
pub(crate) const LABELS: [(&str, &str); 3] = [
    ("name", "The name of the rune."),
    (
        "version",
        "The semantic version of the rune, such as `1.2.0`.",
    ),
    (
        "security-counter",
        "A number that never falls: a device refuses a rune with a lower one than it has had.",
    ),
];

/// A keyword with its form, in Markdown.
pub(crate) fn keyword_page(word: Keyword) -> String {
    format!("```runefile\n{}\n```\n\n{}", word.form(), keyword(word))
}

/// The kind of a capability or an output with its parameters, in Markdown.
pub(crate) fn kind_page(role: Role, word: &str) -> Option<String> {
    match role {
        Role::Capability => Some(spec_page(
            "capability",
            CapabilityKind::from_name(word)?.spec(),
        )),
        Role::Out => Some(spec_page("output", OutputKind::from_name(word)?.spec())),
        Role::ProcBlock | Role::Model => None,
    }
}

fn spec_page<K>(what: &str, spec: &KindSpec<K>) -> String {
    let mut page = format!("**{}** ({what})\n\n{}\n", spec.name, spec.doc);
    let elements: Vec<String> = spec.elements.iter().map(|e| format!("`{e}`")).collect();
    let _ = write!(page, "\nElements: {}.\n", elements.join(", "));
    for param in spec.params {
        let _ = write!(page, "\n- {}", reference::argument(&ArgSpec::from(param)));
    }
    page
}

/// A base image, in Markdown.
pub(crate) fn image_page(image: &Image) -> String {
    let mut page = format!("**{}** {}\n\n{}\n", image.name, image.version, image.doc);
    let kinds = image.capabilities.iter().map(|c| c.kind.as_str());
    let rows = [
        ("Capabilities", kinds.collect::<Vec<_>>()),
        (
            "Outputs",
            image.outputs.iter().map(String::as_str).collect(),
        ),
    ];
    for (title, items) in rows {
        if !items.is_empty() {
            let _ = write!(page, "\n{title}: {}.\n", items.join(", "));
        }
    }
    page
}
