//! The operator's plane: metrics, health and what else is served on loopback by may_minihttp.
//! Never here: a request of a phone, a shard's own data; pages read what shards publish.

pub mod access_log;
pub mod coroutines;
pub mod events;
pub mod http;
pub mod pages;
