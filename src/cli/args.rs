//! The commands and options of the program, as `--help` tells them.
//! Never here: what a command does.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// The server behind a WeChat mini-program: login, tokens, limits, caches and data on pinned io_uring shards.
///
/// First try: `tidegate demo`. Then: `tidegate config > tidegate.toml`, edit, `tidegate check --config tidegate.toml`,
/// `tidegate run --config tidegate.toml`.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110)]
pub struct CommandLine {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serves a small shop on this machine: SQLite, a simulated WeChat, nothing to install or configure
    Demo(DemoArgs),
    /// Serves what a configuration file says
    Run(ConfigArgs),
    /// Checks a configuration file and shows every mistake with key, value and cure; exit code 1 if there is one
    Check(ConfigArgs),
    /// Prints the commented default configuration
    Config,
    /// Looks whether this host can run the server well, and tells the command that mends what is wrong
    Doctor(DoctorArgs),
    /// Runs the WeChat simulator alone, on 127.0.0.1
    SimulateWechat(SimulateArgs),
}

#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    #[command(flatten)]
    pub overrides: Overrides,
}

#[derive(Debug, Default, Args)]
pub struct Overrides {
    /// Sets one key on top of the file, for example server.shards=2 or limiter.ip=off; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Port of the gateway on 127.0.0.1; 0 means any free one
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// Speaks TLS at the gateway, with a certificate made for this run
    #[arg(long)]
    pub tls: bool,
    /// Port of metrics and health on 127.0.0.1; 0 means any free one
    #[arg(long, default_value_t = 9464)]
    pub ops_port: u16,
    /// Port of the WeChat simulator on 127.0.0.1; 0 means any free one
    #[arg(long, default_value_t = 0)]
    pub wechat_port: u16,
    /// A WeChat API, or a simulator that runs elsewhere on this machine, instead of the simulator in this process
    #[arg(long, value_name = "URL", conflicts_with = "wechat_port")]
    pub wechat_url: Option<String>,
    /// Where the shop's SQLite database is kept; without it in a temporary folder that goes with the process
    #[arg(long, value_name = "FILE")]
    pub database: Option<PathBuf>,
    #[command(flatten)]
    pub simulator: SimulatorArgs,
    #[command(flatten)]
    pub overrides: Overrides,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Examines the host for this configuration instead of the default one
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub overrides: Overrides,
}

#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Port on 127.0.0.1; 0 means any free one
    #[arg(long, default_value_t = 8090)]
    pub port: u16,
    #[command(flatten)]
    pub simulator: SimulatorArgs,
}

/// The moods of the simulated WeChat.
#[derive(Debug, Args)]
pub struct SimulatorArgs {
    /// Simulated WeChat: milliseconds before every answer
    #[arg(long, value_name = "MS", default_value = "20", value_parser = milliseconds)]
    pub wechat_latency: Duration,
    /// Simulated WeChat: up to so many milliseconds more, at random
    #[arg(long, value_name = "MS", default_value = "10", value_parser = milliseconds)]
    pub wechat_jitter: Duration,
    /// Simulated WeChat: exchanges in a thousand that are answered "system busy"
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub wechat_failures: u16,
    /// Simulated WeChat: exchanges in a minute before it answers 45011; without it there is no quota
    #[arg(long, value_name = "N")]
    pub wechat_quota: Option<u32>,
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(number) if number <= 60_000 => Ok(Duration::from_millis(number)),
        _ => Err("must be 0..=60000 milliseconds".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }
}
