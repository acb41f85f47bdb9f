//! A list of 9 KB with and without a coding: from the cache, fresh from the database, and beside nginx at two levels.
//! Never here: a comparison of unequal answers without their sizes.

use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

use super::contender::{Contender, Protocol};
use super::gateway::{FRESH_LIST_PATH, LIST_PATH, LISTS, PRODUCT_IDS};
use super::generator::{self, Length, Reads};
use super::one_shard::log_users_in;
use super::rounds::{Named, interleaved};
use super::sample::{Sample, measure, median};
use super::server::Server;
use super::table::{number, section};
use super::workbench::{GatewayShape, Workbench, capture};
use crate::answer::Answer;
use crate::load::Users;
use crate::load::workload::tokens_from;
use crate::peer::nginx::{self, Gzip, Handler};

const TITLE: &str = "Compression";
const COLUMNS: [&str; 8] =
    ["server", "accept-encoding", "answered", "bytes", "CPU µs/request", "over identity", "requests/s", "failed"];
const WARM_UP_REQUESTS: u64 = 5_000;
/// As [`LIST_PATH`] asks for.
const ITEMS: u64 = 114;

/// One row: who answers, from where, and what the client accepts.
struct Entry {
    source: Source,
    accepts: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Cached,
    Fresh,
    Nginx(Gzip),
}

/// What came back when it was asked once.
struct Seen {
    coding: String,
    body_bytes: usize,
    raw: Vec<u8>,
}

struct Figures {
    sample: Sample,
    coding: String,
    body_bytes: usize,
}

impl Named for Entry {
    fn name(&self) -> String {
        let source = match self.source {
            Source::Cached => "**tidegate**, cached".to_owned(),
            Source::Fresh => "**tidegate**, from SQLite".to_owned(),
            Source::Nginx(Gzip::Off) => "nginx, file".to_owned(),
            Source::Nginx(Gzip::Level(level)) => format!("nginx, file, level {level}"),
        };
        format!("{source}, {}", self.accepts)
    }
}

/// Measures and makes the table.
pub fn run(bench: &Workbench<'_>) -> Result<String> {
    let entries = entries(&bench.contenders(Protocol::Http1));
    if entries.is_empty() {
        return Ok(format!("### {TITLE}\n\nNot measured: neither the gateway nor nginx is among the servers.\n"));
    }
    let answer = prepare(bench)?;
    let rounds = interleaved(bench, TITLE, &entries, |entry| one_round(bench, entry, &answer))?;
    let medians: Vec<Figures> = rounds.into_iter().map(Figures::median).collect();
    let rows: Vec<_> =
        entries.iter().zip(&medians).map(|(entry, figures)| row(entry, figures, &entries, &medians)).collect();
    let what = format!(
        "A JSON list of {ITEMS} products, {} connections, plain HTTP/1.1, server on one CPU; medians of {} × {:?}.",
        bench.args.connections, bench.args.rounds, bench.args.duration
    );
    Ok(section(TITLE, &what, &COLUMNS, &rows))
}

fn entries(contenders: &[Contender]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut add = |source, codings: &[&'static str]| {
        entries.extend(codings.iter().map(|&accepts| Entry { source, accepts }));
    };
    if contenders.contains(&Contender::Gateway) {
        add(Source::Cached, &["identity", "gzip", "br", "zstd"]);
        add(Source::Fresh, &["identity", "gzip", "br", "zstd"]);
    }
    if contenders.contains(&Contender::Nginx) {
        add(Source::Nginx(Gzip::Off), &["identity"]);
        add(Source::Nginx(Gzip::Level(1)), &["gzip"]);
        add(Source::Nginx(Gzip::Level(6)), &["gzip"]);
    }
    entries
}

/// Puts the gateway's list, or one like it, into the file that nginx serves.
fn prepare(bench: &Workbench<'_>) -> Result<PathBuf> {
    let answer = bench.file("answer.http");
    let bytes = if bench.has_gateway() {
        let entry = Entry { source: Source::Cached, accepts: "identity" };
        let gateway = start(bench, &entry, &answer)?;
        look(bench, &entry, &gateway)?.raw
    } else {
        std::fs::write(bench.file("tokens.txt"), "none\n")?;
        Answer::synthetic_list(ITEMS).to_bytes()
    };
    std::fs::write(&answer, bytes)?;
    Ok(answer)
}

fn one_round(bench: &Workbench<'_>, entry: &Entry, answer: &Path) -> Result<Figures> {
    let server = start(bench, entry, answer)?;
    let seen = look(bench, entry, &server)?;
    let template = bench.file("list.http");
    let request = format!(
        "GET {} HTTP/1.1\nhost: {}\nauthorization: Bearer {{token}}\naccept-encoding: {}\n\n",
        entry.path(),
        server.addr(),
        entry.accepts
    );
    std::fs::write(&template, request)?;
    let tokens = bench.file("tokens.txt");
    let reads = Reads {
        url: server.url(entry.path()),
        tokens: Some(&tokens),
        users: Users::Sticky,
        ids: PRODUCT_IDS,
        template: Some(&template),
    };
    generator::reads(bench, &reads, Length::Requests(WARM_UP_REQUESTS))?;
    let sample = measure(&server, || generator::reads(bench, &reads, Length::Measured))?;
    Ok(Figures { sample, coding: seen.coding, body_bytes: seen.body_bytes })
}

fn start(bench: &Workbench<'_>, entry: &Entry, answer: &Path) -> Result<Server> {
    match entry.source {
        Source::Cached | Source::Fresh => {
            let server = bench.start_gateway(&GatewayShape { settings: &LISTS, ..GatewayShape::ONE_SHARD })?;
            log_users_in(bench, &server)?;
            Ok(server)
        }
        Source::Nginx(gzip) => {
            bench.start_peer(Protocol::Http1, answer, |site| nginx::command(site, Handler::File(gzip)))
        }
    }
}

fn look(bench: &Workbench<'_>, entry: &Entry, server: &Server) -> Result<Seen> {
    let token = tokens_from(&bench.file("tokens.txt"))?.into_iter().next().unwrap_or_default();
    let fields = format!("authorization: Bearer {token}\r\naccept-encoding: {}\r\n", entry.accepts);
    let (raw, whole) = capture(server, entry.path(), &fields)?;
    let head_bytes = raw.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(raw.len());
    let head = String::from_utf8_lossy(&raw[..head_bytes]).to_ascii_lowercase();
    let coding = head.lines().find_map(|line| line.strip_prefix("content-encoding: ")).unwrap_or("identity").to_owned();
    if whole.body_bytes == 0 {
        return Err(Error::new(ErrorKind::InvalidData, format!("{} has no body", entry.path())));
    }
    Ok(Seen { coding, body_bytes: whole.body_bytes, raw })
}

impl Entry {
    fn path(&self) -> &'static str {
        match self.source {
            Source::Cached => LIST_PATH,
            Source::Fresh | Source::Nginx(_) => FRESH_LIST_PATH,
        }
    }

    /// Whether its CPU time without a coding is what `other` is compared with.
    fn is_identity_of(&self, other: &Self) -> bool {
        let same = match (self.source, other.source) {
            (Source::Nginx(_), Source::Nginx(_)) => true,
            (own, others) => own == others,
        };
        same && self.accepts == "identity"
    }
}

impl Figures {
    fn median(rounds: Vec<Self>) -> Self {
        let samples: Vec<Sample> = rounds.iter().map(|round| round.sample).collect();
        let last = rounds.into_iter().next_back().expect("there is at least one round");
        Self { sample: median(&samples), ..last }
    }
}

fn row(entry: &Entry, figures: &Figures, entries: &[Entry], all: &[Figures]) -> Vec<String> {
    let identity = entries.iter().zip(all).find(|(other, _)| other.is_identity_of(entry));
    let identity_us = identity.map_or(f64::NAN, |(_, identity)| identity.sample.cpu_us);
    let name = entry.name();
    vec![
        name.strip_suffix(&format!(", {}", entry.accepts)).unwrap_or(&name).to_owned(),
        entry.accepts.to_owned(),
        figures.coding.clone(),
        number(figures.body_bytes as f64),
        number(figures.sample.cpu_us),
        number(figures.sample.cpu_us - identity_us),
        number(figures.sample.rps),
        number(figures.sample.failures),
    ]
}
