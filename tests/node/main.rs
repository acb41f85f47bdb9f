//! The runtime and HTTP as clients see them: real shards, real sockets; one module a property.
//! Never here: a function tested alone; that is beside the function.

#[path = "../support/mod.rs"]
mod support;

mod bounds;
mod clients_leave;
mod compression;
mod conditional;
mod conformance;
mod cors;
mod cuts;
mod drain;
mod http;
mod isolation;
mod overload;
mod packed_requests;
mod programs;
mod proxy_protocol;
mod refusals;
mod streams;
mod timeouts;
