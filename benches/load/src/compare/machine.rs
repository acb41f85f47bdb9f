//! Where and when a table was measured: without it the numbers say nothing.
//! Never here: an error. What cannot be found out is "unknown".

use std::process::Command;

/// Machine, kernel, date and commit as one paragraph.
pub fn describe() -> String {
    let cpu = first_value("/proc/cpuinfo", "model name").unwrap_or_else(unknown);
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_else(|_| unknown());
    let date = output("date", &["-u", "+%Y-%m-%d %H:%M UTC"]).unwrap_or_else(unknown);
    let commit = output("git", &["describe", "--always", "--dirty", "--abbrev=12"]).unwrap_or_else(unknown);
    format!("{date}, commit {commit}, Linux {}, {cpus} × {cpu}; {}\n", kernel.trim(), load_average())
}

/// Work that others did on the machine shows here.
pub fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_else(|_| unknown());
    format!("load average {}", text.split(' ').next().unwrap_or_default())
}

fn first_value(path: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn unknown() -> String {
    "unknown".to_owned()
}
