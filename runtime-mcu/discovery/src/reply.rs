//! Replies as bytes.

use core::fmt::{self, Write as _};

use crate::{
    Subject,
    name::Name,
    query::{Query, Record, Records},
};

/// Most seconds that who speaks plain DNS may keep a record.
const LEGACY_SECONDS: u32 = 10;
const AUTHORITATIVE_RESPONSE: u16 = 0x8400;
const INTERNET: u16 = 1;
/// In the class of a record: what else is known of its name and kind is not true any more.
const FLUSH: u16 = 0x8000;

/// Writes the reply with these records, and with what who asks for them will ask for next; `legacy` is the query of one
/// who speaks plain DNS. `None` where there is no room.
pub(crate) fn write<'b>(
    subject: &Subject<'_>,
    answers: Records,
    legacy: Option<&Query>,
    into: &'b mut [u8],
) -> Option<&'b [u8]> {
    let mut more = Records::default();
    if answers.has(Record::Service) || answers.has(Record::Runes) {
        for record in [Record::Port, Record::Text, Record::Address] {
            more.add(record);
        }
    }
    if answers.has(Record::Port) {
        more.add(Record::Address);
    }
    answers.iter().for_each(|record| more.remove(record));
    let mut w = Writer {
        into,
        at: 0,
        places: [0; Name::COUNT],
        name: subject.name.as_str(),
    };
    let count = |records: Records| records.iter().count() as u16;
    w.u16(legacy.map_or(0, |query| query.id))?;
    w.u16(AUTHORITATIVE_RESPONSE)?;
    w.u16(legacy.is_some().into())?;
    w.u16(count(answers))?;
    w.u16(0)?;
    w.u16(count(more))?;
    if let Some(query) = legacy {
        w.name(query.first.name)?;
        w.u16(query.first.kind)?;
        w.u16(INTERNET)?;
    }
    for record in answers.iter().chain(more.iter()) {
        w.record(subject, record, legacy.is_some())?;
    }
    let Writer { into, at, .. } = w;
    Some(&into[..at])
}

struct Writer<'b, 's> {
    into: &'b mut [u8],
    at: usize,
    /// Where names were written, by their numbers; 0 where they were not.
    places: [u16; Name::COUNT],
    name: &'s str,
}

impl Writer<'_, '_> {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let place = self.into.get_mut(self.at..)?.get_mut(..bytes.len())?;
        place.copy_from_slice(bytes);
        self.at += bytes.len();
        Some(())
    }

    fn u16(&mut self, number: u16) -> Option<()> {
        self.put(&number.to_be_bytes())
    }

    /// A name, or a pointer to where it was written before.
    fn name(&mut self, name: Name) -> Option<()> {
        let mut next = Some(name);
        while let Some(part) = next {
            let place = &mut self.places[part as usize];
            if *place != 0 {
                let pointer = 0xC000 | *place;
                return self.u16(pointer);
            }
            *place = self.at as u16;
            self.label(part.label(self.name).as_bytes())?;
            next = part.rest();
        }
        self.put(&[0])
    }

    /// A name without pointers.
    fn whole_name(&mut self, name: Name) -> Option<()> {
        let places = core::mem::take(&mut self.places);
        self.name(name)?;
        self.places = places;
        Some(())
    }

    fn label(&mut self, bytes: &[u8]) -> Option<()> {
        self.put(&[bytes.len() as u8])?;
        self.put(bytes)
    }

    /// What `write` writes, after its length in so many bytes, 1 or 2.
    fn sized<const BYTES: usize>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Option<()>,
    ) -> Option<()> {
        let at = self.at;
        self.put(&[0; BYTES])?;
        let start = self.at;
        write(self)?;
        let len = u16::try_from(self.at - start).ok()?.to_be_bytes();
        self.into[at..start].copy_from_slice(&len[2 - BYTES..]);
        Some(())
    }

    fn text(&mut self, text: fmt::Arguments<'_>) -> Option<()> {
        self.sized::<1>(|w| w.write_fmt(text).ok())
    }

    fn record(&mut self, subject: &Subject<'_>, record: Record, is_legacy: bool) -> Option<()> {
        self.name(record.name())?;
        self.u16(record.kind())?;
        let flush = if record.is_unique() && !is_legacy {
            FLUSH
        } else {
            0
        };
        self.u16(INTERNET | flush)?;
        let most = if is_legacy { LEGACY_SECONDS } else { u32::MAX };
        self.put(&record.seconds().min(most).to_be_bytes())?;
        self.sized::<2>(|w| match record {
            Record::Services => w.name(Name::Service),
            Record::Service | Record::Runes => w.name(Name::Instance),
            Record::Port => {
                // Priority and weight.
                w.put(&[0; 4])?;
                w.u16(subject.port)?;
                if is_legacy {
                    w.whole_name(Name::Host)
                } else {
                    w.name(Name::Host)
                }
            }
            Record::Text => {
                w.text(format_args!("txtvers=1"))?;
                w.text(format_args!("board={}", subject.board.as_str()))?;
                w.text(format_args!("abi={}", subject.abi))?;
                w.text(format_args!("mode={}", subject.mode.as_str()))
            }
            Record::Address => w.put(&subject.address),
        })
    }
}

impl fmt::Write for Writer<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes()).ok_or(fmt::Error)
    }
}
