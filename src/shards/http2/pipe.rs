//! The wire as the HTTP/2 library sees it: bytes that were received wait here for it, and what it writes is collected
//! here until the turn is over. So one turn of a connection costs one send, and one train of TLS records.
//! Never here: a socket, a wait. Who finds nothing or no room is told so and is asked again.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::core::bounds::HTTP2_OUT_BYTES_MAX;

/// One end, shared with the library. The lock is never contended: both sides are one task. It is there because a
/// connection that rests may go to another thread.
#[derive(Clone)]
pub struct Pipe(Arc<Mutex<Ends>>);

#[derive(Default)]
pub struct Ends {
    inbound: Vec<u8>,
    /// How much of `inbound` the library has taken.
    taken: usize,
    pub outbound: Vec<u8>,
    /// The library had more to write than there was room for.
    pub is_full: bool,
}

impl Pipe {
    pub fn new() -> Self {
        Self(Arc::default())
    }

    /// Both ends, for a statement.
    pub fn ends(&self) -> MutexGuard<'_, Ends> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ends {
    /// Whether the library has taken everything.
    pub fn is_drained(&self) -> bool {
        self.taken == self.inbound.len()
    }

    /// Lays bytes out for the library, in `buf`. What was there before must have been taken.
    pub fn feed(&mut self, buf: Vec<u8>) {
        debug_assert!(self.is_drained(), "bytes are received once those before them are read");
        (self.inbound, self.taken) = (buf, 0);
    }

    /// What was laid out last, read or not.
    pub fn fed(&self) -> &[u8] {
        &self.inbound
    }

    /// The buffer that the library has read to its end.
    pub fn take_drained(&mut self) -> Vec<u8> {
        debug_assert!(self.is_drained(), "bytes that nobody has read");
        self.taken = 0;
        std::mem::take(&mut self.inbound)
    }

    fn room(&mut self) -> usize {
        let room = HTTP2_OUT_BYTES_MAX.saturating_sub(self.outbound.len());
        self.is_full |= room == 0;
        room
    }
}

impl AsyncRead for Pipe {
    /// Nothing to read is never the end: the task that feeds the pipe ends the connection by itself.
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut ends = self.ends();
        let rest = ends.inbound.get(ends.taken..).unwrap_or_default();
        if rest.is_empty() {
            return Poll::Pending;
        }
        let len = rest.len().min(buf.remaining());
        buf.put_slice(rest.get(..len).unwrap_or_default());
        ends.taken += len;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut ends = self.ends();
        let room = ends.room();
        if room == 0 {
            return Poll::Pending;
        }
        let len = room.min(bytes.len());
        ends.outbound.extend_from_slice(bytes.get(..len).unwrap_or_default());
        Poll::Ready(Ok(len))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut ends = self.ends();
        let mut room = ends.room();
        if room == 0 {
            return Poll::Pending;
        }
        let before = ends.outbound.len();
        for part in parts {
            let len = room.min(part.len());
            ends.outbound.extend_from_slice(part.get(..len).unwrap_or_default());
            room -= len;
        }
        Poll::Ready(Ok(ends.outbound.len() - before))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// What is written leaves when the turn is over.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_in_their_order_and_then_there_are_none() {
        let mut pipe = Pipe::new();
        pipe.ends().feed(b"hello".to_vec());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        for expect in [&b"hel"[..], b"lo"] {
            let mut space = [0; 3];
            let mut buf = ReadBuf::new(&mut space);
            assert!(Pin::new(&mut pipe).poll_read(&mut cx, &mut buf).is_ready());
            assert_eq!(buf.filled(), expect);
        }
        assert!(Pin::new(&mut pipe).poll_read(&mut cx, &mut ReadBuf::new(&mut [0; 3])).is_pending());
        let mut ends = pipe.ends();
        assert!(ends.is_drained());
        assert_eq!(ends.take_drained(), b"hello");
    }

    #[test]
    fn no_more_is_written_than_there_is_room_for() {
        let mut pipe = Pipe::new();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut write = |len: usize| match Pin::new(&mut pipe).poll_write(&mut cx, &vec![0; len]) {
            Poll::Ready(Ok(written)) => Some(written),
            _ => None,
        };
        assert_eq!(write(HTTP2_OUT_BYTES_MAX - 1), Some(HTTP2_OUT_BYTES_MAX - 1));
        assert_eq!((write(2), write(1)), (Some(1), None));
        let ends = pipe.ends();
        assert!(ends.is_full);
        assert_eq!(ends.outbound.len(), HTTP2_OUT_BYTES_MAX);
    }
}
