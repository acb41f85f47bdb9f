//! What a TLS handshake costs the server, in full and with a ticket.
//! Never here: a server that resumes less than asked without it being seen; the share stands in the table.

use std::io::Result;
use std::path::Path;

use super::contender::{Contender, Protocol};
use super::gateway::PING_PATH;
use super::generator;
use super::rounds::interleaved;
use super::sample::median_of;
use super::server::Server;
use super::table::{number, section};
use super::workbench::Workbench;
use crate::answer::Answer;
use crate::load::handshakes::Handshakes;
use crate::sys::procfs::cpu_time;

const TITLE: &str = "TLS handshakes";
const COLUMNS: [&str; 7] =
    ["server", "full per CPU second", "× nginx", "resumed per CPU second", "× nginx ", "share resumed", "failed"];
/// Before each measurement: branches learnt, memory taken.
const WARM_UP: &str = "300ms";

#[derive(Clone, Copy)]
struct Pair {
    full: Rate,
    resumed: Rate,
}

#[derive(Clone, Copy)]
struct Rate {
    per_cpu_second: f64,
    share_resumed: f64,
    failed: u64,
}

/// Measures and makes the table.
pub fn run(bench: &Workbench<'_>) -> Result<String> {
    let contenders = bench.contenders(Protocol::Http1OverTls);
    if contenders.is_empty() {
        return Ok(format!("### {TITLE}\n\nNot measured: none of the servers speaks TLS.\n"));
    }
    let answer = bench.file("answer.http");
    std::fs::write(&answer, Answer::synthetic(27).to_bytes())?;
    let samples = interleaved(bench, TITLE, &contenders, |contender| one_round(bench, *contender, &answer))?;
    let base = contenders.iter().position(|contender| *contender == Contender::Nginx).unwrap_or_default();
    let base = Medians::of(&samples[base]);
    let rows: Vec<_> =
        contenders.iter().zip(&samples).map(|(contender, pairs)| Medians::of(pairs).row(*contender, &base)).collect();
    let what = format!(
        "TLS 1.3, certificate on P-256, X25519, AES-128-GCM; each connection asks `GET {PING_PATH}` once and closes, 16 at a time; \
         the whole of it on the server's CPU; medians of {} × {:?}.",
        bench.args.rounds, bench.args.duration
    );
    Ok(section(TITLE, &what, &COLUMNS, &rows))
}

fn one_round(bench: &Workbench<'_>, contender: Contender, answer: &Path) -> Result<Pair> {
    let server = bench.start(contender, Protocol::Http1OverTls, answer)?;
    Ok(Pair { full: rate(bench, &server, "full")?, resumed: rate(bench, &server, "resumed")? })
}

fn rate(bench: &Workbench<'_>, server: &Server, kind: &str) -> Result<Rate> {
    let url = server.secure_url(PING_PATH);
    let shake = |duration: &str| -> Result<Handshakes> {
        let args = ["--url", &url, "--kind", kind, "--duration", duration];
        generator::spawn(bench, "handshakes", &args)?.line()
    };
    shake(WARM_UP)?;
    let before = cpu_time(server.pid())?;
    let shaken = shake(&format!("{}ms", bench.args.duration.as_millis()))?;
    let used = cpu_time(server.pid())?.saturating_sub(before);
    let done = shaken.done().max(1) as f64;
    Ok(Rate {
        per_cpu_second: done / used.as_secs_f64(),
        share_resumed: shaken.resumed as f64 / done,
        failed: shaken.failed,
    })
}

struct Medians {
    full: f64,
    resumed: f64,
    share_resumed: f64,
    failed: u64,
}

impl Medians {
    fn of(pairs: &[Pair]) -> Self {
        let of = |figure: fn(&Pair) -> f64| median_of(pairs.iter().map(figure).collect());
        Self {
            full: of(|pair| pair.full.per_cpu_second),
            resumed: of(|pair| pair.resumed.per_cpu_second),
            share_resumed: of(|pair| pair.resumed.share_resumed),
            failed: pairs.iter().map(|pair| pair.full.failed + pair.resumed.failed).sum(),
        }
    }

    fn row(&self, contender: Contender, base: &Self) -> Vec<String> {
        vec![
            contender.name().to_owned(),
            number(self.full),
            number(self.full / base.full),
            number(self.resumed),
            number(self.resumed / base.resumed),
            format!("{:.1} %", self.share_resumed * 100.0),
            self.failed.to_string(),
        ]
    }
}
