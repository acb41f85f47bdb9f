//! What a conversation waits for, for how long, and what becomes of it then.
//! Never here: the deadline of one stream, see `stage`.

use ::h2::Reason;

use crate::core::ledger::CloseReason;
use crate::core::time::Tick;
use crate::shards::course::LAST_WAIT;

use super::{Conversation, State, Stop};

/// What a connection can wait for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// The client takes nothing.
    Write,
    /// The client owes the rest of its preface, a frame or a header block.
    Rest,
    /// Nothing is asked.
    Idle,
}

impl Conversation {
    /// Ends whatever has waited too long.
    pub(super) fn look_at_deadlines(&mut self, now: Tick) -> Result<(), Stop> {
        self.places.expire(now, &mut self.exchange);
        let Some((at, wait)) = self.own_deadline() else { return Ok(()) };
        if at > now {
            return Ok(());
        }
        match wait {
            Wait::Write => return Err(Stop::AtOnce(CloseReason::Timeout)),
            Wait::Rest => {
                self.line.end_now(Reason::NO_ERROR);
                self.over(CloseReason::Timeout);
            }
            Wait::Idle => {
                let reason = match self.state {
                    State::Parting => CloseReason::Draining,
                    State::Open | State::Over(_) if self.line.client_leaves => CloseReason::ClientClosed,
                    State::Open | State::Over(_) => CloseReason::Idle,
                };
                self.line.end_now(Reason::NO_ERROR);
                self.over(reason);
            }
        }
        Ok(())
    }

    /// When the connection as a whole has waited long enough, and for what.
    fn own_deadline(&self) -> Option<(Tick, Wait)> {
        let server = &self.exchange.desk.common.service.config.server;
        let write = self.backlog.map(|backlog| (backlog.due(), Wait::Write));
        let rest = self.amid_since.map(|since| (since.after(server.head_timeout), Wait::Rest));
        let idle_timeout = match self.state {
            State::Open | State::Over(_) if !self.line.client_leaves => server.idle_timeout,
            State::Open | State::Over(_) | State::Parting => server.idle_timeout.min(LAST_WAIT),
        };
        let idle = self.is_idle().then(|| (self.since.after(idle_timeout), Wait::Idle));
        [write, rest, idle].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// Whether no stream is worked on, and no answer waits for the socket.
    pub(super) const fn is_idle(&self) -> bool {
        self.places.is_empty() && self.backlog.is_none()
    }

    /// Until when nothing needs to be looked at.
    pub(super) fn set_deadline(&mut self) {
        if self.streams_seen != self.line.streams || !self.is_idle() {
            // A stream has begun, ended or goes on; rest begins after the last one.
            self.streams_seen = self.line.streams;
            self.since = self.exchange.desk.tick();
        }
        let own = self.own_deadline().map(|(at, _)| at);
        self.transport.set_deadline(own.into_iter().chain(self.places.deadline()).min());
    }
}
