//! A place among the requests that wait for a backend: taken before the backend is asked, given back however the wait ends.
//! Never here: a backend that is asked without one.

use crate::actions::desk::Desk;
use crate::core::admission::concurrency::Ended;
use crate::core::admission::{Priority, Resource};
use crate::core::fault::Fault;
use crate::core::ledger::refusals::Short;
use crate::core::time::Tick;

/// Dropping it says that nobody waits any more.
pub struct Place<'d> {
    desk: &'d Desk,
    resource: Resource,
    began: Tick,
    ended: Ended,
}

impl<'d> Place<'d> {
    /// # Errors
    /// `Shed`: as many of this priority wait already as still get their answers in time.
    pub fn take(desk: &'d Desk, resource: Resource, priority: Priority) -> Result<Self, Fault> {
        let began = desk.tick();
        let admitted = desk.admission.borrow_mut().of(resource).admit(priority, began);
        if admitted {
            Ok(Self { desk, resource, began, ended: Ended::Left })
        } else {
            Err(shed(desk, Short::Places(resource), priority))
        }
    }

    /// The wait is over, with this.
    pub fn give_back<T>(mut self, result: Result<T, Fault>) -> Result<T, Fault> {
        self.ended = match result {
            Err(Fault::Busy(_)) => Ended::Refused,
            Ok(_) | Err(_) => Ended::Answered,
        };
        result
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Self { desk, resource, began, ended } = *self;
        desk.admission.borrow_mut().of(resource).end(began, ended, desk.tick());
    }
}

/// A refusal, counted.
#[must_use]
pub fn shed(desk: &Desk, short: Short, priority: Priority) -> Fault {
    desk.ledger.overloads.shed(short, priority);
    Fault::Shed
}
