//! Opens the database file with the settings that durability and one writer ask for.
//! Never here: statements of the configuration.

use std::path::Path;

use rusqlite::Connection;

use crate::backends::StartError;
use crate::core::config::checked::{Config, DatabaseUrl};

/// Statements kept prepared beside those of the configuration: our own.
const OWN_STATEMENTS: usize = 16;

/// Opens the connection that writes; in memory it is the only one, and reads too. A file is created when missing.
///
/// # Errors
/// [`StartError::Database`] with SQLite's message.
pub fn writer(config: &Config) -> Result<Connection, StartError> {
    let connection = match &config.database.primary {
        DatabaseUrl::Sqlite(path) => Connection::open(path),
        DatabaseUrl::SqliteMemory => Connection::open_in_memory(),
    };
    connection.and_then(|connection| durable(connection, config)).map_err(|error| failed(config, &error))
}

/// Opens the connection that reads beside the writer; `None` in memory, where a database belongs to one connection.
/// (Connections that share one in memory lock each other's tables instead of keeping snapshots, so that reads would
/// fail where they wait now.)
///
/// # Errors
/// As [`writer`].
pub fn reader(config: &Config) -> Result<Option<Connection>, StartError> {
    let DatabaseUrl::Sqlite(path) = &config.database.primary else { return Ok(None) };
    // Not opened read-only: the last connection to close moves the log into the file, and that may be this one.
    let connection = Connection::open(path).and_then(|connection| reading(connection, config));
    connection.map(Some).map_err(|error| failed(config, &error))
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
pub fn failed(config: &Config, error: &rusqlite::Error) -> StartError {
    let path = match &config.database.primary {
        DatabaseUrl::Sqlite(path) => format!("sqlite://{}", path.display()),
        DatabaseUrl::SqliteMemory => "sqlite::memory:".to_owned(),
    };
    StartError::Database { path, reason: format!("{error}: check the path, its permissions and the disk") }
}

fn durable(connection: Connection, config: &Config) -> rusqlite::Result<Connection> {
    // Another process may hold the file's lock for a moment, a backup for example.
    connection.busy_timeout(config.database.timeout)?;
    // Readers and the writer do not block each other. A database in memory answers `memory`.
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // An acknowledged order must survive a power cut; with NORMAL the last commits before it are lost in WAL mode.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Off by default for compatibility with SQLite before 3.6.19.
    connection.pragma_update(None, "foreign_keys", true)?;
    let steps: usize = config.transactions.values().map(|transaction| transaction.steps.len()).sum();
    connection.set_prepared_statement_cache_capacity(config.queries.len() + steps + OWN_STATEMENTS);
    Ok(connection)
}

fn reading(connection: Connection, config: &Config) -> rusqlite::Result<Connection> {
    connection.busy_timeout(config.database.timeout)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.set_prepared_statement_cache_capacity(config.queries.len());
    Ok(connection)
}
