//! Bytes ⇄ types: HTTP/1, JSON, WeChat formats.
//! Never here: sockets, clocks, decisions about users.

pub mod http1;
pub mod reply;
pub mod request;
