//! Mail between shards: one bounded mailbox each, written by all, read by its shard once a turn.
//! Never here: waiting. A full mailbox is an answer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use crossbeam::queue::ArrayQueue;

use crate::actions::desk::{Desk, Job, Peers};
use crate::core::bounds::MAILBOX_ITEMS_MAX;
use crate::core::fault::{Backend, Fault};
use crate::core::ids::ShardId;
use crate::net::doorbell::Doorbell;
use crate::net::tasks::panic_text;

/// Where others leave work for one shard.
pub struct Mailbox {
    jobs: ArrayQueue<Job>,
    doorbell: Arc<Doorbell>,
}

/// All mailboxes of the node, seen from one shard.
#[derive(Clone)]
pub struct Mesh {
    boxes: Arc<[Mailbox]>,
    me: ShardId,
}

impl Mailbox {
    #[must_use]
    pub fn new(doorbell: Arc<Doorbell>) -> Self {
        Self { jobs: ArrayQueue::new(MAILBOX_ITEMS_MAX), doorbell }
    }

    #[must_use]
    pub const fn doorbell(&self) -> &Arc<Doorbell> {
        &self.doorbell
    }
}

impl Mesh {
    #[must_use]
    pub const fn new(boxes: Arc<[Mailbox]>, me: ShardId) -> Self {
        Self { boxes, me }
    }

    /// Whether anything waits for this shard.
    #[must_use]
    pub fn has_mail(&self) -> bool {
        self.mine().is_some_and(|mailbox| !mailbox.jobs.is_empty())
    }

    /// Does what waits for this shard by now; what arrives meanwhile waits for the next turn.
    pub fn work_off(&self, desk: &Rc<Desk>) {
        let Some(mailbox) = self.mine() else { return };
        for _ in 0..mailbox.jobs.len() {
            let Some(job) = mailbox.jobs.pop() else { return };
            // One job is one request's affair: it must not take the shard, and with it all others, along.
            if let Err(cause) = catch_unwind(AssertUnwindSafe(|| job(desk))) {
                desk.ledger.panics.one();
                tracing::error!(cause = panic_text(&*cause), "a job of another shard panicked");
            }
        }
    }

    fn mine(&self) -> Option<&Mailbox> {
        self.boxes.get(usize::from(self.me.0))
    }
}

impl Peers for Mesh {
    fn post(&self, to: ShardId, job: Job) -> Result<(), Fault> {
        let mailbox = self.boxes.get(usize::from(to.0)).ok_or(Fault::Internal)?;
        mailbox.jobs.push(job).map_err(|_| Fault::Busy(Backend::Owner))?;
        mailbox.doorbell.ring_soon();
        Ok(())
    }

    fn count(&self) -> u16 {
        self.boxes.len() as u16
    }
}
