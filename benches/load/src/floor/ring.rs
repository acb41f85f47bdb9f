//! The floor of the gateway's own mechanism: multishot accept and receive, provided buffers, deferred task run, one send.
//! Never here: a task or a future per connection.

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd};

use io_uring::{IoUring, cqueue, opcode, squeue, types};

use super::buf_ring::BufRing;
use super::conns::Conns;
use crate::args::ServerArgs;

/// Room for a receive request of every connection that is accepted in one turn.
const SUBMISSIONS: u32 = 4096;
/// Completions of one turn; the kernel keeps what overflows.
const COMPLETIONS: u32 = 8192;
const GROUP: u16 = 0;
/// Tag of the accept request; a receive is tagged with its connection.
const ACCEPT: u64 = u64::MAX;

struct Floor {
    ring: IoUring,
    bufs: BufRing,
    conns: Conns,
    listener: types::Fd,
}

/// Serves until it is killed.
pub fn serve(args: &ServerArgs) -> io::Result<()> {
    let (listener, answer) = args.start()?;
    let mut builder = IoUring::builder();
    builder.setup_cqsize(COMPLETIONS).setup_single_issuer().setup_defer_taskrun().setup_coop_taskrun();
    let ring = builder.build(SUBMISSIONS).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("cannot make an io_uring: {error}; it needs Linux 6.1 and kernel.io_uring_disabled = 0"),
        )
    })?;
    let bufs = BufRing::register(&ring, GROUP)?;
    let mut floor =
        Floor { ring, bufs, conns: Conns::new(&answer.to_bytes()), listener: types::Fd(listener.as_raw_fd()) };
    floor.submit(&opcode::AcceptMulti::new(floor.listener).build().user_data(ACCEPT))?;

    let mut batch = Vec::with_capacity(COMPLETIONS as usize);
    loop {
        match floor.ring.submit_and_wait(1) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        batch.extend(floor.ring.completion());
        for completion in batch.drain(..) {
            if completion.user_data() == ACCEPT {
                floor.accepted(&completion)?;
            } else {
                floor.received(&completion)?;
            }
        }
    }
}

impl Floor {
    fn accepted(&mut self, completion: &cqueue::Entry) -> io::Result<()> {
        if !cqueue::more(completion.flags()) {
            self.submit(&opcode::AcceptMulti::new(self.listener).build().user_data(ACCEPT))?;
        }
        if completion.result() < 0 {
            return Ok(());
        }
        // SAFETY: a successful accept hands over a new descriptor that nobody else owns.
        let stream = unsafe { TcpStream::from_raw_fd(completion.result()) };
        stream.set_nonblocking(true)?;
        let slot = self.conns.insert(stream)?;
        self.receive_on(slot)
    }

    fn received(&mut self, completion: &cqueue::Entry) -> io::Result<()> {
        let slot = completion.user_data() as usize;
        let alive = match (cqueue::buffer_select(completion.flags()), completion.result()) {
            (Some(id), len @ 1..) => {
                let outcome = self.conns.answer(slot, self.bufs.received(id, len.cast_unsigned() as usize));
                self.bufs.give_back(id);
                outcome.is_ok()
            }
            // All buffers are taken by completions of this very turn; they come back while it is worked off.
            (_, error) => error == -libc::ENOBUFS,
        };
        let armed = cqueue::more(completion.flags());
        match (alive, armed) {
            (true, true) => Ok(()),
            (true, false) => self.receive_on(slot),
            (false, true) => self.hang_up(slot),
            (false, false) => {
                self.conns.close(slot);
                Ok(())
            }
        }
    }

    /// Ends the receive request first: its last completion closes the descriptor, so that no later one can be taken for another connection's.
    fn hang_up(&self, slot: usize) -> io::Result<()> {
        match self.conns.get(slot).map(|conn| conn.stream.shutdown(std::net::Shutdown::Both)) {
            Some(Err(error)) if error.kind() != io::ErrorKind::NotConnected => Err(error),
            _ => Ok(()),
        }
    }

    fn receive_on(&mut self, slot: usize) -> io::Result<()> {
        let Some(conn) = self.conns.get(slot) else { return Ok(()) };
        let fd = types::Fd(conn.stream.as_raw_fd());
        self.submit(&opcode::RecvMulti::new(fd, GROUP).build().user_data(slot as u64))
    }

    fn submit(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        // SAFETY: accept and receive requests point to no memory of ours; buffers come from the registered ring.
        while unsafe { self.ring.submission().push(entry) }.is_err() {
            self.ring.submit()?;
        }
        Ok(())
    }
}
