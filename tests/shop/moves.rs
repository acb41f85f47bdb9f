//! A connection follows its user: it moves to the owner's shard once, and nobody who talks through it can tell.

use crate::shop::{Setup, Shop};
use crate::support::{Client, get, post};

/// Requests in a row of one foreign user before a connection moves.
const MOVES_AFTER: usize = 8;

fn moved(shop: &Shop) -> (u64, u64) {
    (shop.sum(|shard| shard.connections.moved_out.get()), shop.sum(|shard| shard.connections.moved_in.get()))
}

/// A user, the shard that owns him, and fresh connections, one a shard.
fn stage(shop: &Shop, openid: &str) -> (String, usize, Vec<Client>) {
    let token = shop.token(openid);
    let owner = shop.owner(&mut shop.clients(), &token);
    (token, owner, shop.clients())
}

fn hops(shop: &Shop) -> u64 {
    shop.sum(|shard| shard.lane(tidegate::core::fault::Backend::Owner).asked.get())
}

#[test]
fn a_connection_moves_to_its_user_once() {
    for shards in [2, 4] {
        let shop = Setup::generous(shards).open();
        for user in 0..4_u64 {
            let (token, owner, mut clients) = stage(&shop, &format!("o-user{user}"));
            clients[owner].get("/api/v1/products/1", &token).data();
            let client = &mut clients[(owner + 1) % shards];
            for turn in 1..=5 * MOVES_AFTER {
                assert_eq!(client.get("/api/v1/products/1", &token).data()["id"], 1, "request {turn}");
            }
            assert_eq!(moved(&shop), (user + 1, user + 1), "one move out, one in");
            assert!(shop.ledgers()[owner].connections_open() > 0);
            let before = hops(&shop);
            for product in [1, 1, 1] {
                client.get(&format!("/api/v1/products/{product}"), &token).data();
            }
            client.get("/api/v1/me", &token);
            assert_eq!(hops(&shop), before, "at home there is no hop");
        }
    }
}

/// All of them lie in one send: those that were received before the move and those that were not.
#[test]
fn pipelined_requests_survive_the_move_in_order() {
    let shop = Setup::generous(2).open();
    for (turn, count) in [7, 8, 9, 16, 100, 400].into_iter().enumerate() {
        let (token, owner, mut clients) = stage(&shop, &format!("o-user{turn}"));
        let client = &mut clients[1 - owner];
        let product = |number: usize| 1 + number % 1000;
        let bytes: Vec<u8> = (0..count)
            .flat_map(|number| get(&format!("/api/v1/products/{}", product(number))).token(&token).bytes())
            .collect();
        client.send_raw(&bytes);
        for number in 0..count {
            assert_eq!(client.receive().data()["id"], product(number), "answer {number} of {count}");
        }
        assert_eq!(client.get("/api/v1/products/1", &token).data()["id"], 1);
    }
    let (out, into) = moved(&shop);
    assert_eq!((out, into), (6, 6), "seven and one more are eight");
}

/// The ninth request arrives byte by byte around the move.
#[test]
fn a_request_cut_in_two_by_the_move_is_whole() {
    let shop = Setup::generous(2).open();
    for cut in [1, 3, 20, 60] {
        let (token, owner, mut clients) = stage(&shop, &format!("o-user{cut}"));
        let client = &mut clients[1 - owner];
        let first: Vec<u8> = (0..MOVES_AFTER).flat_map(|_| get("/api/v1/products/1").token(&token).bytes()).collect();
        let body = r#"{"product_id":1,"quantity":1}"#;
        let order = post("/api/v1/orders", body).token(&token).bytes();
        let (head, tail) = order.split_at(order.len() - cut);
        client.send_raw(&[&first, head].concat());
        for _ in 0..MOVES_AFTER {
            client.receive().data();
        }
        client.send_raw(tail);
        assert_eq!(client.receive().data()["product_id"], 1);
        for _ in 0..MOVES_AFTER {
            client.get("/api/v1/products/1", &token).data();
        }
    }
    assert_eq!(moved(&shop), (4, 4), "a half-received request is waited for, then the connection moves");
    assert_eq!(shop.number("SELECT count(*) FROM orders"), 4);
}

#[test]
fn a_connection_of_many_users_stays() {
    let shop = Setup::generous(2).open();
    let mut clients = shop.clients();
    let tokens: Vec<String> = (0..40).map(|user| shop.token(&format!("o-user{user}"))).collect();
    let owners: Vec<usize> = tokens.iter().map(|token| shop.owner(&mut shop.clients(), token)).collect();
    assert!(owners.contains(&0) && owners.contains(&1));
    let of = |shard: usize| &tokens[owners.iter().position(|owner| *owner == shard).expect("both have users")];
    let before = moved(&shop);
    for client in &mut clients {
        for turn in 0..10 * MOVES_AFTER {
            // Runs of seven and one of another shard's user.
            let token = of(usize::from(turn % MOVES_AFTER == 0));
            assert_eq!(client.get("/api/v1/products/2", token).data()["id"], 2);
        }
        for turn in 0..2 * MOVES_AFTER {
            assert_eq!(client.get("/api/v1/products/2", of((turn + 1) % 2)).data()["id"], 2);
        }
    }
    assert_eq!(moved(&shop), before);
}

/// A single shard has nowhere to send a connection; neither has a connection whose users are at home.
#[test]
fn who_is_at_home_stays() {
    for shards in [1, 2] {
        let shop = Setup::generous(shards).open();
        let (token, owner, mut clients) = stage(&shop, "o-home");
        for _ in 0..5 * MOVES_AFTER {
            clients[owner].get("/api/v1/products/1", &token).data();
        }
        assert_eq!(moved(&shop), (0, 0));
    }
}
