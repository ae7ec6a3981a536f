//! Answers the requests of hosts.

use rune_abi::ABI_VERSION;
use rune_install::Name;
use rune_link::{
    About, Crash, Digest, Install, PAYLOAD_BYTES, PROTOCOL, Play, Reason, Reply, Request, Run,
    Status, frame::Broken,
};

use crate::{
    Chip, Links, PLACES, RECEIVED_BYTES, Received,
    exchange::Exchange,
    installs::{Installs, Why, named},
    sensors::Said,
};

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
pub(crate) struct Server<C: Chip> {
    links: C::Links,
    broken_frames: u32,
    reason: Option<Reason<'static>>,
    /// With the number of its request; nothing else is answered before.
    command: Option<(u8, Command)>,
    /// A packet of SMP, and its bytes; it is answered where the scheduler is at hand, and nothing else before.
    #[cfg(feature = "smp")]
    packet: ([u8; RECEIVED_BYTES], Option<usize>),
    /// For tests of what comes of that.
    stands_still: bool,
}

impl<C: Chip> Server<C> {
    /// `reason` is that of the run before, if it failed.
    pub(crate) fn new(links: C::Links, reason: Option<Reason<'static>>) -> Self {
        Self {
            links,
            broken_frames: 0,
            reason,
            command: None,
            #[cfg(feature = "smp")]
            packet: ([0; RECEIVED_BYTES], None),
            stands_still: false,
        }
    }

    /// What the board is called on its networks.
    #[cfg(feature = "smp")]
    pub(crate) fn name(&self) -> Option<&str> {
        self.links.name()
    }

    /// Lets the links go on, and answers what has come, up to a command. False where it cannot go on: a link does not, or
    /// nobody has taken the last command.
    pub(crate) fn poll<const SLOTS: usize>(
        &mut self,
        chip: &mut C,
        exchanges: &mut [Exchange; PLACES],
        said: &mut Option<Said>,
        installs: &mut Installs<C::Flash, SLOTS>,
    ) -> bool {
        if self.stands_still || self.is_asked() {
            return false;
        }
        let goes_on = self.links.poll();
        for _ in 0..REQUESTS {
            let mut payload = [0; RECEIVED_BYTES];
            if self.command.is_some() {
                break;
            }
            let Some(received) = self.links.receive(&mut payload) else {
                break;
            };
            let received = match received {
                #[cfg(feature = "smp")]
                Ok(Received::Packet(bytes)) => {
                    self.packet = (payload, Some(bytes));
                    break;
                }
                Ok(Received::Frame(bytes)) => Request::decode(&payload[..bytes]).ok(),
                Err(Broken) => None,
            };
            // What is damaged, or has no number, cannot be answered.
            let Some((number, request)) = received else {
                self.broken_frames = self.broken_frames.saturating_add(1);
                continue;
            };
            let Ok(request) = request else {
                self.reply(
                    number,
                    Reply::Refused("the board does not know this request"),
                );
                continue;
            };
            #[cfg(feature = "smp")]
            if chip.lock().is_some() && !matches!(request, Request::About | Request::Status) {
                self.reply(
                    number,
                    Reply::Refused("the board is locked: it takes what is signed, over SMP"),
                );
                continue;
            }
            match command(&request) {
                Some(Ok(command)) => self.command = Some((number, command)),
                Some(Err(why)) => self.reply(number, Reply::Refused(why.as_str())),
                None => self.answer(number, &request, chip, exchanges, said, installs),
            }
        }
        goes_on
    }

    /// Whether something waits for the scheduler.
    fn is_asked(&self) -> bool {
        #[cfg(feature = "smp")]
        if self.packet.1.is_some() {
            return true;
        }
        self.command.is_some()
    }

    /// Takes the packet that came out; gives its bytes. What is sent next is its answer.
    #[cfg(feature = "smp")]
    pub(crate) fn packet(&mut self, into: &mut [u8; RECEIVED_BYTES]) -> Option<usize> {
        let bytes = self.packet.1.take()?;
        *into = self.packet.0;
        Some(bytes)
    }

    /// Whether who sent the packet is near.
    #[cfg(feature = "smp")]
    pub(crate) fn is_near(&self) -> bool {
        self.links.is_near()
    }

    /// Answers the packet.
    #[cfg(feature = "smp")]
    pub(crate) fn answer_packet(&mut self, packet: &[u8]) {
        self.links.reply(packet);
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

    fn answer<const SLOTS: usize>(
        &mut self,
        number: u8,
        request: &Request<'_>,
        chip: &mut C,
        exchanges: &mut [Exchange; PLACES],
        said: &mut Option<Said>,
        installs: &mut Installs<C::Flash, SLOTS>,
    ) {
        let reply = match request {
            Request::About => Reply::About(About {
                protocol: PROTOCOL,
                abi: ABI_VERSION,
                slots: SLOTS as u8,
                places: PLACES as u8,
                slot_bytes: installs.most(),
                board: C::NAME,
            }),
            Request::Install(install) => {
                match installs.answer::<C>(install) {
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
            Request::Status => Reply::Status(self.status(chip, exchanges)),
            Request::Reset => chip.reset(),
            Request::Crash(how) => match chip.crash(*how) {
                // Not answered either.
                Ok(()) => {
                    self.stands_still = *how == Crash::Links;
                    return;
                }
                Err(why) => Reply::Refused(why),
            },
            Request::Sums => match chip.sums() {
                Ok(sums) => {
                    let bytes = sums.map(u32::to_le_bytes);
                    self.reply(number, Reply::Text(bytes.as_flattened()));
                    return;
                }
                Err(why) => Reply::Refused(why),
            },
            Request::StopFlash { after, is_torn } => {
                let flash = installs.flash().ok_or("the flash cannot be used");
                let stopped = flash.and_then(|flash| C::stop_flash(flash, *after, *is_torn));
                stopped.map_or_else(Reply::Refused, |()| Reply::Done)
            }
            Request::Run { .. } => unreachable!("it is a command"),
        };
        self.reply(number, reply);
    }

    fn status(&self, chip: &C, exchanges: &[Exchange; PLACES]) -> Status<'static> {
        let [heap_bytes, heap_most_bytes, heap_all_bytes] = chip.heap().map(|n| n as u32);
        let [stack_most_bytes, stack_all_bytes] = chip.stack().map(|n| n as u32);
        Status {
            time_ns: C::now_ns(),
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
        | Request::Sums
        | Request::Reset => return None,
    })
}
