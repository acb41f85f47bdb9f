//! What a shard asks of a database and what it gets, whatever database it is.
//! Never here: SQL dialects, connections.

use std::sync::Arc;

use futures_channel::oneshot;

use crate::backends::lane::Lane;
use crate::core::config::checked::{Query, Transaction, Value};
use crate::core::fault::Fault;
use crate::proto::json::rows::Answer;

/// A shard's way to the database. Reads have a lane of their own, so that none waits behind a commit; a read that is asked
/// after a write was answered sees that write.
#[derive(Clone, Debug)]
pub struct Database {
    /// Takes [`DatabaseAsk::Read`].
    pub reads: Lane<DatabaseAsk>,
    /// Takes [`DatabaseAsk::Write`].
    pub writes: Lane<DatabaseAsk>,
}

impl Database {
    /// Asks that wait in the lanes right now. A database in memory has one lane for both.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let writes = if self.reads.is_same(&self.writes) { 0 } else { self.writes.len() };
        self.reads.len() + writes
    }
}

/// One question. Queries and transactions are those of the configuration that the backend was started with.
pub enum DatabaseAsk {
    Read(ReadAsk),
    Write(WriteAsk),
}

/// `None` in the answer: no row for a query of one row.
pub struct ReadAsk {
    pub query: Arc<Query>,
    /// In the order of `query.params`.
    pub params: Vec<Value>,
    /// Exactly for `Rows::Paged`.
    pub page: Option<Page>,
    pub reply: oneshot::Sender<Result<Option<Arc<Answer>>, Fault>>,
}

/// Carried out once accepted, even if nobody waits for the answer any more. An answer says that the disk has it.
pub struct WriteAsk {
    pub transaction: Arc<Transaction>,
    /// In the order of `transaction.params`.
    pub params: Vec<Value>,
    pub idempotency: Option<IdempotencyKey>,
    pub reply: oneshot::Sender<Result<Written, Fault>>,
}

/// Which page of a result; pages count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub number: u32,
    pub size: u32,
}

/// Names a write that must happen once, however often it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Who and what: openid and route, so that users cannot meet each other's keys.
    pub scope: String,
    /// The client's own key.
    pub key: String,
    /// Hash of the request; another one under the same key is a mistake of the client.
    pub fingerprint: u128,
}

/// A write that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Whole JSON answer, envelope included.
    pub body: Vec<u8>,
    pub replay: Replay,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// Carried out now.
    First,
    /// Carried out before under the same key; the body is the first answer.
    Repeat,
}
