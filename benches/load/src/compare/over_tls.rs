//! W1 over TLS: HTTP/1.1 keep-alive, and HTTP/2 with many streams on few connections or one on each of many.
//! Never here: a handshake in the figures that counts. A warm-up and hundreds of thousands of requests drown it.

use std::io::Result;
use std::path::Path;

use super::contender::{Contender, Protocol};
use super::gateway::{self, PRODUCT_IDS, PRODUCT_PATH};
use super::generator::{self, Length, Reads};
use super::h2load;
use super::one_shard::{Reading, log_users_in, prepare};
use super::rounds::interleaved;
use super::sample::{Sample, measure, median};
use super::server::Server;
use super::strace;
use super::table::{number, section};
use super::workbench::Workbench;
use crate::load::Users;
use crate::load::report::Report;
use crate::load::workload::tokens_from;

const WARM_UP_REQUESTS: u64 = 20_000;

/// W1 in one of its dresses.
pub struct Dress {
    title: &'static str,
    protocol: Protocol,
    /// Whose CPU time the others are divided by; when it is not there, the first server.
    yardstick: Contender,
    shape: Shape,
}

enum Shape {
    /// As many connections as `--connections` says, one request in flight on each.
    KeepAlive,
    /// By h2load.
    Streams { connections: usize, streams: usize },
}

impl Dress {
    pub const TLS: Self = Self {
        title: "W1 over TLS 1.3, keep-alive",
        protocol: Protocol::Http1OverTls,
        yardstick: Contender::Nginx,
        shape: Shape::KeepAlive,
    };
    pub const H2_MANY: Self = Self {
        title: "W1 over HTTP/2, 32 connections × 16 streams",
        protocol: Protocol::Http2OverTls,
        yardstick: Contender::Haproxy,
        shape: Shape::Streams { connections: 32, streams: 16 },
    };
    pub const H2_ONE: Self = Self {
        title: "W1 over HTTP/2, 128 connections × 1 stream",
        protocol: Protocol::Http2OverTls,
        yardstick: Contender::H2o,
        shape: Shape::Streams { connections: 128, streams: 1 },
    };
}

/// A server that has been started, and what to send it.
struct Started<'a> {
    bench: &'a Workbench<'a>,
    dress: &'a Dress,
    server: Server,
}

/// Measures and makes the table.
pub fn run(bench: &Workbench<'_>, dress: &Dress) -> Result<String> {
    let contenders = bench.contenders(dress.protocol);
    let Some(first) = contenders.first() else {
        return Ok(format!("### {}\n\nNot measured: none of the servers speaks it.\n", dress.title));
    };
    let answer = prepare(bench, &Reading::PRODUCT)?;
    let samples =
        interleaved(bench, dress.title, &contenders, |contender| one_round(bench, dress, *contender, &answer))?;
    let medians: Vec<Sample> = samples.iter().map(|samples| median(samples)).collect();
    let base = contenders.iter().position(|contender| *contender == dress.yardstick).unwrap_or_default();
    let yardstick = if contenders[base] == dress.yardstick { dress.yardstick } else { *first };
    let mut rows = Vec::new();
    for (sample, &contender) in medians.iter().zip(&contenders) {
        eprintln!("{}: system calls, {}", dress.title, contender.name());
        let calls = count_calls(bench, dress, contender, &answer)?;
        rows.push(row(contender, sample, medians[base].cpu_us, calls));
    }
    let what = format!(
        "`GET {PRODUCT_PATH}`, answer of {} bytes with its head; TLS 1.3, AES-128-GCM; server on one CPU; medians of {} × {:?}.",
        std::fs::metadata(&answer)?.len(),
        bench.args.rounds,
        bench.args.duration
    );
    let ratio = format!("× {}", yardstick.name());
    let columns = ["server", "CPU µs/request", &ratio, "requests/s", "syscalls/request", "RSS MiB", "failed"];
    Ok(section(dress.title, &what, &columns, &rows))
}

fn one_round(bench: &Workbench<'_>, dress: &Dress, contender: Contender, answer: &Path) -> Result<Sample> {
    let started = Started::start(bench, dress, contender, answer)?;
    let warm_up = started.ask(WARM_UP_REQUESTS)?;
    // A number of requests, not a time: h2load cuts answers off at the end of a time, and the server has worked for them.
    let requests = warm_up.rps * bench.args.duration.as_secs_f64();
    measure(&started.server, || started.ask(requests as u64))
}

fn count_calls(bench: &Workbench<'_>, dress: &Dress, contender: Contender, answer: &Path) -> Result<Option<f64>> {
    let started = Started::start(bench, dress, contender, answer)?;
    strace::calls_per_request(bench, &started.server, || started.ask(strace::REQUESTS))
}

impl<'a> Started<'a> {
    fn start(bench: &'a Workbench<'a>, dress: &'a Dress, contender: Contender, answer: &Path) -> Result<Self> {
        let server = bench.start(contender, dress.protocol, answer)?;
        if contender == Contender::Gateway {
            // Every gateway has its own sessions; they are made through the plain door.
            log_users_in(bench, &server)?;
        }
        Ok(Self { bench, dress, server })
    }

    fn ask(&self, requests: u64) -> Result<Report> {
        let tokens = self.bench.file("tokens.txt");
        match self.dress.shape {
            Shape::KeepAlive => {
                let url = self.server.secure_url(PRODUCT_PATH);
                let reads =
                    Reads { url, tokens: Some(&tokens), users: Users::Sticky, ids: PRODUCT_IDS, template: None };
                generator::reads(self.bench, &reads, Length::Requests(requests))
            }
            Shape::Streams { connections, streams } => {
                let urls: Vec<String> =
                    gateway::product_paths().iter().map(|path| self.server.secure_url(path)).collect();
                // h2load sends the same fields with every request: one user.
                let token = tokens_from(&tokens)?.into_iter().next().unwrap_or_default();
                let run = h2load::Run { urls: &urls, token: &token, connections, streams, requests };
                h2load::run(self.bench, &run)
            }
        }
    }
}

fn row(contender: Contender, sample: &Sample, base_us: f64, calls: Option<f64>) -> Vec<String> {
    vec![
        contender.name().to_owned(),
        number(sample.cpu_us),
        number(sample.cpu_us / base_us),
        number(sample.rps),
        calls.map_or("–".to_owned(), number),
        number(sample.resident_mib),
        number(sample.failures),
    ]
}
