//! HTTP/2 load by h2load (nghttp2), a client that others can run as well: its command line and what it prints.
//! Never here: percentiles. It does not print them.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::process::{Command, Stdio};

use super::contender::installed;
use super::workbench::{GENERATOR_CPU, Workbench};
use crate::load::report::{Errors, Report};
use crate::sys::process::confine;

/// A run against one server.
pub struct Run<'a> {
    /// Asked for in turn by each connection.
    pub urls: &'a [String],
    pub token: &'a str,
    pub connections: usize,
    /// In flight on each connection.
    pub streams: usize,
    pub requests: u64,
}

/// Runs it to its end. Fails when h2load is not installed, or when something else than TLS 1.3 was agreed upon.
pub fn run(bench: &Workbench<'_>, run: &Run<'_>) -> Result<Report> {
    if !installed("h2load", "--version") {
        return Err(Error::new(ErrorKind::NotFound, "h2load is not installed: it comes with nghttp2"));
    }
    let urls = bench.file("urls.txt");
    std::fs::write(&urls, run.urls.join("\n") + "\n")?;
    let mut command = Command::new("h2load");
    command.args(["--threads", "1", "--requests", &run.requests.max(run.connections as u64).to_string()]);
    command.args(["--clients", &run.connections.to_string(), "--max-concurrent-streams", &run.streams.to_string()]);
    command.args(["--header", &format!("authorization: Bearer {}", run.token), "--input-file"]).arg(urls);
    confine(&mut command, &[GENERATOR_CPU]);
    let output = command.stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    report_of(&text).ok_or_else(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        Error::new(ErrorKind::InvalidData, format!("h2load has not reported a run over TLS 1.3: {text}{said}"))
    })
}

/// Latencies stay at zero.
fn report_of(text: &str) -> Option<Report> {
    line(text, "TLS Protocol: ").filter(|version| *version == "TLSv1.3")?;
    let requests = count(line(text, "requests: ")?, "total")?;
    let codes = line(text, "status codes: ")?;
    let mut status = BTreeMap::new();
    for (class, code) in [("2xx", 200), ("3xx", 300), ("4xx", 400), ("5xx", 500)] {
        match count(codes, class)? {
            0 => {}
            answers => drop(status.insert(code, answers)),
        }
    }
    let responses: u64 = status.values().sum();
    let rate = line(text, "finished in ")?.split(", ").nth(1)?.strip_suffix(" req/s")?;
    Some(Report {
        requests,
        responses,
        status,
        errors: Errors { closed: requests.saturating_sub(responses), ..Errors::default() },
        rps: rate.parse().ok()?,
        ..Report::default()
    })
}

fn line<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(start))
}

/// `7` from `… , 7 failed, …`.
fn count(list: &str, what: &str) -> Option<u64> {
    list.split(", ").find_map(|part| part.strip_suffix(what))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
starting benchmark...
TLS Protocol: TLSv1.3
Cipher: TLS_AES_128_GCM_SHA256
Application protocol: h2
progress: 100% done

finished in 1.25s, 15999.20 req/s, 17.55MB/s
requests: 20000 total, 20000 started, 19998 done, 19990 succeeded, 8 failed, 2 errored, 0 timeout
status codes: 19990 2xx, 0 3xx, 8 4xx, 0 5xx
traffic: 21.93MB (22998000) total, 1.24MB (1300000) headers (space savings 91.00%), 20.31MB (21300000) data
";

    #[test]
    fn a_report_counts_answers_by_class_and_what_had_none() {
        let report = report_of(OUTPUT).unwrap();
        assert_eq!((report.requests, report.responses, report.rps), (20_000, 19_998, 15_999.2));
        assert_eq!(report.status, BTreeMap::from([(200, 19_990), (400, 8)]));
        assert_eq!(report.failures(), 10);
    }

    #[test]
    fn another_version_of_tls_or_no_end_is_no_report() {
        assert_eq!(report_of(&OUTPUT.replace("TLSv1.3", "TLSv1.2")), None);
        assert_eq!(report_of(OUTPUT.split("finished").next().unwrap()), None);
    }
}
