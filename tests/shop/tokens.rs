//! Access tokens over HTTP: which are taken, which are refused, and that a known one costs no second signature.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tidegate::core::time::UnixSeconds;
use tidegate::net::clock;

use crate::shop::{APPID, Setup, TOKEN_KEY, claims, text};
use crate::support::get;

/// Claims of a valid token of that kind.
fn valid(typ: &str) -> Value {
    let now = clock::unix_now().0;
    json!({"sub": "o-forged", "app": APPID, "sid": "0".repeat(32), "iat": now, "exp": now + 3600, "typ": typ})
}

fn forge(claims: &Value, key: &str, kid: Option<&str>) -> String {
    let header = Header { kid: kid.map(ToOwned::to_owned), ..Header::new(Algorithm::HS256) };
    encode(&header, claims, &EncodingKey::from_secret(key.as_bytes())).expect("it signs")
}

#[test]
fn only_our_own_access_tokens_are_taken() {
    let shop = Setup::of(1).open();
    let mut client = shop.client();
    let mut check = |header: Option<String>, expect: Option<u64>, why: &str| {
        let mut ask = get("/api/v1/products/1");
        if let Some(value) = &header {
            ask = ask.header("authorization", value);
        }
        let answer = client.ask(&ask);
        match expect {
            None => assert_eq!(answer.status, 200, "{why}"),
            Some(code) => {
                assert_eq!(answer.refusal(), (401, code), "{why}");
                assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")), "{why}");
            }
        }
    };
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    let good = forge(&valid("access"), TOKEN_KEY, Some("demo"));
    check(bearer(&good), None, "the forger knows the key: what is refused below is refused for its own reason");
    check(Some(format!("bearer   {good}")), None, "the scheme's case does not matter");
    check(None, Some(40100), "none");
    check(Some(good.clone()), Some(40100), "no scheme");
    check(Some(format!("Basic {good}")), Some(40100), "another scheme");
    check(bearer(""), Some(40100), "an empty token");
    check(bearer("a.b.c"), Some(40101), "no base64 of JSON");
    check(bearer(&good[..good.len() - 1]), Some(40101), "cut short");
    check(bearer(&format!("{good}x")), Some(40101), "too long");
    check(bearer(&"a".repeat(1025)), Some(40101), "longer than any of ours");
    check(bearer(&forge(&valid("refresh"), TOKEN_KEY, Some("demo"))), Some(40101), "a refresh token");
    check(
        bearer(&forge(&valid("access"), "another-key-of-more-than-thirty-two-bytes", Some("demo"))),
        Some(40101),
        "key",
    );
    check(bearer(&forge(&valid("access"), TOKEN_KEY, Some("other"))), Some(40101), "kid");
    check(bearer(&forge(&valid("access"), TOKEN_KEY, None)), Some(40101), "no kid");
    let (head, rest) = good.split_once('.').expect("three parts");
    assert!(!head.is_empty());
    let none = "eyJhbGciOiJub25lIiwia2lkIjoiZGVtbyIsInR5cCI6IkpXVCJ9";
    check(bearer(&format!("{none}.{rest}")), Some(40101), "alg none with the signature");
    let claims_only = rest.split_once('.').expect("three parts").0;
    check(bearer(&format!("{none}.{claims_only}.")), Some(40101), "alg none without one");
    let mut early = valid("access");
    early["nbf"] = json!(clock::unix_now().0 + 600);
    check(bearer(&forge(&early, TOKEN_KEY, Some("demo"))), Some(40101), "not yet valid");
    let mut future = valid("access");
    future["iat"] = json!(clock::unix_now().0 + 600);
    check(bearer(&forge(&future, TOKEN_KEY, Some("demo"))), Some(40101), "issued in the future");
}

#[test]
fn a_token_ends_with_its_life_and_the_leeway() {
    let shop = Setup::of(1).set("token.leeway=60s").open();
    let mut client = shop.client();
    let now = clock::unix_now().0;
    let within = shop.token_at("o-late", UnixSeconds(now - 7200 - 20));
    assert_eq!(client.get("/api/v1/products/1", &within).status, 200, "20 s after its end, leeway 60 s");
    let beyond = shop.token_at("o-later", UnixSeconds(now - 7200 - 61));
    assert_eq!(client.get("/api/v1/products/1", &beyond).refusal(), (401, 40102));
    let refused = shop.sum(|shard| shard.tokens.refused.get());
    assert_eq!(client.get("/api/v1/products/1", &beyond).refusal(), (401, 40102), "an expired token is not remembered");
    assert_eq!(shop.sum(|shard| shard.tokens.refused.get()), refused + 1);
}

#[test]
fn a_refresh_token_opens_nothing() {
    let shop = Setup::of(2).open();
    let pair = shop.login("demo-alice");
    let mut client = shop.client();
    assert_eq!(client.get("/api/v1/me", text(&pair, "refresh_token")).refusal(), (401, 40101));
    let swapped = json!({"refresh_token": pair["token"]}).to_string();
    assert_eq!(client.post("/auth/refresh", &swapped).refusal(), (401, 40104), "and an access token refreshes nothing");
    assert_eq!(client.get("/api/v1/me", text(&pair, "token")).status, 200, "the session is unharmed");
}

#[test]
fn a_shard_verifies_a_token_once() {
    let shop = Setup::of(2).open();
    let token = shop.token("o-known");
    let mut clients = shop.clients();
    for round in 0..5_u64 {
        for (shard, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.get("/api/v1/products/1", &token).status, 200);
            let tokens = &shop.ledgers()[shard].tokens;
            assert_eq!((tokens.verified.get(), tokens.remembered.get()), (1, round));
        }
    }
    assert_eq!(claims(&token)["sub"], "o-known");
}
