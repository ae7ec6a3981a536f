//! Answers the requests that come over the links.

use cortex_m::peripheral::SCB;
use rune_abi::ABI_VERSION;
use rune_core::Schedule;
use rune_install::Name;
use rune_link::{
    About, Digest, Install, PAYLOAD_BYTES, PROTOCOL, Play, Reason, Reply, Request, Run, Status,
};

use crate::{
    board::{self, Exchange, PLACES},
    clock,
    installs::{Installs, MOST, SLOTS, Why, named},
    links::Links,
    memory,
    sensors::Said,
};

/// What a board is called.
pub(crate) const BOARD: &str = "mps2-an500";

/// Most requests that are answered in one turn.
const REQUESTS: usize = 16;

/// What needs the scheduler, which is busy while the links are polled.
#[derive(Clone, Copy)]
pub(crate) enum Command {
    Try(Digest),
    Rollback(Name),
    Remove(Name),
    Run { place: u8, run: Run },
}

/// Takes requests, does what they ask for, and answers.
pub(crate) struct Server {
    links: Links,
    broken_frames: u32,
    reason: Option<Reason<'static>>,
    /// With the number of its request; nothing else is answered before.
    command: Option<(u8, Command)>,
    /// For tests of what comes of that.
    stands_still: bool,
}

impl Server {
    /// `reason` is that of the run before, if it failed.
    pub(crate) fn new(links: Links, reason: Option<Reason<'static>>) -> Self {
        Self {
            links,
            broken_frames: 0,
            reason,
            command: None,
            stands_still: false,
        }
    }

    /// Lets the links go on, and answers what has come, up to a command. False where one cannot go on, or nobody has
    /// taken the last command.
    pub(crate) fn poll(
        &mut self,
        exchanges: &mut [Exchange; PLACES],
        said: &mut Option<Said>,
        installs: &mut Installs,
    ) -> bool {
        if self.stands_still || self.command.is_some() {
            return false;
        }
        let go_on = self.links.poll();
        for _ in 0..REQUESTS {
            let mut payload = [0; PAYLOAD_BYTES];
            if self.command.is_some() {
                break;
            }
            let Some(received) = self.links.receive(&mut payload) else {
                break;
            };
            let received = received.map(|bytes| Request::decode(&payload[..bytes]));
            let received = received.ok().and_then(Result::ok);
            // What is damaged, or has no number, cannot be answered.
            let Some((number, request)) = received else {
                self.broken_frames += 1;
                continue;
            };
            let Ok(request) = request else {
                self.reply(
                    number,
                    Reply::Refused("the board does not know this request"),
                );
                continue;
            };
            match command(&request) {
                Some(Ok(command)) => self.command = Some((number, command)),
                Some(Err(why)) => self.reply(number, Reply::Refused(why.as_str())),
                None => self.answer(number, &request, exchanges, said, installs),
            }
        }
        go_on
    }

    /// What the scheduler is to do. It then must be answered by [`done`](Self::done).
    pub(crate) fn command(&self) -> Option<Command> {
        self.command.map(|(_, command)| command)
    }

    /// Answers the command.
    pub(crate) fn done(&mut self, result: &Result<Reply<'_>, Why>) {
        let Some((number, _)) = self.command.take() else {
            return;
        };
        match result {
            Ok(reply) => self.reply(number, *reply),
            Err(why) => self.reply(number, Reply::Refused(why.as_str())),
        }
    }

    fn reply(&mut self, number: u8, reply: Reply<'_>) {
        let mut buffer = [0; PAYLOAD_BYTES];
        self.links.reply(reply.encode(number, &mut buffer));
    }

    fn answer(
        &mut self,
        number: u8,
        request: &Request<'_>,
        exchanges: &mut [Exchange; PLACES],
        said: &mut Option<Said>,
        installs: &mut Installs,
    ) {
        let reply = match request {
            Request::About => Reply::About(About {
                protocol: PROTOCOL,
                abi: ABI_VERSION,
                slots: SLOTS as u8,
                places: PLACES as u8,
                slot_bytes: MOST,
                board: BOARD,
            }),
            Request::Install(install) => {
                match installs.answer(install, &board::policy(Schedule::Trigger)) {
                    Ok(reply) => self.reply(number, reply),
                    Err(why) => self.reply(number, Reply::Refused(why.as_str())),
                }
                return;
            }
            Request::Feed {
                place,
                capability,
                offset,
                data,
            } => {
                let exchange = exchanges.get_mut(usize::from(*place));
                let fed = exchange.map_or(Err("there is no such place"), |exchange| {
                    exchange.feed(*capability, *offset, data)
                });
                fed.map_or_else(Reply::Refused, |()| Reply::Done)
            }
            Request::Play(play) => {
                play_sensor(play, exchanges, said).unwrap_or_else(Reply::Refused)
            }
            Request::Status => Reply::Status(self.status(exchanges)),
            Request::Reset => SCB::sys_reset(),
            #[cfg(feature = "crash")]
            Request::Crash(rune_link::Crash::Links) => {
                self.stands_still = true;
                return;
            }
            #[cfg(feature = "crash")]
            Request::Crash(how) => crate::fault::crash(*how),
            #[cfg(feature = "crash")]
            Request::StopFlash { after, is_torn } => {
                installs.stop(crate::nor::Stop {
                    after: *after,
                    is_torn: *is_torn,
                });
                Reply::Done
            }
            #[cfg(not(feature = "crash"))]
            Request::Crash(_) | Request::StopFlash { .. } => {
                Reply::Refused("this build does not fail on request")
            }
            Request::Run { .. } => unreachable!("it is a command"),
        };
        self.reply(number, reply);
    }

    fn status(&self, exchanges: &[Exchange; PLACES]) -> Status<'static> {
        let [heap_bytes, heap_most_bytes, heap_all_bytes] = memory::heap().map(|n| n as u32);
        let [stack_most_bytes, stack_all_bytes] = memory::stack().map(|n| n as u32);
        Status {
            time_ns: clock::now_ns(),
            heap_bytes,
            heap_most_bytes,
            heap_all_bytes,
            stack_most_bytes,
            stack_all_bytes,
            lost_bytes: self.links.lost(),
            broken_frames: self.broken_frames,
            lost_text_bytes: exchanges.iter().map(Exchange::lost).sum(),
            reason: self.reason,
        }
    }
}

/// Does what concerns the sensors that the host plays.
fn play_sensor(
    play: &Play<'_>,
    exchanges: &mut [Exchange; PLACES],
    said: &mut Option<Said>,
) -> Result<Reply<'static>, &'static str> {
    match *play {
        Play::Clear { samples } => *said = Some(Said::new(samples)),
        Play::Add(given) => said
            .as_mut()
            .ok_or("it was not said that sensors follow")?
            .add(given)?,
        Play::Feed {
            place,
            sensor,
            is_end,
            data,
        } => {
            let exchange = exchanges.get_mut(usize::from(place));
            let sensors = &mut exchange.ok_or("there is no such place")?.sensors;
            return sensors.feed(sensor, data, is_end).map(Reply::Played);
        }
    }
    Ok(Reply::Done)
}

/// What a request asks of the scheduler; `None` where it asks it nothing.
fn command(request: &Request<'_>) -> Option<Result<Command, Why>> {
    Some(match *request {
        Request::Run { place, run } => Ok(Command::Run { place, run }),
        Request::Install(install) => match install {
            Install::Try(digest) => Ok(Command::Try(digest)),
            Install::Rollback(name) => named(name).map(Command::Rollback),
            Install::Remove(name) => named(name).map(Command::Remove),
            Install::Begin { .. }
            | Install::Chunk { .. }
            | Install::End
            | Install::Slot(_)
            | Install::Confirm(_) => return None,
        },
        Request::About
        | Request::Feed { .. }
        | Request::Play(_)
        | Request::Status
        | Request::Crash(_)
        | Request::StopFlash { .. }
        | Request::Reset => return None,
    })
}
