//! Questions and replies, with another implementation of DNS at the other end.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "one thing is looked for among many"
)]

use rune_discovery::{Label, PORT, REPLY_BYTES, Responder, Subject, To};
use simple_dns::{
    CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, ResourceRecord, TYPE, rdata::PTR,
    rdata::RData,
};

const SERVICE: &str = "_mcumgr._udp.local";
const RUNES: &str = "_rune._sub._mcumgr._udp.local";
const INSTANCE: &str = "board-1._mcumgr._udp.local";
const HOST: &str = "board-1.local";
const SERVICES: &str = "_services._dns-sd._udp.local";
/// A port that is not that of multicast DNS.
const LEGACY: u16 = 40_000;

fn subject() -> Subject<'static> {
    Subject {
        name: Label::new("board-1").unwrap(),
        board: Label::new("mps2-an500").unwrap(),
        abi: 7,
        mode: Label::new("open").unwrap(),
        port: 1234,
        address: [192, 168, 7, 2],
    }
}

fn kind(kind: TYPE) -> QTYPE {
    QTYPE::TYPE(kind)
}

fn query(questions: &[(&'static str, QTYPE, bool)]) -> Packet<'static> {
    let mut packet = Packet::new_query(0x1234);
    for (name, kind, unicast) in questions {
        let name = Name::new(name).unwrap();
        let class = QCLASS::CLASS(CLASS::IN);
        let question = Question::new(name, *kind, class, *unicast);
        packet.questions.push(question);
    }
    packet
}

/// The reply of a new responder.
fn answer(bytes: &[u8], from: u16) -> Option<(Vec<u8>, To)> {
    answer_of(&subject(), bytes, from)
}

fn answer_of(subject: &Subject<'_>, bytes: &[u8], from: u16) -> Option<(Vec<u8>, To)> {
    let mut into = [0; REPLY_BYTES];
    let reply = Responder::new().answer(subject, bytes, from, 0, &mut into)?;
    Some((reply.bytes.to_vec(), reply.to))
}

/// A record as name, kind, text of its data, whether it replaces others, and seconds.
type Said = (String, TYPE, String, bool, u32);

fn said(record: &ResourceRecord<'_>) -> Said {
    let data = match &record.rdata {
        RData::PTR(PTR(name)) => name.to_string(),
        RData::SRV(srv) => format!(
            "{}:{} {} {}",
            srv.target, srv.port, srv.priority, srv.weight
        ),
        RData::A(a) => std::net::Ipv4Addr::from(a.address).to_string(),
        RData::TXT(txt) => {
            let mut all: Vec<String> = txt
                .attributes()
                .into_iter()
                .map(|(key, value)| format!("{key}={}", value.unwrap()))
                .collect();
            all.sort();
            all.join(" ")
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(record.class, CLASS::IN);
    let name = record.name.to_string();
    let kind = record.rdata.type_code();
    (name, kind, data, record.cache_flush, record.ttl)
}

fn all(records: &[ResourceRecord<'_>]) -> Vec<Said> {
    records.iter().map(said).collect()
}

fn row(name: &str, kind: TYPE, data: &str, flush: bool, seconds: u32) -> Said {
    (name.to_owned(), kind, data.to_owned(), flush, seconds)
}

fn services() -> Said {
    row(SERVICES, TYPE::PTR, SERVICE, false, 4500)
}

fn service() -> Said {
    row(SERVICE, TYPE::PTR, INSTANCE, false, 4500)
}

fn runes() -> Said {
    row(RUNES, TYPE::PTR, INSTANCE, false, 4500)
}

fn port() -> Said {
    row(INSTANCE, TYPE::SRV, "board-1.local:1234 0 0", true, 120)
}

fn text() -> Said {
    let text = "abi=7 board=mps2-an500 mode=open txtvers=1";
    row(INSTANCE, TYPE::TXT, text, true, 4500)
}

fn address() -> Said {
    row(HOST, TYPE::A, "192.168.7.2", true, 120)
}

#[test]
fn each_question_has_its_records() {
    let any = QTYPE::ANY;
    let cases = [
        (
            SERVICE,
            kind(TYPE::PTR),
            vec![service()],
            vec![port(), text(), address()],
        ),
        (
            RUNES,
            kind(TYPE::PTR),
            vec![runes()],
            vec![port(), text(), address()],
        ),
        (
            SERVICE,
            any,
            vec![service()],
            vec![port(), text(), address()],
        ),
        (SERVICES, kind(TYPE::PTR), vec![services()], vec![]),
        (INSTANCE, kind(TYPE::SRV), vec![port()], vec![address()]),
        (INSTANCE, kind(TYPE::TXT), vec![text()], vec![]),
        (INSTANCE, any, vec![port(), text()], vec![address()]),
        (HOST, kind(TYPE::A), vec![address()], vec![]),
        (HOST, any, vec![address()], vec![]),
        ("BOARD-1.Local", kind(TYPE::A), vec![address()], vec![]),
    ];
    for (name, kind, answers, more) in cases {
        let bytes = query(&[(name, kind, false)]).build_bytes_vec().unwrap();
        let (reply, to) = answer(&bytes, PORT).unwrap_or_else(|| panic!("{name} {kind:?}"));
        assert_eq!(to, To::Group);
        let packet = Packet::parse(&reply).unwrap();
        assert_eq!(packet.id(), 0);
        assert!(packet.has_flags(PacketFlag::RESPONSE | PacketFlag::AUTHORITATIVE_ANSWER));
        assert!(packet.questions.is_empty() && packet.name_servers.is_empty());
        assert_eq!(all(&packet.answers), answers, "{name} {kind:?}");
        assert_eq!(all(&packet.additional_records), more, "{name} {kind:?}");
    }
}

#[test]
fn what_is_for_others_is_not_answered() {
    let others = [
        (SERVICE, kind(TYPE::A)),
        (HOST, kind(TYPE::AAAA)),
        (HOST, kind(TYPE::PTR)),
        ("board-2.local", kind(TYPE::A)),
        ("board-1", kind(TYPE::A)),
        ("board-1.local.local", kind(TYPE::A)),
        ("x.board-1.local", kind(TYPE::A)),
        ("_rune._tcp.local", kind(TYPE::PTR)),
        ("local", QTYPE::ANY),
        ("_udp.local", QTYPE::ANY),
    ];
    for (name, kind) in others {
        let bytes = query(&[(name, kind, false)]).build_bytes_vec().unwrap();
        assert_eq!(answer(&bytes, PORT), None, "{name}");
    }
    // Of another class; a reply; another operation; no question.
    let bytes = query(&[(SERVICE, kind(TYPE::PTR), false)])
        .build_bytes_vec()
        .unwrap();
    assert!(answer(&bytes, PORT).is_some());
    for (place, value) in [(bytes.len() - 1, 3), (2, 0x80), (2, 0x28), (5, 0)] {
        let mut changed = bytes.clone();
        changed[place] = value;
        assert_eq!(answer(&changed, PORT), None);
    }
}

#[test]
fn several_questions_have_one_reply_with_each_record_once() {
    let questions = [
        ("somebody.local", kind(TYPE::A), false),
        (HOST, kind(TYPE::A), false),
        (SERVICE, kind(TYPE::PTR), true),
        (SERVICE, kind(TYPE::PTR), false),
        (SERVICES, kind(TYPE::PTR), false),
    ];
    for bytes in [
        query(&questions).build_bytes_vec().unwrap(),
        query(&questions).build_bytes_vec_compressed().unwrap(),
    ] {
        let (reply, to) = answer(&bytes, PORT).unwrap();
        assert_eq!(to, To::Group);
        let packet = Packet::parse(&reply).unwrap();
        assert_eq!(all(&packet.answers), [service(), services(), address()]);
        assert_eq!(all(&packet.additional_records), [port(), text()]);
    }
}

#[test]
fn who_wants_it_alone_gets_it_alone() {
    let bytes = query(&[(HOST, kind(TYPE::A), true)])
        .build_bytes_vec()
        .unwrap();
    let (reply, to) = answer(&bytes, PORT).unwrap();
    assert_eq!(to, To::Sender);
    assert_eq!(all(&Packet::parse(&reply).unwrap().answers), [address()]);
}

#[test]
fn plain_dns_gets_its_number_its_question_and_short_times() {
    let bytes = query(&[(SERVICE, kind(TYPE::PTR), false)])
        .build_bytes_vec()
        .unwrap();
    let (reply, to) = answer(&bytes, LEGACY).unwrap();
    assert_eq!(to, To::Sender);
    let packet = Packet::parse(&reply).unwrap();
    assert_eq!(packet.id(), 0x1234);
    assert_eq!(packet.questions.len(), 1);
    assert_eq!(packet.questions[0].qname.to_string(), SERVICE);
    assert_eq!(packet.questions[0].qtype, kind(TYPE::PTR));
    let short = |said: Said| (said.0, said.1, said.2, false, 10);
    assert_eq!(all(&packet.answers), [short(service())]);
    let more = [port(), text(), address()].map(short);
    assert_eq!(all(&packet.additional_records), more);
    // The name in SRV is whole there.
    let host = b"\x07board-1\x05local\0";
    assert!(reply.windows(host.len()).any(|part| part == host));
}

#[test]
fn what_the_asker_knows_is_not_said() {
    let known = |seconds, target: &'static str| {
        let mut packet = query(&[(SERVICE, kind(TYPE::PTR), false)]);
        for target in ["board-0._rune._udp.local", target] {
            let data = RData::PTR(PTR(Name::new(target).unwrap()));
            let name = Name::new(SERVICE).unwrap();
            let record = ResourceRecord::new(name, CLASS::IN, seconds, data);
            packet.answers.push(record);
        }
        packet.build_bytes_vec_compressed().unwrap()
    };
    assert_eq!(answer(&known(4500, INSTANCE), PORT), None);
    assert_eq!(answer(&known(2250, INSTANCE), PORT), None);
    assert!(answer(&known(2249, INSTANCE), PORT).is_some());
    assert!(answer(&known(4500, "board-2._rune._udp.local"), PORT).is_some());
}

#[test]
fn all_are_told_the_same_once_a_second() {
    let subject = subject();
    let mut responder = Responder::new();
    let mut into = [0; REPLY_BYTES];
    let service = query(&[(SERVICE, kind(TYPE::PTR), false)])
        .build_bytes_vec()
        .unwrap();
    let host = query(&[(HOST, kind(TYPE::A), false)])
        .build_bytes_vec()
        .unwrap();
    let mut ask = |bytes: &[u8], from, ms| {
        let reply = responder.answer(&subject, bytes, from, ms, &mut into);
        reply.is_some()
    };
    assert!(ask(&service, PORT, 5000));
    assert!(!ask(&service, PORT, 5999));
    assert!(ask(&host, PORT, 5999));
    assert!(ask(&service, LEGACY, 5999));
    assert!(ask(&service, PORT, 6000));

    let told = responder.announce(&subject, 10_000, &mut into).unwrap();
    assert_eq!(told.to, To::Group);
    let packet = Packet::parse(told.bytes).unwrap();
    let everything = [
        self::service(),
        runes(),
        services(),
        port(),
        text(),
        address(),
    ];
    assert_eq!(all(&packet.answers), everything);
    assert!(packet.additional_records.is_empty());
    let again = responder.answer(&subject, &host, PORT, 10_500, &mut into);
    assert_eq!(again, None);
}

#[test]
fn the_longest_names_have_room() {
    let long = "n".repeat(Label::BYTES);
    let subject = Subject {
        name: Label::new(&long).unwrap(),
        board: Label::new(&long).unwrap(),
        abi: u16::MAX,
        mode: Label::new(&long).unwrap(),
        port: u16::MAX,
        address: [255; 4],
    };
    let questions = [
        (SERVICE, kind(TYPE::PTR), false),
        (SERVICES, kind(TYPE::PTR), false),
    ];
    let bytes = query(&questions).build_bytes_vec().unwrap();
    for from in [PORT, LEGACY] {
        let (reply, _) = answer_of(&subject, &bytes, from).unwrap();
        let packet = Packet::parse(&reply).unwrap();
        let instance = format!("{long}.{SERVICE}");
        assert_eq!(said(&packet.answers[0]).2, instance);
    }
    let mut into = [0; REPLY_BYTES];
    assert!(Responder::new().announce(&subject, 0, &mut into).is_some());
    assert_eq!(Label::new(""), None);
    assert_eq!(Label::new(&"n".repeat(Label::BYTES + 1)), None);
}

/// A query with this name, as bytes, for PTR.
fn raw(name: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], name, &[0, 12, 0, 1]].concat()
}

#[test]
fn pointers_lead_backwards_or_nowhere() {
    let whole = raw(b"\x07_mcumgr\x04_udp\x05local\0");
    assert!(answer(&whole, PORT).is_some());
    let nowhere: [&[u8]; 8] = [
        // To itself, forwards, to each other, out of the message.
        b"\xC0\x0C",
        b"\xC0\x0E",
        b"\x01a\xC0\x0C",
        b"\xC0\x0E\xC0\x0C",
        b"\xFF\xFF",
        // Half a pointer, labels of kinds that do not exist.
        b"\xC0",
        b"\x40a\0",
        b"\x80a\0",
    ];
    for name in nowhere {
        assert_eq!(answer(&raw(name), PORT), None, "{name:?}");
    }
    // A second question that ends in the first, by one pointer and by a chain of them.
    for (pointers, is_read) in [(1, true), (10, true), (16, true), (17, false), (300, false)] {
        let mut message = raw(b"\x05_none\x04_udp\x05local\0");
        let mut target = 12 + 6;
        // The chain lies in the data of a question's name that nobody asks for: labels of two bytes.
        for _ in 1..pointers {
            let at = message.len();
            message.extend([2, 0xC0 | (target >> 8) as u8, target as u8, 0, 0, 12, 0, 1]);
            target = at + 1;
        }
        message.extend(b"\x07_mcumgr");
        message.extend([0xC0 | (target >> 8) as u8, target as u8, 0, 12, 0, 1]);
        let questions = 1 + pointers as u16;
        message[4..6].copy_from_slice(&questions.to_be_bytes());
        let is_looked_at = questions <= 32;
        let found = answer(&message, PORT).is_some();
        assert_eq!(found, is_read && is_looked_at, "{pointers}");
    }
    // Labels without end.
    let endless = raw(&[&[63; 64][..]; 20].concat());
    assert_eq!(answer(&endless, PORT), None);
}

/// Numbers that look random, the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % below
    }
}

/// Whatever comes, a reply is none or one that the other implementation reads.
#[test]
fn any_datagram_is_answered_well_or_not_at_all() {
    let mut random = Random(1);
    let questions = [
        (SERVICE, kind(TYPE::PTR), false),
        (INSTANCE, QTYPE::ANY, true),
        (HOST, kind(TYPE::A), false),
    ];
    let mut packet = query(&questions);
    let data = RData::PTR(PTR(Name::new(INSTANCE).unwrap()));
    let name = Name::new(SERVICE).unwrap();
    packet
        .answers
        .push(ResourceRecord::new(name, CLASS::IN, 4500, data));
    let seeds = [
        packet.build_bytes_vec().unwrap(),
        packet.build_bytes_vec_compressed().unwrap(),
    ];
    let mut answered = 0;
    let mut check = |bytes: &[u8]| {
        for from in [PORT, LEGACY] {
            if let Some((reply, _)) = answer(bytes, from) {
                let packet = Packet::parse(&reply).unwrap();
                assert!(!packet.answers.is_empty());
                all(&packet.answers);
                all(&packet.additional_records);
                answered += 1;
            }
        }
    };
    for seed in &seeds {
        for end in 0..=seed.len() {
            check(&seed[..end]);
        }
        for place in 0..seed.len() {
            for value in 0..=255 {
                let mut changed = seed.clone();
                changed[place] = value;
                check(&changed);
            }
        }
        for _ in 0..50_000 {
            let mut changed = seed.clone();
            for _ in 0..=random.next(6) {
                let place = random.next(changed.len());
                changed[place] = [0, 0xC0, 0x0C, 0xFF, random.next(256) as u8][random.next(5)];
            }
            changed.truncate(1 + random.next(2 * changed.len()));
            check(&changed);
        }
    }
    for len in 0..2000 {
        let bytes: Vec<u8> = (0..len).map(|_| random.next(256) as u8).collect();
        check(&bytes);
    }
    assert!(answered > 1000, "{answered}");
}
