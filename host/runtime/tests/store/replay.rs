//! Every prefix of what a run does to a disk, with what was not synced lost, torn and in any order: the store opens
//! with the state from before the step or from after it, and with that of every step that was over.
#![allow(clippy::print_stdout, reason = "it says how much was covered")]

use rune_runtime::store::Store;

use crate::{
    disk::{Image, Lie, Recorder},
    script::{self, Act, RUN, SETTINGS, View},
};

/// What was seen.
#[derive(Default)]
struct Covered {
    prefixes: usize,
    complete: usize,
    disks: usize,
}

impl Covered {
    /// Opens every disk that a cut may leave.
    fn cut(&mut self, disk: &Recorder, cut: usize, most: usize, due: &[&View], what: &str) {
        let mut disks = 0;
        let complete = disk.cut(cut, most, |image| {
            disks += 1;
            let found = look(image);
            assert!(
                due.contains(&&found),
                "{what}, cut at {cut}: {found:#?}\nis none of {due:#?}"
            );
        });
        self.prefixes += 1;
        self.complete += usize::from(complete);
        self.disks += disks;
    }
}

fn look(image: &Image) -> View {
    let mut store = Store::on(Recorder::of(image), SETTINGS).expect("it opens");
    script::view(&mut store)
}

/// The states from before and after the step during which so much was done; only the latter where it was over.
fn due(steps: &[(usize, View)], cut: usize) -> [&View; 2] {
    let step = step_at(steps, cut);
    let (end, new) = &steps[step];
    let old = &steps[step.saturating_sub(1)].1;
    if cut == *end { [new, new] } else { [old, new] }
}

/// A run on an empty disk: the disk, and for each step how much was done and what the store held after it. The first
/// step is opening.
fn run(disk: Recorder) -> (Recorder, Vec<(usize, View)>) {
    let mut store = Store::on(disk.clone(), SETTINGS).unwrap();
    let mut steps = vec![(disk.len(), script::view(&mut store))];
    for act in RUN {
        script::act(&mut store, *act);
        steps.push((disk.len(), script::view(&mut store)));
    }
    (disk, steps)
}

/// The step during which so much was done, or which was just over.
fn step_at(steps: &[(usize, View)], cut: usize) -> usize {
    steps.iter().position(|(end, _)| cut <= *end).unwrap()
}

#[test]
fn every_prefix_of_a_run_leaves_the_old_or_the_new_state() {
    let (disk, steps) = run(Recorder::default());
    let differing = steps
        .windows(2)
        .filter(|pair| pair[0].1 != pair[1].1)
        .count();
    assert!(differing > 20, "only {differing} steps changed something");
    let mut areas = 0;
    disk.at_end(|name| areas += usize::from(name.starts_with("area-")));
    assert_eq!(areas, 2, "the run fills the first area");
    let mut covered = Covered::default();
    for cut in 0..=disk.len() {
        let step = step_at(&steps, cut).checked_sub(1);
        let what = format!("{:?}", step.map(|step| RUN[step]));
        covered.cut(&disk, cut, 1024, &due(&steps, cut), &what);
    }
    let Covered {
        prefixes,
        complete,
        disks,
    } = covered;
    println!(
        "{} steps, {prefixes} prefixes, {complete} of them with every state, {disks} disks",
        RUN.len()
    );
}

/// The process ends, another one opens the store, which sees what is not lasting yet, and goes on; then the power
/// is cut. What the second process saw when it was open must not be lost.
#[test]
fn what_a_second_process_saw_is_not_lost() {
    let (disk, steps) = run(Recorder::default());
    let mut covered = Covered::default();
    for cut in (0..disk.len()).step_by(3) {
        let step = step_at(&steps, cut);
        let (old, new) = (&steps[step.saturating_sub(1)].1, &steps[step].1);
        let second = disk.at(cut);
        let mut store = Store::on(second.clone(), SETTINGS).expect("it opens");
        let opened = second.len();
        let seen = script::view(&mut store);
        assert!(
            seen == *old || seen == *new,
            "the second process saw {seen:#?}"
        );
        // Once more, or the next one.
        let act = RUN.get(step.saturating_sub(usize::from(seen == *old)));
        let act = act.copied().unwrap_or(Act::Set("when", 9));
        script::act(&mut store, act);
        let after = script::view(&mut store);
        for again in cut..=second.len() {
            let due: &[&View] = if again < opened {
                &[old, new]
            } else if again == opened {
                &[&seen]
            } else if again < second.len() {
                &[&seen, &after]
            } else {
                &[&after]
            };
            covered.cut(&second, again, 64, due, &format!("after {cut}: {act:?}"));
        }
    }
    let Covered {
        prefixes, disks, ..
    } = covered;
    println!("{prefixes} prefixes of two processes, {disks} disks");
}

/// A disk that says that something is lasting and loses it is found out, so the test above can fail.
#[test]
fn a_disk_that_lies_is_found_out() {
    for lie in [Lie::Files, Lie::Names] {
        let (disk, steps) = run(Recorder::lying(lie));
        let mut lost = 0;
        for cut in (0..=disk.len()).step_by(7) {
            let due = due(&steps, cut);
            disk.cut(cut, 16, |image| {
                let view = Store::on(Recorder::of(image), SETTINGS)
                    .and_then(|mut store| script::try_view(&mut store));
                lost += usize::from(!view.is_ok_and(|view| due.contains(&&view)));
            });
        }
        println!("{lie:?}: {lost} disks in another state");
        assert!(lost > 10, "{lie:?}");
    }
}

/// However often it is cut, there is room for a new rune, and no file is left that nobody needs.
#[test]
fn there_is_always_room() {
    let (disk, _) = run(Recorder::default());
    for cut in (0..=disk.len()).step_by(5) {
        disk.cut(cut, 4, |image| {
            let left = Recorder::of(image);
            let mut store = Store::on(left.clone(), SETTINGS).unwrap();
            script::install(&mut store, "a", 13);
            let needed = store.list().iter().filter(|i| i.received > 0).count();
            let end = left.len();
            let mut files = 0;
            left.at_end(|name| files += usize::from(name.starts_with("slot-")));
            assert_eq!(files, needed, "cut at {cut} of {end}");
        });
    }
}
