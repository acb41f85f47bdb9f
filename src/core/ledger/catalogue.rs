//! Every metric the gateway has, in one table: name, kind, unit, help, and where its numbers come from.
//! Never here: a metric that is computed elsewhere; a label set without a bound.

use std::fmt::Write;
use std::sync::Arc;

use crate::core::coding::Coding;
use crate::core::config::checked::Route;
use crate::core::ledger::ShardLedger;
use crate::core::ledger::expose::Exposition;
use crate::core::ledger::metric::{Kind, Metric, ProcessFacts, Series, Unit, count, gauge};

pub static CATALOGUE: &[Metric] = &[
    count("tidegate_requests_total", "Requests answered, by route and status.", Series::Requests),
    Metric {
        name: "tidegate_request_duration_seconds",
        kind: Kind::Histogram,
        unit: Unit::Seconds,
        help: "From the complete request head to the last byte of the answer.",
        series: Series::Durations,
    },
    Metric {
        name: "tidegate_http_bytes_total",
        kind: Kind::Counter,
        unit: Unit::Bytes,
        help: "Bytes of requests received and answers sent, by route.",
        series: Series::RouteBytes,
    },
    gauge(
        "tidegate_requests_in_flight",
        "Requests being worked on.",
        Series::PerShard(ShardLedger::requests_in_flight),
    ),
    count("tidegate_faults_total", "Requests that got no answer of their action, by fault code.", Series::Faults),
    count("tidegate_panics_total", "Requests that panicked and were answered 500.", Series::Total(|l| l.panics.get())),
    count(
        "tidegate_connections_opened_total",
        "Connections accepted.",
        Series::PerShard(|l| l.connections.opened.get()),
    ),
    gauge("tidegate_connections_open", "Connections open.", Series::PerShard(ShardLedger::connections_open)),
    count(
        "tidegate_connections_refused_total",
        "Connections closed at once, by the bound: of the shard, of the client's address, of the process's descriptors.",
        Series::Split(
            "bound",
            &[
                ("shard", |l| l.connections.refused.get()),
                ("address", |l| l.connections.refused_address.get()),
                ("files", |l| l.connections.refused_files.get()),
            ],
        ),
    ),
    count(
        "tidegate_connections_moved_total",
        "Connections moved to the owner shard of their user.",
        Series::Total(|l| l.connections.moved_in.get()),
    ),
    count(
        "tidegate_proxy_headers_total",
        "Connections by how their PROXY header was taken; only text, binary and direct are served.",
        Series::Split(
            "result",
            &[
                ("text", |l| l.proxy_headers.text.get()),
                ("binary", |l| l.proxy_headers.binary.get()),
                ("direct", |l| l.proxy_headers.direct.get()),
                ("untrusted", |l| l.proxy_headers.untrusted.get()),
                ("absent", |l| l.proxy_headers.absent.get()),
                ("malformed_text", |l| l.proxy_headers.malformed_text.get()),
                ("malformed_binary", |l| l.proxy_headers.malformed_binary.get()),
                ("checksum", |l| l.proxy_headers.checksum.get()),
                ("too_long", |l| l.proxy_headers.too_long.get()),
                ("timeout", |l| l.proxy_headers.timeout.get()),
            ],
        ),
    ),
    count("tidegate_connections_closed_total", "Connections closed, by reason.", Series::Closed),
    count(
        "tidegate_tls_handshakes_total",
        "TLS handshakes, by outcome.",
        Series::Split(
            "outcome",
            &[
                ("full", |l| l.tls.full.get()),
                ("resumed", |l| l.tls.resumed.get()),
                ("failed", |l| l.tls.failed.get()),
                ("timeout", |l| l.tls.timed_out.get()),
                ("left", |l| l.tls.left.get()),
                ("not_tls", |l| l.tls.not_tls.get()),
                ("refused", |l| l.tls.refused.get()),
            ],
        ),
    ),
    gauge("tidegate_tls_handshakes_in_flight", "TLS handshakes begun.", Series::PerShard(|l| l.tls.in_flight.get())),
    count(
        "tidegate_tls_reloads_total",
        "Times that changed certificates were taken over.",
        Series::Process(|facts| facts.tls_reloads),
    ),
    count(
        "tidegate_tls_reloads_failed_total",
        "Times that changed certificates could not be used; those before stay.",
        Series::Process(|facts| facts.tls_reloads_failed),
    ),
    Metric {
        name: "tidegate_tls_certificate_expires_seconds",
        kind: Kind::Gauge,
        unit: Unit::Seconds,
        help: "Unix time at which the first of the certificates ends; 0 without TLS.",
        series: Series::Process(|facts| u64::try_from(facts.tls_expires.as_nanos()).unwrap_or(u64::MAX)),
    },
    count(
        "tidegate_shed_total",
        "Requests refused so that others are served in time, by what was short and by priority.",
        Series::Shed,
    ),
    count(
        "tidegate_abandoned_total",
        "Questions of other shards that were not begun, because nobody waited for the answer any more.",
        Series::Total(|l| l.overloads.abandoned.get()),
    ),
    gauge(
        "tidegate_concurrency_limit",
        "Requests that may wait for a backend at a time.",
        Series::PerResource(|l, resource| l.overloads.limits[resource as usize].get()),
    ),
    gauge(
        "tidegate_concurrency_waiting",
        "Requests that wait for a backend.",
        Series::PerResource(|l, resource| l.overloads.waiting[resource as usize].get()),
    ),
    Metric {
        name: "tidegate_shard_lag_seconds",
        kind: Kind::Gauge,
        unit: Unit::Seconds,
        help: "Longest wait of what was ready for its shard's turn in the last second; zero while the shard rests.",
        series: Series::PerShard(|l| l.overloads.lag_nanos.get()),
    },
    count(
        "tidegate_limiter_decisions_total",
        "Decisions of the rate limiter.",
        Series::Split(
            "decision",
            &[
                ("admitted", |l| l.limiter.admitted.get()),
                ("refused_openid", |l| l.limiter.refused_openid.get()),
                ("refused_ip", |l| l.limiter.refused_ip.get()),
            ],
        ),
    ),
    count(
        "tidegate_limiter_displaced_total",
        "Limiter entries that made room for another openid or address.",
        Series::Total(|l| l.limiter.displaced.get()),
    ),
    count(
        "tidegate_cache_lookups_total",
        "Cache lookups, by result; negative is a remembered absence.",
        Series::Split(
            "result",
            &[
                ("hit", |l| l.cache.hits.get()),
                ("miss", |l| l.cache.misses.get()),
                ("negative", |l| l.cache.negative.get()),
            ],
        ),
    ),
    count("tidegate_cache_inserts_total", "Cache entries made.", Series::Total(|l| l.cache.inserts.get())),
    count(
        "tidegate_cache_evictions_total",
        "Cache entries dropped to make room.",
        Series::Total(|l| l.cache.evictions.get()),
    ),
    Metric {
        name: "tidegate_cache_size_bytes",
        kind: Kind::Gauge,
        unit: Unit::Bytes,
        help: "Bytes held by the cache.",
        series: Series::PerShard(|l| l.cache.bytes.get()),
    },
    gauge("tidegate_cache_entries", "Entries held by the cache.", Series::PerShard(|l| l.cache.entries.get())),
    count(
        "tidegate_backend_asked_total",
        "Questions to a backend; owner is the user's owner shard.",
        Series::PerBackend(|lane| lane.asked.get()),
    ),
    count("tidegate_backend_answered_total", "Answers of a backend.", Series::PerBackend(|lane| lane.answered.get())),
    count(
        "tidegate_backend_full_total",
        "Questions not asked, because the queue to the backend was full.",
        Series::PerBackend(|lane| lane.full.get()),
    ),
    count(
        "tidegate_backend_timeouts_total",
        "Questions without an answer in time.",
        Series::PerBackend(|lane| lane.timeouts.get()),
    ),
    gauge("tidegate_backend_queue", "Questions that wait in the queue.", Series::PerBackend(|lane| lane.queue.get())),
    count(
        "tidegate_tokens_total",
        "Access tokens presented: known from memory, verified by signature, refused.",
        Series::Split(
            "result",
            &[
                ("remembered", |l| l.tokens.remembered.get()),
                ("verified", |l| l.tokens.verified.get()),
                ("refused", |l| l.tokens.refused.get()),
            ],
        ),
    ),
    count(
        "tidegate_logins_total",
        "Logins: code exchanged at WeChat, joined a running exchange, repeated from memory, failed.",
        Series::Split(
            "result",
            &[
                ("exchanged", |l| l.logins.exchanged.get()),
                ("joined", |l| l.logins.joined.get()),
                ("repeated", |l| l.logins.repeated.get()),
                ("failed", |l| l.logins.failed.get()),
            ],
        ),
    ),
    gauge("tidegate_sessions_open", "Sessions held.", Series::Total(|l| l.sessions.open.get())),
    count(
        "tidegate_sessions_evicted_total",
        "Sessions ended early to make room for another.",
        Series::Total(|l| l.sessions.evicted.get()),
    ),
    count(
        "tidegate_sessions_reused_total",
        "Sessions closed because a refresh token came twice.",
        Series::Total(|l| l.sessions.reused.get()),
    ),
    count(
        "tidegate_compressed_answers_total",
        "Answers sent compressed, by content coding.",
        Series::Split(
            "coding",
            &[
                (Coding::Br.name(), |l| l.compression.answers[Coding::Br as usize].get()),
                (Coding::Zstd.name(), |l| l.compression.answers[Coding::Zstd as usize].get()),
                (Coding::Gzip.name(), |l| l.compression.answers[Coding::Gzip as usize].get()),
            ],
        ),
    ),
    Metric {
        name: "tidegate_compression_bytes_total",
        kind: Kind::Counter,
        unit: Unit::Bytes,
        help: "Length of the bodies sent compressed before and after it; those sent in pieces are left out.",
        series: Series::Split(
            "length",
            &[("before", |l| l.compression.bytes_before.get()), ("after", |l| l.compression.bytes_after.get())],
        ),
    },
    count(
        "tidegate_compression_variants_total",
        "Compressed variants made and kept with a cached answer.",
        Series::Total(|l| l.compression.variants.get()),
    ),
    count(
        "tidegate_request_decodings_total",
        "Compressed request bodies: decoded, and refused because of their coding, damage or length.",
        Series::Split(
            "result",
            &[("decoded", |l| l.compression.decoded.get()), ("refused", |l| l.compression.refused.get())],
        ),
    ),
    count("tidegate_shard_turns_total", "Turns of the shard's driver.", Series::PerShard(|l| l.turns.turns.get())),
    Metric {
        name: "tidegate_shard_busy_seconds_total",
        kind: Kind::Counter,
        unit: Unit::Seconds,
        help: "Time in which the shard was not parked; its rate is the load of the core.",
        series: Series::PerShard(|l| l.turns.busy_nanos.get()),
    },
    Metric {
        name: "tidegate_shard_heartbeat_seconds",
        kind: Kind::Gauge,
        unit: Unit::Seconds,
        help: "Process uptime at the shard's last turn; far behind tidegate_uptime_seconds means a stuck shard.",
        series: Series::PerShard(|l| l.turns.heartbeat_nanos.get()),
    },
    count(
        "tidegate_access_log_dropped_total",
        "Lines of the access log dropped, because its writer was behind.",
        Series::Total(|l| l.access_log_dropped.get()),
    ),
    Metric {
        name: "tidegate_uptime_seconds",
        kind: Kind::Gauge,
        unit: Unit::Seconds,
        help: "Since the process started.",
        series: Series::Process(|facts| u64::try_from(facts.uptime.as_nanos()).unwrap_or(u64::MAX)),
    },
    Metric {
        name: "tidegate_resident_memory_bytes",
        kind: Kind::Gauge,
        unit: Unit::Bytes,
        help: "Memory of the process in RAM.",
        series: Series::Process(|facts| facts.resident_bytes),
    },
    gauge("tidegate_open_files", "File descriptors open.", Series::Process(|facts| facts.open_files)),
    gauge("tidegate_build_info", "Always 1; the label tells the version.", Series::Build),
];

/// Label of a route in metrics and logs: `GET /api/v1/products/{id}`. Unique, because the checker lets no two routes share
/// a method and a path.
#[must_use]
pub fn route_label(route: &Route) -> String {
    let mut label = String::new();
    for method in &route.methods {
        let comma = if label.is_empty() { "" } else { "," };
        let _ = write!(label, "{comma}{}", method.as_str());
    }
    label + " " + &route.path
}

/// The whole catalogue as Prometheus text (exposition format 0.0.4), appended to `out`. `routes`: the [`route_label`] of
/// each route, in order. Requests without a route have the label `none`. Series of routes that were never asked are left
/// out, as are statuses and fault codes that never occurred.
pub fn render(shards: &[Arc<ShardLedger>], routes: &[String], facts: ProcessFacts, out: &mut String) {
    let mut exposition = Exposition::new(shards, routes, facts, out);
    for metric in CATALOGUE {
        exposition.metric(metric);
    }
}
