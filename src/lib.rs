//! Tidegate: the server behind a WeChat mini-program. `ARCHITECTURE.md` is the map.

pub mod core;
pub mod net;
pub mod proto;
