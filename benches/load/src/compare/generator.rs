//! The generator as a child process on its own CPU.
//! Never here: numbers of its own. It prints a line, and the line is read back.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Error, ErrorKind, Lines, Result};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use clap::ValueEnum;
use serde::de::DeserializeOwned;

use super::workbench::{GENERATOR_CPU, Workbench};
use crate::load::Users;
use crate::load::report::Report;
use crate::sys::process::confine;

/// A run of `gen` against a path.
pub struct Reads<'a> {
    pub url: String,
    pub tokens: Option<&'a Path>,
    pub users: Users,
    pub ids: &'a str,
    /// A request of its own instead of the built-in one.
    pub template: Option<&'a Path>,
}

/// How long it lasts.
#[derive(Clone, Copy)]
pub enum Length {
    /// As `--duration` of `compare` says
    Measured,
    Requests(u64),
}

/// A generator that is still running, killed when it goes out of scope.
pub struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// Runs `gen` to its end.
pub fn reads(bench: &Workbench<'_>, reads: &Reads<'_>, length: Length) -> Result<Report> {
    let mut command = command(bench, "gen");
    command.args(["--url", &reads.url, "--ids", reads.ids, "--users", &name_of(reads.users)]);
    command.args(["--headers", &name_of(bench.args.headers), "--connections", &bench.args.connections.to_string()]);
    if let Some(tokens) = reads.tokens {
        command.arg("--tokens").arg(tokens);
    }
    if let Some(template) = reads.template {
        command.arg("--template").arg(template);
    }
    match length {
        Length::Measured => command.args(["--duration", &format!("{}ms", bench.args.duration.as_millis())]),
        Length::Requests(count) => command.args(["--requests", &count.to_string()]),
    };
    start(command)?.line()
}

/// Runs one of the other generating commands to its end; only its arguments differ.
pub fn run<A: AsRef<OsStr>>(bench: &Workbench<'_>, name: &str, args: &[A]) -> Result<Report> {
    spawn(bench, name, args)?.line()
}

/// Starts a generating command that prints more than one line.
pub fn spawn<A: AsRef<OsStr>>(bench: &Workbench<'_>, name: &str, args: &[A]) -> Result<Running> {
    let mut command = command(bench, name);
    command.args(args);
    start(command)
}

impl Running {
    /// Waits for the next line. Fails when the generator ends without one; it has said why on standard error.
    pub fn line<T: DeserializeOwned>(&mut self) -> Result<T> {
        let line = self
            .lines
            .next()
            .ok_or_else(|| Error::new(ErrorKind::UnexpectedEof, "the generator ended without a report"))??;
        serde_json::from_str(&line).map_err(Error::from)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about either error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(bench: &Workbench<'_>, name: &str) -> Command {
    let mut command = Command::new(&bench.program);
    command.arg(name);
    command
}

fn start(mut command: Command) -> Result<Running> {
    confine(&mut command, &[GENERATOR_CPU]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().expect("standard output is piped");
    Ok(Running { child, lines: BufReader::new(stdout).lines() })
}

fn name_of(value: impl ValueEnum) -> String {
    value.to_possible_value().expect("no value is skipped").get_name().to_owned()
}
