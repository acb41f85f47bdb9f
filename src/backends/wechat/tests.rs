//! Exchanges against a real HTTP server on loopback that says what each test wants.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Exchanger, WechatAsk, start};
use crate::backends::fixture::{config, wait};
use crate::backends::lane::{Lane, answered};
use crate::backends::threads::BackendThreads;
use crate::core::bounds;
use crate::core::config::checked::{Config, DatabaseUrl};
use crate::core::fault::{Backend, Fault};
use crate::core::ids::AppId;
use crate::proto::wechat::Exchanged;

const OK: &str = r#"{"session_key":"tiihtNczf5v6AKRyjwEUhQ==","openid":"oGZUI0egBJY1zhBYw2KhdUfwVJJE"}"#;

/// What the server does with one request, by the login code in it.
type Script = fn(code: &str, stream: &mut TcpStream) -> Then;

enum Then {
    KeepAlive,
    Close,
}

/// Counts what a server saw.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: AtomicUsize,
    first_line: Mutex<String>,
}

fn serve(script: Script) -> (String, Arc<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Seen::default());
    let counts = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            counts.connections.fetch_add(1, Ordering::Relaxed);
            let counts = Arc::clone(&counts);
            std::thread::spawn(move || connection(stream, script, &counts));
        }
    });
    (url, seen)
}

fn connection(mut stream: TcpStream, script: Script, seen: &Seen) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut header = String::new();
        while reader.read_line(&mut header).unwrap_or(0) > 2 {
            header.clear();
        }
        seen.requests.fetch_add(1, Ordering::Relaxed);
        let code = line.split("js_code=").nth(1).and_then(|rest| rest.split('&').next()).unwrap_or_default().to_owned();
        *seen.first_line.lock().unwrap() = line;
        if matches!(script(&code, &mut stream), Then::Close) {
            return;
        }
    }
}

fn respond(stream: &mut TcpStream, status: u16, body: &str) -> Then {
    let head = format!("HTTP/1.1 {status} x\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n", body.len());
    // A client that has gone away is what some tests are about.
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
    Then::KeepAlive
}

/// The fixture's configuration, pointed at that server.
fn towards(url: String) -> Config {
    let mut config = config(DatabaseUrl::SqliteMemory);
    config.wechat.base_url = url;
    config
}

fn started(config: &Config) -> (Lane<WechatAsk>, BackendThreads) {
    let mut threads = BackendThreads::default();
    let exchanger = Exchanger::new(config).unwrap();
    (start(exchanger, config.wechat.connections_max, &mut threads).unwrap(), threads)
}

fn exchange(lane: &Lane<WechatAsk>, app: &str, code: &str) -> Result<Exchanged, Fault> {
    let (app, code) = (AppId::new(app), code.to_owned());
    wait(answered(lane.ask(|reply| WechatAsk::Exchange { app, code, reply })?))
}

#[test]
fn a_code_becomes_an_identity_and_connections_are_kept() {
    let (url, seen) = serve(|_, stream| respond(stream, 200, OK));
    let (lane, threads) = started(&towards(url));
    for _ in 0..10 {
        let exchanged = exchange(&lane, "wx1", "a&b").unwrap();
        assert_eq!(exchanged.openid.as_str(), "oGZUI0egBJY1zhBYw2KhdUfwVJJE");
    }
    assert_eq!(seen.connections.load(Ordering::Relaxed), 1);
    assert_eq!(seen.requests.load(Ordering::Relaxed), 10);
    assert_eq!(
        *seen.first_line.lock().unwrap(),
        "GET /sns/jscode2session?appid=wx1&secret=app-secret&js_code=a%26b&grant_type=authorization_code HTTP/1.1\r\n"
    );
    drop(lane);
    assert_eq!(threads.join(), Vec::<&str>::new());
}

#[test]
fn every_refusal_becomes_its_fault() {
    let (url, _) = serve(|code, stream| match code {
        "html" => respond(stream, 200, "<html>"),
        "error" => respond(stream, 500, "oops"),
        "moved" => {
            let _ = stream.write_all(b"HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
            Then::KeepAlive
        }
        "gone" => Then::Close,
        "half" => {
            let _ = stream.write_all(b"HTTP/1.1 200 x\r\nContent-Length: 100\r\n\r\n{");
            Then::Close
        }
        errcode => respond(stream, 200, &format!(r#"{{"errcode":{errcode},"errmsg":"no, rid: 1-2-3"}}"#)),
    });
    let (lane, _threads) = started(&towards(url));
    let check = |code: &str, expect: Fault| assert_eq!(exchange(&lane, "wx1", code), Err(expect), "{code}");
    let refused = |code| Fault::BackendRefused { backend: Backend::Wechat, code };
    check("-1", Fault::Busy(Backend::Wechat));
    check("40029", Fault::LoginCodeInvalid);
    check("40163", Fault::LoginCodeInvalid);
    check("40226", Fault::UserBlocked);
    check("45011", Fault::WechatQuota { wait: Duration::from_secs(60) });
    check("40164", refused(40164));
    check("html", refused(200));
    check("moved", refused(302));
    check("error", Fault::Busy(Backend::Wechat));
    check("gone", Fault::Busy(Backend::Wechat));
    check("half", Fault::Busy(Backend::Wechat));
    assert_eq!(exchange(&lane, "unknown app", "1"), Err(Fault::Internal));
}

#[test]
fn an_answer_is_read_up_to_its_bound() {
    let (url, _) = serve(|code, stream| {
        let padding = code.parse().unwrap_or(0) - OK.len();
        respond(stream, 200, &format!("{}{OK}", " ".repeat(padding)))
    });
    let (lane, _threads) = started(&towards(url));
    let length = |bytes: usize| exchange(&lane, "wx1", &bytes.to_string()).map(|_| ());
    assert_eq!(length(bounds::WECHAT_BODY_BYTES_MAX), Ok(()));
    let refused = Fault::BackendRefused { backend: Backend::Wechat, code: 200 };
    assert_eq!(length(bounds::WECHAT_BODY_BYTES_MAX + 1), Err(refused));
}

#[test]
fn a_silent_peer_ends_at_the_deadline_and_is_asked_once() {
    let (url, seen) = serve(|code, stream| {
        if code == "slow" {
            // Until the client closes the connection.
            let _ = stream.read(&mut [0]);
            return Then::Close;
        }
        respond(stream, 200, OK)
    });
    let mut config = towards(url);
    config.wechat.timeout = Duration::from_secs(1);
    config.wechat.connections_max = 1;
    let (lane, _threads) = started(&config);
    assert_eq!(exchange(&lane, "wx1", "slow"), Err(Fault::Timeout(Backend::Wechat)));
    assert_eq!(seen.requests.load(Ordering::Relaxed), 1);
    assert!(exchange(&lane, "wx1", "quick").is_ok());
}

#[test]
fn an_ask_that_waited_past_its_deadline_is_not_sent() {
    let (url, seen) = serve(|_, stream| respond(stream, 200, OK));
    let config = towards(url);
    let exchanger = Exchanger::new(&config).unwrap();
    let accepted = crate::net::clock::instant() - config.wechat.timeout;
    let outcome = wait(async { exchanger.exchange(&AppId::new("wx1"), "1", accepted).await });
    assert_eq!(outcome, Err(Fault::Timeout(Backend::Wechat)));
    assert_eq!(seen.requests.load(Ordering::Relaxed), 0);
}

#[test]
fn nobody_listening_is_busy() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (lane, _threads) = started(&towards(format!("http://{unused}")));
    assert_eq!(exchange(&lane, "wx1", "1"), Err(Fault::Busy(Backend::Wechat)));
}

#[test]
fn accepted_asks_are_answered_after_the_lane_is_dropped() {
    let (url, _) = serve(|_, stream| respond(stream, 200, OK));
    let (lane, threads) = started(&towards(url));
    let ask =
        |_| lane.ask(|reply| WechatAsk::Exchange { app: AppId::new("wx1"), code: "1".to_owned(), reply }).unwrap();
    let answers: Vec<_> = (0..20).map(ask).collect();
    drop(lane);
    assert_eq!(threads.join(), Vec::<&str>::new());
    for answer in answers {
        assert!(wait(answered(answer)).is_ok());
    }
}

#[test]
fn a_base_url_is_scheme_host_and_port() {
    let check = |url: &str, good: bool| {
        assert_eq!(Exchanger::new(&towards(url.to_owned())).is_ok(), good, "{url}");
    };
    check("https://api.weixin.qq.com", true);
    check("http://127.0.0.1:8080", true);
    check("http://127.0.0.1:8080/", true);
    check("https://api.weixin.qq.com/sns", false);
    check("https://api.weixin.qq.com?x=1", false);
    check("api.weixin.qq.com", false);
    check("ftp://api.weixin.qq.com", false);
    check("", false);
}

#[test]
fn neither_secret_nor_code_reaches_the_log() {
    let log = Arc::new(Mutex::new(Vec::<u8>::new()));
    let sink = Arc::clone(&log);
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || Sink(Arc::clone(&sink)))
        .finish();
    let (url, _) = serve(|code, stream| match code {
        "code-gone" => Then::Close,
        _ => respond(stream, 200, r#"{"errcode":40125,"errmsg":"rid: 1-2-3"}"#),
    });
    let exchanger = Exchanger::new(&towards(url)).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        wait(async {
            for code in ["code-gone", "code-refused"] {
                let now = crate::net::clock::instant();
                assert!(exchanger.exchange(&AppId::new("wx1"), code, now).await.is_err());
            }
        });
    });
    let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    assert!(log.contains("compare app.secret") && log.contains("1-2-3") && log.contains("not reachable"), "{log}");
    assert!(!log.contains("app-secret") && !log.contains("code-gone") && !log.contains("code-refused"), "{log}");
}

struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
