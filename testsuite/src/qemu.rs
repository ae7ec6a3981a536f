//! The firmware of `boards/mps2-an500` on QEMU: built, booted, and talked to over its serial ports.

use std::{
    env, fmt, fs,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::{fs::DirBuilderExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SectionKind, elf};
use rune_link::{Decoder, Frame, PAYLOAD_BYTES, Reply, Request};
use runec::toolchain::Rust;

pub use install::{Slot, Unit};

use crate::root;

mod install;

/// The target of the firmware.
pub const TARGET: &str = "thumbv7em-none-eabihf";
const QEMU: &str = "qemu-system-arm";

/// A board whose firmware is in the repository.
#[derive(Clone, Copy, Debug)]
pub struct Board {
    /// Where it is.
    pub folder: &'static str,
    program: &'static str,
    /// The features of which each is linted by itself.
    pub lints: &'static [&'static str],
    /// Features, and most bytes of flash with them.
    pub bounds: &'static [(&'static [&'static str], u64)],
}

/// Most bytes of flash of the firmware of the board that QEMU has: plain, with SIMD, with Bluetooth, with Ethernet.
const PLAIN_BYTES: u64 = 512 << 10;
const SIMD_BYTES: u64 = 832 << 10;
const BLE_BYTES: u64 = 640 << 10;
/// See [`BOARD`].
pub const ETHERNET_BYTES: u64 = 608 << 10;

/// The board that QEMU has.
pub const BOARD: Board = Board {
    folder: "boards/mps2-an500",
    program: "rune-mps2-an500",
    lints: &["", "crash", "simd", "ethernet", "locked", "ble"],
    bounds: &[
        (&[], PLAIN_BYTES),
        (&["simd"], SIMD_BYTES),
        (&["ble"], BLE_BYTES),
        (&["ethernet"], ETHERNET_BYTES),
    ],
};

/// All boards.
pub const BOARDS: [Board; 2] = [
    BOARD,
    Board {
        folder: "boards/portenta-h7",
        program: "rune-portenta-h7",
        lints: &["", "crash", "simd", "bluetooth"],
        // It is as large as its slot at most, in which SIMD and Bluetooth have no room together.
        bounds: &[
            (&[], 640 << 10),
            (&["simd", "smp"], 768 << 10),
            (&["bluetooth"], 704 << 10),
        ],
    },
];

/// How long a board that works may take for anything. A test that waits so long has failed.
const PATIENCE: Duration = Duration::from_mins(2);

/// How often the console is looked at while a reply does not come.
const GLANCE: Duration = Duration::from_millis(20);

/// What a board says whose flash was told to stop, and what a request is answered with that reached the stop.
pub const STOPPED: &str = "the flash has stopped";

/// What is missing here for the board, as a sentence; `None` where all is there.
pub fn missing() -> Option<String> {
    if toolchain().is_none() {
        return Some(format!(
            "no compiler for {TARGET}: `rustup target add {TARGET}`, or `apt install rustc-web \
             cargo-web rust-web-src lld`"
        ));
    }
    let asked = Command::new(QEMU).arg("--version").output();
    let is_there = asked.is_ok_and(|o| o.status.success());
    (!is_there).then(|| format!("no {QEMU}: `apt install qemu-system-arm`"))
}

/// The compiler of the firmware, if there is one.
pub fn toolchain() -> Option<Rust> {
    Rust::for_target(TARGET, "ld.lld")
}

/// Configuration of cargo by which a firmware names its files from the root of the repository on, or of the registry: so
/// it is as large wherever it is built, and smaller.
fn short_paths() -> String {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let sources = home.map(|home| home.join("registry/src"));
    let indices = sources.and_then(|sources| fs::read_dir(sources).ok());
    let indices = indices.into_iter().flatten().flatten().map(|e| e.path());
    let flags = indices.chain([root().to_owned()]).map(|folder| {
        let flag = format!("--remap-path-prefix={}=.", folder.display());
        // Texts of JSON are texts of TOML.
        serde_json::Value::from(flag).to_string()
    });
    let flags: Vec<String> = flags.collect();
    format!("target.{TARGET}.rustflags=[{}]", flags.join(","))
}

/// A firmware that was built.
#[derive(Clone, Debug)]
pub struct Firmware {
    elf: PathBuf,
}

impl Firmware {
    /// Builds that of the board that QEMU has, or what has changed of it, with these features.
    ///
    /// # Errors
    /// A sentence: there is no compiler, or it does not compile, which the compiler has said.
    pub fn build(features: &[&str]) -> Result<Self, String> {
        Self::make(&BOARD, features, None)
    }

    /// As [`build`](Self::build), of a board that obeys whom this key is of, 64 hexadecimal digits.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_locked(key: &str) -> Result<Self, String> {
        Self::make_with(&BOARD, &["locked"], None, Some(key))
    }

    /// As [`build`](Self::build), for this address on Ethernet, see `RUNE_ETHERNET` in the book.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_at(features: &[&str], address: &str) -> Result<Self, String> {
        Self::make(&BOARD, features, Some(address))
    }

    /// Builds that of a board, or what has changed of it, with these features.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_for(board: &Board, features: &[&str]) -> Result<Self, String> {
        Self::make(board, features, None)
    }

    fn make(board: &Board, features: &[&str], address: Option<&str>) -> Result<Self, String> {
        Self::make_with(board, features, address, None)
    }

    fn make_with(
        board: &Board,
        features: &[&str],
        address: Option<&str>,
        key: Option<&str>,
    ) -> Result<Self, String> {
        let rust = toolchain().ok_or_else(|| missing().unwrap_or_default())?;
        let folder = root().join(board.folder);
        // The same features again must find the file that they made.
        let name = [&["board"], features].concat().join("-");
        let name = name + if key.is_some() { "-keyed" } else { "" };
        let name = name
            + &address.map_or(String::new(), |a| {
                format!("-{}", a.replace(['/', ','], "_"))
            });
        let target = env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| folder.join("target"), PathBuf::from)
            .join(name);
        let built = rust
            .build(&folder, &target)
            .args(["--locked", "--features", &features.join(",")])
            .args(["--config", &short_paths()])
            .env("RUNE_ETHERNET", address.unwrap_or_default())
            .envs(key.map(|key| ("RUNE_SMP_KEY", key)))
            .status();
        match built {
            Ok(status) if status.success() => Ok(Self {
                elf: target.join(TARGET).join("release").join(board.program),
            }),
            Ok(_) => Err(format!("{} does not compile", board.folder)),
            Err(error) => Err(format!("cargo cannot be run: {error}")),
        }
    }

    /// One that was built before.
    pub fn at(elf: PathBuf) -> Self {
        Self { elf }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.elf
    }

    /// Where something of a name lies in memory.
    pub fn symbol(&self, name: &str) -> Option<u32> {
        let bytes = fs::read(&self.elf).ok()?;
        let file = object::File::parse(&*bytes).ok()?;
        let symbol = file.symbol_by_name(name)?;
        // The lowest bit says that it is Thumb.
        Some(symbol.address() as u32 & !1)
    }

    /// The bytes that it takes of the board.
    ///
    /// # Errors
    /// A sentence: the file cannot be read or is none.
    pub fn sizes(&self) -> Result<Sizes, String> {
        Sizes::of(&self.elf)
    }
}

/// The bytes of a firmware. Heap and stack are the board's whole, see the status of a board that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Code.
    pub text: u64,
    /// Constants, the vector table among them.
    pub rodata: u64,
    /// Variables that begin with a value; they lie in flash too.
    pub data: u64,
    /// Variables that begin as zero or as nothing.
    pub bss: u64,
}

impl Sizes {
    /// Those of a linked file.
    ///
    /// # Errors
    /// A sentence: the file cannot be read or is none.
    pub fn of(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let bytes = fs::read(path).map_err(|e| format!("{shown}: {e}"))?;
        let file = object::File::parse(&*bytes).map_err(|e| format!("{shown}: {e}"))?;
        let mut sizes = Self::default();
        for section in file.sections() {
            let SectionFlags::Elf { sh_flags } = section.flags() else {
                continue;
            };
            let size = section.size();
            match section.name().unwrap_or_default() {
                _ if sh_flags & u64::from(elf::SHF_ALLOC) == 0 => {}
                ".data" => sizes.data += size,
                _ if section.kind() == SectionKind::UninitializedData => sizes.bss += size,
                _ if sh_flags & u64::from(elf::SHF_EXECINSTR) != 0 => sizes.text += size,
                _ => sizes.rodata += size,
            }
        }
        Ok(sizes)
    }

    /// Bytes of flash.
    pub fn flash(&self) -> u64 {
        self.text + self.rodata + self.data
    }

    /// Bytes of RAM, without heap and stack.
    pub fn ram(&self) -> u64 {
        self.data + self.bss
    }

    /// Whether the firmware of the board that QEMU has is as small as it must be, with SIMD or without.
    ///
    /// # Errors
    /// A sentence: it is not.
    pub fn check(&self, simd: bool) -> Result<(), String> {
        self.within(if simd { SIMD_BYTES } else { PLAIN_BYTES })
    }

    /// Whether a firmware takes at most so many bytes of flash.
    ///
    /// # Errors
    /// A sentence: it takes more.
    pub fn within(&self, most: u64) -> Result<(), String> {
        let flash = self.flash();
        if flash > most {
            return Err(format!(
                "the firmware has {flash} bytes of flash, and may have {most}"
            ));
        }
        Ok(())
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            text,
            rodata,
            data,
            bss,
        } = self;
        write!(
            f,
            "flash {} bytes: text {text}, rodata {rodata}, data {data}; RAM {} bytes: data {data}, bss {bss}",
            self.flash(),
            self.ram()
        )
    }
}

/// How a board is booted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Boot<'a> {
    /// A file that keeps what is in the slots; without it they are gone with the board.
    pub flash: Option<&'a Path>,
    /// A folder that is not there yet, for what the board needs while it runs; otherwise one for temporary files.
    pub folder: Option<&'a Path>,
    /// An instruction takes 2 to the power of this nanoseconds: 1 is about what the Portenta's 480 MHz give.
    pub shift: u8,
    /// Prints what the board says on standard error too.
    pub verbose: bool,
    /// More arguments of QEMU, as what its Ethernet is connected to; without any it is connected to nothing.
    pub more: &'a [&'a str],
}

/// A board that runs. It ends with this value.
pub struct Machine {
    qemu: Child,
    console: Arc<Console>,
    link: Box<dyn Link>,
    decoder: Decoder,
    number: u8,
    folder: PathBuf,
}

/// Where requests go, a whole frame in each write, and replies come from.
pub trait Link: Read + Write + Send {}

impl<T: Read + Write + Send> Link for T {}

/// What a board has said so far, and whether it says more.
#[derive(Default)]
struct Console {
    said: Mutex<(Vec<String>, bool)>,
    more: Condvar,
}

impl Machine {
    /// Boots a firmware, and waits until it is ready.
    ///
    /// # Errors
    /// A sentence: QEMU cannot be run, or ends.
    pub fn boot(firmware: &Firmware, boot: &Boot<'_>) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = boot.folder.map_or_else(
            || env::temp_dir().join(format!("rune-qemu-{}-{count}", std::process::id())),
            Path::to_owned,
        );
        let made = fs::DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(|e| format!("{}: {e}", folder.display()))?;
        let socket = folder.join("link");
        let flash = boot
            .flash
            .map_or_else(|| folder.join("flash"), Path::to_owned);
        let mut qemu = Command::new(QEMU)
            .args(["-M", "mps2-an500,memory-backend=flash", "-object"])
            .arg(format!(
                "memory-backend-file,id=flash,size=16M,mem-path={},share=on",
                flash.display()
            ))
            .args(["-display", "none", "-monitor", "none", "-icount"])
            .arg(format!("shift={}", boot.shift))
            .args(["-serial", "stdio", "-chardev"])
            .arg(format!(
                "socket,id=link,server=on,wait=off,path={}",
                socket.display()
            ))
            .args(["-serial", "chardev:link"])
            .args(if boot.more.is_empty() {
                &["-nic", "none"]
            } else {
                boot.more
            })
            .arg("-kernel")
            .arg(&firmware.elf)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{QEMU} cannot be run: {e}"))?;
        let console = Arc::new(Console::default());
        let output = qemu.stdout.take().expect("it is piped");
        let (listener, verbose) = (console.clone(), boot.verbose);
        thread::spawn(move || listener.listen(output, verbose));
        let connected = connect(&socket, &mut qemu);
        let link = connected.and_then(|link| {
            link.set_read_timeout(Some(GLANCE))?;
            Ok(Box::new(link))
        });
        let link = link.map_err(|e| {
            end(&mut qemu, &folder);
            format!("no link to the board: {e}")
        })?;
        let machine = Self {
            qemu,
            console,
            link,
            decoder: Decoder::new(),
            number: 0,
            folder,
        };
        machine.wait_for_start(1)?;
        Ok(machine)
    }

    /// Waits until the board has become ready for the `count`-th time.
    ///
    /// # Errors
    /// A sentence: it did not.
    pub fn wait_for_start(&self, count: usize) -> Result<(), String> {
        let starts = |lines: &[String]| lines.iter().filter(|line| *line == "ready").count();
        let said = self.console.said.lock().expect("no thread panics with it");
        let waits = |(lines, ended): &mut (Vec<String>, bool)| starts(lines) < count && !*ended;
        let waited = self.console.more.wait_timeout_while(said, PATIENCE, waits);
        let (said, _) = waited.expect("no thread panics with it");
        if starts(&said.0) < count {
            return Err(format!("the board does not start:\n{}", said.0.join("\n")));
        }
        Ok(())
    }

    /// What the board has said on its console.
    pub fn console(&self) -> Vec<String> {
        let said = self.console.said.lock().expect("no thread panics with it");
        said.0.clone()
    }

    /// Goes on over another link; gives the one before.
    pub fn talk_over(&mut self, link: Box<dyn Link>) -> Box<dyn Link> {
        self.decoder = Decoder::new();
        std::mem::replace(&mut self.link, link)
    }

    /// Waits until the board has said a line that begins with this, after so many lines; gives the line, and how many
    /// there were up to it.
    ///
    /// # Errors
    /// A sentence: it did not say one.
    pub fn wait_for_line(&self, start: &str, after: usize) -> Result<(String, usize), String> {
        let find = |lines: &[String]| {
            let place = lines
                .iter()
                .skip(after)
                .position(|line| line.starts_with(start));
            place.map(|place| (lines[after + place].clone(), after + place + 1))
        };
        let said = self.console.said.lock().expect("no thread panics with it");
        let waits = |(lines, ended): &mut (Vec<String>, bool)| find(lines).is_none() && !*ended;
        let waited = self.console.more.wait_timeout_while(said, PATIENCE, waits);
        let (said, _) = waited.expect("no thread panics with it");
        find(&said.0).ok_or_else(|| format!("no line `{start}`:\n{}", said.0.join("\n")))
    }

    /// Sends bytes over the link, whatever they are.
    ///
    /// # Errors
    /// The link is gone.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        let sent = self.link.write_all(bytes);
        sent.map_err(|e| format!("the board takes nothing: {e}"))
    }

    /// Sends a request that is not answered.
    ///
    /// # Errors
    /// The link is gone.
    pub fn tell(&mut self, request: &Request<'_>) -> Result<(), String> {
        self.number = self.number.wrapping_add(1);
        let mut buffer = [0; PAYLOAD_BYTES];
        let frame = Frame::new(request.encode(self.number, &mut buffer));
        self.send(frame.as_bytes())
    }

    /// Asks for something, and reads the reply.
    ///
    /// # Errors
    /// A sentence: the board refuses it, or does not answer.
    pub fn ask<T>(
        &mut self,
        request: &Request<'_>,
        read: impl FnOnce(Reply<'_>) -> Option<T>,
    ) -> Result<T, String> {
        self.tell(request)?;
        let begin = Instant::now();
        loop {
            let mut byte = [0];
            match self.link.read_exact(&mut byte) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && begin.elapsed() < PATIENCE => {
                    if self.console().iter().any(|line| line == STOPPED) {
                        return Err(STOPPED.to_owned());
                    }
                    continue;
                }
                Err(e) => return Err(format!("the board does not answer {request:?}: {e}")),
            }
            let Some(frame) = self.decoder.push(byte[0]) else {
                continue;
            };
            let payload = frame.map_err(|_| "the board's reply is damaged".to_owned())?;
            match Reply::decode(payload) {
                // Of a request that was given up.
                Ok((number, _)) if number != self.number => {}
                Ok((_, Reply::Refused(why))) => return Err(why.to_owned()),
                Ok((_, reply)) => {
                    let unfit = format!("{reply:?} is no reply to {request:?}");
                    return read(reply).ok_or(unfit);
                }
                Err(_) => return Err("the board's reply makes no sense".to_owned()),
            }
        }
    }

    /// Asks for something that is done or refused.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn request(&mut self, request: &Request<'_>) -> Result<(), String> {
        self.ask(request, |reply| (reply == Reply::Done).then_some(()))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        end(&mut self.qemu, &self.folder);
    }
}

/// Ends QEMU, and removes its folder. What cannot be removed of a folder for temporary files hurts nobody.
fn end(qemu: &mut Child, folder: &Path) {
    drop(qemu.kill());
    drop(qemu.wait());
    drop(fs::remove_dir_all(folder));
}

/// Connects with the socket that QEMU makes when it starts.
fn connect(socket: &Path, qemu: &mut Child) -> io::Result<UnixStream> {
    let begin = Instant::now();
    loop {
        match UnixStream::connect(socket) {
            Ok(link) => return Ok(link),
            Err(_) if qemu.try_wait()?.is_none() && begin.elapsed() < PATIENCE => {
                thread::sleep(Duration::from_millis(10));
            }
            Err(error) => return Err(error),
        }
    }
}

impl Console {
    #[expect(clippy::print_stderr, reason = "what the board says is for people")]
    fn listen(&self, output: impl Read, verbose: bool) {
        let add = |line: Option<String>| {
            let mut said = self.said.lock().expect("no thread panics with it");
            said.1 = line.is_none();
            said.0.extend(line);
            self.more.notify_all();
        };
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if verbose {
                eprintln!("board: {line}");
            }
            add(Some(line));
        }
        add(None);
    }
}
