//! `transaction`: a named list of SQL statements that hold together or not at all. `action = { transaction = "place_order" }`
//! Never here: a commit whose invalidations are skipped because the client has left.

use std::rc::Rc;
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use crate::actions::admit::Place;
use crate::actions::call::Call;
use crate::actions::desk::Desk;
use crate::actions::invalidate::{Stale, invalidate};
use crate::actions::key::write_key;
use crate::actions::params::bind;
use crate::actions::{Action, Home, Outcome, later};
use crate::backends::database::{DatabaseAsk, IdempotencyKey, Replay, WriteAsk, Written};
use crate::backends::lane::answered;
use crate::core::admission::{Priority, Resource};
use crate::core::bounds::IDEMPOTENCY_KEY_BYTES_MAX;
use crate::core::cache::{SpaceId, Spaces};
use crate::core::config::checked::{Config, Idempotency, Invalidation, KeyTemplate, Transaction, Value};
use crate::core::fault::{Backend, Fault};
use crate::proto::reply::{Body, Reply};
use crate::proto::request::header;

struct Write {
    transaction: Arc<Transaction>,
    invalidates: Vec<Drops>,
}

/// What a commit makes false.
enum Drops {
    Key(KeyTemplate),
    Space(SpaceId),
}

/// # Errors
/// What the value must be.
pub fn build(value: &toml::Value, config: &Config) -> Result<Box<dyn Action>, String> {
    let name = value.as_str().ok_or("must be the name of a transaction")?;
    Ok(Box::new(writer(name, config)?))
}

/// A transaction that another action runs beside its own work.
pub(super) struct Follow(Write);

impl Follow {
    /// # Errors
    /// No transaction has this name.
    pub fn named(name: &str, config: &Config) -> Result<Self, String> {
        writer(name, config).map(Self)
    }

    pub fn transaction(&self) -> &Transaction {
        &self.0.transaction
    }

    /// Runs it with these values, in the order of its parameters.
    pub async fn run(&self, desk: &Rc<Desk>, values: Vec<Value>, priority: Priority) -> Result<(), Fault> {
        let stale = self.0.stale(&values);
        let order = Order { transaction: self.0.transaction.clone(), values, idempotency: None, priority };
        let carried = desk.clone();
        let work = async move {
            write(&carried, order).await?;
            invalidate(&carried, stale).await;
            Ok(())
        };
        desk.carry_out(work).await
    }
}

impl Action for Write {
    fn call(&self, desk: &Rc<Desk>, mut call: Call<'_>) -> Result<Outcome, Fault> {
        let mut values = Vec::with_capacity(self.transaction.params.len());
        bind(&self.transaction.params, &mut call, &mut desk.json.borrow_mut(), &mut values)?;
        let idempotency = self.idempotency_key(&call, &values)?;
        let stale = self.stale(&values);
        let (transaction, priority) = (self.transaction.clone(), desk.priority(call.route));
        let order = Order { transaction, values, idempotency, priority };
        let desk = desk.clone();
        let run = async move {
            let carried = desk.clone();
            let work = async move {
                let written = write(&carried, order).await?;
                // Also for a repeat: the first try may be on its way round the shards still, and whoever reads after this
                // answer must not read what was before the order.
                invalidate(&carried, stale).await;
                Ok(written)
            };
            desk.carry_out(work).await.map(reply)
        };
        Ok(later(Backend::Database, run))
    }

    fn home(&self) -> Home {
        Home::Owner
    }
}

impl Write {
    fn stale(&self, values: &[Value]) -> Vec<Stale> {
        let stale = self.invalidates.iter().map(|drops| match drops {
            Drops::Space(space) => Stale::Space(*space),
            Drops::Key(template) => {
                let mut key = Vec::new();
                write_key(template, values, &mut key);
                Stale::Key(key.into())
            }
        });
        stale.collect()
    }

    /// The client's key, within his own name and this route, with a fingerprint of what he asked for.
    fn idempotency_key(&self, call: &Call<'_>, values: &[Value]) -> Result<Option<IdempotencyKey>, Fault> {
        let sent = match self.transaction.idempotency {
            Idempotency::Off => return Ok(None),
            Idempotency::Optional | Idempotency::Required => header(call.request.headers, "idempotency-key"),
        };
        let Some(sent) = sent else {
            let required = self.transaction.idempotency == Idempotency::Required;
            return if required {
                Err(bad_key("missing: send a new one for every order, the same one for a retry"))
            } else {
                Ok(None)
            };
        };
        let plain = sent.iter().all(u8::is_ascii_graphic) && (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&sent.len());
        let key = std::str::from_utf8(sent).ok().filter(|_| plain);
        let key = key.ok_or_else(|| bad_key("must be 1 to 128 printable ASCII characters without spaces"))?;
        let who = call.caller.map_or("", |caller| caller.openid.as_str());
        Ok(Some(IdempotencyKey {
            scope: format!("{}:{who}", self.transaction.name),
            key: key.into(),
            fingerprint: fingerprint(values),
        }))
    }
}

fn writer(name: &str, config: &Config) -> Result<Write, String> {
    let known = || config.transactions.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let transaction =
        config.transactions.get(name).ok_or_else(|| format!("no such transaction, use one of {}", known()))?;
    let spaces = Spaces::of(config);
    let mut invalidates = Vec::new();
    for invalidation in &transaction.invalidates {
        match invalidation {
            Invalidation::Key(template) => invalidates.push(Drops::Key(template.clone())),
            Invalidation::Space(space) => {
                let id = spaces.id(space).ok_or_else(|| format!("no query caches in the key space {space}"))?;
                invalidates.push(Drops::Space(id));
            }
        }
    }
    Ok(Write { transaction: transaction.clone(), invalidates })
}

/// One run of a transaction.
struct Order {
    transaction: Arc<Transaction>,
    values: Vec<Value>,
    idempotency: Option<IdempotencyKey>,
    priority: Priority,
}

async fn write(desk: &Desk, order: Order) -> Result<Written, Fault> {
    let Order { transaction, values: params, idempotency, priority } = order;
    let place = Place::take(desk, Resource::Writes, priority)?;
    let lane = &desk.common.backends.database.writes;
    let answer = lane.ask(|reply| DatabaseAsk::Write(WriteAsk { transaction, params, idempotency, reply }));
    desk.count_ask(Backend::Database, &answer);
    let answer = match answer {
        Ok(answer) => answer,
        Err(full) => return place.give_back(Err(full)),
    };
    let written = answered(answer).await;
    desk.count_answer(Backend::Database);
    place.give_back(written)
}

fn reply(written: Written) -> Reply {
    let reply = Reply::json(Body::Owned(written.body)).with("cache-control", "no-store");
    match written.replay {
        Replay::First => reply,
        Replay::Repeat => reply.with("idempotent-replayed", "true"),
    }
}

fn bad_key(need: &'static str) -> Fault {
    Fault::InvalidParam { name: "idempotency-key".into(), need: need.into() }
}

fn fingerprint(values: &[Value]) -> u128 {
    let mut hasher = Xxh3::new();
    for value in values {
        match value {
            Value::Null => hasher.update(&[0]),
            Value::Bool(flag) => hasher.update(&[1, u8::from(*flag)]),
            Value::Integer(number) => {
                hasher.update(&[2]);
                hasher.update(&number.to_le_bytes());
            }
            Value::Float(number) => {
                hasher.update(&[3]);
                hasher.update(&number.to_bits().to_le_bytes());
            }
            Value::Text(text) => {
                hasher.update(&[4]);
                hasher.update(&(text.len() as u64).to_le_bytes());
                hasher.update(text.as_bytes());
            }
        }
    }
    hasher.digest128()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_tell_lists_of_values_apart() {
        let text = |text: &str| Value::Text(text.into());
        let lists = [
            vec![],
            vec![Value::Null],
            vec![Value::Integer(1)],
            vec![Value::Bool(true)],
            vec![text("ab"), text("c")],
            vec![text("a"), text("bc")],
            vec![text("abc")],
        ];
        for (index, list) in lists.iter().enumerate() {
            assert_eq!(fingerprint(list), fingerprint(&list.clone()));
            for other in &lists[index + 1..] {
                assert_ne!(fingerprint(list), fingerprint(other));
            }
        }
    }
}
