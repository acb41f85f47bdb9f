//! Opens the database file with the settings that durability and one writer ask for.
//! Never here: statements of the configuration.

use std::path::Path;

use rusqlite::Connection;

use crate::backends::StartError;
use crate::core::config::checked::{Config, DatabaseUrl};

/// Statements kept prepared beside those of the configuration: our own.
const OWN_STATEMENTS: usize = 16;

/// Opens the configured database.
///
/// # Errors
/// [`StartError::Database`] with SQLite's message.
pub fn connection(config: &Config) -> Result<Connection, StartError> {
    open(config).map_err(|error| failed(&config.database.primary, &error))
}

/// Runs a script of statements on a database file, which is made if it is not there: a schema, a seed.
///
/// # Errors
/// SQLite's message.
pub fn run_script(path: &Path, sql: &str) -> Result<(), String> {
    Connection::open(path).and_then(|connection| connection.execute_batch(sql)).map_err(|error| error.to_string())
}

/// A start error that names the database.
#[must_use]
pub fn failed(url: &DatabaseUrl, error: &rusqlite::Error) -> StartError {
    let path = match url {
        DatabaseUrl::Sqlite(path) => format!("sqlite://{}", path.display()),
        DatabaseUrl::SqliteMemory => "sqlite::memory:".to_owned(),
    };
    StartError::Database { path, reason: format!("{error}: check the path, its permissions and the disk") }
}

fn open(config: &Config) -> rusqlite::Result<Connection> {
    let connection = match &config.database.primary {
        DatabaseUrl::Sqlite(path) => Connection::open(path)?,
        DatabaseUrl::SqliteMemory => Connection::open_in_memory()?,
    };
    // Another process may hold the file's lock for a moment, a backup for example.
    connection.busy_timeout(config.database.timeout)?;
    // Readers of other processes and our writer do not block each other. A database in memory answers `memory`.
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // An acknowledged order must survive a power cut; with NORMAL the last commits before it are lost in WAL mode.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Off by default for compatibility with SQLite before 3.6.19.
    connection.pragma_update(None, "foreign_keys", true)?;
    let steps: usize = config.transactions.values().map(|transaction| transaction.steps.len()).sum();
    connection.set_prepared_statement_cache_capacity(config.queries.len() + steps + OWN_STATEMENTS);
    Ok(connection)
}
