//! Blocks with damaged bytes: an error or a block, never a panic, and never more than the limits allow.

use std::sync::Arc;

use rune_blocks::{Limits, Wasmi, read};
use rune_ir::{
    args::Bound,
    block::{BlockEngine, Instance},
    eval::Data,
    ty::{ElementType, TensorType},
};

use crate::{catalogued, fixture, random::Random};

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => bytes[at] = [0x00, 0x7f, 0x80, 0xff][random.below(4)],
            3 => bytes.truncate(at.max(8)),
            4 => {
                let end = (at + random.below(16)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let end = (at + random.below(16)).min(bytes.len());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
        }
    }
}

#[test]
fn damaged_blocks_are_read_or_refused() {
    let f32s = TensorType::new(ElementType::F32, &[4]);
    let smooth = Instance {
        export: "run".to_owned(),
        args: vec![
            Bound::Float(0.5),
            Bound::Integer(1),
            Bound::Text("mean".to_owned()),
        ],
        inputs: vec![f32s.clone()],
        outputs: vec![f32s.clone()],
    };
    let modulo = Instance {
        export: "run.f32".to_owned(),
        args: vec![Bound::Float(2.0)],
        ..smooth.clone()
    };
    let engine = Wasmi::new(Limits {
        fuel: 100_000,
        memory: 64 << 20,
    });
    let mut random = Random::new(3);
    let (mut refused, mut ran) = (0, 0);
    for round in 0..1000 {
        let (mut bytes, instance) = match round % 4 {
            0 => (catalogued("modulo").to_vec(), &modulo),
            _ => (fixture("smooth").to_vec(), &smooth),
        };
        mutate(&mut bytes, &mut random);
        let Ok(block) = read(bytes.into()) else {
            refused += 1;
            continue;
        };
        // Whatever comes out must come out again.
        let first = engine.snapshot(&block, instance);
        if round % 8 == 1 {
            let in_slices = engine.clone().stopped_by(Arc::default());
            assert_eq!(first, in_slices.snapshot(&block, instance), "round {round}");
        }
        if let Ok(mut running) = engine.start(&block, instance)
            && running.run(&[Data::Bytes(vec![0; 16])]).is_ok()
        {
            ran += 1;
        }
    }
    // Damage to code, to data, and to nothing that matters: all must have come up.
    assert!(refused > 300 && ran > 50, "{refused} refused, {ran} ran");
}
