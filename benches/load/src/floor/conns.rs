//! The connections of a floor and the one thing it does for them: send the same bytes as often as requests have ended.
//! Never here: how bytes arrive, which is what the two floors differ in.

use std::io::{self, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::Duration;

use super::head_ends::HeadEnds;

/// Answers that leave in one send when requests were pipelined.
const ANSWERS_PER_SEND: usize = 16;
/// A reader that takes nothing for this long loses its connection, because the floor has no queue to keep its answers in.
const SEND_WAIT: Duration = Duration::from_secs(1);

/// Connections by descriptor, and the answer.
pub struct Conns {
    conns: Vec<Option<Conn>>,
    answers: Vec<u8>,
    answer_bytes: usize,
}

pub struct Conn {
    pub stream: TcpStream,
    ends: HeadEnds,
}

impl Conns {
    pub fn new(answer: &[u8]) -> Self {
        Self { conns: Vec::new(), answers: answer.repeat(ANSWERS_PER_SEND), answer_bytes: answer.len() }
    }

    /// Takes the connection in and returns its number.
    pub fn insert(&mut self, stream: TcpStream) -> io::Result<usize> {
        stream.set_nodelay(true)?;
        let slot = stream.as_raw_fd() as usize;
        if self.conns.len() <= slot {
            self.conns.resize_with(slot + 1, || None);
        }
        self.conns[slot] = Some(Conn { stream, ends: HeadEnds::default() });
        Ok(slot)
    }

    pub fn get(&self, slot: usize) -> Option<&Conn> {
        self.conns.get(slot)?.as_ref()
    }

    pub fn close(&mut self, slot: usize) {
        self.conns[slot] = None;
    }

    /// Answers every request that ends within `bytes`. Fails when the connection is of no more use.
    pub fn answer(&mut self, slot: usize, bytes: &[u8]) -> io::Result<()> {
        let Some(conn) = self.conns.get_mut(slot).and_then(Option::as_mut) else { return Ok(()) };
        let mut left = conn.ends.count(bytes);
        while left > 0 {
            let now = left.min(ANSWERS_PER_SEND);
            send_all(&conn.stream, &self.answers[..now * self.answer_bytes])?;
            left -= now;
        }
        Ok(())
    }
}

fn send_all(mut stream: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    let sent = match stream.write(bytes) {
        Ok(sent) if sent == bytes.len() => return Ok(()),
        Ok(sent) => sent,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        Err(error) => return Err(error),
    };
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(SEND_WAIT))?;
    stream.write_all(&bytes[sent..])?;
    stream.set_nonblocking(true)
}
