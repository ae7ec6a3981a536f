//! Streams cut anywhere, read late, interrupted and ended.

use rune_abi::{CapabilityKind, ElementType, Value};
use rune_adapt::{
    Axes, BufferError, Counters, MotionFormat, MotionSource, Rate, SampleFormat, ScanType, Source,
    Stream, StreamPlan, Unit, Window,
};

use crate::support::{
    Owned, Random, bytes_of_f32, bytes_of_i16, microphone, plan_for, start, stream_plan, to_i16,
    whole,
};

fn sound(
    given: u32,
    channels: u16,
    format: SampleFormat,
    wanted: i64,
    window: u32,
    hop: i64,
) -> StreamPlan {
    let params = [("hz", Value::Integer(wanted)), ("hop", Value::Integer(hop))];
    let source = Source::Sound(microphone(given, channels, format));
    stream_plan(plan_for(
        CapabilityKind::Sound,
        ElementType::I16,
        &[window],
        &params,
        &source,
    ))
}

fn motion(window: u32, hop: i64) -> StreamPlan {
    let source = MotionSource {
        rate: Some(Rate::hz(104)),
        format: MotionFormat::Counts(ScanType::S16),
        offset: 0.0,
        scale: 0.001,
        unit: Unit::G,
        axes: Axes::SAME,
    };
    let params = [("hz", Value::Integer(25)), ("hop", Value::Integer(hop))];
    stream_plan(plan_for(
        CapabilityKind::Accel,
        ElementType::F32,
        &[window, 3],
        &params,
        &Source::Motion(source),
    ))
}

/// Every window that can be read, as bytes.
fn drain(stream: &mut Owned) -> Vec<u8> {
    let mut window = vec![0; stream.plan().window_bytes()];
    let mut out = vec![];
    while stream.read(&mut window).unwrap().is_some() {
        out.extend(&window);
    }
    out
}

#[test]
fn any_cuts_give_the_same_bits() {
    let mut random = Random(1);
    for plan in [
        sound(44_100, 2, SampleFormat::S24In3, 16_000, 160, 40),
        sound(48_000, 1, SampleFormat::S16, 16_000, 100, 100),
        sound(16_000, 3, SampleFormat::F32, 16_000, 7, 30),
        motion(16, 5),
    ] {
        // A part of a frame at the end counts for nothing.
        let bytes = random.bytes(30_000 + 1);
        let want = whole(plan, &bytes);
        assert!(!want.is_empty());
        for round in 0..20 {
            let mut stream = start(plan.with_backlog(round % 4));
            let (mut at, mut found) = (0, vec![]);
            let most = [3, 50, 1000, 40_000][random.below(4)];
            while at < bytes.len() {
                let end = bytes.len().min(at + random.below(most) + 1);
                at += stream.feed(&bytes[at..end], None);
                // Not always, so that there is no room at times.
                if at < end || random.below(2) == 0 {
                    found.extend(drain(&mut stream));
                }
            }
            while !stream.finish() {
                found.extend(drain(&mut stream));
            }
            found.extend(drain(&mut stream));
            assert!(found == want, "round {round}, pieces of at most {most}");
            assert_eq!(stream.counters().windows_lost, 0);

            // A sensor that does not wait, read often enough.
            let mut stream = start(plan.with_backlog(100_000 / plan.window_bytes() as u32));
            for piece in bytes.chunks(random.below(most) + 1) {
                stream.push(piece, None);
            }
            assert!(stream.finish());
            assert!(drain(&mut stream) == want, "pushed in round {round}");
        }
    }
}

#[test]
fn what_nobody_reads_is_counted_to_the_window() {
    let plan = sound(8_000, 1, SampleFormat::S16, 8_000, 4, 2).with_backlog(2);
    assert_eq!(plan.ring_bytes(), 2 * 8);
    let mut stream = start(plan);
    let samples: Vec<i16> = (0..21).collect();
    stream.push(&bytes_of_i16(&samples), None);
    let mut out = [0; 8];
    let mut read = || {
        let window = stream.read(&mut out).unwrap();
        window.map(|w| (w.number, w.lost, to_i16(&out)))
    };
    assert_eq!(read(), Some((7, 7, vec![14, 15, 16, 17])));
    assert_eq!(read(), Some((8, 0, vec![16, 17, 18, 19])));
    assert_eq!(read(), None);
    let counters = stream.counters();
    let want = Counters {
        frames: 21,
        windows: 2,
        windows_lost: 7,
        ..Counters::default()
    };
    assert_eq!(counters, want);
}

#[test]
fn no_window_spans_an_interruption() {
    let mut stream = start(sound(8_000, 1, SampleFormat::S16, 8_000, 4, 4));
    // Two whole windows, of which one is read, a part of a third, and half a sample.
    stream.push(&bytes_of_i16(&[0, 1, 2, 3, 4, 5, 6, 7]), None);
    let mut out = [0; 8];
    assert_eq!(stream.read(&mut out).unwrap().unwrap().number, 0);
    stream.push(&[8, 0, 9], None);
    stream.restart(100);
    stream.push(&bytes_of_i16(&[20, 21, 22, 23]), Some(5_000));
    let window = stream.read(&mut out).unwrap().unwrap();
    assert_eq!(to_i16(&out), [20, 21, 22, 23]);
    let want = Window {
        number: 2,
        lost: 1,
        time: Some(5_000),
    };
    assert_eq!(window, want);
    let counters = stream.counters();
    assert_eq!((counters.frames_lost, counters.windows_lost), (100, 1));
}

#[test]
fn a_recording_after_another_is_as_if_alone() {
    let plan = motion(8, 8);
    let (first, second) = (Random(2).bytes(6 * 400), Random(3).bytes(6 * 400));
    let mut stream = start(plan.with_backlog(100));
    stream.push(&first, None);
    assert!(stream.finish());
    assert!(drain(&mut stream) == whole(plan, &first));
    stream.restart(0);
    stream.push(&second, None);
    assert!(stream.finish());
    assert!(drain(&mut stream) == whole(plan, &second));
}

#[test]
fn windows_carry_the_time_of_their_first_frame() {
    let time = |stream: &mut Owned| {
        let mut out = vec![0; stream.plan().window_bytes()];
        stream.read(&mut out).unwrap().unwrap().time
    };
    // 441 frames of 44.1 kHz are 10 ms, and so are 160 of 16 kHz.
    let mut stream = start(sound(44_100, 1, SampleFormat::S16, 16_000, 160, 80).with_backlog(20));
    let second = 1_000_000_000;
    stream.push(&vec![0; 2 * 882], Some(second));
    assert_eq!(time(&mut stream), Some(second));
    assert_eq!(time(&mut stream), Some(second + 5_000_000));
    // The clock of the sensor is behind ours by a millisecond: later windows follow what was said last.
    stream.push(&vec![0; 2 * 882], Some(second + 21_000_000));
    assert_eq!(time(&mut stream), Some(second + 11_000_000));
    assert_eq!(time(&mut stream), Some(second + 16_000_000));
    // The first frame that begins here is the 1765th, for the one before has begun.
    stream.push(&[0], None);
    stream.push(&vec![0; 2 * 882 - 1], Some(second + 41_000_000 + 22_676));
    assert_eq!(time(&mut stream), Some(second + 21_000_000));

    let mut stream = start(sound(8_000, 1, SampleFormat::S16, 8_000, 4, 4));
    stream.push(&bytes_of_i16(&[0; 4]), None);
    assert_eq!(time(&mut stream), None);
}

#[test]
fn values_that_are_no_numbers_are_silence_and_counted() {
    let mut stream = start(sound(8_000, 1, SampleFormat::F32, 8_000, 4, 4));
    let values = [f32::NAN, 0.5, f32::NEG_INFINITY, f32::INFINITY];
    stream.push(&bytes_of_f32(&values), None);
    assert_eq!(to_i16(&drain(&mut stream)), [0, 16_384, 0, 0]);
    assert_eq!(stream.counters().frames_not_finite, 3);
}

#[test]
fn memory_may_be_lent_and_must_be_enough() {
    let plan = sound(48_000, 1, SampleFormat::S16, 16_000, 10, 10);
    let (mut words, mut ring) = ([0.0; 500], [0; 100]);
    assert_eq!((plan.words(), plan.ring_bytes()), (160 + 2 * 160, 40));
    let needed = |stream: Result<Stream<&mut [f32], &mut [u8]>, BufferError>| {
        let error = stream.unwrap_err();
        (error.buffer, error.needed, error.given)
    };
    let few = Stream::new(plan, &mut words[..479], &mut ring[..]);
    assert_eq!(needed(few), ("numbers", 480, 479));
    let few = Stream::new(plan, &mut words[..], &mut ring[..39]);
    assert_eq!(needed(few), ("ring", 40, 39));
    let mut stream = Stream::new(plan, &mut words[..], &mut ring[..]).unwrap();
    let bytes = Random(9).bytes(2 * 50);
    stream.push(&bytes, None);
    let error = stream.read(&mut [0; 21]).unwrap_err();
    assert_eq!(error.to_string(), "the window has 21 elements and needs 20");
    let mut out = [0; 20];
    assert!(stream.read(&mut out).unwrap().is_none());
    assert!(stream.finish());
    assert!(stream.read(&mut out).unwrap().is_some());
    assert!(whole(plan, &bytes).starts_with(&out));
}
