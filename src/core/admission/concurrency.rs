//! How many requests of a shard may wait for one backend at a time, found by watching how long they wait.
//!
//! An adaptive limit as in Netflix' concurrency-limits, by Little's law: what a backend answers a second, times the longest
//! wait that is right, is how many may wait. Three things are different there, on purpose.
//! - Gradient2 judges the waits of those who have been answered, which tells of a queue when it has become long. Here the
//!   queue itself is looked at, forty times a second: what is in it and how fast it moves tell how long its last will wait.
//! - Gradient2 compares with a slow average of the waits themselves, which under a lasting overload rises until the overload
//!   looks normal. Here the yardstick is the wait with hardly anybody in front. It needs no probing: when the backend has
//!   become slower, waits are too long at any limit, the limit falls to its minimum, and there the yardstick is seen.
//! - Waits below a bound that users do not notice are never called too long: a database that answers in 50 µs may have a
//!   queue of a thousand.
//!
//! Little load says nothing about the limit and lifts it: no drift down while idle, and none to recover from afterwards.
//! Never here: a clock, a wait.

use std::time::Duration;

use crate::core::admission::Priority;
use crate::core::time::Tick;

/// The queue is judged so often: what comes in between is admitted unseen.
const WINDOW: Duration = Duration::from_millis(25);
/// A window with fewer answers goes on, as long as a wait may be.
const WINDOW_ANSWERS: u32 = 8;
/// After so long without anybody the limit is as at the start.
const IDLE: Duration = Duration::from_secs(1);
/// Waits may be so many times the calm one. Backends work on several asks at a time, so a queue of one costs less than twice.
const TOLERANCE: u32 = 2;
/// The limit at most doubles with each window; without trouble in sight it does.
const RISE: f64 = 2.0;
/// So many times the minimum are hardly anybody still: one good window lifts the limit that far.
const CALM_MINIMA: usize = 2;
/// Weight of one calm wait in the yardstick, and of a window of them.
const CALM_WEIGHT: f64 = 1.0 / 64.0;
const CALM_WEIGHT_MAX: f64 = 0.25;

/// What the limit moves between.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Never fewer: so many may always wait, and so many are calm.
    pub min: usize,
    pub max: usize,
    /// A wait up to this is never too long. `None`: no wait is, the limit stays at `max`.
    pub wait: Option<Duration>,
}

/// How a request ended that was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Answered,
    /// The backend's queue was full, or the backend said so.
    Refused,
    /// Nobody waits for it any more.
    Left,
}

#[derive(Debug)]
pub struct Concurrency {
    bounds: Bounds,
    limit: f64,
    in_flight: usize,
    /// Mean wait with hardly anybody in front; `None`: not seen yet.
    calm: Option<Duration>,
    window: Window,
}

#[derive(Debug, Default)]
struct Window {
    began: Tick,
    answers: u32,
    /// Waits of the answers, together.
    waited: Duration,
    /// Most in flight at a time.
    peak: usize,
    refused: bool,
}

impl Concurrency {
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        assert!(0 < bounds.min && bounds.min <= bounds.max, "somebody must be admitted: {bounds:?}");
        // Nothing speaks against the most yet.
        Self { bounds, limit: bounds.max as f64, in_flight: 0, calm: None, window: Window::default() }
    }

    /// Whether one more may wait. If so, [`Concurrency::end`] follows once.
    #[must_use]
    pub fn admit(&mut self, priority: Priority, now: Tick) -> bool {
        self.roll(now);
        // A limit of one is everybody's: a share of it would be nobody's.
        let places = (self.limit() * priority.share() / 100).max(1);
        if self.in_flight >= places {
            return false;
        }
        self.in_flight += 1;
        self.window.peak = self.window.peak.max(self.in_flight);
        true
    }

    /// One that was admitted at `began` waits no more.
    pub fn end(&mut self, began: Tick, ended: Ended, now: Tick) {
        assert!(self.in_flight > 0, "ended once, after it was admitted");
        match ended {
            Ended::Answered => {
                self.window.answers += 1;
                self.window.waited += now.since(began);
            }
            Ended::Refused => self.window.refused = true,
            Ended::Left => {}
        }
        self.roll(now);
        self.in_flight -= 1;
    }

    /// How many may wait at a time.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit as usize
    }

    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Ends the window when it says enough. Also to be called now and then while nobody comes, for the gauge.
    pub fn roll(&mut self, now: Tick) {
        let Some(wait) = self.bounds.wait else { return };
        let calm = self.calm.unwrap_or_default();
        let longest = wait.max(calm.saturating_mul(TOLERANCE));
        let lasted = now.since(self.window.began);
        let enough = self.in_flight == 0 || self.window.answers >= WINDOW_ANSWERS || lasted >= longest;
        // Answers come in waves as long as a wait: a shorter window would see a crest or a trough.
        if lasted < WINDOW.max(calm) || !enough {
            return;
        }
        let limit = if self.in_flight == 0 && lasted >= IDLE { f64::MAX } else { self.judged(lasted, longest) };
        self.limit = limit.clamp(self.bounds.min as f64, self.bounds.max as f64);
        self.learn();
        self.window = Window { began: now, peak: self.in_flight, ..Window::default() };
    }

    fn judged(&self, lasted: Duration, longest: Duration) -> f64 {
        let Window { peak, answers, refused, .. } = self.window;
        // So many of those in flight are answered within the longest wait that is right.
        let right = f64::from(answers) * longest.as_secs_f64() / lasted.as_secs_f64();
        if refused || self.in_flight as f64 > right && peak > self.bounds.min {
            return right.min(self.limit);
        }
        if peak <= self.bounds.min && self.in_flight as f64 > right {
            // The queue, if there is one, is not ours.
            return self.limit;
        }
        let rise = self.limit * RISE;
        if peak as f64 * 2.0 < self.limit { rise } else { right.clamp(self.limit, rise) }
    }

    /// Takes a window with hardly anybody in it into the yardstick.
    fn learn(&mut self) {
        let Window { answers, waited, peak, .. } = self.window;
        let Some(mean) = waited.checked_div(answers).filter(|_| peak <= CALM_MINIMA * self.bounds.min) else { return };
        let weight = (f64::from(answers) * CALM_WEIGHT).min(CALM_WEIGHT_MAX);
        self.calm = Some(self.calm.map_or(mean, |calm| calm.mul_f64(1.0 - weight) + mean.mul_f64(weight)));
    }
}

#[cfg(test)]
mod tests;
