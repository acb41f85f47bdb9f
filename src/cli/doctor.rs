//! `tidegate doctor`: whether this host can run the server as configured, and the command that mends what is wrong.
//! Never here: changing the host, and reading it outside `facts`; a check judges facts that it is given.

mod facts;

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;

pub use facts::{Facts, Limit, PortState, gather};

/// What the configuration asks of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Keys of the configuration and the addresses that they name.
    pub doors: Vec<(&'static str, SocketAddr)>,
    /// `None`: one per CPU that the process may use.
    pub shards: Option<usize>,
    /// Per shard.
    pub connections_max: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Ok,
    /// It runs, worse than it could.
    Warn,
    /// It does not run.
    Bad,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub check: &'static str,
    pub verdict: Verdict,
    pub what: String,
    /// A command, or what to change; `None` when there is nothing to mend.
    pub cure: Option<String>,
}

/// Descriptors besides those of connections: rings, files, backends, the ops plane.
const DESCRIPTORS_BESIDES: usize = 1024;
/// A smaller limit leaves no room for a peak at all.
const DESCRIPTORS_LEAST: u64 = 4096;
/// glommio refuses to start an executor below this.
const MEMLOCK_BYTES_LEAST: u64 = 512 * 1024;
/// Connections that wait to be accepted during a peak; Linux's default since 5.4.
const SOMAXCONN_LEAST: u64 = 4096;
/// The first kernel with `IORING_SETUP_DEFER_TASKRUN`.
const KERNEL_LEAST: (u32, u32) = (6, 1);

/// Reads the host, judges it, prints the findings. Exit code: 0 when nothing is bad, else 1.
///
/// # Errors
/// What writing to `out` says.
pub fn run(plan: &Plan, out: &mut impl Write) -> io::Result<u8> {
    let findings = examine(&gather(plan), plan);
    out.write_all(render(&findings).as_bytes())?;
    Ok(exit_code(&findings))
}

/// All checks, in the order in which a start would meet them.
#[must_use]
pub fn examine(facts: &Facts, plan: &Plan) -> Vec<Finding> {
    let mut findings = vec![kernel(&facts.kernel), ring(facts), memlock(facts.memlock)];
    let shards = plan.shards.unwrap_or(facts.cpus_allowed);
    findings.push(descriptors(facts.nofile, shards.saturating_mul(plan.connections_max)));
    findings.push(cpus(facts, shards));
    findings.push(cpu_quota(facts, shards));
    findings.push(backlog(facts.somaxconn));
    findings.extend(facts.ports.iter().map(|(name, addr, state)| port(name, *addr, *state)));
    findings
}

/// One line a check, its cure indented below.
#[must_use]
pub fn render(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Finding { check, verdict, what, cure } in findings {
        text += &format!("{verdict:<4}  {check:<width$}  {what}\n");
        if let Some(cure) = cure {
            text += &format!("{:6}{:width$}  cure: {cure}\n", "", "");
        }
    }
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    text + &format!("{} ok, {} warn, {} bad\n", count(Verdict::Ok), count(Verdict::Warn), count(Verdict::Bad))
}

#[must_use]
pub fn exit_code(findings: &[Finding]) -> u8 {
    u8::from(findings.iter().any(|finding| finding.verdict == Verdict::Bad))
}

fn kernel(release: &str) -> Finding {
    let check = "kernel";
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        return warn(check, format!("release {release:?} not understood"), "uname -r must say 6.1 or newer");
    };
    let what = format!("Linux {release}");
    if (major, minor) >= KERNEL_LEAST {
        return ok(check, what);
    }
    bad(check, format!("{what}: 6.1 is the first with deferred io_uring completions"), "boot Linux 6.1 or newer")
}

fn ring(facts: &Facts) -> Finding {
    let check = "io_uring";
    let refusal = match facts.ring {
        Ok(_) => return ok(check, "accepted and received on a ring of our own"),
        Err(refusal) => refusal,
    };
    match facts.io_uring_disabled {
        Some(level @ 1..) => {
            let what = format!("switched off by the host: kernel.io_uring_disabled = {level}");
            bad(check, what, "sysctl -w kernel.io_uring_disabled=0")
        }
        _ => bad(check, refusal.summary(), refusal.cure()),
    }
}

fn memlock(limit: Limit) -> Finding {
    let check = "memory lock limit";
    if limit.soft >= MEMLOCK_BYTES_LEAST {
        return ok(check, bytes_or_unlimited(limit.soft));
    }
    let what = format!("{} bytes: each shard's ring locks memory, at least {MEMLOCK_BYTES_LEAST}", limit.soft);
    bad(check, what, "ulimit -l unlimited, or LimitMEMLOCK=infinity in the unit")
}

fn descriptors(limit: Limit, connections: usize) -> Finding {
    let check = "file descriptors";
    let need = connections.saturating_add(DESCRIPTORS_BESIDES);
    let cure = format!("ulimit -n {need}, or LimitNOFILE={need} in the unit");
    if limit.soft >= need as u64 {
        return ok(check, format!("{}, and {need} are needed", count_or_unlimited(limit.soft)));
    }
    let what = format!("{} (hard limit {}): {connections} connections need {need}", limit.soft, limit.hard);
    if limit.soft < DESCRIPTORS_LEAST { bad(check, what, cure) } else { warn(check, what, cure) }
}

fn cpus(facts: &Facts, shards: usize) -> Finding {
    let check = "CPUs";
    let what = format!("{} of {} online may be used, for {shards} shards", facts.cpus_allowed, facts.cpus_online);
    match shards {
        0 => bad(check, what, "set server.shards, or read /proc/self/status: Cpus_allowed_list is empty"),
        _ if shards > facts.cpus_allowed => {
            let cure = format!("server.shards = {}, or widen CPUAffinity= or taskset", facts.cpus_allowed);
            bad(check, format!("{what}: two shards on one CPU wait for each other"), cure)
        }
        _ => ok(check, what),
    }
}

fn cpu_quota(facts: &Facts, shards: usize) -> Finding {
    let check = "CPU quota";
    match facts.cpu_quota_millis {
        None => ok(check, "none"),
        Some(millis) if millis >= shards.saturating_mul(1000) as u64 => {
            ok(check, format!("{} CPUs", thousandths(millis)))
        }
        Some(millis) => {
            let whole = (millis / 1000).max(1);
            let what =
                format!("{} CPUs for {shards} shards: a throttled shard stops for most of 100 ms", thousandths(millis));
            warn(check, what, format!("server.shards = {whole}, or raise CPUQuota= or the container's CPU limit"))
        }
    }
}

fn backlog(somaxconn: Option<u64>) -> Finding {
    let check = "accept backlog";
    match somaxconn {
        None => warn(check, "net.core.somaxconn cannot be read", "sysctl net.core.somaxconn must be 4096 or more"),
        Some(most) if most >= SOMAXCONN_LEAST => ok(check, format!("net.core.somaxconn = {most}")),
        Some(most) => {
            let what = format!("net.core.somaxconn = {most}: a peak of new connections is dropped beyond it");
            warn(check, what, format!("sysctl -w net.core.somaxconn={SOMAXCONN_LEAST}, or tuning/apply.sh"))
        }
    }
}

fn port(name: &'static str, addr: SocketAddr, state: PortState) -> Finding {
    let refusal = match state {
        PortState::Free => return ok(name, format!("{addr} is free")),
        PortState::Refused(refusal) => refusal,
    };
    let port = addr.port();
    match refusal {
        ErrorKind::AddrInUse => bad(name, format!("{addr} is in use"), format!("ss -ltnp 'sport = :{port}' names who")),
        ErrorKind::PermissionDenied => {
            let cure = "a port of 1024 or more, or AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit";
            bad(name, format!("{addr} may not be bound by this user"), cure)
        }
        ErrorKind::AddrNotAvailable => bad(name, format!("{addr} is no address of this host"), "ip address lists them"),
        other => bad(name, format!("{addr} cannot be bound: {other}"), "choose another address"),
    }
}

fn ok(check: &'static str, what: impl Into<String>) -> Finding {
    Finding { check, verdict: Verdict::Ok, what: what.into(), cure: None }
}

fn warn(check: &'static str, what: impl Into<String>, cure: impl Into<String>) -> Finding {
    Finding { check, verdict: Verdict::Warn, what: what.into(), cure: Some(cure.into()) }
}

fn bad(check: &'static str, what: impl Into<String>, cure: impl Into<String>) -> Finding {
    Finding { check, verdict: Verdict::Bad, what: what.into(), cure: Some(cure.into()) }
}

fn bytes_or_unlimited(limit: u64) -> String {
    if limit == Limit::UNLIMITED { "unlimited".into() } else { format!("{limit} bytes") }
}

fn count_or_unlimited(limit: u64) -> String {
    if limit == Limit::UNLIMITED { "unlimited".into() } else { limit.to_string() }
}

fn thousandths(millis: u64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "BAD",
        })
    }
}

#[cfg(test)]
mod tests;
