//! The streams of a connection that wait for something: a bounded table, each place with a waker of its own, so that a turn
//! looks only at those that have something to do.
//! Never here: what a stream does, see `exchange`.

use std::sync::Arc;
use std::task::{Context, Waker};

use crate::core::time::Tick;

use super::exchange::Exchange;
use super::ready::Ready;
use super::stage::Stage;

pub struct Places {
    places: Vec<Option<Stage>>,
    /// Made once a place, used again.
    wakers: Vec<Waker>,
    taken: usize,
    places_max: usize,
    /// Made when the first stream has to wait: most connections never need it.
    ready: Option<Arc<Ready>>,
}

impl Places {
    pub const fn new(places_max: usize) -> Self {
        Self { places: Vec::new(), wakers: Vec::new(), taken: 0, places_max, ready: None }
    }

    pub const fn is_empty(&self) -> bool {
        self.taken == 0
    }

    pub const fn is_full(&self) -> bool {
        self.taken == self.places_max
    }

    /// The task begins to run.
    pub fn run(&self) {
        if let Some(ready) = &self.ready {
            ready.run();
        }
    }

    /// The task is about to rest. False when a stream has something to do after all.
    pub fn rest(&self) -> bool {
        self.ready.as_ref().is_none_or(|ready| ready.rest())
    }

    /// Takes a stream in and looks at it once, so that it knows whom to wake. `task` is the connection's.
    pub fn add(&mut self, stage: Stage, exchange: &mut Exchange, task: &Waker) {
        let place = self.places.iter().position(Option::is_none).unwrap_or(self.places.len());
        if place == self.places.len() {
            let ready = self.ready.get_or_insert_with(|| Ready::new(task.clone()));
            self.wakers.push(ready.waker(place));
            self.places.push(None);
        }
        self.taken += 1;
        self.go_on(place, stage, exchange);
    }

    /// Goes on with the streams that were woken. False when there were none.
    pub fn go_on_ready(&mut self, exchange: &mut Exchange) -> bool {
        // Also with no place taken: a stream may have been woken and then given up, and its bit would never be at rest.
        let Some(ready) = &self.ready else { return false };
        let mut any = false;
        for place in ready.take() {
            if let Some(stage) = self.places.get_mut(place).and_then(Option::take) {
                any = true;
                self.go_on(place, stage, exchange);
            }
        }
        any
    }

    /// Ends the waits whose deadline has passed.
    pub fn expire(&mut self, now: Tick, exchange: &mut Exchange) {
        for place in 0..self.places.len() {
            let due = self.places.get_mut(place).and_then(|slot| slot.take_if(|stage| stage.deadline() <= now));
            match due.map(|stage| exchange.expire(stage)) {
                None => {}
                Some(None) => self.taken -= 1,
                Some(Some(stage)) => self.go_on(place, stage, exchange),
            }
        }
    }

    /// The first deadline of all.
    pub fn deadline(&self) -> Option<Tick> {
        if self.is_empty() {
            return None;
        }
        self.places.iter().flatten().map(Stage::deadline).min()
    }

    /// `place` is empty, and counted as taken.
    fn go_on(&mut self, place: usize, stage: Stage, exchange: &mut Exchange) {
        let waker = self.wakers.get(place).unwrap_or(Waker::noop());
        let next = exchange.go_on(stage, &mut Context::from_waker(waker));
        if next.is_none() {
            self.taken -= 1;
        }
        if let Some(slot) = self.places.get_mut(place) {
            *slot = next;
        }
    }
}
