//! Whether this kernel and this sandbox give us the io_uring that the driver needs, found out by doing it once.
//! Never here: the driver, a guess from a version number.

use std::fmt;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::{BufRingEntry, Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};

const ENTRIES: u32 = 8;
const BUFS: u16 = 8;
const BUF_BYTES: usize = 64;
const BUF_GROUP: u16 = 0;
/// Everything happens inside this process; seconds are for a machine that is starved.
const WAIT: Timespec = Timespec::new().sec(5);

/// What was found to work: single issuer, deferred task run, eventfd, provided-buffer ring, multishot accept and receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingSupport {
    /// Submission entries that the kernel gave for a small ring.
    pub sq_entries: u32,
    /// Completion entries beside them.
    pub cq_entries: u32,
}

/// The first thing that did not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingRefusal {
    pub step: Step,
    /// As in errno(3).
    pub errno: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `io_uring_setup` with `SINGLE_ISSUER` and `DEFER_TASKRUN`.
    Setup,
    /// A doorbell that wakes the shard.
    Eventfd,
    /// A ring of provided buffers.
    BufferRing,
    /// A listener and a connection on loopback.
    Loopback,
    MultishotAccept,
    MultishotReceive,
}

/// Sets up a small ring, accepts one loopback connection on it and receives from it, all in the multishot way.
///
/// # Errors
/// The first step that failed; its text says what is missing and how to allow it.
pub fn probe() -> Result<RingSupport, RingRefusal> {
    // Declared before the ring, so dropped after it.
    let mut bufs = Box::new(BufRing::EMPTY);
    let mut ring = Step::Setup.tried(
        IoUring::<squeue::Entry, cqueue::Entry>::builder().setup_single_issuer().setup_defer_taskrun().build(ENTRIES),
    )?;
    let _doorbell = Step::Eventfd.tried(register_doorbell(&ring))?;
    Step::BufferRing.tried(register_bufs(&ring, &mut bufs))?;

    let listener = Step::Loopback.tried(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let addr = Step::Loopback.tried(listener.local_addr())?;
    let accept = opcode::AcceptMulti::new(Fd(listener.as_raw_fd())).build();
    Step::MultishotAccept.tried(push(&mut ring, &accept))?;
    let mut phone = Step::Loopback.tried(TcpStream::connect(addr))?;
    let accepted = Step::MultishotAccept.tried(complete(&mut ring))?;
    // SAFETY: the result of an accept that succeeded is a new descriptor that nobody else knows.
    let conn = unsafe { OwnedFd::from_raw_fd(accepted.result()) };
    Step::MultishotAccept.tried(went_on(&accepted))?;

    let receive = opcode::RecvMulti::new(Fd(conn.as_raw_fd()), BUF_GROUP).build();
    Step::MultishotReceive.tried(push(&mut ring, &receive))?;
    Step::Loopback.tried(phone.write_all(b"!"))?;
    let received = Step::MultishotReceive.tried(complete(&mut ring))?;
    Step::MultishotReceive.tried(went_on(&received))?;
    // The end of the stream ends the receive, so that no buffer is in the kernel's hands when they are freed.
    drop(phone);
    Step::MultishotReceive.tried(complete(&mut ring))?;

    let params = ring.params();
    Ok(RingSupport { sq_entries: params.sq_entries(), cq_entries: params.cq_entries() })
}

/// One page of ring entries, as the kernel wants it aligned, and the buffers behind them.
#[repr(C, align(4096))]
struct BufRing {
    entries: [[u64; 2]; BUFS as usize],
    bytes: [[u8; BUF_BYTES]; BUFS as usize],
}

const _: () = assert!(size_of::<BufRingEntry>() == size_of::<[u64; 2]>(), "an entry of the kernel's is 16 bytes");

impl BufRing {
    const EMPTY: Self = Self { entries: [[0; 2]; BUFS as usize], bytes: [[0; BUF_BYTES]; BUFS as usize] };
}

fn register_doorbell(ring: &IoUring) -> io::Result<OwnedFd> {
    // SAFETY: no memory is passed.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: eventfd(2) just made it and nobody else knows it.
    let doorbell = unsafe { OwnedFd::from_raw_fd(fd) };
    ring.submitter().register_eventfd(doorbell.as_raw_fd())?;
    Ok(doorbell)
}

fn register_bufs(ring: &IoUring, bufs: &mut BufRing) -> io::Result<()> {
    let entries = ptr::from_mut(&mut bufs.entries).cast::<BufRingEntry>();
    // SAFETY: page-aligned memory of `BUFS` entries that outlives the ring, see `probe`.
    unsafe { ring.submitter().register_buf_ring_with_flags(entries as u64, BUFS, BUF_GROUP, 0)? };
    for (id, bytes) in (0..BUFS).zip(&mut bufs.bytes) {
        // SAFETY: `id` is below `BUFS`; the kernel reads no entry before the tail says so.
        let entry = unsafe { &mut *entries.add(usize::from(id)) };
        entry.set_addr(bytes.as_mut_ptr() as u64);
        entry.set_len(BUF_BYTES as u32);
        entry.set_bid(id);
    }
    // SAFETY: the tail lies inside the first entry, is aligned, and is shared with the kernel from here on.
    let tail = unsafe { &*BufRingEntry::tail(entries).cast::<AtomicU16>() };
    tail.store(BUFS, Ordering::Release);
    Ok(())
}

fn push(ring: &mut IoUring, entry: &squeue::Entry) -> io::Result<()> {
    // SAFETY: the entries name descriptors and a buffer group that live until `probe` has seen their completions.
    unsafe { ring.submission().push(entry) }.map_err(io::Error::other)?;
    ring.submit().map(drop)
}

/// Waits for one completion; a negative result is an error.
fn complete(ring: &mut IoUring) -> io::Result<cqueue::Entry> {
    let mut first = ring.completion().next();
    if first.is_none() {
        ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&WAIT))?;
        first = ring.completion().next();
    }
    let completion = first.ok_or(io::Error::from_raw_os_error(libc::ETIME))?;
    if completion.result() < 0 { Err(io::Error::from_raw_os_error(-completion.result())) } else { Ok(completion) }
}

/// A kernel that knows the operation but not its multishot form completes it once and stops.
fn went_on(completion: &cqueue::Entry) -> io::Result<()> {
    if cqueue::more(completion.flags()) { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EINVAL)) }
}

impl Step {
    fn tried<T>(self, outcome: io::Result<T>) -> Result<T, RingRefusal> {
        outcome.map_err(|error| RingRefusal { step: self, errno: error.raw_os_error().unwrap_or(libc::EIO) })
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Setup => "io_uring_setup with SINGLE_ISSUER and DEFER_TASKRUN",
            Self::Eventfd => "an eventfd on the ring",
            Self::BufferRing => "a ring of provided buffers",
            Self::Loopback => "a connection on 127.0.0.1",
            Self::MultishotAccept => "multishot accept",
            Self::MultishotReceive => "multishot receive",
        }
    }
}

impl RingRefusal {
    /// Step, error and most likely cause.
    #[must_use]
    pub fn summary(&self) -> String {
        let error = io::Error::from_raw_os_error(self.errno);
        format!("{} does not work: {error}: {}", self.step.name(), self.cause())
    }

    const fn cause(&self) -> &'static str {
        match (self.step, self.errno) {
            (Step::Loopback, _) => "loopback does not work in this network namespace",
            (_, libc::ENOSYS) => "the kernel is built without io_uring, or a seccomp filter hides it, as Docker's does",
            (_, libc::EPERM | libc::EACCES) => {
                "forbidden by the sysctl kernel.io_uring_disabled, by a seccomp filter (Docker, containerd, \
                 SystemCallFilter= of a unit), or by a security module"
            }
            (_, libc::ENOMEM) => "the memory lock limit is too small, or memory is short",
            (_, libc::EMFILE | libc::ENFILE) => "no file descriptor left",
            (_, libc::EINVAL | libc::EOPNOTSUPP) => "the kernel is older than Linux 6.1",
            (_, libc::ETIME) => "the kernel did not answer",
            _ => "unexpected",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn cure(&self) -> &'static str {
        match (self.step, self.errno) {
            (Step::Loopback, _) => "ip link set lo up",
            (_, libc::ENOSYS) => {
                "run Linux 6.1 or newer; in a container allow io_uring_setup, io_uring_enter and io_uring_register \
                 (docker run --security-opt seccomp=PROFILE.json)"
            }
            (_, libc::EPERM | libc::EACCES) => {
                "sysctl -w kernel.io_uring_disabled=0; in a container allow io_uring_setup, io_uring_enter and \
                 io_uring_register (docker run --security-opt seccomp=PROFILE.json)"
            }
            (_, libc::ENOMEM) => "raise it: LimitMEMLOCK=infinity in the unit, or ulimit -l unlimited",
            (_, libc::EMFILE | libc::ENFILE) => "raise it: LimitNOFILE=1048576 in the unit, or ulimit -n 1048576",
            _ => "run Linux 6.1 or newer (uname -r)",
        }
    }
}

impl fmt::Display for RingRefusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}; {}", self.summary(), self.cure())
    }
}

impl std::error::Error for RingRefusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_ends_with_a_ring_or_with_a_cure() {
        match probe() {
            Ok(support) => assert!(support.sq_entries >= ENTRIES && support.cq_entries >= support.sq_entries),
            // A sandbox without io_uring is a legal place to build; the server says the same text there.
            Err(refusal) => assert!(!refusal.to_string().contains("unexpected"), "{refusal}"),
        }
    }

    #[test]
    fn refusals_name_cause_and_cure() {
        let check = |step, errno, parts: [&str; 2]| {
            let text = RingRefusal { step, errno }.to_string();
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        };
        check(Step::Setup, libc::ENOSYS, ["seccomp filter hides it", "Linux 6.1"]);
        check(Step::Setup, libc::EPERM, ["kernel.io_uring_disabled", "sysctl -w kernel.io_uring_disabled=0"]);
        check(Step::Setup, libc::ENOMEM, ["memory lock", "LimitMEMLOCK"]);
        check(Step::Setup, libc::EINVAL, ["older than Linux 6.1", "run Linux 6.1"]);
        check(Step::Setup, libc::EMFILE, ["descriptor", "LimitNOFILE"]);
        check(Step::Loopback, libc::ENETUNREACH, ["127.0.0.1", "ip link set lo up"]);
        check(Step::MultishotAccept, libc::EINVAL, ["multishot accept", "uname -r"]);
    }

    #[test]
    fn every_step_reports_itself() {
        let refusal = Step::BufferRing.tried::<()>(Err(io::Error::from_raw_os_error(libc::EINVAL)));
        assert_eq!(refusal, Err(RingRefusal { step: Step::BufferRing, errno: libc::EINVAL }));
        let unnamed = Step::Loopback.tried::<()>(Err(io::Error::other("no number")));
        assert_eq!(unnamed, Err(RingRefusal { step: Step::Loopback, errno: libc::EIO }));
    }
}
