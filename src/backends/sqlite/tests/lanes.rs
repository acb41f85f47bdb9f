//! The database behind its lane and thread.

use std::sync::Arc;

use futures_channel::oneshot::Receiver;

use super::{Shop, data};
use crate::backends::database::{DatabaseAsk, IdempotencyKey, Replay, Written};
use crate::backends::fixture::{query, step, transaction, wait};
use crate::backends::lane::{Lane, answered};
use crate::backends::threads::BackendThreads;
use crate::core::bounds;
use crate::core::config::checked::{Query, Rows, Step, Transaction, Value};
use crate::core::fault::{Backend, Fault};
use crate::proto::json::rows::Answer;

type Read = Receiver<Result<Option<Arc<Answer>>, Fault>>;

fn started() -> (Shop, Arc<Query>, Arc<Transaction>, Lane<DatabaseAsk>, BackendThreads) {
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

fn read(lane: &Lane<DatabaseAsk>, query: &Arc<Query>) -> Result<Read, Fault> {
    let query = Arc::clone(query);
    lane.ask(|reply| DatabaseAsk::Read { query, params: vec![Value::Integer(1)], page: None, reply })
}

fn write(
    lane: &Lane<DatabaseAsk>,
    transaction: &Arc<Transaction>,
    idempotency: Option<IdempotencyKey>,
) -> Receiver<Result<Written, Fault>> {
    let transaction = Arc::clone(transaction);
    let params = vec![Value::Integer(1)];
    lane.ask(|reply| DatabaseAsk::Write { transaction, params, idempotency, reply }).unwrap()
}

#[test]
fn asks_are_answered_in_order_and_the_thread_ends_with_the_lane() {
    let (_shop, stock, take, lane, threads) = started();
    let before = read(&lane, &stock).unwrap();
    let written = write(&lane.clone(), &take, None);
    let after = read(&lane, &stock).unwrap();
    drop(lane);
    assert_eq!(threads.join(), Vec::<&str>::new());
    let read = |answer: Read| data(&wait(answered(answer)).unwrap().unwrap().rendered.body);
    assert_eq!(read(before), r#"{"stock":100}"#);
    assert_eq!(data(&wait(answered(written)).unwrap().body), r#"{"stock":99}"#);
    assert_eq!(read(after), r#"{"stock":99}"#);
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
    let (shop, stock, take, lane, threads) = started();
    // A lock held elsewhere keeps the thread at its first write.
    let other = shop.beside();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let blocked = write(&lane, &take, None);
    while !lane.is_empty() {
        std::thread::yield_now();
    }
    let waiting: Vec<_> = (0..bounds::LANE_ITEMS_MAX).map(|_| read(&lane, &stock).unwrap()).collect();
    assert_eq!(lane.len(), bounds::LANE_ITEMS_MAX);
    assert_eq!(read(&lane, &stock).unwrap_err(), Fault::Busy(Backend::Database));
    other.execute_batch("ROLLBACK").unwrap();
    assert!(wait(answered(blocked)).is_ok());
    for answer in waiting {
        assert!(wait(answered(answer)).is_ok());
    }
    drop(lane);
    assert_eq!(threads.join(), Vec::<&str>::new());
}
