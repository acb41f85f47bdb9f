//! Ends a statement that runs longer than its ask may take. The connection stays usable.
//! Never here: what is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::core::bounds;
use crate::core::fault::{Backend, Fault};
use crate::core::time::nanos;
use crate::net::clock;

/// The end of the ask being served, which SQLite's progress handler looks at.
pub struct Deadline {
    limit: Duration,
    epoch: Instant,
    /// Nanoseconds after `epoch`; `u64::MAX`: no end.
    end: Arc<AtomicU64>,
}

impl Deadline {
    /// Installs the progress handler.
    ///
    /// # Errors
    /// SQLite's.
    pub fn watch(connection: &mut Connection, limit: Duration) -> rusqlite::Result<Self> {
        let epoch = clock::instant();
        let end = Arc::new(AtomicU64::new(u64::MAX));
        let seen = Arc::clone(&end);
        // Relaxed: handler and setter run on the same thread; the atomic only satisfies `Send`.
        let over = move || nanos(clock::instant().duration_since(epoch)) >= seen.load(Ordering::Relaxed);
        connection.progress_handler(bounds::SQLITE_STEPS_PER_LOOK, Some(over))?;
        Ok(Self { limit, epoch, end })
    }

    /// Starts the time of an ask at the moment it was accepted.
    ///
    /// # Errors
    /// [`Fault::Timeout`] when it has already passed, in the lane; nothing has been done then.
    pub fn start(&self, accepted: Instant) -> Result<(), Fault> {
        let end = accepted.duration_since(self.epoch).saturating_add(self.limit);
        if clock::instant().duration_since(self.epoch) >= end {
            return Err(Fault::Timeout(Backend::Database));
        }
        self.end.store(nanos(end), Ordering::Relaxed);
        Ok(())
    }

    /// Lifts the limit until the next start: what is not an ask's own statement must not be stopped.
    pub fn lift(&self) {
        self.end.store(u64::MAX, Ordering::Relaxed);
    }
}
