//! What a metric is: name, kind, unit, help, and where its numbers come from.
//! Never here: a label set without a bound.

use std::time::Duration;

use crate::core::admission::Resource;
use crate::core::ledger::{Lane, ShardLedger};

/// One metric of the exposition.
pub struct Metric {
    /// Whole name, as in dashboards and alert rules.
    pub name: &'static str,
    pub kind: Kind,
    pub unit: Unit,
    pub help: &'static str,
    pub(super) series: Series,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Count,
    Bytes,
    /// Kept in nanoseconds.
    Seconds,
}

/// What the process knows beside the shards.
#[derive(Clone, Copy, Debug)]
pub struct ProcessFacts {
    pub version: &'static str,
    pub uptime: Duration,
    pub resident_bytes: u64,
    pub open_files: u64,
    pub tls_reloads: u64,
    pub tls_reloads_failed: u64,
    /// Since 1970; zero: no certificate.
    pub tls_expires: Duration,
}

type OfShard = fn(&ShardLedger) -> u64;

/// Where the numbers of a metric come from, which also fixes its labels.
pub(super) enum Series {
    /// One number: the sum over all shards.
    Total(OfShard),
    /// A number per shard, where the spread matters.
    PerShard(OfShard),
    /// The sum over all shards, once per value of a label.
    Split(&'static str, &'static [(&'static str, OfShard)]),
    PerBackend(fn(&Lane) -> u64),
    /// Per route, status class and status.
    Requests,
    /// Per route.
    Durations,
    /// Per route: received and sent.
    RouteBytes,
    /// Per code.
    Faults,
    /// Per reason.
    Closed,
    /// Per shortage and priority.
    Shed,
    /// The sum over all shards, per resource.
    PerResource(fn(&ShardLedger, Resource) -> u64),
    Process(fn(&ProcessFacts) -> u64),
    /// Always 1, with the version as label.
    Build,
}

pub(super) const fn count(name: &'static str, help: &'static str, series: Series) -> Metric {
    Metric { name, kind: Kind::Counter, unit: Unit::Count, help, series }
}

pub(super) const fn gauge(name: &'static str, help: &'static str, series: Series) -> Metric {
    Metric { name, kind: Kind::Gauge, unit: Unit::Count, help, series }
}
