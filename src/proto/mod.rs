//! Bytes ⇄ types: HTTP/1, HTTP/2, JSON, WeChat formats.
//! Never here: sockets, clocks, decisions about users.

pub mod fields;
pub mod http1;
pub mod http2;
pub mod json;
pub mod reply;
pub mod request;
pub mod wechat;
