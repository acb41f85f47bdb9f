//! SQLite with real files: lanes, reads, writes, starting. Never here: a mocked database.

mod lanes;
mod reads;
mod start;
mod writes;

use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::backends::database::Page;
use crate::backends::fixture;
use crate::backends::sqlite::Sqlite;
use crate::core::config::checked::{Config, Query, Transaction, Value};
use crate::core::fault::Fault;

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
    let answer = sqlite.read(query, params, page)?;
    Ok(answer.map_or_else(|| "no row".to_owned(), |answer| data(&answer.rendered.body)))
}

fn data(body: &[u8]) -> String {
    let body = std::str::from_utf8(body).unwrap();
    let data = body.strip_prefix(r#"{"code":0,"message":"ok","data":"#).and_then(|rest| rest.strip_suffix('}'));
    data.unwrap().to_owned()
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}
