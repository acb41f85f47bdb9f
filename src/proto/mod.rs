//! Bytes ⇄ types: HTTP/1, PROXY protocol, JSON, WeChat formats.
//! Never here: sockets, clocks, decisions about users.

pub mod http1;
pub mod json;
pub mod proxy;
pub mod reply;
pub mod request;
pub mod wechat;
