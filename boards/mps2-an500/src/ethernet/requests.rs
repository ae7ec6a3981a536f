//! Requests in datagrams: one frame of `rune_link` in each, and one in the reply.
//!
//! Datagrams get lost and doubled, so a host asks again with the same number. The reply to the last request is kept,
//! and a request that comes again from the same sender gets it without being done again.

use cortex_m::singleton;
use crc::{CRC_32_ISO_HDLC, Crc, NoTable};
use rune_link::{Decoder, FRAME_BYTES, Frame, frame::Broken};
use smoltcp::{
    socket::udp,
    time::{Duration, Instant},
    wire::{IpAddress, IpEndpoint},
};

/// How long a reply is kept.
const KEPT: Duration = Duration::from_secs(10);

/// Who asked for what.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Asked {
    sender: IpEndpoint,
    /// Bytes of the payload, and their checksum.
    bytes: usize,
    sum: u32,
}

/// The state of the socket's requests.
pub(super) struct Requests {
    /// The request that is being done.
    asked: Option<Asked>,
    /// The one that was done last, until when its reply is kept, and the reply.
    done: Option<(Asked, Instant)>,
    reply: &'static mut [u8; FRAME_BYTES],
    reply_len: usize,
}

impl Requests {
    /// To be called once.
    pub(super) fn new() -> Self {
        Self {
            asked: None,
            done: None,
            reply: singleton!(: [u8; FRAME_BYTES] = [0; FRAME_BYTES]).expect("it is made once"),
            reply_len: 0,
        }
    }

    /// The payload of the next datagram to `own` that is not answered at once.
    pub(super) fn receive(
        &mut self,
        socket: &mut udp::Socket<'_>,
        own: IpAddress,
        now: Instant,
        payload: &mut [u8],
    ) -> Option<Result<usize, Broken>> {
        const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);
        // The socket has room for few, so this ends.
        while let Ok((datagram, meta)) = socket.recv() {
            // What goes to all is not for this board alone.
            if meta.local_address != Some(own) {
                continue;
            }
            let Ok(bytes) = only_frame(datagram, payload) else {
                return Some(Err(Broken));
            };
            let asked = Asked {
                sender: meta.endpoint,
                bytes,
                sum: CRC.checksum(&payload[..bytes]),
            };
            if self
                .done
                .is_some_and(|(done, until)| done == asked && now < until)
            {
                send(socket, &self.reply[..self.reply_len], asked.sender);
                continue;
            }
            self.asked = Some(asked);
            return Some(Ok(bytes));
        }
        None
    }

    /// Answers the request that [`receive`](Self::receive) gave last.
    pub(super) fn reply(&mut self, socket: &mut udp::Socket<'_>, now: Instant, payload: &[u8]) {
        let Some(asked) = self.asked.take() else {
            return;
        };
        let frame = Frame::new(payload);
        let frame = frame.as_bytes();
        self.reply[..frame.len()].copy_from_slice(frame);
        self.reply_len = frame.len();
        self.done = Some((asked, now + KEPT));
        send(socket, frame, asked.sender);
    }
}

/// The payload of the frame that a datagram is; gives its bytes.
fn only_frame(datagram: &[u8], payload: &mut [u8]) -> Result<usize, Broken> {
    let mut decoder = Decoder::new();
    let mut found = None;
    for &byte in datagram {
        match decoder.push(byte) {
            None => {}
            Some(Ok(received)) if found.is_none() => {
                payload[..received.len()].copy_from_slice(received);
                found = Some(received.len());
            }
            Some(_) => return Err(Broken),
        }
    }
    found.filter(|_| datagram.last() == Some(&0)).ok_or(Broken)
}

/// A reply for which there is no room, or no way, is lost; the host asks again.
fn send(socket: &mut udp::Socket<'_>, frame: &[u8], to: IpEndpoint) {
    let _ = socket.send_slice(frame, to);
}
