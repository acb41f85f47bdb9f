//! What is known of every statement before it runs: which parameter goes where, which columns come out.
//! Never here: running statements.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, Statement, ToSql};

use crate::backends::StartError;
use crate::backends::database::Page;
use crate::backends::sqlite::error::Stop;
use crate::backends::sqlite::idempotency;
use crate::core::config::checked::{Config, Idempotency, Param, Query, Rows, Step, Transaction, Value};
use crate::core::fault::Fault;
use crate::proto::json::rows::{Columns, RowsWriter};

/// Plans of what one connection serves, by the name of the query or transaction.
#[derive(Default)]
pub struct Plans {
    pub reads: HashMap<String, ReadPlan>,
    /// One plan per step.
    pub writes: HashMap<String, Vec<StepPlan>>,
}

pub struct ReadPlan {
    pub binds: Binds,
    pub layout: Layout,
}

pub struct StepPlan {
    pub binds: Binds,
    /// Only of the step that answers.
    pub layout: Option<Layout>,
}

/// What each of SQLite's numbered parameters is bound to, in their order.
pub struct Binds(Box<[Bind]>);

enum Bind {
    /// Index into the parameters of the query or transaction.
    Param(usize),
    Limit,
    Offset,
}

/// The columns of a result.
pub struct Layout {
    pub columns: Arc<Columns>,
    /// Whether a column is declared `JSON`.
    json: Box<[bool]>,
}

impl Plans {
    /// Prepares every query of the configuration once.
    ///
    /// # Errors
    /// [`StartError::Statement`] for the first that cannot work.
    pub fn check_reads(&mut self, connection: &Connection, config: &Config) -> Result<(), StartError> {
        for (name, query) in &config.queries {
            let owner = format!("query {name}");
            let plan = read_plan(connection, query).map_err(|reason| StartError::Statement { owner, reason })?;
            self.reads.insert(query.name.clone(), plan);
        }
        Ok(())
    }

    /// Prepares every step of every transaction once, and makes the table of idempotency keys where one is needed.
    ///
    /// # Errors
    /// [`StartError::Statement`] for the first that cannot work.
    pub fn check_writes(&mut self, connection: &Connection, config: &Config) -> Result<(), StartError> {
        if config.transactions.values().any(|transaction| transaction.idempotency != Idempotency::Off) {
            idempotency::create_table(connection).map_err(|error| statement_error("idempotency keys", &error))?;
        }
        for (name, transaction) in &config.transactions {
            let mut plans = Vec::with_capacity(transaction.steps.len());
            for (number, step) in transaction.steps.iter().enumerate() {
                let owner = format!("transaction {name}, step {}", number + 1);
                let plan = step_plan(connection, transaction, step);
                plans.push(plan.map_err(|reason| StartError::Statement { owner, reason })?);
            }
            self.writes.insert(transaction.name.clone(), plans);
        }
        Ok(())
    }
}

impl Binds {
    /// Binds every parameter of the statement. A missing value or page is a bug of ours.
    pub fn bind(&self, statement: &mut Statement<'_>, params: &[Value], page: Option<Page>) -> Result<(), Stop> {
        for (index, bind) in self.0.iter().enumerate() {
            match bind {
                Bind::Param(param) => {
                    let value = params.get(*param).ok_or(Fault::Internal)?;
                    statement.raw_bind_parameter(index + 1, Bound(value))?;
                }
                // One row more than the page tells whether there is another page.
                Bind::Limit => {
                    let page = page.ok_or(Fault::Internal)?;
                    statement.raw_bind_parameter(index + 1, i64::from(page.size) + 1)?;
                }
                Bind::Offset => {
                    let page = page.ok_or(Fault::Internal)?;
                    let offset = i64::from(page.number.saturating_sub(1)).saturating_mul(page.size.into());
                    statement.raw_bind_parameter(index + 1, offset)?;
                }
            }
        }
        Ok(())
    }

    fn of(statement: &Statement<'_>, params: &[Param], paged: Paged) -> Result<Self, String> {
        let mut binds = Vec::new();
        for index in 1..=statement.parameter_count() {
            let name = statement.parameter_name(index).and_then(|name| name.strip_prefix(':'));
            let Some(name) = name else {
                return Err("parameter without a name: write :name".to_owned());
            };
            binds.push(match (name, paged) {
                ("limit", Paged::Yes) => Bind::Limit,
                ("offset", Paged::Yes) => Bind::Offset,
                _ => Bind::Param(
                    params
                        .iter()
                        .position(|param| param.name == name)
                        .ok_or_else(|| format!("sql uses :{name}, which is not in params: declare it there"))?,
                ),
            });
        }
        let has = |wanted: fn(&Bind) -> bool| binds.iter().any(wanted);
        if paged == Paged::Yes && !(has(|b| matches!(b, Bind::Limit)) && has(|b| matches!(b, Bind::Offset))) {
            return Err("rows are paged, but sql does not use LIMIT :limit OFFSET :offset".to_owned());
        }
        Ok(Self(binds.into()))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Paged {
    Yes,
    No,
}

impl Layout {
    /// The layout of a prepared statement.
    ///
    /// # Errors
    /// A text for the operator when the rows have no JSON object.
    pub fn of(statement: &Statement<'_>) -> Result<Self, String> {
        let columns = statement.columns();
        let json = columns.map(|column| column.decl_type().is_some_and(|kind| kind.eq_ignore_ascii_case("json")));
        let json = json.collect();
        let names: Vec<_> = statement.column_names().collect();
        let columns = Columns::new(&names).ok_or("two columns have the same name: rename one with AS".to_owned())?;
        Ok(Self { columns: Arc::new(columns), json })
    }

    /// Takes over the columns a running statement really has: `SELECT *` widens when a table does.
    pub fn follow(&mut self, statement: &Statement<'_>) -> Result<(), Stop> {
        let known = self.columns.names();
        let same = statement.column_count() == known.len()
            && known.iter().enumerate().all(|(at, name)| statement.column_name(at).is_ok_and(|now| **name == *now));
        if !same {
            *self = Self::of(statement).map_err(|_| Fault::Internal)?;
        }
        Ok(())
    }

    /// Writes one row's cells.
    pub fn write_row(&self, row: &Row<'_>, writer: &mut RowsWriter) -> Result<(), Stop> {
        for (column, json) in self.json.iter().enumerate() {
            match row.get_ref(column)? {
                ValueRef::Null => writer.null(),
                ValueRef::Integer(value) => writer.integer(value),
                ValueRef::Real(value) => writer.float(value),
                ValueRef::Blob(value) => writer.blob(value),
                // SQLite does not check that text is UTF-8; a phone must get JSON all the same.
                ValueRef::Text(value) if *json => writer.json(&String::from_utf8_lossy(value)),
                ValueRef::Text(value) => writer.text(&String::from_utf8_lossy(value)),
            }
        }
        Ok(())
    }
}

struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(value) => ValueRef::Integer(*value),
            Value::Float(value) => ValueRef::Real(*value),
            Value::Text(value) => ValueRef::Text(value.as_bytes()),
            Value::Bool(value) => ValueRef::Integer((*value).into()),
        }))
    }
}

fn statement_error(owner: &str, error: &rusqlite::Error) -> StartError {
    StartError::Statement { owner: owner.to_owned(), reason: error.to_string() }
}

fn read_plan(connection: &Connection, query: &Query) -> Result<ReadPlan, String> {
    let statement = connection.prepare_cached(&query.sql).map_err(|error| error.to_string())?;
    if !statement.readonly() || statement.column_count() == 0 {
        return Err("a query must only read: put what changes data into a transaction".to_owned());
    }
    let paged = if matches!(query.rows, Rows::Paged { .. }) { Paged::Yes } else { Paged::No };
    Ok(ReadPlan { binds: Binds::of(&statement, &query.params, paged)?, layout: Layout::of(&statement)? })
}

fn step_plan(connection: &Connection, transaction: &Transaction, step: &Step) -> Result<StepPlan, String> {
    let statement = connection.prepare_cached(&step.sql).map_err(|error| error.to_string())?;
    let returns = statement.column_count() > 0;
    if statement.readonly() && !returns {
        return Err("a step must change or return rows: BEGIN, COMMIT and ROLLBACK are made by the gateway".to_owned());
    }
    if step.answers && !returns {
        return Err("the step that answers must return a row: use RETURNING or SELECT".to_owned());
    }
    let layout = if step.answers { Some(Layout::of(&statement)?) } else { None };
    Ok(StepPlan { binds: Binds::of(&statement, &transaction.params, Paged::No)?, layout })
}
