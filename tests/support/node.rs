//! Starts a node with the test configuration and overrides, and stops it when it is dropped.
//! Never here: what a test asserts.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Receiver, bounded};
use tempfile::TempDir;
use tidegate::actions::Registry;
use tidegate::backends::sqlite::run_script;
use tidegate::core::config::checked::{App, Secret};
use tidegate::core::config::{Outside, load_with};
use tidegate::core::ids::AppId;
use tidegate::core::ledger::ShardLedger;
use tidegate::core::ledger::access::AccessRecord;
use tidegate::demo::simulator::{Simulator, SimulatorOptions, start};
use tidegate::net::clock::{Clock, ClockZero};
use tidegate::shards::control::Control;
use tidegate::shards::door::DoorKind;
use tidegate::shards::node::{Drained, Node, NodeParts};

use super::actions::{Gate, Recorded, Samples, registry};
use super::client::{Client, post};
use super::{PATIENCE, until};

const CONFIG: &str = include_str!("node.toml");
const TABLES: &str = "CREATE TABLE users (openid TEXT PRIMARY KEY) STRICT;
CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
INSERT INTO items (id, name) VALUES (1, 'tea'), (2, 'rice');";
/// Lines of the access log that are kept for a test; the others are dropped.
const LOG_RECORDS_MAX: usize = 1024;
const SECRET: &str = "known-to-the-simulator";
const APPID: &str = "wx4f4bc4dec97d474b";

/// A node in this process.
pub struct TestNode {
    node: Option<Node>,
    pub addr: SocketAddr,
    doors: Vec<(DoorKind, SocketAddr)>,
    /// Holds the requests to `/wait`.
    pub gate: Gate,
    /// What the measuring actions found.
    pub samples: Samples,
    /// What reached `/record`.
    pub recorded: Recorded,
    ledgers: Vec<Arc<ShardLedger>>,
    access: Receiver<AccessRecord>,
    _simulator: Simulator,
    _folder: TempDir,
}

impl TestNode {
    /// One shard, and `KEY=VALUE` on top of `node.toml`.
    pub fn start(overrides: &[&str]) -> Self {
        Self::start_with(overrides, |registry| registry)
    }

    /// As `start`, with actions of the test's own.
    pub fn start_with(overrides: &[&str], more: impl FnOnce(Registry) -> Registry) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let database = folder.path().join("test.db");
        run_script(&database, TABLES).expect("the tables are well formed");
        let simulator = start(moods()).expect("a free port");
        let (wechat, database) = (simulator.base_url(), format!("sqlite://{}", database.display()));
        let variable = |name: &str| match name {
            "WECHAT" => Some(wechat.clone()),
            "DATABASE" => Some(database.clone()),
            "APPID" => Some(APPID.to_owned()),
            "SECRET" => Some(SECRET.to_owned()),
            _ => None,
        };
        let outside = Outside { variable: &variable, file: &|path| std::fs::read_to_string(path) };
        let overrides: Vec<String> = overrides.iter().map(ToString::to_string).collect();
        let config = load_with(CONFIG, &overrides, &outside).unwrap_or_else(|errors| panic!("{errors:?}"));
        let (gate, samples, recorded) = (Gate::default(), Samples::default(), Recorded::default());
        let registry = more(registry(&gate, &samples, &recorded));
        let (log, access) = bounded(LOG_RECORDS_MAX);
        let node = Node::start(Arc::new(config), NodeParts { registry, access: Some(log) });
        let node = node.unwrap_or_else(|error| panic!("{error}"));
        let (doors, ledgers) = (node.doors().to_vec(), node.ledgers().to_vec());
        let addr = doors[0].1;
        Self {
            node: Some(node),
            addr,
            doors,
            gate,
            samples,
            recorded,
            ledgers,
            access,
            _simulator: simulator,
            _folder: folder,
        }
    }

    /// Where a kind of door is.
    pub fn door(&self, kind: DoorKind) -> SocketAddr {
        let door = self.doors.iter().find(|(open, _)| *open == kind);
        door.expect("the test has opened that door").1
    }

    /// Loads the certificates again.
    pub fn reload(&self) {
        self.node.as_ref().expect("it runs").reload();
    }

    /// How often certificates were loaded again, and how often that failed.
    pub fn reloads(&self) -> (u64, u64) {
        let books = self.node.as_ref().and_then(Node::tls).expect("it has certificates");
        (books.books.reloads.get(), books.books.reloads_failed.get())
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.addr)
    }

    /// The access token of a user of that name. Every call is a login of its own, with a code of its own.
    pub fn log_in(&self, name: &str, code: u32) -> String {
        let answer = self.connect().ask(post("/auth/login", &format!(r#"{{"code":"demo-{name}.{code}"}}"#)));
        assert_eq!(answer.status, 200, "{:?}", String::from_utf8_lossy(&answer.body));
        answer.json()["data"]["token"].as_str().expect("a token").to_owned()
    }

    /// What the node is told to do.
    ///
    /// # Panics
    /// When it drains already.
    pub fn control(&self) -> Arc<Control> {
        self.node.as_ref().expect("it runs").control()
    }

    /// The address that the access log gives the next request.
    pub fn next_remote(&self) -> IpAddr {
        self.access.recv_timeout(PATIENCE).expect("a request was answered").remote
    }

    /// A number of the books, over all shards.
    pub fn sum(&self, of: impl Fn(&ShardLedger) -> u64) -> u64 {
        self.ledgers.iter().map(|ledger| of(ledger)).sum()
    }

    pub fn ledgers(&self) -> &[Arc<ShardLedger>] {
        &self.ledgers
    }

    /// Waits until nobody is connected and nothing is being answered.
    pub fn until_quiet(&self) {
        until("no connection is open", || self.sum(ShardLedger::connections_open) == 0);
        until("no request is in flight", || self.sum(ShardLedger::requests_in_flight) == 0);
    }

    /// Waits until so many connections have been accepted.
    pub fn until_opened(&self, count: u64) {
        until(&format!("{count} connections"), || self.sum(|ledger| ledger.connections.opened.get()) >= count);
    }

    /// Waits until so many requests have been read whole.
    pub fn until_started(&self, count: usize) {
        until(&format!("{count} requests"), || self.sum(ShardLedger::requests_begun) >= count as u64);
    }

    /// Stops where it is, with requests waiting.
    pub fn stop(mut self) {
        drop(self.node.take());
    }

    /// Drains on a thread of its own; `None` if that has been asked for before.
    pub fn drain(&mut self) -> Option<std::thread::JoinHandle<Drained>> {
        let node = self.node.take()?;
        Some(std::thread::spawn(move || node.drain()))
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        // A shard that waits at the gate would be cut off anyway; a node that is dropped stops.
        self.gate.open();
        drop(self.node.take());
    }
}

fn moods() -> SimulatorOptions {
    let zero = ClockZero::now();
    SimulatorOptions {
        port: 0,
        latency: Duration::ZERO,
        jitter: Duration::ZERO,
        failures_per_mille: 0,
        quota_per_minute: None,
        apps: vec![App { id: AppId::new(APPID), secret: Secret::new(SECRET) }],
        clock: Arc::new(move || Clock::new(zero).now().tick),
    }
}
