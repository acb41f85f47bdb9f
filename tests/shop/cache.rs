//! Reads through the cache: one question to the database however many ask, no answer of yesterday, no answer of somebody else.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tidegate::core::fault::Backend;

use crate::shop::{Setup, claims, text};
use crate::support::{Client, get, post};

#[test]
fn a_cold_key_is_read_once_for_two_hundred() {
    for shards in [1, 2, 4] {
        let shop = Setup::generous(shards).open();
        let (start, ask) = (Barrier::new(40), |product: usize, user: usize| {
            let token = shop.token(&format!("o-user{user}"));
            let mut client = shop.client();
            move |start: &Barrier| {
                start.wait();
                for _ in 0..5 {
                    client.send(&get(&format!("/api/v1/products/{product}")).token(&token));
                }
                (0..5).map(|_| client.receive().data()["id"].clone()).collect::<Vec<Value>>()
            }
        });
        let before = shop.asked(Backend::Database);
        thread::scope(|scope| {
            let threads: Vec<_> = (0..40).map(|user| (ask(17, user), &start)).collect();
            let threads: Vec<_> = threads.into_iter().map(|(mut ask, start)| scope.spawn(move || ask(start))).collect();
            for thread in threads {
                assert_eq!(thread.join().expect("answers"), vec![Value::from(17); 5]);
            }
        });
        assert_eq!(shop.asked(Backend::Database) - before, 1, "{shards} shards");
        assert_eq!(shop.asked(Backend::Owner) > 0, shards > 1, "copies come from the key's home");
    }
}

/// The shards take over the cache's own counts once a second.
#[test]
fn what_the_cache_did_is_in_the_books() {
    let shop = Setup::generous(2).open();
    let token = shop.token("o-user");
    let mut client = shop.client();
    for target in ["1", "1", "1", "1001", "1001"] {
        client.get(&format!("/api/v1/products/{target}"), &token);
    }
    let counted =
        || shop.sum(|l| l.cache.hits.get() + l.cache.negative.get()) == 3 && shop.sum(|l| l.cache.entries.get()) > 0;
    let until = Instant::now() + Duration::from_secs(60);
    while !counted() {
        assert!(Instant::now() < until, "nothing is booked");
        thread::yield_now();
    }
    assert!(shop.sum(|shard| shard.cache.misses.get()) >= 2 && shop.sum(|shard| shard.cache.inserts.get()) >= 2);
    let answered = shop.sum(|shard| shard.lane(Backend::Database).answered.get());
    assert_eq!((answered, shop.asked(Backend::Database)), (2, 2));
}

#[test]
fn absence_is_remembered() {
    for shards in [1, 2] {
        let shop = Setup::generous(shards).open();
        let token = shop.token("o-user");
        let mut clients = shop.clients();
        for turn in 0..3 * shards {
            assert_eq!(clients[turn % shards].get("/api/v1/products/1001", &token).refusal(), (404, 40401));
        }
        assert_eq!(shop.asked(Backend::Database), 1);
        assert_eq!(clients[0].get("/api/v1/products/-1", &token).refusal(), (400, 40001));
        assert_eq!(clients[0].get("/api/v1/products/01", &token).refusal(), (400, 40001), "one number, one name");
        assert_eq!(clients[0].get("/api/v1/products/x", &token).refusal(), (400, 40001));
        assert_eq!(clients[0].get("/api/v1/products/99999999999999999999", &token).refusal(), (400, 40001));
        assert_eq!(shop.asked(Backend::Database), 1, "what is no number is no question");
    }
}

#[test]
fn tags_save_the_body() {
    let shop = Setup::generous(2).open();
    let token = shop.token("o-user");
    for client in &mut shop.clients() {
        let first = client.get("/api/v1/products/5", &token);
        let tag = first.header("etag").expect("a tag").to_owned();
        for sent in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
            let again = client.ask(&get("/api/v1/products/5").token(&token).header("if-none-match", &sent));
            assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(&*tag)), "{sent}");
        }
        let other = client.ask(&get("/api/v1/products/6").token(&token).header("if-none-match", &tag));
        assert_eq!(other.status, 200);
        let part = client.get("/api/v1/products/5?fields=id", &token);
        assert_ne!(part.header("etag"), Some(&*tag), "another selection, another tag");
        client.ask(&post("/api/v1/orders", r#"{"product_id":5,"quantity":1}"#).token(&token)).data();
        let changed = client.ask(&get("/api/v1/products/5").token(&token).header("if-none-match", &tag));
        assert_eq!(changed.status, 200, "the stock has changed and the tag with it");
    }
}

#[test]
fn fields_choose_columns() {
    let shop = Setup::generous(2).open();
    let token = shop.token("o-user");
    for client in &mut shop.clients() {
        let whole = client.get("/api/v1/products/5", &token).data();
        let mut get = |target: &str| client.get(target, &token);
        let part = get("/api/v1/products/5?fields=price,id");
        assert_eq!(part.data(), serde_json::json!({"price": whole["price"], "id": 5}));
        let order = String::from_utf8(part.body).expect("UTF-8");
        assert!(order.find("price") < order.find("\"id\""), "in the order asked for: {order}");
        assert_eq!(get("/api/v1/products/5?fields=id,id").data(), serde_json::json!({"id": 5}));
        assert_eq!(get("/api/v1/products/5?fields=attrs").data()["attrs"], whole["attrs"], "JSON stays JSON");
        for target in
            ["/api/v1/products/5?fields=id,cost", "/api/v1/products/5?fields=", "/api/v1/products?fields=attrs"]
        {
            let refused = get(target);
            assert_eq!(refused.refusal(), (400, 40001), "{target}");
            let message = refused.json();
            assert!(text(&message, "message").contains("id, name, price, stock"), "names the columns: {message}");
        }
        let items = get("/api/v1/products?fields=id&page_size=2").data();
        assert_eq!(items["items"], serde_json::json!([{"id": 1}, {"id": 2}]));
    }
}

#[test]
fn pages_have_bounds() {
    let shop = Setup::generous(2).open();
    let token = shop.token("o-user");
    let mut client = shop.client();
    let mut page = |query: &str| client.get(&format!("/api/v1/products{query}"), &token);
    let ids = |data: &Value| -> Vec<u64> {
        data["items"].as_array().expect("items").iter().filter_map(|item| item["id"].as_u64()).collect()
    };
    let first = page("").data();
    assert_eq!(ids(&first), (1..=20).collect::<Vec<_>>());
    assert_eq!((&first["page"], &first["page_size"], &first["has_more"]), (&1.into(), &20.into(), &true.into()));
    assert_eq!(ids(&page("?page=2&page_size=3").data()), [4, 5, 6]);
    assert_eq!(ids(&page("?page=10&page_size=100").data()), (901..=1000).collect::<Vec<_>>());
    assert_eq!(page("?page=10&page_size=100").data()["has_more"], false);
    assert_eq!(page("?page=11&page_size=100").data()["items"], serde_json::json!([]));
    assert_eq!(page("?page=1000").status, 200);
    for query in
        ["?page=0", "?page=1001", "?page_size=0", "?page_size=101", "?page=-1", "?page=x", "?page=1.5", "?page="]
    {
        assert_eq!(page(query).refusal(), (400, 40001), "{query}");
    }
}

#[test]
fn an_order_is_seen_by_every_shard_at_once() {
    for shards in [1, 2, 4] {
        let shop = Setup::generous(shards).open();
        let mut clients = shop.clients();
        let tokens: Vec<String> = (0..6)
            .map(|user| shop.login(&format!("demo-user{user}")))
            .map(|pair| text(&pair, "token").to_owned())
            .collect();
        let stock = |client: &mut Client, token: &str| {
            let product = client.get("/api/v1/products/9", token).data()["stock"].as_i64();
            let list = client.get("/api/v1/products?page_size=10", token).data();
            (product.expect("a stock"), list["items"][8]["stock"].as_i64().expect("a stock"))
        };
        let mut left = stock(&mut clients[0], &tokens[0]).0;
        for (turn, token) in tokens.iter().enumerate() {
            for client in &mut clients {
                assert_eq!(stock(client, token), (left, left), "now cached everywhere");
            }
            let order = post("/api/v1/orders", r#"{"product_id":9,"quantity":3}"#).token(token);
            clients[turn % shards].ask(&order).data();
            left -= 3;
            for client in &mut clients {
                assert_eq!(stock(client, token), (left, left), "{shards} shards");
            }
        }
    }
}

#[test]
fn a_users_own_answers_live_on_his_shard_and_are_his() {
    let shop = Setup::generous(4).open();
    let mut clients = shop.clients();
    for user in 0..12 {
        let pair = shop.login(&format!("demo-user{user}"));
        let token = text(&pair, "token");
        let openid = &claims(token)["sub"];
        let before = shop.asked(Backend::Database);
        for turn in 0..8 {
            assert_eq!(&clients[turn % 4].get("/api/v1/me", token).data()["openid"], openid);
        }
        assert_eq!(shop.asked(Backend::Database) - before, 1, "the owner read it once for all shards");
        // Fresh ones: after eight requests a connection lives at its user's shard.
        clients = shop.clients();
        let owner = shop.owner(&mut clients, token);
        let order = post("/api/v1/orders", r#"{"product_id":1,"quantity":1}"#).token(token);
        clients[(owner + 1) % 4].ask(&order).data();
        for client in &mut clients {
            assert_eq!(client.get("/api/v1/me", token).data()["orders"], 1);
            let orders = client.get("/api/v1/orders", token).data();
            assert_eq!(
                (&orders["items"][0]["product_id"], orders["items"].as_array().map(Vec::len)),
                (&1.into(), Some(1))
            );
        }
    }
}
