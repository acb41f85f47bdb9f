//! HTTP/2 as clients see it, frame by frame: real shards, real sockets; one module a property.
//! Never here: a function tested alone; that is beside the function.

#[path = "../support/mod.rs"]
mod support;

mod balanced;
mod bodies;
mod cuts;
mod deadlines;
mod drain;
mod errors;
mod floods;
mod garbage;
mod moves;
mod peer;
mod requests;
mod session;
mod tls;
mod windows;
