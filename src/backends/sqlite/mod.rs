//! SQLite on two threads, each with a connection: one commits what waits in groups, one reads from snapshots beside it.
//! A database in memory has one connection and one thread for both.
//! Never here: a value pasted into SQL, a panic that ends a thread, a write answered before its commit.

mod deadline;
mod error;
mod group;
mod idempotency;
mod open;
mod plan;
mod read;
mod session;
mod write;

pub use open::run_script;

use crate::backends::StartError;
use crate::backends::database::Database;
use crate::backends::lane::lane;
use crate::backends::sqlite::plan::Plans;
use crate::backends::sqlite::session::Session;
use crate::backends::threads::BackendThreads;
use crate::core::bounds;
use crate::core::config::checked::Config;
use crate::core::fault::Backend;

/// An open database whose statements have been checked.
pub struct Sqlite {
    writer: Session,
    /// `None`: the writer reads too.
    reader: Option<Session>,
}

impl Sqlite {
    /// Opens the configured file, which is created when missing, and prepares every query and step once.
    ///
    /// # Errors
    /// [`StartError::Database`] or [`StartError::Statement`], naming the query and SQLite's message.
    pub fn open(config: &Config) -> Result<Self, StartError> {
        // The writer first: it makes the file and the log that the reader looks into.
        let writer = open::writer(config)?;
        let reader = open::reader(config)?;
        let (mut writes, mut reads) = (Plans::default(), Plans::default());
        match &reader {
            Some(reader) => reads.check_reads(reader, config)?,
            None => writes.check_reads(&writer, config)?,
        }
        writes.check_writes(&writer, config)?;
        let reader = reader.map(|reader| Session::new(reader, reads, config)).transpose()?;
        Ok(Self { writer: Session::new(writer, writes, config)?, reader })
    }

    /// Moves the database to its threads, which end when the last clone of their lanes is dropped.
    ///
    /// # Errors
    /// [`StartError::Thread`].
    pub fn start(self, threads: &mut BackendThreads) -> Result<Database, StartError> {
        let Self { writer, reader } = self;
        let (writes, end) = lane(Backend::Database, bounds::LANE_ITEMS_MAX);
        threads.spawn("sqlite-write", move || writer.run(end))?;
        let Some(reader) = reader else { return Ok(Database { reads: writes.clone(), writes }) };
        let (reads, end) = lane(Backend::Database, bounds::LANE_ITEMS_MAX);
        threads.spawn("sqlite-read", move || reader.run(end))?;
        Ok(Database { reads, writes })
    }
}

#[cfg(test)]
mod tests;
