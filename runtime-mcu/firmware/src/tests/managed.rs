//! The bench asked by SMP, on the port on which frames come too.

use std::{string::String, vec, vec::Vec};

use rune_abi::CapabilityKind;
use rune_link::{Request, Run};
use rune_smp::{Header, Op, Version, group, own, serial};
use sha2::{Digest as _, Sha256};

use super::{Bench, NOW, echo, four};

/// A name and its value.
type Item<'a> = (&'a str, Value<'a>);

enum Value<'a> {
    Number(u16),
    Text(&'a str),
    Bytes(&'a [u8]),
    Truth(bool),
}

/// A map of CBOR.
fn map(items: &[Item<'_>]) -> Vec<u8> {
    fn head(bytes: &mut Vec<u8>, kind: u8, value: u16) {
        bytes.push((kind << 5) + 25);
        bytes.extend(value.to_be_bytes());
    }
    let mut bytes = vec![];
    head(&mut bytes, 5, items.len() as u16);
    let text = |bytes: &mut Vec<u8>, text: &str| {
        head(bytes, 3, text.len() as u16);
        bytes.extend(text.bytes());
    };
    for (name, value) in items {
        text(&mut bytes, name);
        match value {
            Value::Number(number) => head(&mut bytes, 0, *number),
            Value::Text(value) => text(&mut bytes, value),
            Value::Bytes(value) => {
                head(&mut bytes, 2, value.len() as u16);
                bytes.extend(*value);
            }
            Value::Truth(truth) => bytes.push(0xF4 | u8::from(*truth)),
        }
    }
    bytes
}

impl Bench {
    /// Sends a packet; gives the map of its reply.
    fn packet(&mut self, op: Op, group: u16, command: u8, items: &[Item<'_>]) -> Vec<u8> {
        let body = map(items);
        let header = Header {
            op,
            version: Version::V2,
            group,
            sequence: 3,
            command,
        };
        let packet = [&header.encode(body.len() as u16)[..], &body].concat();
        let mut lines = vec![];
        serial::encode(&packet, |line| lines.extend_from_slice(line));
        self.fake.0.borrow_mut().to.extend(lines);
        self.runes.turn();
        let from = core::mem::take(&mut self.fake.0.borrow_mut().from);
        let mut decoder = serial::Decoder::<1476>::new();
        let mut replies: Vec<Vec<u8>> = vec![];
        for byte in from {
            if let Some(packet) = decoder.take(byte) {
                replies.push(packet.expect("it is whole").to_vec());
            }
        }
        assert_eq!(replies.len(), 1, "{replies:?}");
        let (reply, body) = Header::decode(&replies[0]).expect("a packet");
        assert_eq!((Some(reply.op), reply.sequence), (op.reply(), 3));
        body.to_vec()
    }

    /// Sends a rune in two parts, and asks for its trial; gives its digest.
    fn cast(&mut self, rune: &[u8], confirm: bool) -> [u8; 32] {
        let digest: [u8; 32] = Sha256::digest(rune).into();
        let half = rune.len() / 8 * 4;
        let first = [
            ("off", Value::Number(0)),
            ("len", Value::Number(rune.len() as u16)),
            ("sha", Value::Bytes(&digest)),
            ("data", Value::Bytes(&rune[..half])),
        ];
        let rest = [
            ("off", Value::Number(half as u16)),
            ("data", Value::Bytes(&rune[half..])),
        ];
        self.packet(Op::Write, group::IMAGE, 1, &first);
        let done = self.packet(Op::Write, group::IMAGE, 1, &rest);
        assert!(has(&done, "match"), "{done:02x?}");
        let hash = [
            ("hash", Value::Bytes(&digest)),
            ("confirm", Value::Truth(confirm)),
        ];
        let tried = self.packet(Op::Write, group::IMAGE, 0, &hash);
        assert!(has(&tried, "images"), "{}", self.why());
        digest
    }

    fn why(&mut self) -> String {
        let why = self.packet(Op::Read, own::GROUP, own::command::WHY, &[]);
        String::from_utf8_lossy(&why).into_owned()
    }

    fn rune(&mut self) -> Vec<u8> {
        self.packet(Op::Read, own::GROUP, own::command::RUNE, &[])
    }
}

fn has(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|w| w == text.as_bytes())
}

#[test]
fn packets_frames_and_text_come_on_one_port() {
    let mut bench = Bench::new();
    for noise in [&b""[..], b"a prompt> ", b"\0\x05half a frame", &[0x55; 300]] {
        bench.fake.0.borrow_mut().to.extend(noise);
        // A line that nobody has ended takes the begin of a packet with it, and a frame ends it.
        assert!(bench.ask(&Request::About).contains("bench"));
        let echo = [("d", Value::Text("hello"))];
        let said = bench.packet(Op::Write, group::OS, 0, &echo);
        assert!(has(&said, "hello"), "{said:02x?}");
    }
}

#[test]
fn a_rune_is_cast_looked_at_and_given_up() {
    let mut bench = Bench::new();
    let digest = bench.cast(&echo(four(CapabilityKind::Rand)), false);
    let rune = bench.rune();
    assert!(has(&rune, "trial") && has(&rune, "running") && has(&rune, "test"));
    // The other protocol sees the same rune, and feeds it.
    assert_eq!(bench.feed(&[1, 2, 3, 4]), "Done");
    let name = [("name", Value::Text("test"))];
    for since in [0, 0, 7] {
        let items = [
            ("name", Value::Text("test")),
            ("since", Value::Number(since)),
        ];
        let lines = bench.packet(Op::Read, own::GROUP, own::command::LINES, &items);
        assert!(has(&lines, "[1, 2, 3, 4]"), "{lines:02x?}");
    }
    let hash = [("hash", Value::Bytes(&digest))];
    let manifest = bench.packet(Op::Read, own::GROUP, own::command::MANIFEST, &hash);
    assert!(has(&manifest, "test"));
    let counters = bench.packet(Op::Read, group::STATISTICS, 0, &name);
    assert!(has(&counters, "with_output\x01"), "{counters:02x?}");
    let kind = bench.packet(Op::Read, own::GROUP, own::command::CAPABILITY, &[]);
    assert!(has(&kind, "RAW"));
    bench.packet(Op::Write, own::GROUP, own::command::STOP, &name);
    assert!(has(&bench.rune(), "stopped"));
    bench.packet(Op::Write, own::GROUP, own::command::START, &name);
    assert!(has(&bench.rune(), "running"));
    bench.packet(Op::Write, own::GROUP, own::command::REMOVE, &name);
    assert_eq!(bench.run(0, Run::Look), "no rune runs in this place");
    bench.packet(Op::Write, own::GROUP, own::command::ROLLBACK, &name);
    assert!(bench.why().contains("there is no such rune"));
}

#[test]
fn a_trial_that_is_to_stay_does_once_it_is_healthy() {
    let mut bench = Bench::new();
    bench.cast(&echo(four(CapabilityKind::Raw)), true);
    assert!(has(&bench.rune(), "trial"));
    NOW.set(NOW.get() + 11_000_000_000);
    for _ in 0..3 {
        bench.runes.turn();
    }
    assert!(has(&bench.rune(), "confirmed"));
    let mut bench = bench.again();
    assert!(has(&bench.rune(), "confirmed"));
}
