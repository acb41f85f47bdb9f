//! What procfs, sysfs and a few trial binds say about this host. What cannot be read stays unknown.
//! Never here: judgement, and changes to the host.

use std::fs::read_to_string;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use super::Plan;
use crate::net::probe::{RingRefusal, RingSupport, probe};

#[derive(Clone, Debug)]
pub struct Facts {
    /// `uname -r`.
    pub kernel: String,
    pub ring: Result<RingSupport, RingRefusal>,
    /// `kernel.io_uring_disabled`: 0 no, 1 for unprivileged processes, 2 for all. Kernels before 6.6 have none.
    pub io_uring_disabled: Option<u64>,
    /// Bytes.
    pub memlock: Limit,
    pub nofile: Limit,
    /// CPUs that the affinity mask (taskset, cpuset, `CPUAffinity=`) leaves to this process.
    pub cpus_allowed: usize,
    pub cpus_online: usize,
    /// Thousandths of a CPU that the tightest control group above this process allows; `None`: no quota.
    pub cpu_quota_millis: Option<u64>,
    pub somaxconn: Option<u64>,
    pub ports: Vec<(&'static str, SocketAddr, PortState)>,
}

/// A resource limit; [`Limit::UNLIMITED`] is as good as endless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub soft: u64,
    pub hard: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortState {
    Free,
    Refused(ErrorKind),
}

impl Limit {
    pub const UNLIMITED: u64 = u64::MAX;
}

/// Reads everything that [`super::examine`] judges. Binds the two ports for a moment and sets up one small ring.
#[must_use]
pub fn gather(plan: &Plan) -> Facts {
    let limits = text("/proc/self/limits");
    let status = text("/proc/self/status");
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
    Facts {
        kernel: text("/proc/sys/kernel/osrelease").trim().to_owned(),
        ring: probe(),
        io_uring_disabled: number("/proc/sys/kernel/io_uring_disabled"),
        memlock: limit(&limits, "Max locked memory"),
        nofile: limit(&limits, "Max open files"),
        cpus_allowed: cpus_in(allowed),
        cpus_online: cpus_in(&text("/sys/devices/system/cpu/online")),
        cpu_quota_millis: cpu_quota(Path::new("/sys/fs/cgroup"), &text("/proc/self/cgroup")),
        somaxconn: number("/proc/sys/net/core/somaxconn"),
        ports: plan.doors.iter().map(|&(key, addr)| (key, addr, port_state(addr))).collect(),
    }
}

fn text(path: impl AsRef<Path>) -> String {
    read_to_string(path).unwrap_or_default()
}

fn number(path: &str) -> Option<u64> {
    text(path).trim().parse().ok()
}

fn port_state(addr: SocketAddr) -> PortState {
    match TcpListener::bind(addr) {
        Ok(_) => PortState::Free,
        Err(error) => PortState::Refused(error.kind()),
    }
}

/// A line of proc_pid_limits(5): name, soft, hard, unit. What is not there counts as unlimited.
fn limit(limits: &str, name: &str) -> Limit {
    let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let mut values = line.split_whitespace().map(|value| value.parse().unwrap_or(Limit::UNLIMITED));
    let mut next = || values.next().unwrap_or(Limit::UNLIMITED);
    Limit { soft: next(), hard: next() }
}

/// Counts the CPUs of a list like `0-3,8,10-11`.
fn cpus_in(list: &str) -> usize {
    let count = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        last.checked_sub(first).map(|more| more + 1)
    };
    list.trim().split(',').filter_map(count).sum()
}

/// The tightest `cpu.max` from the process's control group (version 2) up to the root.
fn cpu_quota(root: &Path, cgroup: &str) -> Option<u64> {
    let own = cgroup.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let mut group: PathBuf = root.join(own);
    let mut tightest: Option<u64> = None;
    while group.starts_with(root) {
        let quota = cpu_max_millis(&text(group.join("cpu.max")));
        tightest = quota.into_iter().chain(tightest).min();
        group.pop();
    }
    tightest
}

/// `150000 100000` is one and a half CPUs, `max 100000` is none.
fn cpu_max_millis(cpu_max: &str) -> Option<u64> {
    let (quota, period) = cpu_max.trim().split_once(' ')?;
    quota.parse::<u64>().ok()?.saturating_mul(1000).checked_div(period.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_by_name() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max open files            1024                 1048576              files     \n\
                      Max locked memory         unlimited            unlimited            bytes     \n";
        assert_eq!(limit(limits, "Max open files"), Limit { soft: 1024, hard: 1_048_576 });
        let unlimited = Limit { soft: Limit::UNLIMITED, hard: Limit::UNLIMITED };
        assert_eq!(limit(limits, "Max locked memory"), unlimited);
        assert_eq!(limit("", "Max open files"), unlimited);
    }

    #[test]
    fn cpu_lists_are_counted() {
        let check = |list: &str, count| assert_eq!(cpus_in(list), count, "{list:?}");
        check("\t0-1\n", 2);
        check("0", 1);
        check("0-3,8,10-11", 7);
        check("", 0);
        check("3-1,x", 0);
    }

    #[test]
    fn the_tightest_quota_counts() {
        let root = tempfile::tempdir().expect("a directory");
        let service = root.path().join("system.slice/tidegate.service");
        std::fs::create_dir_all(&service).expect("a directory");
        let own = "1:name=systemd:/old\n0::/system.slice/tidegate.service\n";
        assert_eq!(cpu_quota(root.path(), own), None);
        std::fs::write(service.join("cpu.max"), "max 100000\n").expect("a file");
        assert_eq!(cpu_quota(root.path(), own), None);
        std::fs::write(service.join("cpu.max"), "250000 100000\n").expect("a file");
        assert_eq!(cpu_quota(root.path(), own), Some(2500));
        std::fs::write(root.path().join("system.slice/cpu.max"), "150000 100000\n").expect("a file");
        assert_eq!(cpu_quota(root.path(), own), Some(1500));
        assert_eq!(cpu_quota(root.path(), ""), None);
    }

    #[test]
    fn broken_quotas_are_none() {
        for broken in ["", "1", "1 0", "x 100000", "max 100000"] {
            assert_eq!(cpu_max_millis(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn a_port_in_use_is_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("an address");
        assert_eq!(port_state(addr), PortState::Refused(ErrorKind::AddrInUse));
        drop(listener);
        assert_eq!(port_state(addr), PortState::Free);
    }
}
