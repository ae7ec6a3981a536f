//! From a module to machine code, in this process or, for runes of others, in a worker: a process of its own
//! that can neither open a file nor a socket, and has limits on its time and memory.
//!
//! A worker takes a module on standard input until its end and writes the code to standard output; what is wrong
//! goes to standard error. A worker that a module makes fail harms nobody. That it gives the code of the
//! module and no other is trusted: it is the same compiler as in this process.

use std::{
    env, fmt,
    fs::File,
    hash::{Hash, Hasher},
    io::{self, Read, Seek, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::{
    fs::{MemfdFlags, memfd_create},
    process::{Resource, Rlimit, Signal, setrlimit},
};
use sha2::{Digest, Sha256};
use wasmtime::{Engine, Module};

/// The program that runs.
const SELF: &str = "/proc/self/exe";
/// A worker that only waits lives so many times longer than it may work.
const PATIENCE: u64 = 3;
/// Most bytes of code that are taken from a worker.
const MOST_CODE: u64 = 256 << 20;
/// Most bytes of a worker's last words.
const MOST_WORDS: u64 = 4096;

/// Who turns a rune into machine code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// This process, without limits: for runes that it trusts.
    InProcess,
    /// A new process for each rune: a program, with its arguments, that does nothing but call [`worker`].
    Worker {
        /// The program; `/proc/self/exe` is the one that runs.
        program: PathBuf,
        /// Its arguments, before those that are for [`worker`].
        args: Vec<String>,
        /// What it may use.
        limits: WorkerLimits,
    },
}

/// What a worker may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerLimits {
    /// Seconds of processor time.
    pub cpu_seconds: u64,
    /// Bytes of address space.
    pub memory_bytes: u64,
}

impl Default for WorkerLimits {
    /// 20 seconds and 1 GiB. A rune of a model of 1 MB takes a tenth of both.
    fn default() -> Self {
        Self {
            cpu_seconds: 20,
            memory_bytes: 1 << 30,
        }
    }
}

/// Why a rune has no machine code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompileError {
    /// The compiler does not take it.
    Refused(String),
    /// Compiling it takes longer than a worker may.
    TooLong(WorkerLimits),
    /// Compiling it takes more memory than a worker may have.
    TooLarge(WorkerLimits),
    /// The compiler failed; its last words, or how it ended.
    Crashed(String),
    /// The worker could not be started.
    NoWorker(String),
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(what) => f.write_str(what),
            Self::TooLong(limits) => write!(
                f,
                "compiling it takes more than the {} s that are allowed",
                limits.cpu_seconds
            ),
            Self::TooLarge(limits) => write!(
                f,
                "compiling it takes more than the {} MiB of memory that are allowed",
                limits.memory_bytes >> 20
            ),
            Self::Crashed(how) => write!(f, "the compiler failed: {how}"),
            Self::NoWorker(what) => {
                write!(f, "the compiler's process could not be started: {what}")
            }
        }
    }
}

impl std::error::Error for CompileError {}

impl Compiler {
    /// This program as its own worker: its `main` calls [`worker`] with the arguments after
    /// `compile-worker`.
    pub fn this_program() -> Self {
        Self::Worker {
            program: SELF.into(),
            args: vec!["compile-worker".to_owned()],
            limits: WorkerLimits::default(),
        }
    }

    pub(super) fn compile(&self, engine: &Engine, wasm: &[u8]) -> Result<Vec<u8>, CompileError> {
        match self {
            Self::InProcess => engine
                .precompile_module(wasm)
                .map_err(|e| CompileError::Refused(format!("{e:#}"))),
            Self::Worker {
                program,
                args,
                limits,
            } => {
                // A program that is several, by its name, is the same one again.
                let own_name = env::args_os().next().filter(|_| program == Path::new(SELF));
                let spawn = || {
                    Command::new(program)
                        .arg0(own_name.as_deref().unwrap_or(program.as_os_str()))
                        .args(args)
                        .args([limits.cpu_seconds, limits.memory_bytes].map(|n| n.to_string()))
                        .env_clear()
                        .stdin(in_memory(wasm)?)
                        .stdout(Stdio::piped())
                        .stderr(Stdio::piped())
                        .spawn()
                };
                let child =
                    spawn().map_err(|e: io::Error| CompileError::NoWorker(e.to_string()))?;
                wait(child, *limits)
            }
        }
    }
}

/// A file that holds a module and has no name. A pipe would not do: where the worker has gone, writing to it ends
/// a process that does not ignore SIGPIPE, and a program that embeds the runtime need not.
fn in_memory(wasm: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("module", MemfdFlags::CLOEXEC)?);
    file.write_all(wasm)?;
    file.rewind()?;
    Ok(file)
}

/// Waits for the code of a worker.
fn wait(mut child: Child, limits: WorkerLimits) -> Result<Vec<u8>, CompileError> {
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        unreachable!("both are piped");
    };
    let answer = thread::scope(|scope| {
        let (send, received) = mpsc::channel();
        scope.spawn(move || {
            let (mut code, mut words) = (vec![], vec![]);
            let read = stdout
                .take(MOST_CODE + 1)
                .read_to_end(&mut code)
                .and_then(|_| stderr.take(MOST_WORDS).read_to_end(&mut words));
            // Nobody waits for it any more where it comes too late.
            let _ = send.send(read.map(|_| (code, words)));
        });
        let life = Duration::from_secs(limits.cpu_seconds.saturating_mul(PATIENCE));
        let answer = received.recv_timeout(life);
        if answer.is_err() {
            // That it has ended in between is as good.
            let _ = child.kill();
        }
        answer
    });
    let status = child
        .wait()
        .map_err(|e| CompileError::Crashed(e.to_string()))?;
    match answer {
        Err(_) => Err(CompileError::TooLong(limits)),
        Ok(Err(error)) => Err(CompileError::Crashed(error.to_string())),
        Ok(Ok((code, _))) if status.success() && code.len() as u64 <= MOST_CODE => Ok(code),
        Ok(Ok((_, words))) => Err(failure(status, &String::from_utf8_lossy(&words), limits)),
    }
}

/// Why a worker ended without code.
fn failure(status: ExitStatus, words: &str, limits: WorkerLimits) -> CompileError {
    let words = words.trim();
    let is = |signal: Signal| status.signal() == Some(signal.as_raw());
    if status.code() == Some(i32::from(REFUSED)) {
        CompileError::Refused(words.to_owned())
    } else if is(Signal::XCPU) || is(Signal::KILL) {
        CompileError::TooLong(limits)
    } else if words.contains("memory allocation of") || words.contains("Cannot allocate memory") {
        CompileError::TooLarge(limits)
    } else {
        let last = words.lines().next().unwrap_or_default();
        CompileError::Crashed(format!("{status} {last}").trim_end().to_owned())
    }
}

/// The exit status of a worker whose module is refused.
const REFUSED: u8 = 3;

/// Is a worker with the last two arguments it was started with: reads a module, writes its code, and gives the
/// exit status. It first gives up what it does not need.
pub fn worker(args: [u64; 2]) -> ExitCode {
    let [cpu_seconds, memory_bytes] = args;
    let limits = WorkerLimits {
        cpu_seconds,
        memory_bytes,
    };
    match confine(limits).and_then(|()| work()) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(refused)) => {
            let _ = write!(io::stderr(), "{refused}");
            ExitCode::from(REFUSED)
        }
        Err(error) => {
            let _ = write!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn work() -> io::Result<Result<(), String>> {
    let mut wasm = vec![];
    io::stdin().lock().read_to_end(&mut wasm)?;
    let code = super::engine().and_then(|engine| engine.precompile_module(&wasm));
    match code {
        Ok(code) => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(&code)?;
            stdout.flush()?;
            Ok(Ok(()))
        }
        Err(error) => Ok(Err(format!("{error:#}"))),
    }
}

/// Sets the limits of this process for good, and asks to end with its parent.
fn confine(limits: WorkerLimits) -> io::Result<()> {
    let limit = |resource, most: u64| {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit)
    };
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::thread::set_no_new_privs(true)?;
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)?;
    // Standard input, output and error: there is no number left for a file or a socket.
    limit(Resource::Nofile, 3)?;
    limit(Resource::As, limits.memory_bytes)?;
    limit(Resource::Cpu, limits.cpu_seconds)?;
    Ok(())
}

/// What code is kept under: the rune, and everything about the compiler that its code depends on.
pub(super) fn key(engine: &Engine, rune: &[u8; 32]) -> [u8; 32] {
    struct Feed(Sha256);
    impl Hasher for Feed {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            unreachable!("the digest is taken whole")
        }
    }
    let mut feed = Feed(Sha256::new());
    feed.write(rune);
    engine.precompile_compatibility_hash().hash(&mut feed);
    feed.0.finalize().into()
}

/// Code as a module.
#[expect(unsafe_code, reason = "machine code is run as it is")]
pub(super) fn load(engine: &Engine, code: &[u8]) -> wasmtime::Result<Module> {
    // SAFETY: the code comes from wasmtime in this process or in a worker, or from the cache, which
    // authenticates it as something this installation once put there.
    unsafe { Module::deserialize(engine, code) }
}
