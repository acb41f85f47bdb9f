//! A stream behind TLS: what a conversation reads and writes is plaintext, what the socket carries is not.
//! Never here: HTTP; more than one send per piece of `TLS_SEAL_BYTES_MAX`.

use crate::core::bounds::TLS_UNSENT_BYTES_MAX;
use crate::core::config::tls::Protocol;
use crate::core::time::Tick;
use crate::net::sockets::End;
use crate::net::stream::{Received, RecvError, SendError, Stream};

use super::session::Session;

pub struct TlsStream {
    pub(super) stream: Stream,
    pub(super) session: Session,
}

impl TlsStream {
    /// A session goes on with a stream, here or on another shard.
    pub const fn new(stream: Stream, session: Session) -> Self {
        Self { stream, session }
    }

    /// For a session that goes on elsewhere.
    #[must_use]
    pub fn into_parts(self) -> (Stream, Session) {
        (self.stream, self.session)
    }

    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.session.protocol()
    }

    #[must_use]
    pub fn has_client_certificate(&self) -> bool {
        self.session.has_client_certificate()
    }

    pub fn set_deadline(&self, deadline: Option<Tick>) {
        self.stream.set_deadline(deadline);
    }

    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.stream.timed_out()
    }

    /// The next plaintext. Cancelling it loses nothing.
    ///
    /// # Errors
    /// As [`Stream::recv`]; what is no TLS ends as a broken connection.
    pub async fn recv(&mut self) -> Result<Received, RecvError> {
        loop {
            if !self.session.opened.is_empty() {
                return Ok(Received::Copied(std::mem::take(&mut self.session.opened)));
            }
            if let Some(end) = self.session.end {
                self.say_end();
                return Err(RecvError::End(end));
            }
            let input = self.stream.recv().await?;
            if let Some(plain) = self.open(input) {
                return Ok(plain);
            }
        }
    }

    #[must_use]
    pub fn has_unread(&self) -> bool {
        !self.session.opened.is_empty() || self.session.is_amid_record() || self.stream.has_unread()
    }

    /// Seals and sends what the socket takes at once; answers how much plaintext was taken. Of that, one piece may stay here.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn send_now(&mut self, bytes: &[u8]) -> Result<usize, SendError> {
        let mut taken = 0;
        loop {
            self.push_out()?;
            let rest = bytes.get(taken..).unwrap_or_default();
            if self.has_unsent() || rest.is_empty() {
                return Ok(taken);
            }
            let mut scratch = self.stream.driver().scratch.borrow_mut();
            let (piece, records) = self.session.seal(rest, &mut scratch).ok_or(SendError::Broken)?;
            taken += piece;
            let sent = self.stream.send_now(records)?;
            self.session.unsent.extend_from_slice(records.get(sent..).unwrap_or_default());
            debug_assert!(self.session.unsent.len() <= TLS_UNSENT_BYTES_MAX, "nothing is sealed while something waits");
        }
    }

    #[must_use]
    pub const fn has_unsent(&self) -> bool {
        !self.session.unsent.is_empty()
    }

    /// # Errors
    /// The connection is broken, or the deadline has passed.
    pub async fn writable(&self) -> Result<(), SendError> {
        self.stream.writable().await
    }

    pub fn close_gently(mut self) {
        self.say_end();
        self.stream.close_gently();
    }

    /// Opens what was received. The plaintext takes the place of the records, in the same buffer.
    pub(super) fn open(&mut self, input: Received) -> Option<Received> {
        let mut input = match self.session.take_partial() {
            partial if partial.is_empty() => input,
            mut partial => {
                partial.extend_from_slice(&input);
                Received::Copied(partial)
            }
        };
        let driver = self.stream.driver();
        let mut scratch = driver.scratch.borrow_mut();
        scratch.plain.clear();
        let done = self.session.open(&mut input, &mut scratch.plain);
        let plain = scratch.plain.as_slice();
        if done < input.len() {
            if plain.is_empty()
                && done == 0
                && let Received::Copied(whole) = input
            {
                self.session.keep_partial(whole);
                return None;
            }
            self.session.keep_partial(input.get(done..).unwrap_or_default().to_vec());
        }
        let opened = match input.get_mut(..plain.len()) {
            _ if plain.is_empty() => None,
            Some(front) => {
                front.copy_from_slice(plain);
                input.truncate(plain.len());
                Some(input)
            }
            None => Some(Received::Copied(plain.to_vec())),
        };
        drop(scratch);
        // An answer to a key update, or an alert. What the socket does not take now goes with the next send.
        if self.push_out().is_err() {
            self.session.end = Some(End::Broken);
        }
        opened
    }

    /// Sends records that the socket had no room for.
    pub(super) fn push_out(&mut self) -> Result<(), SendError> {
        if self.session.unsent.is_empty() {
            return Ok(());
        }
        let sent = self.stream.send_now(&self.session.unsent)?;
        if sent == self.session.unsent.len() {
            // An idle connection holds nothing.
            self.session.unsent = Vec::new();
        } else {
            self.session.unsent.drain(..sent);
        }
        Ok(())
    }

    /// Tells the peer that this end is one in order, if the socket has room; nobody waits for it.
    fn say_end(&mut self) {
        if self.push_out().is_err() || self.has_unsent() {
            return;
        }
        let mut scratch = self.stream.driver().scratch.borrow_mut();
        if let Some(records) = self.session.seal_end(&mut scratch) {
            let _ = self.stream.send_now(records);
        }
    }
}
