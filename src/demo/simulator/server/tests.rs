//! The platform as the gateway sees it: one GET after another over real sockets.

use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::core::bounds::LOGIN_CODE_KEEP;
use crate::core::config::checked::{App, Secret};
use crate::core::ids::AppId;
use crate::core::time::Tick;

/// A platform whose clock stands until the test moves it.
struct Stage {
    simulator: Simulator,
    tick: Arc<AtomicU64>,
}

fn options() -> SimulatorOptions {
    SimulatorOptions {
        port: 0,
        latency: Duration::ZERO,
        jitter: Duration::ZERO,
        failures_per_mille: 0,
        quota_per_minute: None,
        apps: vec![App { id: AppId::new("wxdemo"), secret: Secret::new("s3cret") }],
        clock: Arc::new(Tick::default),
    }
}

fn stage(options: SimulatorOptions) -> Stage {
    let tick = Arc::new(AtomicU64::new(0));
    let hand = tick.clone();
    let clock: crate::demo::simulator::Clock = Arc::new(move || Tick(hand.load(Ordering::Relaxed)));
    Stage { simulator: start(SimulatorOptions { clock, ..options }).expect("a free port"), tick }
}

impl Stage {
    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.simulator.addr()).expect("a listener")
    }

    fn get(&self, target: &str) -> serde_json::Value {
        let mut stream = self.connect();
        send(&mut stream, target);
        receive(&mut stream)
    }

    fn exchange(&self, code: &str) -> serde_json::Value {
        self.get(&exchange_target(code))
    }

    /// Whether the answer is that error, with the platform's message and request id.
    fn check(&self, target: &str, number: i32, message: &str) {
        let answer = self.get(target);
        assert_eq!(answer["errcode"], number, "{target}: {answer}");
        let text = answer["errmsg"].as_str().expect("a message");
        let rid = text.strip_prefix(message).and_then(|rest| rest.strip_prefix(", rid: ")).expect("message and rid");
        let groups: Vec<&str> = rid.split('-').collect();
        assert!(
            groups.len() == 3 && groups.iter().all(|g| g.len() == 8 && u32::from_str_radix(g, 16).is_ok()),
            "{rid}"
        );
    }
}

fn exchange_target(code: &str) -> String {
    format!("/sns/jscode2session?appid=wxdemo&secret=s3cret&js_code={code}&grant_type=authorization_code")
}

fn send(stream: &mut TcpStream, target: &str) {
    // One write, or Nagle's algorithm waits for the delayed acknowledgement of the first piece.
    let request = format!("GET {target} HTTP/1.1\r\nhost: api.weixin.qq.com\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a writable socket");
}

fn receive(stream: &mut TcpStream) -> serde_json::Value {
    let mut seen = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).expect("a readable socket");
        assert_ne!(count, 0, "closed before the answer was whole");
        seen.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&seen);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        assert!(head.starts_with("HTTP/1.1 200 "), "the platform answers errors with 200 as well: {head}");
        assert!(head.to_ascii_lowercase().contains("content-type: application/json"), "{head}");
        if let Ok(value) = serde_json::from_str(body) {
            return value;
        }
    }
}

#[test]
fn a_code_becomes_a_session_once() {
    let stage = stage(options());
    let first = stage.exchange("demo-alice");
    assert_eq!(first.get("errcode"), None, "success carries no errcode");
    assert_eq!(first["openid"].as_str().map(str::len), Some(28));
    assert_eq!(first["session_key"].as_str().map(str::len), Some(24));

    stage.check(&exchange_target("demo-alice"), 40163, "code been used");
    let second = stage.exchange("demo-alice.1");
    assert_eq!(second["openid"], first["openid"]);
    assert_ne!(second["session_key"], first["session_key"]);

    stage.tick.store(Tick(0).after(LOGIN_CODE_KEEP).0, Ordering::Relaxed);
    assert_eq!(stage.exchange("demo-alice")["openid"], first["openid"]);
}

#[test]
fn bad_questions_get_the_platforms_errors() {
    let stage = stage(options());
    let ask = |query: &str, number, message| stage.check(&format!("/sns/jscode2session{query}"), number, message);
    ask("", 41002, "appid missing");
    ask("?appid=wxdemo", 41004, "appsecret missing");
    ask("?appid=wxdemo&secret=s3cret", 41008, "missing code");
    ask("?appid=wxdemo&secret=s3cret&js_code=demo-a", 40002, "invalid grant_type");
    ask("?appid=wxdemo&secret=s3cret&js_code=demo-a&grant_type=x", 40002, "invalid grant_type");
    ask("?appid=wxno&secret=s3cret&js_code=demo-a&grant_type=authorization_code", 40013, "invalid appid");
    ask("?appid=wxdemo&secret=no&js_code=demo-a&grant_type=authorization_code", 40125, "invalid appsecret");
    assert!(stage.exchange("demo-a").get("errcode").is_none(), "refusals before the code leave it unused");
}

#[test]
fn errors_come_on_demand_and_every_time() {
    let stage = stage(options());
    for _ in 0..2 {
        stage.check(&exchange_target("error-40226"), 40226, "code blocked");
        stage.check(&exchange_target("error-61010"), 61010, "code is expired");
        stage.check(&exchange_target("error--1"), -1, "system error");
        stage.check(&exchange_target("never-issued"), 40029, "invalid code");
    }
}

#[test]
fn the_quota_ends_with_the_minute() {
    let stage = stage(SimulatorOptions { quota_per_minute: Some(2), ..options() });
    stage.exchange("demo-a");
    stage.exchange("demo-b");
    let message = "api minute-quota reach limit mustslower retry next minute";
    stage.check(&exchange_target("demo-c"), 45011, message);
    stage.tick.store(Tick(0).after(Duration::from_mins(1)).0, Ordering::Relaxed);
    assert!(stage.exchange("demo-c").get("errcode").is_none(), "the quota left the code unused");
}

#[test]
fn failures_have_their_share_and_leave_the_code_unused() {
    let share = |failures_per_mille| {
        let stage = stage(SimulatorOptions { failures_per_mille, ..options() });
        let mut stream = stage.connect();
        let busy = |number: usize, stream: &mut TcpStream| {
            send(stream, &exchange_target(&format!("demo-x.{number}")));
            receive(stream)["errcode"] == -1
        };
        (0..200).filter(|number| busy(*number, &mut stream)).count()
    };
    assert_eq!(share(0), 0);
    assert!((60..=140).contains(&share(500)));
    assert_eq!(share(1000), 200);
}

#[test]
fn exchanges_are_counted_by_outcome() {
    let stage = stage(options());
    assert_eq!(stage.get("/stats"), serde_json::json!({"exchanges": 0, "ok": 0, "errors": {}}));
    for code in ["demo-a", "demo-a", "demo-b", "nonsense", "error--1"] {
        stage.exchange(code);
    }
    let expect = serde_json::json!({"exchanges": 5, "ok": 2, "errors": {"-1": 1, "40029": 1, "40163": 1}});
    assert_eq!(stage.get("/stats"), expect);
}

/// The latency is longer than any test may run: only a request that is not held up by it can be answered.
#[test]
fn a_slow_exchange_holds_up_nobody() {
    let stage = stage(SimulatorOptions { latency: Duration::from_hours(1), ..options() });
    let mut slow: Vec<TcpStream> = (0..4).map(|_| stage.connect()).collect();
    for (number, stream) in slow.iter_mut().enumerate() {
        send(stream, &exchange_target(&format!("demo-slow.{number}")));
    }
    // Counted means decided: each of them waits now, and the thread that they share goes on serving.
    while stage.get("/stats")["ok"] != 4 {}
}

#[test]
fn jitter_stays_within_its_bound() {
    let mut dice = Dice::default();
    let most = Duration::from_nanos(3);
    let rolls: Vec<u128> = (0..200).map(|_| dice.up_to(most).as_nanos()).collect();
    assert_eq!((rolls.iter().min(), rolls.iter().max()), (Some(&0), Some(&3)));
    assert_eq!(dice.up_to(Duration::ZERO), Duration::ZERO);
}
