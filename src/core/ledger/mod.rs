//! The books of one shard: what it did, counted where it happens, read by the metrics thread.
//! Never here: a lock, an allocation on the request path, a label that a client can choose.
//!
//! Every request is booked once: [`ShardLedger::request_started`] when its head is complete, [`ShardLedger::record`] when
//! its answer has left or its connection has died.

pub mod access;
pub mod catalogue;
pub mod classes;
pub mod counter;
mod expose;
pub mod histogram;
pub mod metric;
pub mod refusals;
pub mod tls;

use std::time::Duration;

use crate::core::coding::Coding;
use crate::core::fault::Backend;
use crate::core::ids::{RouteId, ShardId};
use crate::core::ledger::classes::{FAULT_CELLS, STATUS_CELLS, fault_cell, status_cell};
use crate::core::ledger::counter::{Counter, Gauge};
use crate::core::ledger::histogram::Histogram;
use crate::core::ledger::refusals::Overloads;
use crate::core::ledger::tls::Tls;

/// Counters of one shard; the shard is the only writer. Aligned, so that no other shard's line is ever written with it.
#[derive(Debug)]
#[repr(align(128))]
pub struct ShardLedger {
    shard: ShardId,
    routes: Box<[RouteRow]>,
    /// Requests whose route is not known: 404, malformed heads.
    unrouted: RouteRow,
    faults: [Counter; FAULT_CELLS],
    started: Counter,
    finished: Counter,
    lanes: [Lane; LANES.len()],
    closed: [Counter; CloseReason::ALL.len()],
    /// Requests that panicked; each is recorded as a 500 besides.
    pub panics: Counter,
    pub access_log_dropped: Counter,
    pub connections: Connections,
    pub proxy_headers: ProxyHeaders,
    pub tls: Tls,
    pub limiter: Limiter,
    pub cache: Cache,
    pub tokens: Tokens,
    pub logins: Logins,
    pub sessions: SessionBooks,
    pub compression: Compression,
    pub turns: Turns,
    pub overloads: Overloads,
}

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    pub route: Option<RouteId>,
    pub status: u16,
    pub fault_code: Option<u32>,
    /// From the complete head to the last byte handed to the kernel.
    pub duration: Duration,
    /// Head and body as received.
    pub bytes_in: u64,
    /// Head and body as sent.
    pub bytes_out: u64,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The client closed between requests.
    ClientClosed,
    /// The client went away within a request, or the network broke.
    Reset,
    /// No request within the idle timeout.
    Idle,
    /// The client took too long to send a request or to take an answer.
    Timeout,
    /// The request was not one that the stream can go on after.
    Fault,
    /// The answer said `connection: close`.
    Finished,
    Draining,
    /// It came when there were as many handshakes as may be.
    Overload,
    Panic,
}

#[derive(Debug, Default)]
pub struct Connections {
    pub opened: Counter,
    /// Closed at once, because the shard had as many as it may.
    pub refused: Counter,
    /// Closed at once, because the address had as many as it may.
    pub refused_address: Counter,
    /// Closed at once, because the process had hardly a descriptor left.
    pub refused_files: Counter,
    /// Given to another shard, the owner of the user it serves; it goes on there and counts as closed by nobody.
    pub moved_out: Counter,
    pub moved_in: Counter,
}

/// How connections began where PROXY headers are expected.
#[derive(Debug, Default)]
pub struct ProxyHeaders {
    /// Believed, version 1.
    pub text: Counter,
    /// Believed, version 2.
    pub binary: Counter,
    /// Served without one, where it is optional.
    pub direct: Counter,
    // All others are closed.
    /// From a network that is not trusted, where a header is required.
    pub untrusted: Counter,
    /// Began with something else, where a header is required.
    pub absent: Counter,
    pub malformed_text: Counter,
    pub malformed_binary: Counter,
    pub checksum: Counter,
    pub too_long: Counter,
    pub timeout: Counter,
}

#[derive(Debug, Default)]
pub struct Limiter {
    pub admitted: Counter,
    pub refused_openid: Counter,
    pub refused_ip: Counter,
    /// Entries that made room for another openid or address.
    pub displaced: Counter,
}

#[derive(Debug, Default)]
pub struct Cache {
    pub hits: Counter,
    pub misses: Counter,
    /// Hits that say "no such row".
    pub negative: Counter,
    pub inserts: Counter,
    pub evictions: Counter,
    pub bytes: Gauge,
    pub entries: Gauge,
}

/// Questions to a backend or, for [`Backend::Owner`], to other shards.
#[derive(Debug, Default)]
pub struct Lane {
    pub asked: Counter,
    pub answered: Counter,
    /// Not asked, because the queue was full.
    pub full: Counter,
    pub timeouts: Counter,
    pub queue: Gauge,
}

#[derive(Debug, Default)]
pub struct Tokens {
    pub remembered: Counter,
    pub verified: Counter,
    pub refused: Counter,
}

#[derive(Debug, Default)]
pub struct Logins {
    pub exchanged: Counter,
    /// Waited for the exchange that another request had begun.
    pub joined: Counter,
    /// Answered from a kept outcome.
    pub repeated: Counter,
    pub failed: Counter,
}

#[derive(Debug, Default)]
pub struct SessionBooks {
    pub open: Gauge,
    /// Ended early to make room.
    pub evicted: Counter,
    /// Closed because a refresh token came twice.
    pub reused: Counter,
}

#[derive(Debug, Default)]
pub struct Compression {
    /// Answers sent compressed, by [`Coding`].
    pub answers: [Counter; Coding::ALL.len()],
    /// Length of those that were compressed whole, and what was sent for it.
    pub bytes_before: Counter,
    pub bytes_after: Counter,
    /// Variants made and kept.
    pub variants: Counter,
    /// Request bodies.
    pub decoded: Counter,
    /// Not in a coding that the route accepts, not whole, or too long.
    pub refused: Counter,
}

#[derive(Debug, Default)]
pub struct Turns {
    pub turns: Counter,
    /// Nanoseconds in which the shard was not parked.
    pub busy_nanos: Counter,
    /// `Tick` of the last turn.
    pub heartbeat_nanos: Gauge,
}

/// Aligned, because the rows of two shards may be neighbours in memory.
#[derive(Debug)]
#[repr(align(128))]
struct RouteRow {
    statuses: [Counter; STATUS_CELLS],
    bytes_in: Counter,
    bytes_out: Counter,
    durations: Histogram,
}

const LANES: [Backend; 3] = [Backend::Database, Backend::Wechat, Backend::Owner];

impl ShardLedger {
    /// `routes`: how many the configuration has.
    #[must_use]
    pub fn new(shard: ShardId, routes: usize) -> Self {
        Self {
            shard,
            routes: (0..routes).map(|_| RouteRow::new()).collect(),
            unrouted: RouteRow::new(),
            faults: [const { Counter::zero() }; FAULT_CELLS],
            started: Counter::zero(),
            finished: Counter::zero(),
            lanes: Default::default(),
            closed: Default::default(),
            panics: Counter::zero(),
            access_log_dropped: Counter::zero(),
            connections: Connections::default(),
            proxy_headers: ProxyHeaders::default(),
            tls: Tls::default(),
            limiter: Limiter::default(),
            cache: Cache::default(),
            tokens: Tokens::default(),
            logins: Logins::default(),
            sessions: SessionBooks::default(),
            compression: Compression::default(),
            turns: Turns::default(),
            overloads: Overloads::default(),
        }
    }

    /// A request is in flight from now on, until it is recorded.
    #[inline]
    pub fn request_started(&self) {
        self.started.one();
    }

    /// Books a request: exactly once each, whatever became of it.
    #[inline]
    pub fn record(&self, outcome: &Outcome) {
        let known = outcome.route.and_then(|RouteId(index)| self.routes.get(usize::from(index)));
        let row = known.unwrap_or(&self.unrouted);
        row.statuses[status_cell(outcome.status)].one();
        row.bytes_in.add(outcome.bytes_in);
        row.bytes_out.add(outcome.bytes_out);
        row.durations.record(outcome.duration);
        if let Some(code) = outcome.fault_code {
            self.faults[fault_cell(code)].one();
        }
        self.finished.one();
        debug_assert!(self.finished.get() <= self.started.get(), "a request is recorded once, after it started");
    }

    pub fn connection_closed(&self, reason: CloseReason) {
        self.closed[reason as usize].one();
    }

    #[must_use]
    pub const fn lane(&self, backend: Backend) -> &Lane {
        match backend {
            Backend::Database => &self.lanes[0],
            Backend::Wechat => &self.lanes[1],
            Backend::Owner => &self.lanes[2],
        }
    }

    #[must_use]
    pub const fn shard(&self) -> ShardId {
        self.shard
    }

    /// Requests so far, those in flight included.
    #[must_use]
    pub fn requests_begun(&self) -> u64 {
        self.started.get()
    }

    #[must_use]
    pub fn requests_in_flight(&self) -> u64 {
        // Read in this order, so that a request recorded in between cannot make the difference negative.
        let finished = self.finished.get();
        self.started.get().saturating_sub(finished)
    }

    #[must_use]
    pub fn connections_closed(&self, reason: CloseReason) -> u64 {
        self.closed[reason as usize].get()
    }

    #[must_use]
    pub fn connections_open(&self) -> u64 {
        let gone = self.connections.moved_out.get() + self.closed.iter().map(Counter::get).sum::<u64>();
        (self.connections.opened.get() + self.connections.moved_in.get()).saturating_sub(gone)
    }

    /// The route's row, or that of requests without one.
    fn row(&self, route: Option<usize>) -> Option<&RouteRow> {
        route.map_or(Some(&self.unrouted), |index| self.routes.get(index))
    }
}

impl CloseReason {
    pub const ALL: [Self; 9] = [
        Self::ClientClosed,
        Self::Reset,
        Self::Idle,
        Self::Timeout,
        Self::Fault,
        Self::Finished,
        Self::Draining,
        Self::Overload,
        Self::Panic,
    ];

    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::ClientClosed => "client_closed",
            Self::Reset => "reset",
            Self::Idle => "idle",
            Self::Timeout => "timeout",
            Self::Fault => "fault",
            Self::Finished => "finished",
            Self::Draining => "draining",
            Self::Overload => "overload",
            Self::Panic => "panic",
        }
    }
}

impl RouteRow {
    fn new() -> Self {
        Self {
            statuses: [const { Counter::zero() }; STATUS_CELLS],
            bytes_in: Counter::zero(),
            bytes_out: Counter::zero(),
            durations: Histogram::default(),
        }
    }
}

#[cfg(test)]
mod tests;
