//! Memory of this process.

/// Bytes of this process that are in memory now.
pub fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("this is Linux");
    let pages = statm.split(' ').nth(1).and_then(|n| n.parse::<u64>().ok());
    pages.expect("proc(5) says so") * rustix::param::page_size() as u64
}
