//! Sections of plain knobs: [server] [ops] [log] [wechat] [limiter] [cache] [database].
//! Each range has its reason, and the reason is what an operator reads.
//! Never here: a default.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use toml::Value;

use crate::core::bounds;
use crate::core::config::check::tls::address_or_off;
use crate::core::config::checked::{
    AccessLog, CachePolicy, Database, DatabaseUrl, Level, Limiter, Log, Ops, Rate, Server, Shards, Wechat,
};
use crate::core::config::error::Complaint;
use crate::core::config::section::{Relation, Section, text, whole};
use crate::core::config::units;

pub(super) const SERVER: &[&str] = &[
    "listen",
    "shards",
    "connections_max",
    "connections_per_ip_max",
    "in_flight_max",
    "head_bytes_max",
    "target_bytes_max",
    "headers_max",
    "body_bytes_max",
    "head_timeout",
    "body_timeout",
    "idle_timeout",
    "write_timeout",
    "peer_rate_min",
    "request_timeout",
    "drain_linger",
    "drain_timeout",
];
pub(super) const OPS: &[&str] = &["listen"];
pub(super) const LOG: &[&str] = &["access", "level"];
pub(super) const WECHAT: &[&str] = &["base_url", "timeout", "connections_max"];
pub(super) const LIMITER: &[&str] = &["openids_max", "ips_max", "ip", "openid"];
pub(super) const CACHE: &[&str] = &["bytes_max"];
pub(super) const DATABASE: &[&str] = &["primary", "timeout"];

const MIB: usize = 1024 * 1024;
/// A wait for a peer: shorter than 100 ms cuts off phones on bad networks, longer than `wx.request` waits serves nobody.
const PEER_WAIT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(1);
const PEER_WAIT_WHY: &str = "phones on bad networks need 100ms, and wx.request gives up after 60s";
/// CPU numbers that a kernel mask can hold.
const CPU_MAX: usize = 1023;

/// The table of a section of knobs.
pub(super) fn open<'a>(root: &Section<'a>, section: &str, keys: &'static [&'static str]) -> Section<'a> {
    let place = root.table(section).expect("defaults were added, so that every section of knobs is a table");
    Section::open(place, keys, root.report)
}

pub(super) fn server(root: &Section<'_>) -> Server {
    let section = open(root, "server", SERVER);
    let server = Server {
        listen: section.read("listen", None, address_or_off),
        shards: section.read("shards", Shards::Auto, shards),
        connections_max: section.count("connections_max", 1..=1_000_000, "each holds a file descriptor, per shard"),
        connections_per_ip_max: section.read("connections_per_ip_max", None, |value| match value {
            Value::String(text) if text == "off" => Ok(None),
            value => whole(value, &(1..=1_000_000), "or \"off\"; thousands of phones share an address").map(Some),
        }),
        in_flight_max: section.count("in_flight_max", 1..=65_536, "each waiting request holds its buffers, per shard"),
        head_bytes_max: section.bytes(
            "head_bytes_max",
            1024..=bounds::RECV_BUF_BYTES - 1,
            "a head must fit one receive buffer of 16KiB, and phones send 1.2KiB",
        ),
        target_bytes_max: section.bytes(
            "target_bytes_max",
            128..=bounds::RECV_BUF_BYTES - 2,
            "it is a part of the head",
        ),
        headers_max: section.count("headers_max", 16..=bounds::HEADERS_MAX, "phones send 10 to 20, the table has 64"),
        body_bytes_max: section.bytes(
            "body_bytes_max",
            0..=bounds::BODY_BYTES_CEILING,
            "a body is held in memory whole",
        ),
        head_timeout: section.duration("head_timeout", PEER_WAIT, PEER_WAIT_WHY),
        body_timeout: section.duration("body_timeout", PEER_WAIT, PEER_WAIT_WHY),
        idle_timeout: section.duration(
            "idle_timeout",
            seconds(1, 3600),
            "an idle connection costs little, a new one a handshake",
        ),
        write_timeout: section.duration("write_timeout", PEER_WAIT, PEER_WAIT_WHY),
        peer_rate_min: section.bytes(
            "peer_rate_min",
            0..=1024 * 1024,
            "phones on bad networks have a few KiB a second",
        ),
        request_timeout: section.duration("request_timeout", millis(10, 60_000), "wx.request gives up after 60s"),
        drain_linger: section.duration("drain_linger", seconds(0, 600), "as long as the balancer takes to notice"),
        drain_timeout: section.duration("drain_timeout", seconds(1, 600), "systemd kills after TimeoutStopSec"),
    };
    relate(&section, &server);
    server
}

pub(super) fn ops(root: &Section<'_>) -> Ops {
    let section = open(root, "ops", OPS);
    let listen = section.read("listen", stand_in_address(), |value| {
        let listen = address(value)?;
        if listen.ip().is_loopback() {
            return Ok(listen);
        }
        Err(Complaint::new("must be a loopback address", "its HTTP server has no limits and asks for no password"))
    });
    Ops { listen }
}

pub(super) fn log(root: &Section<'_>) -> Log {
    let section = open(root, "log", LOG);
    Log {
        access: section.read("access", AccessLog::Off, |value| match text(value)? {
            "off" => Ok(AccessLog::Off),
            "stdout" => Ok(AccessLog::Stdout),
            other => match other.strip_prefix("file:").filter(|path| path.starts_with('/')) {
                Some(path) => Ok(AccessLog::File(PathBuf::from(path))),
                None => Err(Complaint::new("must be \"off\", \"stdout\" or \"file:/PATH\"", "")),
            },
        }),
        level: section.read("level", Level::Info, |value| match text(value)? {
            "error" => Ok(Level::Error),
            "warn" => Ok(Level::Warn),
            "info" => Ok(Level::Info),
            "debug" => Ok(Level::Debug),
            _ => Err(Complaint::new("must be \"error\", \"warn\", \"info\" or \"debug\"", "")),
        }),
    }
}

pub(super) fn wechat(root: &Section<'_>) -> Wechat {
    let section = open(root, "wechat", WECHAT);
    Wechat {
        base_url: section.read("base_url", String::new(), base_url),
        timeout: section.duration("timeout", PEER_WAIT, "WeChat answers in 50 to 300ms, a login waits no minute"),
        connections_max: section.count("connections_max", 1..=1024, "each is a TLS connection to WeChat"),
    }
}

/// The limiter, and the limit by openid of routes that state none; it becomes part of those routes and of nothing else.
pub(super) fn limiter(root: &Section<'_>) -> (Limiter, Option<Rate>) {
    let section = open(root, "limiter", LIMITER);
    let tracked = 1024..=1 << 28;
    let limiter = Limiter {
        openids_max: section.count("openids_max", tracked.clone(), "32 bytes each, per node"),
        ips_max: section.count("ips_max", tracked, "32 bytes each, per node"),
        ip: section.read("ip", None, rate_or_off),
    };
    (limiter, section.read("openid", None, rate_or_off))
}

pub(super) fn cache(root: &Section<'_>) -> CachePolicy {
    let section = open(root, "cache", CACHE);
    CachePolicy {
        bytes_max: section.bytes("bytes_max", MIB..=64 * 1024 * MIB, "per shard: times the number of shards"),
    }
}

pub(super) fn database(root: &Section<'_>) -> Database {
    let section = open(root, "database", DATABASE);
    Database {
        primary: section.read("primary", DatabaseUrl::SqliteMemory, database_url),
        timeout: section.duration(
            "timeout",
            millis(10, 60_000),
            "a list of statements that runs longer blocks all others",
        ),
    }
}

fn relate(section: &Section<'_>, server: &Server) {
    section.relate(
        "target_bytes_max",
        "server.head_bytes_max",
        Relation {
            holds: server.target_bytes_max < server.head_bytes_max,
            need: "must be less than",
            cure: "the target is a part of the head",
        },
    );
    section.relate(
        "in_flight_max",
        "server.connections_max",
        Relation {
            holds: server.in_flight_max <= server.connections_max,
            need: "must be at most",
            cure: "most clients wait for one answer at a time; raise that, or lower this",
        },
    );
    section.relate(
        "drain_timeout",
        "server.request_timeout",
        Relation {
            holds: server.drain_timeout >= server.drain_linger.saturating_add(server.request_timeout),
            need: "must be at least drain_linger and",
            cure: "else draining cuts requests off that would have been answered",
        },
    );
}

pub(super) fn address(value: &Value) -> Result<SocketAddr, Complaint> {
    text(value)?
        .parse()
        .map_err(|_| Complaint::new("must be ADDRESS:PORT", "such as \"0.0.0.0:8080\" or \"[::]:8080\""))
}

fn stand_in_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn shards(value: &Value) -> Result<Shards, Complaint> {
    let form = || {
        let need = format!("must be \"auto\", a number 1..={}, or a list of different CPUs", bounds::SHARDS_MAX);
        Complaint::new(need, "each shard is a thread on a CPU of its own; [0, 2, 4] names the CPUs")
    };
    match value {
        Value::String(text) if text == "auto" => Ok(Shards::Auto),
        Value::Integer(_) => whole(value, &(1..=bounds::SHARDS_MAX), "").map(Shards::Count).map_err(|_| form()),
        Value::Array(items) if (1..=bounds::SHARDS_MAX).contains(&items.len()) => {
            let cpus: Result<Vec<usize>, _> = items.iter().map(|item| whole(item, &(0..=CPU_MAX), "")).collect();
            let cpus = cpus.map_err(|_| form())?;
            let mut sorted = cpus.clone();
            sorted.sort_unstable();
            sorted.dedup();
            if sorted.len() == cpus.len() { Ok(Shards::Cpus(cpus)) } else { Err(form()) }
        }
        _ => Err(form()),
    }
}

/// Clear text may go only where no wire is: to a simulator on this machine.
fn base_url(value: &Value) -> Result<String, Complaint> {
    let url = text(value)?;
    let host_only = |rest: &str| {
        !rest.is_empty()
            && rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'))
    };
    let local = |rest: &str| rest.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_loopback());
    match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) if host_only(rest) => Ok(url.to_owned()),
        (_, Some(rest)) if local(rest) => Ok(url.to_owned()),
        _ => Err(Complaint::new(
            "must be https://HOST or https://HOST:PORT, without a path",
            "secrets travel there; http:// only to a loopback address with its port",
        )),
    }
}

fn rate_or_off(value: &Value) -> Result<Option<Rate>, Complaint> {
    match text(value)? {
        "off" => Ok(None),
        rate => units::rate(rate).map(Some),
    }
}

fn database_url(value: &Value) -> Result<DatabaseUrl, Complaint> {
    match text(value)? {
        "sqlite::memory:" => Ok(DatabaseUrl::SqliteMemory),
        url => match url.strip_prefix("sqlite://").filter(|path| !path.is_empty() && !path.contains(['?', '\0'])) {
            Some(path) => Ok(DatabaseUrl::Sqlite(PathBuf::from(path))),
            None => Err(Complaint::new(
                "must be sqlite://PATH or sqlite::memory:",
                "sqlite://shop.db is relative to the working directory, sqlite:///var/lib/shop.db is absolute",
            )),
        },
    }
}

const fn seconds(from: u64, to: u64) -> RangeInclusive<Duration> {
    Duration::from_secs(from)..=Duration::from_secs(to)
}

const fn millis(from: u64, to: u64) -> RangeInclusive<Duration> {
    Duration::from_millis(from)..=Duration::from_millis(to)
}
