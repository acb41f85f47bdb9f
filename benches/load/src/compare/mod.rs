//! `compare`: floors, peers and the gateway in turn on one CPU, the generator on another, and one table for each workload.
//! Never here: a build, a number that is not measured in this very run, a process that outlives the command.

mod contender;
mod gateway;
mod generator;
mod idle;
mod login;
mod machine;
mod one_shard;
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
use self::one_shard::Reading;
use self::workbench::Workbench;
use crate::args::duration;
use crate::load::template::HeaderSet;

#[derive(Args)]
pub struct CompareArgs {
    /// The gateway's program; default: tidegate beside this one
    #[arg(long)]
    gateway: Option<PathBuf>,
    /// Servers in the order of each round; the first is what the others are divided by
    #[arg(long, value_enum, value_delimiter = ',', default_value = "floor-ring,floor-epoll,gateway,nginx,hyper,may")]
    servers: Vec<Contender>,
    #[arg(long, value_enum, value_delimiter = ',', default_value = "ping,product,mixed,idle,login")]
    workloads: Vec<WorkloadName>,
    /// Each server is measured so many times; the table shows medians
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=99))]
    rounds: u16,
    /// Length of one measurement
    #[arg(long, value_parser = duration, default_value = "5s")]
    duration: Duration,
    /// Keep-alive connections of the ping, product and mixed workloads
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
}

/// Runs the workloads and prints the tables.
pub fn run(args: &CompareArgs) -> io::Result<()> {
    let bench = Workbench::new(args)?;
    println!("{}", machine::describe());
    for workload in &args.workloads {
        let text = match workload {
            WorkloadName::Ping => one_shard::run(&bench, &Reading::PING)?,
            WorkloadName::Product => one_shard::run(&bench, &Reading::PRODUCT)?,
            WorkloadName::Mixed => two_shards::run(&bench)?,
            WorkloadName::Idle => idle::run(&bench)?,
            WorkloadName::Login => login::run(&bench)?,
        };
        println!("{text}");
    }
    println!("{}", machine::load_average());
    Ok(())
}
