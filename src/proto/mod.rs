//! Bytes ⇄ types: HTTP/1, HTTP/2, PROXY protocol, content codings, JSON, WeChat formats.
//! Never here: sockets, clocks, decisions about users.

pub mod compress;
pub mod http1;
pub mod http2;
pub mod json;
pub mod proxy;
pub mod reply;
pub mod request;
pub mod variants;
pub mod wechat;
pub mod wishes;
