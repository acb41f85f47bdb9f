//! Tidegate: the server behind a WeChat mini-program. `ARCHITECTURE.md` is the map.

pub mod actions;
pub mod backends;
pub mod cli;
pub mod core;
pub mod demo;
pub mod net;
pub mod ops;
pub mod proto;
pub mod shards;
