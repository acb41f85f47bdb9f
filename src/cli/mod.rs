//! The command line: what can be asked for, and who answers it.
//! Never here: decisions of the server; a command asks the rooms and prints.

mod args;
mod check;
mod demo;
pub mod doctor;
mod examine;
mod memory;
mod run;
mod serve;
mod shop;
mod signals;
mod simulate;
mod source;
mod throwaway;
mod watchdog;

use std::process::ExitCode;

use clap::Parser;

use args::{Command, CommandLine};

/// Exit code for "this host cannot run it": EX_CONFIG of sysexits.h, on which systemd need not retry.
const EXIT_HOST: u8 = 78;

/// Runs the command that the command line asks for.
#[must_use]
pub fn main() -> ExitCode {
    match CommandLine::parse().command {
        Command::Demo(args) => demo::demo(&args),
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::check(&args),
        Command::Config => check::print_default(),
        Command::Doctor(args) => examine::doctor(&args),
        Command::SimulateWechat(args) => simulate::simulate(&args),
    }
}

/// An error on its way to a person and an exit code.
fn fail(code: u8, message: &str) -> ExitCode {
    eprintln!("tidegate: {message}");
    ExitCode::from(code)
}
