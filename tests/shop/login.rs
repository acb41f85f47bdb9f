//! Login: a code becomes tokens once, whatever WeChat is like.

use std::collections::HashMap;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::shop::{APPID, Setup, Shop, claims, login_body, text};
use crate::support::{Client, post, untyped_post};

fn log_in(client: &mut Client, code: &str) -> crate::support::Answer {
    client.post("/auth/login", &login_body(code))
}

#[test]
fn a_login_answers_a_pair_of_tokens() {
    let shop = Setup::of(2).open();
    let answer = log_in(&mut shop.client(), "demo-alice");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let data = answer.data();
    let fields: Vec<&str> = data.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(fields, ["expires_in", "refresh_expires_in", "refresh_token", "token"], "and no session_key");
    assert_eq!((&data["expires_in"], &data["refresh_expires_in"]), (&json!(7200), &json!(30 * 86400)));
    let (access, refresh) = (claims(text(&data, "token")), claims(text(&data, "refresh_token")));
    assert_eq!(text(&access, "sub").len(), 28);
    assert_eq!(access["app"], APPID);
    assert_eq!((&access["sub"], &access["sid"]), (&refresh["sub"], &refresh["sid"]));
    assert_eq!(access["exp"].as_u64(), access["iat"].as_u64().map(|issued| issued + 7200));
    let me = shop.client().get("/api/v1/me", text(&data, "token")).data();
    assert_eq!((&me["openid"], &me["appid"], &me["orders"]), (&access["sub"], &json!(APPID), &json!(0)));
}

#[test]
fn codes_of_one_user_name_one_user() {
    let shop = Setup::of(2).open();
    let [first, second] = ["demo-bob", "demo-bob.2"].map(|code| claims(text(&shop.login(code), "token")));
    let other = claims(text(&shop.login("demo-carol"), "token"));
    assert_eq!(first["sub"], second["sub"]);
    assert_ne!(first["sid"], second["sid"], "every login is a session of its own");
    assert_ne!(first["sub"], other["sub"]);
    assert_eq!(shop.number("SELECT count(*) FROM users"), 2);
}

#[test]
fn a_code_is_exchanged_once_however_many_send_it() {
    for shards in [1, 2] {
        let setup = Setup { wechat_latency: Duration::from_millis(20), ..Setup::of(shards) };
        let setup = setup.set("overload.retry_after_max=1s");
        let shop = setup.open();
        let answers: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..50).map(|_| scope.spawn(|| log_in(&mut shop.client(), "demo-dora"))).collect();
            threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
        });
        let mut sessions = HashMap::new();
        for answer in &answers {
            if answer.status == 200 {
                *sessions.entry(claims(text(&answer.data(), "token"))["sid"].to_string()).or_insert(0) += 1;
            } else {
                // More wait for one exchange than a phone has connections.
                assert_eq!(answer.refusal(), (503, 50300));
                assert_eq!(answer.header("retry-after"), Some("1"));
            }
        }
        assert_eq!(sessions.len(), 1, "all get the same session: {sessions:?}");
        for _ in 0..5 {
            let retry = claims(text(&shop.login("demo-dora"), "token"));
            assert!(sessions.contains_key(&retry["sid"].to_string()), "a retry gets what the first try got");
        }
        assert_eq!(shop.wechat(), json!({"exchanges": 1, "ok": 1, "errors": {}}));
        assert_eq!(shop.sum(|shard| shard.logins.exchanged.get()), 1);
        assert!(shop.sum(|shard| shard.logins.repeated.get()) >= 5);
        assert_eq!(shop.number("SELECT count(*) FROM users"), 1);
    }
}

#[test]
fn wechats_errors_have_their_answers_and_are_not_kept() {
    let shop = Setup::of(2).set("overload.retry_after_max=1s").open();
    let mut client = shop.client();
    let mut exchanges = 0;
    let mut check = |number: i32, expect: (u16, u64), wait: Option<&str>| {
        for _ in 0..2 {
            let answer = log_in(&mut client, &format!("error-{number}"));
            assert_eq!(answer.refusal(), expect, "{number}");
            assert_eq!(answer.header("retry-after"), wait, "{number}");
            exchanges += 1;
            assert_eq!(shop.wechat()["exchanges"], exchanges, "a failure is not kept");
        }
    };
    check(40029, (401, 40110), None);
    check(40163, (401, 40110), None);
    check(61010, (401, 40110), None);
    check(41008, (401, 40110), None);
    check(40226, (403, 40301), None);
    check(45011, (429, 42901), Some("60"));
    check(-1, (503, 50300), Some("1"));
    check(40013, (502, 50200), None);
    check(40125, (502, 50200), None);
    check(41002, (502, 50200), None);
    check(41004, (502, 50200), None);
    check(40002, (502, 50200), None);
    assert_eq!(shop.sum(|shard| shard.logins.failed.get()), 24);
    assert_eq!(log_in(&mut client, "demo-erin").status, 200, "the connection and the shop go on");
}

#[test]
fn a_wrong_secret_is_the_operators_affair() {
    let shop = Setup::of(1).replace("demo-secret-known-to-the-simulator", "another").open();
    let answer = log_in(&mut shop.client(), "demo-frank");
    assert_eq!(answer.refusal(), (502, 50200));
    assert!(!answer.json().to_string().contains("another"), "the secret stays here");
    assert_eq!(shop.wechat()["errors"], json!({"40125": 1}));
}

#[test]
fn bad_requests_reach_nobody() {
    let shop = Setup::of(1).open();
    let mut client = shop.client();
    let mut check = |ask: crate::support::Ask, expect: (u16, u64), says: &str| {
        let answer = client.ask(&ask);
        assert_eq!(answer.refusal(), expect, "{says}");
        assert!(text(&answer.json(), "message").contains(says), "{}", answer.json());
    };
    let login = |body: &str| post("/auth/login", body);
    check(login("{}"), (400, 40001), "code");
    check(login(r#"{"code":null}"#), (400, 40001), "code");
    check(login(r#"{"code":""}"#), (400, 40001), "code");
    check(login(r#"{"code":7}"#), (400, 40001), "code");
    check(login(r#"{"code":true}"#), (400, 40001), "code");
    check(login(r#"{"code":"demo-a","appid":"wxother"}"#), (400, 40001), "appid");
    check(login(r#"{"code":"demo-a","appid":[]}"#), (400, 40001), "appid");
    check(login(&login_body(&"c".repeat(129))), (400, 40001), "code");
    check(login("[]"), (400, 40002), "body");
    check(login("{"), (400, 40002), "body");
    check(login(""), (400, 40002), "body");
    check(untyped_post("/auth/login", b"{}"), (415, 41500), "application/json");
    let form = untyped_post("/auth/login", b"code=demo-a").header("content-type", "application/x-www-form-urlencoded");
    check(form, (415, 41500), "application/json");
    assert_eq!(shop.wechat()["exchanges"], 0);

    let longest = log_in(&mut client, &"c".repeat(128));
    assert_eq!(longest.refusal(), (401, 40110), "a code of 128 bytes is WeChat's to judge");
    let named = post("/auth/login", &json!({"code": "demo-gina", "appid": APPID}).to_string());
    assert_eq!(client.ask(&named).status, 200);
    assert_eq!(shop.wechat()["exchanges"], 2);
    let huge = client.post("/auth/login", &login_body(&"c".repeat(5000)));
    assert_eq!(huge.refusal(), (413, 41300), "the route takes 4 KiB");
    assert_eq!(huge.header("connection"), Some("close"));
}

#[test]
fn a_slow_wechat_is_a_timeout_and_loses_the_code_only() {
    let setup = Setup { wechat_latency: Duration::from_hours(1), ..Setup::of(2) };
    let shop = setup.set("wechat.timeout=100ms").open();
    let mut client = shop.client();
    let answer = log_in(&mut client, "demo-hugo");
    assert_eq!(answer.refusal(), (504, 50400));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(shop.wechat()["exchanges"], 1);
    assert_eq!(log_in(&mut client, "demo-hugo").refusal(), (504, 50400), "asked anew, nothing kept");
    assert_eq!(shop.wechat(), json!({"exchanges": 2, "ok": 1, "errors": {"40163": 1}}));
    assert_eq!(client.ask(&crate::support::get("/ping")).status, 200);
}

#[test]
fn a_wechat_that_is_gone_is_busy() {
    // A port that was free a moment ago, and that nobody is given so soon.
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a free port");
    let setup = Setup::of(2).set("overload.retry_after_max=1s");
    let shop = setup.set(&format!("wechat.base_url=http://{nobody}")).open();
    let mut client = shop.client();
    for _ in 0..2 {
        let answer = log_in(&mut client, "demo-ida");
        assert_eq!(answer.refusal(), (503, 50300));
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    assert_eq!(shop.sum(|shard| shard.logins.failed.get()), 2);
    assert_eq!(client.get("/api/v1/products/7", &shop.token("o-known")).status, 200, "users with tokens do not notice");
}

/// Codes hash to shards and users to others: logins must work for every pair of them.
#[test]
fn logins_work_wherever_codes_and_users_live() {
    let shop: Shop = Setup::generous(4).open();
    let mut clients = shop.clients();
    for number in 0..40 {
        let client = &mut clients[number % 4];
        let data = log_in(client, &format!("demo-user{number}")).data();
        let me = client.get("/api/v1/me", text(&data, "token")).data();
        assert_eq!(me["openid"], claims(text(&data, "token"))["sub"]);
    }
    let exchanged: Vec<u64> = shop.ledgers().iter().map(|shard| shard.logins.exchanged.get()).collect();
    assert_eq!(exchanged.iter().sum::<u64>(), 40);
    assert!(exchanged.iter().filter(|count| **count > 0).count() > 1, "codes spread over the shards: {exchanged:?}");
}
