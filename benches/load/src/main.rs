//! Measuring the gateway: floor programs, peers, a load generator, and the comparison of all of them.
//! Never here: a link to the gateway. It is started as a child process, as an operator would start it.

mod answer;
mod args;
mod compare;
mod floor;
mod load;
mod peer;
mod sys;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The same allocator as the gateway, so that a peer is not judged by its malloc.
#[global_allocator]
static ALLOC: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(name = "tidegate-load", about, version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Floor: epoll, one recv, one send, no parsing
    FloorEpoll(args::ServerArgs),
    /// Floor: io_uring multishot receive into provided buffers, one send, no parsing
    FloorRing(args::ServerArgs),
    /// Peer: may_minihttp with one worker
    PeerMay(args::ServerArgs),
    /// Peer: hyper on a current-thread tokio
    PeerHyper(args::ServerArgs),
    /// Drive a server with requests and report rates and latencies as one JSON line
    Gen(load::GenArgs),
    /// Hold many idle keep-alive connections
    Idle(load::idle::IdleArgs),
    /// Shake hands with a TLS server, in full or with a ticket, and count
    Handshakes(load::handshakes::HandshakesArgs),
    /// Log distinct users in, many at the same time
    Login(load::login::LoginArgs),
    /// Log users in and write their tokens to a file, one a line
    Tokens(load::tokens::TokensArgs),
    /// Send multiples of what a server can do and see whom it serves
    Overload(load::overload::OverloadArgs),
    /// Run floors, peers and the gateway in turn and print the table
    Compare(compare::CompareArgs),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::FloorEpoll(args) => floor::epoll::serve(&args),
        Command::FloorRing(args) => floor::ring::serve(&args),
        Command::PeerMay(args) => peer::may::serve(&args),
        Command::PeerHyper(args) => peer::hyper::serve(&args),
        Command::Gen(args) => load::run(&args),
        Command::Idle(args) => load::idle::run(&args),
        Command::Handshakes(args) => load::handshakes::run(&args),
        Command::Login(args) => load::login::run(&args),
        Command::Tokens(args) => load::tokens::run(&args),
        Command::Overload(args) => load::overload::run(&args),
        Command::Compare(args) => compare::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tidegate-load: {error}");
            ExitCode::FAILURE
        }
    }
}
