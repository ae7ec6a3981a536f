//! Says on networks that a device is there: multicast DNS for the service of SMP, as boards do.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    time::{Duration, Instant},
};

use rune_discovery::{GROUP, HOP_LIMIT, Label, PORT, REPLY_BYTES, Reply, Responder, Subject, To};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, socket_with, sockopt};

const ALL: SocketAddrV4 =
    SocketAddrV4::new(Ipv4Addr::new(GROUP[0], GROUP[1], GROUP[2], GROUP[3]), PORT);
/// How long it waits before it looks whether it is to end.
const PAUSE: Duration = Duration::from_millis(200);
/// How often it says that it is there when it starts, and what lies between.
const TIMES: u32 = 2;
const BETWEEN: Duration = Duration::from_secs(1);
/// Most bytes of a question.
const QUESTION: usize = 1500;

/// What is said of the device.
#[derive(Debug)]
pub(super) struct Announcer {
    socket: UdpSocket,
    /// Where SMP is.
    at: SocketAddrV4,
}

/// What may be another thing the next time.
#[derive(Debug)]
pub(super) struct Said {
    /// What it is called; no other device on its networks is.
    pub(super) name: String,
    pub(super) mode: &'static str,
}

impl Announcer {
    /// For a device at an address, or at all of this machine's.
    ///
    /// # Errors
    /// The port cannot be had.
    pub(super) fn new(at: SocketAddrV4) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(
            AddressFamily::INET,
            SocketType::DGRAM,
            flags,
            Some(ipproto::UDP),
        )?;
        // Others of this machine listen there too.
        sockopt::set_socket_reuseaddr(&socket, true)?;
        sockopt::set_socket_reuseport(&socket, true)?;
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT))?;
        let socket = UdpSocket::from(socket);
        socket.join_multicast_v4(ALL.ip(), at.ip())?;
        if !at.ip().is_unspecified() {
            sockopt::set_ip_multicast_if(&socket, at.ip())?;
        }
        socket.set_multicast_ttl_v4(HOP_LIMIT.into())?;
        socket.set_read_timeout(Some(PAUSE))?;
        Ok(Self { socket, at })
    }

    /// Says that the device is there, and answers questions, until there is nothing to say.
    pub(super) fn run(&self, now: impl Fn() -> Option<Said>) {
        let begun = Instant::now();
        let mut responder = Responder::new();
        let (mut question, mut bytes) = ([0; QUESTION], [0; REPLY_BYTES]);
        let mut times = 0;
        while let Some(said) = now() {
            let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            if times < TIMES && begun.elapsed() >= BETWEEN * times {
                times += 1;
                if let Some(subject) = self.subject(&said, ALL.into())
                    && let Some(reply) = responder.announce(&subject, ms, &mut bytes)
                {
                    self.say(reply, ALL.into());
                }
            }
            let Ok((length, from)) = self.socket.recv_from(&mut question) else {
                continue;
            };
            if let Some(subject) = self.subject(&said, from)
                && let Some(reply) =
                    responder.answer(&subject, &question[..length], from.port(), ms, &mut bytes)
            {
                self.say(reply, from);
            }
        }
    }

    /// What is said to somebody: the address is one that reaches them. `None` where there is none.
    fn subject<'s>(&self, said: &'s Said, to: SocketAddr) -> Option<Subject<'s>> {
        let address = if self.at.ip().is_unspecified() {
            let probe = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
            probe.connect(to).ok()?;
            match probe.local_addr().ok()?.ip() {
                IpAddr::V4(address) => address,
                IpAddr::V6(_) => return None,
            }
        } else {
            *self.at.ip()
        };
        Some(Subject {
            name: Label::new(&said.name)?,
            board: const { Label::new("linux").expect("it is short") },
            abi: rune_abi::ABI_VERSION,
            mode: Label::new(said.mode)?,
            port: self.at.port(),
            address: address.octets(),
        })
    }

    /// What is lost is asked for again.
    fn say(&self, reply: Reply<'_>, sender: SocketAddr) {
        let to = match reply.to {
            To::Group => ALL.into(),
            To::Sender => sender,
        };
        let _ = self.socket.send_to(reply.bytes, to);
    }
}
