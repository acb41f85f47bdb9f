//! A whole node in this process for tests: real shards, real sockets, a simulated WeChat, a database in a temporary folder.
//! Never here: a sleep in place of an event, a port that another test could want.

// Every test binary uses its own part of this.
#![allow(dead_code)]

pub mod actions;
pub mod client;
pub mod node;
pub mod pki;
pub mod program;
pub mod stopwatch;
pub mod tls;

use std::time::{Duration, Instant};

/// How long a test waits for what must happen. Only a failing test ever waits so long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How many cases a property tries that costs sockets: `usual`, unless `PROPTEST_CASES` says so many.
pub fn cases(usual: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Waits until `done` holds.
///
/// # Panics
/// When it does not hold in time; `what` says what was missing.
pub fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}
