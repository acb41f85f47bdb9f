//! SQLite on one thread with one connection: reads and transactions one after the other, each within its time limit.
//! Never here: a value pasted into SQL, a panic that ends the thread.

mod deadline;
mod error;
mod idempotency;
mod open;
mod plan;
mod read;
mod write;

pub use open::run_script;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use rusqlite::Connection;

use crate::backends::StartError;
use crate::backends::database::DatabaseAsk;
use crate::backends::lane::{Accepted, Lane, LaneEnd, lane};
use crate::backends::sqlite::deadline::Deadline;
use crate::backends::sqlite::plan::Plans;
use crate::backends::threads::BackendThreads;
use crate::core::bounds;
use crate::core::config::checked::Config;
use crate::core::fault::{Backend, Fault};

/// An open database whose statements have been checked.
pub struct Sqlite {
    connection: Connection,
    plans: Plans,
    deadline: Deadline,
    /// Writes with an idempotency key since expired keys were last deleted.
    keyed_writes: u32,
}

impl Sqlite {
    /// Opens the configured file, which is created when missing, and prepares every query and step once.
    ///
    /// # Errors
    /// [`StartError::Database`] or [`StartError::Statement`], naming the query and SQLite's message.
    pub fn open(config: &Config) -> Result<Self, StartError> {
        let mut connection = open::connection(config)?;
        let plans = Plans::check(&connection, config)?;
        let deadline = Deadline::watch(&mut connection, config.database.timeout)
            .map_err(|error| open::failed(&config.database.primary, &error))?;
        Ok(Self { connection, plans, deadline, keyed_writes: 0 })
    }

    /// Moves the database to its thread, which ends when the last clone of the lane is dropped.
    ///
    /// # Errors
    /// [`StartError::Thread`].
    pub fn start(self, threads: &mut BackendThreads) -> Result<Lane<DatabaseAsk>, StartError> {
        let (lane, end) = lane(Backend::Database, bounds::LANE_ITEMS_MAX);
        threads.spawn("sqlite", move || self.run(end))?;
        Ok(lane)
    }

    fn run(mut self, mut end: LaneEnd<DatabaseAsk>) {
        while let Some(Accepted { ask, at }) = end.next_blocking() {
            self.serve(ask, at);
        }
    }

    /// Answers one ask. An answer that nobody waits for any more is dropped; a write's effect stays.
    fn serve(&mut self, ask: DatabaseAsk, accepted: Instant) {
        match ask {
            DatabaseAsk::Read { query, params, page, reply } => {
                if reply.is_canceled() {
                    return;
                }
                let _ = reply.send(contained(|| {
                    self.deadline.start(accepted)?;
                    self.read(&query, &params, page)
                }));
            }
            DatabaseAsk::Write { transaction, params, idempotency, reply } => {
                let _ = reply.send(contained(|| {
                    self.deadline.start(accepted)?;
                    self.write(&transaction, &params, idempotency.as_ref())
                }));
            }
        }
    }
}

/// Runs `serve` so that a panic in it is one answer. An open transaction was rolled back while unwinding.
fn contained<R>(serve: impl FnOnce() -> Result<R, Fault>) -> Result<R, Fault> {
    catch_unwind(AssertUnwindSafe(serve)).unwrap_or_else(|_| {
        tracing::error!("panic while serving a database ask");
        Err(Fault::Internal)
    })
}

#[cfg(test)]
mod tests;
