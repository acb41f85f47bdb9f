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
/// /proc is hidden, or says something unheard of.
pub fn allowed_cpus() -> io::Result<Vec<usize>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let cpus = list.and_then(|list| parse_list(list.trim()));
    cpus.ok_or_else(|| io::Error::other("/proc/self/status has no Cpus_allowed_list that can be read"))
}

/// `0-3,8` as the kernel writes it.
fn parse_list(list: &str) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cpus.extend(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?);
    }
    Some(cpus)
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
    fn the_kernels_lists_are_read() {
        assert_eq!(parse_list("0"), Some(vec![0]));
        assert_eq!(parse_list("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(parse_list(""), None);
        assert_eq!(parse_list("a-b"), None);
    }

    #[test]
    fn this_process_has_a_cpu() {
        assert!(!allowed_cpus().unwrap().is_empty());
    }
}
