//! The firmware of `boards/mps2-an500` on a network: QEMU's own, and a wire whose other end is the test. Without QEMU
//! or a compiler for it the tests say that they are skipped.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "one thing is looked for among many"
)]

#[path = "qemu_net/packets.rs"]
mod packets;

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    os::unix::net::UnixStream,
    process,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use packets::{ARP, IPV4, arp, ethernet, ipv4, sum, udp};
use rune_codegen::{Options, Simd};
use rune_link::{About, FRAME_BYTES, Frame, Reply, Request, Run, Status, UDP_PORT};
use rune_runtime::{Rune, SourceFlag};
use rune_testsuite::{
    engines,
    qemu::{Boot, ETHERNET_BYTES, Firmware, Machine, missing},
    random::Random,
    root, skip,
};
use simple_dns::{CLASS, Name, Packet, QCLASS, QTYPE, Question, TYPE, rdata::RData};

/// The hardware address that QEMU gives the board.
const BOARD: Mac = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
/// And the name that follows from it.
const NAME: &str = "mps2-an500-123456";
/// The service that devices announce.
const SERVICE: &str = "_mcumgr._udp.local";
/// The test on the wire.
const US: Mac = [2, 0, 0, 0, 0, 1];
const OUR: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 1);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 2);
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const ALL: Mac = [0xFF; 6];

type Mac = [u8; 6];

/// The firmware that asks for its address, and the one that has [`ADDRESS`].
fn firmware(test: &str, is_static: bool) -> Option<&'static Firmware> {
    static DHCP: OnceLock<Firmware> = OnceLock::new();
    static STATIC: OnceLock<Firmware> = OnceLock::new();
    if let Some(why) = missing() {
        skip(test, &why);
        return None;
    }
    Some(if is_static {
        let build = || Firmware::build_at(&["ethernet"], "192.168.7.2/24,192.168.7.1");
        STATIC.get_or_init(|| build().unwrap())
    } else {
        DHCP.get_or_init(|| Firmware::build(&["ethernet"]).unwrap())
    })
}

fn boot(firmware: &Firmware, shift: u8, more: &[&str]) -> Machine {
    let boot = Boot {
        shift,
        more,
        ..Boot::default()
    };
    Machine::boot(firmware, &boot).unwrap()
}

fn about(machine: &mut Machine) -> String {
    let read = |reply: Reply<'_>| match reply {
        Reply::About(About { board, .. }) => Some(board.to_owned()),
        _ => None,
    };
    machine.ask(&Request::About, read).unwrap()
}

fn status(machine: &mut Machine) -> Status<'static> {
    let read = |reply: Reply<'_>| match reply {
        Reply::Status(status) => {
            assert_eq!(status.reason, None);
            let reason = None;
            Some(Status { reason, ..status })
        }
        _ => None,
    };
    machine.ask(&Request::Status, read).unwrap()
}

/// Frames in datagrams. What is not answered within a second is sent again.
struct Udp {
    socket: UdpSocket,
    sent: Vec<u8>,
    received: io::Cursor<Vec<u8>>,
}

impl Udp {
    fn to(port: u16) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        Self {
            socket,
            sent: vec![],
            received: io::Cursor::default(),
        }
    }
}

impl Write for Udp {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sent = bytes.to_vec();
        self.socket.send(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Udp {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        for _ in 0..60 {
            let count = self.received.read(into)?;
            if count > 0 {
                return Ok(count);
            }
            let mut datagram = vec![0; 2 * FRAME_BYTES];
            match self.socket.recv(&mut datagram) {
                Ok(len) => {
                    datagram.truncate(len);
                    // One frame and nothing else.
                    assert_eq!((datagram[0], datagram[len - 1]), (0, 0));
                    assert_eq!(datagram.split(|b| *b == 0).count(), 3);
                    self.received = io::Cursor::new(datagram);
                }
                Err(_) => self.socket.send(&self.sent).map(drop)?,
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

/// A UDP port of this machine that nobody has.
fn free_port() -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.local_addr().unwrap().port()
}

/// A board on QEMU's own network, and the port of this machine that leads to it.
fn on_users_network(firmware: &Firmware, more: &[&str]) -> (Machine, u16) {
    let port = free_port();
    let nic = format!("user,id=n0,model=lan9118,hostfwd=udp:127.0.0.1:{port}-:{UDP_PORT}");
    let machine = boot(firmware, 1, &[&["-nic", &nic], more].concat());
    let (line, _) = machine
        .wait_for_line("ethernet: 10.0.2.15/24 by DHCP", 0)
        .unwrap();
    assert_eq!(line, "ethernet: 10.0.2.15/24 by DHCP, router 10.0.2.2");
    (machine, port)
}

/// An example, compiled without SIMD.
fn compiled(runefile: &str) -> Vec<u8> {
    let options = Options {
        simd: Simd::Off,
        ..Options::default()
    };
    let compiled = engines::compile(&root().join("examples").join(runefile), &options);
    compiled.output.unwrap().wasm
}

/// The lines of an example on the board.
fn lines(
    machine: &mut Machine,
    runefile: &str,
    kind: rune_abi::CapabilityKind,
    input: &str,
) -> String {
    let bytes = compiled(runefile);
    let rune = Rune::load(bytes.clone()).unwrap();
    let value = root().join("examples").join(input).display().to_string();
    let inputs = rune.inputs(&[SourceFlag { kind, value }]).unwrap();
    let mut found = String::new();
    machine
        .run(&bytes, &rune, inputs, None, |lines| found += lines)
        .unwrap_or_else(|why| panic!("{why}: {:?}", machine.console()));
    found
}

/// The board gets an address from QEMU's DHCP server, and over UDP does what it does over the serial port.
#[test]
fn requests_over_udp_give_what_they_give_over_the_serial_port() {
    use rune_abi::CapabilityKind::Accel;
    let Some(firmware) = firmware(
        "requests_over_udp_give_what_they_give_over_the_serial_port",
        false,
    ) else {
        return;
    };
    let (mut machine, port) = on_users_network(firmware, &[]);
    assert_eq!(about(&mut machine), "mps2-an500");
    // Without a rune: the bound of all of the board's firmware for RAM, and its own for flash.
    let (sizes, first) = (firmware.sizes().unwrap(), status(&mut machine));
    assert_eq!(sizes.within(ETHERNET_BYTES), Ok(()));
    let ram = sizes.ram() + u64::from(first.heap_most_bytes + first.stack_all_bytes);
    assert!(ram <= 128 << 10, "{ram}");
    let run = |machine: &mut Machine| lines(machine, "gesture/Runefile", Accel, "gesture/ring.csv");
    let over_serial = run(&mut machine);
    assert!(over_serial.contains("Ring"), "{over_serial}");
    let serial = machine.talk_over(Box::new(Udp::to(port)));
    assert_eq!(about(&mut machine), "mps2-an500");
    assert_eq!(run(&mut machine), over_serial);
    let after = status(&mut machine);
    assert_eq!(after.broken_frames, 0);
    assert!(
        after.stack_most_bytes < after.stack_all_bytes - 4096,
        "{after:?}"
    );
    // Both at once: the rune that was installed over one is removed over the other.
    machine.talk_over(serial);
    machine.remove_all().unwrap();
    assert_eq!(
        machine.tell_rune(0, Run::Call),
        Err("no rune runs in this place".to_owned())
    );
    assert_eq!(run(&mut machine), over_serial);
}

/// A request that comes again is answered again and not done again; another one of the same kind is done.
#[test]
fn a_repeated_request_is_done_once() {
    let Some(firmware) = firmware("a_repeated_request_is_done_once", false) else {
        return;
    };
    let (mut machine, port) = on_users_network(firmware, &[]);
    let place = machine.install(&compiled("sine/raw.Runefile")).unwrap();
    let socket = Udp::to(port).socket;
    let ask = |number: u8, request: &Request<'_>| {
        let mut buffer = [0; rune_link::PAYLOAD_BYTES];
        let frame = Frame::new(request.encode(number, &mut buffer));
        socket.send(frame.as_bytes()).unwrap();
        let mut reply = vec![0; FRAME_BYTES];
        let len = socket.recv(&mut reply).unwrap();
        reply.truncate(len);
        let mut decoder = rune_link::Decoder::new();
        let payload = reply
            .iter()
            .find_map(|b| decoder.push(*b).map(|p| p.unwrap().to_vec()));
        let payload = payload.unwrap();
        let (found, reply) = Reply::decode(&payload).unwrap();
        assert_eq!(found, number);
        match reply {
            Reply::Done => Ok(()),
            Reply::Refused(why) => Err(why.to_owned()),
            other => panic!("{other:?}"),
        }
    };
    let feed = Request::Feed {
        place,
        capability: 0,
        offset: 0,
        data: &[0; 4],
    };
    // The same sample twice is refused, and here it is not fed twice.
    for _ in 0..3 {
        assert_eq!(ask(1, &feed), Ok(()));
    }
    let why = "it is not the next part of the sample".to_owned();
    assert_eq!(ask(2, &feed), Err(why.clone()));
    assert_eq!(
        ask(1, &feed),
        Err(why.clone()),
        "only the last reply is kept"
    );
    // From another sender it is another request.
    machine.talk_over(Box::new(Udp::to(port)));
    assert_eq!(machine.request(&feed), Err(why));
}

/// The link is lost and comes back, on QEMU's monitor; the board says so, and asks for an address again.
#[test]
fn a_lost_link_is_noticed_and_comes_back() {
    let Some(firmware) = firmware("a_lost_link_is_noticed_and_comes_back", false) else {
        return;
    };
    let path = env::temp_dir().join(format!("rune-qmp-{}", process::id()));
    let monitor = format!("unix:{},server=on,wait=off", path.display());
    let (mut machine, port) = on_users_network(firmware, &["-qmp", &monitor]);
    let mut qmp = UnixStream::connect(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let mut replies = BufReader::new(qmp.try_clone().unwrap());
    let mut command = |text: &str| {
        writeln!(qmp, "{text}").unwrap();
        let mut line = String::new();
        while !line.contains("\"return\"") {
            line.clear();
            assert!(replies.read_line(&mut line).unwrap() > 0);
            assert!(!line.contains("\"error\""), "{line}");
        }
    };
    command(r#"{"execute":"qmp_capabilities"}"#);
    let mut after = 0;
    let mut serial = None;
    for _ in 0..3 {
        command(r#"{"execute":"set_link","arguments":{"name":"n0","up":false}}"#);
        after = machine
            .wait_for_line("ethernet: the link is down", after)
            .unwrap()
            .1;
        if let Some(serial) = serial.take() {
            machine.talk_over(serial);
        }
        assert_eq!(about(&mut machine), "mps2-an500");
        command(r#"{"execute":"set_link","arguments":{"name":"n0","up":true}}"#);
        for line in [
            "ethernet: the link is up, 100 Mbit/s",
            "ethernet: 10.0.2.15/24 by DHCP",
        ] {
            after = machine.wait_for_line(line, after).unwrap().1;
        }
        serial = Some(machine.talk_over(Box::new(Udp::to(port))));
        assert_eq!(about(&mut machine), "mps2-an500");
    }
}

/// The other end of the board's wire: each datagram is an Ethernet frame.
struct Wire {
    socket: UdpSocket,
    to: SocketAddr,
}

/// A datagram of UDP that came over the wire.
#[derive(Clone, Debug)]
struct Datagram {
    from: (Ipv4Addr, u16),
    to: (Ipv4Addr, u16),
    hops: u8,
    /// To which hardware address.
    mac: Mac,
    data: Vec<u8>,
}

/// What comes over the wire.
#[derive(Clone, Debug)]
enum Came {
    Udp(Datagram),
    /// The type of an IGMP message, its group, and where it went.
    Igmp(u8, Ipv4Addr, Ipv4Addr),
    Other,
}

impl Wire {
    /// A board on the wire.
    fn boot(firmware: &Firmware) -> (Machine, Self) {
        Self::boot_at(firmware, 1)
    }

    /// One whose instructions take 2 to the power of this nanoseconds.
    fn boot_at(firmware: &Firmware, shift: u8) -> (Machine, Self) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let ours = socket.local_addr().unwrap();
        let theirs = free_port();
        let wire = format!("socket,id=n0,model=lan9118,udp={ours},localaddr=127.0.0.1:{theirs}");
        let machine = boot(firmware, shift, &["-nic", &wire]);
        let to = (Ipv4Addr::LOCALHOST, theirs).into();
        (machine, Self { socket, to })
    }

    fn send(&self, frame: &[u8]) {
        self.socket.send_to(frame, self.to).unwrap();
    }

    fn send_udp(&self, mac: Mac, from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), data: &[u8]) {
        self.send(&ethernet(mac, IPV4, &udp(from, to, data)));
    }

    /// The next frame from the board, in this time. Who asks for our hardware address is told.
    fn next(&self, patience: Duration) -> Option<Came> {
        let mut frame = vec![0; 2048];
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let len = self.socket.recv(&mut frame).ok()?;
        frame.truncate(len);
        let mac: Mac = frame[..6].try_into().unwrap();
        assert_eq!(frame[6..12], BOARD);
        let kind = u16::from_be_bytes([frame[12], frame[13]]);
        let data = &frame[14..];
        if kind == ARP {
            if data[7] == 1 && data[24..28] == OUR.octets() {
                self.send(&arp(2, BOARD, ADDRESS));
            }
            return Some(Came::Other);
        }
        assert_eq!((kind, data[0] >> 4), (IPV4, 4));
        let header = usize::from(data[0] & 15) * 4;
        let all = usize::from(u16::from_be_bytes([data[2], data[3]]));
        let quad = |at: usize| Ipv4Addr::from_octets(*data[at..].first_chunk().unwrap());
        let (from, to) = (quad(12), quad(16));
        let inner = &data[header..all];
        Some(match data[9] {
            2 => Came::Igmp(
                inner[0],
                Ipv4Addr::from_octets(*inner[4..].first_chunk().unwrap()),
                to,
            ),
            17 => {
                let port = |at: usize| u16::from_be_bytes([inner[at], inner[at + 1]]);
                Came::Udp(Datagram {
                    from: (from, port(0)),
                    to: (to, port(2)),
                    hops: data[8],
                    mac,
                    data: inner[8..].to_vec(),
                })
            }
            _ => Came::Other,
        })
    }

    /// Waits for what `find` finds.
    fn wait<T>(&self, what: &str, mut find: impl FnMut(&Came) -> Option<T>) -> T {
        let end = Instant::now() + Duration::from_mins(1);
        loop {
            let left = end.checked_duration_since(Instant::now());
            let left = left.unwrap_or_else(|| panic!("nothing came: {what}"));
            let came = self.next(left.max(Duration::from_millis(1)));
            if let Some(found) = came.as_ref().and_then(&mut find) {
                return found;
            }
        }
    }

    /// Waits for a datagram to a port.
    fn wait_for_udp(&self, port: u16) -> Datagram {
        self.wait(&format!("UDP port {port}"), |came| match came {
            Came::Udp(datagram) if datagram.to.1 == port => Some(datagram.clone()),
            _ => None,
        })
    }

    /// Asks the board at this address with a request; gives the reply's code.
    fn ask(&self, address: Ipv4Addr, number: u8, request: &Request<'_>) -> u8 {
        let mut buffer = [0; rune_link::PAYLOAD_BYTES];
        let frame = Frame::new(request.encode(number, &mut buffer));
        for _ in 0..20 {
            self.send_udp(BOARD, (OUR, 5000), (address, UDP_PORT), frame.as_bytes());
            let end = Instant::now() + Duration::from_secs(3);
            while Instant::now() < end {
                let Some(Came::Udp(reply)) = self.next(Duration::from_secs(1)) else {
                    continue;
                };
                if reply.to != (OUR, 5000) {
                    continue;
                }
                assert_eq!(reply.from, (address, UDP_PORT));
                let mut decoder = rune_link::Decoder::new();
                let payload = reply
                    .data
                    .iter()
                    .find_map(|b| decoder.push(*b).map(|p| p.unwrap().to_vec()));
                let payload = payload.unwrap();
                if payload[0] == number {
                    return payload[1];
                }
            }
        }
        panic!("the board does not answer");
    }
}

fn question(name: &'static str, kind: TYPE) -> Vec<u8> {
    let mut packet = Packet::new_query(77);
    let (name, class) = (Name::new(name).unwrap(), QCLASS::CLASS(CLASS::IN));
    packet
        .questions
        .push(Question::new(name, QTYPE::TYPE(kind), class, false));
    packet.build_bytes_vec().unwrap()
}

/// What an answer says of the board: name, port, address, properties.
fn described(data: &[u8]) -> (String, u16, Ipv4Addr, Vec<(String, Option<String>)>) {
    let packet = Packet::parse(data).unwrap();
    let (mut name, mut port, mut address, mut text) = (None, None, None, vec![]);
    for record in packet.answers.iter().chain(&packet.additional_records) {
        match &record.rdata {
            RData::PTR(ptr) if record.name.to_string() == SERVICE => {
                name = Some(ptr.0.to_string());
            }
            RData::SRV(srv) => {
                assert_eq!(srv.target.to_string(), format!("{NAME}.local"));
                port = Some(srv.port);
            }
            RData::A(a) => {
                assert_eq!(record.name.to_string(), format!("{NAME}.local"));
                address = Some(Ipv4Addr::from(a.address));
            }
            RData::TXT(txt) => text.extend(txt.attributes()),
            _ => {}
        }
    }
    text.sort();
    (name.unwrap(), port.unwrap(), address.unwrap(), text)
}

/// A board with a static address joins the group, says that it is there twice, and answers questions.
#[test]
fn a_board_with_a_static_address_is_found() {
    let Some(firmware) = firmware("a_board_with_a_static_address_is_found", true) else {
        return;
    };
    let (machine, wire) = Wire::boot(firmware);
    let lines = machine.console();
    let line = "ethernet: 192.168.7.2/24 static, router 192.168.7.1";
    assert!(lines.iter().any(|l| l == line), "{lines:?}");
    let described_so = |datagram: &Datagram| {
        assert_eq!(datagram.from, (ADDRESS, 5353));
        assert_eq!(datagram.hops, 255);
        let (name, port, address, text) = described(&datagram.data);
        assert_eq!(name, format!("{NAME}.{SERVICE}"));
        assert_eq!((port, address), (rune_smp::UDP_PORT, ADDRESS));
        let text: Vec<String> = text
            .into_iter()
            .map(|(k, v)| format!("{k}={}", v.unwrap()))
            .collect();
        let abi = rune_abi::ABI_VERSION;
        let expected = [
            format!("abi={abi}"),
            "board=mps2-an500".into(),
            "mode=open".into(),
            "txtvers=1".into(),
        ];
        assert_eq!(text, expected);
    };
    let to_group = |datagram: &Datagram| {
        assert_eq!(datagram.to, (GROUP, 5353));
        assert_eq!(datagram.mac, [1, 0, 0x5E, 0, 0, 0xFB]);
    };
    // A new link: the group is joined, and all are told twice.
    let mut told = 0;
    let mut joined = false;
    wire.wait("two announcements", |came| {
        match came {
            Came::Igmp(0x16, group, to) => {
                assert_eq!((*group, *to), (GROUP, GROUP));
                joined = true;
            }
            Came::Udp(datagram) => {
                to_group(datagram);
                described_so(datagram);
                told += 1;
            }
            _ => {}
        }
        (told >= 2 && joined).then_some(())
    });
    thread::sleep(Duration::from_millis(2500));
    while wire.next(Duration::from_millis(1)).is_some() {}
    // Asked in the group, and by one who speaks plain DNS.
    let group = [1, 0, 0x5E, 0, 0, 0xFB];
    let service = question(SERVICE, TYPE::PTR);
    wire.send_udp(group, (OUR, 5353), (GROUP, 5353), &service);
    let answer = wire.wait_for_udp(5353);
    to_group(&answer);
    described_so(&answer);
    wire.send_udp(group, (OUR, 6000), (GROUP, 5353), &service);
    let answer = wire.wait_for_udp(6000);
    assert_eq!((answer.to, answer.mac), ((OUR, 6000), US));
    assert_eq!(Packet::parse(&answer.data).unwrap().id(), 77);
    described_so(&answer);
    // A general question of a router about groups is answered with the group.
    let query = [0x11, 1, 0, 0, 0, 0, 0, 0];
    let check = (!sum(&query)).to_be_bytes();
    let query = [&query[..2], &check, &query[4..]].concat();
    let all_hosts = Ipv4Addr::new(224, 0, 0, 1);
    wire.send(&ethernet(
        [1, 0, 0x5E, 0, 0, 1],
        IPV4,
        &ipv4(2, OUR, all_hosts, &query),
    ));
    wire.wait("a report of the group", |came| match came {
        Came::Igmp(0x16, group, _) => (*group == GROUP).then_some(()),
        _ => None,
    });
    // Neither strangers, nor questions for others, nor damaged ones are answered; one that comes after them is.
    let stranger = Ipv4Addr::new(10, 9, 8, 7);
    wire.send_udp(group, (stranger, 6001), (GROUP, 5353), &service);
    wire.send_udp(
        group,
        (OUR, 6001),
        (GROUP, 5353),
        &question("_other._udp.local", TYPE::PTR),
    );
    wire.send_udp(group, (OUR, 6001), (GROUP, 5353), &service[..20]);
    wire.send_udp(
        group,
        (OUR, 6001),
        (GROUP, 5353),
        b"\0\0\0\0\0\x01\0\0\0\0\0\0\xC0\x0C\0\x0C\0\x01",
    );
    // The board has room for few at once: who is not answered asks again.
    let is_answered = (0..20).any(|_| {
        wire.send_udp(group, (OUR, 6002), (GROUP, 5353), &service);
        while let Some(came) = wire.next(Duration::from_secs(1)) {
            if let Came::Udp(datagram) = came {
                assert_ne!(datagram.to.1, 6001);
                if datagram.to.1 == 6002 {
                    return true;
                }
            }
        }
        false
    });
    assert!(is_answered);
    assert_eq!(wire.ask(ADDRESS, 9, &Request::About), 2);
}

/// A DHCP server's message for the one of a client.
fn dhcp(asked: &[u8], kind: u8, seconds: u32) -> Vec<u8> {
    let mut message = vec![0; 240];
    message[..4].copy_from_slice(&[2, 1, 6, 0]);
    // The client's number and hardware address.
    message[4..8].copy_from_slice(&asked[4..8]);
    message[28..44].copy_from_slice(&asked[28..44]);
    message[16..20].copy_from_slice(&ADDRESS.octets());
    message[236..].copy_from_slice(&[99, 130, 83, 99]);
    message.extend([53, 1, kind, 54, 4]);
    message.extend(OUR.octets());
    message.extend([51, 4]);
    message.extend(seconds.to_be_bytes());
    message.extend([1, 4, 255, 255, 255, 0, 3, 4]);
    message.extend(OUR.octets());
    message.push(255);
    message
}

/// The kind of a client's message, of which it is the first option.
fn dhcp_kind(message: &[u8]) -> u8 {
    assert_eq!(message[240..242], [53, 1]);
    message[242]
}

const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const ACK: u8 = 5;

/// Waits for a client's message of this kind.
fn wait_for_dhcp(wire: &Wire, kind: u8) -> Datagram {
    loop {
        let asked = wire.wait_for_udp(67);
        if dhcp_kind(&asked.data) == kind {
            return asked;
        }
    }
}

/// Gives the board its address for so many seconds.
fn give_address(wire: &Wire, seconds: u32) {
    let everyone = (Ipv4Addr::BROADCAST, 68);
    for (kind, reply) in [(DISCOVER, OFFER), (REQUEST, ACK)] {
        let asked = wait_for_dhcp(wire, kind);
        assert_eq!(asked.mac, ALL);
        wire.send_udp(ALL, (OUR, 67), everyone, &dhcp(&asked.data, reply, seconds));
    }
}

/// A lease is renewed at half its time, and given up where it is not; the board then asks anew.
#[test]
fn leases_are_renewed_and_given_up() {
    let Some(firmware) = firmware("leases_are_renewed_and_given_up", false) else {
        return;
    };
    let (mut machine, wire) = Wire::boot(firmware);
    // Without an address nothing is said to anyone but DHCP servers.
    give_address(&wire, 10);
    let line = "ethernet: 192.168.7.2/24 by DHCP, router 192.168.7.1";
    let (_, after) = machine.wait_for_line(line, 0).unwrap();
    let given = Instant::now();
    let asked = wait_for_dhcp(&wire, REQUEST);
    assert!(
        given.elapsed() > Duration::from_secs(3),
        "{:?}",
        given.elapsed()
    );
    assert_eq!((asked.from.0, asked.to.0, asked.mac), (ADDRESS, OUR, US));
    wire.send_udp(BOARD, (OUR, 67), (ADDRESS, 68), &dhcp(&asked.data, ACK, 10));
    assert_eq!(wire.ask(ADDRESS, 1, &Request::About), 2);
    // From now on the server is silent: first it is asked, then all are, then the address is given up.
    let asked = wait_for_dhcp(&wire, REQUEST);
    assert_eq!(asked.to.0, OUR);
    let (_, after) = machine
        .wait_for_line("ethernet: no address any more", after)
        .unwrap();
    assert!(
        given.elapsed() > Duration::from_secs(12),
        "{:?}",
        given.elapsed()
    );
    give_address(&wire, u32::MAX);
    machine.wait_for_line(line, after).unwrap();
    assert_eq!(wire.ask(ADDRESS, 2, &Request::About), 2);
    assert_eq!(about(&mut machine), "mps2-an500");
    status(&mut machine);
}

/// Frames that are damaged in every way, and whole ones with damaged contents, do no harm.
#[test]
fn any_frame_is_survived() {
    let Some(firmware) = firmware("any_frame_is_survived", true) else {
        return;
    };
    let (mut machine, wire) = Wire::boot(firmware);
    assert_eq!(wire.ask(ADDRESS, 1, &Request::About), 2);
    let mut random = Random::new(11);
    let mut buffer = [0; rune_link::PAYLOAD_BYTES];
    let about_frame = Frame::new(Request::About.encode(5, &mut buffer))
        .as_bytes()
        .to_vec();
    let group = [1, 0, 0x5E, 0, 0, 0xFB];
    let to_board =
        |port: u16, data: &[u8]| ethernet(BOARD, IPV4, &udp((OUR, 4000), (ADDRESS, port), data));
    let igmp = ipv4(
        2,
        OUR,
        Ipv4Addr::new(224, 0, 0, 1),
        &[0x11, 255, 0xEE, 0, 0, 0, 0, 0],
    );
    let ping = ipv4(1, OUR, ADDRESS, &[8, 0, 0xF7, 0xFF, 0, 0, 0, 0]);
    let seeds = [
        arp(1, ALL, ADDRESS),
        arp(2, BOARD, ADDRESS),
        to_board(UDP_PORT, &about_frame),
        to_board(9, b"nobody listens"),
        ethernet(
            group,
            IPV4,
            &udp((OUR, 5353), (GROUP, 5353), &question(SERVICE, TYPE::PTR)),
        ),
        ethernet([1, 0, 0x5E, 0, 0, 1], IPV4, &igmp),
        ethernet(BOARD, IPV4, &ping),
        ethernet(BOARD, IPV4, &ipv4(6, OUR, ADDRESS, &[0; 20])),
        ethernet(BOARD, 0x86DD, &[0x60; 60]),
    ];
    for round in 0..3000usize {
        let mut frame = seeds[round % seeds.len()].clone();
        let changes = 1 + random.bytes(1)[0] % 4;
        for _ in 0..changes {
            let [place, value] = *random.bytes(2).first_chunk().unwrap();
            // The board's address stays, so that it looks at the frame.
            let place = 12 + usize::from(place) % (frame.len() - 12);
            frame[place] = value;
        }
        let [len] = *random.bytes(1).first_chunk().unwrap();
        match round % 5 {
            0 => frame.truncate(14 + usize::from(len) % (frame.len() - 13)),
            1 => frame.extend(random.bytes(usize::from(len) * 5)),
            _ => {}
        }
        wire.send(&frame);
        // Not faster than the board takes them, so that it does take them.
        if round % 16 == 15 {
            thread::sleep(Duration::from_millis(15));
        }
    }
    // Not an empty one, behind which QEMU reads no more.
    for len in (1..300).chain([1513, 1514, 1515, 1600, 2047, 2048, 4000]) {
        let noise = random.bytes(len);
        wire.send(&noise);
        wire.send(&[&BOARD[..], &US, &[8, 0], &noise].concat());
        wire.send(&to_board(UDP_PORT, &noise[..len.min(1400)]));
        if len % 8 == 0 {
            thread::sleep(Duration::from_millis(15));
        }
    }
    // The noise came, was counted, and what follows it is answered on both links.
    for number in 2..8 {
        assert_eq!(wire.ask(ADDRESS, number, &Request::About), 2);
    }
    assert_eq!(about(&mut machine), "mps2-an500");
    assert!(status(&mut machine).broken_frames > 50);
    let lines = machine.console();
    assert!(
        !lines.iter().any(|line| line.contains("controller")),
        "{lines:?}"
    );
    assert_eq!(lines.iter().filter(|line| *line == "ready").count(), 1);
}

/// Ends a flood, also where the test fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// While frames come as fast as the wire takes them, for longer than the watchdog waits, a rune is called over the
/// serial port and writes its lines.
#[test]
fn a_flood_does_not_starve_a_rune() {
    use rune_abi::CapabilityKind::Raw;
    let Some(firmware) = firmware("a_flood_does_not_starve_a_rune", true) else {
        return;
    };
    let (mut machine, wire) = Wire::boot_at(firmware, 6);
    let run = |machine: &mut Machine| lines(machine, "sine/raw.Runefile", Raw, "sine/input.bin");
    let expected = run(&mut machine);
    assert!(!expected.is_empty());
    let mut buffer = [0; rune_link::PAYLOAD_BYTES];
    let status_frame = Frame::new(Request::Status.encode(5, &mut buffer))
        .as_bytes()
        .to_vec();
    let frames = [
        ethernet(
            BOARD,
            IPV4,
            &udp((OUR, 4000), (ADDRESS, UDP_PORT), &status_frame),
        ),
        ethernet(
            BOARD,
            IPV4,
            &udp((OUR, 4000), (ADDRESS, UDP_PORT), &[1; 1400]),
        ),
        ethernet(BOARD, IPV4, &udp((OUR, 4000), (ADDRESS, 9), &[1; 10])),
        ethernet(
            ALL,
            IPV4,
            &udp((OUR, 4000), (Ipv4Addr::BROADCAST, 9), &[1; 1400]),
        ),
        arp(1, ALL, ADDRESS),
    ];
    let ends = AtomicBool::new(false);
    let mut calls = 0;
    let sent = thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let mut sent = 0u64;
            while !ends.load(Ordering::Relaxed) {
                for frame in &frames {
                    // A full buffer of this machine is no failure of the board.
                    sent += u64::from(wire.socket.send_to(frame, wire.to).is_ok());
                }
            }
            sent
        });
        let end = End(&ends);
        let start = status(&mut machine).time_ns;
        while status(&mut machine).time_ns - start < 25_000_000_000 {
            assert_eq!(run(&mut machine), expected);
            calls += 1;
        }
        drop(end);
        flood.join().unwrap()
    });
    assert!(sent > 10_000, "{sent} frames");
    assert!(calls > 3, "{calls} calls in {sent} frames");
    // It was no silence: requests among the frames were done.
    assert!(status(&mut machine).broken_frames > 100);
    assert_eq!(
        machine
            .console()
            .iter()
            .filter(|line| *line == "ready")
            .count(),
        1
    );
    while wire.next(Duration::from_millis(10)).is_some() {}
    assert_eq!(wire.ask(ADDRESS, 9, &Request::About), 2);
}
