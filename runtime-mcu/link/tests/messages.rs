//! Every request and reply comes out as it went in, and any bytes are read or refused.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use rune_adapt::{Rate, SampleFormat, SoundSource, Source};
use rune_install::Phase;
use rune_link::{
    About, Crash, DATA_BYTES, Doing, FAILURES, Install, Installed, PAYLOAD_BYTES, Play, Played,
    Reason, Reply, Request, Run, Rune, Status, Unreadable, When,
};

/// Messages of each kind that are made at random.
const ROUNDS: usize = 20_000;

/// Xorshift: the same numbers each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn u32(&mut self) -> u32 {
        // Ends of the range are as likely as all the rest.
        match self.below(4) {
            0 => 0,
            1 => u32::MAX,
            _ => self.next() as u32,
        }
    }

    fn byte(&mut self) -> u8 {
        self.u32() as u8
    }

    fn flag(&mut self) -> bool {
        self.next() & 1 == 1
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let len = [0, 1, self.below(most + 1), most][self.below(4)];
        (0..len).map(|_| self.byte()).collect()
    }

    fn text(&mut self, most: usize) -> String {
        let mut text = String::new();
        let len = self.below(most + 1);
        loop {
            let c = ['a', '\0', '\u{e4}', '\u{1f980}', '"', '\n'][self.below(6)];
            if text.len() + c.len_utf8() > len {
                return text;
            }
            text.push(c);
        }
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn digest(&mut self) -> [u8; 32] {
        std::array::from_fn(|_| self.byte())
    }

    fn when(&mut self) -> When {
        match self.below(3) {
            0 => When::Trigger,
            1 => When::Input,
            _ => When::Every(self.u32()),
        }
    }
}

/// What a message borrows.
struct Parts {
    data: Vec<u8>,
    name: String,
    text: String,
}

impl Parts {
    fn new(random: &mut Random) -> Self {
        Self {
            data: random.bytes(DATA_BYTES),
            name: random.text(64),
            text: random.text(Reason::TEXT_BYTES),
        }
    }
}

fn request<'a>(random: &mut Random, parts: &'a Parts) -> Request<'a> {
    let Parts { data, name, .. } = parts;
    match random.below(21) {
        0 => Request::About,
        1 => Request::Install(Install::Begin {
            bytes: random.u32(),
            digest: random.digest(),
            anew: random.flag(),
        }),
        2 => Request::Install(Install::Chunk {
            offset: random.u32(),
            data,
        }),
        3 => Request::Install(Install::End),
        4 => Request::Install(Install::Slot(random.byte())),
        5 => Request::Install(Install::Try(random.digest())),
        6 => Request::Install(Install::Confirm(name)),
        7 => Request::Install(Install::Rollback(name)),
        8 => Request::Install(Install::Remove(name)),
        9..=11 => Request::Run {
            place: random.byte(),
            run: match random.below(5) {
                0 => Run::Look,
                1 => Run::Want(random.flag()),
                2 => Run::Schedule(random.when()),
                3 => Run::Call,
                _ => Run::Lines,
            },
        },
        12 => Request::Feed {
            place: random.byte(),
            capability: random.byte(),
            offset: random.u32(),
            data,
        },
        13 => Request::Status,
        14 => Request::Crash(random.of(&Crash::ALL)),
        15 => Request::StopFlash {
            after: random.u32(),
            is_torn: random.flag(),
        },
        16 => Request::Play(Play::Clear {
            samples: random.u32(),
        }),
        17 => Request::Play(Play::Add(Source::Sound(SoundSource {
            rate: Rate {
                numerator: random.u32(),
                denominator: random.u32(),
            },
            channels: random.u32() as u16,
            format: random.of(&[SampleFormat::U8, SampleFormat::F32]),
        }))),
        18 => Request::Play(Play::Feed {
            place: random.byte(),
            sensor: random.byte(),
            is_end: random.flag(),
            data,
        }),
        19 => Request::Sums,
        _ => Request::Reset,
    }
}

fn reply<'a>(random: &mut Random, parts: &'a Parts) -> Reply<'a> {
    let Parts { data, name, text } = parts;
    match random.below(10) {
        0 => Reply::Done,
        1 => Reply::Refused(text),
        2 => Reply::About(About {
            protocol: random.u32() as u16,
            abi: random.u32() as u16,
            slots: random.byte(),
            places: random.byte(),
            slot_bytes: random.u32(),
            board: name,
        }),
        3 => Reply::Upload {
            offset: random.u32(),
        },
        4 => Reply::Installed(Installed {
            slot: random.byte(),
            state: random.of(Phase::ALL),
            attempts: random.byte(),
            tries: random.byte(),
            version: [(); 3].map(|()| random.u32() as u16),
            counter: random.u32(),
            bytes: random.u32(),
            received: random.u32(),
            digest: random.digest(),
            name,
        }),
        5 => Reply::Place(random.byte()),
        6 => Reply::Rune(Rune {
            doing: random.of(&Doing::ALL),
            when: random.when(),
            digest: random.digest(),
            starts: random.u32(),
            with_output: random.u32(),
            without_output: random.u32(),
            failures: [(); FAILURES].map(|()| random.u32()),
            overruns: random.u32(),
            name,
            error: text,
        }),
        7 => Reply::Text(data),
        8 => Reply::Played(Played {
            room: random.u32(),
            lost: random.u32(),
            samples: random.u32(),
            is_over: random.flag(),
        }),
        _ => Reply::Status(Status {
            time_ns: random.next(),
            heap_bytes: random.u32(),
            heap_most_bytes: random.u32(),
            heap_all_bytes: random.u32(),
            stack_most_bytes: random.u32(),
            stack_all_bytes: random.u32(),
            lost_bytes: random.u32(),
            broken_frames: random.u32(),
            lost_text_bytes: random.u32(),
            reason: random.flag().then(|| Reason {
                crash: random.of(&Crash::ALL),
                pc: random.u32(),
                lr: random.u32(),
                cfsr: random.u32(),
                address: random.u32(),
                text,
            }),
        }),
    }
}

#[test]
fn messages_come_out_as_they_went_in() {
    let mut random = Random(0x5EED);
    for _ in 0..ROUNDS {
        let parts = Parts::new(&mut random);
        let number = random.byte();
        let mut buffer = [0; PAYLOAD_BYTES];
        let request = request(&mut random, &parts);
        let payload = request.encode(number, &mut buffer);
        assert_eq!(Request::decode(payload), Ok((number, Ok(request))));
        let reply = reply(&mut random, &parts);
        let payload = reply.encode(number, &mut buffer);
        assert_eq!(Reply::decode(payload), Ok((number, reply)));
    }
}

/// Bytes at random, and those of messages of which one was changed or the end is lost: what is read is written again
/// as it was, and nothing else is read.
#[test]
fn what_is_read_is_what_was_written() {
    let mut random = Random(0xF00D);
    let mut read = [0; 2];
    for _ in 0..ROUNDS {
        let parts = Parts::new(&mut random);
        let mut buffer = [0; PAYLOAD_BYTES];
        let mut payload = match random.below(3) {
            0 => random.bytes(100),
            1 => request(&mut random, &parts)
                .encode(random.byte(), &mut buffer)
                .to_vec(),
            _ => reply(&mut random, &parts)
                .encode(random.byte(), &mut buffer)
                .to_vec(),
        };
        if random.flag() {
            payload.truncate(random.below(payload.len() + 1));
        }
        if !payload.is_empty() {
            let place = random.below(payload.len().min(40));
            payload[place] = random.byte();
        }
        if let Ok((number, Ok(request))) = Request::decode(&payload) {
            assert_eq!(request.encode(number, &mut buffer), payload);
            read[0] += 1;
        }
        if let Ok((number, reply)) = Reply::decode(&payload) {
            assert_eq!(reply.encode(number, &mut buffer), payload);
            read[1] += 1;
        }
    }
    assert!(read.iter().all(|count| *count > ROUNDS / 20), "{read:?}");
}

#[test]
fn what_no_request_is_has_a_number_still() {
    assert_eq!(Request::decode(&[]), Err(Unreadable));
    for payload in [
        &[5][..],
        &[5, 200],
        &[5, 0, 0],
        &[5, 1, 99],
        &[5, 2, 0],
        &[5, 1, 5, 0xFF],
    ] {
        assert_eq!(Request::decode(payload), Ok((5, Err(Unreadable))));
    }
    assert_eq!(Reply::decode(&[5, 3, 0]), Err(Unreadable));
}

#[test]
fn long_texts_are_cut_between_characters() {
    let long = "\u{e4}".repeat(DATA_BYTES);
    let mut buffer = [0; PAYLOAD_BYTES];
    let payload = Reply::Refused(&long).encode(0, &mut buffer);
    let Ok((0, Reply::Refused(text))) = Reply::decode(payload) else {
        panic!("it is a refusal");
    };
    assert!(text.len() >= DATA_BYTES - 1 && long.starts_with(text));
    let install = Request::Install(Install::Confirm(&long));
    let Ok((0, Ok(Request::Install(Install::Confirm(name))))) =
        Request::decode(install.encode(0, &mut buffer))
    else {
        panic!("it is a request");
    };
    assert!(name.len() == 254 && long.starts_with(name));
}
