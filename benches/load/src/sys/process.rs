//! What a process is allowed and where it runs: CPU affinity, file limit, life tied to the parent's.
//! Never here: a process that is started or killed.

use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::epoll::check;

/// Keeps the calling thread, and every thread it starts later, on these CPUs.
pub fn pin_to(cpus: &[usize]) -> io::Result<()> {
    // SAFETY: an all-zero cpu_set_t is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &cpu in cpus {
        if cpu >= libc::CPU_SETSIZE as usize {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a CPU number must be below 1024"));
        }
        // SAFETY: `cpu` is inside the set, checked above.
        unsafe { libc::CPU_SET(cpu, &mut set) };
    }
    // SAFETY: `set` is a whole cpu_set_t of the size given; 0 means the calling thread.
    check(unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) })?;
    Ok(())
}

/// Raises the limit of open files as far as it goes without privileges.
pub fn lift_file_limit() -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a whole rlimit that outlives both calls.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: as above.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })?;
    Ok(())
}

/// Timers of this thread fire when they are due; by default the kernel may add 50 µs, which an open loop would see.
pub fn exact_timers() -> io::Result<()> {
    // SAFETY: no pointers; the slack is in nanoseconds.
    check(unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1, 0, 0, 0) })?;
    Ok(())
}

/// Replaces the backlog that std chose. Calling listen again on a listening socket is how Linux changes it.
pub fn widen_backlog(listener: &TcpListener, backlog: i32) -> io::Result<()> {
    // SAFETY: no pointers; the descriptor is open while `listener` lives.
    check(unsafe { libc::listen(listener.as_raw_fd(), backlog) })?;
    Ok(())
}

/// The child will run on these CPUs and be killed when the calling thread ends, however that happens.
pub fn confine(command: &mut Command, cpus: &[usize]) {
    let cpus = cpus.to_vec();
    // SAFETY: between fork and exec the closure makes two system calls and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
            pin_to(&cpus)
        });
    }
}

/// Asks a process to end as Ctrl-C would, so that it can still print its summary.
pub fn interrupt(pid: u32) {
    // SAFETY: no pointers. The caller owns the child, so the number cannot have been given to another process.
    unsafe { libc::kill(pid.cast_signed(), libc::SIGINT) };
}
