//! Groups of writes: one that fails touches no other, nothing is answered as done that a rollback took.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::{Group, Shop, write_alone};
use crate::backends::database::{IdempotencyKey, Replay};
use crate::backends::fixture::{LONG, step, transaction};
use crate::backends::sqlite::Sqlite;
use crate::core::bounds;
use crate::core::config::checked::{Step, Transaction, Value};
use crate::core::fault::{Backend, Fault};
use crate::net::clock;

const SCHEMA: &str = "
CREATE TABLE log (id INTEGER PRIMARY KEY, n INTEGER CHECK (n < 100), note TEXT);
CREATE TABLE owner (id INTEGER PRIMARY KEY);
CREATE TABLE thing (owner_id INTEGER REFERENCES owner DEFERRABLE INITIALLY DEFERRED);
INSERT INTO owner VALUES (1);";

const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";

fn refused(code: u32) -> Fault {
    Fault::BackendRefused { backend: Backend::Database, code: code.into() }
}

fn done() -> Result<(String, Replay), Fault> {
    Ok((r#"{"affected":1}"#.to_owned(), Replay::First))
}

fn key(text: &str, fingerprint: u128) -> IdempotencyKey {
    IdempotencyKey { scope: "ann".to_owned(), key: text.to_owned(), fingerprint }
}

/// Adds `:n` to the log, at most 99.
fn add() -> Step {
    step("INSERT INTO log (n) VALUES (:n)")
}

/// Changes something, then runs `sql`.
fn then(name: &str, sql: &str) -> Arc<Transaction> {
    let all = step("UPDATE log SET n = 0");
    transaction(name, vec![add(), all, Step { otherwise: None, ..step(sql) }], &["n"])
}

fn open(others: &[&Arc<Transaction>]) -> (Shop, Arc<Transaction>, Sqlite) {
    let add = transaction("add", vec![add()], &["n"]);
    let shop = others.iter().fold(Shop::new(SCHEMA).with_transaction(&add), |shop, other| shop.with_transaction(other));
    let sqlite = shop.open();
    (shop, add, sqlite)
}

fn numbers(numbers: &[i64]) -> Vec<[Value; 1]> {
    numbers.iter().map(|n| [Value::Integer(*n)]).collect()
}

/// 1 and 2, then what fails, then 3: nothing of the failing one stays, and each of the others happens once.
#[track_caller]
fn check_between(failing: &Arc<Transaction>, expect: &Fault) {
    let (shop, add, mut sqlite) = open(&[failing]);
    check_around(&shop, &add, &mut sqlite, (failing, expect));
}

#[track_caller]
fn check_around(shop: &Shop, add: &Arc<Transaction>, sqlite: &mut Sqlite, failing: (&Arc<Transaction>, &Fault)) {
    let n = numbers(&[1, 2, 50, 3]);
    let mut group = Group::default();
    // Their time has not come near its end when the failing one has used up all of its own.
    let later = clock::instant() + LONG;
    group.add_accepted(add, &n[0], None, later);
    group.add_accepted(add, &n[1], None, later);
    group.add(failing.0, &n[2], None);
    group.add_accepted(add, &n[3], None, later);
    assert_eq!(group.commit(sqlite), [done(), done(), Err(failing.1.clone()), done()]);
    assert_eq!(shop.number("SELECT CAST(group_concat(n, '') AS INTEGER) FROM log"), 123);
    assert!(sqlite.writer.connection.is_autocommit());
}

fn count_commits(sqlite: &mut Sqlite) -> Arc<AtomicUsize> {
    let commits = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&commits);
    let count = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        false
    };
    sqlite.writer.connection.commit_hook(Some(count)).unwrap();
    commits
}

#[test]
fn a_conflict_or_a_broken_constraint_undoes_only_its_own() {
    let conflict = transaction(
        "conflict",
        vec![step("UPDATE log SET n = 0"), Step { affected: Some(7), ..step("SELECT 1") }],
        &["n"],
    );
    check_between(&conflict, &Fault::Conflict("conflict".into()));
    check_between(&then("check", "INSERT INTO log (n) VALUES (100)"), &refused(275));
    check_between(&then("fail", "INSERT OR FAIL INTO log (n) VALUES (100)"), &refused(275));
}

#[test]
fn a_statement_that_rolls_all_back_costs_the_others_nothing() {
    check_between(&then("rollback", "INSERT OR ROLLBACK INTO log (n) VALUES (100)"), &refused(275));
}

#[test]
fn a_deadline_within_a_group_ends_only_its_own() {
    let change = then("change", &format!("INSERT INTO log (n) {ENDLESS} SELECT i FROM n WHERE i < 0"));
    let look = then("look", &format!("{ENDLESS} SELECT count(*) FROM n"));
    // SQLite rolls everything back when it interrupts a change, and nothing when it interrupts a look.
    for failing in [change, look] {
        let (mut shop, add, _) = open(&[&failing]);
        shop.config.database.timeout = Duration::from_millis(20);
        let mut sqlite = shop.open();
        check_around(&shop, &add, &mut sqlite, (&failing, &Fault::Timeout(Backend::Database)));
    }
}

#[test]
fn a_full_disk_within_a_group_ends_only_its_own() {
    let fill = then("fill", "INSERT INTO log (note) VALUES (hex(zeroblob(200000)))");
    let fill_many = then("fill many", &format!("INSERT INTO log (note) {ENDLESS} SELECT hex(zeroblob(9000)) FROM n"));
    for failing in [fill, fill_many] {
        let (shop, add, mut sqlite) = open(&[&failing]);
        let connection = &sqlite.writer.connection;
        let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        connection.query_row(&format!("PRAGMA max_page_count = {}", pages + 10), [], |_| Ok(())).unwrap();
        check_around(&shop, &add, &mut sqlite, (&failing, &refused(13)));
    }
}

#[test]
fn a_key_works_once_within_a_group() {
    let (shop, add, mut sqlite) = open(&[]);
    let n = numbers(&[1, 100, 2]);
    let mut group = Group::default();
    group.add(&add, &n[0], Some(&key("a", 1)));
    group.add(&add, &n[0], Some(&key("a", 1)));
    group.add(&add, &n[2], Some(&key("a", 2)));
    group.add(&add, &n[1], Some(&key("b", 1)));
    group.add(&add, &n[2], Some(&key("b", 1)));
    let repeat = done().map(|(body, _)| (body, Replay::Repeat));
    assert_eq!(group.commit(&mut sqlite), [done(), repeat, Err(Fault::IdempotencyMismatch), Err(refused(275)), done()]);
    assert_eq!(shop.number("SELECT CAST(group_concat(n, '') AS INTEGER) FROM log"), 12);
}

#[test]
fn a_group_is_one_commit_up_to_its_bound() {
    let (shop, add, mut sqlite) = open(&[]);
    let commits = count_commits(&mut sqlite);
    let mut check = |asks: usize, expect: RangeInclusive<usize>| {
        let mut group = Group::default();
        (0..asks).for_each(|_| group.add(&add, &[Value::Integer(1)], None));
        assert!(group.commit(&mut sqlite).into_iter().all(|outcome| outcome == done()));
        assert!(expect.contains(&commits.swap(0, Ordering::Relaxed)));
    };
    check(1, 1..=1);
    // A machine that stands still for a while may cut a group short.
    check(bounds::WRITE_GROUP_ITEMS_MAX, 1..=bounds::WRITE_GROUP_ITEMS_MAX / 2);
    check(bounds::WRITE_GROUP_ITEMS_MAX + 1, 2..=bounds::WRITE_GROUP_ITEMS_MAX / 2);
    assert_eq!(shop.number("SELECT count(*) FROM log"), bounds::WRITE_GROUP_ITEMS_MAX as i64 * 2 + 2);
}

#[test]
fn answers_that_wait_for_a_commit_are_bounded() {
    let bytes = bounds::WRITE_GROUP_BYTES_MAX / 4;
    let long = Step { answers: true, ..step(&format!("SELECT hex(zeroblob({bytes})) AS h")) };
    let long = transaction("long", vec![add(), long], &["n"]);
    let (shop, _, mut sqlite) = open(&[&long]);
    let commits = count_commits(&mut sqlite);
    let mut group = Group::default();
    (0..5).for_each(|_| group.add_accepted(&long, &[Value::Integer(1)], None, clock::instant() + LONG));
    assert!(group.commit(&mut sqlite).into_iter().all(|outcome| outcome.is_ok()));
    assert!(commits.load(Ordering::Relaxed) >= 3);
    assert_eq!(shop.number("SELECT count(*) FROM log"), 5);
}

#[test]
fn a_constraint_checked_by_the_commit_fails_only_who_broke_it() {
    let own = transaction("own", vec![step("INSERT INTO thing VALUES (:n)")], &["n"]);
    for place in 0..9 {
        let (shop, _, mut sqlite) = open(&[&own]);
        let mut group = Group::default();
        (0..9).for_each(|at| group.add(&own, &[Value::Integer(if at == place { 2 } else { 1 })], None));
        for (at, outcome) in group.commit(&mut sqlite).into_iter().enumerate() {
            assert_eq!(outcome, if at == place { Err(refused(787)) } else { done() });
        }
        assert_eq!(shop.number("SELECT count(*) FROM thing"), 8);
    }
}

#[test]
fn a_commit_that_fails_is_everybodys_fault() {
    let (mut shop, add, _) = open(&[]);
    shop.config.database.timeout = Duration::from_millis(1);
    let mut sqlite = shop.open();
    // Without the log a commit must wait for readers, and one that stays makes it fail.
    drop(sqlite.reader.take());
    sqlite.writer.connection.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).unwrap();
    let other = shop.beside();
    other.execute_batch("BEGIN; SELECT count(*) FROM log").unwrap();
    let mut commit = |count: usize| {
        let mut group = Group::default();
        let later = clock::instant() + LONG;
        (0..count).for_each(|_| group.add_accepted(&add, &[Value::Integer(1)], Some(&key("k", 1)), later));
        group.commit(&mut sqlite)
    };
    assert_eq!(commit(3), vec![Err(Fault::Busy(Backend::Database)); 3]);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(shop.number("SELECT count(*) FROM log"), 0);
    assert_eq!(commit(1), [done()]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_group_ends_as_its_asks_would_alone(asks in prop::collection::vec((0..4_usize, 0..120_i64, 0..6_usize), 1..40)) {
        let total = "INSERT INTO log (n, note) SELECT :n, sum(n) FROM log";
        let kinds = [
            transaction("add", vec![add()], &["n"]),
            transaction("total", vec![Step { answers: true, ..step(&format!("{total} RETURNING id, note")) }], &["n"]),
            transaction("rollback", vec![step("UPDATE log SET n = 1"), step("INSERT OR ROLLBACK INTO log (n) VALUES (:n)")], &["n"]),
            transaction("owner", vec![step("INSERT INTO thing SELECT 1 + (:n > 80)"), step("UPDATE log SET n = n + 1")], &["n"]),
        ];
        let shops = [Shop::new(SCHEMA), Shop::new(SCHEMA)];
        let shops = shops.map(|shop| kinds.iter().fold(shop, |shop, kind| shop.with_transaction(kind)));
        let [mut alone, mut together] = [shops[0].open(), shops[1].open()];
        let mut group = Group::default();
        let mut expect = Vec::new();
        for (kind, n, name) in asks {
            let key = (name < 4).then(|| key(&name.to_string(), n as u128 % 3));
            expect.push(write_alone(&mut alone, &kinds[kind], &[Value::Integer(n)], key.as_ref()));
            group.add(&kinds[kind], &[Value::Integer(n)], key.as_ref());
        }
        prop_assert_eq!(group.commit(&mut together), expect);
        let state = "SELECT (SELECT coalesce(sum(n * id), 0) FROM log) * 1000 + (SELECT count(*) FROM thing)";
        prop_assert_eq!(shops[1].number(state), shops[0].number(state));
    }
}
