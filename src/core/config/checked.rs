//! The checked configuration: every value is in range, every name resolves. Shared by all shards, never changed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::core::admission::Priority;
use crate::core::coding::CodingSet;
use crate::core::config::overload::Overload;
use crate::core::config::proxy::ProxyProtocol;
use crate::core::config::tls::{ClientCertificates, Redirect, Tls};
use crate::core::cors::CorsPolicy;
use crate::core::ids::AppId;
use crate::core::method::Method;

#[derive(Debug)]
pub struct Config {
    pub server: Server,
    pub overload: Overload,
    pub proxy_protocol: ProxyProtocol,
    pub tls: Tls,
    pub redirect: Redirect,
    pub ops: Ops,
    pub log: Log,
    pub wechat: Wechat,
    /// Never empty; the first is the default when a login names none.
    pub apps: Vec<App>,
    pub token: TokenPolicy,
    pub limiter: Limiter,
    pub cache: CachePolicy,
    pub compression: Compression,
    pub database: Database,
    pub queries: BTreeMap<String, Arc<Query>>,
    pub transactions: BTreeMap<String, Arc<Transaction>>,
    /// Index = `RouteId`.
    pub routes: Vec<Arc<Route>>,
}

#[derive(Debug)]
pub struct Server {
    /// Where HTTP is spoken in the clear. `None`: nowhere.
    pub listen: Option<SocketAddr>,
    pub shards: Shards,
    /// Per shard.
    pub connections_max: usize,
    /// Per address and node; `None`: no bound.
    pub connections_per_ip_max: Option<usize>,
    /// Requests per shard that wait for a backend or another shard.
    pub in_flight_max: usize,
    pub head_bytes_max: usize,
    pub target_bytes_max: usize,
    pub headers_max: usize,
    pub body_bytes_max: usize,
    /// From the first byte of a head to its end.
    pub head_timeout: Duration,
    /// Longest wait for the next bytes of a body.
    pub body_timeout: Duration,
    /// From the last answer to the next request.
    pub idle_timeout: Duration,
    /// Longest wait for a client to take bytes of an answer.
    pub write_timeout: Duration,
    /// Bytes per second of a body or an answer, on average from the moment when `body_timeout` or `write_timeout` after its
    /// begin is over; zero: any rate.
    pub peer_rate_min: usize,
    /// Longest a request may wait for backends and other shards.
    pub request_timeout: Duration,
    /// From SIGTERM until the node accepts no more: the time that a balancer needs to notice that it is not ready.
    pub drain_linger: Duration,
    /// From SIGTERM to exit.
    pub drain_timeout: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shards {
    /// One per CPU that this process may use.
    Auto,
    Count(usize),
    Cpus(Vec<usize>),
}

#[derive(Debug)]
pub struct Ops {
    pub listen: SocketAddr,
}

#[derive(Debug)]
pub struct Log {
    pub access: AccessLog,
    pub level: Level,
}

/// Where the access log goes, one JSON object a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLog {
    Off,
    Stdout,
    File(PathBuf),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

#[derive(Debug)]
pub struct Wechat {
    /// Scheme, host and port, no trailing slash: `https://api.weixin.qq.com`.
    pub base_url: String,
    pub timeout: Duration,
    pub connections_max: usize,
}

#[derive(Debug)]
pub struct App {
    pub id: AppId,
    pub secret: Secret,
}

/// Text that never appears in logs, errors or debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

#[derive(Debug)]
pub struct TokenPolicy {
    /// Never empty. The first signs; all verify.
    pub keys: Vec<TokenKey>,
    pub access_life: Duration,
    pub refresh_life: Duration,
    /// Clock difference between nodes that is forgiven.
    pub leeway: Duration,
    /// Verified tokens remembered per shard.
    pub remembered_max: usize,
    /// Sessions kept per node.
    pub sessions_max: usize,
    /// A session unused for so long is dropped.
    pub session_idle: Duration,
}

#[derive(Debug)]
pub struct TokenKey {
    pub kid: String,
    /// At least 32 bytes.
    pub secret: Secret,
}

#[derive(Debug)]
pub struct Limiter {
    /// Openids tracked per node; 32 bytes each, touched page by page.
    pub openids_max: usize,
    /// Addresses tracked per node; 32 bytes each.
    pub ips_max: usize,
    /// Applied to every request before its route is known. `None`: no limit by address.
    pub ip: Option<Rate>,
}

/// `60/min burst 20`: on average `count` per `per`, `burst` at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub count: NonZeroU32,
    pub per: Duration,
    pub burst: NonZeroU32,
}

#[derive(Debug)]
pub struct CachePolicy {
    /// Per shard.
    pub bytes_max: usize,
}

#[derive(Debug)]
pub struct Compression {
    /// Of answers.
    pub codings: CodingSet,
    /// Shorter bodies leave as they are.
    pub bytes_min: usize,
}

#[derive(Debug)]
pub struct Database {
    pub primary: DatabaseUrl,
    /// Longest an ask may take, from the moment its lane accepted it to its last statement.
    pub timeout: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// `sqlite://PATH`, or `sqlite::memory:` for a throw-away database.
    Sqlite(PathBuf),
    SqliteMemory,
}

#[derive(Debug)]
pub struct Query {
    pub name: String,
    /// One SELECT. Parameters are `:name`; every one of them is in `params` or made by paging (`:limit`, `:offset`).
    pub sql: String,
    pub rows: Rows,
    /// All bound by name, except the last two of a paged query: `page` and `page_size`, which become `:limit` and `:offset`.
    pub params: Vec<Param>,
    pub cache: Option<CacheRule>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// One object; no row is a 404.
    One,
    /// `{"items":[…]}` of at most so many rows.
    Many { rows_max: u32 },
    /// `{"items":[…],"page":…,"page_size":…,"has_more":…}` from `?page=&page_size=`; binds `:limit` and `:offset`.
    Paged { size: u32, size_max: u32, page_max: u32 },
}

/// `id = "path:u64"`, `quantity = "body:u32(1..=99)"`, `page = "query:u32(1..=1000)=1"`, `openid = "token"`.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Name in SQL, without the colon.
    pub name: String,
    pub source: Source,
    pub kind: Kind,
    pub default: Option<Value>,
}

/// Where a parameter's value comes from; the text is the name there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Path(String),
    Query(String),
    Body(String),
    TokenOpenId,
    TokenAppId,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// All integer types: `u32`, `u64`, `i64` are ranges of it. SQLite and MySQL BIGINT are signed.
    Integer(RangeInclusive<i64>),
    /// Length in characters.
    Text(RangeInclusive<usize>),
    Float,
    Bool,
}

/// A value bound to a statement. Never pasted into SQL.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Integer(i64),
    Float(f64),
    Text(String),
    Bool(bool),
}

#[derive(Clone, Debug)]
pub struct CacheRule {
    pub key: KeyTemplate,
    pub ttl: Duration,
    /// Up to so much is added to `ttl` at random, so that entries made together do not end together.
    pub jitter: Duration,
    /// How long "no such row" is remembered; zero: not at all.
    pub negative: Duration,
}

/// `product:{id}`: literal text and parameter names. The text before the first brace is the key space, which belongs to
/// one query. A template of a query names all its parameters. Whoever renders it keeps text values apart: with `:` in a
/// value, `{a}:{b}` must not give one key for two pairs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTemplate(pub Vec<KeyPart>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPart {
    Literal(String),
    /// Index into the parameters of the query or transaction that the template belongs to.
    Param(usize),
}

#[derive(Debug)]
pub struct Transaction {
    pub name: String,
    pub params: Vec<Param>,
    pub steps: Vec<Step>,
    pub invalidates: Vec<Invalidation>,
    /// Whether the client may, or must, send an `Idempotency-Key`.
    pub idempotency: Idempotency,
}

#[derive(Debug)]
pub struct Step {
    pub sql: String,
    /// Rows that the statement must change (or return), else the fault `otherwise`.
    pub affected: Option<u64>,
    /// Name of the 409.
    pub otherwise: Option<String>,
    /// The first row that this statement returns (`RETURNING …` or SELECT) is the answer's data.
    pub answers: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalidation {
    /// One entry.
    Key(KeyTemplate),
    /// `products:*`: every entry of the key space `products:`, which one cached query has.
    Space(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    Off,
    Optional,
    Required,
}

#[derive(Debug)]
pub struct Route {
    /// Pattern as written, also its label in metrics: `/api/v1/products/{id}`.
    pub path: String,
    /// Never empty. GET includes HEAD.
    pub methods: Vec<Method>,
    pub auth: Auth,
    /// Applied on the owner shard, in this order; all must pass. Only with `Auth::Token`.
    pub openid_limits: Vec<Rate>,
    /// Applied before authentication, beside the limit of `limiter.ip`.
    pub ip_limits: Vec<Rate>,
    /// Whether the client must have shown a certificate.
    pub client_certificate: ClientCertificates,
    pub body_bytes_max: usize,
    /// Codings in which the body may come.
    pub request_codings: CodingSet,
    /// Which pages of other origins may call it; `None`: none.
    pub cors: Option<Arc<CorsPolicy>>,
    pub priority: Priority,
    pub action: ActionSpec,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    None,
    Token,
}

/// `action = { query = "product" }`: the kind is the key, the rest is for the action's own builder to check.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionSpec {
    pub kind: String,
    pub value: toml::Value,
}

impl Compression {
    /// Memory that variants of a kept body may take; whoever keeps it counts it from the start.
    #[must_use]
    pub const fn variants_room(&self, body_bytes: usize) -> usize {
        if self.codings.is_empty() || body_bytes < self.bytes_min { 0 } else { body_bytes }
    }
}

impl KeyTemplate {
    /// The text before the first parameter.
    #[must_use]
    pub fn space(&self) -> &str {
        match self.0.first() {
            Some(KeyPart::Literal(text)) => text,
            Some(KeyPart::Param(_)) | None => "",
        }
    }

    /// Indices of the parameters in their order.
    pub fn params(&self) -> impl Iterator<Item = usize> {
        self.0.iter().filter_map(|part| match part {
            KeyPart::Param(index) => Some(*index),
            KeyPart::Literal(_) => None,
        })
    }
}

impl Secret {
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret(…)")
    }
}
