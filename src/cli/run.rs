//! `run`: serves what a configuration file says.
//! Never here: how it is served.

use std::process::ExitCode;
use std::sync::Arc;

use crate::shards::door::DoorKind;

use super::args::ConfigArgs;
use super::serve::{Serving, serve};
use super::signals::Hangup;
use super::{fail, source};

pub fn run(args: &ConfigArgs) -> ExitCode {
    let config = match source::load_file(&args.config, &args.overrides.set) {
        Ok(config) => Arc::new(config),
        Err(message) => return fail(1, &message),
    };
    serve(config, Hangup::Reloads, |serving: &Serving| {
        for (kind, addr) in &serving.doors {
            match kind {
                DoorKind::Plain => println!("listening on {addr}"),
                DoorKind::Tls => println!("listening on {addr} with TLS"),
                DoorKind::Redirect => println!("listening on {addr}, redirecting to https"),
            }
        }
        println!("metrics and health on http://{}", serving.ops_addr);
    })
}
