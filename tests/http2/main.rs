//! HTTP/2 as clients see it, frame by frame: real shards, real sockets; one module a property.
//! Never here: a function tested alone; that is beside the function.

#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod deadlines;
mod drain;
mod errors;
mod floods;
mod moves;
mod peer;
mod requests;
mod tls;
mod windows;
