//! Commits writes in groups: many asks, one sync of the disk, and only then their answers.
//! Each ask has a savepoint of its own, so that one that fails changes nothing and touches no other.
//! Never here: an answer before the commit that it speaks of; an ask lost with a transaction and answered as done.
//!
//! Some failures end the whole transaction inside SQLite: a full disk, an I/O error, memory, an interrupted change,
//! `OR ROLLBACK`. Then the asks before the one that failed run again without it, and it comes first in the next group,
//! where it can only hurt itself.

use rusqlite::Connection;

use crate::backends::database::{WriteAsk, Written};
use crate::backends::lane::Accepted;
use crate::backends::sqlite::error::Stop;
use crate::backends::sqlite::session::{Session, Waiting, contained};
use crate::core::bounds;
use crate::core::fault::Fault;
use crate::net::clock;

type Outcome = Result<Written, Fault>;

/// How one transaction around the first asks ended.
enum End {
    /// On disk. Outcomes of the first asks, one each.
    Committed(Vec<Outcome>),
    /// SQLite rolled everything back in the ask after so many others.
    Lost { before: usize, fault: Fault },
    /// One of so many broke a constraint that is checked only by the commit (`DEFERRABLE INITIALLY DEFERRED`).
    Unsound { asks: usize, stop: Stop },
    /// The first so many cannot be carried out, or not be said to be on disk.
    Failed { asks: usize, fault: Fault },
}

impl Session {
    /// Carries out and answers all that waits, in its order. An answer that nobody waits for any more is dropped.
    pub fn commit_all(&mut self, waiting: &mut Waiting) {
        let mut asks_max = bounds::WRITE_GROUP_ITEMS_MAX;
        while let Some(first) = waiting.front() {
            let origin = &first.ask.transaction;
            let outcomes = match self.commit_some(waiting, asks_max) {
                End::Committed(outcomes) => outcomes,
                End::Lost { before: 0, fault } => vec![Err(fault)],
                End::Unsound { asks: 1, stop } => vec![Err(stop.into_fault(&origin.name))],
                End::Failed { asks, fault } => vec![Err(fault); asks],
                End::Lost { before, .. } => {
                    asks_max = before;
                    continue;
                }
                // Halving finds the one that is to blame.
                End::Unsound { asks, .. } => {
                    asks_max = asks / 2;
                    continue;
                }
            };
            for (accepted, outcome) in waiting.drain(..outcomes.len()).zip(outcomes) {
                let _ = accepted.ask.reply.send(outcome);
            }
            asks_max = bounds::WRITE_GROUP_ITEMS_MAX;
        }
    }

    /// One transaction around at most so many of the asks; fewer when time or memory for a group runs out.
    fn commit_some(&mut self, waiting: &Waiting, asks_max: usize) -> End {
        // IMMEDIATE takes the write lock now, so that no step can find it taken half-way.
        if let Err(error) = run(&self.connection, "BEGIN IMMEDIATE") {
            let fault = Stop::from(error).into_fault("begin");
            return End::Failed { asks: waiting.len().min(asks_max), fault };
        }
        let begun = clock::instant();
        let mut outcomes = Vec::with_capacity(waiting.len().min(asks_max));
        let mut body_bytes = 0;
        for accepted in waiting.iter().take(asks_max) {
            let outcome = self.attempt(accepted);
            if self.connection.is_autocommit() {
                let fault = outcome.err().unwrap_or(Fault::Internal);
                return End::Lost { before: outcomes.len(), fault };
            }
            body_bytes += outcome.as_ref().map_or(0, |written| written.body.len());
            outcomes.push(outcome);
            let spent = clock::instant().duration_since(begun);
            if body_bytes > bounds::WRITE_GROUP_BYTES_MAX || spent >= bounds::WRITE_GROUP_TIME {
                break;
            }
        }
        match run(&self.connection, "COMMIT") {
            Ok(()) => End::Committed(outcomes),
            Err(error) => self.uncommitted(error.into(), outcomes.len()),
        }
    }

    /// One ask within its savepoint. After an error it has changed nothing, or the whole transaction is gone.
    fn attempt(&mut self, accepted: &Accepted<WriteAsk>) -> Outcome {
        self.deadline.start(accepted.at)?;
        let outcome = contained(|| {
            let name = &accepted.ask.transaction.name;
            self.within_savepoint(&accepted.ask).map_err(|stop| stop.into_fault(name))
        });
        self.deadline.lift();
        if outcome.is_err() && !self.connection.is_autocommit() {
            self.undo();
        }
        outcome
    }

    fn within_savepoint(&mut self, ask: &WriteAsk) -> Result<Written, Stop> {
        run(&self.connection, "SAVEPOINT ask")?;
        let written = self.write(ask)?;
        // Here is no way back: an ask that was released is undone only with all others.
        self.deadline.lift();
        run(&self.connection, "RELEASE ask")?;
        Ok(written)
    }

    /// Takes back what the ask changed; all of the transaction if that is not possible.
    fn undo(&mut self) {
        let undone = run(&self.connection, "ROLLBACK TO ask").and_then(|()| run(&self.connection, "RELEASE ask"));
        if let Err(error) = undone {
            tracing::error!(%error, "cannot roll back one write, rolling back its group");
            self.roll_back();
        }
    }

    fn uncommitted(&mut self, stop: Stop, asks: usize) -> End {
        self.roll_back();
        if stop.is_constraint() {
            End::Unsound { asks, stop }
        } else {
            End::Failed { asks, fault: stop.into_fault("commit") }
        }
    }

    /// Ends the transaction, unless SQLite has done so.
    fn roll_back(&mut self) {
        if self.connection.is_autocommit() {
            return;
        }
        if let Err(error) = run(&self.connection, "ROLLBACK") {
            tracing::error!(%error, "cannot roll back");
        }
    }
}

fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.raw_execute().map(drop)
}
