//! Questions: a datagram to the records that it asks for.

use crate::name::{self, Malformed, Name};

/// What a board says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// The PTR of the services.
    Services,
    /// The PTR of the service.
    Service,
    /// The PTR of those of the service that run runes.
    Runes,
    /// SRV.
    Port,
    /// TXT.
    Text,
    /// A.
    Address,
}

impl Record {
    pub(crate) const ALL: [Self; 6] = [
        Self::Service,
        Self::Runes,
        Self::Services,
        Self::Port,
        Self::Text,
        Self::Address,
    ];

    pub(crate) const fn name(self) -> Name {
        match self {
            Self::Services => Name::Services,
            Self::Service => Name::Service,
            Self::Runes => Name::Runes,
            Self::Port | Self::Text => Name::Instance,
            Self::Address => Name::Host,
        }
    }

    /// Its number in messages.
    pub(crate) const fn kind(self) -> u16 {
        match self {
            Self::Services | Self::Service | Self::Runes => 12,
            Self::Port => 33,
            Self::Text => 16,
            Self::Address => 1,
        }
    }

    /// How long it is valid, in seconds: what names a host for a short time, as its address may change.
    pub(crate) const fn seconds(self) -> u32 {
        match self {
            Self::Services | Self::Service | Self::Runes | Self::Text => 4500,
            Self::Port | Self::Address => 120,
        }
    }

    /// Whether nobody else has one of this name and kind.
    pub(crate) const fn is_unique(self) -> bool {
        !matches!(self, Self::Services | Self::Service | Self::Runes)
    }
}

/// A set of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Records(u8);

impl Records {
    pub(crate) fn add(&mut self, record: Record) {
        self.0 |= 1 << record as u8;
    }

    pub(crate) fn remove(&mut self, record: Record) {
        self.0 &= !(1 << record as u8);
    }

    pub(crate) const fn has(self, record: Record) -> bool {
        self.0 & 1 << record as u8 != 0
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Record> {
        Record::ALL
            .into_iter()
            .filter(move |record| self.has(*record))
    }
}

/// A question for a record of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) name: Name,
    /// As it was asked.
    pub(crate) kind: u16,
}

/// What a datagram asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) id: u16,
    /// The first for a record of ours.
    pub(crate) first: Question,
    /// What it asks for and does not know.
    pub(crate) records: Records,
    /// What the first question asks for.
    pub(crate) of_first: Records,
    /// Whether every question is for a reply to the sender alone.
    pub(crate) is_unicast: bool,
}

/// Most questions of a message that are looked at.
const QUESTIONS: u16 = 32;
/// Most of its answers that are.
const ANSWERS: u16 = 64;

const HEADER: usize = 12;
const IS_RESPONSE_OR_NO_QUERY: u16 = 0xF800;
const ANY: u16 = 255;
const INTERNET: u16 = 1;
/// In the class of a question: a reply to the sender alone is welcome.
const UNICAST: u16 = 0x8000;

/// The records of a name that a question for this kind is for.
fn asked(name: Name, kind: u16) -> Records {
    let mut records = Records::default();
    for record in Record::ALL {
        if record.name() == name && [record.kind(), ANY].contains(&kind) {
            records.add(record);
        }
    }
    records
}

fn u16_at(message: &[u8], at: usize) -> Result<u16, Malformed> {
    let bytes = message
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .ok_or(Malformed)?;
    Ok(u16::from_be_bytes(*bytes))
}

/// Reads a message; `None` where it asks for nothing of the board with this name.
pub(crate) fn read(message: &[u8], name: &str) -> Result<Option<Query>, Malformed> {
    if u16_at(message, 2)? & IS_RESPONSE_OR_NO_QUERY != 0 {
        return Ok(None);
    }
    let (questions, answers) = (u16_at(message, 4)?, u16_at(message, 6)?);
    let mut query: Option<Query> = None;
    let mut at = HEADER;
    for _ in 0..questions.min(QUESTIONS) {
        let (found, end) = name::read(message, at, name)?;
        let (kind, class) = (u16_at(message, end)?, u16_at(message, end + 2)?);
        at = end + 4;
        let is_ours = [INTERNET, ANY].contains(&(class & !UNICAST));
        let Some(name) = found.filter(|_| is_ours) else {
            continue;
        };
        let records = asked(name, kind);
        if records.is_empty() {
            continue;
        }
        let query = query.get_or_insert(Query {
            id: u16_at(message, 0)?,
            first: Question { name, kind },
            records,
            of_first: records,
            is_unicast: true,
        });
        records.iter().for_each(|record| query.records.add(record));
        query.is_unicast &= class & UNICAST != 0;
    }
    let Some(mut query) = query else {
        return Ok(None);
    };
    if questions <= QUESTIONS {
        known(message, at, answers.min(ANSWERS), name, &mut query)?;
    }
    Ok((!query.records.is_empty()).then_some(query))
}

/// Takes out what the asker knows and will know for a while yet.
fn known(
    message: &[u8],
    mut at: usize,
    answers: u16,
    name: &str,
    query: &mut Query,
) -> Result<(), Malformed> {
    for _ in 0..answers {
        let (found, end) = name::read(message, at, name)?;
        let kind = u16_at(message, end)?;
        let seconds =
            u32::from(u16_at(message, end + 4)?) << 16 | u32::from(u16_at(message, end + 6)?);
        let data = end + 10;
        at = data + usize::from(u16_at(message, end + 8)?);
        if at > message.len() {
            return Err(Malformed);
        }
        for (record, says) in [
            (Record::Services, Name::Service),
            (Record::Service, Name::Instance),
        ] {
            if found == Some(record.name())
                && kind == record.kind()
                && seconds >= record.seconds() / 2
                && name::read(message, data, name)?.0 == Some(says)
            {
                query.records.remove(record);
            }
        }
    }
    Ok(())
}
