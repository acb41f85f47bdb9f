//! What went wrong in SQLite, as a fault for the client and a line for the operator.
//! Never here: values of parameters.

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_TOOBIG;

use crate::core::fault::{Backend, Fault};
use crate::proto::json::rows::AnswerTooLarge;

/// Why serving an ask stopped.
#[derive(Debug)]
pub enum Stop {
    Sqlite(rusqlite::Error),
    Fault(Fault),
    AnswerTooLarge,
}

impl Stop {
    /// The fault for the client; what only the operator can mend goes to the log. `origin` names the query.
    #[must_use]
    pub fn into_fault(self, origin: &str) -> Fault {
        match self {
            Self::Fault(fault) => fault,
            Self::AnswerTooLarge => {
                tracing::error!(origin, "answer too large: add a LIMIT or select fewer columns");
                Fault::BackendRefused { backend: Backend::Database, code: SQLITE_TOOBIG.into() }
            }
            Self::Sqlite(error) => fault_of(&error, origin),
        }
    }

    /// Whether a constraint of the schema (UNIQUE, CHECK, a foreign key) refused the change.
    #[must_use]
    pub fn is_constraint(&self) -> bool {
        matches!(self, Self::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation))
    }
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<AnswerTooLarge> for Stop {
    fn from(_: AnswerTooLarge) -> Self {
        Self::AnswerTooLarge
    }
}

fn fault_of(error: &rusqlite::Error, origin: &str) -> Fault {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            tracing::warn!(origin, %error, "database locked by another process");
            Fault::Busy(Backend::Database)
        }
        // Only our own deadline interrupts.
        Some(ErrorCode::OperationInterrupted) => {
            tracing::warn!(origin, "statement ended at database.timeout");
            Fault::Timeout(Backend::Database)
        }
        _ => {
            let code = error.sqlite_error().map_or(0, |error| error.extended_code);
            tracing::error!(origin, code, %error, "database refused");
            Fault::BackendRefused { backend: Backend::Database, code: code.into() }
        }
    }
}
