//! A shard's life: where it runs, its desk, the pipeline from request to reply, mail between shards, drain.
//! Never here: SQL, JSON fields, what a route means.

mod accept;
mod answers;
mod booking;
mod connection;
pub mod control;
mod cors;
pub mod door;
mod finish;
mod guard;
mod handshake;
mod incoming;
mod life;
mod mesh;
mod migrate;
pub mod node;
pub mod opening;
mod pipeline;
pub mod plan;
mod proxy_header;
mod redirect;
mod represent;
mod room;
mod seat;
mod shard;
mod stage;
