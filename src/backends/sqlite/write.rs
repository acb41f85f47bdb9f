//! Runs a transaction: all of its steps or none, once per idempotency key.
//! Never here: the transaction or savepoint around it.

use std::sync::Arc;

use rusqlite::Connection;

use crate::backends::database::{Replay, WriteAsk, Written};
use crate::backends::sqlite::error::Stop;
use crate::backends::sqlite::idempotency::{self, Found};
use crate::backends::sqlite::plan::StepPlan;
use crate::backends::sqlite::session::Session;
use crate::core::bounds;
use crate::core::config::checked::{Step, Value};
use crate::core::fault::Fault;
use crate::net::clock;
use crate::proto::json::rows::{Frame, Room, RowsWriter};
use crate::proto::json::write::{ENVELOPE_CLOSE, ENVELOPE_OPEN, write_integer};

/// What one step did.
struct Done {
    /// Rows changed or returned.
    affected: u64,
    answer: Option<Vec<u8>>,
}

impl Session {
    /// Carries the transaction out, or returns the first answer when its key was used for the same request.
    /// The caller has opened what keeps all of it together, and takes it back after an error.
    ///
    /// # Errors
    /// `Conflict` when an expectation of a step does not hold, `IdempotencyMismatch` when the key was used for another
    /// request, `Timeout`, `Busy` or `BackendRefused` of the database.
    pub fn write(&mut self, ask: &WriteAsk) -> Result<Written, Stop> {
        let (transaction, params) = (&*ask.transaction, &*ask.params);
        let plans = self.plans.writes.get_mut(&transaction.name).ok_or(Fault::Internal)?;
        let Some(key) = &ask.idempotency else {
            let body = run_steps(&self.connection, &transaction.steps, plans, params)?;
            return Ok(Written { body, replay: Replay::First });
        };
        let now = clock::unix_now();
        match idempotency::find(&self.connection, key, now)? {
            Some(Found::SameRequest(body)) => return Ok(Written { body, replay: Replay::Repeat }),
            Some(Found::OtherRequest) => return Err(Fault::IdempotencyMismatch.into()),
            None => {}
        }
        let body = run_steps(&self.connection, &transaction.steps, plans, params)?;
        idempotency::store(&self.connection, key, &body, now)?;
        self.keyed_writes += 1;
        if self.keyed_writes >= bounds::IDEMPOTENCY_PURGE_EVERY {
            self.keyed_writes = 0;
            idempotency::purge(&self.connection, now)?;
        }
        Ok(Written { body, replay: Replay::First })
    }
}

/// The body of the answer: the row of the step that answers, else how many rows were changed.
fn run_steps(
    connection: &Connection,
    steps: &[Step],
    plans: &mut [StepPlan],
    params: &[Value],
) -> Result<Vec<u8>, Stop> {
    let mut answer = None;
    let mut affected: u64 = 0;
    for (step, plan) in steps.iter().zip(plans) {
        let done = run_step(connection, step, plan, params).map_err(|stop| named_conflict(step, stop))?;
        if step.affected.is_some_and(|expected| expected != done.affected) {
            let name = step.otherwise.clone().unwrap_or_else(|| "conflict".to_owned());
            return Err(Fault::Conflict(name.into()).into());
        }
        affected += done.affected;
        answer = done.answer.or(answer);
    }
    Ok(answer.unwrap_or_else(|| affected_body(affected)))
}

fn run_step(connection: &Connection, step: &Step, plan: &mut StepPlan, params: &[Value]) -> Result<Done, Stop> {
    let mut statement = connection.prepare_cached(&step.sql)?;
    plan.binds.bind(&mut statement, params, None)?;
    if statement.column_count() == 0 {
        return Ok(Done { affected: statement.raw_execute()? as u64, answer: None });
    }
    let mut rows = statement.raw_query();
    let mut done = Done { affected: 0, answer: plan.layout.as_ref().map(|_| null_body()) };
    while let Some(row) = rows.next()? {
        done.affected += 1;
        if done.affected > 1 {
            continue;
        }
        if let Some(layout) = &mut plan.layout {
            layout.follow(row.as_ref())?;
            let mut writer = RowsWriter::new(Arc::clone(&layout.columns), Frame::One);
            if writer.begin_row()? == Room::Row {
                layout.write_row(row, &mut writer)?;
            }
            done.answer = writer.finish()?.map(|answer| answer.rendered.body.to_vec());
        }
    }
    Ok(done)
}

/// A constraint of the schema that refuses a step is the step's own named conflict, if it has a name.
fn named_conflict(step: &Step, stop: Stop) -> Stop {
    match &step.otherwise {
        Some(name) if stop.is_constraint() => Stop::Fault(Fault::Conflict(name.clone().into())),
        _ => stop,
    }
}

fn affected_body(affected: u64) -> Vec<u8> {
    let mut body = ENVELOPE_OPEN.to_vec();
    body.extend_from_slice(br#"{"affected":"#);
    write_integer(&mut body, i64::try_from(affected).unwrap_or(i64::MAX));
    body.push(b'}');
    body.extend_from_slice(ENVELOPE_CLOSE);
    body
}

fn null_body() -> Vec<u8> {
    [ENVELOPE_OPEN, b"null", ENVELOPE_CLOSE].concat()
}
