//! Memory of this process.

/// Bytes of this process that are in memory now.
pub fn resident_bytes() -> u64 {
    let process = rune_exporters::load::Process::read().expect("this is Linux");
    process.resident_pages * rustix::param::page_size() as u64
}
