//! What the shop's users and operator are promised, asked over real sockets of real shards with a simulated WeChat and SQLite.
//! Never here: how a promise is kept.

mod cache;
mod limits;
mod login;
mod model;
mod moves;
mod orders;
mod program;
mod sessions;
mod shop;
mod support;
mod tokens;
