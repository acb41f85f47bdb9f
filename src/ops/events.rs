//! The structured log of events: JSON lines on standard error, written by a thread of its own.
//! Never here: a shard that waits for a log; a full buffer drops lines, and tracing-appender counts them.

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::core::config::checked::Level;

/// Starts the log; dropping the guard writes what is left. A second start in one process changes nothing.
pub fn start(level: Level) -> WorkerGuard {
    let (writer, guard) = tracing_appender::non_blocking(std::io::stderr());
    let level = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    };
    // Libraries tell of their own affairs at `info`; an operator wants to hear of their troubles only. may_minihttp calls it
    // an error when a client of the ops plane closes its connection, and h2 warns of every frame that a client makes up: a line
    // for nine bytes. What is wrong with clients is counted.
    let heard = Targets::new()
        .with_target(env!("CARGO_PKG_NAME"), level)
        .with_target("may_minihttp", LevelFilter::OFF)
        .with_target("h2", LevelFilter::OFF)
        .with_default(level.min(LevelFilter::WARN));
    let lines = tracing_subscriber::fmt::layer().json().with_writer(writer).with_target(false);
    let _ = tracing_subscriber::registry().with(lines).with(heard).try_init();
    guard
}
