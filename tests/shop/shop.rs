//! The demo's shop in this process: its shards, its simulated WeChat, its database file, and a look into each of them.
//! Never here: what a test is about.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tempfile::TempDir;
use tidegate::actions::Registry;
use tidegate::backends::sqlite::run_script;
use tidegate::core::config::checked::{App, Config, Secret};
use tidegate::core::config::{Outside, load_with};
use tidegate::core::fault::Backend;
use tidegate::core::ids::{AppId, OpenId, SessionId};
use tidegate::core::ledger::ShardLedger;
use tidegate::core::time::{Tick, UnixSeconds};
use tidegate::core::token::keys::KeyRing;
use tidegate::core::token::{Subject, access};
use tidegate::demo::simulator::{Simulator, SimulatorOptions, start};
use tidegate::net::clock;
use tidegate::net::entropy::random;
use tidegate::shards::node::{Node, NodeParts};

use crate::support::{Client, get};

pub const APPID: &str = "wx4f4bc4dec97d474b";
pub const TOKEN_KEY: &str = "a-key-for-tests-of-more-than-thirty-two-bytes";
const APP_SECRET: &str = "demo-secret-known-to-the-simulator";
const CONFIG: &str = include_str!("../../src/demo/demo.toml");
const SEED: &str = include_str!("../../src/demo/shop.sql");
/// Connections tried before each shard has been met: the kernel spreads them evenly.
const CONNECTS_MAX: usize = 400;

/// How a shop differs from the demo.
pub struct Setup {
    pub shards: usize,
    /// As on the command line.
    pub set: Vec<String>,
    /// Texts of the configuration and what stands there instead.
    pub replace: Vec<(&'static str, &'static str)>,
    /// By address.
    pub login_limit: &'static str,
    pub wechat_latency: Duration,
}

pub struct Shop {
    node: Node,
    /// Ends with the shop.
    _wechat: Simulator,
    wechat_addr: SocketAddr,
    config: Arc<Config>,
    folder: TempDir,
}

impl Setup {
    /// The demo, but many tests of many users share one address, and the machine may be slow.
    pub fn of(shards: usize) -> Self {
        Self {
            shards,
            set: [
                "limiter.ip=off",
                "overload.read_wait=off",
                "overload.write_wait=off",
                "overload.wechat_wait=off",
                "overload.lag_target=off",
            ]
            .map(str::to_owned)
            .into(),
            replace: Vec::new(),
            login_limit: "1000/s burst 1000000",
            wechat_latency: Duration::ZERO,
        }
    }

    /// Limits that no test meets, but that still are asked for at the owner.
    pub fn generous(shards: usize) -> Self {
        Self::of(shards).set("limiter.openid=100000/s burst 100000")
    }

    pub fn set(mut self, set: &str) -> Self {
        self.set.push(set.to_owned());
        self
    }

    pub fn replace(mut self, old: &'static str, new: &'static str) -> Self {
        assert!(CONFIG.contains(old), "the demo's configuration has no {old}");
        self.replace.push((old, new));
        self
    }

    pub fn open(self) -> Shop {
        let wechat = start(SimulatorOptions {
            port: 0,
            latency: self.wechat_latency,
            jitter: Duration::ZERO,
            failures_per_mille: 0,
            quota_per_minute: None,
            apps: vec![App { id: AppId::new(APPID), secret: Secret::new(APP_SECRET) }],
            clock: Arc::new(Tick::default),
        });
        let wechat = wechat.expect("a free port");
        let folder = TempDir::new().expect("a temporary folder");
        run_script(&folder.path().join("shop.db"), SEED).expect("the shop's script runs");
        let config = Arc::new(self.config(&wechat.base_url(), folder.path().join("shop.db")));
        let parts = NodeParts { registry: Registry::standard(), access: None };
        let node = Node::start(config.clone(), parts).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(node.ledgers().len(), self.shards);
        Shop { node, wechat_addr: wechat.addr(), _wechat: wechat, config, folder }
    }

    fn config(&self, wechat: &str, database: PathBuf) -> Config {
        let text = self.replace.iter().fold(CONFIG.to_owned(), |text, (old, new)| text.replace(old, new));
        let shards = format!("server.shards={}", self.shards);
        let set: Vec<String> = self.set.iter().cloned().chain([shards]).collect();
        let variable = |name: &str| match name {
            "DEMO_LISTEN" | "DEMO_OPS" => Some("127.0.0.1:0".to_owned()),
            "DEMO_WECHAT" => Some(wechat.to_owned()),
            "DEMO_DB" => Some(format!("sqlite://{}", database.display())),
            "DEMO_TOKEN_KEY" => Some(TOKEN_KEY.to_owned()),
            "DEMO_LOGIN_LIMIT" => Some(self.login_limit.to_owned()),
            _ => None,
        };
        let outside = Outside { variable: &variable, file: &|path| std::fs::read_to_string(path) };
        load_with(&text, &set, &outside).unwrap_or_else(|errors| panic!("{errors:?}"))
    }
}

impl Shop {
    pub fn addr(&self) -> SocketAddr {
        self.node.addr()
    }

    pub fn client(&self) -> Client {
        Client::connect(self.addr())
    }

    /// One connection on every shard, in the order of the shards. Nobody else may connect meanwhile.
    pub fn clients(&self) -> Vec<Client> {
        let opened = || -> Vec<u64> { self.ledgers().iter().map(|shard| shard.connections.opened.get()).collect() };
        let mut found: Vec<Option<Client>> = self.ledgers().iter().map(|_| None).collect();
        for _ in 0..CONNECTS_MAX {
            let before = opened();
            let mut client = self.client();
            assert_eq!(client.ask(&get("/ping")).status, 200);
            let shard = opened().iter().zip(&before).position(|(after, before)| after > before).expect("a shard");
            found[shard].get_or_insert(client);
            if found.iter().all(Option::is_some) {
                return found.into_iter().flatten().collect();
            }
        }
        panic!("the kernel does not spread connections over the shards");
    }

    /// A token for that openid, without a login.
    pub fn token(&self, openid: &str) -> String {
        self.token_at(openid, clock::unix_now())
    }

    /// A token that was issued at that time.
    pub fn token_at(&self, openid: &str, now: UnixSeconds) -> String {
        let (openid, appid) = (OpenId::new(openid), AppId::new(APPID));
        let session = SessionId(u128::from_le_bytes(random()));
        let subject = Subject { openid: &openid, appid: &appid, session };
        access::mint(&KeyRing::new(&self.config.token), subject, now).expect("a key that signs")
    }

    /// What the login of that code answers.
    pub fn login(&self, code: &str) -> Value {
        self.client().post("/auth/login", &login_body(code)).data()
    }

    /// Which of these connections, one a shard, is on the shard that owns the token's user.
    pub fn owner(&self, clients: &mut [Client], token: &str) -> usize {
        let asks = |shard: usize| self.ledgers()[shard].lane(Backend::Owner).asked.get();
        let local = |(shard, client): (usize, &mut Client)| {
            let before = asks(shard);
            client.get("/api/v1/me", token);
            asks(shard) == before
        };
        let locals: Vec<bool> = clients.iter_mut().enumerate().map(local).collect();
        assert_eq!(locals.iter().filter(|local| **local).count(), 1, "a user has one owner: {locals:?}");
        locals.iter().position(|local| *local).expect("just counted")
    }

    pub fn ledgers(&self) -> &[Arc<ShardLedger>] {
        self.node.ledgers()
    }

    /// A counter, over all shards.
    pub fn sum(&self, counter: impl Fn(&ShardLedger) -> u64) -> u64 {
        self.ledgers().iter().map(|shard| counter(shard)).sum()
    }

    /// Questions to a backend so far.
    pub fn asked(&self, backend: Backend) -> u64 {
        self.sum(|shard| shard.lane(backend).asked.get())
    }

    /// What the simulated WeChat has counted.
    pub fn wechat(&self) -> Value {
        Client::connect(self.wechat_addr).ask(&get("/stats")).json()
    }

    /// A number from the database itself.
    pub fn number(&self, sql: &str) -> i64 {
        let database = rusqlite::Connection::open(self.folder.path().join("shop.db")).expect("the shop's file");
        database.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }
}

pub fn login_body(code: &str) -> String {
    serde_json::json!({ "code": code }).to_string()
}

/// The claims of a token, unverified.
pub fn claims(token: &str) -> Value {
    let claims = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64url")).expect("JSON")
}

/// Text of a field.
pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no text {field} in {value}"))
}
