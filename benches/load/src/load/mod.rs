//! The load generator: `gen` and what the other generating commands share.
//! Never here: a target that is not on this machine, see `args::Target`.

mod conn;
mod engine;
mod h2;
pub mod handshakes;
pub mod idle;
pub mod login;
pub mod overload;
pub mod report;
pub mod response;
mod schedule;
pub mod template;
mod tls;
pub mod tokens;
mod wire;
pub mod workload;

use std::io::{self, Error, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use self::engine::{Pace, Plan, Stop};
use self::schedule::Schedule;
use self::template::{HeaderSet, Template, TokenHole};
use self::tls::Inside;
use self::wire::Way;
pub use self::workload::Users;
use self::workload::{Reads, tokens_from};
use crate::args::{IdRange, Target, duration};
use crate::sys;

/// What is asked for, and by whom.
#[derive(Args)]
struct RequestArgs {
    /// What to ask for: `http[s]://127.0.0.1:PORT/path`, where the path may contain `{id}` and `{n}`
    #[arg(long)]
    url: Target,
    /// A whole request as text with {token}, {id} and {n}, instead of a GET of the URL's path
    #[arg(long)]
    template: Option<PathBuf>,
    /// Header fields of the built-in GET
    #[arg(long, value_enum, default_value_t = HeaderSet::Minimal)]
    headers: HeaderSet,
    /// Bearer tokens, one a line
    #[arg(long)]
    tokens: Option<PathBuf>,
    /// Whether a connection keeps its user
    #[arg(long, value_enum, default_value_t = Users::Sticky)]
    users: Users,
    /// Product numbers that take the place of {id} in turn
    #[arg(long, default_value = "1..=100")]
    ids: IdRange,
}

#[derive(Args)]
pub struct GenArgs {
    #[command(flatten)]
    requests_of: RequestArgs,
    /// Keep-alive connections
    #[arg(long, default_value_t = 128)]
    connections: usize,
    /// How long to send requests
    #[arg(long, value_parser = duration, default_value = "5s", conflicts_with = "requests")]
    duration: Duration,
    /// Send so many requests instead of sending for a time
    #[arg(long)]
    requests: Option<u64>,
    /// Open loop: so many requests a second, with latency counted from the scheduled time
    #[arg(long, value_parser = rate)]
    rate: Option<Schedule>,
    /// A request without an answer for so long has failed
    #[arg(long, value_parser = duration, default_value = "10s")]
    timeout: Duration,
    /// CPU to stay on
    #[arg(long)]
    cpu: Option<usize>,
}

/// Drives the server and prints the report.
pub fn run(args: &GenArgs) -> io::Result<()> {
    pin(args.cpu)?;
    let mut reads = reads(&args.requests_of)?;
    let plan = Plan {
        way: Way::to(&args.requests_of.url, Inside::Http1)?,
        connections: args.connections,
        stop: args.requests.map_or(Stop::After(args.duration), Stop::Requests),
        pace: args.rate.map_or(Pace::Closed, Pace::Open),
        timeout: args.timeout,
    };
    engine::run(&plan, &mut reads)?.print();
    Ok(())
}

fn reads(args: &RequestArgs) -> io::Result<Reads> {
    let tokens = args.tokens.as_deref().map_or(Ok(Vec::new()), tokens_from)?;
    let token_hole = if tokens.is_empty() { TokenHole::None } else { TokenHole::Bearer };
    let template = match &args.template {
        Some(path) => Template::parse(&template::with_crlf(&std::fs::read(path)?)),
        None => Template::get(&args.url.path, &args.url.addr.to_string(), args.headers, token_hole),
    };
    let template = template.map_err(|reason| Error::new(ErrorKind::InvalidInput, reason))?;
    Reads::new(template, tokens, args.users, args.ids.clone())
}

fn pin(cpu: Option<usize>) -> io::Result<()> {
    cpu.map_or(Ok(()), |cpu| sys::process::pin_to(&[cpu]))
}

fn rate(text: &str) -> Result<Schedule, String> {
    Schedule::new(text.parse().map_err(|_| "must be a whole number of requests a second".to_owned())?)
}
