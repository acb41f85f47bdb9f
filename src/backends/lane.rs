//! The bounded way from the shards to one backend's thread, and the one-shot way back of each answer.
//! Never here: waiting for room. A full lane is an answer.
//!
//! tokio's channel serves both kinds of thread: one that blocks (SQLite) and one that runs tasks (WeChat).

use std::fmt;
use std::time::Instant;

use futures_channel::oneshot;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::core::fault::{Backend, Fault};
use crate::net::clock;

/// The shards' end. When the last clone is dropped, the backend finishes what it accepted and ends.
pub struct Lane<A> {
    backend: Backend,
    tx: mpsc::Sender<Accepted<A>>,
}

/// The backend's end.
#[derive(Debug)]
pub struct LaneEnd<A>(mpsc::Receiver<Accepted<A>>);

/// An ask in the lane. Its deadline counts from `at`, so that waiting in the lane is part of it.
#[derive(Debug)]
pub struct Accepted<A> {
    pub ask: A,
    pub at: Instant,
}

/// A lane for at most `items_max` waiting asks.
#[must_use]
pub fn lane<A>(backend: Backend, items_max: usize) -> (Lane<A>, LaneEnd<A>) {
    let (tx, rx) = mpsc::channel(items_max);
    (Lane { backend, tx }, LaneEnd(rx))
}

/// The outcome of an ask, awaited. Dropping the future abandons the answer, not the work.
///
/// # Errors
/// The backend's fault, or [`Fault::Internal`] when its thread dropped the ask, which is a bug of ours.
pub async fn answered<R>(answer: oneshot::Receiver<Result<R, Fault>>) -> Result<R, Fault> {
    answer.await.unwrap_or(Err(Fault::Internal))
}

impl<A> Lane<A> {
    /// Puts an ask into the lane; `make` builds it around the sender of its answer and runs only if there is room.
    ///
    /// # Errors
    /// [`Fault::Busy`] when the lane is full, [`Fault::Internal`] when the backend's thread has ended.
    pub fn ask<R>(&self, make: impl FnOnce(oneshot::Sender<R>) -> A) -> Result<oneshot::Receiver<R>, Fault> {
        match self.tx.try_reserve() {
            Ok(room) => {
                let (reply, answer) = oneshot::channel();
                room.send(Accepted { ask: make(reply), at: clock::instant() });
                Ok(answer)
            }
            Err(TrySendError::Full(())) => Err(Fault::Busy(self.backend)),
            Err(TrySendError::Closed(())) => Err(Fault::Internal),
        }
    }

    /// Asks that wait in the lane right now, for a gauge.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tx.max_capacity() - self.tx.capacity()
    }

    /// Whether both lead to the same queue.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.tx.same_channel(&other.tx)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<A> Clone for Lane<A> {
    fn clone(&self) -> Self {
        Self { backend: self.backend, tx: self.tx.clone() }
    }
}

impl<A> fmt::Debug for Lane<A> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Lane({}, {} waiting)", self.backend.name(), self.len())
    }
}

impl<A> LaneEnd<A> {
    /// The next ask, on a tokio task; `None` once the lane is empty and no shard can ask any more.
    pub async fn next(&mut self) -> Option<Accepted<A>> {
        self.0.recv().await
    }

    /// As [`LaneEnd::next`], on a thread that blocks.
    pub fn next_blocking(&mut self) -> Option<Accepted<A>> {
        self.0.blocking_recv()
    }

    /// The next ask if one waits.
    pub fn next_waiting(&mut self) -> Option<Accepted<A>> {
        self.0.try_recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ask(u32, oneshot::Sender<u32>);

    fn ask(lane: &Lane<Ask>, number: u32) -> Result<oneshot::Receiver<u32>, Fault> {
        lane.ask(|reply| Ask(number, reply))
    }

    #[test]
    fn a_full_lane_answers_busy_until_there_is_room() {
        let (lane, mut end) = lane(Backend::Database, 2);
        assert!(lane.is_empty());
        let _first = ask(&lane, 1).unwrap();
        let _second = ask(&lane, 2).unwrap();
        assert_eq!(lane.len(), 2);
        assert_eq!(ask(&lane, 3).unwrap_err(), Fault::Busy(Backend::Database));
        assert_eq!(end.next_blocking().map(|accepted| accepted.ask.0), Some(1));
        assert_eq!(lane.len(), 1);
        assert!(ask(&lane, 4).is_ok());
    }

    #[test]
    fn accepted_asks_are_answered_after_the_last_handle_is_gone() {
        let (lane, mut end) = lane(Backend::Database, 8);
        let answers: Vec<_> = (0..3).map(|number| ask(&lane.clone(), number).unwrap()).collect();
        drop(lane);
        let worker = std::thread::spawn(move || {
            while let Some(Accepted { ask: Ask(number, reply), .. }) = end.next_blocking() {
                reply.send(number * 10).unwrap();
            }
        });
        worker.join().unwrap();
        let answers: Vec<_> = answers.into_iter().map(|mut answer| answer.try_recv().unwrap()).collect();
        assert_eq!(answers, [Some(0), Some(10), Some(20)]);
    }

    #[test]
    fn a_dead_backend_is_our_fault() {
        let (lane, end) = lane::<Ask>(Backend::Wechat, 1);
        drop(end);
        assert_eq!(ask(&lane, 1).unwrap_err(), Fault::Internal);
        let (reply, answer) = oneshot::channel::<Result<u32, Fault>>();
        drop(reply);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(answered(answer)), Err(Fault::Internal));
    }
}
