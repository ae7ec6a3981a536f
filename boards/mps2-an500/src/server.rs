//! Answers the requests that come over the link.

use rune_abi::ABI_VERSION;
use rune_link::{About, Decoder, Frame, PAYLOAD_BYTES, PROTOCOL, Reason, Reply, Request, Status};

use crate::{
    clock, memory,
    slots::{self, Head, Slots},
    uart::Link,
};

/// What a board is called.
const BOARD: &str = "mps2-an500";

/// Takes requests, does what they ask for, and answers.
pub(crate) struct Server {
    link: Link,
    decoder: Decoder,
    broken_frames: u32,
    slots: Slots,
    reason: Option<Reason<'static>>,
}

impl Server {
    /// `reason` is that of the run before, if it failed.
    pub(crate) fn new(link: Link, slots: Slots, reason: Option<Reason<'static>>) -> Self {
        Self {
            link,
            decoder: Decoder::new(),
            broken_frames: 0,
            slots,
            reason,
        }
    }

    /// Answers what has come.
    pub(crate) fn poll(&mut self) {
        while let Some(byte) = self.link.receive() {
            let Some(frame) = self.decoder.push(byte) else {
                continue;
            };
            let mut payload = [0; PAYLOAD_BYTES];
            let Ok(received) = frame else {
                self.broken_frames += 1;
                continue;
            };
            let payload = &mut payload[..received.len()];
            payload.copy_from_slice(received);
            // A frame without a number is a mistake of whoever sends it, and cannot be answered.
            let Ok((number, request)) = Request::decode(payload) else {
                self.broken_frames += 1;
                continue;
            };
            let reply = match request {
                Ok(request) => self.answer(request),
                Err(_) => Err("the board does not know this request"),
            };
            let reply = reply.unwrap_or_else(Reply::Refused);
            let mut buffer = [0; PAYLOAD_BYTES];
            let frame = Frame::new(reply.encode(number, &mut buffer));
            self.link.send(frame.as_bytes());
        }
    }

    fn answer(&mut self, request: Request<'_>) -> Result<Reply<'static>, &'static str> {
        match request {
            Request::About => {
                return Ok(Reply::About(About {
                    protocol: PROTOCOL,
                    abi: ABI_VERSION,
                    slots: slots::SLOTS,
                    slot_bytes: slots::MOST,
                    board: BOARD,
                }));
            }
            Request::Erase { slot, bytes } => self.slots.erase(slot, bytes)?,
            Request::Write { slot, offset, data } => self.slots.write(slot, offset, data)?,
            Request::Seal { slot, bytes, sum } => self.slots.seal(slot, Head { bytes, sum })?,
            Request::Slot { slot } => {
                let Head { bytes, sum } = self.slots.look(slot)?;
                return Ok(Reply::Slot { bytes, sum });
            }
            Request::Status => return Ok(Reply::Status(self.status())),
            Request::Reset => cortex_m::peripheral::SCB::sys_reset(),
            #[cfg(feature = "crash")]
            Request::Crash(how) => crate::fault::crash(how),
            #[cfg(not(feature = "crash"))]
            Request::Crash(_) => return Err("this build does not fail on request"),
            Request::Start { .. } | Request::Stop | Request::Feed { .. } | Request::Lines => {
                return Err("no rune runs");
            }
        }
        Ok(Reply::Done)
    }

    fn status(&self) -> Status<'static> {
        let [heap_bytes, heap_most_bytes, heap_all_bytes] = memory::heap().map(|n| n as u32);
        let [stack_most_bytes, stack_all_bytes] = memory::stack().map(|n| n as u32);
        Status {
            time_ns: clock::now_ns(),
            heap_bytes,
            heap_most_bytes,
            heap_all_bytes,
            stack_most_bytes,
            stack_all_bytes,
            lost_bytes: self.link.lost(),
            broken_frames: self.broken_frames,
            lost_text_bytes: 0,
            reason: self.reason,
        }
    }
}
