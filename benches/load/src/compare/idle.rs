//! Silent connections: what each costs in memory, and all together in CPU time.
//! Never here: memory of the kernel. It is the same for every server.

use std::io::Result;

use super::contender::{Contender, Protocol};
use super::gateway::PING_PATH;
use super::generator;
use super::table::{number, section};
use super::workbench::Workbench;
use crate::answer::Answer;
use crate::load::idle::Held;
use crate::sys::procfs::{cpu_time, resident_kib};

/// What the connections speak before they fall silent.
#[derive(Clone, Copy)]
pub struct Silence {
    title: &'static str,
    protocol: Protocol,
}

impl Silence {
    pub const PLAIN: Self = Self { title: "Idle connections", protocol: Protocol::Http1 };
    pub const TLS: Self = Self { title: "Idle connections, TLS", protocol: Protocol::Http1OverTls };
    pub const H2: Self = Self { title: "Idle connections, HTTP/2 over TLS", protocol: Protocol::Http2OverTls };
}

const COLUMNS: [&str; 5] = ["server", "RSS KiB/connection", "RSS MiB", "CPU ms while held", "closed by the server"];

/// Measures once, because memory does not swing, and makes the table.
pub fn run(bench: &Workbench<'_>, silence: Silence) -> Result<String> {
    std::fs::write(bench.file("answer.http"), Answer::synthetic(27).to_bytes())?;
    let mut rows = Vec::new();
    for contender in bench.contenders(silence.protocol) {
        eprintln!("{}: {}", silence.title, contender.name());
        rows.push(hold(bench, silence, contender)?);
    }
    let what = format!(
        "{} keep-alive connections, one `GET {PING_PATH}` each, then held for {:?}.",
        bench.args.idle_connections, bench.args.idle_hold
    );
    Ok(section(silence.title, &what, &COLUMNS, &rows))
}

fn hold(bench: &Workbench<'_>, silence: Silence, contender: Contender) -> Result<Vec<String>> {
    let server = bench.start(contender, silence.protocol, &bench.file("answer.http"))?;
    let resident_before = resident_kib(server.pid())?;
    let hold_ms = format!("{}ms", bench.args.idle_hold.as_millis());
    let connections = bench.args.idle_connections.to_string();
    let (url, protocol) = match silence.protocol {
        Protocol::Http1 => (server.url(PING_PATH), "http1"),
        Protocol::Http1OverTls => (server.secure_url(PING_PATH), "http1"),
        Protocol::Http2OverTls => (server.secure_url(PING_PATH), "http2"),
    };
    let args = ["--url", &url, "--protocol", protocol, "--connections", &connections, "--hold", &hold_ms];
    let mut generator = generator::spawn(bench, "idle", &args)?;

    let _open: Held = generator.line()?;
    let cpu_before = cpu_time(server.pid())?;
    let resident = resident_kib(server.pid())?;
    let held: Held = generator.line()?;
    let cpu = cpu_time(server.pid())?.saturating_sub(cpu_before);

    let per_connection = resident.saturating_sub(resident_before) as f64 / bench.args.idle_connections.max(1) as f64;
    Ok(vec![
        contender.name().to_owned(),
        number(per_connection),
        number(resident as f64 / 1024.0),
        number(cpu.as_secs_f64() * 1e3),
        held.closed.to_string(),
    ])
}
