//! Tidegate: the server behind a WeChat mini-program. `ARCHITECTURE.md` is the map.

pub mod backends;
pub mod core;
pub mod proto;
