//! Load of this process and of the system, from `/proc`. The parsers take texts, so that they are tested on
//! any machine.

use std::{fs, io};

/// What this process used, and how busy the system is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Of this process.
    pub process: Process,
    /// Of the system.
    pub system: System,
}

impl Load {
    /// Of now. Fails where there is no `/proc`.
    pub fn read() -> io::Result<Self> {
        Ok(Self {
            process: Process::read()?,
            system: System::read()?,
        })
    }
}

/// What a process used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Time on processors, in the kernel and outside, in ticks of the clock of `/proc`, of which Linux shows every
    /// program 100 a second.
    pub cpu_ticks: u64,
    /// Threads at present.
    pub threads: u64,
    /// Address space, in bytes.
    pub virtual_bytes: u64,
    /// Memory that is present, in pages of the system.
    pub resident_pages: u64,
}

impl Process {
    /// Of this process. Fails where there is no `/proc`.
    pub fn read() -> io::Result<Self> {
        let text = fs::read_to_string("/proc/self/stat")?;
        Self::parse(&text).ok_or_else(|| invalid("/proc/self/stat"))
    }

    /// Memory that is present, in bytes, where the process is of this system.
    pub fn resident_bytes(&self) -> u64 {
        self.resident_pages
            .saturating_mul(rustix::param::page_size() as u64)
    }

    /// Reads the line of `/proc/PID/stat`, in whose second field, the name, anything may stand.
    pub fn parse(stat: &str) -> Option<Self> {
        let (_, after_name) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        // proc(5) counts from 1, and the first field after the name is its third.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: field(14)?.checked_add(field(15)?)?,
            threads: field(20)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

/// Mean numbers of tasks that ran or waited to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct System {
    /// Over the last 1, 5 and 15 minutes.
    pub load: [f64; 3],
}

impl System {
    /// Of this system. Fails where there is no `/proc`.
    pub fn read() -> io::Result<Self> {
        let text = fs::read_to_string("/proc/loadavg")?;
        Self::parse(&text).ok_or_else(|| invalid("/proc/loadavg"))
    }

    /// Reads the line of `/proc/loadavg`.
    pub fn parse(loadavg: &str) -> Option<Self> {
        let mut numbers = loadavg.split_whitespace().map(|n| n.parse().ok());
        let mut next = || numbers.next().flatten();
        Some(Self {
            load: [next()?, next()?, next()?],
        })
    }
}

fn invalid(path: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{path} has another form"),
    )
}

#[cfg(test)]
mod tests {
    use super::{Process, System};

    #[test]
    fn a_name_may_hold_anything() {
        let stat = "42 (a) R (b) S 1 42 42 0 -1 4194560 900 0 3 0 120 30 0 0 20 0 7 0 5000 81920000 \
                    2500 18446744073709551615 1 1 0\n";
        let due = Process {
            cpu_ticks: 150,
            threads: 7,
            virtual_bytes: 81_920_000,
            resident_pages: 2_500,
        };
        assert_eq!(Process::parse(stat), Some(due));
        assert_eq!(Process::parse("42 (a) S 1 42"), None);
        assert_eq!(Process::parse(""), None);
    }

    #[test]
    fn loads_are_the_first_three_numbers() {
        let load = System::parse("0.52 1.25 12.00 3/812 40213\n").unwrap().load;
        assert_eq!(load, [0.52, 1.25, 12.0]);
        assert_eq!(System::parse("0.52 x 1"), None);
        assert_eq!(System::parse("0.52 1"), None);
    }

    #[test]
    fn this_process_has_a_thread_and_memory() {
        let process = Process::read().unwrap();
        assert!(process.threads > 0 && process.resident_pages > 0);
        assert!(System::read().is_ok());
    }
}
