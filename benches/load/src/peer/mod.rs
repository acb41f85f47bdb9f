//! Other servers that answer the same bytes: what a reader knows, beside what he is shown.
//! Never here: tuning against a peer. Each runs as its own documentation recommends, on one core.

pub mod hyper;
pub mod may;
pub mod nginx;
