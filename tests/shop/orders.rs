//! Orders: stock goes down once for each, never below zero, whoever sends what how often.

use std::collections::HashSet;
use std::sync::Barrier;
use std::thread;

use serde_json::json;

use crate::shop::{Setup, Shop, text};
use crate::support::{Answer, Ask, Client, get, post};

fn order(product: i64, quantity: i64, token: &str) -> Ask {
    post("/api/v1/orders", &json!({"product_id": product, "quantity": quantity}).to_string()).token(token)
}

fn stock(shop: &Shop, product: i64) -> i64 {
    shop.number(&format!("SELECT stock FROM products WHERE id = {product}"))
}

/// A connection and a user of every kind: at home on the connection's shard and foreign to it.
fn users(shop: &Shop, count: usize) -> Vec<String> {
    (0..count).map(|user| text(&shop.login(&format!("demo-user{user}")), "token").to_owned()).collect()
}

#[test]
fn an_order_takes_stock_and_answers_what_was_bought() {
    for shards in [1, 2] {
        let shop = Setup::generous(shards).open();
        let mut clients = shop.clients();
        let (mut left, price) = (stock(&shop, 3), shop.number("SELECT price FROM products WHERE id = 3"));
        let tokens = users(&shop, 6);
        for (turn, token) in tokens.iter().enumerate() {
            let answer = clients[turn % shards].ask(&order(3, 2, token));
            assert_eq!(answer.header("idempotent-replayed"), None);
            let bought = answer.data();
            assert_eq!(
                (&bought["product_id"], &bought["quantity"], &bought["amount"]),
                (&json!(3), &json!(2), &json!(2 * price))
            );
            left -= 2;
            assert_eq!(stock(&shop, 3), left);
        }
        let hops = shop.sum(|shard| shard.lane(tidegate::core::fault::Backend::Owner).asked.get());
        assert_eq!(hops > 0, shards > 1);
        assert_eq!(shop.number("SELECT count(*) FROM orders"), 6);
    }
}

#[test]
fn what_cannot_be_sold_changes_nothing() {
    let shop = Setup::generous(2).open();
    let (tokens, mut clients) = (users(&shop, 4), shop.clients());
    for (turn, token) in tokens.iter().enumerate() {
        let client = &mut clients[turn % 2];
        let mut check = |body: &str, expect: (u16, u64), says: &str| {
            let answer = client.ask(&post("/api/v1/orders", body).token(token));
            assert_eq!(answer.refusal(), expect, "{body}");
            assert!(text(&answer.json(), "message").contains(says), "{body}: {}", answer.json());
        };
        check(r#"{"product_id":100,"quantity":1}"#, (409, 40900), "out_of_stock");
        check(r#"{"product_id":1001,"quantity":1}"#, (409, 40900), "out_of_stock");
        check(r#"{"product_id":1,"quantity":0}"#, (400, 40001), "quantity");
        check(r#"{"product_id":1,"quantity":100}"#, (400, 40001), "1..=99");
        check(r#"{"product_id":1,"quantity":-1}"#, (400, 40001), "quantity");
        check(r#"{"product_id":1,"quantity":"2"}"#, (400, 40001), "quantity");
        check(r#"{"product_id":1,"quantity":1.5}"#, (400, 40001), "quantity");
        check(r#"{"product_id":1}"#, (400, 40001), "quantity");
        check(r#"{"quantity":1}"#, (400, 40001), "product_id");
        check(r#"{"product_id":[1],"quantity":1}"#, (400, 40001), "product_id");
        check("", (400, 40002), "body");
        check(r#"[1]"#, (400, 40002), "body");
    }
    assert_eq!(shop.number("SELECT count(*) FROM orders"), 0);
    assert_eq!(shop.client().ask(&post("/api/v1/orders", "{}")).refusal(), (401, 40100));
}

#[test]
fn the_same_key_is_the_same_order() {
    let shop = Setup::generous(2).open();
    let (tokens, mut clients) = (users(&shop, 4), shop.clients());
    for (turn, token) in tokens.iter().enumerate() {
        let client = &mut clients[turn % 2];
        let keyed = |quantity: i64, key: &str| order(2, quantity, token).header("idempotency-key", key);
        let first = client.ask(&keyed(2, "key-1"));
        let left = stock(&shop, 2);
        let again = client.ask(&keyed(2, "key-1"));
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(first.data(), again.data());
        assert_eq!(shop.client().ask(&keyed(2, "key-1")).body, first.body, "on any connection");
        assert_eq!(client.ask(&keyed(3, "key-1")).refusal(), (409, 40901), "another order under the same key");
        assert_eq!(stock(&shop, 2), left);
        assert_ne!(client.ask(&keyed(2, "key-2")).data()["id"], first.data()["id"]);
        for bad in ["", "a b", &"k".repeat(129)] {
            assert_eq!(client.ask(&keyed(2, bad)).refusal(), (400, 40001), "{bad:?}");
        }
        assert_eq!(client.ask(&keyed(2, &"k".repeat(128))).status, 200);
    }
    assert_eq!(shop.number("SELECT count(*) FROM orders"), 12, "the same key of two users is two keys");
}

/// Every duplicate is answered after the order has happened: what is read next is never the old stock.
#[test]
fn parallel_duplicates_are_one_order() {
    for shards in [1, 2, 4] {
        let shop = Setup::generous(shards).open();
        for (user, token) in users(&shop, 4).iter().enumerate() {
            let before = stock(&shop, 4);
            for client in &mut shop.clients() {
                client.get("/api/v1/products/4", token).data();
            }
            let start = Barrier::new(20);
            let duplicate = || {
                let mut client = shop.client();
                start.wait();
                let answer = client.ask(&order(4, 1, token).header("idempotency-key", "once"));
                let seen = client.get("/api/v1/products/4", token).data()["stock"].as_i64();
                (answer, seen)
            };
            let answers: Vec<(Answer, Option<i64>)> = thread::scope(|scope| {
                let threads: Vec<_> = (0..20).map(|_| scope.spawn(duplicate)).collect();
                threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
            });
            let bodies: HashSet<&[u8]> = answers.iter().map(|(answer, _)| &*answer.body).collect();
            assert_eq!(bodies.len(), 1, "all read the same answer");
            let replays = answers.iter().filter(|(answer, _)| answer.header("idempotent-replayed").is_some()).count();
            assert_eq!(replays, 19);
            assert!(answers.iter().all(|(_, seen)| *seen == Some(before - 1)), "{answers:?}");
            assert_eq!(shop.number("SELECT count(*) FROM orders"), user as i64 + 1);
        }
    }
}

#[test]
fn a_hundred_pieces_for_two_hundred_buyers() {
    for shards in [1, 2, 4] {
        let shop = Setup::generous(shards).open();
        let mut client = shop.client();
        let buyers: Vec<String> = (0..200).map(|buyer| shop.token(&format!("o-buyer{buyer}"))).collect();
        let mut left = stock(&shop, 8);
        while left > 100 {
            let quantity = (left - 100).min(99);
            client.ask(&order(8, quantity, &buyers[0])).data();
            left -= quantity;
        }
        let orders = shop.number("SELECT count(*) FROM orders");
        let bought: usize = thread::scope(|scope| {
            let buy = |buyers: &[String]| {
                let mut client = shop.client();
                let sold = |token: &String| client.ask(&order(8, 1, token)).status;
                buyers
                    .iter()
                    .map(sold)
                    .inspect(|status| assert!([200, 409].contains(status)))
                    .filter(|s| *s == 200)
                    .count()
            };
            let threads: Vec<_> = buyers.chunks(25).map(|buyers| scope.spawn(move || buy(buyers))).collect();
            threads.into_iter().map(|thread| thread.join().expect("it buys")).sum()
        });
        assert_eq!((bought, stock(&shop, 8)), (100, 0));
        assert_eq!(shop.number("SELECT count(*) FROM orders") - orders, 100);
        assert_eq!(client.get("/api/v1/products/8", &buyers[0]).data()["stock"], 0);
    }
}

#[test]
fn injections_are_texts_like_any_other() {
    let shop = Setup::generous(2).open();
    let token = users(&shop, 1).remove(0);
    let before = state(&shop);
    let injections = [
        "1; DROP TABLE products--",
        "1 OR 1=1",
        "' OR ''='",
        "\"; DELETE FROM orders; --",
        "1) UNION SELECT * FROM users--",
        "%27%20OR%201=1",
        "\u{0}1",
        "1/**/OR/**/1",
        "0x1",
        "1e0",
        ":openid",
        "?1",
        "${TOKEN}",
        "../../etc/passwd",
    ];
    let mut client = shop.client();
    for text in injections {
        let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for target in [
            format!("/api/v1/products/{encoded}"),
            format!("/api/v1/products?page={encoded}"),
            format!("/api/v1/products?page_size={encoded}"),
            format!("/api/v1/products/1?fields={encoded}"),
            format!("/api/v1/orders?page={encoded}&fields={encoded}"),
        ] {
            let status = reconnecting(&shop, &mut client, &get(&target).token(&token)).status;
            assert!([400, 404].contains(&status), "{target}: {status}");
        }
        let body = json!({"product_id": text, "quantity": text}).to_string();
        assert_eq!(client.ask(&post("/api/v1/orders", &body).token(&token)).refusal(), (400, 40001));
        let login = json!({"code": text, "appid": text}).to_string();
        assert_eq!(client.post("/auth/login", &login).refusal(), (400, 40001));
        assert_eq!(client.post("/auth/login", &json!({"code": text}).to_string()).refusal(), (401, 40110));
        let refresh = json!({"refresh_token": text}).to_string();
        assert_eq!(client.post("/auth/refresh", &refresh).refusal(), (401, 40104));
        assert_eq!(client.get("/api/v1/me", &encoded).refusal(), (401, 40101));
    }
    assert_eq!(state(&shop), before);

    // An openid is our own text, yet a statement must not care what is in it.
    let strange = shop.token("o'; DELETE FROM users; --");
    assert_eq!(client.ask(&order(1, 1, &strange)).status, 200);
    let orders = client.get("/api/v1/orders", &strange).data();
    assert_eq!(orders["items"].as_array().map(Vec::len), Some(1));
    let key = order(1, 1, &strange).header("idempotency-key", "');DROP/**/TABLE/**/orders;--");
    assert_eq!(client.ask(&key).status, 200);
    let (users, products, sold) = state(&shop);
    assert_eq!((users, products, sold), (before.0 + 1, before.1 - 2, before.2 + 2));
}

/// Users, pieces in stock, orders.
fn state(shop: &Shop) -> (i64, i64, i64) {
    let number = |sql: &str| shop.number(sql);
    (
        number("SELECT count(*) FROM users"),
        number("SELECT sum(stock) FROM products"),
        number("SELECT count(*) FROM orders"),
    )
}

/// A request that is malformed as HTTP ends its connection.
fn reconnecting(shop: &Shop, client: &mut Client, ask: &Ask) -> Answer {
    let answer = client.ask(ask);
    if answer.header("connection") == Some("close") {
        *client = shop.client();
    }
    assert!(answer.json()["code"] != 0);
    answer
}
