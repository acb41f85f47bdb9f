//! `check` and `config`: is a file right, and what does a right one look like.
//! Never here: starting anything.

use std::process::ExitCode;
use std::sync::Arc;

use crate::actions::Registry;
use crate::actions::service::Service;
use crate::core::config::DEFAULTS;
use crate::net::tls::keeper::Keeper;

use super::args::ConfigArgs;
use super::{fail, source};

pub fn check(args: &ConfigArgs) -> ExitCode {
    let config = match source::load_file(&args.config, &args.overrides.set) {
        Ok(config) => Arc::new(config),
        Err(message) => return fail(1, &message),
    };
    let files = match &config.tls.listen {
        Some(_) => Keeper::load(&config.tls, &config.tls.alpn).map(drop),
        None => Ok(()),
    };
    match files.and_then(|()| Service::build(config, &Registry::standard())) {
        Ok(service) => {
            let config = &service.config;
            println!(
                "{} is valid: {} routes, {} queries, {} transactions, {} apps",
                args.config.display(),
                config.routes.len(),
                config.queries.len(),
                config.transactions.len(),
                config.apps.len()
            );
            ExitCode::SUCCESS
        }
        Err(errors) => fail(1, &format!("{} is not valid:\n{}", args.config.display(), source::lines(&errors))),
    }
}

pub fn print_default() -> ExitCode {
    print!("{DEFAULTS}");
    ExitCode::SUCCESS
}
