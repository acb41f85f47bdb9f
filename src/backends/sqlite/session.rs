//! One connection and the thread that it lives on: asks come out of a lane, reads one by one, writes in groups.
//! Never here: what a statement does.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use rusqlite::Connection;

use crate::backends::StartError;
use crate::backends::database::{DatabaseAsk, ReadAsk, WriteAsk};
use crate::backends::lane::{Accepted, LaneEnd};
use crate::backends::sqlite::deadline::Deadline;
use crate::backends::sqlite::open;
use crate::backends::sqlite::plan::Plans;
use crate::core::bounds;
use crate::core::config::checked::Config;
use crate::core::fault::Fault;

/// A connection with what is known of its statements.
pub struct Session {
    pub connection: Connection,
    pub plans: Plans,
    pub deadline: Deadline,
    /// Writes with an idempotency key since expired keys were last deleted.
    pub keyed_writes: u32,
}

/// Writes that wait to be committed, the oldest first.
pub type Waiting = VecDeque<Accepted<WriteAsk>>;

impl Session {
    /// # Errors
    /// [`StartError::Database`].
    pub fn new(mut connection: Connection, plans: Plans, config: &Config) -> Result<Self, StartError> {
        let deadline = Deadline::watch(&mut connection, config.database.timeout);
        let deadline = deadline.map_err(|error| open::failed(config, &error))?;
        Ok(Self { connection, plans, deadline, keyed_writes: 0 })
    }

    /// Serves a lane until its last shard has left.
    pub fn run(mut self, mut end: LaneEnd<DatabaseAsk>) {
        let mut writes = Waiting::with_capacity(bounds::WRITE_GROUP_ITEMS_MAX);
        let mut next = None;
        while let Some(Accepted { ask, at }) = next.take().or_else(|| end.next_blocking()) {
            match ask {
                DatabaseAsk::Read(ask) => self.answer(ask, at),
                DatabaseAsk::Write(ask) => {
                    writes.push_back(Accepted { ask, at });
                    next = gather(&mut end, &mut writes);
                    self.commit_all(&mut writes);
                }
            }
        }
    }

    /// Answers a read, unless nobody waits for it any more.
    fn answer(&mut self, ask: ReadAsk, accepted: Instant) {
        if ask.reply.is_canceled() {
            return;
        }
        let answer = contained(|| {
            self.deadline.start(accepted)?;
            self.read(&ask.query, &ask.params, ask.page)
        });
        let _ = ask.reply.send(answer);
    }
}

/// Takes the writes that wait, up to the bound. A read that comes between them ends the run, and is returned.
fn gather(end: &mut LaneEnd<DatabaseAsk>, writes: &mut Waiting) -> Option<Accepted<DatabaseAsk>> {
    while writes.len() < bounds::WRITE_GROUP_ITEMS_MAX {
        let Accepted { ask, at } = end.next_waiting()?;
        match ask {
            DatabaseAsk::Write(ask) => writes.push_back(Accepted { ask, at }),
            DatabaseAsk::Read(_) => return Some(Accepted { ask, at }),
        }
    }
    None
}

/// Runs `serve` so that a panic in it is one answer.
pub fn contained<R>(serve: impl FnOnce() -> Result<R, Fault>) -> Result<R, Fault> {
    catch_unwind(AssertUnwindSafe(serve)).unwrap_or_else(|_| {
        tracing::error!("panic while serving a database ask");
        Err(Fault::Internal)
    })
}
