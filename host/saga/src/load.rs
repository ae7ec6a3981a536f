//! Load of this process and of the system, from `/proc`. The parsers take texts, so that they are tested on
//! any machine.

use std::{fs, io};

use rustix::process::{Resource, getrlimit};

/// Ticks a second of the times in `/proc`, as Linux shows them to every program.
const TICKS: u64 = 100;

/// What this process used, and how busy the system is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Of this process.
    pub process: Process,
    /// Of the system, where the process may see it.
    pub system: Option<System>,
}

impl Load {
    /// Of now. Fails where there is no `/proc`.
    pub fn read() -> io::Result<Self> {
        Ok(Self {
            process: Process::read()?,
            system: System::read().ok(),
        })
    }

    /// When the process started, in seconds since 1970.
    pub fn started(&self) -> Option<f64> {
        let since_boot = self.process.start_ticks as f64 / TICKS as f64;
        Some(self.system?.booted as f64 + since_boot)
    }
}

/// What a process used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Time on processors, in the kernel and outside, in ticks.
    pub cpu_ticks: u64,
    /// When it started, in ticks since the system did.
    pub start_ticks: u64,
    /// Threads at present.
    pub threads: u64,
    /// Address space, in bytes.
    pub virtual_bytes: u64,
    /// Memory that is present, in pages of the system.
    pub resident_pages: u64,
    /// Files, sockets and pipes that are open.
    pub open_files: u64,
    /// The most that may be open; `None`: any number.
    pub most_files: Option<u64>,
}

impl Process {
    /// Of this process. Fails where there is no `/proc`.
    pub fn read() -> io::Result<Self> {
        let text = fs::read_to_string("/proc/self/stat")?;
        let process = Self::parse(&text).ok_or_else(|| invalid("/proc/self/stat"))?;
        Ok(Self {
            // Without the folder that is read here.
            open_files: (fs::read_dir("/proc/self/fd")?.count() as u64).saturating_sub(1),
            most_files: getrlimit(Resource::Nofile).current,
            ..process
        })
    }

    /// Time on processors, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        self.cpu_ticks as f64 / TICKS as f64
    }

    /// Memory that is present, in bytes, where the process is of this system.
    pub fn resident_bytes(&self) -> u64 {
        self.resident_pages
            .saturating_mul(rustix::param::page_size() as u64)
    }

    /// Reads the line of `/proc/PID/stat`, in whose second field, the name, anything may stand. It says nothing of
    /// files.
    pub fn parse(stat: &str) -> Option<Self> {
        let (_, after_name) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        // proc(5) counts from 1, and the first field after the name is its third.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: field(14)?.checked_add(field(15)?)?,
            start_ticks: field(22)?,
            threads: field(20)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
            open_files: 0,
            most_files: None,
        })
    }
}

/// How busy a system is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct System {
    /// Mean numbers of tasks that ran or waited to, over the last 1, 5 and 15 minutes.
    pub load: [f64; 3],
    /// Time of all processors together since the start, in ticks, in the order of [`MODES`](Self::MODES).
    pub cpu_ticks: [u64; 8],
    /// When it started, in seconds since 1970.
    pub booted: u64,
    /// Memory that there is, in bytes.
    pub memory_bytes: u64,
    /// Memory that programs can have before the system swaps, in bytes.
    pub available_bytes: u64,
}

impl System {
    /// What processors do, as proc(5) names it.
    pub const MODES: [&str; 8] = [
        "user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal",
    ];

    /// Of this system. Fails where there is no `/proc`, or it shows processes only.
    pub fn read() -> io::Result<Self> {
        let [loadavg, stat, meminfo] =
            ["loadavg", "stat", "meminfo"].map(|name| fs::read_to_string(format!("/proc/{name}")));
        Self::parse(&loadavg?, &stat?, &meminfo?).ok_or_else(|| invalid("/proc"))
    }

    /// Reads `/proc/loadavg`, `/proc/stat` and `/proc/meminfo`.
    pub fn parse(loadavg: &str, stat: &str, meminfo: &str) -> Option<Self> {
        Some(Self {
            load: numbers(loadavg)?,
            cpu_ticks: numbers(line(stat, "cpu ")?)?,
            booted: line(stat, "btime ")?.trim().parse().ok()?,
            memory_bytes: kibibytes(meminfo, "MemTotal:")?,
            available_bytes: kibibytes(meminfo, "MemAvailable:")?,
        })
    }

    /// The time of all processors in each mode, in seconds.
    pub fn cpu_seconds(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let seconds = self.cpu_ticks.map(|ticks| ticks as f64 / TICKS as f64);
        Self::MODES.into_iter().zip(seconds)
    }
}

/// What stands behind a word at the start of a line.
fn line<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(word))
}

/// The first numbers of a text.
fn numbers<T: std::str::FromStr + Default + Copy, const N: usize>(text: &str) -> Option<[T; N]> {
    let mut words = text.split_whitespace();
    let mut numbers = [T::default(); N];
    for number in &mut numbers {
        *number = words.next()?.parse().ok()?;
    }
    Some(numbers)
}

fn kibibytes(meminfo: &str, word: &str) -> Option<u64> {
    let amount = line(meminfo, word)?.trim().strip_suffix(" kB")?;
    amount.parse::<u64>().ok()?.checked_mul(1024)
}

fn invalid(path: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{path} has another form"),
    )
}

#[cfg(test)]
mod tests {
    use super::{Load, Process, System};

    const LOADAVG: &str = "0.52 1.25 12.00 3/812 40213\n";
    const STAT: &str =
        "cpu  10 20 30 400 5 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 5 0\nbtime 1700000000\n";
    const MEMINFO: &str = "MemTotal:       1000 kB\nMemFree:  20 kB\nMemAvailable:   300 kB\n";

    #[test]
    fn a_name_may_hold_anything() {
        let stat = "42 (a) R (b) S 1 42 42 0 -1 4194560 900 0 3 0 120 30 0 0 20 0 7 0 5000 81920000 \
                    2500 18446744073709551615 1 1 0\n";
        let due = Process {
            cpu_ticks: 150,
            start_ticks: 5_000,
            threads: 7,
            virtual_bytes: 81_920_000,
            resident_pages: 2_500,
            open_files: 0,
            most_files: None,
        };
        assert_eq!(Process::parse(stat), Some(due));
        assert_eq!(Process::parse("42 (a) S 1 42"), None);
        assert_eq!(Process::parse(""), None);
        let system = System::parse(LOADAVG, STAT, MEMINFO);
        let load = Load {
            process: due,
            system,
        };
        assert_eq!(load.started(), Some(1_700_000_050.0));
    }

    #[test]
    fn the_system_is_read_whole_or_not_at_all() {
        let system = System::parse(LOADAVG, STAT, MEMINFO).unwrap();
        assert_eq!(system.load, [0.52, 1.25, 12.0]);
        assert_eq!(system.cpu_ticks, [10, 20, 30, 400, 5, 6, 7, 8]);
        assert_eq!(system.cpu_seconds().nth(3), Some(("idle", 4.0)));
        assert_eq!(system.memory_bytes, 1_024_000);
        assert_eq!(system.available_bytes, 307_200);
        assert_eq!(System::parse("0.52 x 1", STAT, MEMINFO), None);
        assert_eq!(System::parse("0.52 1", STAT, MEMINFO), None);
        assert_eq!(System::parse(LOADAVG, "cpu 1 2 3\nbtime 5", MEMINFO), None);
        assert_eq!(System::parse(LOADAVG, STAT, "MemTotal: 1 kB"), None);
        let huge = MEMINFO.replace("1000", "18446744073709551615");
        assert_eq!(System::parse(LOADAVG, STAT, &huge), None);
    }

    #[test]
    fn this_process_has_a_thread_memory_files_and_a_past() {
        let before = Process::read().unwrap();
        assert!(before.threads > 0 && before.resident_pages > 0);
        let file = std::fs::File::open("/proc/self/stat").unwrap();
        // Other tests of this process may open and close files too, but not the first three.
        assert!(Process::read().unwrap().open_files > 3);
        drop(file);
        assert!(before.most_files.is_none_or(|most| most > 3));
        let load = Load::read().unwrap();
        let now = std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap()
            .as_secs_f64();
        let started = load.started().unwrap();
        // The time since the start is rounded, and that of the start of the system too.
        assert!(started <= now + 2.0, "{started} {now}");
        assert!(load.process.cpu_ticks >= before.cpu_ticks);
        let system = load.system.unwrap();
        assert!(system.available_bytes <= system.memory_bytes);
    }
}
