//! The demo's SQL and its configuration fit each other: every statement prepares over the shop's tables, and a product
//! is about one kilobyte of JSON.

use rusqlite::Connection;
use tidegate::core::config::checked::Config;
use tidegate::core::config::{Outside, load};

const SHOP: &str = include_str!("../src/demo/shop.sql");

fn config() -> Config {
    let variable = |name: &str| match name {
        "DEMO_LISTEN" | "DEMO_OPS" => Some("127.0.0.1:0".to_owned()),
        "DEMO_WECHAT" => Some("http://127.0.0.1:4000".to_owned()),
        "DEMO_DB" => Some("sqlite::memory:".to_owned()),
        "DEMO_TOKEN_KEY" => Some("k".repeat(32)),
        _ => None,
    };
    let file = |_: &std::path::Path| Err(std::io::Error::other("the demo has no secret files"));
    let outside = Outside { variable: &variable, file: &file };
    load(include_str!("../src/demo/demo.toml"), &outside).expect("the demo's configuration is valid")
}

fn shop() -> Connection {
    let db = Connection::open_in_memory().expect("memory is there");
    db.pragma_update(None, "foreign_keys", true).expect("a known pragma");
    db.execute_batch(SHOP).expect("the shop opens");
    db
}

fn number(db: &Connection, sql: &str) -> i64 {
    db.query_row(sql, [], |row| row.get(0)).expect(sql)
}

#[test]
fn every_statement_prepares() {
    let (db, config) = (shop(), config());
    for query in config.queries.values() {
        let statement = db.prepare(&query.sql).unwrap_or_else(|error| panic!("{}: {error}", query.name));
        assert!(statement.readonly(), "{} only reads", query.name);
    }
    for transaction in config.transactions.values() {
        for step in &transaction.steps {
            let statement = db.prepare(&step.sql).unwrap_or_else(|error| panic!("{}: {error}", transaction.name));
            assert_eq!(statement.column_count() > 0, step.answers, "{}: {}", transaction.name, step.sql);
        }
    }
}

#[test]
fn the_shop_has_a_thousand_products_of_a_kilobyte() {
    let db = shop();
    db.execute_batch(SHOP).expect("a second time changes nothing");
    assert_eq!(number(&db, "SELECT count(*) FROM products"), 1000);
    assert_eq!(number(&db, "SELECT count(*) FROM products WHERE stock = 0"), 10);
    let object = "json_object('id', id, 'name', name, 'price', price, 'stock', stock, 'description', description, 'attrs', json(attrs))";
    let bytes = |pick: &str| number(&db, &format!("SELECT {pick}(length(CAST({object} AS BLOB))) FROM products"));
    assert!((950..=1200).contains(&bytes("min")), "smallest: {}", bytes("min"));
    assert!((950..=1200).contains(&bytes("max")), "largest: {}", bytes("max"));
}

#[test]
fn an_order_takes_stock_and_answers() {
    let (db, config) = (shop(), config());
    let order = |quantity: i64| -> Option<(i64, i64)> {
        let mut answer = None;
        for step in &config.transactions["place_order"].steps {
            let mut statement = db.prepare(&step.sql).expect("it prepares");
            for (name, value) in [
                (":openid", &"o-demo" as &dyn rusqlite::ToSql),
                (":appid", &"wx"),
                (":product_id", &1_i64),
                (":quantity", &quantity),
            ] {
                if let Some(index) = statement.parameter_index(name).expect("a legal name") {
                    statement.raw_bind_parameter(index, value).expect("it binds");
                }
            }
            if step.answers {
                let mut rows = statement.raw_query();
                answer = rows
                    .next()
                    .expect("it runs")
                    .map(|row| (row.get("quantity").expect("there"), row.get("amount").expect("there")));
            } else if step.affected.is_some_and(|rows| rows != statement.raw_execute().expect("it runs") as u64) {
                return None;
            } else if step.affected.is_none() {
                statement.raw_execute().expect("it runs");
            }
        }
        answer
    };
    let stock = || number(&db, "SELECT stock FROM products WHERE id = 1");
    let (before, price) = (stock(), number(&db, "SELECT price FROM products WHERE id = 1"));
    assert_eq!(order(2), Some((2, 2 * price)));
    assert_eq!(stock(), before - 2);
    assert_eq!(order(before - 1), None, "more than there is");
    assert_eq!(stock(), before - 2);
    assert_eq!(order(before - 2).map(|(quantity, _)| quantity), Some(before - 2));
    assert_eq!((stock(), number(&db, "SELECT count(*) FROM orders")), (0, 2));
}
