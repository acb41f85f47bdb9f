//! W0 and W1: every server on one CPU answers the same bytes, in interleaved rounds.
//! Never here: a round of one server after another of the same. The machine changes while it is measured.

use std::io::Result;
use std::path::{Path, PathBuf};

use super::contender::{Contender, Protocol};
use super::gateway::{LOGIN_PATH, PING_PATH, PRODUCT_IDS, PRODUCT_PATH};
use super::generator::{self, Length, Reads};
use super::rounds::interleaved;
use super::sample::{Sample, measure, median};
use super::server::Server;
use super::strace;
use super::table::{number, section};
use super::workbench::{GatewayShape, Workbench, capture};
use crate::answer::Answer;
use crate::load::Users;
use crate::load::workload::tokens_from;

/// Requests before each measurement: caches are filled, branches learnt.
const WARM_UP_REQUESTS: u64 = 20_000;
/// A token of the gateway's usual length, for runs without the gateway.
const TOKEN_BYTES: usize = 330;

/// A path that is read.
pub struct Reading {
    title: &'static str,
    path: &'static str,
    auth: Auth,
    /// Body of the floors when there is no gateway to take one from.
    body_bytes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Auth {
    None,
    Token,
}

impl Reading {
    pub const PING: Self = Self { title: "W0: ping", path: PING_PATH, auth: Auth::None, body_bytes: 27 };
    pub const PRODUCT: Self =
        Self { title: "W1: cached product", path: PRODUCT_PATH, auth: Auth::Token, body_bytes: 1024 };
}

const COLUMNS: [&str; 10] = [
    "server",
    "CPU µs/request",
    "× first",
    "requests/s",
    "p50 µs",
    "p99 µs",
    "p99.9 µs",
    "syscalls/request",
    "RSS MiB",
    "failed",
];

/// Measures and makes the table.
pub fn run(bench: &Workbench<'_>, reading: &Reading) -> Result<String> {
    let answer = prepare(bench, reading)?;
    let contenders = bench.contenders(Protocol::Http1);
    let samples =
        interleaved(bench, reading.title, &contenders, |contender| one_round(bench, reading, *contender, &answer))?;
    let medians: Vec<Sample> = samples.iter().map(|samples| median(samples)).collect();
    let mut rows = Vec::new();
    for (sample, &contender) in medians.iter().zip(&contenders) {
        eprintln!("{}: system calls, {}", reading.title, contender.name());
        let calls = count_calls(bench, reading, contender, &answer)?;
        rows.push(row(contender, sample, medians[0].cpu_us, calls));
    }
    let bytes = std::fs::metadata(&answer)?.len();
    let what = format!(
        "`GET {}`, answer of {bytes} bytes with its head, {} connections, server on one CPU; medians of {} × {:?}.",
        reading.path, bench.args.connections, bench.args.rounds, bench.args.duration
    );
    Ok(section(reading.title, &what, &COLUMNS, &rows))
}

/// Tokens of users who log in to this gateway, written to the file that the generator reads.
pub fn log_users_in(bench: &Workbench<'_>, gateway: &Server) -> Result<PathBuf> {
    let out = bench.file("tokens.txt");
    let args =
        ["--url", &gateway.url(LOGIN_PATH), "--users", &bench.args.users.to_string(), "--out", &out.to_string_lossy()];
    generator::run(bench, "tokens", &args)?;
    Ok(out)
}

/// Puts the answer that floors and peers repeat, and the tokens that they ignore, into files.
pub fn prepare(bench: &Workbench<'_>, reading: &Reading) -> Result<PathBuf> {
    let answer = bench.file("answer.http");
    let bytes = if bench.has_gateway() {
        let gateway = bench.start_gateway(&GatewayShape::ONE_SHARD)?;
        let fields = match reading.auth {
            Auth::None => String::new(),
            Auth::Token => {
                let token = tokens_from(&log_users_in(bench, &gateway)?)?.into_iter().next().unwrap_or_default();
                format!("authorization: Bearer {token}\r\n")
            }
        };
        capture(&gateway, &reading.path.replace("{id}", "1"), &fields)?.0
    } else {
        let tokens = format!("{}\n", "t".repeat(TOKEN_BYTES)).repeat(bench.args.users as usize);
        std::fs::write(bench.file("tokens.txt"), tokens)?;
        Answer::synthetic(reading.body_bytes).to_bytes()
    };
    std::fs::write(&answer, bytes)?;
    Ok(answer)
}

fn one_round(bench: &Workbench<'_>, reading: &Reading, contender: Contender, answer: &Path) -> Result<Sample> {
    let (server, tokens) = start(bench, reading, contender, answer)?;
    let reads = reads(&server, reading, tokens.as_deref());
    generator::reads(bench, &reads, Length::Requests(WARM_UP_REQUESTS))?;
    measure(&server, || generator::reads(bench, &reads, Length::Measured))
}

fn count_calls(bench: &Workbench<'_>, reading: &Reading, contender: Contender, answer: &Path) -> Result<Option<f64>> {
    let (server, tokens) = start(bench, reading, contender, answer)?;
    let reads = reads(&server, reading, tokens.as_deref());
    strace::calls_per_request(bench, &server, || generator::reads(bench, &reads, Length::Requests(strace::REQUESTS)))
}

fn start(
    bench: &Workbench<'_>,
    reading: &Reading,
    contender: Contender,
    answer: &Path,
) -> Result<(Server, Option<PathBuf>)> {
    let server = bench.start(contender, Protocol::Http1, answer)?;
    let tokens = match (reading.auth, contender) {
        (Auth::None, _) => None,
        // Every gateway has its own sessions.
        (Auth::Token, Contender::Gateway) => Some(log_users_in(bench, &server)?),
        (Auth::Token, _) => Some(bench.file("tokens.txt")),
    };
    Ok((server, tokens))
}

fn reads<'a>(server: &Server, reading: &Reading, tokens: Option<&'a Path>) -> Reads<'a> {
    Reads { url: server.url(reading.path), tokens, users: Users::Sticky, ids: PRODUCT_IDS, template: None }
}

fn row(contender: Contender, sample: &Sample, base_us: f64, calls: Option<f64>) -> Vec<String> {
    vec![
        contender.name().to_owned(),
        number(sample.cpu_us),
        number(sample.cpu_us / base_us),
        number(sample.rps),
        number(sample.p50_us),
        number(sample.p99_us),
        number(sample.p999_us),
        calls.map_or("–".to_owned(), number),
        number(sample.resident_mib),
        number(sample.failures),
    ]
}
