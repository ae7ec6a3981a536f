//! MQTT against a broker of the test, which misbehaves on demand, and against mosquitto where it is installed.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rune_runtime::{Delivery, MqttSink, Rates, Router, Sink};

use crate::support::{self, Process, adds_up, line, router, written};

/// What a broker does with a connection.
#[derive(Clone, Copy, Debug)]
enum Does {
    /// Acknowledges everything.
    Work,
    /// Acknowledges the first message, and then so many at once in reverse order.
    Reverse(usize),
    /// Acknowledges so many messages, takes one more and closes the connection.
    CloseAfter(usize),
    /// Refuses the connection with a code.
    Refuse(u8),
    /// Acknowledges the connection and nothing else.
    Silent,
    /// Sends these bytes instead of the first acknowledgement.
    Say(&'static [u8]),
    /// Does not even acknowledge the connection.
    Hang,
    /// Acknowledges the connection and never reads again.
    Deaf,
    /// Acknowledges the connection and then sends messages for ever that nobody asked for.
    Flood,
}

#[derive(Debug, Default)]
struct Seen {
    connects: Vec<Vec<u8>>,
    /// Quality of service, topic and payload.
    messages: Vec<(u8, String, String)>,
    disconnects: usize,
}

struct Broker {
    port: u16,
    seen: Arc<Mutex<Seen>>,
}

impl Broker {
    /// Does these things to its connections in their order, and the last one from then on.
    fn start(does: &'static [Does]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (all, count) = (seen.clone(), AtomicUsize::new(0));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let does = does[number.min(does.len() - 1)];
                let all = all.clone();
                thread::spawn(move || serve(stream, does, &all));
            }
        });
        Self { port, seen }
    }

    fn payloads(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.messages.iter().map(|m| m.2.clone()).collect()
    }
}

/// The next packet: its first byte and its body.
fn packet(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut byte = [0];
    stream.read_exact(&mut byte).ok()?;
    let first = byte[0];
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        stream.read_exact(&mut byte).ok()?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((first, body))
}

/// Whether nothing comes for a while.
fn is_quiet(stream: &TcpStream) -> bool {
    let wait = |time| stream.set_read_timeout(time).is_ok();
    let came = wait(Some(Duration::from_millis(200))) && stream.peek(&mut [0]).is_ok();
    wait(None) && !came
}

/// Acknowledges messages, the last first.
fn acknowledge(stream: &mut TcpStream, owed: &mut Vec<[u8; 2]>) -> Option<()> {
    for id in owed.drain(..).rev() {
        stream.write_all(&[0x40, 2, id[0], id[1]]).ok()?;
    }
    Some(())
}

fn serve(mut stream: TcpStream, does: Does, seen: &Mutex<Seen>) -> Option<()> {
    let mut owed = vec![];
    let mut taken = 0;
    loop {
        // A client that had to wait for its processor sends less at once.
        if !owed.is_empty() && is_quiet(&stream) {
            acknowledge(&mut stream, &mut owed)?;
        }
        let (first, body) = packet(&mut stream)?;
        match first >> 4 {
            1 => {
                seen.lock().unwrap().connects.push(body);
                match does {
                    Does::Hang => thread::sleep(Duration::from_mins(1)),
                    Does::Deaf => {
                        stream.write_all(&[0x20, 2, 0, 0]).ok()?;
                        thread::sleep(Duration::from_mins(1));
                    }
                    Does::Flood => {
                        stream.write_all(&[0x20, 2, 0, 0]).ok()?;
                        let many = [0x30, 4, 0, 1, b't', b'x'].repeat(1000);
                        loop {
                            stream.write_all(&many).ok()?;
                        }
                    }
                    Does::Refuse(code) => {
                        stream.write_all(&[0x20, 2, 0, code]).ok()?;
                        return None;
                    }
                    Does::Work
                    | Does::Reverse(_)
                    | Does::CloseAfter(_)
                    | Does::Silent
                    | Does::Say(_) => stream.write_all(&[0x20, 2, 0, 0]).ok()?,
                }
            }
            3 => {
                let qos = (first >> 1) & 3;
                let end = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
                let topic = String::from_utf8(body[2..end].to_vec()).ok()?;
                let start = if qos > 0 { end + 2 } else { end };
                let payload = String::from_utf8(body[start..].to_vec()).ok()?;
                seen.lock().unwrap().messages.push((qos, topic, payload));
                taken += 1;
                if matches!(does, Does::CloseAfter(n) if taken > n) {
                    return None;
                }
                if qos == 0 {
                    continue;
                }
                match does {
                    Does::Silent => {}
                    Does::Say(bytes) => stream.write_all(bytes).ok()?,
                    Does::Reverse(n) => {
                        owed.push([body[end], body[end + 1]]);
                        if taken == 1 || owed.len() == n {
                            acknowledge(&mut stream, &mut owed)?;
                        }
                    }
                    Does::Work
                    | Does::CloseAfter(_)
                    | Does::Refuse(_)
                    | Does::Hang
                    | Does::Deaf
                    | Does::Flood => stream
                        .write_all(&[0x40, 2, body[end], body[end + 1]])
                        .ok()?,
                }
            }
            12 => stream.write_all(&[0xd0, 0]).ok()?,
            14 => {
                seen.lock().unwrap().disconnects += 1;
                return None;
            }
            _ => return None,
        }
    }
}

fn mqtt(port: u16) -> MqttSink {
    MqttSink {
        host: "127.0.0.1".to_owned(),
        port,
        topic: "home/door".to_owned(),
        acknowledged: true,
        client_id: String::new(),
        login: None,
    }
}

/// Short times, so that a test is short.
fn quick() -> Delivery {
    Delivery {
        timeout: Duration::from_millis(500),
        retries: 2,
        drain: Duration::from_secs(20),
        ..Delivery::default()
    }
}

fn lines(count: u32) -> Vec<String> {
    (0..count).map(|i| line("a", &i.to_string())).collect()
}

#[test]
fn every_line_is_a_message() {
    for acknowledged in [true, false] {
        let broker = Broker::start(&[Does::Work]);
        let sink = MqttSink {
            acknowledged,
            ..mqtt(broker.port)
        };
        let (mut router, said) = router(&[Sink::Mqtt(sink, quick())]);
        for i in 0..500 {
            router.send(&[written(0, &i.to_string())]).unwrap();
        }
        assert_eq!(router.finish(), []);
        let counters = router.meters().read(0);
        adds_up(counters, 500);
        assert_eq!((counters.written, counters.retries), (500, 0));
        assert_eq!(broker.payloads(), lines(500));
        let seen = broker.seen.lock().unwrap();
        let qos = u8::from(acknowledged);
        assert!(
            seen.messages
                .iter()
                .all(|m| m.0 == qos && m.1 == "home/door")
        );
        assert_eq!((seen.connects.len(), seen.disconnects), (1, 1));
        assert_eq!(said.lock().unwrap().len(), 0);
    }
}

#[test]
fn a_large_line_is_one_message() {
    let broker = Broker::start(&[Does::Work]);
    let (mut router, _) = router(&[Sink::Mqtt(mqtt(broker.port), quick())]);
    let text = "x".repeat(3 << 20);
    router.send(&[written(0, &text)]).unwrap();
    assert_eq!(router.finish(), []);
    assert_eq!(broker.payloads(), [line("a", &text)]);
}

#[test]
fn a_login_comes_from_a_file() {
    let path = support::folder("mqtt", "login").join("login");
    let broker = Broker::start(&[Does::Work]);
    let sink = MqttSink {
        client_id: "door-1".to_owned(),
        login: Some(path.clone()),
        ..mqtt(broker.port)
    };
    let sinks = [Sink::Mqtt(sink, quick())];
    fs::write(&path, "bob\nhunter2\n").unwrap();
    let (mut router, _) = router(&sinks);
    router.send(&[written(0, "x")]).unwrap();
    assert_eq!(router.finish(), []);
    let connect = broker.seen.lock().unwrap().connects[0].clone();
    let text = String::from_utf8_lossy(&connect);
    for part in ["\0\u{6}door-1", "\0\u{3}bob", "\0\u{7}hunter2"] {
        assert!(text.contains(part), "{text:?}");
    }
    for content in [None, Some("\n"), Some("")] {
        match content {
            Some(content) => fs::write(&path, content).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let manifest = support::manifest(vec![], vec![support::output("a", &[])]);
        let report = Arc::new(|_: u32, _: &str| {});
        let opened = Router::open(&manifest, &sinks, Rates::default(), report);
        let error = opened.unwrap_err().what;
        assert!(error.starts_with(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_message_that_is_not_acknowledged_is_sent_again() {
    let broker = Broker::start(&[
        Does::Refuse(3),
        Does::CloseAfter(5),
        Does::Say(&[0x40, 2, 0, 99]),
        Does::Say(&[0xff, 0xff, 0xff, 0xff, 0xff]),
        Does::Reverse(1),
    ]);
    let delivery = Delivery {
        retries: 5,
        ..quick()
    };
    let (mut router, said) = router(&[Sink::Mqtt(mqtt(broker.port), delivery)]);
    for i in 0..40 {
        router.send(&[written(0, &i.to_string())]).unwrap();
    }
    assert_eq!(router.finish(), []);
    let counters = router.meters().read(0);
    adds_up(counters, 40);
    assert_eq!(counters.written, 40);
    assert!(counters.retries >= 4, "{counters:?}");
    // At least once, and the first time in order.
    let mut once = vec![];
    for payload in broker.payloads() {
        if !once.contains(&payload) {
            once.push(payload);
        }
    }
    assert_eq!(once, lines(40));
    let said = said.lock().unwrap();
    assert!(said[0].contains("mqtt://127.0.0.1:"), "{}", said[0]);
    assert!(said.last().unwrap().ends_with("works again"), "{said:?}");
}

#[test]
fn acknowledgements_may_come_in_any_order() {
    // While the first line waits for its second try, the others come together into the queue.
    let broker = Broker::start(&[Does::Refuse(3), Does::Reverse(7)]);
    let delivery = Delivery {
        timeout: Duration::from_secs(5),
        ..quick()
    };
    let (mut router, _) = router(&[Sink::Mqtt(mqtt(broker.port), delivery)]);
    for i in 0..8 {
        router.send(&[written(0, &i.to_string())]).unwrap();
    }
    assert_eq!(router.finish(), []);
    let counters = router.meters().read(0);
    adds_up(counters, 8);
    assert_eq!((counters.written, counters.retries), (8, 1));
    assert_eq!(broker.payloads(), lines(8));
}

#[test]
fn a_broker_that_does_not_answer_is_given_up_and_all_is_counted() {
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let delivery = Delivery {
        timeout: Duration::from_millis(100),
        retries: 1,
        drain: Duration::from_secs(1),
        ..Delivery::default()
    };
    for (port, why) in [
        (Broker::start(&[Does::Hang]).port, "does not answer"),
        (Broker::start(&[Does::Silent]).port, "does not answer"),
        (Broker::start(&[Does::Refuse(5)]).port, "NotAuthorized"),
        (gone, "Connection refused"),
    ] {
        let (mut router, said) = router(&[Sink::Mqtt(mqtt(port), delivery.clone())]);
        for i in 0..30 {
            router.send(&[written(0, &i.to_string())]).unwrap();
        }
        let begin = Instant::now();
        let losses = router.finish();
        assert!(begin.elapsed() < Duration::from_secs(3));
        let counters = router.meters().read(0);
        adds_up(counters, 30);
        assert_eq!(counters.failed, 30);
        assert!(counters.retries > 0);
        assert!(losses[0].why.as_ref().unwrap().contains(why), "{losses:?}");
        assert!(said.lock().unwrap()[0].contains(why), "{why}");
    }
}

#[test]
fn a_broker_that_does_not_read_or_never_stops_to_talk_holds_nobody_up() {
    let delivery = Delivery {
        timeout: Duration::from_millis(200),
        retries: 1,
        drain: Duration::from_secs(2),
        ..Delivery::default()
    };
    let text = "x".repeat(16 << 20);
    for (does, acknowledged, text) in [
        (&[Does::Deaf], false, text.as_str()),
        (&[Does::Flood], true, "x"),
    ] {
        let broker = Broker::start(does);
        let sink = MqttSink {
            acknowledged,
            ..mqtt(broker.port)
        };
        let (mut router, _) = router(&[Sink::Mqtt(sink, delivery.clone())]);
        router.send(&[written(0, text)]).unwrap();
        router.send(&[written(0, text)]).unwrap();
        let begin = Instant::now();
        let losses = router.finish();
        assert!(begin.elapsed() < Duration::from_secs(4));
        adds_up(router.meters().read(0), 2);
        assert_eq!(losses[0].counters.failed, 2, "{losses:?}");
        let why = losses[0].why.clone().unwrap();
        assert!(why.contains("does not answer"), "{why}");
    }
}

fn mosquitto(program: &str, top: &Path, port: u16) -> Process {
    let log = fs::File::create(top.join("log")).unwrap();
    let child = Command::new(program)
        .args(["-v", "-c"])
        .arg(top.join("conf"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let child = Process(child);
    let begin = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let log = fs::read_to_string(top.join("log")).unwrap();
        assert!(begin.elapsed() < Duration::from_secs(10), "{log}");
        thread::sleep(Duration::from_millis(20));
    }
    child
}

#[test]
#[allow(
    clippy::print_stderr,
    reason = "who reads the log should know what was not tested"
)]
fn mosquitto_gets_every_message_with_a_login_and_over_its_restart() {
    let (Some(program), Some(passwd), Some(sub)) = (
        support::find("mosquitto"),
        support::find("mosquitto_passwd"),
        support::find("mosquitto_sub"),
    ) else {
        eprintln!("skipped: mosquitto and mosquitto-clients are not installed");
        return;
    };
    let top = support::folder("mqtt", "mosquitto");
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    fs::write(top.join("users"), "bob:hunter2\n").unwrap();
    let made = Command::new(passwd)
        .arg("-U")
        .arg(top.join("users"))
        .status();
    assert!(made.unwrap().success());
    fs::write(top.join("login"), "bob\nhunter2\n").unwrap();
    fs::write(top.join("wrong"), "bob\nhunter3\n").unwrap();
    let conf = format!(
        "listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {0}/users\npersistence true\npersistence_location {0}/\nuser root\n",
        top.display()
    );
    fs::write(top.join("conf"), conf).unwrap();
    let broker = mosquitto(&program, &top, port);
    let port_text = port.to_string();
    let listen = |count: &str| {
        // A session that stays, so that a restart loses nothing.
        Command::new(&sub)
            .args([
                "-p", &port_text, "-u", "bob", "-P", "hunter2", "-t", "home/#",
            ])
            .args(["-q", "1", "-c", "-i", "listener", "-C", count, "-W", "30"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let listener = listen("60");
    let begin = Instant::now();
    while !fs::read_to_string(top.join("log"))
        .unwrap()
        .contains("SUBACK")
    {
        assert!(begin.elapsed() < Duration::from_secs(10));
        thread::sleep(Duration::from_millis(20));
    }
    let sink = |login: &str, acknowledged| MqttSink {
        login: Some(top.join(login)),
        acknowledged,
        ..mqtt(port)
    };
    let delivery = Delivery {
        retries: 20,
        timeout: Duration::from_secs(5),
        ..quick()
    };
    let (mut first, _) = router(&[
        Sink::Mqtt(sink("login", true), delivery.clone()),
        Sink::Mqtt(sink("login", false), delivery.clone()),
    ]);
    for i in 0..30 {
        let text = i.to_string();
        first.send(&[written(0, &text), written(1, &text)]).unwrap();
    }
    assert_eq!(first.finish(), []);
    let got = listener.wait_with_output().unwrap().stdout;
    let mut got: Vec<String> = String::from_utf8(got)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    let mut want: Vec<String> = ["a", "b"]
        .iter()
        .flat_map(|o| (0..30).map(|i| line(o, &i.to_string())))
        .collect();
    got.sort();
    want.sort();
    assert_eq!(got, want);

    let (mut second, _) = router(&[Sink::Mqtt(sink("login", true), delivery)]);
    second.send(&[written(0, "0")]).unwrap();
    while second.meters().read(0).written < 1 {
        thread::sleep(Duration::from_millis(5));
    }
    drop(broker);
    for i in 1..10 {
        second.send(&[written(0, &i.to_string())]).unwrap();
    }
    thread::sleep(Duration::from_millis(300));
    let _broker = mosquitto(&program, &top, port);
    let listener = listen("9");
    assert_eq!(second.finish(), []);
    let counters = second.meters().read(0);
    adds_up(counters, 10);
    assert!(
        counters.written == 10 && counters.retries > 0,
        "{counters:?}"
    );
    let got = listener.wait_with_output().unwrap().stdout;
    let got = String::from_utf8(got).unwrap();
    for line in &lines(10)[1..] {
        assert!(got.contains(line), "{line} is not in {got}");
    }

    let (mut third, _) = router(&[Sink::Mqtt(sink("wrong", true), quick())]);
    third.send(&[written(0, "x")]).unwrap();
    let losses = third.finish();
    adds_up(third.meters().read(0), 1);
    assert_eq!(losses[0].counters.failed, 1);
    assert!(
        losses[0].why.as_ref().unwrap().contains("NotAuthorized"),
        "{losses:?}"
    );
}
