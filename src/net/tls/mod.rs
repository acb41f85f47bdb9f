//! TLS on our own streams: rustls opens and seals records, we move the bytes.
//! Never here: a buffer that an idle connection keeps, a file read on a shard, HTTP.

mod certificates;
mod clients;
mod files;
pub mod handshake;
pub mod identity;
pub mod keeper;
mod names;
mod session;
pub mod stream;
mod tickets;
mod watch;

pub(super) use session::Scratch;
pub use session::Session;

#[cfg(test)]
mod tests;
