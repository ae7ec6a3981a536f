//! The parser that pest makes of `grammar/runefile.pest`, and the names messages use for its rules.
#![allow(
    clippy::wildcard_enum_match_arm,
    missing_docs,
    unreachable_pub,
    reason = "the derive writes the enum `Rule`, which is long, and does not ask us"
)]

use pest::Parser as _;
use pest_derive::Parser;

use crate::tree::Keyword;

/// Parses by the rules of `grammar/runefile.pest`.
#[derive(Parser)]
#[grammar = "../../grammar/runefile.pest"]
pub(crate) struct Grammar;

impl Rule {
    /// What a message calls the thing a rule matches; `None`: nothing a reader would know.
    pub(crate) fn noun(self) -> Option<&'static str> {
        Some(match self {
            Self::an_image | Self::image => "an image such as `runicos/base`",
            Self::as_word => "`AS`",
            Self::a_stage | Self::capability | Self::proc_block | Self::model | Self::out => {
                "CAPABILITY, PROC_BLOCK, MODEL or OUT"
            }
            Self::a_pair | Self::pair | Self::key => "a pair such as `key=value`",
            Self::step | Self::stage_ref | Self::group => "a stage",
            Self::port => "the number of an output",
            Self::a_path => "a path",
            Self::word | Self::path => "a word",
            Self::second | Self::a_name | Self::whole_name | Self::name => "a name",
            Self::type_list | Self::tensor | Self::element => "a type",
            Self::dims => "`[`",
            Self::dim => "a dimension",
            Self::an_argument | Self::argument | Self::flag => "an argument such as `--name value`",
            Self::value
            | Self::reference
            | Self::float
            | Self::integer
            | Self::bare_list
            | Self::boxed_list
            | Self::label_text => "a value",
            Self::text | Self::boxed_text | Self::string | Self::quoted => "a value",
            Self::arrow => "`->`",
            Self::angle => "`>`",
            Self::comma => "`,`",
            Self::square => "`]`",
            Self::equals => "`=`",
            Self::EOI => "the end of the line",
            _ => return None,
        })
    }
}

/// What the text form makes of a word that is the value of an argument and no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Integer,
    Float,
    Reference,
    Text,
}

/// Tells what a word would be as the value of an argument.
pub(crate) fn form(text: &str) -> Form {
    [
        (Rule::integer, Form::Integer),
        (Rule::float, Form::Float),
        (Rule::reference, Form::Reference),
    ]
    .into_iter()
    .find(|(rule, _)| is_all(*rule, text))
    .map_or(Form::Text, |(_, form)| form)
}

/// Whether a text can be the name of a stage or resource.
pub(crate) fn is_name(text: &str) -> bool {
    is_all(Rule::whole_name, text)
}

/// Whether a text can be such a name where keywords are names too.
pub(crate) fn is_yaml_name(text: &str) -> bool {
    is_name(text) || Keyword::from_name(text).is_some()
}

/// Whether a text can stand after FROM and FOR.
pub(crate) fn is_image(text: &str) -> bool {
    is_all(Rule::image, text)
}

/// Whether a text can be the key of a LABEL.
pub(crate) fn is_label(text: &str) -> bool {
    is_all(Rule::key, text)
}

/// Whether a text can be the name of an argument.
pub(crate) fn is_argument(text: &str) -> bool {
    is_all(Rule::flag, &format!("--{text}"))
}

/// Whether a rule matches a text from its beginning to its end.
fn is_all(rule: Rule, text: &str) -> bool {
    let found = Grammar::parse(rule, text);
    found.is_ok_and(|mut pairs| pairs.next().is_some_and(|p| p.as_str().len() == text.len()))
}
