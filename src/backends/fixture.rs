//! A checked configuration for the tests of this room.
//! Never here: what a test is about.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::core::coding::CodingSet;
use crate::core::config::checked::{
    AccessLog, App, CachePolicy, Compression, Config, Database, DatabaseUrl, Idempotency, Kind, Level, Limiter, Log,
    Ops, Param, Query, Rows, Secret, Server, Shards, Source, Step, TokenPolicy, Transaction, Wechat,
};
use crate::core::config::http2::Http2;
use crate::core::config::overload::Overload;
use crate::core::config::proxy::{ProxyMode, ProxyProtocol};
use crate::core::config::tls::{ClientCertificates, Profile, Redirect, TicketKeys, Tls};
use crate::core::ids::AppId;

/// Long enough for a busy machine; no test waits for it.
pub const LONG: Duration = Duration::from_secs(60);

pub fn config(database: DatabaseUrl) -> Config {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Config {
        server: Server {
            listen: Some(listen),
            shards: Shards::Count(1),
            connections_max: 1,
            connections_per_ip_max: None,
            in_flight_max: 1,
            head_bytes_max: 1,
            target_bytes_max: 1,
            headers_max: 1,
            body_bytes_max: 1,
            head_timeout: LONG,
            body_timeout: LONG,
            idle_timeout: LONG,
            write_timeout: LONG,
            peer_rate_min: 0,
            request_timeout: LONG,
            drain_linger: Duration::ZERO,
            drain_timeout: LONG,
        },
        http2: Http2 { enabled: true, streams_max: 1, stream_window_bytes: 65_535, connection_window_bytes: 65_535 },
        overload: Overload {
            concurrency_min: 1,
            read_wait: None,
            write_wait: None,
            wechat_wait: None,
            lag_target: None,
            retry_after_max: LONG,
        },
        proxy_protocol: ProxyProtocol { mode: ProxyMode::Off, trusted: Vec::new() },
        tls: Tls {
            listen: None,
            profile: Profile::Modern,
            alpn: Vec::new(),
            handshake_timeout: LONG,
            handshakes_max: 1,
            certificates: Vec::new(),
            ticket_keys: TicketKeys::Random,
            clients: ClientCertificates::Off,
            client_ca: None,
            client_crl: None,
        },
        redirect: Redirect { listen: None, host: None, port: 443 },
        ops: Ops { listen },
        log: Log { access: AccessLog::Off, level: Level::Error },
        wechat: Wechat { base_url: "http://127.0.0.1:9".to_owned(), timeout: LONG, connections_max: 4 },
        apps: vec![App { id: AppId::new("wx1"), secret: Secret::new("app-secret") }],
        token: TokenPolicy {
            keys: Vec::new(),
            access_life: LONG,
            refresh_life: LONG,
            leeway: LONG,
            remembered_max: 1,
            sessions_max: 1,
            session_idle: LONG,
        },
        limiter: Limiter { openids_max: 1, ips_max: 1, ip: None },
        cache: CachePolicy { bytes_max: 1 },
        compression: Compression { codings: CodingSet::NONE, bytes_min: 1 },
        database: Database { primary: database, timeout: LONG },
        queries: BTreeMap::new(),
        transactions: BTreeMap::new(),
        routes: Vec::new(),
    }
}

/// A file with the schema and rows of `sql`.
pub fn database(path: &Path, sql: &str) -> DatabaseUrl {
    let made = rusqlite::Connection::open(path).and_then(|connection| connection.execute_batch(sql));
    made.expect("the test's own script runs");
    DatabaseUrl::Sqlite(path.to_owned())
}

/// Parameters of those names, whose kinds do not matter here.
pub fn params(names: &[&str]) -> Vec<Param> {
    let param = |name: &&str| Param {
        name: (*name).to_owned(),
        source: Source::Query((*name).to_owned()),
        kind: Kind::Float,
        default: None,
    };
    names.iter().map(param).collect()
}

pub fn query(name: &str, sql: &str, rows: Rows, names: &[&str]) -> Arc<Query> {
    Arc::new(Query { name: name.to_owned(), sql: sql.to_owned(), rows, params: params(names), cache: None })
}

/// A step without expectation and answer.
pub fn step(sql: &str) -> Step {
    Step { sql: sql.to_owned(), affected: None, otherwise: None, answers: false }
}

pub fn transaction(name: &str, steps: Vec<Step>, names: &[&str]) -> Arc<Transaction> {
    Arc::new(Transaction {
        name: name.to_owned(),
        params: params(names),
        steps,
        invalidates: Vec::new(),
        idempotency: Idempotency::Optional,
    })
}

/// Waits for a future on a runtime of its own.
pub fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}
