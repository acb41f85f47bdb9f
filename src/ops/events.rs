//! The structured log of events: JSON lines on standard error, written by a thread of its own.
//! Never here: a shard that waits for a log; a full buffer drops lines, and tracing-appender counts them.

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::filter::LevelFilter;

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
    let _ = tracing_subscriber::fmt().json().with_writer(writer).with_max_level(level).with_target(false).try_init();
    guard
}
