//! Loading what the cache does not have: one load per key per node, however many ask at once.
//! A key has a home shard, which asks the database; other shards ask the home and keep a copy, unless the entry is a user's own.
//! Never here: a waiter without an answer; a row that was read before an invalidation, stored after it.

use std::rc::Rc;
use std::sync::Arc;

use futures_channel::oneshot;

use crate::actions::admit::Place;
use crate::actions::desk::Desk;
use crate::backends::database::{DatabaseAsk, Page, ReadAsk};
use crate::core::admission::{Priority, Resource};
use crate::core::cache::{Cached, Item, Key, Lookup, SpaceId};
use crate::core::config::checked::{CacheRule, Query, Value};
use crate::core::fault::{Backend, Fault};
use crate::core::flight::{Freshness, Joined, Ticket};
use crate::core::ids::ShardId;
use crate::core::time::Tick;
use crate::proto::json::rows::Answer;

/// What a load found. `None`: the database has no such row.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub answer: Option<Arc<Answer>>,
    /// Until when the entry may be kept, the same on every shard; `None`: not at all.
    pub keep_until: Option<Tick>,
}

/// Everything that it takes to load one entry, on whatever shard.
#[derive(Clone)]
pub struct Wanted {
    pub key: Arc<[u8]>,
    pub space: SpaceId,
    pub query: Arc<Query>,
    pub values: Vec<Value>,
    pub page: Option<Page>,
    /// The shard that asks the database for it.
    pub home: ShardId,
    pub copies: Copies,
    /// Of the request that asks first; whoever joins its load shares its fate.
    pub priority: Priority,
}

/// One question to the database without any cache.
pub struct Plain {
    pub query: Arc<Query>,
    pub values: Vec<Value>,
    pub page: Option<Page>,
    pub priority: Priority,
}

/// Which shards may keep the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copies {
    /// Every shard that is asked for it.
    Everywhere,
    /// The home only: it belongs to one user.
    HomeOnly,
}

impl Wanted {
    fn key(&self) -> Key<'_> {
        Key { space: self.space, bytes: &self.key }
    }
}

/// Gets an entry that is not in this shard's cache.
///
/// # Errors
/// The database is busy, refused, or did not answer in time; too much is being loaded.
pub async fn load(desk: Rc<Desk>, wanted: Wanted) -> Result<Option<Arc<Answer>>, Fault> {
    let (reply, answer) = oneshot::channel();
    obtain(&desk, wanted, reply);
    let loaded = answer.await.unwrap_or(Err(Fault::Internal))?;
    Ok(loaded.answer)
}

/// Asks the database without any cache in between.
///
/// # Errors
/// As [`load`].
pub async fn read(desk: &Desk, plain: Plain) -> Result<Option<Arc<Answer>>, Fault> {
    let Plain { query, values, page, priority } = plain;
    let place = Place::take(desk, Resource::Reads, priority)?;
    let lane = &desk.common.backends.database.reads;
    let answer = lane.ask(|reply| DatabaseAsk::Read(ReadAsk { query, params: values, page, reply }));
    desk.count_ask(Backend::Database, &answer);
    let answer = match answer {
        Ok(answer) => answer,
        Err(full) => return place.give_back(Err(full)),
    };
    let read = answer.await.unwrap_or(Err(Fault::Busy(Backend::Database)));
    desk.count_answer(Backend::Database);
    place.give_back(read)
}

/// Joins the load of this key on this shard, or leads it. The leader runs as a task of its own: it has other waiters
/// than the request that started it.
fn obtain(desk: &Rc<Desk>, wanted: Wanted, reply: oneshot::Sender<Result<Loaded, Fault>>) {
    let joined = desk.flights.borrow_mut().join(wanted.key(), reply);
    match joined {
        Joined::Follower => {}
        Joined::Full(reply) => {
            let _ = reply.send(Err(Fault::Overloaded));
        }
        Joined::Leader(ticket) => {
            let leader = Leader { desk: desk.clone(), wanted, ticket: Some(ticket) };
            // Without room for a task it is dropped, and tells its waiters so.
            desk.driver.spawn(leader.lead());
        }
    }
}

/// One load under way. Whatever becomes of it, also if it panics, its waiters get an answer.
struct Leader {
    desk: Rc<Desk>,
    wanted: Wanted,
    ticket: Option<Ticket>,
}

impl Leader {
    async fn lead(mut self) {
        let result = find(&self.desk, &self.wanted).await;
        self.land(&result);
    }

    fn land(&mut self, result: &Result<Loaded, Fault>) {
        let Some(ticket) = self.ticket.take() else { return };
        let landed = self.desk.flights.borrow_mut().finish(ticket);
        if landed.freshness == Freshness::Storable {
            store(&self.desk, &self.wanted, result);
        }
        for waiter in landed.waiters {
            // A waiter that left is no error.
            let _ = waiter.send(result.clone());
        }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.land(&Err(Fault::Overloaded));
    }
}

async fn find(desk: &Rc<Desk>, wanted: &Wanted) -> Result<Loaded, Fault> {
    if wanted.home != desk.shard {
        let there = wanted.clone();
        return desk.ask(wanted.home, move |desk, reply| answer_from_home(desk, there, reply)).await?;
    }
    let (query, values) = (wanted.query.clone(), wanted.values.clone());
    let answer = read(desk, Plain { query, values, page: wanted.page, priority: wanted.priority }).await?;
    let keep_until = wanted.query.cache.as_ref().and_then(|rule| keep_until(desk, rule, answer.as_ref()));
    Ok(Loaded { answer, keep_until })
}

/// The home's side of another shard's question: from its cache, else by its own flight.
fn answer_from_home(desk: &Rc<Desk>, wanted: Wanted, reply: oneshot::Sender<Result<Loaded, Fault>>) {
    let now = desk.tick();
    let known = {
        let mut cache = desk.cache.borrow_mut();
        match cache.get(&wanted.key, now) {
            Lookup::Hit(answer) => Some(Loaded { answer: Some(answer), keep_until: cache.ends(&wanted.key) }),
            Lookup::Negative => Some(Loaded { answer: None, keep_until: cache.ends(&wanted.key) }),
            Lookup::Miss => None,
        }
    };
    match known {
        Some(loaded) => {
            let _ = reply.send(Ok(loaded));
        }
        None => obtain(desk, wanted, reply),
    }
}

fn keep_until(desk: &Desk, rule: &CacheRule, answer: Option<&Arc<Answer>>) -> Option<Tick> {
    if answer.is_some() {
        let spread = desk.jitter.borrow_mut().up_to(rule.jitter);
        Some(desk.tick().after(rule.ttl).after(spread))
    } else {
        (!rule.negative.is_zero()).then(|| desk.tick().after(rule.negative))
    }
}

fn store(desk: &Desk, wanted: &Wanted, result: &Result<Loaded, Fault>) {
    let Ok(Loaded { answer, keep_until: Some(until) }) = result else { return };
    if wanted.copies == Copies::HomeOnly && wanted.home != desk.shard {
        return;
    }
    let item = match answer {
        Some(answer) => {
            let room = desk.common.service.config.compression.variants_room(answer.rendered.body.len());
            Item { value: Cached::Row(answer.clone()), bytes: answer.bytes() + room, ends: *until }
        }
        None => Item { value: Cached::Absent, bytes: 0, ends: *until },
    };
    desk.cache.borrow_mut().insert(wanted.key(), item, desk.tick());
}
