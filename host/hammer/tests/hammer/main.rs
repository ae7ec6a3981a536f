//! `hmr` as people use it.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]
#![allow(clippy::print_stderr, reason = "what is skipped or went wrong is said")]

#[path = "../../../../testsuite/tests/smp/air.rs"]
mod air;
mod ble;
mod casting;
mod devices;
mod discovery;
mod faults;
mod keys;
mod minisign;
mod monitor;
mod refusals;
#[allow(dead_code, reason = "the tests of the client use the rest")]
#[path = "../../../registry/tests/registry/support.rs"]
mod registry;
mod schedule;
mod signing;
#[allow(dead_code, reason = "the other tests of this device use the rest")]
#[path = "../../../../runtime-mcu/smp/tests/sim/mod.rs"]
mod sim;
mod support;
