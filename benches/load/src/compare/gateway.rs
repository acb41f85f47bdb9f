//! The gateway's command line and the routes of its demo, as this crate knows them. Change them here and nowhere else.
//! Never here: a link to the gateway's code.

use std::path::Path;
use std::process::Command;

use crate::peer::certificate::Certificate;

/// The demo's answer of 27 bytes without a token.
pub const PING_PATH: &str = "/ping";
/// The demo's cached product of 1 KB, for a token.
pub const PRODUCT_PATH: &str = "/api/v1/products/{id}";
/// Products that the demo has.
pub const PRODUCT_IDS: &str = "1..=100";
/// The demo's list of products, remembered by the shard: so many are 9 KB.
pub const LIST_PATH: &str = "/api/v1/products?page_size=114";
/// The same list read from the database every time, once [`LISTS`] is set.
pub const FRESH_LIST_PATH: &str = "/api/v1/orders?page_size=114";
/// Pages of that size, which stay in the cache longer than a measurement, and the demo's uncached query turned into the same.
pub const LISTS: [&str; 5] = [
    "query.products.rows={ paged = { size = 20, size_max = 200, page_max = 1000 } }",
    "query.orders.rows={ paged = { size = 20, size_max = 200, page_max = 1000 } }",
    r#"query.products.cache={ key = "products:{page}:{page_size}", ttl = "60m" }"#,
    "query.orders.sql=SELECT id, name, price, stock FROM products ORDER BY id LIMIT :limit OFFSET :offset",
    "query.orders.params={}",
];
/// `{"code":"demo-uN"}` → `{"code":0,"message":"ok","data":{"token":"…"}}`.
pub const LOGIN_PATH: &str = "/auth/login";
/// How long the simulator takes for `jscode2session`: what WeChat usually needs.
const WECHAT_LATENCY_MS: &str = "50";

/// Every path of [`PRODUCT_PATH`].
pub fn product_paths() -> Vec<String> {
    (1..=100).map(|id| PRODUCT_PATH.replace("{id}", &id.to_string())).collect()
}

/// What peers that serve files need one for.
pub fn document_paths() -> Vec<String> {
    let list = FRESH_LIST_PATH.split('?').next().unwrap_or_default();
    [PING_PATH, list].map(str::to_owned).into_iter().chain(product_paths()).collect()
}

/// How the gateway is started.
pub struct Launch<'a> {
    pub program: &'a Path,
    pub port: u16,
    pub ops_port: u16,
    pub shards: &'a str,
    /// Port of a simulator in a process of its own; without one the demo brings its own.
    pub simulator_port: Option<u16>,
    /// Port of the TLS door and what it shows; HTTP/2 and HTTP/1.1 by ALPN.
    pub tls: Option<(u16, &'a Certificate)>,
    /// Further `KEY=VALUE` settings.
    pub settings: &'a [&'a str],
}

/// The demo with limits that a benchmark does not reach (they are still evaluated) and no access log.
pub fn demo(launch: &Launch<'_>) -> Command {
    let mut command = Command::new(launch.program);
    command.args(["demo", "--set", &format!("server.shards=[{}]", launch.shards)]);
    command.args(["--set", "limiter.ip=off", "--set", "limiter.openid=1000000/s burst 1000000"]);
    command.env("DEMO_LOGIN_LIMIT", "1000000/s burst 1000000");
    command.args(["--port", &launch.port.to_string(), "--ops-port", &launch.ops_port.to_string()]);
    if let Some(port) = launch.simulator_port {
        command.args(["--wechat-url", &format!("http://127.0.0.1:{port}")]);
    }
    if let Some((port, certificate)) = launch.tls {
        let (chain, key) = (certificate.chain.display(), certificate.key.display());
        command.args(["--set", &format!("tls.listen=127.0.0.1:{port}")]);
        command.args(["--set", &format!("tls.certificate=[{{ chain = '{chain}', key = '{key}' }}]")]);
    }
    for setting in launch.settings {
        command.args(["--set", setting]);
    }
    command
}

/// The WeChat simulator alone.
pub fn simulator(program: &Path, port: u16) -> Command {
    let mut command = Command::new(program);
    command.args([
        "simulate-wechat",
        "--port",
        &port.to_string(),
        "--wechat-latency",
        WECHAT_LATENCY_MS,
        "--wechat-jitter",
        "0",
    ]);
    command
}
