//! What a running process has used: CPU time and memory.
//! Never here: a share of it for one thread. Everything a server does is its cost.

use std::io::{Error, ErrorKind, Result};
use std::time::Duration;

/// User and system time of all threads of a process, ended ones too. Nanoseconds, where `/proc/PID/stat` counts 10 ms ticks.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let mut clock: libc::clockid_t = 0;
    // SAFETY: `clock` outlives the call, which writes it.
    let error = unsafe { libc::clock_getcpuclockid(pid.cast_signed(), &raw mut clock) };
    if error != 0 {
        return Err(Error::from_raw_os_error(error));
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` outlives the call, which writes it.
    super::epoll::check(unsafe { libc::clock_gettime(clock, &raw mut time) })?;
    Ok(Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32))
}

/// Resident memory in KiB.
pub fn resident_kib(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    resident_of(&status).ok_or_else(|| Error::new(ErrorKind::InvalidData, format!("/proc/{pid}/status has no VmRSS")))
}

fn resident_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_from_its_line() {
        assert_eq!(resident_of("Name:\tx\nVmHWM:\t 9 kB\nVmRSS:\t   1234 kB\n"), Some(1234));
        assert_eq!(resident_of("Name:\tx\n"), None);
        assert_eq!(resident_of("VmRSS:\t1234 MB\n"), None);
    }

    #[test]
    fn cpu_time_of_this_process_grows_with_work() {
        let pid = std::process::id();
        let before = cpu_time(pid).unwrap();
        let mut sum = 0_u64;
        while cpu_time(pid).unwrap() <= before {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(resident_kib(pid).unwrap() > 0);
    }

    #[test]
    fn a_process_that_does_not_exist_is_an_error() {
        // Above the largest number that Linux ever gives out.
        let pid = (1 << 22) + 1;
        assert!(cpu_time(pid).is_err());
        assert!(resident_kib(pid).is_err());
    }
}
