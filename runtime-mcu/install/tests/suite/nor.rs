//! NOR flash: what of a map is refused, what is read and erased, wear, damage, and long random runs with cuts.

#![allow(
    clippy::print_stdout,
    reason = "it says how much was covered, and the wear"
)]

use std::time::Duration;

use embedded_storage::nor_flash::NorFlash;

use rune_install::{
    Error, Identity, Input, Installer, OpenError, Opening, Options, Phase, Pool, ReadFault, Region,
    Storage,
    nor::{Device as _, Fault, Map, MapError, Nor, Operation},
};

use crate::{
    flash::{Any, Flash, Fuse, Internal, Outcome, Profile, SLOTS, Serial, Torn},
    laws::name,
    power::{BUFFER, Device, OPTIONS, Result, World, rune},
    random::Random,
};

#[test]
fn a_map_that_does_not_fit_is_refused() {
    let lay_map = |map, watchdog| Nor::new(Flash::<Serial>::new(), map, watchdog).err();
    let lay = |change: fn(&mut Map<SLOTS>), watchdog| {
        let mut map = Serial::MAP;
        change(&mut map);
        lay_map(map, watchdog)
    };
    assert_eq!(lay(|_| {}, None), None);
    assert_eq!(lay(|m| m.area = 0, None), Some(MapError::Sectors));
    assert_eq!(lay(|m| m.areas[1] += 256, None), Some(MapError::Sectors));
    assert_eq!(lay(|m| m.slot = 6 << 10, None), Some(MapError::Sectors));
    assert_eq!(lay(|m| m.step = 12 << 10, None), Some(MapError::Sectors));
    assert_eq!(lay(|m| m.step = 0, None), Some(MapError::Sectors));
    assert_eq!(
        lay(|m| m.slots[2] += 4 << 10, None),
        Some(MapError::Capacity)
    );
    let last = |m: &mut Map<SLOTS>| m.slots[0] = u32::MAX - 0xFFF;
    assert_eq!(lay(last, None), Some(MapError::Capacity));
    assert_eq!(
        lay(|m| m.slots[1] = m.slots[0], None),
        Some(MapError::Overlap)
    );
    assert_eq!(
        lay(|m| m.areas[0] = m.slots[2], None),
        Some(MapError::Overlap)
    );
    // Erasing takes four seconds at most.
    let seconds = |n| Some(Duration::from_secs(n));
    assert_eq!(lay(|_| {}, seconds(4)), Some(MapError::Watchdog));
    assert_eq!(lay(|_| {}, seconds(5)), None);
    // Beyond what can be counted.
    let far = Map::consecutive(!0xFFF, 4096, 4096, 4096);
    assert_eq!(lay_map(far, None), Some(MapError::Sectors));
}

#[test]
fn there_is_no_place_outside_of_the_map() {
    let mut nor = Nor::new(Flash::<Serial>::new(), Serial::MAP, None).unwrap();
    let slot = Serial::MAP.slot;
    for (region, offset) in [
        (Region::Area(2), 0),
        (Region::Area(0), Serial::MAP.area - 1),
        (Region::Slot(3), 0),
        (Region::Slot(0), slot - 1),
        (Region::Slot(0), u32::MAX),
    ] {
        let read = nor.read(region, offset, &mut [0; 2]);
        assert_eq!(read, Err(ReadFault::Failed(Fault::Outside)));
        assert_eq!(nor.write(region, offset, &[0; 2]), Err(Fault::Outside));
    }
    assert_eq!(nor.erase(Region::Slot(0), 1), Err(Fault::Outside));
    assert_eq!(nor.erase(Region::Slot(3), 0), Err(Fault::Outside));
    assert_eq!(nor.bytes(0, slot as usize + 1), None);
    assert_eq!(nor.bytes(256, 1), None);
    assert_eq!(
        nor.bytes(2, slot as usize),
        Some(&vec![0xFF; slot as usize][..])
    );
    assert!(nor.into_flash().operations.is_empty());
    // A pool of more slots than the map has.
    let nor = Nor::new(Flash::<Serial>::new(), Serial::MAP, None).unwrap();
    let mut large = Installer::<_, _, 4, 2, 2>::open(nor, [0; 2 * BUFFER], OPTIONS).unwrap();
    let mut install = |text, byte| {
        let identity = Identity {
            name: name(text),
            version: [0; 3],
            counter: 0,
        };
        large.begin([byte; 32], 10, false)?;
        large.chunk(0, &[byte; 10])?;
        large.verified(identity)?;
        large.try_out([byte; 32])?;
        large.confirm(name(text))
    };
    for (slot, text) in ["a", "b", "c"].into_iter().enumerate() {
        assert_eq!(install(text, slot as u8), Ok(slot));
    }
    assert_eq!(install("a", 3), Err(Error::Storage(Fault::Outside)));
}

#[test]
fn bytes_are_read_from_anywhere_and_only_once_erased_where_they_are_written() {
    let mut nor = Nor::new(Flash::<Serial>::new(), Serial::MAP, None).unwrap();
    let slot = Region::Slot(1);
    let mut random = Random::new(5);
    let bytes: Vec<u8> = (0..5000).map(|_| random.next() as u8).collect();
    nor.erase(slot, 0).unwrap();
    nor.write(slot, 0, &bytes[..1001]).unwrap();
    nor.write(slot, 1001, &bytes[1001..]).unwrap();
    for _ in 0..2000 {
        let start = random.below(bytes.len());
        let end = start + random.below((bytes.len() - start).min(70) + 1);
        let mut into = vec![0; end - start];
        nor.read(slot, start as u32, &mut into).unwrap();
        assert_eq!(into, bytes[start..end], "{start}..{end}");
    }
    assert_eq!(nor.bytes(1, bytes.len()), Some(&*bytes));
    // Two sectors, each before its first page: 1001 bytes are four pages, the rest up to the second sector twelve more
    // and a part of one, and then come four.
    let flash = nor.into_flash();
    let erased = |o: &Operation| *o == Operation::Erase;
    let places: Vec<_> = (0..)
        .zip(&flash.operations)
        .filter(|(_, o)| erased(o))
        .collect();
    assert_eq!(places.len(), 2);
    assert_eq!(places[0].0, 0);
    assert_eq!(flash.operations.len(), 2 + 4 + 17);
    assert_eq!(flash.erasures[5..7], [1, 1], "the slot's own");
    assert_eq!(flash.erasures.iter().sum::<u32>(), 2);
}

/// Installs runes one after the other. Most erasures of a sector of the areas, and of the slots.
fn wear<P: Profile>(profile: &str, installs: u32, restart: bool) -> [u32; 2] {
    let mut world = World::<P>::new();
    let each = |d: &mut Device<'_, P>, i: u32| d.install("a", (1 + i % 250) as u8);
    if restart {
        for i in 0..installs {
            world.with(|d| each(d, i)).expect("the power stays");
        }
    } else {
        let all = |d: &mut Device<'_, P>| (0..installs).try_for_each(|i| each(d, i));
        world.with(all).expect("the power stays");
    }
    let slots = P::MAP.slots[0] as usize / P::SECTOR;
    let (areas, slots) = world.flash.erasures.split_at(slots);
    let most = [areas, slots].map(|sectors| *sectors.iter().max().unwrap());
    let starts = if restart {
        "a start for each"
    } else {
        "one start"
    };
    println!(
        "{profile}: {installs} installs, {starts}: at most {} erasures of a sector of the areas, {} of the slots",
        most[0], most[1]
    );
    let least = areas.iter().filter(|n| **n > 0).min().unwrap();
    assert!(most[0] - least <= 1, "areas take turns: {areas:?}");
    most
}

#[test]
fn wear_is_spread_and_bounded() {
    const INSTALLS: u32 = 1000;
    type Full = Internal<true>;
    for (most, commits_per_area) in [
        (wear::<Full>("h7-internal", INSTALLS, false), 100),
        (wear::<Serial>("qspi", INSTALLS, false), 8),
    ] {
        // Six records for an install, and two areas.
        assert!(
            most[0] <= 7 * INSTALLS / 2 / commits_per_area + 1,
            "{most:?}"
        );
        assert!(most[1] <= INSTALLS / SLOTS as u32 + 1, "{most:?}");
    }
    for most in [
        wear::<Full>("h7-internal", INSTALLS, true),
        wear::<Serial>("qspi", INSTALLS, true),
    ] {
        assert!(most[0] <= INSTALLS / 2 + 300, "{most:?}");
        assert!(most[1] <= INSTALLS / SLOTS as u32 + 1, "{most:?}");
    }
}

/// Random inputs, and every other time the power goes. What was acknowledged is compared at each start.
fn wander<P: Profile>(profile: &str, seed: u64, starts: usize) {
    let mut random = Random::new(seed);
    let mut world = World::<P>::new();
    let (mut cuts, mut runs) = (0, 0);
    for _ in 0..starts {
        let within = [8, 60, 200][random.below(3)];
        let fuse = Fuse {
            at: random.below(within),
            outcome: random.below(60),
        };
        world = world.start((random.below(4) > 0).then_some(fuse));
        let all = |d: &mut Device<'_, P>| {
            for _ in 0..4 {
                for whose in ["a", "b"] {
                    let has = |phase| d.pool().of(&name(whose), phase).is_some();
                    let is_there = has(Phase::Confirmed);
                    let version = d.run(name(whose))?;
                    assert!(version.is_some() || !is_there, "neither runs");
                    runs += usize::from(version.is_some());
                }
                match something(d, &mut random) {
                    Ok(()) | Err(Error::Refused(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        };
        cuts += usize::from(world.with(all).is_none());
    }
    println!("{profile}: {starts} starts, of which {cuts} were cut; {runs} times a rune ran");
    assert!(cuts > starts / 3 && runs > starts / 2);
    world = world.start(None);
    let last = world.with(|d| {
        d.input(Input::Remove(name("a"))).ok();
        d.input(Input::Remove(name("b"))).ok();
        d.install("a", 251)?;
        d.run(name("a"))
    });
    assert_eq!(last, Some(Some(251)), "there is room");
}

fn something<P: Profile>(d: &mut Device<'_, P>, random: &mut Random) -> Result<()> {
    let whose = ["a", "b"][random.below(2)];
    let version = 1 + random.below(40) as u8;
    let due = rune::<P>(whose, version).1;
    match random.below(12) {
        0 | 1 => d.install(whose, version),
        2 | 3 => d.try_out(whose, version),
        4 => d.upload(whose, version),
        5 => d.send(whose, version, 1 + random.below(5)),
        6 => d.input(Input::Confirm(name(whose))).map(drop),
        7 => d.input(Input::Rollback(name(whose))).map(drop),
        8 => d.input(Input::Healthy(name(whose))).map(drop),
        9 => d.input(Input::Failed(name(whose))).map(drop),
        10 => d.input(Input::Discard(due)).map(drop),
        _ => d.input(Input::Remove(name(whose))).map(drop),
    }
}

#[test]
fn random_runs_with_random_cuts_lose_nothing() {
    for seed in 1..=4 {
        wander::<Any>("any", seed, 1000);
        wander::<Internal<false>>("h7-internal", seed, 1000);
        wander::<Serial>("qspi", seed, 1000);
    }
    wander::<Internal<true>>("h7-internal, sectors of 128 KiB", 9, 100);
}

/// Opens a flash, and installs if that is possible. What it was found to be.
fn opened<P: Profile>(
    flash: &mut Flash<P>,
    format: bool,
) -> std::result::Result<Opening, OpenError<()>> {
    let storage = Nor::new(flash, P::MAP, None).unwrap();
    let options = Options { format, ..OPTIONS };
    let installer = match Installer::<_, _, SLOTS, 2, 2>::open(storage, [0; BUFFER], options) {
        Ok(installer) => installer,
        Err(OpenError::Damaged) => return Err(OpenError::Damaged),
        Err(OpenError::Differs) => return Err(OpenError::Differs),
        Err(error) => panic!("{error:?}"),
    };
    let opening = installer.opening();
    let mut possible = vec![];
    let mut device = Device::new(installer, &mut possible);
    match device.install("c", 7) {
        Ok(()) => assert_eq!(device.run(name("c")), Ok(Some(7))),
        Err(Error::Refused(_)) => assert_ne!(opening, Opening::New),
        Err(error) => panic!("{error:?}"),
    }
    Ok(opening)
}

fn damaged<P: Profile>(profile: &str) {
    let mut random = Random::new(21);
    let mut seen = [0; 4];
    for round in 0..60 {
        let mut flash = Flash::<P>::arbitrary(&mut random, round * 4);
        let error = opened(&mut flash.clone().start(None), false).err();
        assert_eq!(error, Some(OpenError::Damaged), "nothing of it is a record");
        let anew = opened(&mut flash, true);
        assert_eq!(anew, Ok(Opening::Damaged));
        // The other area may have no record yet. It has one then.
        opened(&mut flash, false).expect("it was begun anew");
        assert_eq!(opened(&mut flash, false), Ok(Opening::Settled));
    }
    let mut world = World::<P>::new();
    for version in 1..=3 {
        let each = |d: &mut Device<'_, P>| d.install("a", version);
        world.with(each).expect("the power stays");
    }
    for _ in 0..2000 {
        let mut flash = world.flash.clone();
        for _ in 0..=random.below(6) {
            flash.damage(&mut random);
        }
        let found = opened(&mut flash.clone().start(None), false);
        seen[match found {
            Ok(Opening::Settled) => 0,
            Ok(Opening::Recorded) => 1,
            Err(OpenError::Damaged) => 2,
            _ => 3,
        }] += 1;
        let anew = opened(&mut flash, true);
        assert!(anew.is_ok() || found == Err(OpenError::Differs), "{anew:?}");
    }
    let [settled, recorded, damaged, other] = seen;
    println!("{profile}: {settled} as before, {recorded} recorded again, {damaged} damaged");
    assert!(settled > 0 && recorded > 0 && other == 0, "{seen:?}");
}

#[test]
fn whatever_is_on_the_flash_it_is_opened_or_refused() {
    damaged::<Any>("any");
    damaged::<Internal<false>>("h7-internal");
    damaged::<Serial>("qspi");
}

#[test]
fn a_store_that_began_anew_stays_so() {
    let outcomes = Serial::outcomes(Operation::Erase);
    let torn = Outcome::Torn(Torn::NewThenOld);
    let outcome = outcomes.iter().position(|o| *o == torn).unwrap();
    for last in [0, 1] {
        let mut world = World::<Serial>::new();
        world.with(|d| d.install("a", 1)).expect("the power stays");
        world.with(|d| d.install("a", 2)).expect("the power stays");
        // Someone erases both areas, and is cut in the second, which reads as before from the second start on.
        for (area, fuse) in [(1 - last, None), (last, Some(Fuse { at: 0, outcome }))] {
            world = world.start(fuse);
            let at = Serial::MAP.areas[area];
            world.flash.before(Operation::Erase);
            let erased = world.flash.erase(at, at + Serial::MAP.area);
            assert_eq!(erased.is_err(), fuse.is_some());
        }
        world.forget();
        let opens = |world: &mut World<Serial>| world.with(|d| Ok(d.pool().clone()));
        let mut whole = world.clone().start(None);
        assert_eq!(opens(&mut whole), Some(Pool::new()));
        let operations = whole.flash.operations.clone();
        let mut worlds = vec![whole];
        for (at, operation) in operations.iter().enumerate() {
            if *operation == Operation::Erase {
                let mut cut = world.clone().start(Some(Fuse { at, outcome }));
                assert_eq!(opens(&mut cut), None);
                worlds.push(cut);
            }
        }
        for mut world in worlds {
            for _ in 0..3 {
                world = world.start(None);
                opens(&mut world).expect("the power stays");
            }
        }
    }
}
