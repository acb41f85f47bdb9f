//! Single-flight: of all requests that miss the same key, one loads it and the others wait for its answer.
//! Never here: the load itself, time, or a stored value.
//!
//! Why an invalidation must reach loads as well as entries: a load reads the old row, a transaction commits the new
//! one and deletes the cache entry, and then the slow load comes back. Stored, its old row would live for a whole TTL
//! after the delete. So an invalidation detaches the flights it meets: those who wait already may get the old row (they
//! asked before the change was announced), but it is not stored, and who asks from now on starts a new load.

use hashbrown::HashTable;

use crate::core::bounds::{FLIGHT_KEYS_MAX, FLIGHT_WAITERS_MAX};
use crate::core::cache::{Generations, Key, SpaceId, Spaces};
use crate::core::hash::KeyHasher;

/// Index of a flight in its slab.
type Slot = u32;
const _: () = assert!(FLIGHT_KEYS_MAX <= Slot::MAX as usize);

/// What to do after a miss.
#[derive(Debug)]
pub enum Joined<W> {
    /// Load the key, then [finish](Flights::finish) with this ticket whatever comes of it.
    Leader(Ticket),
    /// Somebody is loading; the waiter is called when that is finished.
    Follower,
    /// Too many loads, or too many who wait for this one.
    Full(W),
}

/// The duty to finish one flight. One that is dropped leaves its followers waiting.
#[derive(Debug)]
#[must_use = "whoever leads must finish"]
pub struct Ticket(Slot);

/// A flight that has come to its end.
#[derive(Debug)]
pub struct Landed<W> {
    /// All who asked, the leader first.
    pub waiters: Vec<W>,
    pub freshness: Freshness,
}

/// Whether the loaded value may enter the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    Storable,
    /// The key was invalidated while the load was under way.
    Stale,
}

/// Loads under way on one shard; `W` is how an asker is answered.
pub struct Flights<W> {
    hasher: KeyHasher,
    /// Flights that can still be joined, by key.
    open: HashTable<Slot>,
    slab: Vec<Flight<W>>,
    free: Vec<Slot>,
    generations: Generations,
    bounds: Bounds,
}

struct Flight<W> {
    key: Box<[u8]>,
    hash: u64,
    space: SpaceId,
    /// Of its space, at the start of the load.
    generation: u32,
    standing: Standing,
    waiters: Vec<W>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Open,
    /// Invalidated: nobody joins, nothing is stored.
    Detached,
}

#[derive(Clone, Copy)]
struct Bounds {
    keys_max: usize,
    waiters_max: usize,
}

impl<W> Flights<W> {
    #[must_use]
    pub fn new(spaces: &Spaces, hasher: KeyHasher) -> Self {
        Self::bounded(spaces, hasher, Bounds { keys_max: FLIGHT_KEYS_MAX, waiters_max: FLIGHT_WAITERS_MAX })
    }

    /// `waiter` waits for `key`, which the cache has just missed.
    pub fn join(&mut self, key: Key<'_>, waiter: W) -> Joined<W> {
        let hash = self.hasher.hash(key.bytes).0;
        if let Some(slot) = self.find(hash, key.bytes) {
            let flight = &mut self.slab[slot as usize];
            if flight.generation == self.generations.of(flight.space) {
                if flight.waiters.len() >= self.bounds.waiters_max {
                    return Joined::Full(waiter);
                }
                flight.waiters.push(waiter);
                return Joined::Follower;
            }
            self.detach(slot);
        }
        if self.len() >= self.bounds.keys_max {
            return Joined::Full(waiter);
        }
        Joined::Leader(self.depart(key, hash, waiter))
    }

    /// The load of this ticket has come to its end, well or badly.
    pub fn finish(&mut self, ticket: Ticket) -> Landed<W> {
        let Ticket(slot) = ticket;
        let flight = &mut self.slab[slot as usize];
        let waiters = std::mem::take(&mut flight.waiters);
        flight.key = Box::default();
        let current = flight.generation == self.generations.of(flight.space);
        let freshness = match flight.standing {
            Standing::Open if current => Freshness::Storable,
            Standing::Open | Standing::Detached => Freshness::Stale,
        };
        self.detach(slot);
        self.free.push(slot);
        assert!(!waiters.is_empty(), "a ticket is finished once, where it was made");
        Landed { waiters, freshness }
    }

    /// The row behind `key` has changed.
    pub fn invalidate(&mut self, key: &[u8]) {
        if let Some(slot) = self.find(self.hasher.hash(key).0, key) {
            self.detach(slot);
        }
    }

    /// Rows of this space have changed.
    pub fn invalidate_space(&mut self, space: SpaceId) {
        self.generations.bump(space);
    }

    /// Loads under way, detached ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slab.len() - self.free.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn bounded(spaces: &Spaces, hasher: KeyHasher, bounds: Bounds) -> Self {
        let (open, generations) = (HashTable::new(), Generations::new(spaces));
        Self { hasher, open, slab: Vec::new(), free: Vec::new(), generations, bounds }
    }

    fn find(&self, hash: u64, key: &[u8]) -> Option<Slot> {
        self.open.find(hash, |&slot| *self.slab[slot as usize].key == *key).copied()
    }

    fn detach(&mut self, slot: Slot) {
        let flight = &mut self.slab[slot as usize];
        if flight.standing == Standing::Detached {
            return;
        }
        flight.standing = Standing::Detached;
        match self.open.find_entry(flight.hash, |&held| held == slot) {
            Ok(entry) => drop(entry.remove()),
            Err(_) => unreachable!("an open flight is in the table"),
        }
    }

    fn depart(&mut self, key: Key<'_>, hash: u64, waiter: W) -> Ticket {
        let (space, generation) = (key.space, self.generations.of(key.space));
        let (key, waiters) = (key.bytes.into(), vec![waiter]);
        let flight = Flight { key, hash, space, generation, standing: Standing::Open, waiters };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slab[slot as usize] = flight;
                slot
            }
            None => {
                self.slab.push(flight);
                (self.slab.len() - 1) as Slot
            }
        };
        self.open.insert_unique(hash, slot, |&slot| self.slab[slot as usize].hash);
        Ticket(slot)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 2] = ["product:", "products:"];

    fn flights<W>(keys_max: usize, waiters_max: usize) -> (Flights<W>, [SpaceId; 2]) {
        let spaces = Spaces::new(NAMES);
        let flights = Flights::bounded(&spaces, KeyHasher::new([1, 2, 3, 4]), Bounds { keys_max, waiters_max });
        (flights, NAMES.map(|name| spaces.id(name).unwrap()))
    }

    fn lead<W: std::fmt::Debug>(joined: Joined<W>) -> Ticket {
        match joined {
            Joined::Leader(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_loads_and_all_are_answered() {
        let (mut flights, [space, _]) = flights(4, 4);
        let key = Key { space, bytes: b"product:1" };
        let ticket = lead(flights.join(key, 'a'));
        assert!(matches!(flights.join(key, 'b'), Joined::Follower));
        let landed = flights.finish(ticket);
        assert_eq!((landed.waiters, landed.freshness), (vec!['a', 'b'], Freshness::Storable));
        assert!(flights.is_empty());
        let next = lead(flights.join(key, 'c'));
        assert_eq!(flights.finish(next).waiters, ['c']);
    }

    #[test]
    fn keys_and_waiters_are_bounded() {
        let (mut flights, [space, _]) = flights(2, 3);
        let key = |bytes| Key { space, bytes };
        let first = lead(flights.join(key(b"1"), 0));
        assert!(matches!(flights.join(key(b"1"), 1), Joined::Follower));
        assert!(matches!(flights.join(key(b"1"), 2), Joined::Follower));
        assert!(matches!(flights.join(key(b"1"), 3), Joined::Full(3)));
        let second = lead(flights.join(key(b"2"), 4));
        assert!(matches!(flights.join(key(b"3"), 5), Joined::Full(5)));
        flights.invalidate(b"2");
        assert!(matches!(flights.join(key(b"2"), 6), Joined::Full(6)), "a detached load still occupies the backend");
        assert_eq!(flights.finish(second).freshness, Freshness::Stale);
        let third = lead(flights.join(key(b"3"), 7));
        assert_eq!(flights.finish(first).waiters, [0, 1, 2]);
        assert_eq!(flights.finish(third).waiters, [7]);
    }

    #[derive(Clone, Debug)]
    enum Op {
        Join(usize),
        /// The load, counted from the oldest, reads its row.
        Read(usize),
        Finish(usize),
        Commit(usize),
        Invalidate(usize),
        InvalidateSpace(usize),
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let key = 0..KEYS;
        let op = prop_oneof![
            6 => key.clone().prop_map(Op::Join),
            2 => (0_usize..8).prop_map(Op::Read),
            4 => (0_usize..8).prop_map(Op::Finish),
            3 => key.clone().prop_map(Op::Commit),
            2 => key.prop_map(Op::Invalidate),
            1 => (0_usize..2).prop_map(Op::InvalidateSpace),
        ];
        prop::collection::vec(op, 1..200)
    }

    const KEYS: usize = 4;

    struct Load {
        ticket: Ticket,
        key: usize,
        row: u32,
        asked: usize,
    }

    /// A database of row versions, a cache, and for each key the oldest version that may still be seen.
    #[derive(Default)]
    struct World {
        rows: [u32; KEYS],
        cached: [Option<u32>; KEYS],
        oldest: [u32; KEYS],
        /// Whether a load was begun since the last invalidation and is under way.
        loading: [bool; KEYS],
        loads: Vec<Load>,
    }

    impl World {
        fn invalidate(&mut self, key: usize) {
            (self.oldest[key], self.cached[key], self.loading[key]) = (self.rows[key], None, false);
        }

        fn step(&mut self, flights: &mut Flights<u32>, spaces: [SpaceId; 2], op: &Op) {
            match *op {
                Op::Join(key) => {
                    let bytes = &[key as u8];
                    match flights.join(Key { space: spaces[key % 2], bytes }, self.oldest[key]) {
                        Joined::Leader(ticket) => {
                            assert!(!self.loading[key], "one load per key");
                            self.loading[key] = true;
                            self.loads.push(Load { ticket, key, row: self.rows[key], asked: 1 });
                        }
                        Joined::Follower => {
                            assert!(self.loading[key]);
                            self.loads.iter_mut().rfind(|load| load.key == key).unwrap().asked += 1;
                        }
                        Joined::Full(_) => unreachable!("the bounds are wide"),
                    }
                }
                Op::Read(load) => {
                    if let Some(load) = self.loads.get_mut(load) {
                        load.row = self.rows[load.key];
                    }
                }
                Op::Finish(load) if load < self.loads.len() => {
                    let Load { ticket, key, row, asked } = self.loads.remove(load);
                    let landed = flights.finish(ticket);
                    assert_eq!(landed.waiters.len(), asked);
                    assert!(landed.waiters.iter().all(|&oldest| row >= oldest), "an asker got what was gone before it");
                    let newest = self.loading[key] && self.loads.iter().skip(load).all(|later| later.key != key);
                    assert_eq!(landed.freshness == Freshness::Storable, newest);
                    if landed.freshness == Freshness::Storable {
                        assert!(row >= self.oldest[key], "an old row was put back after its delete");
                        (self.cached[key], self.loading[key]) = (Some(row), false);
                    }
                }
                Op::Finish(_) => {}
                Op::Commit(key) => self.rows[key] += 1,
                Op::Invalidate(key) => {
                    flights.invalidate(&[key as u8]);
                    self.invalidate(key);
                }
                Op::InvalidateSpace(space) => {
                    flights.invalidate_space(spaces[space]);
                    (0..KEYS).filter(|key| key % 2 == space).for_each(|key| self.invalidate(key));
                }
            }
            assert_eq!(flights.len(), self.loads.len());
        }
    }

    proptest! {
        #[test]
        fn nothing_read_before_an_invalidation_is_stored_or_given_after_it(ops in ops()) {
            let (mut flights, spaces) = flights(1000, 1000);
            let mut world = World::default();
            for op in &ops {
                world.step(&mut flights, spaces, op);
            }
        }
    }
}
