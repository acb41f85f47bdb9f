//! How many connections each address has: one fixed table of atomics for the whole node, exact as long as a set has room.
//! Never here: a lock, an allocation after start, a count that outlives its connections.
//!
//! An entry is one word, tag and count together, so it changes hands only while its count is zero. What shards that meet can
//! cost, and no more: two that bring in the same absent address at once may each give it an entry, and each admits up to
//! the bound. An address whose set is full of others is admitted uncounted.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire};

use crate::core::hash::KeyHash;

/// Entries that an address may have: two cache lines. At half load one in 2,000 addresses finds them all taken.
const WAYS: usize = 16;
/// Low bits of a word.
const COUNT_BITS: u32 = 24;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
/// Lost races before an address is admitted uncounted: each loss is a connection of another address of the same set.
const ATTEMPTS_MAX: usize = 16;

pub struct Seats {
    words: Box<[AtomicU64]>,
    /// Per address.
    max: u64,
}

/// Where a connection is counted; given back once.
#[derive(Debug, PartialEq, Eq)]
pub struct SeatIndex(u32);

/// What a connection of an address gets.
#[derive(Debug, PartialEq, Eq)]
pub enum Seated {
    At(SeatIndex),
    Uncounted,
    /// The address has as many as it may.
    Full,
}

impl Seats {
    /// Room for so many addresses, 16 bytes each, and at most `max` connections of each.
    #[must_use]
    pub fn new(addresses: usize, max: usize) -> Self {
        assert!(0 < max && (max as u64) < COUNT_MASK, "a count has {COUNT_BITS} bits");
        assert!(addresses < 1 << 30, "an index has 32 bits");
        let sets = (2 * addresses).div_ceil(WAYS).max(1);
        Self { words: (0..sets * WAYS).map(|_| AtomicU64::new(0)).collect(), max: max as u64 }
    }

    /// One more connection of this address.
    #[must_use]
    pub fn take(&self, address: KeyHash) -> Seated {
        let sets = self.words.len() / WAYS;
        let first = address.index(sets) * WAYS;
        // The index is made of the high bits, the tag of the low ones.
        let tag = address.0 << COUNT_BITS;
        for _ in 0..ATTEMPTS_MAX {
            let words = self.words[first..first + WAYS].iter().map(|word| word.load(Acquire));
            let (mut held, mut free) = (None, None);
            for (way, word) in words.enumerate() {
                match word & COUNT_MASK {
                    0 => free = free.or(Some((way, word))),
                    _ if word & !COUNT_MASK == tag => held = Some((way, word)),
                    _ => {}
                }
            }
            let (way, word, next) = match (held, free) {
                (Some((_, word)), _) if word & COUNT_MASK >= self.max => return Seated::Full,
                (Some((way, word)), _) => (way, word, word + 1),
                (None, Some((way, word))) => (way, word, tag | 1),
                (None, None) => return Seated::Uncounted,
            };
            if self.words[first + way].compare_exchange(word, next, AcqRel, Acquire).is_ok() {
                return Seated::At(SeatIndex((first + way) as u32));
            }
        }
        Seated::Uncounted
    }

    /// A connection has ended.
    pub fn give_back(&self, SeatIndex(at): SeatIndex) {
        let before = self.words[at as usize].fetch_sub(1, AcqRel);
        assert!(before & COUNT_MASK > 0, "a seat is given back once");
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn taken(seated: Seated) -> SeatIndex {
        match seated {
            Seated::At(at) => at,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_address_gets_its_bound_and_not_one_more() {
        let seats = Seats::new(64, 3);
        let (one, other) = (KeyHash(1 << 40 | 7), KeyHash(1 << 40 | 8));
        let mut held: Vec<_> = (0..3).map(|_| taken(seats.take(one))).collect();
        assert_eq!(seats.take(one), Seated::Full);
        let of_other = taken(seats.take(other));
        seats.give_back(held.pop().unwrap());
        held.push(taken(seats.take(one)));
        assert_eq!(seats.take(one), Seated::Full);
        held.into_iter().chain([of_other]).for_each(|at| seats.give_back(at));
        assert!(seats.words.iter().all(|word| word.load(Acquire) & COUNT_MASK == 0));
    }

    #[test]
    fn a_set_without_room_counts_nobody_and_refuses_nobody() {
        let seats = Seats::new(1, 1);
        let held: Vec<_> = (0..WAYS as u64).map(|number| taken(seats.take(KeyHash(number)))).collect();
        assert_eq!(seats.take(KeyHash(WAYS as u64)), Seated::Uncounted);
        assert_eq!(seats.take(KeyHash(3)), Seated::Full);
        held.into_iter().for_each(|at| seats.give_back(at));
        taken(seats.take(KeyHash(WAYS as u64)));
    }

    #[test]
    fn shards_that_come_and_go_together_leave_nothing_behind() {
        let seats = &Seats::new(8, 100);
        thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || {
                    for step in 0..20_000_u64 {
                        let seated = [step % 7, step * thread % 11].map(|address| seats.take(KeyHash(address)));
                        for seated in seated {
                            if let Seated::At(at) = seated {
                                seats.give_back(at);
                            }
                        }
                    }
                });
            }
        });
        assert!(seats.words.iter().all(|word| word.load(Acquire) & COUNT_MASK == 0));
    }
}
