//! A board as SMP sees it.

use rune_core::{Text, Unit, check};
use rune_install::{Entry, Name};
use rune_link::{Digest, PAYLOAD_BYTES};
use rune_smp::{
    Code, Device,
    device::{
        About, Act, Counters, Doing, ERROR_BYTES, ImageFault, Lock, Part, Refusal, RuneState,
    },
    settings::Settings,
};

use crate::{
    Chip, NAME_BYTES, RECEIVED_BYTES, Runes,
    installs::{Why, named},
    node::Node,
    runes::Running,
};

/// A unit of a board's scheduler.
type UnitOf<C> = Unit<<C as Chip>::Engine, fn() -> u64>;

/// The runes of a board, while one packet is answered.
struct Managed<'r, C: Chip, const SLOTS: usize> {
    runes: &'r mut Runes<C, SLOTS>,
    entries: [Entry; SLOTS],
    lock: Option<Lock>,
    settings: Option<Settings>,
    is_near: bool,
    slot_bytes: u32,
    name: Text<NAME_BYTES>,
}

impl<C: Chip, const SLOTS: usize> Runes<C, SLOTS> {
    /// Answers the packet of SMP that came, if one did.
    // Its buffers are on the stack only while it does.
    #[inline(never)]
    pub(crate) fn manage(&mut self) {
        let mut packet = [0; RECEIVED_BYTES];
        let Some(bytes) = self.node().server.packet(&mut packet) else {
            return;
        };
        let mut out = [0; RECEIVED_BYTES];
        let mut smp = core::mem::take(&mut self.smp.0);
        let lock = self.node().chip.lock();
        let settings = self.node().chip.settings();
        let is_near = self.node().server.is_near();
        let entries = self.node().installs.entries();
        let slot_bytes = self.node().installs.most();
        // What somebody has called it, or its own name.
        let given = settings.as_ref().map(|settings| settings.name.as_bytes());
        let given = given.and_then(|name| str::from_utf8(name).ok());
        let own = given.filter(|name| !name.is_empty());
        let own = own.or_else(|| self.node().server.name());
        let name = own.map_or_else(Text::new, Text::of);
        let mut managed = Managed {
            runes: self,
            entries,
            lock,
            settings,
            is_near,
            slot_bytes,
            name,
        };
        let answer = smp.handle(&packet[..bytes], &mut managed, &mut out);
        self.smp.0 = smp;
        if let Some(answer) = answer {
            self.node().server.answer_packet(answer.packet);
            if answer.resets {
                self.node().chip.reset();
            }
        }
    }
}

impl<C: Chip, const SLOTS: usize> Managed<'_, C, SLOTS> {
    /// Keeps why something was refused, and looks what is in the slots now.
    fn told<T>(&mut self, result: Result<T, (Refusal, Why)>) -> Result<T, Refusal> {
        self.entries = self.runes.node().installs.entries();
        result.map_err(|(refusal, why)| {
            self.runes.smp.1 = why;
            refusal
        })
    }

    fn running(&self) -> impl Iterator<Item = (&Running, &UnitOf<C>)> + Clone {
        let running = self.runes.running.iter().flatten();
        running.filter_map(|running| Some((running, self.runes.scheduler.unit(running.id)?)))
    }

    fn place_of(&self, name: &str) -> Result<usize, (Refusal, Why)> {
        let place = Name::new(name).and_then(|name| self.runes.place_of(&name));
        place.ok_or_else(|| (Refusal::Code(Code::NoEntry), Text::of("no such rune runs")))
    }
}

impl<C: Chip, const SLOTS: usize> Device for Managed<'_, C, SLOTS> {
    const PACKET_BYTES: u32 = PAYLOAD_BYTES as u32;
    const PACKETS: u32 = 1;

    fn about(&self) -> About<'_> {
        About {
            name: self.name.as_str(),
            board: C::NAME,
            version: env!("CARGO_PKG_VERSION"),
            abi: rune_abi::ABI_VERSION.into(),
            slot_bytes: self.slot_bytes,
            memory_bytes: C::TABLE.memory_bytes,
            up_ms: C::now_ns() / 1_000_000,
        }
    }

    fn time(&self, _: &mut [u8; 32]) -> Option<usize> {
        None
    }

    fn lock(&self) -> Option<Lock> {
        self.lock
    }

    fn vouches(&mut self, key: &[u8; 32], parts: &[&[u8]], signature: &[u8; 64]) -> bool {
        self.runes.node().chip.vouches(key, parts, signature)
    }

    fn settings(&self) -> Option<Settings> {
        self.settings
    }

    fn keep(&mut self, settings: &Settings) -> Result<(), Refusal> {
        let Node { installs, chip, .. } = self.runes.node();
        let flash = installs.flash().ok_or("the flash cannot be used");
        let kept = flash.and_then(|flash| chip.keep(flash, settings));
        self.told(kept.map_err(|why| (Refusal::Code(Code::Unknown), Text::of(why))))?;
        let chip = &mut self.runes.node().chip;
        let was_locked = self.lock.is_some();
        (self.settings, self.lock) = (chip.settings(), chip.lock());
        if !was_locked && self.lock.is_some() {
            chip.say(format_args!(
                "its first key was set: it is locked from now on"
            ));
        }
        Ok(())
    }

    fn is_near(&self) -> bool {
        self.is_near
    }

    fn reset(&mut self, _: bool) -> Result<(), Refusal> {
        Ok(())
    }

    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn begin(&mut self, sha256: &Digest, bytes: u32, anew: bool) -> Result<u32, Refusal> {
        let begun = self.runes.node().installs.begin(*sha256, bytes, anew);
        self.told(begun)
    }

    fn part(&mut self, offset: u32, data: &[u8]) -> Result<u32, Refusal> {
        let taken = self.runes.node().installs.part(offset, data);
        self.told(taken)
    }

    fn end(&mut self) -> Result<(), Refusal> {
        let ended = self.runes.node().installs.finish::<C>();
        self.told(ended)
    }

    fn discard(&mut self, sha256: &Digest) -> Result<(), Refusal> {
        let discarded = self.runes.node().installs.discard(*sha256);
        self.told(discarded)
    }

    fn try_out(&mut self, sha256: &Digest, confirm: bool) -> Result<(), Refusal> {
        let mut entries = self.entries.iter();
        let bytes = entries.find(|entry| entry.digest == *sha256);
        let bytes = bytes.map_or(0, |entry| entry.bytes);
        // One that was confirmed before is recalled.
        self.begin(sha256, bytes, false)?;
        let tried = self.runes.try_out(*sha256);
        let place = self.told(tried.map_err(|why| (Refusal::Code(Code::BadState), why)))?;
        if let Some(Some(running)) = self.runes.running.get_mut(place) {
            running.is_to_stay |= confirm;
        }
        Ok(())
    }

    fn confirm(&mut self, name: &Name) -> Result<(), Refusal> {
        let confirmed = self.runes.node().installs.confirm(*name);
        self.told(confirmed)
    }

    fn rune(&self, index: u32) -> Option<RuneState<'_>> {
        use rune_core::Phase;

        let (running, unit) = self.running().nth(index as usize)?;
        Some(RuneState {
            name: running.name.as_str(),
            sha256: running.digest,
            doing: match unit.phase() {
                Phase::Running => Doing::Running,
                Phase::Waiting => Doing::Waiting,
                Phase::Stopped => Doing::Stopped,
                Phase::Ended => Doing::Ended,
            },
        })
    }

    fn error(&self, index: u32, into: &mut [u8; ERROR_BYTES]) -> usize {
        let unit = self.running().nth(index as usize).map(|(_, unit)| unit);
        let Some(error) = unit.and_then(|unit| unit.error()) else {
            return 0;
        };
        let text: Text<ERROR_BYTES> = Text::of(error);
        let text = text.as_str().as_bytes();
        into[..text.len()].copy_from_slice(text);
        text.len()
    }

    fn counters(&self, name: Option<&str>) -> Option<Counters> {
        let mut all = rune_saga::Counters::new();
        let mut count = 0;
        let of = |running: &Running| name.is_none_or(|name| running.name.as_str() == name);
        for (_, unit) in self.running().filter(|(running, _)| of(running)) {
            all.merge(&unit.saga().total());
            count += 1;
        }
        if name.is_some() && count == 0 {
            return None;
        }
        let mut counters = Counters::default();
        counters.push("runes", count);
        counters.push("starts", all.starts);
        counters.push("with_output", all.with_output);
        counters.push("without_output", all.without_output);
        counters.push("failed", all.failed_calls());
        counters.push("overruns", all.overruns);
        Some(counters)
    }

    fn act(&mut self, name: &str, act: Act) -> Result<(), Refusal> {
        let acted = match act {
            Act::Rollback | Act::Remove => named(name)
                .and_then(|name| {
                    if act == Act::Rollback {
                        self.runes.rollback(name)
                    } else {
                        self.runes.remove(name)
                    }
                })
                .map_err(|why| (Refusal::Code(Code::BadState), why)),
            Act::Start | Act::Stop | Act::Call => self.place_of(name).map(|place| {
                if let Some(Some(running)) = self.runes.running.get_mut(place) {
                    if act == Act::Call {
                        self.runes.scheduler.trigger(running.id);
                    } else {
                        running.is_wanted = act == Act::Start;
                        self.runes.scheduler.want(running.id, running.is_wanted);
                    }
                }
            }),
        };
        self.told(acted)
    }

    fn lines(&mut self, name: &str, since: u32, into: &mut [u8]) -> Result<Part, Refusal> {
        let place = self.place_of(name);
        let place = self.told(place)?;
        let exchange = &mut self.runes.node().exchanges[place];
        let (bytes, mark) = exchange.fetch_from(since, into);
        Ok(Part { bytes, mark })
    }

    fn manifest(&mut self, sha256: &Digest, offset: u32, into: &mut [u8]) -> Result<Part, Refusal> {
        let bytes = self.runes.node().installs.bytes(sha256);
        let bytes = bytes.ok_or(Refusal::Code(Code::NoEntry))?;
        let checked = check(bytes).map_err(|_| Refusal::Image(ImageFault::InvalidImage))?;
        let manifest = checked.section();
        let rest = manifest.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        Ok(Part {
            bytes: count,
            mark: manifest.len() as u32,
        })
    }

    fn capability(&self, index: u32) -> Option<&str> {
        let sensor = C::TABLE.sensors.get(index as usize)?;
        Some(sensor.kind.spec().name)
    }

    fn why(&self) -> &str {
        self.runes.smp.1.as_str()
    }
}
