//! Who answers: which questions, to whom, and how often.

use crate::{
    PORT, REPLY_BYTES, Subject,
    query::{self, Record, Records},
    reply,
};

/// The least milliseconds between two times at which all are told the same.
const PAUSE_MS: u64 = 1000;

/// To whom a reply goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// [`GROUP`](crate::GROUP), port [`PORT`].
    Group,
    /// Who asked, at the port it asked from.
    Sender,
}

/// What to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'b> {
    /// The datagram.
    pub bytes: &'b [u8],
    /// Where it goes.
    pub to: To,
}

/// Answers questions. To the group it says each record at most once a second, whatever comes.
#[derive(Clone, Debug, Default)]
pub struct Responder {
    /// When each record was said last.
    said_ms: [Option<u64>; Record::ALL.len()],
}

impl Responder {
    /// One that has said nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The reply to a datagram from the port `from` of a neighbour, if it has one; what is damaged has none. Time is
    /// since whenever, and goes on.
    pub fn answer<'b>(
        &mut self,
        subject: &Subject<'_>,
        datagram: &[u8],
        from: u16,
        now_ms: u64,
        into: &'b mut [u8; REPLY_BYTES],
    ) -> Option<Reply<'b>> {
        let query = query::read(datagram, subject.name.as_str()).ok()??;
        // Who asks from another port does not hear the group, and speaks plain DNS.
        if from != PORT {
            let bytes = reply::write(subject, query.of_first, Some(&query), into)?;
            let to = To::Sender;
            return Some(Reply { bytes, to });
        }
        if query.is_unicast {
            let bytes = reply::write(subject, query.records, None, into)?;
            let to = To::Sender;
            return Some(Reply { bytes, to });
        }
        let mut answers = query.records;
        for record in query.records.iter() {
            let said = self.said_ms[record as usize];
            if said.is_some_and(|said| now_ms.saturating_sub(said) < PAUSE_MS) {
                answers.remove(record);
            }
        }
        self.say(subject, answers, now_ms, into)
    }

    /// What a board says once it has an address, and again a second later.
    pub fn announce<'b>(
        &mut self,
        subject: &Subject<'_>,
        now_ms: u64,
        into: &'b mut [u8; REPLY_BYTES],
    ) -> Option<Reply<'b>> {
        let mut all = Records::default();
        for record in Record::ALL {
            all.add(record);
        }
        self.say(subject, all, now_ms, into)
    }

    fn say<'b>(
        &mut self,
        subject: &Subject<'_>,
        answers: Records,
        now_ms: u64,
        into: &'b mut [u8; REPLY_BYTES],
    ) -> Option<Reply<'b>> {
        if answers.is_empty() {
            return None;
        }
        for record in answers.iter() {
            self.said_ms[record as usize] = Some(now_ms);
        }
        let bytes = reply::write(subject, answers, None, into)?;
        let to = To::Group;
        Some(Reply { bytes, to })
    }
}
