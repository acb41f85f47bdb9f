//! `run`: serves what a configuration file says.
//! Never here: how it is served.

use std::process::ExitCode;
use std::sync::Arc;

use super::args::ConfigArgs;
use super::serve::{Serving, serve};
use super::{fail, source};

pub fn run(args: &ConfigArgs) -> ExitCode {
    let config = match source::load_file(&args.config, &args.overrides.set) {
        Ok(config) => Arc::new(config),
        Err(message) => return fail(1, &message),
    };
    serve(config, |serving: &Serving| {
        println!("listening on {}", serving.addr);
        println!("metrics and health on http://{}", serving.ops_addr);
    })
}
