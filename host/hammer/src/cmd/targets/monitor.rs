//! `hmr targets monitor`: metrics of all devices, over HTTP.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rune_exporters::metrics::Format;
use rune_terminal::Failure;

use super::Which;
use crate::{
    client::{Client, Error, Patience},
    cmd::say,
    find::{Search, Target, search, seed},
    monitor::{Devices, MOST_DEVICES, Seen},
};

pub(crate) const EXAMPLES: &str = "\
Devices are looked for and asked at each interval. One that is gone is `device_up 0`, until it is forgotten.

Examples:
  hmr targets monitor --listen 127.0.0.1:9465
  hmr targets monitor --listen 127.0.0.1:9465 --udp 192.168.7.2 --interval 60
  curl -s http://127.0.0.1:9465/metrics";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// Where to answer
    #[arg(long, value_name = "HOST:PORT")]
    listen: String,
    /// Seconds from one time that devices are asked to the next
    #[arg(long, value_name = "SECONDS", default_value_t = 15.0)]
    interval: f32,
    /// Seconds after which a device that is gone is forgotten
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    forget: u64,
}

/// How many devices are asked at once.
const JOBS: usize = 16;
/// How many clients are answered at once; more are sent away.
const CLIENTS: usize = 16;
/// How long a client may take for its request, and for the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most bytes of the head of a request.
const MOST_HEAD: usize = 8 << 10;
/// How long a device is waited for.
const ASKED: Patience = Patience {
    first: Duration::from_millis(500),
    tries: 3,
};

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let find = args.which.search()?;
    let interval = Duration::try_from_secs_f32(args.interval).ok();
    let interval = interval.filter(|interval| !interval.is_zero());
    let interval = interval.ok_or_else(|| Failure::usage("--interval takes seconds"))?;
    let forget = Duration::from_secs(args.forget);
    let wanted = &args.which.target;
    let at = &args.listen;
    let failed = |e: io::Error| Failure::usage(format_args!("{at}: {e}"));
    let listener = TcpListener::bind(at).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let devices = Mutex::new(Devices::default());
    thread::scope(|scope| {
        scope.spawn(|| {
            // Those that were seen, and where they are.
            let mut known: Vec<Target> = vec![];
            loop {
                let begun = Instant::now();
                look(&find, wanted, &mut known);
                ask(&mut known, &devices, forget);
                thread::sleep(interval.saturating_sub(begun.elapsed()));
            }
        });
        say(&format!("metrics are at http://{bound}/metrics"));
        serve(&listener, &devices)
    })
}

fn lock(devices: &Mutex<Devices>) -> std::sync::MutexGuard<'_, Devices> {
    devices.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds the devices that are found to those that are known.
fn look(find: &Search, wanted: &[String], known: &mut Vec<Target>) {
    // Where there is no multicast now there may be the next time.
    let found = search(find).unwrap_or_default();
    for target in found {
        let is_wanted = wanted.is_empty() || wanted.iter().any(|w| target.id.starts_with(&**w));
        if !is_wanted || target.about.is_none() {
            continue;
        }
        if let Some(other) = known.iter_mut().find(|other| other.id == target.id) {
            *other = target;
        } else if known.len() < MOST_DEVICES {
            known.push(target);
        }
    }
}

/// Asks each device, several at once.
fn ask(known: &mut Vec<Target>, devices: &Mutex<Devices>, forget: Duration) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..JOBS.min(known.len()) {
            scope.spawn(|| {
                while let Some(target) = known.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let seen = one(target);
                    let now = Instant::now();
                    match seen {
                        Ok(seen) => lock(devices).seen(&target.id, seen, now),
                        Err(_) => lock(devices).missed(&target.id, now, forget),
                    }
                }
            });
        }
    });
    let devices = lock(devices);
    known.retain(|target| devices.ids().any(|id| target.id.starts_with(id)));
}

fn one(target: &Target) -> Result<Seen, Error> {
    let address = target.addresses.first().ok_or(Error::Silent)?;
    let mut client = Client::new(address.open()?, seed(), ASKED);
    let about = client.meet()?;
    let mut runes = vec![];
    for rune in client.runes()? {
        let counters = client.counters(Some(&rune.name))?;
        runes.push((rune, counters));
    }
    Ok(Seen { about, runes })
}

/// Answers for ever.
fn serve(listener: &TcpListener, devices: &Mutex<Devices>) -> Result<(), Failure> {
    let clients = AtomicUsize::new(0);
    thread::scope(|scope| {
        loop {
            let Ok((stream, _)) = listener.accept() else {
                // There are too many files open, as a rule.
                thread::sleep(Duration::from_millis(100));
                continue;
            };
            if clients.fetch_add(1, Ordering::SeqCst) >= CLIENTS {
                clients.fetch_sub(1, Ordering::SeqCst);
                continue;
            }
            scope.spawn(|| {
                // Whoever asked may have gone.
                let _ = answer(stream, devices);
                clients.fetch_sub(1, Ordering::SeqCst);
            });
        }
    })
}

/// Answers one request and closes the connection.
fn answer(mut stream: TcpStream, devices: &Mutex<Devices>) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let Some(head) = head(&mut stream)? else {
        return Ok(());
    };
    let (line, rest) = head.split_once("\r\n").unwrap_or((&head, ""));
    let words: Vec<&str> = line.split(' ').collect();
    let accepts = rest.lines().filter_map(|line| line.split_once(':'));
    let accepts = accepts.filter(|(name, _)| name.eq_ignore_ascii_case("accept"));
    let accepts: Vec<&str> = accepts.map(|(_, value)| value).collect();
    let format = Format::accepted(&accepts.join(","));
    let text = |status, body: &str| (status, "text/plain", body.to_owned());
    let (status, kind, body) = match words[..] {
        ["GET" | "HEAD", path, version] if version.starts_with("HTTP/1.") => {
            if path.split('?').next() == Some("/metrics") {
                let body = lock(devices).text(format);
                ("200 OK", format.content_type(), body)
            } else {
                text("404 Not Found", "there is /metrics\n")
            }
        }
        [_, _, version] if version.starts_with("HTTP/1.") => {
            text("405 Method Not Allowed", "only GET\n")
        }
        _ => text("400 Bad Request", "it is not a request\n"),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    if words.first() != Some(&"HEAD") {
        stream.write_all(body.as_bytes())?;
    }
    stream.shutdown(Shutdown::Write)
}

/// The head of a request, as far as it fits; `None` where the client has gone.
fn head(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let until = Instant::now() + PATIENCE;
    let mut head = vec![];
    let mut chunk = [0; 1024];
    while head.len() < MOST_HEAD && !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = until.saturating_duration_since(Instant::now());
        // A time-out of zero is none.
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        match stream.read(&mut chunk)? {
            0 => return Ok(None),
            n => head.extend_from_slice(&chunk[..n]),
        }
    }
    Ok(Some(String::from_utf8_lossy(&head).into_owned()))
}
