//! The states of a slot and every transition between them, as one table: the machine takes no other.
//!
//! The table of `docs/book/installing.md` is drawn from it.

use core::fmt;

macro_rules! words {
    ($(#[$outer:meta])* $name:ident { $($(#[doc = $doc:literal])+ $variant:ident = $text:literal,)+ }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// What it is called.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// What it means.
            pub const fn doc(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc),+),)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.text())
            }
        }
    };
}

words! {
    /// What a slot is.
    Phase {
        /// Nothing that is needed.
        Empty = "EMPTY",
        /// An upload that is under way, or complete and not verified yet.
        Receiving = "RECEIVING",
        /// An upload that the runtime found whole, signed and fit for the device. It belongs to a name.
        Verified = "VERIFIED",
        /// The rune of its name that is tried, with the number of starts since it was last healthy.
        Trial = "TRIAL",
        /// The rune of its name.
        Confirmed = "CONFIRMED",
        /// The one that was confirmed before, while nothing else needs its slot.
        Previous = "PREVIOUS",
        /// Refused by the runtime, or rolled back. Its bytes are not needed.
        Bad = "BAD",
    }
}

words! {
    /// What happens to a slot.
    Event {
        /// An upload begins here.
        Begin = "begin",
        /// Bytes of the upload come.
        Chunk = "chunk",
        /// The upload is said to be complete.
        End = "end",
        /// The device starts.
        Boot = "boot",
        /// The runtime took the upload.
        Verified = "verified",
        /// The runtime refused the upload, or its security counter is below the floor of its name.
        Refused = "refused",
        /// The same bytes are uploaded again.
        Recall = "recall",
        /// It is to be tried.
        TryOut = "try",
        /// It is about to be started; recorded before.
        Attempt = "attempt",
        /// It runs well.
        Healthy = "healthy",
        /// It ended badly, or was not healthy in time.
        Failed = "failed",
        /// The trial is over: this is the rune of its name.
        Confirm = "confirm",
        /// It is taken back.
        Rollback = "rollback",
        /// Another one of its name took its place.
        Superseded = "superseded",
        /// The one that took its place was rolled back.
        Restored = "restored",
        /// This slot is given up.
        Discard = "discard",
        /// All slots of its name are given up.
        Remove = "remove",
    }
}

/// When a row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Always.
    Always,
    /// The trial was started less often than it may be.
    TriesLeft,
    /// The trial was started as often as it may be.
    Spent,
}

/// One transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// What the slot is.
    pub from: Phase,
    /// What happens.
    pub on: Event,
    /// When the row counts.
    pub when: When,
    /// What the slot is then.
    pub to: Phase,
    /// What else comes of it.
    pub note: &'static str,
}

const fn row(from: Phase, on: Event, to: Phase, note: &'static str) -> Row {
    Row {
        from,
        on,
        when: When::Always,
        to,
        note,
    }
}

const fn row_when(from: Phase, on: Event, when: When, to: Phase, note: &'static str) -> Row {
    Row {
        from,
        on,
        when,
        to,
        note,
    }
}

use Event as E;
use Phase as P;

/// Every transition. What has no row is refused.
pub const TABLE: &[Row] = &[
    row(P::Empty, E::Begin, P::Receiving, "taken first"),
    row(
        P::Receiving,
        E::Begin,
        P::Receiving,
        "the same upload goes on where it was; another one ends it, and takes its slot if none is EMPTY or BAD",
    ),
    row(
        P::Receiving,
        E::Chunk,
        P::Receiving,
        "recorded at each checkpoint, after the bytes before it are synced",
    ),
    row(
        P::Receiving,
        E::End,
        P::Receiving,
        "only when all bytes are there; the runtime verifies them",
    ),
    row(
        P::Receiving,
        E::Boot,
        P::Receiving,
        "goes on at the last checkpoint; what lies behind it is erased before the next chunk",
    ),
    row(
        P::Receiving,
        E::Verified,
        P::Verified,
        "bound to its name; one of this name that was VERIFIED is superseded",
    ),
    row(P::Receiving, E::Refused, P::Bad, ""),
    row(P::Receiving, E::Discard, P::Empty, ""),
    row(
        P::Verified,
        E::TryOut,
        P::Trial,
        "TRIAL(0); one of this name that is in TRIAL is superseded",
    ),
    row(
        P::Verified,
        E::Begin,
        P::Receiving,
        "if no other slot is free, and none is PREVIOUS",
    ),
    row(P::Verified, E::Superseded, P::Empty, ""),
    row(P::Verified, E::Discard, P::Empty, ""),
    row(P::Verified, E::Remove, P::Empty, ""),
    row_when(
        P::Trial,
        E::Attempt,
        When::TriesLeft,
        P::Trial,
        "TRIAL(n + 1), and then it is started",
    ),
    row_when(
        P::Trial,
        E::Attempt,
        When::Spent,
        P::Bad,
        "a strike against its digest; the CONFIRMED one of its name is started",
    ),
    row(P::Trial, E::Healthy, P::Trial, "TRIAL(0)"),
    row_when(
        P::Trial,
        E::Failed,
        When::TriesLeft,
        P::Trial,
        "nothing: the attempt is recorded already",
    ),
    row_when(
        P::Trial,
        E::Failed,
        When::Spent,
        P::Bad,
        "a strike against its digest",
    ),
    row(
        P::Trial,
        E::Confirm,
        P::Confirmed,
        "the one that was CONFIRMED is superseded, and the floor of the name rises",
    ),
    row(P::Trial, E::Rollback, P::Bad, "a strike against its digest"),
    row(P::Trial, E::Superseded, P::Empty, ""),
    row(P::Trial, E::Remove, P::Empty, ""),
    row(
        P::Confirmed,
        E::Attempt,
        P::Confirmed,
        "it is started; nothing is recorded",
    ),
    row(P::Confirmed, E::Healthy, P::Confirmed, "nothing"),
    row(P::Confirmed, E::Failed, P::Confirmed, "nothing"),
    row(
        P::Confirmed,
        E::Rollback,
        P::Bad,
        "only with a PREVIOUS one that the floor allows, which is restored; a strike against its digest",
    ),
    row(
        P::Confirmed,
        E::Superseded,
        P::Previous,
        "one that was PREVIOUS is superseded",
    ),
    row(P::Confirmed, E::Remove, P::Empty, ""),
    row(
        P::Previous,
        E::Begin,
        P::Receiving,
        "the oldest, if no slot is EMPTY, BAD or RECEIVING",
    ),
    row(
        P::Previous,
        E::Recall,
        P::Verified,
        "only where the floor allows it; nothing need be sent",
    ),
    row(P::Previous, E::Restored, P::Confirmed, ""),
    row(P::Previous, E::Superseded, P::Empty, ""),
    row(P::Previous, E::Discard, P::Empty, ""),
    row(P::Previous, E::Remove, P::Empty, ""),
    row(
        P::Bad,
        E::Begin,
        P::Receiving,
        "of the same digest, or after the EMPTY ones",
    ),
    row(P::Bad, E::Discard, P::Empty, ""),
    row(P::Bad, E::Remove, P::Empty, ""),
];

/// The row for an event, where `spent` tells whether a trial was started as often as it may be.
pub fn find(from: Phase, on: Event, spent: bool) -> Option<&'static Row> {
    TABLE.iter().find(|row| {
        let counts = match row.when {
            When::Always => true,
            When::TriesLeft => !spent,
            When::Spent => spent,
        };
        row.from == from && row.on == on && counts
    })
}

/// Writes the states, the events and the table as Markdown.
pub fn markdown(out: &mut impl fmt::Write) -> fmt::Result {
    out.write_str("| state | a slot that is so |\n|---|---|\n")?;
    for phase in Phase::ALL {
        writeln!(out, "| {phase} |{} |", phase.doc())?;
    }
    out.write_str("\n| event | |\n|---|---|\n")?;
    for event in Event::ALL {
        writeln!(out, "| {event} |{} |", event.doc())?;
    }
    out.write_str("\n| from | event | to | |\n|---|---|---|---|\n")?;
    for row in TABLE {
        let when = match row.when {
            When::Always => "",
            When::TriesLeft => ", tries left",
            When::Spent => ", no try left",
        };
        let (from, on, to, note) = (row.from, row.on, row.to, row.note);
        writeln!(out, "| {from} | {on}{when} | {to} | {note} |")?;
    }
    Ok(())
}
