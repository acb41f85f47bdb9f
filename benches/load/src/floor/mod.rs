//! The floors: the least that a server can do on this kernel for a request and an answer of these sizes.
//! Never here: parsing, headers, decisions. What they leave out is what the gateway is judged for.

mod buf_ring;
mod conns;
pub mod epoll;
mod head_ends;
pub mod ring;
