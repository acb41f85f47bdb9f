//! The books add up, and what is exposed can be read back.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::catalogue::{CATALOGUE, render, route_label};
use super::classes::{FAULT_CODES, STATUSES};
use super::metric::{Kind, ProcessFacts, Unit};
use super::*;
use crate::core::admission::Priority;
use crate::core::coding::CodingSet;
use crate::core::config::checked::{ActionSpec, Auth, Route};
use crate::core::config::tls::ClientCertificates;
use crate::core::fault::{Fault, LimitState};
use crate::core::method::Method;

fn outcome(route: Option<u16>, status: u16, micros: u64) -> Outcome {
    Outcome {
        route: route.map(RouteId),
        status,
        fault_code: None,
        duration: Duration::from_micros(micros),
        bytes_in: 100,
        bytes_out: 1000,
    }
}

fn book(ledger: &ShardLedger, outcome: Outcome) {
    ledger.request_started();
    ledger.record(&outcome);
}

fn rendered(shards: &[Arc<ShardLedger>], routes: &[&str]) -> String {
    let routes: Vec<String> = routes.iter().map(|&route| route.to_owned()).collect();
    let facts = ProcessFacts {
        version: "0.1.0",
        uptime: Duration::from_millis(1500),
        resident_bytes: 4096,
        open_files: 17,
        tls_reloads: 2,
        tls_reloads_failed: 1,
        tls_expires: Duration::from_secs(1_800_000_000),
    };
    let mut out = String::new();
    render(shards, &routes, facts, &mut out);
    out
}

/// One sample: name, labels in order, value.
type Sample = (String, Vec<(String, String)>, f64);

/// Reads the exposition as strictly as Prometheus does: every sample behind the HELP and TYPE of its family.
fn parse(text: &str) -> (HashMap<String, String>, Vec<Sample>) {
    let (mut kinds, mut samples, mut family) = (HashMap::new(), Vec::new(), String::new());
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            family = rest.split_once(' ').expect("help has a text").0.to_owned();
            assert!(!kinds.contains_key(&family), "{family} twice");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("type has a kind");
            assert_eq!(name, family);
            kinds.insert(family.clone(), kind.to_owned());
        } else {
            let sample = parse_sample(line);
            let suffixes: &[&str] = if kinds[&family] == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(suffixes.iter().any(|suffix| sample.0 == format!("{family}{suffix}")), "{line}");
            samples.push(sample);
        }
    }
    (kinds, samples)
}

fn parse_sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
    let value = value.parse().expect("a value is a number");
    let Some((name, labels)) = series.split_once('{') else { return (series.to_owned(), Vec::new(), value) };
    let mut rest = labels.strip_suffix('}').expect("labels end");
    let mut parsed = Vec::new();
    while !rest.is_empty() {
        let (key, quoted) = rest.split_once("=\"").expect("a label has a quoted value");
        let mut text = String::new();
        let mut chars = quoted.char_indices();
        let end = loop {
            match chars.next().expect("a quote ends") {
                (at, '"') => break at,
                (_, '\\') => text.push(match chars.next().expect("an escape has a character").1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => text.push(other),
            }
        };
        parsed.push((key.to_owned(), text));
        rest = quoted[end + 1..].trim_start_matches(',');
    }
    (name.to_owned(), parsed, value)
}

fn value(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let labels: Vec<_> = labels.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    samples.iter().find(|sample| sample.0 == name && sample.1 == labels).map(|sample| sample.2)
}

#[test]
fn every_request_is_in_the_books_once() {
    let shards = [Arc::new(ShardLedger::new(ShardId(0), 2)), Arc::new(ShardLedger::new(ShardId(1), 2))];
    book(&shards[0], outcome(Some(0), 200, 80));
    book(&shards[1], outcome(Some(0), 200, 120));
    book(&shards[1], Outcome { fault_code: Some(42900), ..outcome(Some(1), 429, 5) });
    book(&shards[0], Outcome { fault_code: Some(40400), ..outcome(None, 404, 5) });
    book(&shards[0], Outcome { fault_code: Some(99_999), ..outcome(Some(9), 599, 5) });
    shards[1].request_started();
    let (_, samples) = parse(&rendered(&shards, &["GET /a", "GET /b"]));
    let check = |name: &str, labels: &[(&str, &str)], expected: f64| {
        assert_eq!(value(&samples, name, labels), Some(expected), "{name} {labels:?}");
    };
    let requests = "tidegate_requests_total";
    check(requests, &[("route", "GET /a"), ("class", "2xx"), ("status", "200")], 2.0);
    check(requests, &[("route", "GET /b"), ("class", "4xx"), ("status", "429")], 1.0);
    check(requests, &[("route", "none"), ("class", "4xx"), ("status", "404")], 1.0);
    check(requests, &[("route", "none"), ("class", "5xx"), ("status", "other")], 1.0);
    assert_eq!(samples.iter().filter(|sample| sample.0 == requests).map(|sample| sample.2).sum::<f64>(), 5.0);
    check("tidegate_request_duration_seconds_count", &[("route", "GET /a")], 2.0);
    check("tidegate_request_duration_seconds_sum", &[("route", "GET /a")], 0.0002);
    check("tidegate_http_bytes_total", &[("route", "none"), ("direction", "sent")], 2000.0);
    check("tidegate_faults_total", &[("code", "42900")], 1.0);
    check("tidegate_faults_total", &[("code", "other")], 1.0);
    check("tidegate_requests_in_flight", &[("shard", "0")], 0.0);
    check("tidegate_requests_in_flight", &[("shard", "1")], 1.0);
    check("tidegate_uptime_seconds", &[], 1.5);
    check("tidegate_build_info", &[("version", "0.1.0")], 1.0);
}

#[test]
fn open_connections_are_those_that_came_and_did_not_go() {
    let ledger = ShardLedger::new(ShardId(0), 0);
    ledger.connections.opened.add(10);
    ledger.connections.moved_in.add(3);
    ledger.connections.moved_out.add(2);
    ledger.connections.refused.one();
    for reason in CloseReason::ALL {
        ledger.connection_closed(reason);
    }
    assert_eq!(ledger.connections_open(), 10 + 3 - 2 - 9);
    let (_, samples) = parse(&rendered(&[Arc::new(ledger)], &[]));
    for reason in CloseReason::ALL {
        assert_eq!(value(&samples, "tidegate_connections_closed_total", &[("reason", reason.label())]), Some(1.0));
    }
}

#[test]
fn lanes_are_told_apart() {
    let ledger = ShardLedger::new(ShardId(0), 0);
    for (count, backend) in (1..).zip(LANES) {
        ledger.lane(backend).asked.add(count);
        ledger.lane(backend).queue.set(10 * count);
    }
    let (_, samples) = parse(&rendered(&[Arc::new(ledger)], &[]));
    for (count, label) in [(1.0, "database"), (2.0, "wechat"), (3.0, "owner")] {
        assert_eq!(value(&samples, "tidegate_backend_asked_total", &[("backend", label)]), Some(count));
        assert_eq!(value(&samples, "tidegate_backend_queue", &[("backend", label)]), Some(10.0 * count));
    }
}

#[test]
fn the_exposition_is_valid() {
    let shards: Vec<_> = (0..3).map(|shard| Arc::new(ShardLedger::new(ShardId(shard), 2))).collect();
    for (number, shard) in (0..).zip(&shards) {
        for status in STATUSES.into_iter().chain([0, 99, 199, 418, 600, u16::MAX]) {
            for route in [None, Some(0), Some(1)] {
                book(shard, outcome(route, status, u64::from(status) * (1 << number)));
            }
        }
        for code in FAULT_CODES {
            book(shard, Outcome { fault_code: Some(code), ..outcome(None, 400, 1) });
        }
    }
    let (kinds, samples) = parse(&rendered(&shards, &["GET /a", "POST /quote\"back\\slash\nline"]));
    assert_eq!(kinds.len(), CATALOGUE.len());
    let series: HashSet<_> = samples.iter().map(|sample| (&sample.0, &sample.1)).collect();
    assert_eq!(series.len(), samples.len(), "no series twice");
    for metric in CATALOGUE {
        let present = samples.iter().any(|sample| sample.0.starts_with(metric.name));
        assert!(present, "{} has no sample", metric.name);
    }
    let escaped = samples.iter().any(|sample| sample.1.iter().any(|label| label.1 == "POST /quote\"back\\slash\nline"));
    assert!(escaped, "an odd label survives");
    check_histogram(&samples, "GET /a");
    check_histogram(&samples, "none");
}

/// Buckets are cumulative, rise with `le`, and the last equals the count.
fn check_histogram(samples: &[Sample], route: &str) {
    let of_route: Vec<_> = samples
        .iter()
        .filter(|sample| sample.0 == "tidegate_request_duration_seconds_bucket" && sample.1[0].1 == route)
        .collect();
    assert!(of_route.len() > 40);
    for pair in of_route.windows(2) {
        let bound = |sample: &Sample| sample.1[1].1.replace("+Inf", "inf").parse::<f64>().unwrap();
        assert!(bound(pair[0]) < bound(pair[1]) && pair[0].2 <= pair[1].2, "{pair:?}");
    }
    let last = of_route.last().unwrap();
    assert_eq!(last.1[1].1, "+Inf");
    assert_eq!(Some(last.2), value(samples, "tidegate_request_duration_seconds_count", &[("route", route)]));
}

#[test]
fn names_tell_kind_and_unit() {
    let mut names = HashSet::new();
    for metric in CATALOGUE {
        assert!(names.insert(metric.name), "{} twice", metric.name);
        assert!(metric.name.starts_with("tidegate_"), "{}", metric.name);
        assert!(metric.name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')), "{}", metric.name);
        assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
        let bare = metric.name.trim_end_matches("_total");
        assert_eq!(bare.ends_with("_seconds"), metric.unit == Unit::Seconds, "{}", metric.name);
        assert_eq!(bare.ends_with("_bytes"), metric.unit == Unit::Bytes, "{}", metric.name);
        assert!(metric.help.ends_with('.') && !metric.help.contains(['\n', '\\']), "{}", metric.name);
    }
}

#[test]
fn a_route_is_labelled_by_methods_and_pattern() {
    let route = Route {
        path: "/a/{id}".into(),
        methods: vec![Method::Get, Method::Put],
        auth: Auth::None,
        openid_limits: Vec::new(),
        ip_limits: Vec::new(),
        client_certificate: ClientCertificates::Off,
        body_bytes_max: 0,
        request_codings: CodingSet::NONE,
        cors: None,
        priority: Priority::Normal,
        action: ActionSpec { kind: "query".into(), value: toml::Value::Boolean(true) },
    };
    assert_eq!(route_label(&route), "GET,PUT /a/{id}");
}

#[test]
fn every_fault_has_its_own_counters() {
    let state = LimitState { limit: 1, remaining: 0, reset: Duration::ZERO };
    let all = [
        Fault::Malformed(""),
        Fault::InvalidParam { name: "".into(), need: "".into() },
        Fault::InvalidBody(""),
        Fault::BodyCoding { coding: "" },
        Fault::TokenMissing,
        Fault::TokenInvalid,
        Fault::TokenExpired,
        Fault::SessionRevoked,
        Fault::RefreshInvalid,
        Fault::RefreshReused,
        Fault::LoginCodeInvalid,
        Fault::UserBlocked,
        Fault::ClientCertificateMissing,
        Fault::RouteUnknown,
        Fault::RowMissing,
        Fault::MethodNotAllowed { allow: "".into() },
        Fault::HeadTimeout,
        Fault::BodyTimeout,
        Fault::Conflict("".into()),
        Fault::IdempotencyMismatch,
        Fault::BodyTooLarge { bytes_max: 0 },
        Fault::TargetTooLong { bytes_max: 0 },
        Fault::MediaType,
        Fault::ContentCoding { accepted: "".into() },
        Fault::RateLimited(state),
        Fault::WechatQuota { wait: Duration::ZERO },
        Fault::HeadTooLarge { bytes_max: 0 },
        Fault::HeadersTooMany { count_max: 0 },
        Fault::Internal,
        Fault::MethodUnknown,
        Fault::TransferCodingUnknown,
        Fault::ExpectationUnknown,
        Fault::BackendRefused { backend: Backend::Database, code: 0 },
        Fault::Busy(Backend::Database),
        Fault::Overloaded,
        Fault::Shed,
        Fault::Timeout(Backend::Database),
        Fault::VersionUnsupported,
    ];
    // A new variant does not compile here until it is in the list above.
    let listed = |fault: &Fault| match fault {
        Fault::Malformed(_) | Fault::InvalidParam { .. } | Fault::InvalidBody(_) | Fault::TokenMissing => (),
        Fault::TokenInvalid | Fault::TokenExpired | Fault::SessionRevoked | Fault::RefreshInvalid => (),
        Fault::RefreshReused | Fault::LoginCodeInvalid | Fault::UserBlocked | Fault::RouteUnknown => (),
        Fault::RowMissing | Fault::MethodNotAllowed { .. } | Fault::HeadTimeout | Fault::BodyTimeout => (),
        Fault::Conflict(_) | Fault::IdempotencyMismatch | Fault::BodyTooLarge { .. } => (),
        Fault::TargetTooLong { .. } | Fault::MediaType | Fault::RateLimited(_) | Fault::WechatQuota { .. } => (),
        Fault::HeadTooLarge { .. } | Fault::HeadersTooMany { .. } | Fault::Internal | Fault::MethodUnknown => (),
        Fault::TransferCodingUnknown | Fault::ExpectationUnknown | Fault::BackendRefused { .. } => (),
        Fault::Busy(_) | Fault::Overloaded | Fault::Shed | Fault::Timeout(_) => (),
        Fault::VersionUnsupported | Fault::ClientCertificateMissing => (),
        Fault::BodyCoding { .. } | Fault::ContentCoding { .. } => (),
    };
    all.iter().for_each(listed);
    let codes: HashSet<u32> = all.iter().map(|fault| fault.verdict().code).collect();
    assert_eq!(codes, HashSet::from(FAULT_CODES));
    assert!(FAULT_CODES.is_sorted());
    for fault in &all {
        assert!(STATUSES.contains(&fault.verdict().status), "{fault:?}");
    }
}
