//! How an idle shard sleeps: in its own ring, until a completion, its doorbell or the next timer.
//! Never here: a sleep that a message, a completion or a timer cannot end.

use io_uring::{opcode, types};

use super::doorbell::Doorbell;
use super::driver::{Hooks, Inner};
use super::ring::Op;
use super::slots::Key;

impl Inner {
    /// Watches the doorbell. Every ring of it wakes the multishot poll, so its count is never read.
    pub(super) fn watch_doorbell(&self) {
        let watch = opcode::PollAdd::new(types::Fd(self.doorbell.fd()), libc::POLLIN as u32).multi(true).build();
        self.ring.borrow_mut().push(Op::Doorbell, Key::unpack(0), watch);
    }

    /// Sleeps until something happens. The thread sleeps with it: the driver is the only task of its executor.
    pub(super) fn sleep(&self, hooks: &impl Hooks) {
        let doorbell: &Doorbell = &self.doorbell;
        doorbell.park();
        // Looked at again after `park`: whoever left a message before did not ring.
        if !hooks.has_mail() && !self.tasks.any_woken() && self.touched.borrow().is_empty() {
            let next = self.timers.borrow().next();
            let wait = next.map(|at| at.since(self.clock.refresh_tick()));
            self.ring.borrow_mut().wait(wait);
            self.lag.rested(self.clock.refresh_tick());
        }
        doorbell.unpark();
    }
}
