//! The service on a controller of the test's own, which does what its host says and hears one central.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use critical_section as _;
use rune_ble::{ErrorKind, IDLE, Identity, Mailbox, Port, Stopped, serve};

const PACKET: usize = 1472;
/// The characteristic, and what turns its notifications on.
const SMP: u8 = 9;
const NOTIFY: u8 = 10;
/// The link to the central.
const LINK: [u8; 2] = [0x40, 0x00];

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

fn now_ns() -> u64 {
    NOW.get()
}

/// What a controller has.
#[derive(Default)]
struct Controller {
    /// To the host, and from it.
    up: VecDeque<u8>,
    down: Vec<u8>,
    advertised: Vec<u8>,
    is_advertising: bool,
    is_connected: bool,
    /// What the device has sent to the central: of the attribute protocol.
    heard: Vec<Vec<u8>>,
    is_gone: bool,
}

impl Controller {
    fn event(&mut self, code: u8, parameters: &[u8]) {
        self.up.extend([4, code, parameters.len() as u8]);
        self.up.extend(parameters);
    }

    /// Does what the host says in whole packets.
    fn go_on(&mut self) {
        loop {
            let length = match self.down[..] {
                [1, _, _, length, ..] => 4 + usize::from(length),
                [2, _, _, low, high, ..] => 5 + usize::from(u16::from_le_bytes([low, high])),
                [0 | 3.., ..] => panic!("{:02x?}", self.down),
                _ => return,
            };
            if self.down.len() < length {
                return;
            }
            let packet: Vec<u8> = self.down.drain(..length).collect();
            if packet[0] == 1 {
                self.command(u16::from_le_bytes([packet[1], packet[2]]), &packet[4..]);
            } else if self.is_connected {
                // Of a link with 251 bytes in a packet each one is whole.
                assert_eq!(packet[7..9], [4, 0]);
                self.heard.push(packet[9..].to_vec());
                self.event(0x13, &[1, LINK[0], LINK[1], 1, 0]);
            }
        }
    }

    fn command(&mut self, opcode: u16, parameters: &[u8]) {
        let [low, high] = opcode.to_le_bytes();
        let result: &[u8] = match opcode {
            // The disconnection that was asked for.
            0x0406 => {
                self.event(0x0F, &[0, 1, low, high]);
                self.disconnect(0x16);
                return;
            }
            0x1009 => &[1, 2, 3, 4, 5, 6],
            // Room for packets.
            0x2002 => &[251, 0, 8],
            0x200F => &[8],
            0x2008 => {
                self.advertised = parameters[1..=usize::from(parameters[0])].to_vec();
                &[]
            }
            0x200A => {
                self.is_advertising = parameters == [1];
                &[]
            }
            _ => &[],
        };
        let complete = [&[1, low, high, 0][..], result].concat();
        self.event(0x0E, &complete);
    }

    fn connect(&mut self) {
        assert!(self.is_advertising && !self.is_connected);
        (self.is_advertising, self.is_connected) = (false, true);
        self.heard.clear();
        let address = [1, 9, 8, 7, 6, 5, 0xC4];
        let times = [24, 0, 0, 0, 72, 0, 0];
        let parameters = [&[1, 0, LINK[0], LINK[1], 1][..], &address, &times].concat();
        self.event(0x3E, &parameters);
    }

    fn disconnect(&mut self, reason: u8) {
        if std::mem::take(&mut self.is_connected) {
            self.event(0x05, &[0, LINK[0], LINK[1], reason]);
        }
    }

    /// Data of the central, in one packet.
    fn data(&mut self, boundary: u8, data: &[u8]) {
        let length = (data.len() as u16).to_le_bytes();
        let header = [2, LINK[0], LINK[1] | boundary << 4, length[0], length[1]];
        self.up.extend(header);
        self.up.extend(data);
    }

    /// A request of the attribute protocol.
    fn request(&mut self, request: &[u8]) {
        let length = (request.len() as u16).to_le_bytes();
        self.data(2, &[&length[..], &[4, 0], request].concat());
    }
}

#[derive(Clone)]
struct Line(Rc<RefCell<Controller>>);

impl Port for Line {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ErrorKind> {
        let controller = &mut *self.0.borrow_mut();
        if controller.is_gone {
            return Err(ErrorKind::BrokenPipe);
        }
        let count = into.len().min(controller.up.len());
        for (place, byte) in into.iter_mut().zip(controller.up.drain(..count)) {
            *place = byte;
        }
        Ok(count)
    }

    /// Not all at once.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let count = bytes.len().min(100);
        self.0.borrow_mut().down.extend(&bytes[..count]);
        Ok(count)
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A device that is served.
struct Bench {
    controller: Rc<RefCell<Controller>>,
    mailbox: &'static Mailbox<PACKET>,
    served: Pin<Box<dyn Future<Output = Stopped>>>,
    stopped: Option<Stopped>,
}

impl Bench {
    fn new(name: &'static str) -> Self {
        let controller = Rc::new(RefCell::new(Controller::default()));
        let mailbox: &'static Mailbox<PACKET> = Box::leak(Box::new(Mailbox::new()));
        let identity = Identity {
            name,
            address: [1, 2, 3, 4, 5, 6],
        };
        let served = serve(Line(controller.clone()), identity, now_ns, mailbox);
        // Boards keep it in their heap.
        assert!(size_of_val(&served) < 12 << 10, "{}", size_of_val(&served));
        let mut bench = Self {
            controller,
            mailbox,
            served: Box::pin(served),
            stopped: None,
        };
        bench.turn();
        assert!(bench.controller.borrow().is_advertising);
        bench
    }

    /// Lets it go on for as long as there is something to do.
    fn turn(&mut self) {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        loop {
            if self.stopped.is_some() {
                return;
            }
            let mut context = Context::from_waker(&waker);
            if let Poll::Ready(stopped) = self.served.as_mut().poll(&mut context) {
                self.stopped = Some(stopped);
            }
            let mut controller = self.controller.borrow_mut();
            let was = controller.down.len();
            controller.go_on();
            let moves = was > 0 || !controller.up.is_empty();
            if !woken.0.swap(false, Ordering::Relaxed) && !moves {
                return;
            }
        }
    }

    fn with(&mut self, does: impl FnOnce(&mut Controller)) {
        does(&mut self.controller.borrow_mut());
        self.turn();
    }

    /// A central comes, takes the longest pieces, and listens.
    fn connect(&mut self) {
        self.with(Controller::connect);
        self.with(|c| c.request(&[0x02, 247, 0]));
        self.with(|c| c.request(&[0x12, NOTIFY, 0, 1, 0]));
        assert_eq!(self.heard(), [vec![0x03, 247, 0], vec![0x13]]);
    }

    fn heard(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.controller.borrow_mut().heard)
    }

    fn write(&mut self, piece: &[u8]) {
        self.with(|c| c.request(&[&[0x52, SMP, 0], piece].concat()));
    }

    /// Asks, and answers with a reply of so many bytes, which must come.
    fn ask(&mut self, bytes: usize) {
        let packet = [&[2, 0, 0, 30, 0, 0, 7, 0][..], &[5; 30]].concat();
        for piece in packet.chunks(20) {
            self.write(piece);
        }
        let mut request = [0; PACKET];
        assert_eq!(self.mailbox.take(&mut request), Some(38));
        assert_eq!(request[..38], packet);
        let reply: Vec<u8> = (0..bytes).map(|at| at as u8).collect();
        self.mailbox.reply(&reply);
        self.turn();
        let mut pieces = vec![];
        for notified in self.heard() {
            assert_eq!(notified[..3], [0x1B, SMP, 0]);
            assert!(notified.len() <= 247);
            pieces.extend_from_slice(&notified[3..]);
        }
        assert_eq!(pieces, reply);
    }
}

#[test]
fn a_request_comes_in_pieces_and_so_does_its_reply() {
    let mut bench = Bench::new("a board");
    let advertised = bench.controller.borrow().advertised.clone();
    let service = rune_smp::fragments::SERVICE.to_le_bytes();
    let expected = [&[2, 1, 6][..], &[17, 7], &service, &[8, 9], b"a board"];
    assert_eq!(advertised, expected.concat());
    for _ in 0..3 {
        bench.connect();
        for bytes in [8, 244, 245, 1000, PACKET] {
            bench.ask(bytes);
        }
        bench.with(|c| c.disconnect(0x13));
        assert!(bench.controller.borrow().is_advertising);
    }
}

#[test]
fn who_says_nothing_is_sent_away() {
    let mut bench = Bench::new("a board with a long name, longer than there is room for");
    bench.connect();
    for _ in 0..5 {
        NOW.set(NOW.get() + IDLE.as_nanos() as u64 / 2);
        bench.ask(10);
    }
    NOW.set(NOW.get() + IDLE.as_nanos() as u64);
    bench.turn();
    assert!(!bench.controller.borrow().is_connected);
    bench.connect();
    bench.ask(10);
}

#[test]
fn what_somebody_asked_who_has_gone_is_answered_to_nobody() {
    let mut bench = Bench::new("a board");
    bench.connect();
    bench.write(&[2, 0, 0, 0, 0, 0, 7, 0]);
    assert_eq!(bench.mailbox.take(&mut [0; PACKET]), Some(8));
    bench.with(|c| c.disconnect(0x08));
    bench.connect();
    bench.mailbox.reply(&[3, 0, 0, 0, 0, 0, 7, 0]);
    bench.turn();
    assert_eq!(bench.heard(), Vec::<Vec<u8>>::new());
    bench.write(&[2, 0, 0]);
    bench.with(|c| c.disconnect(0x13));
    bench.connect();
    bench.ask(30);
}

#[test]
fn a_controller_that_is_gone_ends_it() {
    let mut bench = Bench::new("a board");
    bench.with(|c| c.is_gone = true);
    let why = bench.stopped.unwrap().to_string();
    assert!(why.contains("its line is gone: BrokenPipe"), "{why}");
    let mut bench = Bench::new("a board");
    bench.with(|c| c.up.push_back(7));
    let why = bench.stopped.unwrap().to_string();
    assert!(why.contains("a kind 0x07"), "{why}");
}

#[test]
fn whatever_comes_the_next_central_is_served() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below
    };
    let mut bench = Bench::new("a board");
    for _ in 0..500 {
        bench.connect();
        for _ in 0..400 {
            if !bench.controller.borrow().is_connected {
                break;
            }
            let opcodes = [
                0x02, 0x04, 0x06, 0x08, 0x0A, 0x0C, 0x0E, 0x10, 0x12, 0x16, 0x18, 0x20, 0x52,
            ];
            let opcode = match random(4) {
                0 => random(256) as u8,
                _ => opcodes[random(opcodes.len())],
            };
            // As long as the protocol has them, mostly.
            let lengths = [0, 1, 2, 4, 6, 8, 20, 30, 200];
            let length = lengths[random(lengths.len())];
            // Handles that exist, mostly.
            let mut request = vec![opcode];
            for at in 0..length {
                let most = if at % 2 == 1 { 2 } else { 16 };
                let byte = if random(5) == 0 {
                    random(256)
                } else {
                    random(most)
                };
                request.push(byte as u8);
            }
            match random(8) {
                0 => {
                    let boundary = random(4) as u8;
                    bench.with(|c| c.data(boundary, &request));
                }
                1 => {
                    let channel = random(8) as u8;
                    let length = (request.len() as u16 + random(3) as u16).to_le_bytes();
                    let data = [&length[..], &[channel, 0], &request].concat();
                    bench.with(|c| c.data(2, &data));
                }
                _ => bench.with(|c| c.request(&request)),
            }
            let mut request = [0; PACKET];
            if bench.mailbox.take(&mut request).is_some() {
                bench.mailbox.reply(&[3; 300]);
            }
        }
        bench.with(|c| c.disconnect(0x13));
        assert!(bench.stopped.is_none(), "{:?}", bench.stopped);
        bench.connect();
        bench.ask(100);
        bench.with(|c| c.disconnect(0x13));
    }
}
