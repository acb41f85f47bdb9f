//! The shard's driver: one io_uring that moves the bytes of its sockets, the tasks that wait for them, timers, wake-ups.
//! Never here: paths, JSON, users.

pub mod bufs;
pub mod clock;
pub mod doorbell;
pub mod driver;
pub mod entropy;
pub mod files;
mod lag;
pub mod listener;
mod park;
pub mod probe;
mod receive;
mod ring;
mod slots;
pub mod sockets;
pub mod stream;
pub mod tasks;
mod timers;
pub mod tls;
pub mod transport;

#[cfg(test)]
mod tests;
