//! `overload`: finds the most that a server can do, sends multiples of it in an open loop, and sees how soon it is over.
//! Never here: a client that waits because the server is late. That would hide the overload.

use std::io;
use std::time::Duration;

use clap::Args;

use super::engine::{self, Pace, Plan, Stop};
use super::report::Report;
use super::schedule::Schedule;
use super::tls::Inside;
use super::wire::Way;
use super::{RequestArgs, pin, reads};
use crate::args::duration;

/// Of the peak: what is sent before the overload, to see the waits of a server that is used and not pressed, and after it.
const CALM_PERCENT: u64 = 50;
/// The most that recovery is waited for, in slices of a second.
const RECOVERY_SLICES: u32 = 10;

#[derive(Args)]
pub struct OverloadArgs {
    #[command(flatten)]
    requests: RequestArgs,
    /// Connections of the closed loop that finds the peak
    #[arg(long, default_value_t = 64)]
    peak_connections: usize,
    /// Connections of the open loops: more than requests are ever unanswered at a time
    #[arg(long, default_value_t = 4000)]
    connections: usize,
    /// How long each load lasts
    #[arg(long, value_parser = duration, default_value = "10s")]
    duration: Duration,
    /// The loads, in hundredths of the peak
    #[arg(long, value_delimiter = ',', default_value = "100,200,500")]
    percents: Vec<u64>,
    /// CPU to stay on
    #[arg(long)]
    cpu: Option<usize>,
}

/// One load and what came of it.
struct Row {
    name: String,
    offered: u64,
    report: Report,
}

/// Runs all loads and prints the table.
pub fn run(args: &OverloadArgs) -> io::Result<()> {
    pin(args.cpu)?;
    let mut reads = reads(&args.requests)?;
    let way = Way::to(&args.requests.url, Inside::Http1)?;
    let mut drive = |pace: Pace, connections: usize, lasts: Duration| {
        let (stop, timeout) = (Stop::After(lasts), Duration::from_secs(30));
        let plan = Plan { way: way.clone(), connections, stop, pace, timeout };
        engine::run(&plan, &mut reads)
    };
    let peak = drive(Pace::Closed, args.peak_connections, args.duration)?;
    let most = goodput(&peak);
    println!(
        "peak: {most:.0} a second, {} connections in a closed loop, p99 {:.1} ms",
        args.peak_connections,
        peak.ok_p99_us / 1e3
    );
    println!(
        "| load | offered/s | answered 2xx/s | of peak | refused/s | p50 of 2xx ms | p99 of 2xx ms | p99 of refused ms | unsent | failed |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for percent in std::iter::once(&CALM_PERCENT).chain(&args.percents) {
        let offered = (most as u64 * percent / 100).max(1);
        let schedule = Schedule::new(offered).map_err(io::Error::other)?;
        let report = drive(Pace::Open(schedule), args.connections, args.duration)?;
        Row { name: format!("{}.{:02} ×", percent / 100, percent % 100), offered, report }.print(most);
    }
    let calm = Schedule::new((most as u64 * CALM_PERCENT / 100).max(1)).map_err(io::Error::other)?;
    for second in 1..=RECOVERY_SLICES {
        let report = drive(Pace::Open(calm), args.connections.min(500), Duration::from_secs(1))?;
        if report.failures() == 0 {
            println!("back to normal: nothing refused in second {second} after the last load");
            return Ok(());
        }
    }
    println!("not back to normal {RECOVERY_SLICES} s after the last load");
    Ok(())
}

/// Answers that are not refusals, a second of the time in which requests were sent.
fn goodput(report: &Report) -> f64 {
    let good: u64 =
        report.status.iter().filter(|(status, _)| (200..300).contains(*status)).map(|(_, count)| count).sum();
    good as f64 / report.seconds
}

impl Row {
    fn print(&self, most: f64) {
        let Self { name, offered, report } = self;
        let refused = report.status.get(&503).copied().unwrap_or(0);
        let failed = report.failures() - refused - report.unsent;
        let good = goodput(report);
        println!(
            "| {name} | {offered} | {good:.0} | {:.2} | {:.0} | {:.1} | {:.1} | {:.1} | {} | {failed} |",
            good / most,
            refused as f64 / report.seconds,
            report.ok_p50_us / 1e3,
            report.ok_p99_us / 1e3,
            report.refused_p99_us / 1e3,
            report.unsent,
        );
    }
}
