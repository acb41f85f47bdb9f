//! SQLite with real files: lanes, reads, writes, starting. Never here: a mocked database.

mod groups;
mod lanes;
mod reads;
mod start;
mod writes;

use std::sync::Arc;
use std::time::Instant;

use futures_channel::oneshot;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::backends::database::{IdempotencyKey, Page, Replay, WriteAsk, Written};
use crate::backends::fixture;
use crate::backends::lane::Accepted;
use crate::backends::sqlite::Sqlite;
use crate::backends::sqlite::session::Waiting;
use crate::core::config::checked::{Config, DatabaseUrl, Query, Transaction, Value};
use crate::core::fault::Fault;
use crate::net::clock;

/// A database file with a schema, and the configuration that serves it.
struct Shop {
    dir: TempDir,
    config: Config,
}

impl Shop {
    fn new(schema: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = fixture::config(fixture::database(&dir.path().join("shop.db"), schema));
        Self { dir, config }
    }

    fn in_memory() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), config: fixture::config(DatabaseUrl::SqliteMemory) }
    }

    fn with_query(mut self, query: &Arc<Query>) -> Self {
        self.config.queries.insert(query.name.clone(), Arc::clone(query));
        self
    }

    fn with_transaction(mut self, transaction: &Arc<Transaction>) -> Self {
        self.config.transactions.insert(transaction.name.clone(), Arc::clone(transaction));
        self
    }

    fn open(&self) -> Sqlite {
        Sqlite::open(&self.config).unwrap()
    }

    /// A second process's view of the file.
    fn beside(&self) -> Connection {
        Connection::open(self.dir.path().join("shop.db")).unwrap()
    }

    fn number(&self, sql: &str) -> i64 {
        self.beside().query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

/// The data of a read as text: the body without its envelope.
fn read(sqlite: &mut Sqlite, query: &Query, params: &[Value], page: Option<Page>) -> Result<String, Fault> {
    let session = sqlite.reader.as_mut().unwrap_or(&mut sqlite.writer);
    let answer = session.read(query, params, page)?;
    Ok(answer.map_or_else(|| "no row".to_owned(), |answer| data(&answer.rendered.body)))
}

/// One write in a group of its own, accepted now.
fn write_alone(
    sqlite: &mut Sqlite,
    transaction: &Arc<Transaction>,
    params: &[Value],
    key: Option<&IdempotencyKey>,
) -> Result<(String, Replay), Fault> {
    let mut group = Group::default();
    group.add(transaction, params, key);
    group.commit(sqlite).remove(0)
}

/// Writes that wait together.
#[derive(Default)]
struct Group {
    waiting: Waiting,
    answers: Vec<oneshot::Receiver<Result<Written, Fault>>>,
}

impl Group {
    fn add(&mut self, transaction: &Arc<Transaction>, params: &[Value], key: Option<&IdempotencyKey>) {
        self.add_accepted(transaction, params, key, clock::instant());
    }

    fn add_accepted(
        &mut self,
        transaction: &Arc<Transaction>,
        params: &[Value],
        key: Option<&IdempotencyKey>,
        at: Instant,
    ) {
        let (reply, answer) = oneshot::channel();
        let (transaction, params) = (Arc::clone(transaction), params.to_vec());
        let ask = WriteAsk { transaction, params, idempotency: key.cloned(), reply };
        self.waiting.push_back(Accepted { ask, at });
        self.answers.push(answer);
    }

    /// The data of each answer, in order.
    fn commit(mut self, sqlite: &mut Sqlite) -> Vec<Result<(String, Replay), Fault>> {
        sqlite.writer.commit_all(&mut self.waiting);
        assert!(self.waiting.is_empty());
        let answer = |mut answer: oneshot::Receiver<Result<Written, Fault>>| {
            let written = answer.try_recv().unwrap().expect("every ask of a group is answered")?;
            Ok((data(&written.body), written.replay))
        };
        self.answers.into_iter().map(answer).collect()
    }
}

fn data(body: &[u8]) -> String {
    let body = std::str::from_utf8(body).unwrap();
    let data = body.strip_prefix(r#"{"code":0,"message":"ok","data":"#).and_then(|rest| rest.strip_suffix('}'));
    data.unwrap().to_owned()
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}
