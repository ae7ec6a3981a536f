//! A process that installs, confirms and rolls back is killed 200 times, at any moment.
#![allow(clippy::print_stdout, reason = "the child says what it has done")]

use std::{
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rune_runtime::store::Store;

use crate::{
    disk::Recorder,
    script::{self, SETTINGS, View},
};

/// In the environment of the child: the folder, and the step to begin with.
const CHILD: &str = "RUNE_STORE_CHILD";
const SEED: u64 = 7;
const KILLS: usize = 200;

/// Not a test, unless it is started by the one below.
#[test]
fn child() {
    let Ok(told) = env::var(CHILD) else {
        return;
    };
    let (first, folder) = told.split_once(' ').unwrap();
    let mut store = Store::open(Path::new(folder), SETTINGS).unwrap();
    for number in first.parse().unwrap().. {
        script::act(&mut store, script::step(SEED, number));
        println!("\ndone {number}");
    }
}

#[test]
fn a_process_that_is_killed_leaves_the_old_or_the_new_state() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("store-kill");
    let _ = std::fs::remove_dir_all(&folder);
    // The same run in memory says what is due.
    let mut twin = Store::on(Recorder::default(), SETTINGS).unwrap();
    let mut views: Vec<View> = vec![script::view(&mut twin)];
    let mut next = 0_u64;
    let mut random = 12_345_u64;
    let (mut old, mut new) = (0, 0);
    let start = Instant::now();
    for kill in 0..KILLS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "kill::child", "--nocapture", "--test-threads=1"])
            .env(CHILD, format!("{next} {}", folder.display()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut done = None;
        let mut read = |line: &str| {
            if let Some(number) = line.strip_prefix("done ") {
                done = Some(number.parse::<u64>().unwrap());
            }
        };
        // Sometimes it is killed while it opens the store.
        if kill % 8 != 0 {
            let wait = random % 6;
            let mut seen = 0;
            while seen <= wait {
                let line = lines.next().expect("it goes on").unwrap();
                seen += u64::from(line.starts_with("done "));
                read(&line);
            }
        }
        thread::sleep(Duration::from_micros(random / 7 % 25_000));
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines {
            read(&line.unwrap());
        }
        next = done.map_or(next, |number| number + 1);
        // What the steps lead to, up to the one that was under way.
        while views.len() as u64 <= next + 1 {
            script::act(&mut twin, script::step(SEED, views.len() as u64 - 1));
            views.push(script::view(&mut twin));
        }
        let mut store = Store::open(&folder, SETTINGS).expect("it opens");
        let found = script::view(&mut store);
        let (before, after) = (&views[next as usize], &views[next as usize + 1]);
        if found == *before {
            old += 1;
        } else if found == *after {
            new += 1;
            next += 1;
        } else {
            let step = script::step(SEED, next);
            panic!("kill {kill}, {step:?}: {found:#?}\nis neither {before:#?}\nnor {after:#?}");
        }
    }
    let mut store = Store::open(&folder, SETTINGS).unwrap();
    // One that the run never installs, so that it is new whatever was under way.
    script::install(&mut store, "a", 15);
    let seconds = start.elapsed().as_secs();
    println!("{KILLS} kills in {next} steps: {old} old states, {new} new ones, in {seconds} s");
}
