//! Plays readings to a board as its accelerometer, whatever rune runs there: over the board's own protocol and UDP, so
//! that its serial port is free.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::Path,
    thread,
    time::Duration,
};

use rune_adapt::{Axes, MotionFormat, MotionSource, Source, Unit};
use rune_link::{DATA_BYTES, Digest, FRAME_BYTES, Play, Played, Reply, Request};

use crate::qemu::Machine;

/// Bytes of readings in one request, which has fields beside them.
const PART: usize = DATA_BYTES / 12 * 12 - 12;
/// Places in which runes run.
const PLACES: u8 = 4;
/// How often it is looked what runs, and how long after a call the next readings come.
const PAUSE: Duration = Duration::from_millis(100);

/// Readings of an accelerometer.
#[derive(Clone, Debug)]
pub struct Tape(Vec<u8>);

impl Tape {
    /// Reads lines of three numbers, in g.
    ///
    /// # Errors
    /// A sentence: it cannot be read, or a line has something else.
    pub fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = fs::read_to_string(path).map_err(|e| format!("{shown}: {e}"))?;
        let mut bytes = vec![];
        for (index, line) in text.lines().enumerate() {
            let numbers = line.split(',').map(|n| n.trim().parse::<f32>());
            let numbers: Result<Vec<f32>, _> = numbers.collect();
            match numbers.as_deref() {
                Ok([_, _, _]) => {}
                _ => return Err(format!("{shown}:{}: it is not three numbers", index + 1)),
            }
            bytes.extend(numbers.iter().flatten().flat_map(|n| n.to_le_bytes()));
        }
        if bytes.is_empty() {
            return Err(format!("{shown}: it has no readings"));
        }
        Ok(Self(bytes))
    }

    /// What they are: single numbers in g, of which nobody knows how many there are in a second.
    fn source() -> Source {
        Source::Motion(MotionSource {
            rate: None,
            format: MotionFormat::F32,
            offset: -0.0,
            scale: 1.0,
            unit: Unit::G,
            axes: Axes::SAME,
        })
    }
}

/// What is played to the rune of a place.
struct Playing {
    digest: Digest,
    at: usize,
    samples: u32,
}

/// Plays a tape to a board without end, to each rune that runs there and reads it.
pub(super) fn play(machine: &mut Machine, tape: &Tape) -> ! {
    let mut playing: [Option<Playing>; PLACES as usize] = [const { None }; _];
    let mut is_offered = false;
    loop {
        // A board that starts anew does not answer for a while, and has forgotten what was offered.
        let went = round(machine, tape, &mut playing, &mut is_offered);
        if went.is_err() {
            is_offered = false;
        }
        thread::sleep(PAUSE);
    }
}

fn round(
    machine: &mut Machine,
    tape: &Tape,
    playing: &mut [Option<Playing>; PLACES as usize],
    is_offered: &mut bool,
) -> Result<(), String> {
    let offer = |machine: &mut Machine| {
        machine.request(&Request::Play(Play::Clear { samples: 0 }))?;
        machine.request(&Request::Play(Play::Add(Tape::source())))
    };
    if !*is_offered {
        offer(machine)?;
        *is_offered = true;
    }
    for (place, playing) in (0..PLACES).zip(playing) {
        let Ok(unit) = machine.look(place) else {
            *playing = None;
            continue;
        };
        let is_new = playing.as_ref().is_none_or(|p| p.digest != unit.digest);
        let state = playing.get_or_insert(Playing {
            digest: unit.digest,
            at: 0,
            samples: 0,
        });
        if is_new {
            *state = Playing {
                digest: unit.digest,
                at: 0,
                samples: 0,
            };
        }
        if let Err(why) = feed(machine, place, tape, state) {
            // It was started by the board itself, with sensors of the board's own.
            let Err(again) = machine.try_out(&unit.digest) else {
                *is_offered = false;
                continue;
            };
            *playing = None;
            return Err(format!("{why}; {again}"));
        }
        if is_new {
            // What was offered is for the rune that was tried; the next one gets it too.
            offer(machine)?;
        }
    }
    Ok(())
}

/// Plays until the rune has read one sample more, or the board has no room.
fn feed(machine: &mut Machine, place: u8, tape: &Tape, state: &mut Playing) -> Result<(), String> {
    let mut data = vec![];
    loop {
        let feed = Request::Play(Play::Feed {
            place,
            sensor: 0,
            is_end: false,
            data: &data,
        });
        let played: Played = machine.ask(&feed, |reply| {
            let Reply::Played(played) = reply else {
                return None;
            };
            Some(played)
        })?;
        state.at = (state.at + data.len()) % tape.0.len();
        let has_read = played.samples != state.samples;
        state.samples = played.samples;
        let room = (played.room as usize)
            .min(PART)
            .min(tape.0.len() - state.at)
            / 12
            * 12;
        // Where nobody reads the sensor there is room without end.
        if has_read || room == 0 || played.is_over {
            return Ok(());
        }
        data = tape.0[state.at..state.at + room].to_vec();
    }
}

/// Frames of the board's protocol in datagrams. What is not answered within a second is sent again.
#[derive(Debug)]
pub struct Datagrams {
    socket: UdpSocket,
    sent: Vec<u8>,
    received: io::Cursor<Vec<u8>>,
}

impl Datagrams {
    /// To a board whose port [`rune_link::UDP_PORT`] is there.
    ///
    /// # Errors
    /// The system gives no socket.
    pub fn to(board: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect(board)?;
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        Ok(Self {
            socket,
            sent: vec![],
            received: io::Cursor::default(),
        })
    }
}

impl Write for Datagrams {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sent = bytes.to_vec();
        // What is lost is sent again, also where the board is not there yet.
        let _ = self.socket.send(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Datagrams {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.received.read(into)?;
        if count > 0 {
            return Ok(count);
        }
        let mut datagram = vec![0; 2 * FRAME_BYTES];
        if let Ok(length) = self.socket.recv(&mut datagram) {
            datagram.truncate(length);
            self.received = io::Cursor::new(datagram);
            return self.received.read(into);
        }
        let _ = self.socket.send(&self.sent);
        Err(io::ErrorKind::WouldBlock.into())
    }
}
