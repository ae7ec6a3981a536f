//! Answers the requests of the host.

use core::fmt;

use rune_abi::ABI_VERSION;
use rune_core::Text;
use rune_link::{
    About, DATA_BYTES, Decoder, Frame, PAYLOAD_BYTES, PROTOCOL, Reason, Reply, Request, Status,
};

use crate::{Chip, Exchange, Head, Port, Slots};

/// Most bytes of a reason for a refusal.
const WHY: usize = 512;

/// What needs the scheduler, which is busy while the links are polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Starts the rune in a slot.
    Start {
        /// The slot.
        slot: u8,
    },
    /// Stops the rune that runs.
    Stop,
    /// Calls it.
    Call,
    /// Fetches lines: the scheduler must know first whether the rune failed.
    Lines,
}

/// Takes requests, does what they ask for, and answers.
pub struct Server<C: Chip, const SLOTS: usize> {
    port: C::Port,
    decoder: Decoder,
    broken_frames: u32,
    pub(crate) slots: Slots<C::Flash, SLOTS>,
    reason: Option<Reason<'static>>,
    /// With the number of its request; nothing else is answered before.
    command: Option<(u8, Command)>,
    failure: Option<Text<WHY>>,
}

impl<C: Chip, const SLOTS: usize> Server<C, SLOTS> {
    /// `reason` is that of the run before, if it failed.
    pub fn new(
        port: C::Port,
        slots: Slots<C::Flash, SLOTS>,
        reason: Option<Reason<'static>>,
    ) -> Self {
        Self {
            port,
            decoder: Decoder::new(),
            broken_frames: 0,
            slots,
            reason,
            command: None,
            failure: None,
        }
    }

    /// Answers what has come, up to a command.
    pub(crate) fn poll(&mut self, exchange: &mut Exchange, chip: &mut C) {
        while self.command.is_none() {
            let Some(byte) = self.port.receive() else {
                return;
            };
            let mut payload = [0; PAYLOAD_BYTES];
            let received = match self.decoder.push(byte) {
                None => continue,
                Some(Ok(received)) => {
                    payload[..received.len()].copy_from_slice(received);
                    Request::decode(&payload[..received.len()]).ok()
                }
                Some(Err(_)) => None,
            };
            // What is damaged, or has no number, cannot be answered.
            let Some((number, request)) = received else {
                self.broken_frames = self.broken_frames.saturating_add(1);
                continue;
            };
            let Ok(request) = request else {
                let refused = Reply::Refused("the board does not know this request");
                self.reply(number, refused);
                continue;
            };
            let command = match request {
                Request::Start { slot } => Command::Start { slot },
                Request::Stop => Command::Stop,
                Request::Call => Command::Call,
                Request::Lines => Command::Lines,
                Request::About
                | Request::Erase { .. }
                | Request::Write { .. }
                | Request::Seal { .. }
                | Request::Slot { .. }
                | Request::Feed { .. }
                | Request::Status
                | Request::Crash(_)
                | Request::Reset => {
                    let reply = self.answer(&request, exchange, chip);
                    self.reply(number, reply.unwrap_or_else(Reply::Refused));
                    continue;
                }
            };
            self.command = Some((number, command));
        }
    }

    /// What the scheduler is to do. It then must be answered, by [`done`](Self::done) or [`lines`](Self::lines).
    pub(crate) fn command(&self) -> Option<Command> {
        self.command.map(|(_, command)| command)
    }

    /// Answers the command, if there is one.
    pub(crate) fn done(&mut self, result: Result<(), fmt::Arguments<'_>>) {
        let Some((number, _)) = self.command.take() else {
            return;
        };
        match result {
            Ok(()) => self.reply(number, Reply::Done),
            Err(why) => self.reply(number, Reply::Refused(Text::<WHY>::of(why).as_str())),
        }
    }

    /// Says that the rune failed when lines are asked for next.
    pub(crate) fn fail(&mut self, why: fmt::Arguments<'_>) {
        self.failure = Some(Text::of(why));
    }

    /// Forgets how a rune failed that was stopped since.
    pub(crate) fn forget(&mut self) {
        self.failure = None;
    }

    fn reply(&mut self, number: u8, reply: Reply<'_>) {
        let mut buffer = [0; PAYLOAD_BYTES];
        let frame = Frame::new(reply.encode(number, &mut buffer));
        self.port.send(frame.as_bytes());
    }

    /// Answers the command with lines, or with why the rune failed.
    pub(crate) fn lines(&mut self, exchange: &mut Exchange) {
        let Some((number, _)) = self.command.take() else {
            return;
        };
        let mut text = [0; DATA_BYTES];
        let count = exchange.fetch(&mut text);
        match self.failure.take_if(|_| count == 0) {
            Some(why) => self.reply(number, Reply::Refused(why.as_str())),
            None => self.reply(number, Reply::Text(&text[..count])),
        }
    }

    fn answer(
        &mut self,
        request: &Request<'_>,
        exchange: &mut Exchange,
        chip: &mut C,
    ) -> Result<Reply<'static>, &'static str> {
        match *request {
            Request::About => {
                return Ok(Reply::About(About {
                    protocol: PROTOCOL,
                    abi: ABI_VERSION,
                    slots: self.slots.count(),
                    slot_bytes: self.slots.most(),
                    board: C::NAME,
                }));
            }
            Request::Erase { slot, bytes } => self.slots.erase(slot, bytes)?,
            Request::Write { slot, offset, data } => self.slots.write(slot, offset, data)?,
            Request::Seal {
                slot,
                bytes,
                digest,
            } => self.slots.seal(slot, Head { bytes, digest })?,
            Request::Slot { slot } => {
                let Head { bytes, digest } = self.slots.look(slot)?;
                return Ok(Reply::Slot { bytes, digest });
            }
            Request::Feed {
                capability,
                offset,
                data,
            } => exchange.feed(capability, offset, data)?,
            Request::Status => return Ok(Reply::Status(self.status(exchange, chip))),
            Request::Reset => chip.reset(),
            Request::Crash(how) => return Err(chip.crash(how)),
            Request::Start { .. } | Request::Stop | Request::Call | Request::Lines => {
                unreachable!("they are answered elsewhere")
            }
        }
        Ok(Reply::Done)
    }

    fn status(&self, exchange: &Exchange, chip: &C) -> Status<'static> {
        let [heap_bytes, heap_most_bytes, heap_all_bytes] = chip.heap().map(|n| n as u32);
        let [stack_most_bytes, stack_all_bytes] = chip.stack().map(|n| n as u32);
        Status {
            time_ns: C::now_ns(),
            heap_bytes,
            heap_most_bytes,
            heap_all_bytes,
            stack_most_bytes,
            stack_all_bytes,
            lost_bytes: self.port.lost(),
            broken_frames: self.broken_frames,
            lost_text_bytes: exchange.lost(),
            reason: self.reason,
        }
    }
}
