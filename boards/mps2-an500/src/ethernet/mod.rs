//! Ethernet: an address by DHCP or a static one, requests over UDP, and being found by multicast DNS.
//!
//! A turn takes at most [`FRAMES`] frames, whatever comes, and nothing here takes memory after the start.

mod address;
mod lan9118;
mod requests;

use core::{fmt::Write as _, net::Ipv4Addr};

use cortex_m::{peripheral::NVIC, singleton};
use rune_abi::ABI_VERSION;
use rune_core::Text;
use rune_discovery::{GROUP, HOP_LIMIT, Label, PORT, REPLY_BYTES, Responder, Subject, To};
use rune_firmware::{Chip as _, RECEIVED_BYTES, Received};
use rune_link::{FRAME_BYTES, UDP_PORT, frame::Broken};
use smoltcp::{
    iface::{
        Config, Interface, MulticastError, PollIngressSingleResult, SocketHandle, SocketSet,
        SocketStorage,
    },
    socket::{dhcpv4, udp},
    time::{Duration, Instant},
    wire::{IpAddress, IpCidr, IpEndpoint, Ipv4Cidr},
};

pub(crate) use self::lan9118::woken;
use self::{
    address::STATIC,
    lan9118::{Lan9118, Speed, Stuck},
    requests::Requests,
};
use crate::{board::Board, chip::Interrupt, clock, uart::say};

/// Most frames that are taken in one turn.
const FRAMES: usize = 16;
/// Most questions that are answered in one.
const QUESTIONS: usize = 4;
/// How often the link is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How often the board says that it is there when it has a new address, and how long it waits between.
const ANNOUNCEMENTS: u8 = 2;
const PAUSE: Duration = Duration::from_secs(1);

/// Requests that wait.
const REQUESTS: usize = 3;
/// Bytes of a question, and how many of them wait.
const QUESTION_BYTES: usize = 1472;

const GROUP_ADDRESS: Ipv4Addr = Ipv4Addr::from_octets(GROUP);

/// What is done with a group.
type Change = fn(&mut Interface, IpAddress) -> Result<(), MulticastError>;

/// The network.
pub(crate) struct Ethernet {
    chip: Lan9118,
    interface: Interface,
    sockets: SocketSet<'static>,
    requests: (SocketHandle, Requests),
    /// Packets of SMP, and who sent the one that is answered next.
    packets: (SocketHandle, Option<IpEndpoint>),
    questions: (SocketHandle, Responder),
    /// Where there is no static address.
    dhcp: Option<SocketHandle>,
    works: bool,
    speed: Option<Speed>,
    look_next: Instant,
    /// What is still to be said, and when.
    announcements: (u8, Instant),
    name: Text<32>,
}

fn now() -> Instant {
    Instant::from_micros((clock::now_ns() / 1000).cast_signed())
}

/// A buffer of a socket. Each is made once.
macro_rules! buffer {
    ($packets:expr, $bytes:expr) => {
        udp::PacketBuffer::new(
            &mut singleton!(: [udp::PacketMetadata; $packets] = [udp::PacketMetadata::EMPTY; $packets])
                .expect("it is made once")[..],
            &mut singleton!(: [u8; $bytes] = [0; $bytes]).expect("it is made once")[..],
        )
    };
}

impl Ethernet {
    /// The network, if the board has a controller; it says what there is. To be called once.
    #[inline(never)]
    pub(crate) fn start() -> Option<&'static mut Self> {
        let Ok(mut chip) = Lan9118::start() else {
            say!("ethernet: there is no controller, or it does not work");
            return None;
        };
        let address = chip.address();
        let [.., d, e, f] = address.0;
        let mut config = Config::new(address.into());
        // For the numbers of exchanges with DHCP servers: no two boards begin with the same.
        config.random_seed = u64::from_le_bytes([d, e, f, 0, 0, 0, 0, 0]) << 32 ^ clock::now_ns();
        let interface = Interface::new(config, &mut chip, now());
        let storage = singleton!(: [SocketStorage<'static>; 4] = [SocketStorage::EMPTY; 4])
            .expect("it is made once");
        let mut sockets = SocketSet::new(&mut storage[..]);
        let mut requests = udp::Socket::new(
            buffer!(REQUESTS, REQUESTS * FRAME_BYTES),
            buffer!(1, FRAME_BYTES),
        );
        requests.bind(UDP_PORT).expect("the port is one");
        // Its clients ask for one thing at a time.
        let mut packets = udp::Socket::new(buffer!(1, RECEIVED_BYTES), buffer!(1, RECEIVED_BYTES));
        packets.bind(rune_smp::UDP_PORT).expect("the port is one");
        let mut questions = udp::Socket::new(
            buffer!(QUESTIONS, 2 * QUESTION_BYTES),
            buffer!(QUESTIONS, 2 * REPLY_BYTES),
        );
        questions.bind(PORT).expect("the port is one");
        questions.set_hop_limit(Some(HOP_LIMIT));
        let mut name = Text::new();
        // There is room.
        let _ = write!(name, "{}-{d:02x}{e:02x}{f:02x}", Board::NAME);
        say!("ethernet: {address}, {}.local", name.as_str());
        let mut network = Self {
            chip,
            interface,
            requests: (sockets.add(requests), Requests::new()),
            packets: (sockets.add(packets), None),
            questions: (sockets.add(questions), Responder::new()),
            dhcp: STATIC.is_none().then(|| sockets.add(dhcpv4::Socket::new())),
            sockets,
            works: true,
            speed: None,
            look_next: Instant::ZERO,
            announcements: (0, Instant::ZERO),
            name,
        };
        if let Some(own) = STATIC {
            let cidr = Ipv4Cidr::new(own.address, own.prefix);
            network.set_address(Some((cidr, own.router)), "static");
        }
        network.chip.arm();
        // SAFETY: its handler touches one register of the controller, which is written at the end of each turn.
        unsafe { NVIC::unmask(Interrupt::Ethernet) };
        singleton!(: Ethernet = network)
    }

    /// What it is called there.
    pub(crate) fn name(&self) -> &str {
        self.name.as_str()
    }

    /// That of the controller.
    #[cfg(any(feature = "ble", feature = "locked"))]
    pub(crate) fn hardware_address(&self) -> [u8; 6] {
        self.chip.address().0
    }

    /// One turn. False where the controller does not work any more, and cannot be started anew.
    pub(crate) fn poll(&mut self) -> bool {
        let now = now();
        let works = self.chip.check(now).and_then(|()| self.look(now)).is_ok();
        if self.works != works {
            self.works = works;
            say!(
                "ethernet: the controller {}",
                if works {
                    "works again"
                } else {
                    "does not work"
                }
            );
        }
        for _ in 0..FRAMES {
            let (chip, sockets) = (&mut self.chip, &mut self.sockets);
            if let PollIngressSingleResult::None =
                self.interface.poll_ingress_single(now, chip, sockets)
            {
                break;
            }
        }
        self.interface.poll_maintenance(now);
        self.lease();
        self.answer(now);
        self.announce(now);
        self.send(now);
        self.chip.arm();
        works
    }

    /// What sockets have to send.
    fn send(&mut self, now: Instant) {
        let (chip, sockets) = (&mut self.chip, &mut self.sockets);
        self.interface.poll_egress(now, chip, sockets);
    }

    /// Looks at the link now and then.
    fn look(&mut self, now: Instant) -> Result<(), Stuck> {
        if now < self.look_next {
            return Ok(());
        }
        self.look_next = now + LOOK;
        let speed = self.chip.link()?;
        if speed == self.speed {
            return Ok(());
        }
        self.speed = speed;
        let Some(Speed {
            megabits,
            is_full_duplex,
        }) = speed
        else {
            say!("ethernet: the link is down");
            return Ok(());
        };
        let duplex = if is_full_duplex { "full" } else { "half" };
        say!("ethernet: the link is up, {megabits} Mbit/s, {duplex} duplex");
        // It may be another network.
        match self.dhcp {
            Some(dhcp) => self.sockets.get_mut::<dhcpv4::Socket<'_>>(dhcp).reset(),
            None => self.appear(now),
        }
        Ok(())
    }

    /// Takes the address that a DHCP server gives, or gives it up.
    fn lease(&mut self) {
        let Some(dhcp) = self.dhcp else {
            return;
        };
        let new = match self.sockets.get_mut::<dhcpv4::Socket<'_>>(dhcp).poll() {
            None => return,
            Some(dhcpv4::Event::Deconfigured) => None,
            Some(dhcpv4::Event::Configured(config)) => {
                let is_near = |router: &Ipv4Addr| config.address.contains_addr(router);
                Some((config.address, config.router.filter(is_near)))
            }
        };
        self.set_address(new, "by DHCP");
    }

    fn set_address(&mut self, new: Option<(Ipv4Cidr, Option<Ipv4Addr>)>, how: &str) {
        let had = self.interface.ipv4_addr();
        self.interface.update_ip_addrs(|addresses| {
            addresses.clear();
            // There is room for one.
            let _ = new.map(|(address, _)| addresses.push(IpCidr::Ipv4(address)));
        });
        let table = self.interface.routes_mut();
        table.remove_default_ipv4_route();
        match new {
            None if had.is_none() => {}
            None => say!("ethernet: no address any more"),
            Some((address, router)) => {
                // There is room for one.
                let _ = router.map(|router| table.add_default_ipv4_route(router));
                if let Some(router) = router {
                    say!("ethernet: {address} {how}, router {router}");
                } else {
                    say!("ethernet: {address} {how}, no router");
                }
                self.appear(now());
            }
        }
    }

    /// Joins the group, with a new address or on a new link, and says soon that the board is there.
    fn appear(&mut self, now: Instant) {
        // A group that is left and joined at once is not reported, so both are sent.
        let changes: [Change; 2] = [
            Interface::leave_multicast_group,
            Interface::join_multicast_group,
        ];
        for change in changes {
            // The address is that of a group, and there is room for it.
            let _ = change(&mut self.interface, IpAddress::Ipv4(GROUP_ADDRESS));
            self.send(now);
        }
        self.announcements = (ANNOUNCEMENTS, now);
    }

    /// Answers questions of neighbours.
    fn answer(&mut self, now: Instant) {
        let Some(subject) = subject(&self.name, &self.interface) else {
            return;
        };
        let network = self.interface.ip_addrs().first();
        let (handle, responder) = &mut self.questions;
        let socket = self.sockets.get_mut::<udp::Socket<'_>>(*handle);
        for _ in 0..QUESTIONS {
            let Ok((question, meta)) = socket.recv() else {
                break;
            };
            let from = meta.endpoint;
            if !network.is_some_and(|network| network.contains_addr(&from.addr)) {
                continue;
            }
            let mut bytes = [0; REPLY_BYTES];
            let ms = now.total_millis().unsigned_abs();
            if let Some(reply) = responder.answer(&subject, question, from.port, ms, &mut bytes) {
                say_to(socket, reply, from);
            }
        }
    }

    /// Says that the board is there, when it is time.
    fn announce(&mut self, now: Instant) {
        let (left, next) = self.announcements;
        if left == 0 || now < next {
            return;
        }
        let Some(subject) = subject(&self.name, &self.interface) else {
            return;
        };
        let (handle, responder) = &mut self.questions;
        let mut bytes = [0; REPLY_BYTES];
        let ms = now.total_millis().unsigned_abs();
        if let Some(reply) = responder.announce(&subject, ms, &mut bytes) {
            let socket = self.sockets.get_mut::<udp::Socket<'_>>(*handle);
            say_to(socket, reply, (GROUP_ADDRESS, PORT).into());
        }
        self.announcements = (left - 1, now + PAUSE);
    }

    /// The payload of the next request, or the next packet.
    pub(crate) fn receive(
        &mut self,
        payload: &mut [u8; RECEIVED_BYTES],
    ) -> Option<Result<Received, Broken>> {
        let own = self.interface.ipv4_addr()?;
        let (handle, requests) = &mut self.requests;
        let socket = self.sockets.get_mut::<udp::Socket<'_>>(*handle);
        let received = requests.receive(socket, own.into(), now(), payload);
        if let Some(received) = received {
            self.packets.1 = None;
            return Some(received.map(Received::Frame));
        }
        let (handle, sender) = &mut self.packets;
        let socket = self.sockets.get_mut::<udp::Socket<'_>>(*handle);
        // The socket has room for few, so this ends.
        while let Ok((datagram, meta)) = socket.recv() {
            let Some(place) = payload.get_mut(..datagram.len()) else {
                continue;
            };
            // What goes to all is not for this board alone.
            if meta.local_address == Some(own.into()) {
                place.copy_from_slice(datagram);
                *sender = Some(meta.endpoint);
                return Some(Ok(Received::Packet(datagram.len())));
            }
        }
        None
    }

    /// Answers what came last.
    pub(crate) fn reply(&mut self, payload: &[u8]) {
        let now = now();
        if let Some(sender) = self.packets.1.take() {
            let socket = self.sockets.get_mut::<udp::Socket<'_>>(self.packets.0);
            // A reply for which there is no room, or no way, is lost; the host asks again.
            let _ = socket.send_slice(payload, sender);
            self.send(now);
            return;
        }
        let (handle, requests) = &mut self.requests;
        let socket = self.sockets.get_mut::<udp::Socket<'_>>(*handle);
        requests.reply(socket, now, payload);
        self.send(now);
    }
}

/// Whether requests must be signed.
fn mode() -> Label<'static> {
    const OPEN: Label<'_> = Label::new("open").expect("it is short");
    #[cfg(feature = "locked")]
    if crate::lock::is_closed() {
        return const { Label::new("locked").expect("it is short") };
    }
    OPEN
}

/// What is said of the board; `None` where it has no address.
fn subject<'a>(name: &'a Text<32>, interface: &Interface) -> Option<Subject<'a>> {
    Some(Subject {
        name: Label::new(name.as_str())?,
        board: const { Label::new(Board::NAME).expect("it is short") },
        abi: ABI_VERSION,
        mode: mode(),
        port: rune_smp::UDP_PORT,
        address: interface.ipv4_addr()?.octets(),
    })
}

/// Sends what is said to the group or to who asked. What has no room is lost, and asked for again.
fn say_to(socket: &mut udp::Socket<'_>, reply: rune_discovery::Reply<'_>, sender: IpEndpoint) {
    let to = match reply.to {
        To::Group => (GROUP_ADDRESS, PORT).into(),
        To::Sender => sender,
    };
    let _ = socket.send_slice(reply.bytes, to);
}
