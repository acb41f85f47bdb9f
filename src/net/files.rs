//! How many descriptors this process may have.
//! Never here: raising that number; the unit file does.

use std::fs::read_to_string;
use std::os::fd::RawFd;

/// The soft limit as the kernel tells it; `RawFd::MAX` when it is higher or cannot be read.
#[must_use]
pub fn descriptors_max() -> RawFd {
    soft_limit(&read_to_string("/proc/self/limits").unwrap_or_default())
}

fn soft_limit(limits: &str) -> RawFd {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(RawFd::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_read() {
        let check = |limits: &str, expect: RawFd| assert_eq!(soft_limit(limits), expect, "{limits}");
        check(
            "Max processes 5 6 processes\nMax open files            1024                 1048576       files\n",
            1024,
        );
        check("Max open files            unlimited            unlimited            files", RawFd::MAX);
        check("", RawFd::MAX);
        assert!(descriptors_max() > 0);
    }
}
