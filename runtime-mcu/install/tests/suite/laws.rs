//! The machine on random inputs: its pools stay lawful, floors never sink, and a confirmed rune goes only for a
//! reason.

use rune_install::{Effect, Identity, Input, Limits, Name, Phase, Pool, Refused, Reply};

use crate::random::Random;

pub(crate) const LIMITS: Limits = Limits {
    tries: 3,
    strikes: 2,
    slot: 256,
    step: 64,
    word: 32,
};

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// Goes on from an empty pool by random inputs, and shows each step that was taken.
pub(crate) fn wander<const A: usize, const B: usize, const C: usize>(
    seed: u64,
    inputs: usize,
    mut each: impl FnMut((&Pool<A, B, C>, Input), (&Pool<A, B, C>, Reply)),
) -> Pool<A, B, C> {
    let mut random = Random::new(seed + 1);
    let mut pool = Pool::<A, B, C>::new();
    for _ in 0..inputs {
        let whose = name(["a", "b", "lamp", "mill", "a-much-longer-name"][random.below(5)]);
        let digest = [random.below(12) as u8; 32];
        let upload = pool.receiving().map(|slot| pool.slots()[slot]);
        let input = match random.below(22) {
            0 => Input::Boot { doubt: true },
            1..=4 => Input::Begin {
                digest,
                bytes: 1 + u32::from(digest[0]) * 23,
                anew: random.below(4) == 0,
            },
            5..=10 => Input::Chunk {
                offset: upload.map_or(0, |e| e.received),
                len: match random.below(3) {
                    0 => random.below(100) as u32,
                    _ => upload.map_or(1, |e| e.bytes - e.received),
                },
            },
            11 => Input::End,
            12..=14 => Input::Verified(Identity {
                name: whose,
                version: [1, 2, 3],
                counter: random.below(4) as u32,
            }),
            15 => [Input::Refused, Input::Remove(whose)][random.below(2)],
            16 => Input::TryOut(digest),
            17 => Input::Attempt(whose),
            18 => [Input::Healthy(whose), Input::Failed(whose)][random.below(2)],
            19 => Input::Confirm(whose),
            20 => Input::Rollback(whose),
            _ => Input::Discard(digest),
        };
        // What waits to be tried is, mostly, so that trials are not rare.
        let waiting = pool.slots().iter().find(|e| e.phase == Phase::Verified);
        let input = match waiting {
            Some(entry) if random.below(6) == 0 => Input::TryOut(entry.digest),
            _ => input,
        };
        if let Ok(step) = pool.step(&LIMITS, input) {
            each((&pool, input), (&step.pool, step.reply));
            pool = step.pool;
        }
    }
    pool
}

#[test]
fn random_inputs_keep_the_laws() {
    let mut seen = [0; 7];
    let mut trials = 0;
    for seed in 0..300 {
        wander::<4, 3, 3>(seed, 400, |(before, input), (after, reply)| {
            assert!(after.is_lawful(), "{input:?} made {after:?} of {before:?}");
            for entry in after.slots() {
                seen[entry.phase as usize] += 1;
                let floor = after.floor(&entry.identity.name);
                let is_low = entry.phase == Phase::Confirmed && entry.identity.counter < floor;
                assert!(!is_low, "{input:?}: below the floor: {after:?}");
            }
            for text in ["a", "b", "lamp", "mill", "a-much-longer-name"] {
                let name = name(text);
                let floors = (before.floor(&name), after.floor(&name));
                assert!(floors.0 <= floors.1, "{input:?}: {floors:?}");
                assert!(floors.0 == floors.1 || input == Input::Confirm(name));
                let confirmed = |pool: &Pool<4, 3, 3>| {
                    let slot = pool.of(&name, Phase::Confirmed)?;
                    Some(pool.slots()[slot].digest)
                };
                let is_kept = confirmed(before).is_none() || confirmed(before) == confirmed(after);
                let may = [
                    Input::Confirm(name),
                    Input::Rollback(name),
                    Input::Remove(name),
                ];
                assert!(is_kept || may.contains(&input), "{input:?}: {before:?}");
            }
            if let Reply::Start(start) = reply {
                trials += usize::from(start.phase == Phase::Trial);
                assert!(start.attempt <= LIMITS.tries);
            }
        });
    }
    assert!(
        seen.iter().all(|n| *n > 1000) && trials > 200,
        "{seen:?} {trials}"
    );
}

/// Feeds inputs that must be taken.
fn all(pool: &mut Pool<3, 2, 2>, inputs: &[Input]) {
    for input in inputs {
        *pool = pool
            .step(&LIMITS, *input)
            .unwrap_or_else(|e| panic!("{input:?}: {e}"))
            .pool;
    }
}

/// The inputs that bring a rune of 100 bytes to VERIFIED.
fn upload(text: &str, byte: u8, counter: u32, anew: bool) -> Vec<Input> {
    let digest = [byte; 32];
    let identity = Identity {
        name: name(text),
        version: [0; 3],
        counter,
    };
    vec![
        Input::Begin {
            digest,
            bytes: 100,
            anew,
        },
        Input::Chunk {
            offset: 0,
            len: 100,
        },
        Input::End,
        Input::Verified(identity),
    ]
}

#[test]
fn a_trial_ends_when_its_tries_are_spent_and_its_digest_is_refused_until_cast_anew() {
    let mut pool = Pool::new();
    let a = name("a");
    all(&mut pool, &upload("a", 1, 0, false));
    all(
        &mut pool,
        &[Input::TryOut([1; 32]), Input::Attempt(a), Input::Confirm(a)],
    );
    for round in 1..=2 {
        all(&mut pool, &upload("a", 2, 0, false));
        all(&mut pool, &[Input::TryOut([2; 32])]);
        for attempt in 1..=LIMITS.tries {
            let step = pool.step(&LIMITS, Input::Attempt(a)).unwrap();
            assert!(step.effects().eq([Effect::Commit]));
            assert!(matches!(step.reply, Reply::Start(s) if s.attempt == attempt));
            pool = step.pool;
        }
        let step = pool.step(&LIMITS, Input::Attempt(a)).unwrap();
        assert!(matches!(step.reply, Reply::Start(s) if s.phase == Phase::Confirmed));
        pool = step.pool;
        assert_eq!(pool.strikes(&[2; 32]), round);
    }
    let begin = upload("a", 2, 0, false)[0];
    assert_eq!(pool.step(&LIMITS, begin).unwrap_err(), Refused::Struck);
    all(&mut pool, &upload("a", 2, 0, true));
    assert_eq!(pool.strikes(&[2; 32]), 0);
    // A healthy start gives all tries back.
    all(&mut pool, &[Input::TryOut([2; 32])]);
    for _ in 0..10 {
        all(
            &mut pool,
            &[Input::Attempt(a), Input::Attempt(a), Input::Healthy(a)],
        );
    }
}

#[test]
fn the_floor_rises_at_confirm_only_and_stays_when_all_is_removed() {
    let mut pool = Pool::new();
    let a = name("a");
    all(&mut pool, &upload("a", 1, 1, false));
    all(
        &mut pool,
        &[Input::TryOut([1; 32]), Input::Attempt(a), Input::Confirm(a)],
    );
    all(&mut pool, &upload("a", 2, 5, false));
    all(&mut pool, &[Input::TryOut([2; 32]), Input::Attempt(a)]);
    assert_eq!(pool.floor(&a), 1);
    all(&mut pool, &[Input::Confirm(a)]);
    assert_eq!(pool.floor(&a), 5);
    let back = pool.step(&LIMITS, Input::Rollback(a));
    assert_eq!(back.unwrap_err(), Refused::Downgrade { floor: 5 });
    all(&mut pool, &[Input::Remove(a)]);
    assert_eq!(pool.floor(&a), 5);
    let inputs = upload("a", 3, 4, false);
    all(&mut pool, &inputs[..3]);
    let step = pool.step(&LIMITS, inputs[3]).unwrap();
    assert_eq!(step.reply, Reply::Rejected(Refused::Downgrade { floor: 5 }));
    assert_eq!(step.pool.slots()[0].phase, Phase::Bad);
}

#[test]
fn a_full_pool_still_takes_an_upload_and_no_more_names_than_it_may() {
    let mut pool = Pool::new();
    for (text, byte) in [("a", 1), ("b", 2), ("a", 3)] {
        all(&mut pool, &upload(text, byte, 0, false));
        let name = name(text);
        all(
            &mut pool,
            &[
                Input::TryOut([byte; 32]),
                Input::Attempt(name),
                Input::Confirm(name),
            ],
        );
    }
    // CONFIRMED 3 and 2, PREVIOUS 1: what is PREVIOUS gives way.
    all(&mut pool, &upload("b", 4, 0, false));
    assert_eq!(pool.holding(&[1; 32]), None);
    // What was not tried gives way too, and what is in trial does not.
    all(&mut pool, &upload("a", 5, 0, false));
    assert_eq!(pool.holding(&[4; 32]), None);
    all(&mut pool, &[Input::TryOut([5; 32])]);
    assert_eq!(
        pool.step(&LIMITS, upload("a", 9, 0, false)[0]).unwrap_err(),
        Refused::Full
    );
    all(&mut pool, &[Input::Rollback(name("a"))]);
    let third = upload("c", 6, 0, false);
    all(&mut pool, &third[..3]);
    let step = pool.step(&LIMITS, third[3]).unwrap();
    assert_eq!(step.reply, Reply::Rejected(Refused::Names));
    // An upload that was left half way gives way too.
    pool = step.pool;
    all(&mut pool, &upload("a", 7, 0, false)[..1]);
    all(&mut pool, &upload("a", 8, 0, false));
}
