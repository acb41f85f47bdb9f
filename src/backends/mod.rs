//! The world that remembers: the database and WeChat, each on threads of its own behind a bounded lane.
//! Never here: a connection of a phone; a shard that waits for room in a lane.

pub mod database;
pub mod lane;
pub mod sqlite;
pub mod threads;
pub mod wechat;

#[cfg(test)]
mod fixture;

use std::fmt;

use crate::backends::database::Database;
use crate::backends::lane::Lane;
use crate::backends::threads::BackendThreads;
use crate::backends::wechat::WechatAsk;
use crate::core::config::checked::Config;

/// A shard's way to every backend. Cheap to clone; the threads end when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Backends {
    pub database: Database,
    pub wechat: Lane<WechatAsk>,
}

/// Why the backends cannot start. Every text says what to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartError {
    /// The database cannot be opened as configured.
    Database {
        path: String,
        reason: String,
    },
    /// A query or a step of a transaction cannot work; `owner` is for example `query product`.
    Statement {
        owner: String,
        reason: String,
    },
    /// `wechat.base_url` or its client is unusable.
    Wechat {
        reason: String,
    },
    Thread {
        name: &'static str,
        reason: String,
    },
}

/// Opens and checks everything that is configured, then starts the threads.
///
/// # Errors
/// [`StartError`] for the first thing that cannot work; no thread is left behind.
pub fn start(config: &Config) -> Result<(Backends, BackendThreads), StartError> {
    let sqlite = sqlite::Sqlite::open(config)?;
    let exchanger = wechat::Exchanger::new(config)?;
    let mut threads = BackendThreads::default();
    let database = sqlite.start(&mut threads)?;
    let wechat = wechat::start(exchanger, config.wechat.connections_max, &mut threads)?;
    Ok((Backends { database, wechat }, threads))
}

impl fmt::Display for StartError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database { path, reason } => write!(out, "database.primary = {path}: {reason}"),
            Self::Statement { owner, reason } => write!(out, "{owner}: {reason}"),
            Self::Wechat { reason } => write!(out, "wechat: {reason}"),
            Self::Thread { name, reason } => write!(out, "cannot start thread {name}: {reason}"),
        }
    }
}

impl std::error::Error for StartError {}
