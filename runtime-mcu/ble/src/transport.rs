//! Packets to and from a controller over a port that does not wait.

use core::{
    cell::RefCell,
    convert::Infallible,
    fmt,
    future::poll_fn,
    task::{Context, Poll},
};

use bt_hci::{
    PacketKind, ReadHciError,
    transport::{PacketToController, PacketToHost, Transport, WithIndicator},
};
use embedded_io::{ErrorKind, ErrorType};

use crate::{H4, H4Error, guard::Guard};

/// Most bytes that wait for the port: a few packets, each of which goes in whole.
const OUT: usize = 1024;
/// Bytes that are read at once.
const IN: usize = 64;

/// The serial line of a controller. Nothing of it waits.
pub trait Port {
    /// Takes bytes that came, the first ones first; 0 where there are none now.
    ///
    /// # Errors
    /// The line is gone.
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ErrorKind>;

    /// Sends the first of these bytes, as many as there is room for now; gives how many.
    ///
    /// # Errors
    /// The line is gone.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind>;
}

/// Why there is no more to be had of a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The line is gone.
    Port(ErrorKind),
    /// It sends what is no packet.
    Bytes(H4Error),
    /// It sends a packet that has no meaning.
    Packet,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(kind) => write!(f, "its line is gone: {kind:?}"),
            Self::Bytes(H4Error::Kind(kind)) => {
                write!(
                    f,
                    "it sends packets of a kind {kind:#04x} that does not exist"
                )
            }
            Self::Bytes(H4Error::Long(bytes)) => write!(f, "it sends a packet of {bytes} bytes"),
            Self::Packet => f.write_str("it sends a packet that has no meaning"),
        }
    }
}

impl core::error::Error for Fault {}

impl embedded_io::Error for Fault {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Port(kind) => *kind,
            Self::Bytes(_) | Self::Packet => ErrorKind::InvalidData,
        }
    }
}

impl From<ReadHciError<Infallible>> for Fault {
    fn from(_: ReadHciError<Infallible>) -> Self {
        Self::Packet
    }
}

/// What has come and is no packet yet, and what waits to go.
struct Line<P> {
    port: P,
    packets: H4,
    guard: Guard,
    read: [u8; IN],
    /// Where those bytes begin that were read and not looked at, and where they end.
    unread: [usize; 2],
    out: [u8; OUT],
    waiting: usize,
    /// A packet was given, and what else goes on in this future has not been polled since.
    has_given: bool,
}

impl<P: Port> Line<P> {
    /// Sends what there is room for.
    fn flush(&mut self) -> Result<(), Fault> {
        while self.waiting > 0 {
            let sent = self.port.write(&self.out[..self.waiting]);
            let sent = sent.map_err(Fault::Port)?.min(self.waiting);
            if sent == 0 {
                break;
            }
            self.out.copy_within(sent..self.waiting, 0);
            self.waiting -= sent;
        }
        Ok(())
    }

    /// Takes bytes until a packet is whole; gives its bytes, which are in `packets`, or `None` where too few have come.
    fn take(&mut self) -> Result<Option<usize>, Fault> {
        loop {
            let [from, to] = &mut self.unread;
            if from == to {
                let read = self.port.read(&mut self.read).map_err(Fault::Port)?;
                if read == 0 {
                    return Ok(None);
                }
                self.unread = [0, read.min(IN)];
                continue;
            }
            let byte = self.read[*from];
            *from += 1;
            if let Some(packet) = self.packets.push(byte).map_err(Fault::Bytes)? {
                return Ok(Some(packet.len()));
            }
        }
    }
}

/// Packets over a port. What reads and writes them must be polled as one.
pub(crate) struct Packets<P>(RefCell<Line<P>>);

impl<P: Port> Packets<P> {
    pub(crate) fn new(port: P) -> Self {
        Self(RefCell::new(Line {
            port,
            packets: H4::new(),
            guard: Guard::new(),
            read: [0; IN],
            unread: [0; 2],
            out: [0; OUT],
            waiting: 0,
            has_given: false,
        }))
    }

    /// A packet is parsed in the poll in which it is whole, so that a read that is given up loses none.
    fn poll_read<T>(
        &self,
        context: &mut Context<'_>,
        parse: impl FnOnce(PacketKind, &[u8]) -> Result<T, Fault>,
    ) -> Poll<Result<T, Fault>> {
        let line = &mut *self.0.borrow_mut();
        if let Err(fault) = line.flush() {
            return Poll::Ready(Err(fault));
        }
        if core::mem::take(&mut line.has_given) {
            // Who takes what packets bring goes first: its queues are short.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let whole = match line.take() {
            Ok(None) => return Poll::Pending,
            Ok(Some(whole)) => whole,
            Err(fault) => return Poll::Ready(Err(fault)),
        };
        line.has_given = true;
        match line.packets.last(whole) {
            [4, event @ ..] => Poll::Ready(parse(PacketKind::Event, event)),
            [_, data @ ..] => {
                if let Some(data) = line.guard.data(data) {
                    return Poll::Ready(parse(PacketKind::AclData, data));
                }
                context.waker().wake_by_ref();
                Poll::Pending
            }
            [] => Poll::Pending,
        }
    }
}

impl<P> ErrorType for Packets<P> {
    type Error = Fault;
}

impl<P: Port> Transport for Packets<P> {
    async fn read<'a, T: PacketToHost<'a>>(&self, rx: &'a mut [u8]) -> Result<T, Fault> {
        let mut room = Some(rx);
        poll_fn(|context| {
            self.poll_read(context, |kind, mut bytes| {
                let room = room.take().ok_or(Fault::Packet)?;
                T::read_hci(kind, &mut bytes, room).map_err(|_| Fault::Packet)
            })
        })
        .await
    }

    async fn write<T: PacketToController>(&self, tx: &T) -> Result<(), Fault> {
        let packet = WithIndicator::new(tx);
        poll_fn(|_| {
            let line = &mut *self.0.borrow_mut();
            if let Err(fault) = line.flush() {
                return Poll::Ready(Err(fault));
            }
            let size = packet.size();
            if size > OUT {
                return Poll::Ready(Err(Fault::Packet));
            }
            let Some(room) = line.out.get_mut(line.waiting..line.waiting + size) else {
                return Poll::Pending;
            };
            if packet.write_hci(room).is_err() {
                return Poll::Ready(Err(Fault::Packet));
            }
            line.waiting += size;
            Poll::Ready(line.flush())
        })
        .await
    }
}
