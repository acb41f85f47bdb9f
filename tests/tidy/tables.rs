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
pub const FENCES: [(&[&str], &[&str]); 9] = [
    (&["glommio"], &["src/net/", "src/shards/"]),
    // Only its traits of I/O, which the HTTP/2 library is written for: no runtime.
    (&["tokio"], &["src/backends/", "src/shards/http2/pipe.rs"]),
    (&["h2", "http", "bytes"], &["src/proto/http2/", "src/shards/http2/"]),
    (&["hyper", "hyper_util", "hyper_rustls", "rusqlite", "fred", "mysql_async"], &["src/backends/"]),
    (&["rustls", "x509_parser"], &["src/net/tls/", "src/backends/"]),
    (&["rcgen"], &["src/cli/throwaway.rs", "src/net/tls/tests.rs"]),
    (&["may", "may_minihttp"], &["src/ops/", "src/demo/"]),
    (&["simd_json"], &["src/proto/json"]),
    (&["zstd", "flate2", "brotli", "libdeflater"], &["src/proto/compress/"]),
];

/// The one file that reads a clock.
pub const CLOCK: &str = "src/net/clock.rs";

/// Files with `unsafe` code, and what for.
pub const UNSAFE: &[(&str, &str)] = &[
    ("src/cli/memory.rs", "prctl has no safe wrapper in the crates we have"),
    ("src/net/bufs.rs", "memory that the kernel writes into while we run; the guard is the only way to read it"),
    ("src/net/doorbell.rs", "eventfd has no safe wrapper in the crates we have"),
    ("src/net/listener.rs", "takes over the descriptor that a completion carries"),
    ("src/net/probe.rs", "the kernel's own interface, tried once before the driver relies on it"),
    ("src/net/ring.rs", "submitting to a ring is a promise about memory that only its owner can give"),
    ("src/ops/coroutines.rs", "may has no other way to end a coroutine that accepts"),
];

/// Files that may sleep, and why.
pub const SLEEPS: &[(&str, &str)] = &[
    ("src/actions/desk.rs", "a full mailbox is tried again after a moment"),
    ("src/demo/simulator/server.rs", "the simulated platform is slow on purpose"),
    ("src/net/driver.rs", "the driver's own timer"),
    ("src/net/park.rs", "an idle shard sleeps until its doorbell"),
    ("src/net/tests.rs", "tests the driver's own timer"),
    ("src/net/timers.rs", "the driver's own timer"),
    ("src/shards/shard.rs", "housekeeping once a second, the look-out while draining"),
    ("tests/support/actions.rs", "measures the driver's own timer"),
];

/// Globs that tests may use: their own module, and what proptest's macros are written for.
pub const TEST_GLOBS: [&str; 2] = ["super::*", "proptest::prelude::*"];

pub const FILE_LINES_MAX: usize = 400;
pub const FUNCTION_LINES_MAX: usize = 70;
/// Without `self`.
pub const PARAMETERS_MAX: usize = 5;
