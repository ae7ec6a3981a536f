//! SMP over Bluetooth Low Energy as a link of a board: the service of `rune_ble`, polled from the loop.

use alloc::{boxed::Box, sync::Arc, task::Wake};
use core::{
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll, Waker},
};

use rune_ble::{Identity, Mailbox, Port, Stopped, serve};

use crate::{RECEIVED_BYTES, Received};

/// Most polls in a turn: what has come so far goes on at once, and the rest of the board is not forgotten.
const POLLS: u32 = 32;

/// Whether the service wants to be polled again at once.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The service. It takes memory when it is started, and none after.
pub struct Near {
    served: Option<Pin<Box<dyn Future<Output = Stopped>>>>,
    mailbox: &'static Mailbox<RECEIVED_BYTES>,
    woken: Arc<Woken>,
    waker: Waker,
}

impl Near {
    /// On a controller, as who it is on the air. To be called once: it is there for ever.
    pub fn start<P: Port + 'static>(
        port: P,
        identity: Identity<'static>,
        now_ns: fn() -> u64,
    ) -> Self {
        let mailbox: &'static Mailbox<RECEIVED_BYTES> = Box::leak(Box::new(Mailbox::new()));
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        Self {
            served: Some(Box::pin(serve(port, identity, now_ns, mailbox))),
            mailbox,
            waker: Waker::from(woken.clone()),
            woken,
        }
    }

    /// Lets it go on. Gives why it is no more, once.
    pub fn poll(&mut self) -> Option<Stopped> {
        let served = self.served.as_mut()?;
        let mut context = Context::from_waker(&self.waker);
        for _ in 0..POLLS {
            if let Poll::Ready(stopped) = served.as_mut().poll(&mut context) {
                self.served = None;
                return Some(stopped);
            }
            if !self.woken.0.swap(false, Ordering::Relaxed) {
                break;
            }
        }
        None
    }

    /// The packet of a central, if one has come.
    pub fn receive(&mut self, payload: &mut [u8; RECEIVED_BYTES]) -> Option<Received> {
        self.mailbox.take(payload).map(Received::Packet)
    }

    /// Answers the packet that was received last.
    pub fn reply(&mut self, packet: &[u8]) {
        self.mailbox.reply(packet);
    }
}
