//! What is checked before anything runs.

use std::path::PathBuf;

use super::Shop;
use crate::backends::fixture::{config, query, step, transaction};
use crate::backends::sqlite::Sqlite;
use crate::core::config::checked::{DatabaseUrl, Rows, Step};

const SCHEMA: &str = "CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT)";
const PAGED: Rows = Rows::Paged { size: 20, size_max: 100, page_max: 1000 };

#[track_caller]
fn check_query(sql: &str, rows: Rows, expect: &str) {
    let shop = Shop::new(SCHEMA).with_query(&query("product", sql, rows, &["id"]));
    let error = Sqlite::open(&shop.config).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains(expect) && error.is_empty() == expect.is_empty(), "{sql}: {error}");
}

#[track_caller]
fn check_step(step: Step, expect: &str) {
    let shop = Shop::new(SCHEMA).with_transaction(&transaction("order", vec![step], &["id"]));
    let error = Sqlite::open(&shop.config).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains(expect) && error.is_empty() == expect.is_empty(), "{error}");
}

#[test]
fn queries_are_checked() {
    check_query("SELECT id, name FROM products WHERE id = :id", Rows::One, "");
    check_query("SELECT id FROM product", Rows::One, "query product: no such table: product");
    check_query("SELECT prise FROM products", Rows::One, "query product: no such column: prise");
    check_query("SELEKT 1", Rows::One, "syntax error");
    check_query("SELECT 1; DELETE FROM products", Rows::One, "Multiple statements");
    check_query("", Rows::One, "must only read");
    check_query("DELETE FROM products RETURNING id", Rows::One, "must only read");
    check_query("SELECT id, id FROM products", Rows::One, "same name");
    check_query("SELECT id FROM products WHERE name = :name", Rows::One, "sql uses :name, which is not in params");
    check_query("SELECT id FROM products WHERE name = ?", Rows::One, "write :name");
    check_query("SELECT id FROM products WHERE name = $id", Rows::One, "write :name");
    check_query("SELECT id FROM products LIMIT :limit", Rows::One, "sql uses :limit");
}

#[test]
fn paged_queries_use_the_page() {
    check_query("SELECT id FROM products LIMIT :limit OFFSET :offset", PAGED, "");
    check_query("SELECT id FROM products", PAGED, "LIMIT :limit OFFSET :offset");
    check_query("SELECT id FROM products LIMIT :limit", PAGED, "LIMIT :limit OFFSET :offset");
}

#[test]
fn steps_are_checked() {
    let answering = |sql: &str| Step { answers: true, ..step(sql) };
    check_step(step("UPDATE products SET name = :id"), "");
    check_step(answering("INSERT INTO products (id) VALUES (:id) RETURNING id"), "");
    check_step(step("UPDATE product SET name = 1"), "transaction order, step 1: no such table: product");
    check_step(step("COMMIT"), "made by the gateway");
    check_step(step("SAVEPOINT a"), "made by the gateway");
    check_step(step("BEGIN"), "made by the gateway");
    check_step(answering("UPDATE products SET name = 1"), "RETURNING");
    check_step(step("UPDATE products SET name = :name"), "sql uses :name");
}

#[test]
fn a_database_that_cannot_be_opened_names_its_path() {
    let error = |path: PathBuf| Sqlite::open(&config(DatabaseUrl::Sqlite(path))).err().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("no/such.db");
    assert!(error(missing).starts_with(&format!("database.primary = sqlite://{}", dir.path().display())));
    let text = dir.path().join("text.db");
    std::fs::write(&text, "not a database, but long enough to be taken for the header of one page of it".repeat(9))
        .unwrap();
    assert!(error(text).contains("not a database"));
    assert!(Sqlite::open(&config(DatabaseUrl::SqliteMemory)).is_ok());
}
