//! Decisions: configuration, bounds, identities, faults, routes, tokens, limits, caches, the ledger.
//! Never here: I/O, clocks, runtimes. Time is an argument.

pub mod admission;
pub mod bounds;
pub mod cache;
pub mod coding;
pub mod config;
pub mod cors;
pub mod fault;
pub mod flight;
pub mod flood;
pub mod hash;
pub mod ids;
pub mod jitter;
pub mod ledger;
pub mod limit;
pub mod login_codes;
pub mod mask;
pub mod method;
pub mod network;
pub mod owner;
pub mod pace;
pub mod per_turn;
pub mod routes;
pub mod session;
pub mod time;
pub mod token;
