//! `compare`: floors, peers and the gateway in turn on one CPU, the generator on another, and one table for each workload.
//! Never here: a build, a number that is not measured in this very run, a process that outlives the command.

mod compressed;
mod contender;
mod gateway;
mod generator;
mod h2load;
mod handshakes;
mod idle;
mod login;
mod machine;
mod one_shard;
mod over_tls;
mod rounds;
mod sample;
mod server;
mod strace;
mod table;
mod two_shards;
mod workbench;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use self::contender::Contender;
use self::idle::Silence;
use self::one_shard::Reading;
use self::over_tls::Dress;
use self::workbench::Workbench;
use crate::args::duration;
use crate::load::template::HeaderSet;
use crate::sys;

const SERVERS: &str = "floor-ring,floor-epoll,gateway,nginx,haproxy,h2o,nghttpd,hyper,may";
const WORKLOADS: &str = "ping,product,mixed,idle,login,tls,h2-many,h2-one,handshakes,gzip,idle-tls,idle-h2";

#[derive(Args)]
pub struct CompareArgs {
    /// The gateway's program; default: tidegate beside this one
    #[arg(long)]
    gateway: Option<PathBuf>,
    /// Servers in the order of each round; the first is what the others are divided by
    #[arg(long, value_enum, value_delimiter = ',', default_value = SERVERS)]
    servers: Vec<Contender>,
    #[arg(long, value_enum, value_delimiter = ',', default_value = WORKLOADS)]
    workloads: Vec<WorkloadName>,
    /// Each server is measured so many times; the table shows medians
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=99))]
    rounds: u16,
    /// Length of one measurement
    #[arg(long, value_parser = duration, default_value = "5s")]
    duration: Duration,
    /// Keep-alive connections of the ping, product, mixed, tls and gzip workloads
    #[arg(long, default_value_t = 128)]
    connections: usize,
    /// Users whose tokens are used in turn
    #[arg(long, default_value_t = 1000)]
    users: u64,
    /// Header fields of the requests
    #[arg(long, value_enum, default_value_t = HeaderSet::Minimal)]
    headers: HeaderSet,
    /// Connections of the idle workload
    #[arg(long, default_value_t = 10_000)]
    idle_connections: usize,
    /// How long they are held
    #[arg(long, value_parser = duration, default_value = "10s")]
    idle_hold: Duration,
    /// Logins in all, and in flight
    #[arg(long, default_value_t = 20_000)]
    logins: u64,
    #[arg(long, default_value_t = 2000)]
    login_concurrency: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum WorkloadName {
    /// W0: 27 bytes, no token
    Ping,
    /// W1: 1 KB from the cache for 1,000 users, one user per connection
    Product,
    /// W5: two shards, users mixed on every connection, beside the same with one user per connection
    Mixed,
    /// Ten thousand silent connections
    Idle,
    /// Two thousand logins in flight, WeChat answering after 50 ms
    Login,
    /// W1 over TLS 1.3, keep-alive
    Tls,
    /// W1 over HTTP/2, 32 connections × 16 streams
    H2Many,
    /// W1 over HTTP/2, 128 connections × 1 stream
    H2One,
    /// TLS handshakes, full and resumed
    Handshakes,
    /// A list of 9 KB in several codings
    Gzip,
    /// Ten thousand silent connections over TLS
    IdleTls,
    /// Ten thousand silent connections that speak HTTP/2
    IdleH2,
}

impl CompareArgs {
    fn needs_tls(&self) -> bool {
        self.workloads.iter().any(|workload| match workload {
            WorkloadName::Tls | WorkloadName::H2Many | WorkloadName::H2One => true,
            WorkloadName::Handshakes | WorkloadName::IdleTls | WorkloadName::IdleH2 => true,
            WorkloadName::Ping | WorkloadName::Product | WorkloadName::Mixed => false,
            WorkloadName::Idle | WorkloadName::Login | WorkloadName::Gzip => false,
        })
    }
}

/// Runs the workloads and prints the tables.
pub fn run(args: &CompareArgs) -> io::Result<()> {
    // Servers inherit it, and ten thousand connections need as many files.
    sys::process::lift_file_limit()?;
    let bench = Workbench::new(args)?;
    println!("{}", machine::describe());
    for workload in &args.workloads {
        let text = match workload {
            WorkloadName::Ping => one_shard::run(&bench, &Reading::PING)?,
            WorkloadName::Product => one_shard::run(&bench, &Reading::PRODUCT)?,
            WorkloadName::Mixed => two_shards::run(&bench)?,
            WorkloadName::Idle => idle::run(&bench, Silence::PLAIN)?,
            WorkloadName::Login => login::run(&bench)?,
            WorkloadName::Tls => over_tls::run(&bench, &Dress::TLS)?,
            WorkloadName::H2Many => over_tls::run(&bench, &Dress::H2_MANY)?,
            WorkloadName::H2One => over_tls::run(&bench, &Dress::H2_ONE)?,
            WorkloadName::Handshakes => handshakes::run(&bench)?,
            WorkloadName::Gzip => compressed::run(&bench)?,
            WorkloadName::IdleTls => idle::run(&bench, Silence::TLS)?,
            WorkloadName::IdleH2 => idle::run(&bench, Silence::H2)?,
        };
        println!("{text}");
    }
    println!("{}", machine::load_average());
    Ok(())
}
