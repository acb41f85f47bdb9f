//! Handshakes in the books of a shard, and certificates in those of the process.
//! Never here: a name that a client sent.

use crate::core::ledger::counter::{Counter, Gauge};

/// How handshakes ended.
#[derive(Debug, Default)]
pub struct Tls {
    pub full: Counter,
    /// From a ticket.
    pub resumed: Counter,
    /// One side refused the other.
    pub failed: Counter,
    pub timed_out: Counter,
    /// The client left before the end.
    pub left: Counter,
    /// Something else came, such as HTTP in the clear.
    pub not_tls: Counter,
    /// Closed at once, because the shard had as many handshakes as it may.
    pub refused: Counter,
    pub in_flight: Gauge,
}
