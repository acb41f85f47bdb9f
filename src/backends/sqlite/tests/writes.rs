//! Transactions: all or nothing, once per key, named conflicts, limits.

use std::sync::Arc;
use std::time::Duration;

use super::{Shop, read, write_alone};
use crate::backends::database::{IdempotencyKey, Replay};
use crate::backends::fixture::{query, step, transaction};
use crate::backends::sqlite::Sqlite;
use crate::backends::sqlite::session::contained;
use crate::core::bounds;
use crate::core::config::checked::{Rows, Step, Transaction, Value};
use crate::core::fault::{Backend, Fault};
use crate::net::clock;

const SCHEMA: &str = "
CREATE TABLE products (id INTEGER PRIMARY KEY, stock INTEGER CHECK (stock >= 0));
CREATE TABLE orders (id INTEGER PRIMARY KEY, product_id INTEGER REFERENCES products, quantity INTEGER, note TEXT);
INSERT INTO products VALUES (1, 5);";

fn steps() -> Vec<Step> {
    let take = "UPDATE products SET stock = stock - :quantity WHERE id = :product_id AND stock >= :quantity";
    vec![
        Step { affected: Some(1), otherwise: Some("out_of_stock".to_owned()), ..step(take) },
        Step {
            answers: true,
            ..step("INSERT INTO orders (product_id, quantity) VALUES (:product_id, :quantity) RETURNING id, quantity")
        },
    ]
}

fn shop(steps: Vec<Step>) -> (Shop, Arc<Transaction>) {
    let order = transaction("order", steps, &["product_id", "quantity"]);
    (Shop::new(SCHEMA).with_transaction(&order), order)
}

fn write(
    sqlite: &mut Sqlite,
    order: &Arc<Transaction>,
    quantity: i64,
    key: Option<&IdempotencyKey>,
) -> Result<(String, Replay), Fault> {
    write_alone(sqlite, order, &[Value::Integer(1), Value::Integer(quantity)], key)
}

fn key(text: &str, fingerprint: u128) -> IdempotencyKey {
    IdempotencyKey { scope: "ann /orders".to_owned(), key: text.to_owned(), fingerprint }
}

#[test]
fn an_order_takes_stock_or_changes_nothing() {
    let (shop, order) = shop(steps());
    let mut sqlite = shop.open();
    assert_eq!(write(&mut sqlite, &order, 3, None), Ok((r#"{"id":1,"quantity":3}"#.to_owned(), Replay::First)));
    assert_eq!(write(&mut sqlite, &order, 3, None), Err(Fault::Conflict("out_of_stock".into())));
    assert_eq!(write(&mut sqlite, &order, 2, None), Ok((r#"{"id":2,"quantity":2}"#.to_owned(), Replay::First)));
    assert_eq!(shop.number("SELECT stock FROM products"), 0);
    assert_eq!(shop.number("SELECT count(*) FROM orders"), 2);
}

#[test]
fn a_later_step_that_fails_undoes_the_earlier() {
    let mut steps = steps();
    steps.push(Step { affected: Some(1), ..step("DELETE FROM orders WHERE quantity > 100") });
    let (shop, order) = shop(steps);
    assert_eq!(write(&mut shop.open(), &order, 1, None), Err(Fault::Conflict("conflict".into())));
    assert_eq!(shop.number("SELECT stock FROM products"), 5);
    assert_eq!(shop.number("SELECT count(*) FROM orders"), 0);
}

#[test]
fn a_broken_constraint_is_the_steps_conflict_or_the_operators_fault() {
    let sql = "UPDATE products SET stock = stock - :quantity WHERE id = :product_id";
    let (shop_named, order) = shop(vec![Step { otherwise: Some("out_of_stock".to_owned()), ..step(sql) }]);
    let mut sqlite = shop_named.open();
    assert_eq!(write(&mut sqlite, &order, 6, None), Err(Fault::Conflict("out_of_stock".into())));
    assert_eq!(write(&mut sqlite, &order, 5, None), Ok((r#"{"affected":1}"#.to_owned(), Replay::First)));

    let (shop_unnamed, order) = shop(vec![step(sql)]);
    let check_failed = Fault::BackendRefused { backend: Backend::Database, code: 275 };
    assert_eq!(write(&mut shop_unnamed.open(), &order, 6, None), Err(check_failed));
    let foreign = step("INSERT INTO orders (product_id) VALUES (:product_id + :quantity)");
    let (shop_foreign, order) = shop(vec![foreign]);
    let foreign_key_failed = Fault::BackendRefused { backend: Backend::Database, code: 787 };
    assert_eq!(write(&mut shop_foreign.open(), &order, 9, None), Err(foreign_key_failed));
}

#[test]
fn rows_that_are_selected_or_returned_count_as_affected() {
    let known = Step {
        affected: Some(1),
        otherwise: Some("unknown".to_owned()),
        ..step("SELECT 1 FROM products WHERE id = :quantity")
    };
    let (shop, order) = shop(vec![known, Step { answers: true, ..step("SELECT id FROM orders") }]);
    let mut sqlite = shop.open();
    assert_eq!(write(&mut sqlite, &order, 2, None), Err(Fault::Conflict("unknown".into())));
    assert_eq!(write(&mut sqlite, &order, 1, None), Ok(("null".to_owned(), Replay::First)));
}

#[test]
fn a_key_works_once() {
    let (shop, order) = shop(steps());
    let mut sqlite = shop.open();
    let first = r#"{"id":1,"quantity":2}"#.to_owned();
    assert_eq!(write(&mut sqlite, &order, 2, Some(&key("k", 7))), Ok((first.clone(), Replay::First)));
    assert_eq!(write(&mut sqlite, &order, 2, Some(&key("k", 7))), Ok((first.clone(), Replay::Repeat)));
    assert_eq!(write(&mut sqlite, &order, 2, Some(&key("k", 8))), Err(Fault::IdempotencyMismatch));
    let other_user = IdempotencyKey { scope: "bob /orders".to_owned(), ..key("k", 7) };
    assert_eq!(write(&mut sqlite, &order, 1, Some(&other_user)).map(|written| written.1), Ok(Replay::First));
    drop(sqlite);
    assert_eq!(write(&mut shop.open(), &order, 2, Some(&key("k", 7))), Ok((first, Replay::Repeat)), "after a restart");
    assert_eq!(shop.number("SELECT stock FROM products"), 2);
}

#[test]
fn a_refused_write_leaves_its_key_free() {
    let (shop, order) = shop(steps());
    let mut sqlite = shop.open();
    assert_eq!(write(&mut sqlite, &order, 9, Some(&key("k", 7))), Err(Fault::Conflict("out_of_stock".into())));
    shop.beside().execute_batch("UPDATE products SET stock = 9").unwrap();
    assert_eq!(write(&mut sqlite, &order, 9, Some(&key("k", 7))).map(|written| written.1), Ok(Replay::First));
}

#[test]
fn keys_expire_after_a_day_and_are_purged_in_batches() {
    let (shop, order) = shop(vec![step("UPDATE products SET stock = :product_id + :quantity")]);
    let mut sqlite = shop.open();
    let keep = bounds::IDEMPOTENCY_KEEP.as_secs();
    let store = |name: &str, age: u64| {
        let created = clock::unix_now().0 - age;
        let sql = "INSERT INTO tidegate_idempotency VALUES ('ann /orders', ?1, x'00', x'7b7d', ?2)";
        shop.beside().execute(sql, (name, created as i64)).unwrap();
    };
    store("young", keep - 60);
    store("old", keep);
    assert_eq!(write(&mut sqlite, &order, 1, Some(&key("young", 7))), Err(Fault::IdempotencyMismatch));
    assert_eq!(write(&mut sqlite, &order, 1, Some(&key("old", 7))).map(|written| written.1), Ok(Replay::First));

    for number in 0..bounds::IDEMPOTENCY_PURGE_ROWS + 1 {
        store(&format!("expired {number}"), keep + 1);
    }
    let kept = || shop.number("SELECT count(*) FROM tidegate_idempotency WHERE key LIKE 'expired %'");
    for number in 0..bounds::IDEMPOTENCY_PURGE_EVERY - 2 {
        write(&mut sqlite, &order, 1, Some(&key(&number.to_string(), 7))).unwrap();
    }
    assert_eq!(kept(), i64::from(bounds::IDEMPOTENCY_PURGE_ROWS) + 1);
    write(&mut sqlite, &order, 1, Some(&key("last", 7))).unwrap();
    assert_eq!(kept(), 1);
}

#[test]
fn a_statement_that_runs_too_long_is_ended_and_the_connection_lives() {
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";
    let count = query("count", &format!("{endless} SELECT count(*) AS c FROM n"), Rows::One, &[]);
    let quick = query("quick", "SELECT stock FROM products", Rows::One, &[]);
    let slow = step(&format!("INSERT INTO orders (quantity) {endless} SELECT i FROM n WHERE i < 0"));
    let (shop, order) = shop(vec![step("UPDATE products SET stock = 0"), slow]);
    let mut shop = shop.with_query(&count).with_query(&quick);
    shop.config.database.timeout = Duration::from_millis(20);
    let mut sqlite = shop.open();
    let late = Fault::Timeout(Backend::Database);
    let deadline = |sqlite: &mut Sqlite| sqlite.reader.as_mut().unwrap().deadline.start(clock::instant());
    deadline(&mut sqlite).unwrap();
    assert_eq!(read(&mut sqlite, &count, &[], None), Err(late.clone()));
    assert_eq!(write(&mut sqlite, &order, 1, None), Err(late.clone()));
    deadline(&mut sqlite).unwrap();
    assert_eq!(read(&mut sqlite, &quick, &[], None), Ok(r#"{"stock":5}"#.to_owned()));

    let waited_too_long = clock::instant() - Duration::from_millis(20);
    assert_eq!(sqlite.writer.deadline.start(waited_too_long), Err(late));
}

#[test]
fn a_full_disk_is_a_fault_and_undoes_the_transaction() {
    let fill = "INSERT INTO orders (product_id, quantity, note) VALUES (:product_id, :quantity, hex(zeroblob(100000)))";
    let (shop, order) = shop(vec![step("UPDATE products SET stock = 0"), step(fill)]);
    let mut sqlite = shop.open();
    let pages: i64 = sqlite.writer.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    let set_pages = |sqlite: &Sqlite, pages: i64| {
        sqlite.writer.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
    };
    set_pages(&sqlite, pages);
    let full = Fault::BackendRefused { backend: Backend::Database, code: 13 };
    assert_eq!(write(&mut sqlite, &order, 1, Some(&key("k", 1))), Err(full));
    assert_eq!(shop.number("SELECT stock FROM products"), 5);
    set_pages(&sqlite, pages + 1000);
    assert_eq!(write(&mut sqlite, &order, 1, Some(&key("k", 1))).map(|written| written.1), Ok(Replay::First));
}

#[test]
fn a_lock_held_elsewhere_is_busy() {
    let (mut shop, order) = shop(steps());
    shop.config.database.timeout = Duration::from_millis(1);
    let mut sqlite = shop.open();
    let other = shop.beside();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(write(&mut sqlite, &order, 1, None), Err(Fault::Busy(Backend::Database)));
    other.execute_batch("ROLLBACK").unwrap();
    assert!(write(&mut sqlite, &order, 1, None).is_ok());
}

#[test]
fn a_panic_is_one_answer() {
    let outcome: Result<(), _> = contained(|| panic!("on purpose"));
    assert_eq!(outcome, Err(Fault::Internal));
}
