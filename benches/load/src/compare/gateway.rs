//! The gateway's command line and the routes of its demo, as this crate knows them. Change them here and nowhere else.
//! Never here: a link to the gateway's code.

use std::path::Path;
use std::process::Command;

/// The demo's answer of 27 bytes without a token.
pub const PING_PATH: &str = "/ping";
/// The demo's cached product of 1 KB, for a token.
pub const PRODUCT_PATH: &str = "/api/v1/products/{id}";
/// Products that the demo has.
pub const PRODUCT_IDS: &str = "1..=100";
/// `{"code":"demo-uN"}` → `{"code":0,"message":"ok","data":{"token":"…"}}`.
pub const LOGIN_PATH: &str = "/auth/login";
/// How long the simulator takes for `jscode2session`: what WeChat usually needs.
const WECHAT_LATENCY_MS: &str = "50";

/// How the gateway is started.
pub struct Launch<'a> {
    pub program: &'a Path,
    pub port: u16,
    pub ops_port: u16,
    pub shards: &'a str,
    /// Port of a simulator in a process of its own; without one the demo brings its own.
    pub simulator_port: Option<u16>,
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
