//! Clients of SMP that others wrote against `rune serve` and the emulated board: over UDP, over a pseudo terminal, and over
//! the board's serial port. Where the clients cannot be had, or the board not be run, the tests say that they are skipped.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "smp/air.rs"]
mod air;
#[path = "smp/ble.rs"]
mod ble;
#[path = "smp/clients.rs"]
mod clients;

use std::{
    env,
    fmt::Write as _,
    fs,
    net::UdpSocket,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use clients::{Address, Clients, Said};
use ed25519_compact::{KeyPair, Seed};
use rune_codegen::{Options, Simd};
use rune_link::{Install, Request};
use rune_runtime::{
    Compiler, Runtime,
    serve::{Manage, Server},
};
use rune_testsuite::{
    engines,
    qemu::{Boot, Firmware, Machine, missing},
    skip,
    terminal::{Carrier, Nobody, Terminal},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A folder of a test, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("rune-smp-{}-{count}", process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A rune of this version that runs on both, larger than a few packets.
fn rune(folder: &Folder, version: u32) -> PathBuf {
    let text = format!(
        "FROM runicos/base\nLABEL name=noise version={version}.0.0\nCAPABILITY<F32[4]> RAND noise\n\
         OUT SERIAL serial\nRUN noise serial\n"
    );
    let runefile = folder.file("Runefile", text);
    let options = Options {
        simd: Simd::Off,
        ..Options::default()
    };
    let compiled = engines::compile(&runefile, &options);
    let mut wasm = compiled.output.expect("it compiles").wasm;
    // A section that nobody reads: its length takes two bytes, as those of its content do.
    let content = [&[7][..], b"padding", &[0x5A; 6000]].concat();
    wasm.extend([
        0,
        (content.len() & 0x7F) as u8 | 0x80,
        (content.len() >> 7) as u8,
    ]);
    wasm.extend(content);
    folder.file(&format!("v{version}.rune"), wasm)
}

fn digest(path: &Path) -> [u8; 32] {
    Sha256::digest(fs::read(path).unwrap()).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

/// A server of an empty folder.
struct Served {
    server: Arc<Server>,
    said: Arc<Mutex<Vec<String>>>,
    folder: Folder,
}

const POLICY: &str = "version = 1
schedule = { every-ms = 50 }
[capabilities.noise]
kind = \"RAND\"
seed = 1
[outputs.serial]
kind = \"SERIAL\"
sink = \"discard\"
";

impl Served {
    fn new(manage: &Manage) -> Self {
        let folder = Folder::new();
        let served = folder.0.join("served");
        fs::create_dir(&served).unwrap();
        fs::write(served.join("policy.toml"), POLICY).unwrap();
        let said = Arc::new(Mutex::new(vec![]));
        let heard = said.clone();
        let say = Arc::new(move |_, rune: &str, text: &str| {
            heard.lock().unwrap().push(format!("{rune}: {text}"));
        });
        let runtime = Runtime::new(Compiler::InProcess, None).unwrap();
        let server = Server::start(&served, None, runtime, say).unwrap();
        server.manage(manage).unwrap();
        Self {
            server,
            said,
            folder,
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.stop();
    }
}

/// An address of this machine that no other test has; stock clients know one port.
fn address() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let id = process::id();
    format!("127.{}.{}.{count}", 100 + (id >> 8) % 100, id & 0xFF)
}

/// Of every image: its number, slot and version, and whether it is confirmed and runs.
fn images(clients: &Clients, address: &Address) -> Vec<(u64, u64, String, bool, bool)> {
    let read = clients.read(address, &["image", "get-state"]);
    let images = read.as_array().unwrap().iter().map(|image| {
        let number = |name: &str| image[name].as_u64().unwrap();
        let flag = |name: &str| image[name].as_bool().unwrap();
        (
            number("image"),
            number("slot"),
            image["version"].as_str().unwrap().to_owned(),
            flag("confirmed"),
            flag("active"),
        )
    });
    images.collect()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_mins(2), "not {what}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// What our script of smpclient does to an open device without runes: an upload that is cut goes on where it was.
fn upload(clients: &Clients, address: &Address, board: &str, slots: u64, file: &Path) {
    let told = clients.script("client.py", address, file);
    let size = fs::metadata(file).unwrap().len();
    assert_eq!(told["echo"], "over there");
    assert!(told["cut"].as_u64().unwrap() >= size / 2 && told["cut"].as_u64().unwrap() < size);
    assert_eq!(told["resumed"], told["cut"]);
    assert_eq!(told["uploaded"], size);
    assert_eq!(told["about"], json!(["open", board, slots]));
    let digest = hex(&digest(file));
    assert_eq!(
        told["images"],
        json!([[1, 1, "1.0.0", digest, true, false]])
    );
}

/// Everything that a client may do to an open device.
fn conform(clients: &Clients, address: &Address, board: &str, slots: u64) {
    let folder = Folder::new();
    let [one, two] = [1, 2].map(|version| rune(&folder, version));
    let [first, second] = [&one, &two].map(|path| hex(&digest(path)));
    let smpmgr = |arguments: &[&str]| {
        let said = clients.smpmgr(address, arguments);
        assert!(said.is_well, "{arguments:?}: {}", said.text);
        said.text
    };
    let read = |arguments: &[&str]| clients.read(address, arguments);
    let write = |command: &str, map: &Value| {
        read(&["raw", "write", "64", command, &map.to_string()]);
    };
    let v = |n: u64, slot: u64, version: &str, confirmed: bool, active: bool| {
        (n, slot, version.to_owned(), confirmed, active)
    };

    assert!(smpmgr(&["os", "echo", "hello"]).contains("r='hello'"));
    let parameters = read(&["os", "mcumgr-parameters"]);
    assert!(
        parameters["buf_size"].as_u64().unwrap() >= 1024,
        "{parameters}"
    );
    assert!(
        read(&["os", "application-info"])
            .to_string()
            .contains("RunicOS")
    );
    assert_eq!(images(clients, address), []);

    upload(clients, address, board, slots, &one);

    // Tried, and confirmed.
    smpmgr(&["image", "state-write", &first]);
    assert_eq!(images(clients, address), [v(1, 0, "1.0.0", false, true)]);
    smpmgr(&["image", "state-write", "--confirm"]);
    assert_eq!(images(clients, address), [v(1, 0, "1.0.0", true, true)]);
    let rune = read(&["raw", "read", "64", "1"]);
    assert_eq!(
        (&rune["name"], &rune["state"]),
        (&json!("noise"), &json!("confirmed"))
    );

    // The next one by another client; what it goes back to stays.
    assert!(
        clients
            .mcumgrctl(address, &["image", "upload", two.to_str().unwrap()])
            .is_well
    );
    assert!(
        clients
            .mcumgrctl(address, &["image", "set-state", "--hash", &second])
            .is_well
    );
    assert_eq!(
        images(clients, address),
        [v(1, 0, "2.0.0", false, true), v(1, 1, "1.0.0", true, false)]
    );
    write("9", &json!({"name": "noise"}));
    let after = images(clients, address);
    assert_eq!(after[0], v(1, 0, "1.0.0", true, true));
    // What was rolled back is tried no more.
    let again = clients.mcumgrctl(address, &["image", "set-state", "--hash", &second]);
    assert!(!again.is_well, "{}", again.text);

    // Stopped and started, and what it counts.
    let doing = || read(&["raw", "read", "64", "1"])["doing"].clone();
    write("7", &json!({"name": "noise"}));
    until("stopped", || doing() == "stopped");
    write("6", &json!({"name": "noise"}));
    until("running", || doing() == "running");
    let statistics = read(&["stats", "get", "noise"]);
    assert!(
        statistics["noise"]["starts"].as_u64().unwrap() >= 1,
        "{statistics}"
    );
    assert!(smpmgr(&["statistics", "get", "rune"]).contains("starts"));
    let groups = read(&["enum", "list-groups"]);
    assert!(groups.to_string().contains("64"), "{groups}");

    // What is no rune is refused, and why is said.
    let text = folder.file("no.rune", vec![b'x'; 3000]);
    let firmware = folder.file(
        "firmware.bin",
        [&[0x3D, 0xB8, 0xF3, 0x96][..], &[0; 3000]].concat(),
    );
    let mut torn = fs::read(&two).unwrap();
    torn.truncate(4000);
    let torn = folder.file("torn.rune", torn);
    for path in [&text, &firmware, &torn] {
        let said = clients.smpmgr(
            address,
            &["image", "upload", "--format", "any", path.to_str().unwrap()],
        );
        assert!(!said.is_well || said.text.contains("rror"), "{}", said.text);
        assert_eq!(images(clients, address)[0], v(1, 0, "1.0.0", true, true));
    }
    let why = read(&["raw", "read", "64", "5"]);
    assert!(!why["why"].as_str().unwrap().is_empty(), "{why}");

    // What it asks for, as a file.
    let status = read(&["fs", "status", "/manifest/noise"]);
    let local = one.with_file_name("manifest");
    let local = local.to_str().unwrap();
    let download = clients.mcumgrctl(address, &["fs", "download", "/manifest/noise", local]);
    assert!(download.is_well, "{}", download.text);
    let manifest = fs::read(local).unwrap();
    let length = manifest.len().to_string();
    assert!(status.to_string().contains(&length), "{status}");
    assert!(manifest.windows(5).any(|word| word == b"noise"));
    let nothing = clients.mcumgrctl(address, &["fs", "download", "/etc/passwd", local]);
    assert!(!nothing.is_well, "{}", nothing.text);
    let written = clients.mcumgrctl(address, &["fs", "upload", local, "/manifest/noise"]);
    assert!(!written.is_well, "{}", written.text);

    // Erased is what does not run, and a reset starts what stays.
    assert!(clients.mcumgrctl(address, &["image", "erase"]).is_well);
    smpmgr(&["os", "reset"]);
    until("there again", || {
        clients.smpmgr(address, &["os", "echo", "again"]).is_well
            && images(clients, address) == [v(1, 0, "1.0.0", true, true)]
    });
    write("10", &json!({"name": "noise"}));
    assert_eq!(images(clients, address), []);
}

#[test]
fn a_served_folder_is_managed_over_udp() {
    let Some(clients) = Clients::find("a_served_folder_is_managed_over_udp") else {
        return;
    };
    let ip = address();
    let _served = Served::new(&Manage {
        udp: Some(ip.clone()),
        ..Manage::default()
    });
    conform(clients, &Address::Udp(ip), "linux", 33);
}

#[test]
fn a_served_folder_is_managed_over_a_terminal() {
    let Some(clients) = Clients::find("a_served_folder_is_managed_over_a_terminal") else {
        return;
    };
    let (mut own, mut theirs) = (Terminal::new().unwrap(), Terminal::new().unwrap());
    let _carrier = Carrier::new(own.master().unwrap(), theirs.master().unwrap());
    let _served = Served::new(&Manage {
        serial: Some(own.path.clone()),
        ..Manage::default()
    });
    conform(clients, &Address::Serial(theirs.path.clone()), "linux", 33);
}

/// The firmware with both links; `None` where there is nothing to build or run it with.
fn firmware(test: &str) -> Option<&'static Firmware> {
    static FIRMWARE: OnceLock<Firmware> = OnceLock::new();
    if let Some(why) = missing() {
        skip(test, &why);
        return None;
    }
    Some(FIRMWARE.get_or_init(|| Firmware::build(&["ethernet"]).unwrap()))
}

#[test]
fn a_board_is_managed_over_its_serial_port() {
    const TEST: &str = "a_board_is_managed_over_its_serial_port";
    let (Some(clients), Some(firmware)) = (Clients::find(TEST), firmware(TEST)) else {
        return;
    };
    let mut machine = Machine::boot(firmware, &Boot::default()).unwrap();
    let mut terminal = Terminal::new().unwrap();
    let link = machine.talk_over(Box::new(Nobody));
    let _carrier = Carrier::new(link, terminal.master().unwrap());
    conform(
        clients,
        &Address::Serial(terminal.path.clone()),
        "mps2-an500",
        7,
    );
}

#[test]
fn a_board_is_managed_over_udp() {
    const TEST: &str = "a_board_is_managed_over_udp";
    let (Some(clients), Some(firmware)) = (Clients::find(TEST), firmware(TEST)) else {
        return;
    };
    let ip = address();
    let network = format!("user,model=lan9118,hostfwd=udp:{ip}:1337-:1337");
    let boot = Boot {
        more: &["-nic", &network],
        ..Boot::default()
    };
    let machine = Machine::boot(firmware, &boot).unwrap();
    machine.wait_for_line("ethernet: 10.0.2.15", 0).unwrap();
    conform(clients, &Address::Udp(ip), "mps2-an500", 7);
}

/// A map of CBOR: names, and numbers or bytes.
fn map(values: &[(&str, Piece<'_>)]) -> Vec<u8> {
    let head = |kind: u8, length: usize| match length {
        0..24 => vec![(kind << 5) + length as u8],
        24..256 => vec![(kind << 5) + 24, length as u8],
        _ => [&[(kind << 5) + 25][..], &(length as u16).to_be_bytes()].concat(),
    };
    let mut bytes = head(5, values.len());
    for (name, value) in values {
        bytes.extend([&head(3, name.len())[..], name.as_bytes()].concat());
        match value {
            Piece::Number(number) => bytes.extend(head(0, *number as usize)),
            Piece::Bytes(content) => bytes.extend([&head(2, content.len())[..], content].concat()),
        }
    }
    bytes
}

enum Piece<'a> {
    Number(u16),
    Bytes(&'a [u8]),
}

/// A packet that writes, of version 2.
fn packet(group: u8, command: u8, body: &[u8]) -> Vec<u8> {
    let [l1, l0] = (body.len() as u16).to_be_bytes();
    [&[0x0A, 0, l1, l0, 0, group, 1, command][..], body].concat()
}

/// A request that is signed for a device since one of its starts.
fn signed(key: &KeyPair, device: &[u8], nonce: &[u8], sequence: u16, frame: &[u8]) -> Vec<u8> {
    let number = u32::from(sequence).to_be_bytes();
    let message = [b"rune-smp-v1\0", device, nonce, &number, frame].concat();
    let body = map(&[
        ("id", Piece::Bytes(device)),
        ("nonce", Piece::Bytes(nonce)),
        ("seq", Piece::Number(sequence)),
        ("frame", Piece::Bytes(frame)),
        ("key", Piece::Bytes(&key.pk[..])),
        ("sig", Piece::Bytes(&key.sk.sign(&message, None)[..])),
    ]);
    packet(64, 16, &body)
}

/// What a device answers, without the header.
fn ask(ip: &str, packet: &[u8]) -> Vec<u8> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    socket.send_to(packet, (ip, 1337)).unwrap();
    let mut answer = [0; 8192];
    let (bytes, _) = socket.recv_from(&mut answer).unwrap();
    answer[8..bytes].to_vec()
}

/// `{"rc": 11}`.
const DENIED: &[u8] = b"\xa1\x62rc\x0b";

/// Whether smpmgr was told that it may not; of an upload it shows the reply.
fn is_denied(said: &Said) -> bool {
    said.text.contains("EACCESSDENIED") || said.text.contains("rc=11")
}

/// What a device that has the key of seed 1 says of itself, id and nonce.
fn lock(clients: &Clients, address: &Address) -> (Vec<u8>, Vec<u8>) {
    let about = clients.read(address, &["raw", "read", "64", "0"]);
    assert_eq!(about["mode"], "locked");
    let bytes = |name: &str| {
        let numbers = about[name].as_array().unwrap().iter();
        numbers
            .map(|number| number.as_u64().unwrap() as u8)
            .collect()
    };
    (bytes("id"), bytes("nonce"))
}

/// A device that has the key of seed 1 does what is signed for it, once, and nothing else.
fn refuse(clients: &Clients, ip: &str, others: &(Vec<u8>, Vec<u8>)) {
    let address = Address::Udp(ip.to_owned());
    let folder = Folder::new();
    let one = rune(&folder, 1);
    let path = one.to_str().unwrap();
    // It answers what changes nothing, and stock clients can do no more.
    assert!(clients.smpmgr(&address, &["os", "echo", "hello"]).is_well);
    let uploaded = clients.smpmgr(&address, &["image", "upload", "--format", "any", path]);
    assert!(is_denied(&uploaded), "{}", uploaded.text);
    for arguments in [
        &["image", "upload", path][..],
        &["image", "set-state", "--confirm"],
        &["image", "erase"],
        &["os", "system-reset"],
        &["raw", "write", "64", "7", r#"{"name": "noise"}"#],
    ] {
        let said = clients.mcumgrctl(&address, arguments);
        assert!(!said.is_well, "{arguments:?}: {}", said.text);
    }

    let (device, nonce) = lock(clients, &address);
    let file = fs::read(&one).unwrap();
    let first = packet(
        1,
        1,
        &map(&[
            ("off", Piece::Number(0)),
            ("len", Piece::Number(file.len() as u16)),
            ("sha", Piece::Bytes(&digest(&one))),
            ("data", Piece::Bytes(&file[..128])),
        ]),
    );
    let [own, stranger] = [1, 2].map(|seed| KeyPair::from_seed(Seed::new([seed; 32])));
    let right = signed(&own, &device, &nonce, 1, &first);
    let mut forged = right.clone();
    *forged.last_mut().unwrap() ^= 1;
    let mut altered = right.clone();
    let at = altered
        .windows(4)
        .position(|w| w == &file[100..104])
        .unwrap();
    altered[at] ^= 1;
    for refused in [
        forged,
        altered,
        signed(&stranger, &device, &nonce, 1, &first),
        signed(&own, &others.0, &nonce, 1, &first),
        signed(&own, &device, &others.1, 1, &first),
        signed(&own, &others.0, &others.1, 1, &first),
    ] {
        assert_eq!(ask(ip, &refused), DENIED);
    }
    assert_eq!(images(clients, &address), []);
    assert_eq!(ask(ip, &right), b"\xa1\x63off\x18\x80");
    // Once.
    assert_eq!(ask(ip, &right), DENIED);
    // What was announced any client may send, and nothing more.
    let uploaded = clients.smpmgr(&address, &["image", "upload", "--format", "any", path]);
    assert!(uploaded.is_well, "{}", uploaded.text);
    let test = clients.smpmgr(&address, &["image", "state-write", &hex(&digest(&one))]);
    assert!(is_denied(&test), "{}", test.text);
    let test = packet(1, 0, &map(&[("hash", Piece::Bytes(&digest(&one)))]));
    let answer = ask(ip, &signed(&own, &device, &nonce, 2, &test));
    assert!(answer.windows(6).any(|w| w == b"images"), "{answer:02x?}");
    assert_eq!(images(clients, &address)[0].2, "1.0.0");
    assert!(images(clients, &address)[0].4);
}

#[test]
fn a_locked_folder_refuses_stock_clients_and_what_is_forged() {
    let Some(clients) = Clients::find("a_locked_folder_refuses_stock_clients_and_what_is_forged")
    else {
        return;
    };
    let key = KeyPair::from_seed(Seed::new([1; 32])).pk;
    let keys = vec![format!("ed25519:{}", hex(&key[..])).parse().unwrap()];
    let [ip, other] = [address(), address()];
    let serve = |ip: &str| {
        Served::new(&Manage {
            udp: Some(ip.to_owned()),
            keys: keys.clone(),
            ..Manage::default()
        })
    };
    let (served, another) = (serve(&ip), serve(&other));
    let others = lock(clients, &Address::Udp(other.clone()));
    refuse(clients, &ip, &others);
    // The id is the folder's, and the nonce that of one start.
    let (device, nonce) = lock(clients, &Address::Udp(ip.clone()));
    assert_eq!(
        fs::read_to_string(served.folder.0.join("served/device-id"))
            .unwrap()
            .trim(),
        hex(&device)
    );
    assert!(device != others.0 && nonce != others.1);
    assert!(
        served
            .said
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.contains("locked"))
    );
    drop(another);
}

#[test]
fn a_locked_board_refuses_stock_clients_and_what_is_forged() {
    const TEST: &str = "a_locked_board_refuses_stock_clients_and_what_is_forged";
    let Some(clients) = Clients::find(TEST) else {
        return;
    };
    if let Some(why) = missing() {
        return skip(TEST, &why);
    }
    let own = KeyPair::from_seed(Seed::new([1; 32]));
    let firmware = Firmware::build_locked(&hex(&own.pk[..])).unwrap();
    let boot = |ip: &str, mac: u8, flash: Option<&Path>| {
        let network =
            format!("user,model=lan9118,mac=52:54:00:12:34:{mac:02x},hostfwd=udp:{ip}:1337-:1337");
        let boot = Boot {
            flash,
            more: &["-nic", &network],
            ..Boot::default()
        };
        let machine = Machine::boot(&firmware, &boot).unwrap();
        machine.wait_for_line("ethernet: 10.0.2.15", 0).unwrap();
        machine
    };
    let [ip, other] = [address(), address()];
    let others = {
        let _another = boot(&other, 0x57, None);
        lock(clients, &Address::Udp(other.clone()))
    };
    let folder = Folder::new();
    let flash = folder.0.join("flash");
    let mut machine = boot(&ip, 0x56, Some(&flash));
    let udp = Address::Udp(ip.clone());
    let (device, nonce) = lock(clients, &udp);
    refuse(clients, &ip, &others);
    // Its other protocol is no way around that.
    for request in [Request::Reset, Request::Install(Install::Remove("noise"))] {
        let refused = machine.request(&request).unwrap_err();
        assert!(refused.contains("locked"), "{refused}");
    }
    // What was signed before a start is nothing after it, and what was tried runs on.
    let stop = packet(64, 7, &map(&[]));
    let before = signed(&own, &device, &nonce, 100, &stop);
    let reset = packet(0, 5, &map(&[]));
    assert_eq!(ask(&ip, &signed(&own, &device, &nonce, 3, &reset)), b"\xa0");
    machine.wait_for_start(2).unwrap();
    let (same, next) = lock(clients, &udp);
    assert!(same == device && next != nonce);
    assert_eq!(ask(&ip, &before), DENIED);
    assert_eq!(images(clients, &udp)[0].2, "1.0.0");
}
