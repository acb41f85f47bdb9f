//! The answers of writes under their idempotency keys, stored in the transaction that they belong to.
//! Never here: refusals. A conflict changed nothing and may end otherwise next time (stock comes back), so it is not kept.

use rusqlite::{Connection, OptionalExtension, params};

use crate::backends::database::IdempotencyKey;
use crate::core::bounds;
use crate::core::time::UnixSeconds;

/// What is stored under a key.
pub enum Found {
    /// The body of the first answer.
    SameRequest(Vec<u8>),
    OtherRequest,
}

const CREATE: &str = "
CREATE TABLE IF NOT EXISTS tidegate_idempotency (
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  body BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (scope, key)
);
CREATE INDEX IF NOT EXISTS tidegate_idempotency_age ON tidegate_idempotency (created_at);";

const FIND: &str =
    "SELECT fingerprint, body FROM tidegate_idempotency WHERE scope = ?1 AND key = ?2 AND created_at > ?3";

// REPLACE: an expired key that was not purged yet is free again.
const STORE: &str = "INSERT OR REPLACE INTO tidegate_idempotency (scope, key, fingerprint, body, created_at)
  VALUES (?1, ?2, ?3, ?4, ?5)";

const PURGE: &str = "DELETE FROM tidegate_idempotency WHERE rowid IN
  (SELECT rowid FROM tidegate_idempotency WHERE created_at <= ?1 ORDER BY created_at LIMIT ?2)";

/// Makes the table where it is missing.
pub fn create_table(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(CREATE)
}

/// What is stored under the key and younger than [`bounds::IDEMPOTENCY_KEEP`].
pub fn find(connection: &Connection, key: &IdempotencyKey, now: UnixSeconds) -> rusqlite::Result<Option<Found>> {
    let mut statement = connection.prepare_cached(FIND)?;
    let found = statement.query_row(params![key.scope, key.key, expired_at(now)], |row| {
        let same = row.get_ref(0)?.as_blob()? == key.fingerprint.to_be_bytes();
        Ok(if same { Found::SameRequest(row.get(1)?) } else { Found::OtherRequest })
    });
    found.optional()
}

pub fn store(connection: &Connection, key: &IdempotencyKey, body: &[u8], now: UnixSeconds) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(STORE)?;
    let fingerprint = key.fingerprint.to_be_bytes();
    statement.execute(params![key.scope, key.key, fingerprint, body, seconds(now)])?;
    Ok(())
}

/// Deletes some of the expired keys.
pub fn purge(connection: &Connection, now: UnixSeconds) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(PURGE)?;
    statement.execute(params![expired_at(now), bounds::IDEMPOTENCY_PURGE_ROWS])?;
    Ok(())
}

/// Keys created at that second or before have expired.
fn expired_at(now: UnixSeconds) -> i64 {
    seconds(now).saturating_sub_unsigned(bounds::IDEMPOTENCY_KEEP.as_secs())
}

fn seconds(time: UnixSeconds) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}
