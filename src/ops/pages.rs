//! The pages of the ops plane: metrics, health, readiness. Made from counters that the shards write and nobody locks.
//! Never here: a question to a shard; a scrape must not disturb one.

use std::sync::Arc;
use std::time::Duration;

use crate::core::ledger::ShardLedger;
use crate::core::ledger::catalogue::render;
use crate::core::ledger::metric::ProcessFacts;
use crate::net::clock::Clock;
use crate::net::tls::keeper::Keeper;
use crate::shards::control::{Control, Phase};
use crate::shards::node::Node;

use super::http::{ContentType, Page, Pages};

/// A shard whose heart has not beaten for so long is stuck: an idle one beats once a second.
const HEARTBEAT_MAX: Duration = Duration::from_secs(5);
const PAGE_BYTES: u64 = 4096;

pub struct OpsPages {
    ledgers: Vec<Arc<ShardLedger>>,
    labels: Vec<String>,
    control: Arc<Control>,
    zero: crate::net::clock::ClockZero,
    tls: Option<Arc<Keeper>>,
}

impl OpsPages {
    /// `labels`: the name of each route, in their order.
    #[must_use]
    pub fn new(node: &Node, labels: Vec<String>) -> Self {
        Self {
            ledgers: node.ledgers().to_vec(),
            labels,
            control: node.control(),
            zero: node.clock_zero(),
            tls: node.tls(),
        }
    }

    /// Whether every shard turns.
    #[must_use]
    pub fn healthy(&self) -> bool {
        self.stuck().is_none()
    }

    fn stuck(&self) -> Option<&ShardLedger> {
        let now = Clock::new(self.zero).now().tick;
        let beats = |ledger: &ShardLedger| {
            let last = crate::core::time::Tick(ledger.turns.heartbeat_nanos.get());
            now.since(last) <= HEARTBEAT_MAX
        };
        self.ledgers.iter().map(|ledger| &**ledger).find(|ledger| !beats(ledger))
    }

    fn health(&self) -> Page {
        match self.stuck() {
            None => Page::plain(200, "ok\n"),
            Some(ledger) => Page::plain(503, &format!("shard {} does not turn\n", ledger.shard().0)),
        }
    }

    fn readiness(&self) -> Page {
        if self.control.phase() == Phase::Serving { self.health() } else { Page::plain(503, "draining\n") }
    }

    fn metrics(&self) -> Page {
        let mut text = String::with_capacity(32 * 1024);
        let certificates = self.tls.as_ref().map(|keeper| &keeper.books);
        let facts = ProcessFacts {
            version: env!("CARGO_PKG_VERSION"),
            uptime: Duration::from_nanos(Clock::new(self.zero).now().tick.0),
            resident_bytes: resident_bytes(),
            open_files: open_files(),
            tls_reloads: certificates.map_or(0, |books| books.reloads.get()),
            tls_reloads_failed: certificates.map_or(0, |books| books.reloads_failed.get()),
            tls_expires: Duration::from_secs(certificates.map_or(0, |books| books.expires.get())),
        };
        render(&self.ledgers, &self.labels, facts, &mut text);
        Page::ok(ContentType::Metrics, text)
    }
}

impl Pages for OpsPages {
    fn page(&self, path: &str, _: &str) -> Page {
        match path {
            "/metrics" => self.metrics(),
            "/healthz" => self.health(),
            "/readyz" => self.readiness(),
            _ => Page::not_found(),
        }
    }
}

/// Second number of `statm`, in pages; zero where /proc is hidden.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * PAGE_BYTES
}

fn open_files() -> u64 {
    std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64)
}
