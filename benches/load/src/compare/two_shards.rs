//! W5: two shards, and what it costs when a connection's users are not its shard's.
//! Never here: a ratio to the floor. The generator shares the second CPU, so only the two rows compare.

use std::io::Result;

use super::gateway::{PRODUCT_IDS, PRODUCT_PATH};
use super::generator::{self, Length, Reads};
use super::one_shard::log_users_in;
use super::sample::{Sample, measure, median};
use super::table::{number, section};
use super::workbench::{GENERATOR_CPU, GatewayShape, SERVER_CPU, Workbench};
use crate::load::Users;

/// Fills the caches of both shards, and lets connections move to the shard of their user.
const WARM_UP_REQUESTS: u64 = 20_000;
const TITLE: &str = "W5: mixed users on two shards";
const COLUMNS: [&str; 7] = ["users", "CPU µs/request", "requests/s", "p50 µs", "p99 µs", "p99.9 µs", "failed"];

/// Measures and makes the table.
pub fn run(bench: &Workbench<'_>) -> Result<String> {
    if !bench.has_gateway() {
        return Ok(format!("### {TITLE}\n\nNot measured: no gateway among the servers.\n"));
    }
    let (mut sticky, mut mixed) = (Vec::new(), Vec::new());
    for round in 1..=bench.args.rounds {
        eprintln!("{TITLE}: round {round} of {}", bench.args.rounds);
        sticky.push(one_round(bench, Users::Sticky)?);
        mixed.push(one_round(bench, Users::Mixed)?);
    }
    let (sticky, mixed) = (median(&sticky), median(&mixed));
    let rows = [row("one per connection", &sticky), row("mixed on every connection", &mixed)];
    let what = format!(
        "`GET {PRODUCT_PATH}` of {} users, {} connections, shards on CPU 0 and 1, generator on CPU 1. Mixing costs {} µs of CPU a request.",
        bench.args.users,
        bench.args.connections,
        number(mixed.cpu_us - sticky.cpu_us)
    );
    Ok(section(TITLE, &what, &COLUMNS, &rows))
}

fn one_round(bench: &Workbench<'_>, users: Users) -> Result<Sample> {
    let gateway =
        bench.start_gateway(&GatewayShape { cpus: &[SERVER_CPU, GENERATOR_CPU], ..GatewayShape::ONE_SHARD })?;
    let tokens = log_users_in(bench, &gateway)?;
    let reads =
        Reads { url: gateway.url(PRODUCT_PATH), tokens: Some(&tokens), users, ids: PRODUCT_IDS, template: None };
    generator::reads(bench, &reads, Length::Requests(WARM_UP_REQUESTS))?;
    measure(&gateway, || generator::reads(bench, &reads, Length::Measured))
}

fn row(users: &str, sample: &Sample) -> Vec<String> {
    vec![
        users.to_owned(),
        number(sample.cpu_us),
        number(sample.rps),
        number(sample.p50_us),
        number(sample.p99_us),
        number(sample.p999_us),
        number(sample.failures),
    ]
}
