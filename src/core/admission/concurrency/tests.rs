//! The limit against backends that are simulated: fast, slow, stuck, and slower than before.

use std::collections::VecDeque;

use super::*;

const MS: u64 = 1_000_000;
const MIN: usize = 8;
const MAX: usize = 4096;

/// A backend that works on one ask at a time, in their order, and the requests that come to it.
struct Bench {
    limit: Concurrency,
    now: u64,
    /// When each was admitted.
    queue: VecDeque<u64>,
    /// The backend is busy with the first of the queue until then.
    until: u64,
    next_arrival: u64,
    served: usize,
    shed: usize,
    longest: u64,
}

impl Bench {
    fn new(wait: Duration) -> Self {
        Self {
            limit: Concurrency::new(Bounds { min: MIN, max: MAX, wait: Some(wait) }),
            now: 0,
            queue: VecDeque::new(),
            until: 0,
            next_arrival: 0,
            served: 0,
            shed: 0,
            longest: 0,
        }
    }

    /// Requests every `gap` for `lasts`, each of which takes the backend `work`.
    fn load(&mut self, gap: u64, work: u64, lasts: u64) -> &mut Self {
        (self.served, self.shed, self.longest) = (0, 0, 0);
        self.next_arrival = self.next_arrival.max(self.now);
        let end = self.now + lasts;
        while self.now < end {
            let done = if self.queue.is_empty() { u64::MAX } else { self.until };
            self.now = done.min(self.next_arrival);
            if done <= self.next_arrival {
                self.answer(work);
            } else {
                self.arrive(gap, work);
            }
        }
        self
    }

    fn arrive(&mut self, gap: u64, work: u64) {
        self.next_arrival = self.now + gap;
        if !self.limit.admit(Priority::Core, Tick(self.now)) {
            self.shed += 1;
            return;
        }
        if self.queue.is_empty() {
            self.until = self.now + work;
        }
        self.queue.push_back(self.now);
    }

    fn answer(&mut self, work: u64) {
        let began = self.queue.pop_front().expect("the backend works on something");
        self.limit.end(Tick(began), Ended::Answered, Tick(self.now));
        self.served += 1;
        self.longest = self.longest.max(self.now - began);
        self.until = self.now + work;
    }
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn load_that_fits_is_never_refused() {
    let mut bench = Bench::new(ms(50));
    bench.load(MS, MS * 9 / 10, 20_000 * MS);
    assert_eq!((bench.shed, bench.limit.limit()), (0, MAX));
}

/// The promise of the whole: five times what the backend can do.
#[test]
fn an_overload_is_shed_without_idling_the_backend_and_waits_stay_short() {
    let mut bench = Bench::new(ms(50));
    bench.load(MS / 5, MS, 10_000 * MS);
    assert!(bench.served >= 9_900, "goodput {}", bench.served);
    assert!(bench.longest <= 3 * 50 * MS, "{} ns", bench.longest);
    assert!(bench.shed > 39_000, "{}", bench.shed);
}

#[test]
fn after_an_overload_nothing_is_refused_within_seconds() {
    let mut bench = Bench::new(ms(50));
    bench.load(MS / 5, MS, 10_000 * MS);
    bench.load(2 * MS, MS, 1500 * MS);
    assert_eq!(bench.load(2 * MS, MS, 1000 * MS).shed, 0);
    assert_eq!(bench.limit.limit(), MAX, "and a burst would find room");
}

#[test]
fn silence_lifts_the_limit_and_forgets_nothing() {
    let mut bench = Bench::new(ms(50));
    bench.load(MS / 5, MS, 5000 * MS);
    let low = bench.limit.limit();
    assert!(low < 200, "{low}");
    while !bench.queue.is_empty() {
        bench.now = bench.until;
        bench.answer(MS);
    }
    for second in 1..=12 {
        let now = Tick(bench.now + second * 100 * MS);
        assert!(bench.limit.admit(Priority::Core, now));
        bench.limit.end(now, Ended::Answered, now);
    }
    assert_eq!(bench.limit.limit(), MAX);
}

/// A stuck backend answers nobody: there is no wait to judge, but the queue does not move.
#[test]
fn a_stuck_backend_is_noticed() {
    let mut limit = Concurrency::new(Bounds { min: MIN, max: MAX, wait: Some(ms(50)) });
    let admitted = (0..5000).filter(|step| limit.admit(Priority::Core, Tick(step * MS))).count();
    assert_eq!((admitted, limit.limit()), (50, MIN));
}

/// A backend that has become slower than every bound is slow, not overloaded: its minimum shows that, and work goes on.
#[test]
fn a_backend_that_became_slow_is_used_again() {
    let mut bench = Bench::new(ms(50));
    bench.load(2 * MS, MS, 5000 * MS);
    // 200 ms each, but many at a time: simulated as answers that come 200 ms after they were asked for.
    let limit = &mut bench.limit;
    let mut flying: VecDeque<u64> = VecDeque::new();
    let (mut now, mut served) = (bench.now + 1000 * MS, 0);
    let end = now + 30_000 * MS;
    while now < end {
        now += MS;
        if limit.admit(Priority::Core, Tick(now)) {
            flying.push_back(now);
        }
        while flying.front().is_some_and(|began| now - began >= 200 * MS) {
            let began = flying.pop_front().unwrap();
            limit.end(Tick(began), Ended::Answered, Tick(now));
            served += usize::from(end - now < 10_000 * MS);
        }
    }
    assert!(served > 9000, "{served} of the last 10,000");
}

#[test]
fn priorities_fill_their_shares() {
    let mut limit = Concurrency::new(Bounds { min: 100, max: 100, wait: Some(ms(50)) });
    let mut fill = |priority| (0..200).filter(|_| limit.admit(priority, Tick(1))).count();
    assert_eq!(Priority::ALL.map(&mut fill), [70, 15, 15]);
    let mut one = Concurrency::new(Bounds { min: 1, max: 1, wait: Some(ms(50)) });
    assert!(one.admit(Priority::Secondary, Tick(1)));
    assert!(!one.admit(Priority::Core, Tick(1)));
}

#[test]
fn refusals_of_the_backend_cut_and_clients_that_leave_do_not() {
    let limits = |ended: Ended| {
        let mut limit = Concurrency::new(Bounds { min: MIN, max: MAX, wait: Some(ms(50)) });
        for step in 1..100 {
            let now = Tick(step * 30 * MS);
            while limit.in_flight() < MIN * 4 && limit.admit(Priority::Core, now) {}
            while limit.in_flight() > 0 {
                limit.end(now, ended, now);
            }
        }
        limit.limit()
    };
    assert_eq!(limits(Ended::Refused), MIN);
    assert_eq!(limits(Ended::Left), MAX);
}

#[test]
fn without_a_bound_the_limit_is_the_most() {
    let mut limit = Concurrency::new(Bounds { min: 1, max: 4, wait: None });
    for step in 0..1000 {
        let now = Tick(step * 1000 * MS);
        assert!((0..4).all(|_| limit.admit(Priority::Core, now)) && !limit.admit(Priority::Core, now));
        (0..4).for_each(|_| limit.end(now, Ended::Answered, now.after(ms(999))));
    }
}
