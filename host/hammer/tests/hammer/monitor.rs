//! `hmr targets monitor` against devices of this machine: what it answers follows its format, and says what devices do.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rune_hammer::monitor::FAMILIES;

use crate::{
    devices::{Device, rune},
    support::{done, folder, hmr},
};

/// The program while it runs, and where it answers.
struct Monitor {
    program: Child,
    address: String,
}

impl Monitor {
    fn start(folder: &Path, to: &[&str]) -> Self {
        let mut program = Command::new(env!("CARGO_BIN_EXE_hmr"))
            .args(["targets", "monitor", "--listen", "127.0.0.1:0"])
            .args(["--interval", "0.1"])
            .args(to)
            .current_dir(folder)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(program.stderr.take().unwrap());
        said.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("metrics are at http://");
        let address = address.and_then(|rest| rest.strip_suffix("/metrics"));
        Self {
            address: address.expect(&line).to_owned(),
            program,
        }
    }

    /// What it answers: the first line, and the body.
    fn get(&self, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    fn metrics(&self) -> String {
        let accept = "Accept: application/openmetrics-text;version=1.0.0";
        let (status, body) = self.get(&format!("GET /metrics HTTP/1.1\r\n{accept}\r\n\r\n"));
        assert_eq!(status, "HTTP/1.1 200 OK");
        body
    }

    /// Its samples, once one of them is so.
    fn until(&self, is_so: impl Fn(&BTreeMap<String, f64>) -> bool) -> BTreeMap<String, f64> {
        let begun = Instant::now();
        loop {
            let text = self.metrics();
            let samples = samples(&text);
            if is_so(&samples) {
                return samples;
            }
            assert!(begun.elapsed() < Duration::from_mins(2), "{text}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        drop(self.program.kill());
        drop(self.program.wait());
    }
}

/// The samples of a text in `OpenMetrics`, of which each stands in its family and once.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let mut name = String::new();
    let mut seen = BTreeSet::new();
    for line in text.strip_suffix("# EOF\n").unwrap().lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let family = rest.split(' ').next().unwrap();
            let family = FAMILIES.iter().find(|f| f.name == family).unwrap();
            name = family.sample_name();
            assert!(seen.insert(name.clone()), "{line} comes twice");
        } else if !line.starts_with("# ") {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert_eq!(sample.split('{').next(), Some(&*name), "{line}");
            let value = value.parse().unwrap();
            assert_eq!(samples.insert(sample.to_owned(), value), None, "{line}");
        }
    }
    assert_eq!(seen.len(), FAMILIES.len());
    samples
}

#[test]
fn devices_and_their_runes_are_metrics_and_a_device_that_is_gone_is_down() {
    let folder = folder("monitor");
    let [one, two] = [41, 42].map(|number| Device::new(&folder, number, &[]));
    rune(&folder, 1);
    done(
        &folder,
        &["targets", "cast", "noise1.rune", "--udp", &one.address],
    );
    let monitor = Monitor::start(&folder, &["--udp", &one.address, "--udp", &two.address]);
    let [first, second] = [&one, &two].map(|device| format!("target=\"{}\"", device.name()));
    let up = |target: &str| format!("device_up{{{target},board=\"linux\"}}");
    let calls = format!("device_rune_calls_total{{{first},rune=\"noise\",result=\"output\"}}");
    let both = monitor.until(|samples| {
        [&first, &second]
            .iter()
            .all(|t| samples.get(&up(t)) == Some(&1.0))
            && samples.get(&calls) > Some(&0.0)
    });
    assert_eq!(
        both[&format!("device_rune_running{{{first},rune=\"noise\"}}")],
        1.0
    );
    assert!(both[&format!("device_uptime_seconds{{{second}}}")] > 0.0);
    let info = format!("device_rune_info{{{first},rune=\"noise\",version=\"1.0.0\",digest=");
    assert!(
        both.keys().any(|sample| sample.starts_with(&info)),
        "{both:?}"
    );
    // It goes on as the device does.
    monitor.until(|samples| samples[&calls] > both[&calls]);

    // Whoever asks for no format gets the one that Prometheus' tool reads.
    let (_, old) = monitor.get("GET /metrics HTTP/1.1\r\n\r\n");
    assert!(old.contains("# TYPE device_rune_calls_total counter\n") && !old.contains("# EOF"));
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    if let Ok(mut promtool) = promtool {
        promtool
            .stdin
            .take()
            .unwrap()
            .write_all(old.as_bytes())
            .unwrap();
        let said = promtool.wait_with_output().unwrap();
        assert!(said.status.success() && said.stdout.is_empty(), "{said:?}");
    } else {
        eprintln!("skipped: promtool is not installed");
    }
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "404 Not Found"),
        ("POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
        ("hello\r\n\r\n", "400 Bad Request"),
        (&"x".repeat(9000), "400 Bad Request"),
    ] {
        assert_eq!(monitor.get(request).0, format!("HTTP/1.1 {status}"));
    }

    drop(two);
    let after = monitor.until(|samples| samples.get(&up(&second)) == Some(&0.0));
    assert_eq!(after[&up(&first)], 1.0);
    assert!(!after.contains_key(&format!("device_uptime_seconds{{{second}}}")));
}

#[test]
fn a_place_that_cannot_be_had_is_said() {
    let folder = folder("monitor-wrong");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    let args = ["targets", "monitor", "--udp", "127.0.0.1:9", "--listen"];
    let (status, _, said) = hmr(&folder, &[&args[..], &[&at]].concat());
    assert_eq!(status, 2);
    assert!(said.contains(&at), "{said}");
    let args = [&args[..], &["127.0.0.1:0", "--interval", "0"]].concat();
    let (status, _, said) = hmr(&folder, &args);
    assert_eq!(status, 2);
    assert!(said.contains("--interval takes seconds"), "{said}");
}
