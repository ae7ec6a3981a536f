//! QEMU killed at each operation of the flash, and in the middle of uploads: with modules and with images.
#![allow(clippy::print_stdout, reason = "how often it was cut is for people")]

use std::fs;

use rune_install::Phase;
use rune_link::{Install, Request};
use rune_testsuite::qemu::{Firmware, Machine, STOPPED};

use super::{
    firmware,
    install::{
        Flash, Made, SLOT, STEP, firmware_for_images, image, large, running, slot, state, version,
    },
};

/// Cuts an act short at each operation of the flash, not begun and done by half, kills QEMU, and starts it again on the
/// same flash. Gives the number of cuts.
fn cut(
    firmware: &Firmware,
    before: &Flash,
    act: impl Fn(&mut Machine) -> Result<(), String>,
    check: impl Fn(&mut Machine),
) -> u32 {
    let mut cuts = 0;
    for is_torn in [false, true] {
        for after in 0.. {
            let flash = before.copy();
            let mut machine = flash.boot(firmware);
            let stop = Request::StopFlash { after, is_torn };
            machine.request(&stop).unwrap();
            let done = act(&mut machine);
            // SIGKILL.
            drop(machine);
            let is_done = match done {
                Ok(()) => true,
                Err(why) => {
                    assert_eq!(why, STOPPED);
                    false
                }
            };
            check(&mut flash.boot(firmware));
            if is_done {
                break;
            }
            cuts += 1;
        }
    }
    cuts
}

/// A flash with one version confirmed, and another that is what `more` makes of it.
fn prepared(firmware: &Firmware, old: &[u8], more: impl FnOnce(&mut Machine)) -> Flash {
    let flash = Flash::new();
    let mut machine = flash.boot(firmware);
    machine.install(old).unwrap();
    machine.confirm("bare").unwrap();
    more(&mut machine);
    drop(machine);
    flash
}

/// The old or the new rune runs, and a third one can be installed and confirmed.
fn goes_on(machine: &mut Machine, old: &[u8], new: &[u8], version: Made) {
    let either = [rune_ir::digest(old), rune_ir::digest(new)];
    assert!(either.contains(&running(machine)));
    let third = version(9);
    machine.install(&third).unwrap();
    machine.confirm("bare").unwrap();
    assert_eq!(running(machine), rune_ir::digest(&third));
}

#[test]
fn a_kill_at_any_operation_of_confirming_leaves_the_old_or_the_new_state() {
    let test = "a_kill_at_any_operation_of_confirming_leaves_the_old_or_the_new_state";
    if let Some(firmware) = firmware(test) {
        confirming_is_cut(firmware, version);
    }
}

#[test]
fn a_kill_at_any_operation_of_confirming_an_image_leaves_the_old_or_the_new_state() {
    let test = "a_kill_at_any_operation_of_confirming_an_image_leaves_the_old_or_the_new_state";
    if let Some(firmware) = firmware_for_images(test) {
        confirming_is_cut(firmware, image);
    }
}

fn confirming_is_cut(firmware: &Firmware, version: Made) {
    let (old, new) = (version(1), version(2));
    let flash = prepared(firmware, &old, |machine| {
        machine.install(&new).unwrap();
    });
    let confirm = |machine: &mut Machine| machine.confirm("bare");
    let cuts = cut(firmware, &flash, confirm, |machine| {
        assert_eq!(running(machine), rune_ir::digest(&new));
        let states = (state(machine, &old), state(machine, &new));
        let before = (Phase::Confirmed, Phase::Trial);
        let after = (Phase::Previous, Phase::Confirmed);
        assert!([before, after].contains(&states), "{states:?}");
        goes_on(machine, &old, &new, version);
    });
    println!("confirming was cut at {cuts} points");
    assert!(cuts >= 6, "{cuts}");
}

#[test]
fn a_kill_at_any_operation_of_rolling_back_leaves_the_old_or_the_new_state() {
    let test = "a_kill_at_any_operation_of_rolling_back_leaves_the_old_or_the_new_state";
    if let Some(firmware) = firmware(test) {
        rolling_back_is_cut(firmware, version);
    }
}

#[test]
fn a_kill_at_any_operation_of_rolling_an_image_back_leaves_the_old_or_the_new_state() {
    let test = "a_kill_at_any_operation_of_rolling_an_image_back_leaves_the_old_or_the_new_state";
    if let Some(firmware) = firmware_for_images(test) {
        rolling_back_is_cut(firmware, image);
    }
}

fn rolling_back_is_cut(firmware: &Firmware, version: Made) {
    let (old, new) = (version(1), version(2));
    let rollback = |machine: &mut Machine| machine.rollback("bare");
    for is_confirmed in [false, true] {
        let flash = prepared(firmware, &old, |machine| {
            machine.install(&new).unwrap();
            if is_confirmed {
                machine.confirm("bare").unwrap();
            }
        });
        let before = if is_confirmed {
            (Phase::Previous, Phase::Confirmed)
        } else {
            (Phase::Confirmed, Phase::Trial)
        };
        let after = (Phase::Confirmed, Phase::Bad);
        let cuts = cut(firmware, &flash, rollback, |machine| {
            let states = (state(machine, &old), state(machine, &new));
            assert!([before, after].contains(&states), "{states:?}");
            let expected = if states == after { &old } else { &new };
            assert_eq!(running(machine), rune_ir::digest(expected));
            goes_on(machine, &old, &new, version);
        });
        println!("rolling back was cut at {cuts} points");
        assert!(cuts >= 6, "{cuts}");
    }
}

#[test]
fn a_kill_at_any_operation_of_installing_leaves_the_old_or_the_new_rune() {
    let test = "a_kill_at_any_operation_of_installing_leaves_the_old_or_the_new_rune";
    if let Some(firmware) = firmware(test) {
        installing_is_cut(firmware, version);
    }
}

#[test]
fn a_kill_at_any_operation_of_installing_an_image_leaves_the_old_or_the_new_one() {
    let test = "a_kill_at_any_operation_of_installing_an_image_leaves_the_old_or_the_new_one";
    if let Some(firmware) = firmware_for_images(test) {
        installing_is_cut(firmware, image);
    }
}

fn installing_is_cut(firmware: &Firmware, version: Made) {
    let (old, new) = (version(1), version(2));
    let flash = prepared(firmware, &old, |_| {});
    let install = |machine: &mut Machine| machine.install(&new).map(drop);
    let cuts = cut(firmware, &flash, install, |machine| {
        let expected = match state(machine, &new) {
            Phase::Trial => &new,
            Phase::Empty | Phase::Receiving | Phase::Verified => &old,
            state => panic!("it is {state}"),
        };
        assert_eq!(running(machine), rune_ir::digest(expected));
        assert_eq!(state(machine, &old), Phase::Confirmed);
        // The upload goes on, or begins anew.
        machine.install(&new).unwrap();
        assert_eq!(running(machine), rune_ir::digest(&new));
        goes_on(machine, &old, &new, version);
    });
    println!("installing was cut at {cuts} points");
    assert!(cuts >= 12, "{cuts}");
}

/// QEMU is killed between any two chunks, and while a chunk is on its way; a device without any rune is one case.
#[test]
fn a_kill_during_an_upload_loses_no_more_than_a_step() {
    let Some(firmware) = firmware("a_kill_during_an_upload_loses_no_more_than_a_step") else {
        return;
    };
    let (old, new) = (version(1), large(2));
    let all = new.len() as u32;
    for has_old in [true, false] {
        let flash = Flash::new();
        let mut machine = flash.boot(firmware);
        if has_old {
            machine.install(&old).unwrap();
            machine.confirm("bare").unwrap();
        }
        for sent in [
            0,
            1016,
            5080,
            STEP - 1,
            STEP,
            STEP + 1,
            30_000,
            2 * STEP,
            all - 1,
            all,
        ] {
            let from = machine.begin(&new, false).unwrap().unwrap();
            assert!(from.is_multiple_of(STEP) || from == all, "{from}");
            machine.chunks(&new, from, sent.max(from)).unwrap();
            // One that nobody waits for.
            if sent < all {
                let data = &new[sent as usize..][..1.max(all as usize - sent as usize).min(900)];
                let offset = sent;
                let chunk = Install::Chunk { offset, data };
                machine.tell(&Request::Install(chunk)).unwrap();
            }
            drop(machine);
            machine = flash.boot(firmware);
            let found = slot(&mut machine, &new).unwrap();
            assert_eq!(found.state, Phase::Receiving);
            let least = if sent == all { all } else { sent / STEP * STEP };
            assert!(found.received >= least, "{} {sent}", found.received);
            if has_old {
                assert_eq!(running(&mut machine), rune_ir::digest(&old));
            } else {
                assert!(machine.look(0).is_err());
            }
        }
        machine.install(&new).unwrap();
        assert_eq!(running(&mut machine), rune_ir::digest(&new));
        let chip = fs::read(&flash.0).unwrap();
        let place = usize::from(slot(&mut machine, &new).unwrap().slot);
        assert_eq!(chip[place * SLOT..][..new.len()], new);
        // What was erased and not written, up to the end of the sector.
        let rest = &chip[place * SLOT..][new.len()..new.len().next_multiple_of(4096)];
        assert!(rest.iter().all(|byte| *byte == 0xFF));
    }
}
