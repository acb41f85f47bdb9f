//! From the text of a file to a `Config`, or to every mistake in it.
//! Defaults of knobs come from the embedded `tidegate.toml` and from nowhere else.
//! Never here: a single section's keys, which live in the files below.

mod compression;
mod cors;
mod identity;
mod knobs;
mod overload;
mod proxy_protocol;
mod queries;
mod routes;
mod tls;
mod transactions;

use std::net::SocketAddr;

use toml::{Table, Value};

use crate::core::config::checked::Config;
use crate::core::config::error::{Complaint, ConfigError, Report};
use crate::core::config::expand::{Outside, expand};
use crate::core::config::overrides::apply;
use crate::core::config::section::{Place, Section};

/// The commented file that ships with the program: every knob with its default, and a small working example.
pub const DEFAULTS: &str = include_str!("../../../tidegate.toml");

const ROOT: &[&str] = &[
    "server",
    "proxy_protocol",
    "tls",
    "redirect",
    "overload",
    "ops",
    "log",
    "wechat",
    "app",
    "token",
    "limiter",
    "cache",
    "compression",
    "database",
    "query",
    "transaction",
    "cors",
    "route",
];
/// Sections of knobs, with all their keys: these have defaults. The rest of a file is the operator's alone.
const KNOBS: [(&str, &[&str]); 13] = [
    ("server", knobs::SERVER),
    ("proxy_protocol", proxy_protocol::PROXY_PROTOCOL),
    ("tls", tls::TLS),
    ("redirect", tls::REDIRECT),
    ("overload", overload::OVERLOAD),
    ("ops", knobs::OPS),
    ("log", knobs::LOG),
    ("wechat", knobs::WECHAT),
    ("token", identity::TOKEN),
    ("limiter", knobs::LIMITER),
    ("cache", knobs::CACHE),
    ("compression", compression::COMPRESSION),
    ("database", knobs::DATABASE),
];

/// Checks the file `text` as a whole.
///
/// # Errors
/// Every mistake, in the order of the sections; a text that is no TOML has one.
pub fn load(text: &str, outside: &Outside<'_>) -> Result<Config, Vec<ConfigError>> {
    load_with(text, &[], outside)
}

/// As [`load`], with `KEY=VALUE` settings on top of the file.
///
/// # Errors
/// As [`load`].
pub fn load_with(text: &str, overrides: &[String], outside: &Outside<'_>) -> Result<Config, Vec<ConfigError>> {
    let mut root = parse(text).map_err(|error| vec![error])?;
    let report = Report::default();
    apply(&mut root, overrides, &report);
    add_defaults(&mut root, &report);
    expand(&mut root, outside, &report);
    let config = check(&root, outside, &report);
    report.verdict(config, &root)
}

/// Only the place and the reason: a snippet of the file could hold a secret.
fn parse(text: &str) -> Result<Table, ConfigError> {
    text.parse::<Table>().map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = 1 + before.bytes().filter(|&b| b == b'\n').count();
        let need = error.message().lines().collect::<Vec<_>>().join(", ");
        ConfigError { key: format!("line {line}"), value: None, need, cure: "the file must be TOML".to_owned() }
    })
}

/// A knob that the file does not set is taken from the embedded file. Afterwards every section of knobs is a table.
fn add_defaults(root: &mut Table, report: &Report) {
    let mut defaults: Table = DEFAULTS.parse().expect("the embedded file is TOML, a test loads it");
    for (section, keys) in KNOBS {
        let given = root.entry(section).or_insert_with(|| Value::Table(Table::new()));
        if !given.is_table() {
            report.add(section, Some(given), Complaint::new("must be a table", format!("write [{section}]")));
            *given = Value::Table(Table::new());
        }
        let (Some(given), Some(Value::Table(defaults))) = (given.as_table_mut(), defaults.remove(section)) else {
            continue;
        };
        for (knob, value) in defaults.into_iter().filter(|(knob, _)| is_knob(knob, keys)) {
            given.entry(knob).or_insert(value);
        }
    }
}

/// Token keys and certificates are the operator's own, although they stand in sections of knobs.
fn is_knob(key: &str, keys: &[&str]) -> bool {
    !matches!(key, "key" | "certificate") && keys.contains(&key)
}

fn check(root: &Table, outside: &Outside<'_>, report: &Report) -> Config {
    let root = Section::open(Place { path: String::new(), table: root }, ROOT, report);
    let server = knobs::server(&root);
    let (limiter, openid_limit) = knobs::limiter(&root);
    let queries = queries::queries(&root);
    let transactions = transactions::transactions(&root, &queries);
    let cors = cors::policies(&root);
    let config = Config {
        proxy_protocol: proxy_protocol::proxy_protocol(&root),
        tls: tls::tls(&root),
        redirect: tls::redirect(&root),
        overload: overload::overload(&root),
        ops: knobs::ops(&root),
        log: knobs::log(&root),
        wechat: knobs::wechat(&root),
        apps: identity::apps(&root, outside),
        token: identity::token(&root, outside),
        cache: knobs::cache(&root),
        compression: compression::compression(&root),
        database: knobs::database(&root),
        routes: routes::routes(
            &root,
            &routes::Targets {
                server: &server,
                openid_limit,
                queries: &queries,
                transactions: &transactions,
                cors: &cors,
            },
        ),
        server,
        limiter,
        queries,
        transactions,
    };
    relate_sections(&root, &config);
    config
}

/// A wait inside a request must end before the request does, else its own answer is never given.
fn relate_sections(root: &Section<'_>, config: &Config) {
    let request = config.server.request_timeout;
    for (section, timeout) in [("wechat", config.wechat.timeout), ("database", config.database.timeout)] {
        let key = format!("{section}.timeout");
        if timeout > request && !root.report.knows(&key) && !root.report.knows("server.request_timeout") {
            let need = "must be at most server.request_timeout";
            let value = root.get(section).and_then(|section| section.get("timeout"));
            root.report.add(key, value, Complaint::new(need, "else requests end before this wait does"));
        }
    }
    tls::relate_doors(root, config);
    relate_addresses(root, config);
}

/// Every door has an address of its own.
fn relate_addresses(root: &Section<'_>, config: &Config) {
    let doors = [
        ("server.listen", config.server.listen),
        ("tls.listen", config.tls.listen),
        ("redirect.listen", config.redirect.listen),
        ("ops.listen", Some(config.ops.listen)),
    ];
    let meet = |a: SocketAddr, b: SocketAddr| {
        let same_host = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
        a.port() == b.port() && a.port() != 0 && same_host
    };
    for (index, (key, addr)) in doors.iter().enumerate() {
        let clash = doors[..index].iter().find(|(_, other)| (*other).zip(*addr).is_some_and(|(a, b)| meet(a, b)));
        if let Some((other, _)) = clash
            && !root.report.knows(key)
            && !root.report.knows(other)
        {
            root.report.add(*key, None, Complaint::new(format!("must have a port apart from {other}"), ""));
        }
    }
}

#[cfg(test)]
mod tests;
