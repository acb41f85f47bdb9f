//! Numbers to Prometheus text: one method per shape of label set.
//! Never here: which metrics exist; that is the catalogue's.

use std::fmt::{Display, Write};
use std::sync::Arc;

use crate::core::admission::{Priority, Resource};
use crate::core::fault::Backend;
use crate::core::ledger::classes::{FAULT_CELLS, FAULT_CODES, STATUS_CELLS, status_labels};
use crate::core::ledger::histogram::{BOUNDED_BUCKETS, Snapshot, bound_nanos};
use crate::core::ledger::metric::{Kind, Metric, ProcessFacts, Series, Unit};
use crate::core::ledger::refusals::Short;
use crate::core::ledger::{CloseReason, LANES, RouteRow, ShardLedger};

/// Every second bucket of ours is a bucket there: 53 lines a route, each at most 50 % above the one before.
const EXPOSED_STEP: usize = 2;

pub(super) struct Exposition<'a> {
    shards: &'a [Arc<ShardLedger>],
    routes: &'a [String],
    facts: ProcessFacts,
    out: &'a mut String,
}

/// `key="value"` pairs of one series.
type Labels<'a> = [(&'static str, &'a dyn Display)];

impl<'a> Exposition<'a> {
    pub(super) fn new(
        shards: &'a [Arc<ShardLedger>],
        routes: &'a [String],
        facts: ProcessFacts,
        out: &'a mut String,
    ) -> Self {
        Self { shards, routes, facts, out }
    }

    pub(super) fn metric(&mut self, metric: &Metric) {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let _ = writeln!(self.out, "# HELP {} {}", metric.name, metric.help);
        let _ = writeln!(self.out, "# TYPE {} {kind}", metric.name);
        match &metric.series {
            Series::Total(of) => self.sample(metric, &[], self.total(of)),
            Series::PerShard(of) => self.per_shard(metric, of),
            Series::Split(label, parts) => {
                for (value, of) in *parts {
                    self.sample(metric, &[(label, value)], self.total(of));
                }
            }
            Series::PerBackend(of) => {
                for backend in LANES {
                    let sum = self.total(|shard| of(shard.lane(backend)));
                    self.sample(metric, &[("backend", &backend_label(backend))], sum);
                }
            }
            Series::Requests => self.per_route(|this, route, label| this.requests(metric, route, label)),
            Series::Durations => self.per_route(|this, route, label| this.durations(metric, route, label)),
            Series::RouteBytes => self.per_route(|this, route, label| this.route_bytes(metric, route, label)),
            Series::Faults => self.faults(metric),
            Series::Closed => {
                for reason in CloseReason::ALL {
                    let sum = self.total(|shard| shard.connections_closed(reason));
                    self.sample(metric, &[("reason", &reason.label())], sum);
                }
            }
            Series::Shed => self.shed(metric),
            Series::PerResource(of) => {
                for resource in Resource::ALL {
                    self.sample(metric, &[("backend", &resource.name())], self.total(|shard| of(shard, resource)));
                }
            }
            Series::Process(of) => self.sample(metric, &[], of(&self.facts)),
            Series::Build => {
                let version = self.facts.version;
                self.sample(metric, &[("version", &version)], 1);
            }
        }
    }

    fn per_shard(&mut self, metric: &Metric, of: &dyn Fn(&ShardLedger) -> u64) {
        for shard in self.shards {
            self.sample(metric, &[("shard", &shard.shard().0)], of(shard));
        }
    }

    fn per_route(&mut self, mut each: impl FnMut(&mut Self, Option<usize>, &str)) {
        for (index, label) in self.routes.iter().enumerate() {
            each(self, Some(index), label);
        }
        each(self, None, "none");
    }

    fn requests(&mut self, metric: &Metric, route: Option<usize>, label: &str) {
        for cell in 0..STATUS_CELLS {
            let sum: u64 = self.rows(route).map(|row| row.statuses[cell].get()).sum();
            if sum == 0 {
                continue;
            }
            let (class, status) = status_labels(cell);
            let status: &dyn Display = if let Some(status) = &status { status } else { &"other" };
            self.sample(metric, &[("route", &label), ("class", &class), ("status", status)], sum);
        }
    }

    fn durations(&mut self, metric: &Metric, route: Option<usize>, label: &str) {
        let mut merged = Snapshot::default();
        self.rows(route).for_each(|row| merged.merge(&row.durations));
        let count = merged.count();
        if count == 0 {
            return;
        }
        let mut seen = 0;
        for (index, bucket) in merged.buckets.iter().take(BOUNDED_BUCKETS).enumerate() {
            seen += bucket;
            if index % EXPOSED_STEP == 0 {
                self.line((metric.name, "_bucket"), &[("route", &label), ("le", &Seconds(bound_nanos(index)))], &seen);
            }
        }
        self.line((metric.name, "_bucket"), &[("route", &label), ("le", &"+Inf")], &count);
        self.line((metric.name, "_sum"), &[("route", &label)], &Seconds(merged.sum_nanos));
        self.line((metric.name, "_count"), &[("route", &label)], &count);
    }

    fn route_bytes(&mut self, metric: &Metric, route: Option<usize>, label: &str) {
        let (received, sent) = self
            .rows(route)
            .fold((0, 0), |(received, sent), row| (received + row.bytes_in.get(), sent + row.bytes_out.get()));
        if received + sent > 0 {
            self.sample(metric, &[("route", &label), ("direction", &"received")], received);
            self.sample(metric, &[("route", &label), ("direction", &"sent")], sent);
        }
    }

    fn faults(&mut self, metric: &Metric) {
        for cell in 0..FAULT_CELLS {
            let sum = self.total(|shard| shard.faults[cell].get());
            let code: &dyn Display = if let Some(code) = FAULT_CODES.get(cell) { code } else { &"other" };
            if sum > 0 {
                self.sample(metric, &[("code", code)], sum);
            }
        }
    }

    fn shed(&mut self, metric: &Metric) {
        for short in Short::ALL {
            for priority in Priority::ALL {
                let sum = self.total(|shard| shard.overloads.shed_so_far(short, priority));
                self.sample(metric, &[("short", &short.label()), ("priority", &priority.name())], sum);
            }
        }
    }

    fn rows(&self, route: Option<usize>) -> impl Iterator<Item = &'a RouteRow> {
        self.shards.iter().filter_map(move |shard| shard.row(route))
    }

    fn total(&self, of: impl Fn(&ShardLedger) -> u64) -> u64 {
        self.shards.iter().map(|shard| of(shard)).sum()
    }

    fn sample(&mut self, metric: &Metric, labels: &Labels<'_>, value: u64) {
        match metric.unit {
            Unit::Count | Unit::Bytes => self.line((metric.name, ""), labels, &value),
            Unit::Seconds => self.line((metric.name, ""), labels, &Seconds(value)),
        }
    }

    /// Writing to a `String` cannot fail.
    fn line(&mut self, (name, suffix): (&str, &str), labels: &Labels<'_>, value: &dyn Display) {
        self.out.push_str(name);
        self.out.push_str(suffix);
        for (index, (key, label)) in labels.iter().enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            let _ = write!(self.out, "{open}{key}=\"");
            let _ = write!(Escaped(self.out), "{label}");
            self.out.push('"');
        }
        let _ = writeln!(self.out, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

/// Nanoseconds, printed as seconds without loss and without an exponent.
struct Seconds(u64);

impl Display for Seconds {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const NANOS: u64 = 1_000_000_000;
        write!(out, "{}.{:09}", self.0 / NANOS, self.0 % NANOS)
    }
}

/// Escapes a label value: backslash, quote and line feed, as the exposition format asks.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for char in text.chars() {
            match char {
                '\\' => self.0.push_str("\\\\"),
                '"' => self.0.push_str("\\\""),
                '\n' => self.0.push_str("\\n"),
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}

const fn backend_label(backend: Backend) -> &'static str {
    match backend {
        Backend::Database => "database",
        Backend::Wechat => "wechat",
        Backend::Owner => "owner",
    }
}
