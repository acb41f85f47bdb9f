//! The database behind its lane and thread.

use std::sync::Arc;

use futures_channel::oneshot::Receiver;

use super::{Shop, data};
use crate::backends::database::{Database, DatabaseAsk, IdempotencyKey, ReadAsk, Replay, WriteAsk, Written};
use crate::backends::fixture::{query, step, transaction, wait};
use crate::backends::lane::answered;
use crate::backends::threads::BackendThreads;
use crate::core::bounds;
use crate::core::config::checked::{Query, Rows, Step, Transaction, Value};
use crate::core::fault::{Backend, Fault};
use crate::proto::json::rows::Answer;

type Read = Receiver<Result<Option<Arc<Answer>>, Fault>>;

fn started() -> (Shop, Arc<Query>, Arc<Transaction>, Database, BackendThreads) {
    let stock = query("stock", "SELECT stock FROM products WHERE id = :id", Rows::One, &["id"]);
    let take = "UPDATE products SET stock = stock - 1 WHERE id = :id RETURNING stock";
    let take = transaction("take", vec![Step { answers: true, ..step(take) }], &["id"]);
    let shop = Shop::new(
        "CREATE TABLE products (id INTEGER PRIMARY KEY, stock INTEGER); INSERT INTO products VALUES (1, 100)",
    )
    .with_query(&stock)
    .with_transaction(&take);
    let mut threads = BackendThreads::default();
    let lane = shop.open().start(&mut threads).unwrap();
    (shop, stock, take, lane, threads)
}

fn read(lane: &Database, query: &Arc<Query>) -> Result<Read, Fault> {
    let query = Arc::clone(query);
    lane.reads.ask(|reply| DatabaseAsk::Read(ReadAsk { query, params: vec![Value::Integer(1)], page: None, reply }))
}

fn try_write(
    lane: &Database,
    transaction: &Arc<Transaction>,
    idempotency: Option<IdempotencyKey>,
) -> Result<Receiver<Result<Written, Fault>>, Fault> {
    let transaction = Arc::clone(transaction);
    let params = vec![Value::Integer(1)];
    lane.writes.ask(|reply| DatabaseAsk::Write(WriteAsk { transaction, params, idempotency, reply }))
}

fn write(
    lane: &Database,
    transaction: &Arc<Transaction>,
    idempotency: Option<IdempotencyKey>,
) -> Receiver<Result<Written, Fault>> {
    try_write(lane, transaction, idempotency).unwrap()
}

fn stock_of(answer: Read) -> String {
    data(&wait(answered(answer)).unwrap().unwrap().rendered.body)
}

#[test]
fn what_was_accepted_is_answered_before_the_threads_end() {
    let (_shop, stock, take, lane, threads) = started();
    let writes: Vec<_> = (0..3).map(|_| write(&lane.clone(), &take, None)).collect();
    let stock = read(&lane, &stock).unwrap();
    drop(lane);
    assert_eq!(threads.join(), Vec::<&str>::new());
    let left = writes.into_iter().map(|answer| data(&wait(answered(answer)).unwrap().body));
    assert!(left.eq([r#"{"stock":99}"#, r#"{"stock":98}"#, r#"{"stock":97}"#]));
    assert!(wait(answered(stock)).unwrap().is_some());
}

#[test]
fn a_read_sees_every_write_that_was_answered() {
    let (_shop, stock, take, lane, _threads) = started();
    for _ in 0..100 {
        let written = data(&wait(answered(write(&lane, &take, None))).unwrap().body);
        assert_eq!(stock_of(read(&lane, &stock).unwrap()), written);
    }
}

#[test]
fn a_read_does_not_wait_for_the_writer() {
    let (shop, stock, take, lane, _threads) = started();
    let other = shop.beside();
    other.execute_batch("BEGIN IMMEDIATE; UPDATE products SET stock = 0").unwrap();
    let blocked = write(&lane, &take, None);
    assert_eq!(stock_of(read(&lane, &stock).unwrap()), r#"{"stock":100}"#);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(data(&wait(answered(blocked)).unwrap().body), r#"{"stock":99}"#);
}

#[test]
fn a_database_in_memory_serves_both_lanes_in_order() {
    let version = query("version", "SELECT user_version AS stock FROM pragma_user_version", Rows::One, &["id"]);
    let set = transaction("set", vec![step("PRAGMA user_version = 7")], &["id"]);
    let shop = Shop::in_memory().with_query(&version).with_transaction(&set);
    let mut threads = BackendThreads::default();
    let lane = shop.open().start(&mut threads).unwrap();
    let before = read(&lane, &version).unwrap();
    let writes = [write(&lane, &set, None), write(&lane, &set, None)];
    let after = read(&lane, &version).unwrap();
    let last = write(&lane, &set, None);
    drop(lane);
    assert_eq!(threads.join(), Vec::<&str>::new());
    assert_eq!((stock_of(before), stock_of(after)), (r#"{"stock":0}"#.to_owned(), r#"{"stock":7}"#.to_owned()));
    assert!(writes.into_iter().chain([last]).all(|answer| wait(answered(answer)).is_ok()));
}

#[test]
fn a_write_that_nobody_waits_for_still_counts() {
    let (shop, _, take, lane, threads) = started();
    drop(write(&lane, &take, None));
    drop(lane);
    assert_eq!(threads.join(), Vec::<&str>::new());
    assert_eq!(shop.number("SELECT stock FROM products"), 99);
}

#[test]
fn parallel_duplicates_are_carried_out_once() {
    let (shop, _, take, lane, threads) = started();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let send = || {
            let key = IdempotencyKey { scope: "ann".to_owned(), key: "k".to_owned(), fingerprint: 1 };
            wait(answered(write(&lane, &take, Some(key)))).unwrap()
        };
        let senders: Vec<_> = (0..8).map(|_| scope.spawn(send)).collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|written| written.replay == Replay::First).count(), 1);
    assert!(answers.iter().all(|written| data(&written.body) == r#"{"stock":99}"#));
    drop(lane);
    assert_eq!(threads.join(), Vec::<&str>::new());
    assert_eq!(shop.number("SELECT stock FROM products"), 99);
}

#[test]
fn a_full_lane_is_busy_and_loses_nothing_it_accepted() {
    let (shop, _, take, lane, threads) = started();
    // A lock held elsewhere keeps the thread at its first group.
    let other = shop.beside();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let ask = || try_write(&lane, &take, None);
    let mut accepted = Vec::new();
    let full = loop {
        match ask() {
            Ok(answer) => accepted.push(answer),
            Err(fault) => break fault,
        }
    };
    assert_eq!(full, Fault::Busy(Backend::Database));
    let held = bounds::LANE_ITEMS_MAX..=bounds::LANE_ITEMS_MAX + bounds::WRITE_GROUP_ITEMS_MAX;
    assert!(held.contains(&accepted.len()), "{}", accepted.len());
    other.execute_batch("ROLLBACK").unwrap();
    let count = accepted.len() as i64;
    for answer in accepted {
        assert!(wait(answered(answer)).is_ok());
    }
    drop(lane);
    assert_eq!(threads.join(), Vec::<&str>::new());
    assert_eq!(shop.number("SELECT stock FROM products"), 100 - count);
}
