//! What a run of the generator found: counters, and latencies in a histogram.
//! Never here: an average. It hides what the tail does.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::response::Answered;

/// Longest latency told apart; a timeout is shorter.
const LATENCY_MAX: Duration = Duration::from_secs(600);
/// Three digits: 1.234 ms and 1.235 ms are two values.
const LATENCY_DIGITS: u8 = 3;
/// A status has three digits.
const STATUS_CODES: usize = 1000;

/// One JSON line. Latencies are microseconds: from sending in a closed loop, from the scheduled time in an open one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub requests: u64,
    pub responses: u64,
    pub status: BTreeMap<u16, u64>,
    pub errors: Errors,
    /// Requests of an open loop that were due and never sent, because every connection was waiting.
    pub unsent: u64,
    pub seconds: f64,
    pub rps: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub p999_us: f64,
    pub max_us: f64,
    /// Of the answers 2xx alone.
    #[serde(default)]
    pub ok_p50_us: f64,
    #[serde(default)]
    pub ok_p99_us: f64,
    /// Of the answers 503.
    #[serde(default)]
    pub refused_p99_us: f64,
}

/// Requests and connections that failed, by what was being done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errors {
    pub connect: u64,
    pub send: u64,
    pub receive: u64,
    pub closed: u64,
    pub malformed: u64,
    pub timeout: u64,
}

/// How a connection failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    Connect,
    Send,
    Receive,
    Closed,
    Malformed,
    Timeout,
}

/// Counters while the run goes on.
pub struct Tally {
    pub requests: u64,
    responses: u64,
    status: Box<[u64; STATUS_CODES]>,
    errors: Errors,
    latencies: Histogram<u64>,
    ok: Histogram<u64>,
    refused: Histogram<u64>,
}

impl Tally {
    pub fn new() -> Self {
        let longest = LATENCY_MAX.as_nanos() as u64;
        let latencies =
            Histogram::new_with_bounds(1, longest, LATENCY_DIGITS).expect("bounds in order and a legal precision");
        Self {
            requests: 0,
            responses: 0,
            status: Box::new([0; STATUS_CODES]),
            errors: Errors::default(),
            ok: latencies.clone(),
            refused: latencies.clone(),
            latencies,
        }
    }

    pub fn answered(&mut self, answered: Answered, latency: Duration) {
        self.responses += 1;
        self.status[usize::from(answered.status)] += 1;
        let nanos = latency.as_nanos() as u64;
        self.latencies.saturating_record(nanos);
        match answered.status {
            200..300 => self.ok.saturating_record(nanos),
            503 => self.refused.saturating_record(nanos),
            _ => {}
        }
    }

    pub fn failed(&mut self, failure: Failure) {
        let counter = match failure {
            Failure::Connect => &mut self.errors.connect,
            Failure::Send => &mut self.errors.send,
            Failure::Receive => &mut self.errors.receive,
            Failure::Closed => &mut self.errors.closed,
            Failure::Malformed => &mut self.errors.malformed,
            Failure::Timeout => &mut self.errors.timeout,
        };
        *counter += 1;
    }

    pub fn report(&self, elapsed: Duration, unsent: u64) -> Report {
        let quantile_us = |quantile| self.latencies.value_at_quantile(quantile) as f64 / 1000.0;
        let status = (0_u16..).zip(self.status.iter().copied()).filter(|(_, count)| *count > 0).collect();
        Report {
            requests: self.requests,
            responses: self.responses,
            status,
            errors: self.errors,
            unsent,
            seconds: elapsed.as_secs_f64(),
            rps: self.responses as f64 / elapsed.as_secs_f64(),
            p50_us: quantile_us(0.5),
            p99_us: quantile_us(0.99),
            p999_us: quantile_us(0.999),
            max_us: self.latencies.max() as f64 / 1000.0,
            ok_p50_us: self.ok.value_at_quantile(0.5) as f64 / 1000.0,
            ok_p99_us: self.ok.value_at_quantile(0.99) as f64 / 1000.0,
            refused_p99_us: self.refused.value_at_quantile(0.99) as f64 / 1000.0,
        }
    }
}

impl Report {
    /// Everything that is not a 2xx answer.
    pub fn failures(&self) -> u64 {
        let Errors { connect, send, receive, closed, malformed, timeout } = self.errors;
        let refused: u64 =
            self.status.iter().filter(|(status, _)| !(200..300).contains(*status)).map(|(_, count)| count).sum();
        refused + connect + send + receive + closed + malformed + timeout + self.unsent
    }

    /// One line for whoever reads the output, man or program.
    pub fn print(&self) {
        println!("{}", serde_json::to_string(self).expect("numbers and a map with keys that become text"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::response::Connection;

    #[test]
    fn a_report_counts_by_status_and_by_failure_and_survives_json() {
        let mut tally = Tally::new();
        tally.requests = 5;
        for (status, ms) in [(200, 1), (200, 2), (429, 3)] {
            tally.answered(Answered { status, connection: Connection::KeepAlive }, Duration::from_millis(ms));
        }
        tally.failed(Failure::Timeout);
        tally.failed(Failure::Closed);
        let report = tally.report(Duration::from_secs(2), 7);
        assert_eq!(report.status, BTreeMap::from([(200, 2), (429, 1)]));
        assert_eq!((report.responses, report.rps), (3, 1.5));
        assert_eq!(report.failures(), 1 + 2 + 7);
        assert!((report.p50_us - 2000.0).abs() < 2.0 && (report.max_us - 3000.0).abs() < 3.0, "{report:?}");
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}
