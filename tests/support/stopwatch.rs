//! How promptly a shard reacts, without the time for which the host gave its core to somebody else.
//! Never here: what is prompt enough.

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The scheduler's books of one thread.
#[derive(Clone)]
pub struct Thread(PathBuf);

pub struct Stopwatch {
    thread: Thread,
    began: Instant,
    delayed: Duration,
}

impl Thread {
    /// The calling one.
    pub fn this() -> Self {
        let this = std::fs::read_link("/proc/thread-self").expect("/proc is there");
        Self(PathBuf::from("/proc").join(this).join("schedstat"))
    }

    /// For how long it was ready to run, and another ran.
    fn delayed(&self) -> Duration {
        let stat = std::fs::read_to_string(&self.0).expect("the thread lives");
        let nanos = stat.split_ascii_whitespace().nth(1).and_then(|text| text.parse().ok());
        Duration::from_nanos(nanos.expect("schedstat has three numbers"))
    }
}

impl Stopwatch {
    /// Starts to measure what `thread` takes to react; any thread may start it.
    pub fn start(thread: &Thread) -> Self {
        let delayed = thread.delayed();
        Self { thread: thread.clone(), began: Instant::now(), delayed }
    }

    pub fn stop(&self) -> Duration {
        let elapsed = self.began.elapsed();
        elapsed.saturating_sub(self.thread.delayed() - self.delayed)
    }
}
