//! Sessions: refresh, theft, logout. What is closed is closed on every shard before the client hears of it.

use serde_json::{Value, json};

use crate::shop::{Setup, Shop, claims, login_body, text};
use crate::support::{Answer, Client, post};

fn refresh(client: &mut Client, pair: &Value) -> Answer {
    client.post("/auth/refresh", &json!({"refresh_token": pair["refresh_token"]}).to_string())
}

fn log_out(client: &mut Client, pair: &Value, body: &str) -> Answer {
    client.ask(&post("/auth/logout", body).token(text(pair, "token")))
}

/// What each shard says to the pair's access token.
fn everywhere(clients: &mut [Client], pair: &Value) -> Vec<u16> {
    clients.iter_mut().map(|client| client.get("/api/v1/products/1", text(pair, "token")).status).collect()
}

fn shops() -> impl Iterator<Item = (Shop, usize)> {
    [1, 2, 4].into_iter().map(|shards| (Setup::generous(shards).open(), shards))
}

fn generation(pair: &Value) -> u64 {
    claims(text(pair, "refresh_token"))["gen"].as_u64().expect("a generation")
}

#[test]
fn refresh_rotates_and_a_retry_gets_the_same_generation() {
    for (shop, _) in shops() {
        for number in 0..6 {
            let first = shop.login(&format!("demo-user{number}"));
            let mut client = shop.client();
            let second = refresh(&mut client, &first).data();
            assert_eq!(generation(&second), generation(&first) + 1);
            assert_eq!(claims(text(&second, "token"))["sid"], claims(text(&first, "token"))["sid"]);
            let retry = refresh(&mut shop.client(), &first).data();
            assert_eq!(generation(&retry), generation(&second), "the phone that lost the answer goes on");
            let third = refresh(&mut client, &retry).data();
            assert_eq!(generation(&third), generation(&first) + 2);
            for pair in [&first, &second, &third] {
                assert_eq!(client.get("/api/v1/me", text(pair, "token")).status, 200);
            }
        }
    }
}

#[test]
fn a_stolen_refresh_token_ends_the_session_on_every_shard() {
    for (shop, shards) in shops() {
        for number in 0..4 {
            let mut clients = shop.clients();
            let first = shop.login(&format!("demo-user{number}"));
            let other = shop.login(&format!("demo-user{number}.2"));
            let client = &mut clients[number % shards];
            let second = refresh(client, &first).data();
            let third = refresh(client, &second).data();
            assert_eq!(everywhere(&mut clients, &third), vec![200; shards], "now every shard remembers the token");
            // Two generations old: no retry, whatever the clock says.
            assert_eq!(refresh(&mut shop.client(), &first).refusal(), (401, 40105));
            for pair in [&first, &second, &third] {
                assert_eq!(everywhere(&mut clients, pair), vec![401; shards], "refused at once on every shard");
            }
            let refused = clients[0].get("/api/v1/me", text(&third, "token"));
            assert_eq!(refused.refusal(), (401, 40103));
            assert_eq!(refresh(&mut clients[0], &third).refusal(), (401, 40104), "the session is gone");
            assert_eq!(everywhere(&mut clients, &other), vec![200; shards], "the user's other session lives");
        }
    }
}

#[test]
fn bad_refreshes_are_refused() {
    let shop = Setup::of(2).open();
    let mut client = shop.client();
    assert_eq!(client.post("/auth/refresh", "{}").refusal(), (400, 40001));
    assert_eq!(client.post("/auth/refresh", r#"{"refresh_token":5}"#).refusal(), (400, 40001));
    assert_eq!(client.post("/auth/refresh", r#"{"refresh_token":"a.b.c"}"#).refusal(), (401, 40104));
    assert_eq!(client.post("/auth/refresh", "nothing").refusal(), (400, 40002));
}

#[test]
fn logout_is_heard_by_every_shard_before_the_client() {
    for (shop, shards) in shops() {
        for number in 0..8 {
            // Fresh ones: after eight requests a connection lives at its user's shard.
            let mut clients = shop.clients();
            let code = format!("demo-user{number}");
            let pair = shop.login(&code);
            let other = shop.login(&format!("{code}.2"));
            assert_eq!(everywhere(&mut clients, &pair), vec![200; shards]);
            let body = ["", "{}", r#"{"everywhere":false}"#][number % 3];
            assert_eq!(log_out(&mut clients[number % shards], &pair, body).data(), Value::Null);
            assert_eq!(everywhere(&mut clients, &pair), vec![401; shards]);
            assert_eq!(refresh(&mut clients[0], &pair).refusal(), (401, 40104));
            assert_eq!(everywhere(&mut clients, &other), vec![200; shards], "only this session");
            let replay = shop.client().post("/auth/login", &login_body(&code));
            assert_eq!(replay.refusal(), (401, 40110), "the code does not bring the session back");
            assert_eq!(log_out(&mut clients[0], &pair, "").refusal(), (401, 40103), "out already");
        }
        assert_eq!(shop.wechat()["exchanges"], 16, "no code went to WeChat twice");
    }
}

#[test]
fn logout_everywhere_ends_every_session_of_the_user_only() {
    for (shop, shards) in shops() {
        for number in 0..4 {
            let mut clients = shop.clients();
            let pairs: Vec<Value> = (0..3).map(|login| shop.login(&format!("demo-user{number}.{login}"))).collect();
            let neighbour = shop.login(&format!("demo-neighbour{number}"));
            let answer = log_out(&mut clients[number % shards], &pairs[1], r#"{"everywhere":true}"#);
            assert_eq!(answer.data(), Value::Null);
            for pair in &pairs {
                assert_eq!(everywhere(&mut clients, pair), vec![401; shards]);
                assert_eq!(refresh(&mut clients[0], pair).refusal(), (401, 40104));
            }
            assert_eq!(everywhere(&mut clients, &neighbour), vec![200; shards]);
            assert_eq!(everywhere(&mut clients, &shop.login(&format!("demo-user{number}.new"))), vec![200; shards]);
        }
    }
}

#[test]
fn a_logout_says_what_it_does_not_understand() {
    let shop = Setup::of(2).open();
    let pair = shop.login("demo-alice");
    let mut client = shop.client();
    assert_eq!(log_out(&mut client, &pair, r#"{"everywhere":"yes"}"#).refusal(), (400, 40001));
    assert_eq!(log_out(&mut client, &pair, "[").refusal(), (400, 40002));
    assert_eq!(client.post("/auth/logout", "{}").refusal(), (401, 40100));
    assert_eq!(client.get("/api/v1/me", text(&pair, "token")).status, 200, "and does nothing");
}

/// The ninth login ends the session that was idle longest, and its tokens with it.
#[test]
fn a_user_has_a_bounded_number_of_sessions() {
    let shop = Setup::generous(2).open();
    let mut clients = shop.clients();
    assert_eq!(shop.sum(|shard| shard.sessions.evicted.get()), 0);
    let pairs: Vec<Value> = (0..9).map(|login| shop.login(&format!("demo-many.{login}"))).collect();
    assert_eq!(shop.sum(|shard| shard.sessions.evicted.get()), 1);
    assert_eq!(everywhere(&mut clients, &pairs[0]), [401, 401]);
    for pair in &pairs[1..] {
        assert_eq!(everywhere(&mut clients, pair), [200, 200]);
    }
}
