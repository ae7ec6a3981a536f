//! Why a model file was not imported.

use std::fmt;

use rune_ir::diag::Code;

use crate::flatbuffer::Malformed;

/// What is wrong with a model file, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportError {
    /// What sort of fault it is.
    pub kind: ImportErrorKind,
    /// What and where, as a sentence without a capital or a stop.
    pub message: String,
    /// What to do about it, as a command, where that is known.
    pub advice: Option<&'static str>,
    /// What else is wrong with it, each as `message` is.
    pub others: Vec<String>,
}

/// The sort of fault an [`ImportError`] tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportErrorKind {
    /// The file is damaged or not a model.
    Unreadable,
    /// The model uses an operator that is not supported.
    UnsupportedOperator,
    /// The model uses a supported operator, or tensors, in a way that is not supported.
    UnsupportedForm,
}

impl ImportErrorKind {
    /// Its diagnostic code.
    pub const fn code(self) -> Code {
        match self {
            Self::Unreadable => Code::ModelUnreadable,
            Self::UnsupportedOperator => Code::UnsupportedOperator,
            Self::UnsupportedForm => Code::UnsupportedModel,
        }
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.others
            .iter()
            .try_for_each(|other| write!(f, "\n{other}"))
    }
}

impl std::error::Error for ImportError {}

impl From<Malformed> for ImportError {
    fn from(malformed: Malformed) -> Self {
        unreadable(malformed.to_string())
    }
}

pub(crate) fn unreadable(message: impl Into<String>) -> ImportError {
    ImportError {
        kind: ImportErrorKind::Unreadable,
        message: message.into(),
        advice: None,
        others: Vec::new(),
    }
}

pub(crate) fn unsupported_form(message: impl Into<String>) -> ImportError {
    ImportError {
        kind: ImportErrorKind::UnsupportedForm,
        message: message.into(),
        advice: None,
        others: Vec::new(),
    }
}
