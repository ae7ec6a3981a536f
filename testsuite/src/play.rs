//! A rune on the emulated board, fed as `rune run` feeds it: sensors are played in their own form, which the board
//! adapts, and whatever no sensor gives goes as whole samples.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use rune_install::Phase;
use rune_link::{DATA_BYTES, Play, Played, Reply, Request, Run};
use rune_runtime::{Input, Read, Recording, Rune, Source};

use crate::{
    qemu::{Boot, Firmware, Machine, Slot, missing},
    skip,
};

/// How long a source may take for a sample.
const PATIENCE: Duration = Duration::from_mins(2);

/// Bytes of a sensor in one request, which has fields beside them.
const PART: usize = DATA_BYTES - 8;

/// A board for a test, at about the speed of the real one; `None` where there is nothing to build or run it with, which is
/// said.
///
/// # Panics
/// Where it does not compile or boot.
pub fn board(test: &str) -> Option<Machine> {
    // The firmware of all tests is the one that fails on request, so that it is built once.
    static FIRMWARE: OnceLock<Firmware> = OnceLock::new();
    if let Some(why) = missing() {
        skip(test, &why);
        return None;
    }
    let build = || Firmware::build(&["crash"]).unwrap_or_else(|why| panic!("{why}"));
    let boot = Boot {
        shift: 1,
        ..Boot::default()
    };
    let machine = Machine::boot(FIRMWARE.get_or_init(build), &boot);
    Some(machine.unwrap_or_else(|why| panic!("{why}")))
}

/// What stands at each place of a manifest.
enum Fed {
    /// A source, the sample that was read of it last, and how many were sent.
    Samples(Box<dyn Source>, Vec<u8>, u32),
    /// A sensor.
    Sensor,
}

/// A recording that is played.
struct Tape {
    bytes: Vec<u8>,
    sent: usize,
    state: Played,
}

impl Machine {
    /// Installs a rune in place of all others and calls it as `rune run` does: until an input ends, or so many times; once where
    /// nobody says and the inputs never end. Gives what the rune writes to `print`, as it comes.
    ///
    /// # Errors
    /// As [`ask`](Self::ask), or why the rune failed, or that a source cannot be read.
    pub fn run(
        &mut self,
        bytes: &[u8],
        rune: &Rune,
        inputs: Vec<Input>,
        calls: Option<u64>,
        mut print: impl FnMut(&str),
    ) -> Result<(), String> {
        let digest = rune_ir::digest(bytes);
        // What is confirmed alone is started anew, and not sent again.
        let is_there = |slot: &Slot| slot.digest == digest && slot.state == Phase::Confirmed;
        let is_there = matches!(&self.slots()?[..], [slot] if is_there(slot));
        if !is_there {
            self.remove_all()?;
            self.upload(bytes)?;
        }
        let most = calls.unwrap_or_default();
        self.request(&Request::Play(Play::Clear {
            // So many are never read.
            samples: most.try_into().unwrap_or(u32::MAX),
        }))?;
        let (mut fed, mut tapes) = (vec![], vec![]);
        let capabilities = &rune.manifest().capabilities;
        for (input, capability) in inputs.into_iter().zip(capabilities) {
            fed.push(match input {
                Input::Samples(source) => {
                    Fed::Samples(source, vec![0; capability.ty.bytes() as usize], 0)
                }
                Input::Recording(Recording { source, bytes }) => {
                    self.request(&Request::Play(Play::Add(source)))?;
                    tapes.push(Tape {
                        bytes,
                        sent: 0,
                        state: Played::default(),
                    });
                    Fed::Sensor
                }
            });
        }
        let place = self.try_out(&digest)?;
        if !is_there {
            // However often it fails, it is not rolled back.
            self.confirm(&rune.manifest().name)?;
        }
        if tapes.is_empty() {
            return self.call_with(place, fed, calls, print);
        }
        let mut last = (Instant::now(), vec![]);
        loop {
            for (sensor, tape) in (0..).zip(&mut tapes) {
                self.play(place, sensor, tape)?;
            }
            let states: Vec<Played> = tapes.iter().map(|tape| tape.state).collect();
            let read = states.iter().map(|state| state.samples).max();
            let mut is_over = states.iter().any(|state| state.is_over);
            for (capability, fed) in (0..).zip(&mut fed) {
                // The next sample, once the one before was read.
                if let Fed::Samples(source, sample, sent) = fed
                    && Some(*sent) == read
                    && !is_over
                {
                    *sent += 1;
                    if next(source, sample)? {
                        self.feed_one(place, capability, sample)?;
                    } else {
                        is_over = true;
                    }
                }
            }
            // All calls that there are have ended.
            let has_lines = self.print_lines(place, &mut print)?;
            if is_over {
                return Ok(());
            }
            if has_lines || last.1 != states {
                last = (Instant::now(), states);
            } else if last.0.elapsed() > PATIENCE {
                return Err("the rune reads nothing".to_owned());
            }
        }
    }

    /// Calls a rune that no sensor feeds.
    fn call_with(
        &mut self,
        place: u8,
        mut fed: Vec<Fed>,
        calls: Option<u64>,
        mut print: impl FnMut(&str),
    ) -> Result<(), String> {
        let is_endless = fed.iter().all(|fed| match fed {
            Fed::Samples(source, ..) => source.is_endless(),
            Fed::Sensor => false,
        });
        for _ in 0..calls.unwrap_or(if is_endless { 1 } else { u64::MAX }) {
            for (capability, fed) in (0..).zip(&mut fed) {
                if let Fed::Samples(source, sample, _) = fed {
                    if !next(source, sample)? {
                        return Ok(());
                    }
                    self.feed_one(place, capability, sample)?;
                }
            }
            self.tell_rune(place, Run::Call)?;
            self.print_lines(place, &mut print)?;
        }
        Ok(())
    }

    /// Prints the lines that there are, and gives whether there were any.
    fn print_lines(&mut self, place: u8, print: &mut impl FnMut(&str)) -> Result<bool, String> {
        let run = Run::Lines;
        let mut all = vec![];
        let mut is_more = true;
        let mut result = Ok(());
        while is_more && result.is_ok() {
            let before = all.len();
            result = self.ask(&Request::Run { place, run }, |reply| {
                let Reply::Text(text) = reply else {
                    return None;
                };
                all.extend_from_slice(text);
                Some(())
            });
            is_more = all.len() > before;
        }
        print(std::str::from_utf8(&all).map_err(|_| "the lines are no text")?);
        result.map(|()| !all.is_empty())
    }

    /// Plays so much of a recording as there is room for.
    fn play(&mut self, place: u8, sensor: u8, tape: &mut Tape) -> Result<(), String> {
        let rest = &tape.bytes[tape.sent..];
        let part = rest.len().min(tape.state.room as usize).min(PART);
        let feed = Request::Play(Play::Feed {
            place,
            sensor,
            is_end: part == rest.len(),
            data: &rest[..part],
        });
        tape.state = self.ask(&feed, |reply| {
            let Reply::Played(played) = reply else {
                return None;
            };
            Some(played)
        })?;
        tape.sent += part;
        Ok(())
    }
}

/// Reads the next sample; false where there is none.
fn next(source: &mut Box<dyn Source>, sample: &mut [u8]) -> Result<bool, String> {
    let read = source.read(sample, Instant::now() + PATIENCE);
    Ok(match read.map_err(|e| e.to_string())? {
        Read::Sample => true,
        Read::End { .. } => false,
    })
}
