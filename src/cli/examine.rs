//! `doctor`: the host, judged for a configuration.
//! Never here: the checks; they are in `doctor`.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use crate::core::config::DEFAULTS;
use crate::core::config::checked::{Config, Shards};
use crate::core::config::{Outside, load_with};

use super::args::DoctorArgs;
use super::{doctor, fail, source};

pub fn doctor(args: &DoctorArgs) -> ExitCode {
    let config = match &args.config {
        Some(path) => source::load_file(path, &args.overrides.set),
        None => default_config(&args.overrides.set),
    };
    let config = match config {
        Ok(config) => config,
        Err(message) => return fail(1, &message),
    };
    match doctor::run(&plan(&config), &mut io::stdout()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => fail(1, &format!("cannot write the findings: {error}")),
    }
}

fn plan(config: &Config) -> doctor::Plan {
    let shards = match &config.server.shards {
        Shards::Auto => None,
        Shards::Count(count) => Some(*count),
        Shards::Cpus(cpus) => Some(cpus.len()),
    };
    doctor::Plan { doors: doors(config), shards, connections_max: config.server.connections_max }
}

fn doors(config: &Config) -> Vec<(&'static str, SocketAddr)> {
    let doors = [
        ("server.listen", config.server.listen),
        ("tls.listen", config.tls.listen),
        ("redirect.listen", config.redirect.listen),
        ("ops.listen", Some(config.ops.listen)),
    ];
    doors.into_iter().filter_map(|(key, addr)| Some((key, addr?))).collect()
}

/// The default file with stand-ins for its secrets, which no check of the host looks at.
fn default_config(overrides: &[String]) -> Result<Config, String> {
    let outside = Outside {
        variable: &|_| Some("stand-in-of-at-least-thirty-two-bytes".into()),
        file: &|path| std::fs::read_to_string(path),
    };
    load_with(DEFAULTS, overrides, &outside).map_err(|errors| format!("not valid:\n{}", source::lines(&errors)))
}
