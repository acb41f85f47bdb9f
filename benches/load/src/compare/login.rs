//! A storm of logins: what each costs the gateway while WeChat takes its time.
//! Never here: the simulator's cost. It is a process of its own on the generator's CPU.

use std::io::Result;

use super::gateway::LOGIN_PATH;
use super::generator;
use super::sample::{Sample, measure, median};
use super::table::{number, section};
use super::workbench::{GatewayShape, Workbench};

const TITLE: &str = "Login storm";
const COLUMNS: [&str; 6] = ["CPU µs/login", "logins/s", "p50 ms", "p99 ms", "p99.9 ms", "failed"];

/// Measures and makes the table.
pub fn run(bench: &Workbench<'_>) -> Result<String> {
    if !bench.has_gateway() {
        return Ok(format!("### {TITLE}\n\nNot measured: no gateway among the servers.\n"));
    }
    let mut samples = Vec::new();
    for round in 1..=bench.args.rounds {
        eprintln!("{TITLE}: round {round} of {}", bench.args.rounds);
        samples.push(one_round(bench)?);
    }
    let sample = median(&samples);
    let row = vec![
        number(sample.cpu_us),
        number(sample.rps),
        number(sample.p50_us / 1e3),
        number(sample.p99_us / 1e3),
        number(sample.p999_us / 1e3),
        number(sample.failures),
    ];
    let what = format!(
        "`POST {LOGIN_PATH}`, {} distinct users, {} in flight, WeChat simulated with 50 ms; medians of {} runs.",
        bench.args.logins, bench.args.login_concurrency, bench.args.rounds
    );
    Ok(section(TITLE, &what, &COLUMNS, &[row]))
}

/// Starts afresh, because a gateway that has seen a code answers it from memory.
fn one_round(bench: &Workbench<'_>) -> Result<Sample> {
    let simulator = bench.start_simulator()?;
    let gateway = bench.start_gateway(&GatewayShape { simulator: Some(&simulator), ..GatewayShape::ONE_SHARD })?;
    let (concurrency, total) = (bench.args.login_concurrency.to_string(), bench.args.logins.to_string());
    let args = ["--url", &gateway.url(LOGIN_PATH), "--concurrency", &concurrency, "--total", &total];
    measure(&gateway, || generator::run(bench, "login", &args))
}
