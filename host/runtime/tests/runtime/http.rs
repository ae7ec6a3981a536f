//! Webhooks against servers that answer, refuse, hang and break off.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rune_runtime::{Delivery, HttpSink, Rates, Router, Sink, WhenFull};

use crate::support::{self, adds_up, line, router, written};

/// What a server does with a request.
#[derive(Clone, Copy, Debug)]
enum Does {
    Answer(&'static str),
    /// Says nothing for as long as the test runs.
    Hang,
    /// Closes the connection without an answer.
    Close,
    /// Answers after so many milliseconds.
    Late(u64),
}

const OK: Does = Does::Answer("204 No Content");

struct Server {
    port: u16,
    /// Head and body of every request.
    seen: Arc<Mutex<Vec<(String, String)>>>,
}

impl Server {
    /// Does these things in their order, and the last one from then on.
    fn start(does: &'static [Does]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(vec![]));
        let (all, count) = (seen.clone(), Arc::new(AtomicUsize::new(0)));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (all, count) = (all.clone(), count.clone());
                thread::spawn(move || serve(stream, does, &all, &count));
            }
        });
        Self { port, seen }
    }

    fn sink(&self, delivery: Delivery) -> Sink {
        let sink = HttpSink {
            url: format!("http://127.0.0.1:{}/hook?x=1", self.port),
            authorization: None,
        };
        Sink::Http(sink, delivery)
    }

    fn bodies(&self) -> Vec<String> {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .map(|s| s.1.clone())
            .collect()
    }
}

fn serve(
    stream: TcpStream,
    does: &[Does],
    seen: &Mutex<Vec<(String, String)>>,
    count: &AtomicUsize,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let lower = head.to_ascii_lowercase();
        let length = lower.split("content-length: ").nth(1)?.lines().next()?;
        let mut body = vec![0; length.parse().ok()?];
        reader.read_exact(&mut body).ok()?;
        let body = String::from_utf8(body).ok()?;
        seen.lock().unwrap().push((head, body));
        let number = count.fetch_add(1, Ordering::SeqCst);
        let status = match does[number.min(does.len() - 1)] {
            Does::Answer(status) => status,
            Does::Late(ms) => {
                thread::sleep(Duration::from_millis(ms));
                "200 OK"
            }
            Does::Close => return None,
            Does::Hang => loop {
                thread::sleep(Duration::from_mins(1));
            },
        };
        let body = if status.starts_with("204") {
            ""
        } else {
            "Content-Length: 4\r\n"
        };
        let end = if body.is_empty() { "" } else { "done" };
        write!(
            stream,
            "HTTP/1.1 {status}\r\nLocation: /elsewhere\r\n{body}\r\n{end}"
        )
        .ok()?;
    }
}

/// Short times, so that a test is short.
fn quick() -> Delivery {
    Delivery {
        timeout: Duration::from_millis(300),
        retries: 2,
        drain: Duration::from_secs(20),
        ..Delivery::default()
    }
}

#[test]
fn every_line_is_posted_as_json() {
    let server = Server::start(&[OK, Does::Answer("200 OK")]);
    let (mut router, said) = router(&[server.sink(quick())]);
    for i in 0..50 {
        router.send(&[written(0, &i.to_string())]).unwrap();
    }
    assert_eq!(router.finish(), []);
    adds_up(router.meters().read(0), 50);
    let want: Vec<String> = (0..50).map(|i| line("a", &i.to_string())).collect();
    assert_eq!(server.bodies(), want);
    let head = server.seen.lock().unwrap()[0].0.to_ascii_lowercase();
    assert!(head.starts_with("post /hook?x=1 http/1.1\r\n"), "{head}");
    assert!(
        head.contains("content-type: application/json\r\n"),
        "{head}"
    );
    assert!(!head.contains("authorization"), "{head}");
    assert_eq!(said.lock().unwrap().len(), 0);
}

#[test]
fn the_authorization_comes_from_a_file() {
    let path = support::folder("http", "authorization").join("token");
    let server = Server::start(&[OK]);
    let Sink::Http(sink, delivery) = server.sink(quick()) else {
        unreachable!()
    };
    let sink = HttpSink {
        authorization: Some(path.clone()),
        ..sink
    };
    let sinks = [Sink::Http(sink, delivery)];
    fs::write(&path, "Bearer abc\nmore").unwrap();
    let (mut router, _) = router(&sinks);
    router.send(&[written(0, "x")]).unwrap();
    assert_eq!(router.finish(), []);
    let head = server.seen.lock().unwrap()[0].0.to_ascii_lowercase();
    assert!(head.contains("authorization: bearer abc\r\n"), "{head}");
    for (content, says) in [
        ("", "no value of a header"),
        ("a\x01b", "no value"),
        (&*"x".repeat(20_000), "too long"),
    ] {
        fs::write(&path, content).unwrap();
        let manifest = support::manifest(vec![], vec![support::output("a", &[])]);
        let report = Arc::new(|_: u32, _: &str| {});
        let opened = Router::open(&manifest, &sinks, Rates::default(), report);
        assert!(opened.unwrap_err().what.contains(says), "{says}");
    }
}

#[test]
fn a_server_that_fails_is_tried_again() {
    let server = Server::start(&[
        Does::Answer("500 Internal Server Error"),
        Does::Close,
        OK,
        Does::Hang,
        Does::Answer("429 Too Many Requests"),
        OK,
    ]);
    let (mut router, said) = router(&[server.sink(quick())]);
    router.send(&[written(0, "one")]).unwrap();
    router.send(&[written(0, "two")]).unwrap();
    assert_eq!(router.finish(), []);
    let counters = router.meters().read(0);
    adds_up(counters, 2);
    assert_eq!((counters.written, counters.retries), (2, 4));
    let (one, two) = (line("a", "one"), line("a", "two"));
    let want = [&one, &one, &one, &two, &two, &two];
    assert_eq!(server.bodies().iter().collect::<Vec<_>>(), want);
    let said = said.lock().unwrap();
    assert_eq!(said.len(), 4, "{said:?}");
    assert!(said[0].ends_with("/hook?x=1: status 500"), "{}", said[0]);
    assert!(said[1].ends_with(": works again"), "{}", said[1]);
    assert!(said[2].contains("timeout"), "{}", said[2]);
}

#[test]
fn what_a_server_refuses_is_not_tried_again_and_what_it_never_takes_is_given_up() {
    let server = Server::start(&[Does::Answer("404 Not Found"), Does::Answer("302 Found"), OK]);
    let (mut first, _) = router(&[server.sink(quick())]);
    for text in ["one", "two", "three"] {
        first.send(&[written(0, text)]).unwrap();
    }
    let losses = first.finish();
    let counters = first.meters().read(0);
    adds_up(counters, 3);
    assert_eq!(
        (counters.written, counters.failed, counters.retries),
        (1, 2, 0)
    );
    assert_eq!(
        losses[0].to_string(),
        "output `a` lost 2 of 3 records: 2 not written (status 302)"
    );
    assert_eq!(server.bodies().len(), 3);

    let server = Server::start(&[Does::Close]);
    let (mut second, _) = router(&[server.sink(quick())]);
    second.send(&[written(0, "one")]).unwrap();
    let losses = second.finish();
    let counters = second.meters().read(0);
    adds_up(counters, 1);
    assert_eq!((counters.failed, counters.retries, losses.len()), (1, 2, 1));
}

#[test]
fn the_end_comes_in_time_and_counts_what_is_left() {
    let server = Server::start(&[Does::Hang]);
    let delivery = Delivery {
        timeout: Duration::from_mins(1),
        drain: Duration::from_millis(200),
        ..quick()
    };
    let (mut router, _) = router(&[server.sink(delivery)]);
    for _ in 0..10 {
        router.send(&[written(0, "x")]).unwrap();
    }
    let begin = Instant::now();
    let losses = router.finish();
    assert!(begin.elapsed() < Duration::from_secs(2));
    adds_up(router.meters().read(0), 10);
    assert_eq!(
        losses[0].to_string(),
        "output `a` lost 10 of 10 records: 10 not written (10 waited still after 200ms)"
    );
    // And what comes too late is counted all the same.
    router.send(&[written(0, "x")]).unwrap();
    adds_up(router.meters().read(0), 11);
    assert_eq!(router.finish(), losses);
}

#[test]
fn a_full_queue_holds_the_rune_back() {
    let server = Server::start(&[Does::Late(50)]);
    let delivery = Delivery {
        queue_records: 2,
        ..quick()
    };
    let (mut router, _) = router(&[server.sink(delivery)]);
    let begin = Instant::now();
    for i in 0..13 {
        router.send(&[written(0, &i.to_string())]).unwrap();
    }
    // Of thirteen, two wait and one is being sent.
    assert!(begin.elapsed() >= Duration::from_millis(450));
    assert_eq!(router.finish(), []);
    assert_eq!(server.bodies().len(), 13);
    assert_eq!(router.meters().read(0).written, 13);
}

/// The memory of this process, in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}

#[test]
fn a_flood_fills_no_memory_and_loses_nothing_uncounted() {
    let text = "x".repeat(16 << 10);
    for (when_full, records) in [(WhenFull::DropNewest, 1 << 20), (WhenFull::DropOldest, 50)] {
        let server = Server::start(&[OK, OK, Does::Hang]);
        let delivery = Delivery {
            when_full,
            queue_records: records,
            queue_bytes: 1 << 20,
            timeout: Duration::from_mins(1),
            drain: Duration::ZERO,
            ..quick()
        };
        let (mut router, _) = router(&[server.sink(delivery)]);
        let before = resident();
        for i in 0..8000 {
            router
                .send(&[written(0, &format!("{i:05}{text}"))])
                .unwrap();
        }
        // Of 128 MiB.
        let grown = resident().saturating_sub(before);
        assert!(grown < 32 << 20, "{grown}");
        let losses = router.finish();
        let counters = router.meters().read(0);
        adds_up(counters, 8000);
        assert_eq!(counters.written, 2, "{counters:?}");
        assert!((50..=66).contains(&counters.failed), "{counters:?}");
        assert_eq!(losses.len(), 1);
        let size = (line("a", "").len() + 5 + text.len() + 1) as u64;
        assert_eq!(counters.bytes, counters.written * size);
    }
}

#[test]
fn the_oldest_or_the_newest_go() {
    for (when_full, want) in [
        (WhenFull::DropNewest, ["0", "1", "2"]),
        (WhenFull::DropOldest, ["0", "8", "9"]),
    ] {
        let server = Server::start(&[Does::Late(250), OK]);
        let delivery = Delivery {
            when_full,
            queue_records: 2,
            timeout: Duration::from_secs(10),
            ..quick()
        };
        let (mut router, _) = router(&[server.sink(delivery)]);
        router.send(&[written(0, "0")]).unwrap();
        while server.bodies().is_empty() {
            thread::sleep(Duration::from_millis(1));
        }
        for i in 1..10 {
            router.send(&[written(0, &i.to_string())]).unwrap();
        }
        let losses = router.finish();
        assert_eq!(
            losses[0].to_string(),
            "output `a` lost 7 of 10 records: 7 dropped because the queue was full"
        );
        assert_eq!(server.bodies(), want.map(|text| line("a", text)));
    }
}
