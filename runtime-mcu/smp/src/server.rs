//! Answers packets.

use rune_install::{Entry, Phase};

use crate::{
    Code, Digest, GroupDetails, HEADER_BYTES, Header, Reply, Request, SetState, Setting, Upload,
    WriteSetting,
    device::{Act, Device, ERROR_BYTES, ImageFault, Refusal},
    files, group,
    images::{Images, current, holding},
    own::{self, Own, Signed},
    reply::TEXT_ROOM,
    settings::{Kind, SettingFault, Settings, Short, name},
};

/// The groups of commands.
const GROUPS: [GroupDetails<'static>; 7] = [
    GroupDetails {
        group: group::OS,
        name: "os mgmt",
        commands: 5,
    },
    GroupDetails {
        group: group::IMAGE,
        name: "img mgmt",
        commands: 4,
    },
    GroupDetails {
        group: group::STATISTICS,
        name: "stat mgmt",
        commands: 2,
    },
    GroupDetails {
        group: group::SETTINGS,
        name: "settings mgmt",
        commands: 6,
    },
    GroupDetails {
        group: group::FILES,
        name: "fs mgmt",
        commands: 3,
    },
    GroupDetails {
        group: group::ENUMERATION,
        name: "enum mgmt",
        commands: 4,
    },
    GroupDetails {
        group: own::GROUP,
        name: "rune",
        commands: own::COMMANDS,
    },
];

/// The group of counters of all runes together.
const ALL_RUNES: &str = "rune";
/// What a file begins with that is firmware for `MCUboot`, a rune, or an image of one.
const MCUBOOT: [u8; 4] = [0x3D, 0xB8, 0xF3, 0x96];
const WASM: [u8; 4] = *b"\0asm";

/// Answers the packets of hosts: what it keeps of them is here, everything else is the [`Device`]'s.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// Of the last signed request.
    sequence: u32,
    /// The upload that a signed request has begun.
    announced: Option<(Digest, u32)>,
    /// The upload that is to be newer than what is there.
    newer: Option<Digest>,
    /// What was set and not committed.
    staged: Option<Settings>,
    /// Why something was last refused, where the device does not know it.
    why: Option<&'static str>,
}

/// What is sent back, and done after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<'o> {
    /// The packet.
    pub packet: &'o [u8],
    /// The device is started anew.
    pub resets: bool,
}

/// How a request came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// The device is open.
    Open,
    /// It is locked, and nobody has signed this.
    Bare,
    /// It is locked, and somebody has signed this.
    Signed,
}

impl Server {
    /// Nothing has come yet.
    pub const fn new() -> Self {
        Self {
            sequence: 0,
            announced: None,
            newer: None,
            staged: None,
            why: None,
        }
    }

    /// Answers a packet, into memory as long as packets may be; `None` where it is no request.
    pub fn handle<'o>(
        &mut self,
        packet: &[u8],
        device: &mut impl Device,
        out: &'o mut [u8],
    ) -> Option<Answer<'o>> {
        let (header, body) = Header::decode(packet)?;
        let reply = Reply::to(&header, out)?;
        let request = match Request::decode(&header, body) {
            Ok(Some(request)) => request,
            Ok(None) => return only(reply.error(Code::NotSupported)),
            Err(_) => return only(reply.error(Code::Invalid)),
        };
        let is_locked = device.lock().is_some();
        let trust = if is_locked { Trust::Bare } else { Trust::Open };
        let Request::Own(Own::Signed(signed)) = &request else {
            return self.answer(&request, trust, device, reply);
        };
        let inner = match self.opened(signed, device) {
            Ok(inner) => inner,
            Err(code) => return only(reply.error(code)),
        };
        let (header, body) = inner;
        match Request::decode(&header, body) {
            // What is signed twice says nothing more.
            Ok(Some(Request::Own(Own::Signed(_)))) | Err(_) => only(reply.error(Code::Invalid)),
            Ok(Some(inner)) => self.answer(&inner, Trust::Signed, device, reply),
            Ok(None) => only(reply.error(Code::NotSupported)),
        }
    }

    /// The packet of a request that is signed by somebody who may, for this device, and comes for the first time.
    fn opened<'p>(
        &mut self,
        signed: &Signed<'p>,
        device: &mut impl Device,
    ) -> Result<(Header, &'p [u8]), Code> {
        // An open device has no keys that it could ask.
        let lock = device.lock().ok_or(Code::BadState)?;
        let is_right = signed.lock == lock
            && signed.sequence > self.sequence
            && signed.parts(|parts| device.vouches(signed.key, parts, signed.signature));
        if !is_right {
            return Err(Code::AccessDenied);
        }
        self.sequence = signed.sequence;
        let (header, body) = Header::decode(signed.frame).ok_or(Code::Invalid)?;
        header.op.reply().ok_or(Code::Invalid)?;
        Ok((header, body))
    }

    fn answer<'o>(
        &mut self,
        request: &Request<'_>,
        trust: Trust,
        device: &mut impl Device,
        reply: Reply<'o>,
    ) -> Option<Answer<'o>> {
        if !matches!(request, Request::Own(Own::Why)) {
            self.why = None;
        }
        if trust == Trust::Bare && request.changes() && !self.was_announced(request, device) {
            return only(reply.error(Code::AccessDenied));
        }
        only(match request {
            Request::Echo(text) => reply.echo(text),
            Request::Reset { force } => {
                let reset = device.reset(*force);
                let resets = reset.is_ok();
                return only(done(reply, reset)).map(|answer| Answer { resets, ..answer });
            }
            Request::Parameters => parameters(device, reply),
            Request::Time => {
                let mut text = [0; 32];
                let bytes = device.time(&mut text);
                match bytes.and_then(|bytes| core::str::from_utf8(text.get(..bytes)?).ok()) {
                    Some(text) => reply.time(text),
                    None => reply.error(Code::NotSupported),
                }
            }
            Request::Info(format) => info(format, device, reply),
            Request::Images => reply.images(Images::new(device.entries()).states()),
            Request::SetImage(set) => match set_image(set, device) {
                Ok(()) => reply.images(Images::new(device.entries()).states()),
                Err(refusal) => refuse(reply, refusal),
            },
            Request::Upload(upload) => match self.upload(upload, trust, device) {
                Ok((offset, matches)) => reply.uploaded(offset, matches),
                Err(refusal) => refuse(reply, refusal),
            },
            Request::Erase(slot) => {
                let erased = erase(*slot, device);
                done(reply, erased)
            }
            Request::Slots => {
                let bytes = device.about().slot_bytes;
                let names = Images::new(device.entries()).names();
                reply.slots((1..=names.max(1)).map(|image| (image, [bytes; 2])))
            }
            Request::Statistics(name) => {
                let name = Some(*name).filter(|name| *name != ALL_RUNES);
                match device.counters(name) {
                    Some(counters) => {
                        let fields = counters.fields().iter().copied();
                        reply.statistics(name.unwrap_or(ALL_RUNES), fields)
                    }
                    None => reply.error(Code::NoEntry),
                }
            }
            Request::StatisticsGroups => {
                let device = &*device;
                let runes = (0..).map_while(|index| device.rune(index)).map(|r| r.name);
                reply.statistics_groups(core::iter::once(ALL_RUNES).chain(runes))
            }
            Request::GroupCount => reply.group_count(GROUPS.len() as u32),
            Request::Groups => reply.groups(GROUPS.iter().map(|details| details.group)),
            Request::GroupAt(index) => match GROUPS.get(*index as usize) {
                Some(details) => reply.group_at(details.group, *index as usize + 1 == GROUPS.len()),
                None => reply.error(Code::NoEntry),
            },
            Request::GroupDetails => reply.group_details(GROUPS),
            Request::Own(own) => self.own(own, device, reply),
            Request::ReadSetting(setting) => {
                let read = read(setting, device);
                match self.told(read) {
                    Ok(name) => reply.setting(name.as_bytes()),
                    Err(refusal) => refuse(reply, refusal),
                }
            }
            Request::WriteSetting(set) => {
                let set = self.write_setting(set, trust, device);
                done(reply, self.told(set))
            }
            Request::DeleteSetting(name) => {
                let removed = self.remove_setting(name, device);
                done(reply, self.told(removed))
            }
            // Nothing is saved that does not count.
            Request::CommitSettings | Request::SaveSettings => {
                let kept = self.commit_settings(device);
                done(reply, self.told(kept))
            }
            Request::LoadSettings => {
                self.staged = None;
                done(reply, kept(device).map(drop))
            }
            Request::UploadFile(_) => files::upload(reply),
            Request::DownloadFile(wanted) => files::download(wanted, device, reply),
            Request::FileStatus(name) => files::status(name, device, reply),
            // None is kept open.
            Request::CloseFile => reply.done(),
            Request::Other { .. } => reply.error(Code::NotSupported),
        })
    }

    /// Whether it is a part of an upload that a signed request has begun: its digest is compared at the end, so its parts
    /// need no signature.
    fn was_announced(&self, request: &Request<'_>, device: &impl Device) -> bool {
        let (Request::Upload(upload), Some((sha256, bytes))) = (request, self.announced) else {
            return false;
        };
        let is_same = upload.sha256.is_none_or(|s| s == sha256)
            && upload.length.is_none_or(|length| length == bytes)
            && !upload.anew;
        let is_first = upload.offset == 0;
        let is_named = upload.sha256.is_some() && upload.length.is_some();
        let receives = receiving(device).is_some_and(|entry| entry.digest == sha256);
        is_same && if is_first { is_named } else { receives }
    }

    /// Takes a part of an image; gives where the next one begins, and at the end that it is what was announced.
    fn upload(
        &mut self,
        upload: &Upload<'_>,
        trust: Trust,
        device: &mut impl Device,
    ) -> Result<(u32, Option<bool>), Refusal> {
        let next = if upload.offset > 0 {
            device.part(upload.offset, upload.data)?
        } else {
            let length = upload.length.ok_or(Refusal::Code(Code::Invalid))?;
            let sha256 = upload.sha256.and_then(|sha256| sha256.try_into().ok());
            let sha256: &Digest = sha256.ok_or(Refusal::Code(Code::Invalid))?;
            if upload.data.len() as u64 > u64::from(length) {
                return Err(Refusal::Image(ImageFault::Overrun));
            }
            // Who only asks where to go on sends nothing.
            if !upload.data.is_empty() {
                route(upload.data)?;
            }
            let there = device.begin(sha256, length, upload.anew)?;
            self.newer = upload.upgrade.then_some(*sha256);
            if trust == Trust::Signed {
                self.announced = Some((*sha256, length));
            }
            let is_receiving = receiving(device).is_some_and(|entry| entry.digest == *sha256);
            if !is_receiving {
                self.not_older(sha256, device)?;
                return Ok((there, Some(true)));
            }
            // Its first bytes decide what it is, and are there.
            if there > 0 || upload.data.is_empty() {
                there
            } else {
                device.part(0, upload.data)?
            }
        };
        let Some(entry) = receiving(device).filter(|entry| entry.received == entry.bytes) else {
            return Ok((next, None));
        };
        let sha256 = entry.digest;
        self.announced.take_if(|(of, _)| *of == sha256);
        device.end()?;
        self.not_older(&sha256, device)?;
        Ok((next, Some(true)))
    }

    /// What is set, with what is written and not committed.
    fn staged(&self, device: &impl Device) -> Result<Settings, Refusal> {
        let kept = kept(device)?;
        Ok(self.staged.unwrap_or(kept))
    }

    fn write_setting(
        &mut self,
        set: &WriteSetting<'_>,
        trust: Trust,
        device: &impl Device,
    ) -> Result<(), Refusal> {
        let mut staged = self.staged(device)?;
        let fault = match Kind::of(set.name) {
            Kind::Secret if !device.is_near() => Err(SettingFault::Seen),
            Kind::Key if trust == Trust::Open && !device.is_near() => Err(SettingFault::Unowned),
            Kind::Plain | Kind::Key | Kind::Secret => staged.set(set.name, set.value),
        };
        fault.map_err(Refusal::Setting)?;
        self.staged = Some(staged);
        Ok(())
    }

    fn remove_setting(&mut self, name: &str, device: &impl Device) -> Result<(), Refusal> {
        let mut staged = self.staged(device)?;
        staged.remove(name).map_err(Refusal::Setting)?;
        self.staged = Some(staged);
        Ok(())
    }

    /// What was written counts from now on.
    fn commit_settings(&mut self, device: &mut impl Device) -> Result<(), Refusal> {
        let (kept, staged) = (kept(device)?, self.staged(device)?);
        let has_key = |settings: &Settings| settings.keys.iter().any(Option::is_some);
        if has_key(&kept) && !has_key(&staged) {
            return Err(Refusal::Setting(SettingFault::LastKey));
        }
        if staged != kept {
            device.keep(&staged)?;
        }
        self.staged = None;
        Ok(())
    }

    /// Keeps why a setting was refused.
    fn told<T>(&mut self, result: Result<T, Refusal>) -> Result<T, Refusal> {
        if let Err(Refusal::Setting(fault)) = &result {
            self.why = Some(fault.why());
        }
        result
    }

    /// Gives up an upload that is no newer than what is there, where that was asked for.
    fn not_older(&mut self, sha256: &Digest, device: &mut impl Device) -> Result<(), Refusal> {
        if self.newer.take_if(|of| of == sha256).is_none() {
            return Ok(());
        }
        let entries = device.entries();
        let Some(new) = holding(entries, sha256) else {
            return Ok(());
        };
        let there = current(entries, &new.identity.name).map(|at| &entries[at]);
        let is_newer = there.is_none_or(|there| {
            there.digest == *sha256 || there.identity.version < new.identity.version
        });
        if is_newer {
            return Ok(());
        }
        if new.phase == Phase::Verified {
            device.discard(sha256)?;
        }
        Err(Refusal::Image(ImageFault::Older))
    }

    /// Answers what is in the group of our own.
    fn own<'o>(&self, own: &Own<'_>, device: &mut impl Device, reply: Reply<'o>) -> &'o [u8] {
        match *own {
            Own::About => {
                let lock = device.lock();
                let slots = device.entries().len() as u32;
                reply.about(&device.about(), lock.as_ref(), self.sequence, slots)
            }
            Own::Rune(index) => match device.rune(index) {
                Some(rune) => {
                    let entry = holding(device.entries(), &rune.sha256);
                    let slot = entry.map(|e| (e.phase, e.identity.version, e.attempts));
                    let mut text = [0; ERROR_BYTES];
                    let bytes = device.error(index, &mut text);
                    let error = text.get(..bytes).map(<[u8]>::utf8_chunks);
                    // A text that was cut may end within a letter.
                    let error = error.and_then(|mut chunks| chunks.next());
                    reply.rune(&rune, error.map_or("", |chunk| chunk.valid()), slot)
                }
                None => reply.error(Code::NoEntry),
            },
            Own::Manifest { sha256, offset } => {
                let mut data = [0; TEXT_ROOM];
                let most = reply.room().min(TEXT_ROOM);
                match device.manifest(&sha256, offset, &mut data[..most]) {
                    Ok(part) => reply.manifest(offset, part.mark, &data[..part.bytes.min(most)]),
                    Err(refusal) => refuse(reply, refusal),
                }
            }
            Own::Capability(index) => match device.capability(index) {
                Some(kind) => reply.capability(kind),
                None => reply.error(Code::NoEntry),
            },
            Own::Lines { name, since } => {
                let mut text = [0; TEXT_ROOM];
                let most = reply.room().min(TEXT_ROOM);
                match device.lines(name, since, &mut text[..most]) {
                    Ok(part) => reply.lines(&text[..part.bytes.min(most)], part.mark),
                    Err(refusal) => refuse(reply, refusal),
                }
            }
            Own::Why => reply.why(self.why.unwrap_or_else(|| device.why())),
            Own::Act { name, act, sha256 } => {
                // Whoever names what it is about, and asks twice, is not to reach the one behind it.
                let is_gone = sha256.is_some_and(|sha256| {
                    let entries = device.entries();
                    let name = rune_install::Name::new(name);
                    let runs = name.and_then(|name| current(entries, &name));
                    runs.is_none_or(|at| entries[at].digest != sha256)
                });
                if is_gone {
                    let is_done = matches!(act, Act::Rollback | Act::Remove | Act::Stop);
                    return if is_done {
                        reply.done()
                    } else {
                        reply.error(Code::NoEntry)
                    };
                }
                let acted = device.act(name, act);
                done(reply, acted)
            }
            // It was opened before.
            Own::Signed(_) => reply.error(Code::Invalid),
        }
    }
}

fn parameters<'o, D: Device>(_: &D, reply: Reply<'o>) -> &'o [u8] {
    reply.parameters(D::PACKET_BYTES, D::PACKETS)
}

/// Nothing is done after it.
fn only(packet: &[u8]) -> Option<Answer<'_>> {
    // Where there is no memory for an error there is none.
    (packet.len() >= HEADER_BYTES).then_some(Answer {
        packet,
        resets: false,
    })
}

pub(crate) fn refuse(reply: Reply<'_>, refusal: Refusal) -> &[u8] {
    match refusal {
        Refusal::Code(code) => reply.error(code),
        Refusal::Image(fault) => reply.group_error(fault.code()),
        Refusal::Setting(fault) => reply.group_error(fault.code()),
    }
}

fn done(reply: Reply<'_>, result: Result<(), Refusal>) -> &[u8] {
    match result {
        Ok(()) => reply.done(),
        Err(refusal) => refuse(reply, refusal),
    }
}

/// The upload that is under way.
fn receiving(device: &impl Device) -> Option<&Entry> {
    let mut entries = device.entries().iter();
    entries.find(|entry| entry.phase == Phase::Receiving)
}

fn kept(device: &impl Device) -> Result<Settings, Refusal> {
    device.settings().ok_or(Refusal::Code(Code::NotSupported))
}

/// The value of a setting that may be read, which is the name.
fn read(setting: &Setting<'_>, device: &impl Device) -> Result<Short<40>, Refusal> {
    let kept = kept(device)?;
    let fault = match setting.name {
        name::NAME => {
            let is_short = |most| kept.name.as_bytes().len() <= most as usize;
            return if setting.most.is_none_or(is_short) {
                Ok(kept.name)
            } else {
                Err(Refusal::Code(Code::MessageSize))
            };
        }
        name::WIFI_SSID | name::WIFI_KEY => SettingFault::WriteOnly,
        other if other.starts_with(name::KEYS) => SettingFault::WriteOnly,
        _ => SettingFault::Unknown,
    };
    Err(Refusal::Setting(fault))
}

/// Where a file goes, by its first bytes: a rune to the slots.
fn route(data: &[u8]) -> Result<(), Refusal> {
    match data.first_chunk::<4>() {
        // There are no slots for firmware yet.
        Some(&MCUBOOT) => Err(Refusal::Code(Code::NotSupported)),
        Some(&WASM) => Ok(()),
        Some(_) if rune_abi::image::ImageView::is_one(data) => Ok(()),
        _ => Err(Refusal::Image(ImageFault::InvalidMagic)),
    }
}

/// Tries an image, or says that it stays.
fn set_image(set: &SetState, device: &mut impl Device) -> Result<(), Refusal> {
    let entries = device.entries();
    let entry = match &set.sha256 {
        Some(sha256) => holding(entries, sha256).ok_or(Refusal::Code(Code::NoEntry))?,
        // What is to be tried must be named.
        None if !set.confirm => return Err(Refusal::Code(Code::Invalid)),
        None => {
            let mut trials = entries.iter().filter(|e| e.phase == Phase::Trial);
            match (trials.next(), trials.next()) {
                (Some(only), None) => only,
                // Which one is meant nobody knows.
                (Some(_), Some(_)) => return Err(Refusal::Code(Code::BadState)),
                (None, _) if entries.iter().any(|e| e.phase == Phase::Confirmed) => return Ok(()),
                (None, _) => return Err(Refusal::Code(Code::NoEntry)),
            }
        }
    };
    let (sha256, name) = (entry.digest, entry.identity.name);
    let is_current = current(entries, &name).is_some_and(|at| entries[at].digest == sha256);
    match (entry.phase, set.confirm) {
        (Phase::Verified | Phase::Previous, confirm) => device.try_out(&sha256, confirm),
        // It runs already, or is started anew.
        (Phase::Trial, false) => device.try_out(&sha256, false),
        (Phase::Trial, true) => device.confirm(&name),
        (Phase::Confirmed, true) if is_current => Ok(()),
        // The trial of another one of its name ends.
        (Phase::Confirmed, true) => device.act(name.as_str(), Act::Rollback),
        (Phase::Confirmed, false) => Err(Refusal::Image(ImageFault::TestDenied)),
        (Phase::Empty | Phase::Receiving | Phase::Bad, _) => {
            Err(Refusal::Image(ImageFault::InvalidImage))
        }
    }
}

/// Gives up what was uploaded and not tried, or what of an image does not run.
fn erase(slot: Option<u32>, device: &mut impl Device) -> Result<(), Refusal> {
    // Who knows of two slots empties the second one.
    let slot = slot.filter(|slot| *slot != 1);
    let (image, is_running) = match slot {
        None => (None, false),
        Some(slot) => (Some(slot / 2), slot % 2 == 0),
    };
    if is_running {
        return Err(Refusal::Code(Code::BadState));
    }
    // Each is given up once.
    for _ in 0..device.entries().len() {
        let entries = device.entries();
        let next = match image {
            None => entries.iter().find_map(|entry| match entry.phase {
                Phase::Receiving | Phase::Verified | Phase::Bad => Some(entry.digest),
                Phase::Empty | Phase::Trial | Phase::Confirmed | Phase::Previous => None,
            }),
            Some(image) => {
                let images = Images::new(entries);
                if image == 0 || image > images.names() {
                    return Err(Refusal::Image(ImageFault::InvalidSlot));
                }
                let is_free = |sha256: &Digest| {
                    let phase = holding(entries, sha256).map(|entry| entry.phase);
                    !matches!(phase, Some(Phase::Trial | Phase::Confirmed) | None)
                };
                images.rest(image).find(is_free)
            }
        };
        match next {
            Some(sha256) => device.discard(&sha256)?,
            None => return Ok(()),
        }
    }
    Ok(())
}

/// What the device is, in the letters that are asked for: `s` the system, `n` its node, `r` and `v` the version, `m`, `p`
/// and `i` the board, `o` the system again, `a` all.
fn info<'o>(format: &str, device: &impl Device, reply: Reply<'o>) -> &'o [u8] {
    let about = device.about();
    let mut words = [""; 8];
    let mut used = 0;
    let all = if format.contains('a') { "snrvmo" } else { "" };
    for letter in all.chars().chain(format.chars().filter(|l| *l != 'a')) {
        let word = match letter {
            's' | 'o' => "RunicOS",
            'n' | 'm' | 'p' | 'i' => about.board,
            'r' | 'v' | 'b' => about.version,
            _ => return reply.error(Code::Invalid),
        };
        let Some(place) = words.get_mut(used) else {
            return reply.error(Code::Invalid);
        };
        *place = word;
        used += 1;
    }
    reply.info(&words[..used])
}
