//! Where a request waits until it is taken, and a reply until it is sent.

use core::cell::{Cell, RefCell};

use rune_smp::fragments::Assembler;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody asked.
    Empty,
    /// Somebody asked, in so many bytes.
    Asked(usize),
    /// The request was taken.
    Taken,
    /// It is answered, in so many bytes.
    Answered(usize),
}

/// Between the service and whoever answers: packets of at most `N` bytes, one at a time.
pub struct Mailbox<const N: usize> {
    state: Cell<State>,
    bytes: RefCell<[u8; N]>,
    pieces: RefCell<Assembler<N>>,
}

impl<const N: usize> Mailbox<N> {
    /// An empty one.
    pub const fn new() -> Self {
        Self {
            state: Cell::new(State::Empty),
            bytes: RefCell::new([0; N]),
            pieces: RefCell::new(Assembler::new()),
        }
    }

    /// Takes the request that has come, and gives its bytes; `None` where there is none, or where it has no room, which
    /// loses it.
    pub fn take(&self, into: &mut [u8]) -> Option<usize> {
        let State::Asked(bytes) = self.state.get() else {
            return None;
        };
        self.state.set(State::Taken);
        let room = into.get_mut(..bytes)?;
        room.copy_from_slice(&self.bytes.borrow()[..bytes]);
        Some(bytes)
    }

    /// Answers the request that was taken last. What is too long, or is not asked for any more, is lost.
    pub fn reply(&self, packet: &[u8]) {
        if self.state.get() != State::Taken {
            return;
        }
        if let Some(room) = self.bytes.borrow_mut().get_mut(..packet.len()) {
            room.copy_from_slice(packet);
            self.state.set(State::Answered(packet.len()));
        }
    }

    /// Forgets everything, as another central is to come.
    pub(crate) fn clear(&self) {
        self.pieces.borrow_mut().clear();
        self.state.set(State::Empty);
    }

    /// A piece has come. A packet that it completes is lost where the one before waits to be taken, or to be answered.
    pub(crate) fn piece(&self, piece: &[u8]) {
        let mut pieces = self.pieces.borrow_mut();
        // What is no packet is forgotten.
        let Ok(Some(packet)) = pieces.take(piece) else {
            return;
        };
        // One that was taken and not answered yet is no request, or its answer is not waited for any more.
        if matches!(self.state.get(), State::Empty | State::Taken) {
            self.bytes.borrow_mut()[..packet.len()].copy_from_slice(packet);
            self.state.set(State::Asked(packet.len()));
        }
    }

    /// Whether there is a reply.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.state.get(), State::Answered(_))
    }

    /// The bytes of the reply from `from` on, as many as there is room for.
    pub(crate) fn part(&self, from: usize, into: &mut [u8]) -> usize {
        let State::Answered(bytes) = self.state.get() else {
            return 0;
        };
        let count = into.len().min(bytes.saturating_sub(from));
        into[..count].copy_from_slice(&self.bytes.borrow()[from..from + count]);
        count
    }

    /// The reply is sent.
    pub(crate) fn sent(&self) {
        self.state.set(State::Empty);
    }
}

impl<const N: usize> Default for Mailbox<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet with one byte behind its header.
    const fn packet(byte: u8) -> [u8; 9] {
        [2, 0, 0, 1, 0, 64, 0, 0, byte]
    }

    fn reply(mailbox: &Mailbox<16>) -> [u8; 9] {
        let mut bytes = [0; 9];
        assert!(mailbox.is_answered());
        assert_eq!(mailbox.part(0, &mut bytes[..4]), 4);
        assert_eq!(mailbox.part(4, &mut bytes[4..]), 5);
        mailbox.sent();
        bytes
    }

    #[test]
    fn one_request_is_taken_and_answered_at_a_time() {
        let mailbox = Mailbox::<16>::new();
        let mut room = [0; 16];
        assert_eq!(mailbox.take(&mut room), None);
        mailbox.piece(&packet(1)[..5]);
        assert_eq!(mailbox.take(&mut room), None);
        mailbox.piece(&packet(1)[5..]);
        mailbox.piece(&packet(2));
        assert_eq!(mailbox.take(&mut room), Some(9));
        assert_eq!(room[..9], packet(1));
        assert_eq!(mailbox.take(&mut room), None);
        mailbox.reply(&packet(3));
        mailbox.piece(&packet(4));
        assert_eq!(reply(&mailbox), packet(3));
        assert_eq!(mailbox.take(&mut room), None);
    }

    #[test]
    fn what_nobody_answered_gives_way() {
        let mailbox = Mailbox::<16>::new();
        let mut room = [0; 16];
        mailbox.piece(&packet(1));
        assert_eq!(mailbox.take(&mut room), Some(9));
        mailbox.piece(&packet(2));
        // It is for the request before, which nobody waits for.
        mailbox.reply(&packet(3));
        assert!(!mailbox.is_answered());
        assert_eq!(mailbox.take(&mut room), Some(9));
        assert_eq!(room[..9], packet(2));
        mailbox.clear();
        mailbox.reply(&packet(3));
        assert!(!mailbox.is_answered());
    }

    #[test]
    fn what_has_no_room_is_lost() {
        let mailbox = Mailbox::<16>::new();
        mailbox.piece(&packet(1));
        assert_eq!(mailbox.take(&mut [0; 8]), None);
        mailbox.reply(&[0; 17]);
        assert!(!mailbox.is_answered());
        mailbox.piece(&[2, 0, 0, 20, 0, 64, 0, 0]);
        mailbox.piece(&packet(2));
        assert_eq!(mailbox.take(&mut [0; 16]), Some(9));
    }
}
