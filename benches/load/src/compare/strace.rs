//! System calls per request, counted by strace in a short run of its own: under it nothing else can be measured.
//! Never here: a run without strace installed. The table shows a dash then.

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::contender::installed;
use super::server::Server;
use super::workbench::{GENERATOR_CPU, Workbench};
use crate::load::report::Report;
use crate::sys::process::{confine, interrupt};

/// Enough that start and end of the run do not show in the third digit.
pub const REQUESTS: u64 = 20_000;
const ATTACH_WAIT: Duration = Duration::from_secs(5);
const ATTACH_POLL: Duration = Duration::from_millis(5);

/// Counts the server's system calls while `generate` runs, for each response.
pub fn calls_per_request(
    bench: &Workbench<'_>,
    server: &Server,
    generate: impl FnOnce() -> Result<Report>,
) -> Result<Option<f64>> {
    if !installed("strace", "--version") {
        return Ok(None);
    }
    let counts = bench.file("strace.txt");
    let mut strace = attach(server.pid(), &counts, &bench.file("strace.log"))?;
    let report = generate();
    interrupt(strace.id());
    strace.wait()?;
    let calls = total_of(&std::fs::read_to_string(&counts)?)
        .ok_or_else(|| Error::new(ErrorKind::InvalidData, format!("{} has no total", counts.display())))?;
    Ok(Some(calls as f64 / report?.responses.max(1) as f64))
}

fn attach(pid: u32, counts: &Path, log: &Path) -> Result<Child> {
    let mut command = Command::new("strace");
    command.args(["-c", "-f", "-p", &pid.to_string(), "-o"]).arg(counts);
    confine(&mut command, &[GENERATOR_CPU]);
    let mut strace = command.stdin(Stdio::null()).stderr(File::create(log)?).spawn()?;
    let started = Instant::now();
    while !is_traced(pid)? {
        if strace.try_wait()?.is_some() || started.elapsed() > ATTACH_WAIT {
            let _ = strace.kill();
            return Err(Error::other(format!(
                "strace cannot attach to process {pid}: it said why in {}",
                log.display()
            )));
        }
        std::thread::sleep(ATTACH_POLL);
    }
    Ok(strace)
}

/// Whether every thread has its tracer.
fn is_traced(pid: u32) -> Result<bool> {
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = std::fs::read_to_string(task?.path().join("status"))?;
        if status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|tracer| tracer.trim() == "0")) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Calls in the last line of `strace -c`: `100.00  1.234567  12  40000  7 total`, where the errors may be missing.
fn total_of(counts: &str) -> Option<u64> {
    let line = counts.lines().find(|line| line.ends_with(" total"))?;
    line.split_ascii_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_with_and_without_errors() {
        let head = "% time     seconds  usecs/call     calls    errors syscall\n------ ----------- ----------- --------- --------- ----\n";
        assert_eq!(
            total_of(&format!("{head}100.00    0.123456           3     40000         7 total\n")),
            Some(40_000)
        );
        assert_eq!(
            total_of(&format!("{head}100.00    0.123456           3     40000           total\n")),
            Some(40_000)
        );
        assert_eq!(total_of(head), None);
    }
}
