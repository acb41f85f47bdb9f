//! Decisions: configuration, bounds, identities, faults, routes, tokens, limits, caches, the ledger.
//! Never here: I/O, clocks, runtimes. Time is an argument.

pub mod bounds;
pub mod config;
pub mod fault;
pub mod ids;
pub mod method;
pub mod routes;
pub mod time;
