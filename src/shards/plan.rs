//! Which CPUs the shards run on: one shard a CPU, pinned.
//! Never here: reading the affinity of the process more than once.

use std::io;

use crate::core::bounds::SHARDS_MAX;
use crate::core::config::checked::Shards;

/// CPU number of each shard, in the order of their ids. Never empty.
pub type Plan = Vec<usize>;

/// # Errors
/// A CPU that this process may not use; more shards than the bound.
pub fn plan(shards: &Shards, allowed: &[usize]) -> Result<Plan, String> {
    assert!(!allowed.is_empty(), "a running process has a CPU");
    let plan: Plan = match shards {
        Shards::Auto => allowed.iter().copied().take(SHARDS_MAX).collect(),
        Shards::Count(count) => allowed.iter().copied().cycle().take(*count).collect(),
        Shards::Cpus(cpus) => cpus.clone(),
    };
    if plan.is_empty() || plan.len() > SHARDS_MAX {
        return Err(format!("server.shards: {} shards, must be 1..={SHARDS_MAX}", plan.len()));
    }
    match plan.iter().find(|cpu| !allowed.contains(cpu)) {
        Some(cpu) => Err(format!("server.shards: CPU {cpu} is not allowed to this process, which may use {allowed:?}")),
        None => Ok(plan),
    }
}

/// The CPUs that this process may use, in order.
///
/// # Errors
/// The kernel does not say.
pub fn allowed_cpus() -> io::Result<Vec<usize>> {
    // SAFETY: an all-zero cpu_set_t is a valid empty set; the call writes at most its size.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) < 0 {
            return Err(io::Error::last_os_error());
        }
        set
    };
    // SAFETY: reads one bit of a local set; the index is below its size in bits.
    Ok((0..libc::CPU_SETSIZE as usize).filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, &set) }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_follow_the_configuration() {
        assert_eq!(plan(&Shards::Auto, &[2, 3]), Ok(vec![2, 3]));
        assert_eq!(plan(&Shards::Count(3), &[2, 3]), Ok(vec![2, 3, 2]));
        assert_eq!(plan(&Shards::Cpus(vec![3]), &[2, 3]), Ok(vec![3]));
        assert!(plan(&Shards::Cpus(vec![4]), &[2, 3]).unwrap_err().contains("CPU 4"));
        assert!(plan(&Shards::Count(SHARDS_MAX), &[0]).is_ok());
        assert!(plan(&Shards::Count(SHARDS_MAX + 1), &[0]).is_err());
    }

    #[test]
    fn this_process_has_a_cpu() {
        assert!(!allowed_cpus().unwrap().is_empty());
    }
}
