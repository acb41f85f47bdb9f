//! Requests that wait for a backend or another shard, and their bound.
//! Never here: a place that is not given back, however the wait ends.

use std::rc::Rc;
use std::task::{Context, Poll};

use crate::actions::desk::Desk;
use crate::actions::{Outcome, Pending};
use crate::core::fault::{Backend, Fault};
use crate::core::ids::RequestId;
use crate::proto::reply::Reply;

use super::guard::guard;

/// A request whose answer is not here yet, in its place.
pub struct Wait {
    /// For what, as far as is known.
    pub backend: Backend,
    pending: Pending,
    _room: Room,
}

impl Wait {
    /// # Errors
    /// The answer, be it that there is one or that as many wait as may: then the work has not begun.
    pub fn begin(desk: &Rc<Desk>, outcome: Result<Outcome, Fault>) -> Result<Self, Result<Reply, Fault>> {
        match outcome {
            Ok(Outcome::Later(backend, pending)) => match Room::take(desk) {
                Some(room) => Ok(Self { backend, pending, _room: room }),
                None => Err(Err(Fault::Overloaded)),
            },
            Ok(Outcome::Now(reply)) => Err(Ok(reply)),
            Err(fault) => Err(Err(fault)),
        }
    }

    pub fn poll(&mut self, desk: &Desk, id: RequestId, cx: &mut Context<'_>) -> Poll<Result<Reply, Fault>> {
        let waits_on = &desk.front.waits_on;
        waits_on.set(self.backend);
        let polled = guard(desk, id, || Ok(self.pending.as_mut().poll(cx)));
        self.backend = waits_on.get();
        polled.unwrap_or_else(|panicked| Poll::Ready(Err(panicked)))
    }
}

/// A place among the requests that wait; dropping it gives it back, also when the connection ends first.
struct Room(Rc<Desk>);

impl Room {
    /// `None` when as many wait as may.
    fn take(desk: &Rc<Desk>) -> Option<Self> {
        let in_flight = &desk.front.in_flight;
        if in_flight.get() >= desk.common.service.config.server.in_flight_max {
            return None;
        }
        in_flight.set(in_flight.get() + 1);
        Some(Self(desk.clone()))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let in_flight = &self.0.front.in_flight;
        in_flight.set(in_flight.get() - 1);
    }
}
