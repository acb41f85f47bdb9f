//! What the rules know about this house: its rooms, its fences, its exceptions with their reasons.
//! Never here: how a rule looks at a file.

/// Rooms under `src/`, lowest first. A room uses what stands before it, and its own row.
pub const LAYERS: [&[&str]; 8] = [
    &["core"],
    &["proto"],
    &["net"],
    &["backends"],
    &["actions"],
    &["shards"],
    &["ops"],
    &["cli", "demo", "main", "lib"],
];

/// Crates, and the paths under which they may be named.
pub const FENCES: [(&[&str], &[&str]); 5] = [
    (&["glommio"], &["src/net/", "src/shards/"]),
    (&["tokio", "hyper", "hyper_util", "hyper_rustls", "rusqlite", "fred", "mysql_async"], &["src/backends/"]),
    (&["may", "may_minihttp"], &["src/ops/", "src/demo/"]),
    (&["simd_json"], &["src/proto/json"]),
    (&["zstd", "flate2", "brotli"], &["src/proto/compress"]),
];

/// The one file that reads a clock.
pub const CLOCK: &str = "src/net/clock.rs";

/// Files with `unsafe` code, and what for.
pub const UNSAFE: &[(&str, &str)] = &[
    ("src/net/probe.rs", "the kernel's own interface, tried once before the driver relies on it"),
    ("src/ops/coroutines.rs", "may has no other way to end a coroutine that accepts"),
];

/// Files that may sleep, and why.
pub const SLEEPS: &[(&str, &str)] = &[("src/demo/simulator/server.rs", "the simulated platform is slow on purpose")];

/// Globs that tests may use: their own module, and what proptest's macros are written for.
pub const TEST_GLOBS: [&str; 2] = ["super::*", "proptest::prelude::*"];

pub const FILE_LINES_MAX: usize = 400;
pub const FUNCTION_LINES_MAX: usize = 70;
/// Without `self`.
pub const PARAMETERS_MAX: usize = 5;
