//! A WeChat for trying out and for tests: `jscode2session` with the platform's fields, error codes and moods.
//! Never here: a way into a node in production; it listens on loopback only.
//!
//! | code | answer |
//! |---|---|
//! | `demo-NAME`, `demo-NAME.ANYTHING` | the openid of NAME, always the same; each full text works once in five minutes |
//! | `error-NUMBER` | that error, for every number that the platform is known to answer here |
//! | anything else | 40029 |
//!
//! `GET /stats` counts real exchanges by outcome.

mod answer;
mod codes;
mod server;

use std::sync::Arc;
use std::time::Duration;

use crate::core::config::checked::App;
use crate::core::time::Tick;

pub use server::{Simulator, start};

/// What the simulated platform is like.
pub struct SimulatorOptions {
    /// On 127.0.0.1; 0 means any free port.
    pub port: u16,
    /// Waited before every answer to an exchange; other requests go on meanwhile.
    pub latency: Duration,
    /// Up to so much is added to `latency` at random.
    pub jitter: Duration,
    /// Exchanges in a thousand that answer -1 (system busy) and leave the code as it was.
    pub failures_per_mille: u16,
    /// Exchanges in a minute before 45011; `None`: no quota.
    pub quota_per_minute: Option<u32>,
    /// Mini-programs that exist, with their secrets.
    pub apps: Vec<App>,
    /// Tells five minutes and the minute of the quota.
    pub clock: Clock,
}

/// Reads the monotonic clock; a test's own goes on when the test says so.
pub type Clock = Arc<dyn Fn() -> Tick + Send + Sync>;
