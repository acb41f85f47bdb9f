//! The bound on requests that wait for a backend or another shard.
//! Never here: a place that is not given back, however the wait ends.

use std::rc::Rc;

use crate::actions::desk::Desk;

/// A place among the requests that wait; dropping it gives it back, also when the connection ends first.
pub struct Room(Rc<Desk>);

impl Room {
    /// `None` when as many wait as may.
    pub fn take(desk: &Rc<Desk>) -> Option<Self> {
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
