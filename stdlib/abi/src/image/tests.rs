//! Images written and read, cut and damaged.

use alloc::{borrow::ToOwned, vec, vec::Vec};

use super::*;

fn image() -> Image {
    Image {
        target: Target::CortexM7,
        containment: Containment::Mpu,
        imports: vec![Import::Read, Import::Write],
        resets: true,
        first_read: None,
        keeps_records: false,
        block_bytes: 4096,
        memory: (64, 4000),
        stack_bytes: 512,
        manifest: b"a manifest".to_vec(),
        linked: (0..96).collect(),
        constant_bytes: 64,
        entry: 8,
        functions: vec![(0, "first".to_owned()), (12, "second".to_owned())],
        graph_digest: [7; 32],
    }
}

fn bytes() -> Vec<u8> {
    image().encode(|parts| {
        let sum = |part: &[u8]| part.iter().fold(0u8, |a, b| a.wrapping_add(*b));
        [sum(parts[0]).wrapping_add(sum(parts[1])); 32]
    })
}

#[test]
fn what_is_written_is_read() {
    let mut bytes = bytes();
    bytes.extend_from_slice(&[9; 192]);
    let view = ImageView::new(&bytes).expect("it is right");
    let code = view.code();
    assert_eq!(view.manifest(), b"a manifest");
    assert_eq!(&bytes[view.constants()], &image().linked[..64]);
    assert_eq!(&bytes[code.clone()], &image().linked[64..]);
    assert_eq!((view.entry(), view.memory()), (code.start + 8, 64..4064));
    assert_eq!((view.block_bytes(), view.stack_bytes()), (4096, 512));
    assert!(view.imports().eq([Import::Read, Import::Write]));
    assert!(view.resets() && !view.containment().is_native());
    assert_eq!(view.target(), Target::CortexM7);
    assert_eq!(
        (view.graph_digest(), view.signed().len()),
        (&[7; 32][..], bytes.len() - 192)
    );
    assert_eq!(view.signatures().count(), 2);
    assert!(
        view.signatures()
            .all(|s| s.key == &[9; 32] && s.signature == &[9; 64])
    );
    let names = [0, 11, 12, 31].map(|place| view.function_at(code.start + place));
    assert_eq!(names, ["first", "first", "second", "second"].map(Some));
    assert_eq!(view.function_at(code.end), None);
}

#[test]
fn every_cut_is_refused() {
    let bytes = bytes();
    for end in 0..bytes.len() {
        assert!(ImageView::new(&bytes[..end]).is_err(), "{end}");
    }
}

#[test]
fn what_cannot_be_is_refused_at_its_place() {
    let wrong = [
        (0, 1, 0),
        (8, 3, 8),
        (10, 9, 10),
        (12, 2, 12),
        (16, 4, 16),
        (22, 1, 20),
        (24, 0xff, 24),
        (28, 8, 28),
        (35, 0xff, 32),
        (36, 1, 36),
        (43, 0xff, 36),
        (44, 3, 44),
        (48, 1, 48),
        (51, 1, 48),
        (52, 1, 52),
        (67, 1, 60),
        (69, 0, 68),
        (80, 0xff, 76),
        (84, 1, 84),
    ];
    for (at, value, place) in wrong {
        let mut bytes = bytes();
        bytes[at] = value;
        let error = ImageView::new(&bytes).expect_err("it is wrong");
        assert_eq!(error.offset, place, "byte {at}: {error}");
    }
}

#[test]
fn a_first_read_needs_the_import() {
    let read = FirstRead {
        capability: 1,
        at: 64,
        bytes: 4000,
    };
    let with = |imports: Vec<Import>| {
        let image = Image {
            imports,
            first_read: Some(read),
            ..image()
        };
        image.encode(|_| [0; 32])
    };
    let bytes = with(vec![Import::Read]);
    let view = ImageView::new(&bytes).expect("it is right");
    assert_eq!(view.first_read(), Some(read));
    let bytes = with(vec![Import::Write]);
    let error = ImageView::new(&bytes).expect_err("it cannot read");
    assert_eq!(error.offset, 28, "{error}");
}

#[test]
fn what_records_promise_is_a_flag() {
    for keeps_records in [false, true] {
        let image = Image {
            keeps_records,
            ..image()
        };
        let bytes = image.encode(|_| [0; 32]);
        let view = ImageView::new(&bytes).expect("it is right");
        assert_eq!(view.keeps_records(), keeps_records);
    }
}

#[test]
fn the_last_record_is_in_one_word() {
    assert_eq!([0, 1, (1 << 28) - 1].map(last_write), [None; 3]);
    assert_eq!(last_write(1 << 28), Some((0, 0)));
    assert_eq!(last_write(u32::MAX), Some((14, (1 << 28) - 1)));
}

/// Whatever the bytes are, nothing panics, and what is read lies within.
#[test]
fn no_byte_of_an_image_can_make_its_reader_panic() {
    let right = bytes();
    for at in 0..right.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bytes = right.clone();
            bytes[at] = value;
            let Ok(view) = ImageView::new(&bytes) else {
                continue;
            };
            assert!(view.entry() < bytes.len() && view.manifest().len() <= bytes.len());
            for place in 0..bytes.len() {
                let _ = view.function_at(place);
            }
        }
    }
}

#[test]
fn services_have_numbers() {
    for import in Import::ALL {
        assert_eq!(service::import(service::of(import)), Some(import));
    }
    assert_eq!([0, 15, 21, 255].map(service::import), [None; 4]);
    assert_eq!(Trap::from_number(2), Some(Trap::Memory));
    assert_eq!([0, 10, u32::MAX].map(Trap::from_number), [None; 3]);
}
