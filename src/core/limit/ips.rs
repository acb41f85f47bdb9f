//! Buckets of addresses: one fixed table of atomics for the whole node, because an address has no home shard.
//! Never here: a lock, an unbounded loop, an allocation after start.
//!
//! A key and its TAT are two words, so shards can meet between the two. What that can cost, and no more:
//! - Two shards that bring in the same absent key while the set changes under them may each give it an entry. Each
//!   admits one request on its own: at most one request too many per other shard and arrival.
//! - A displaced key loses its debt, as in [`OpenIdTable`](super::OpenIdTable). It is counted.
//! - A key that has just displaced another may be taken for that one's debtor: refused until the next instruction of
//!   the shard that brought it in, or charged for requests of its predecessor, up to one bucket of its own.
//! - A request under several rules may be charged by the first and then refused by the next, if another shard emptied
//!   that bucket in between.
//! - After [`ATTEMPTS_MAX`] lost races a request is refused, and counted as contended.

use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use crate::core::fault::LimitState;
use crate::core::hash::{KeyHash, KeyHasher};
use crate::core::limit::{Buckets, Decision, Gcra, Rule, SLACK_WORDS, WAYS, WORDS_PER_SET, admit_all, sets_for};
use crate::core::time::Tick;

/// Lost races before a request is refused. Only an admission writes, so each loss means that another shard has just
/// admitted somebody of the same set; sixteen in a row happen only far above any limit.
const ATTEMPTS_MAX: usize = 16;

/// The layout of [`OpenIdTable`](super::OpenIdTable), usable from all shards at once.
pub struct IpTable {
    words: Box<[AtomicU64]>,
    /// Index of the first word that begins a cache line.
    first: usize,
    sets: usize,
    displaced: AtomicU64,
    contended: AtomicU64,
}

/// One entry as a scan saw it.
#[derive(Clone, Copy)]
struct Entry {
    way: usize,
    key: u64,
    tat: u64,
}

enum Place {
    Held(Entry),
    /// The key is absent; this entry is missed least.
    Free(Entry),
}

/// `None`: a race was lost, look again.
type Attempt = Option<Result<LimitState, LimitState>>;

/// The address as a key. IPv6 counts by /64, which is what one subscriber gets (RFC 6177 §2); an IPv4 address mapped
/// into IPv6 is that IPv4 address.
#[must_use]
pub fn ip_key(hasher: &KeyHasher, ip: IpAddr) -> KeyHash {
    match ip.to_canonical() {
        IpAddr::V4(ip) => hasher.hash(&ip.octets()),
        IpAddr::V6(ip) => hasher.hash(&ip.octets()[..8]),
    }
}

impl IpTable {
    /// Room for so many buckets that are not full, 32 bytes each, all of it resident from the start.
    #[must_use]
    pub fn new(ips_max: usize) -> Self {
        let sets = sets_for(ips_max);
        let words: Box<[AtomicU64]> = (0..sets * WORDS_PER_SET + SLACK_WORDS).map(|_| AtomicU64::new(0)).collect();
        let first = words.as_ptr().align_offset(super::LINE_BYTES).min(SLACK_WORDS);
        Self { words, first, sets, displaced: AtomicU64::new(0), contended: AtomicU64::new(0) }
    }

    /// One request of `key` (see [`ip_key`] and [`RuleId::key`](super::RuleId::key)) under `rule`.
    ///
    /// # Errors
    /// The bucket is empty, or too many races were lost; the request was not counted.
    pub fn admit(&self, key: KeyHash, rule: &Gcra, now: Tick) -> Result<LimitState, LimitState> {
        for _ in 0..ATTEMPTS_MAX {
            let attempt = match self.look_up(key) {
                Place::Held(entry) => self.charge(key, entry, rule, now),
                Place::Free(entry) => self.claim(key, entry, rule, now),
            };
            if let Some(decided) = attempt {
                return decided;
            }
        }
        self.contended.fetch_add(1, Relaxed);
        Err(rule.refusal())
    }

    /// One request of an address under all of `rules`; a refusal by one costs nothing at the others.
    ///
    /// # Errors
    /// The refusal that lasts longest.
    pub fn admit_all(&self, ip: KeyHash, rules: &[Rule], now: Tick) -> Result<Option<LimitState>, LimitState> {
        admit_all(&mut &*self, ip, rules, now)
    }

    /// Buckets forgotten before they were full again.
    #[must_use]
    pub fn displaced(&self) -> u64 {
        self.displaced.load(Relaxed)
    }

    /// Requests refused because races were lost, not because a bucket was empty.
    #[must_use]
    pub fn contended(&self) -> u64 {
        self.contended.load(Relaxed)
    }

    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.words)
    }

    fn look_up(&self, key: KeyHash) -> Place {
        let [keys, tats] = self.set(key);
        let mut free = Entry { way: 0, key: 0, tat: u64::MAX };
        for way in 0..WAYS {
            // TAT before key: a claim writes the key first, so who sees the TAT of a claim also sees its key.
            let tat = tats[way].load(SeqCst);
            let entry = Entry { way, tat, key: keys[way].load(SeqCst) };
            if entry.key == key.0 {
                return Place::Held(entry);
            }
            if tat < free.tat {
                free = entry;
            }
        }
        Place::Free(free)
    }

    fn charge(&self, key: KeyHash, entry: Entry, rule: &Gcra, now: Tick) -> Attempt {
        let [keys, tats] = self.set(key);
        let (next, state) = match rule.decide(Tick(entry.tat), now) {
            Decision::Admit { tat, state } => (tat.0, state),
            Decision::Refuse(state) => return Some(Err(state)),
        };
        swap(&tats[entry.way], entry.tat, next).ok()?;
        if keys[entry.way].load(SeqCst) == key.0 {
            return Some(Ok(state));
        }
        // Another key took the entry since the look-up and must not pay for this one. If it has built on this charge
        // already, the swap fails and the charge stays.
        let _ = swap(&tats[entry.way], next, 0);
        None
    }

    fn claim(&self, key: KeyHash, entry: Entry, rule: &Gcra, now: Tick) -> Attempt {
        let [keys, tats] = self.set(key);
        let (next, state) = match rule.decide(Tick(0), now) {
            Decision::Admit { tat, state } => (tat.0, state),
            Decision::Refuse(state) => return Some(Err(state)),
        };
        swap(&keys[entry.way], entry.key, key.0).ok()?;
        if entry.tat > now.0 {
            self.displaced.fetch_add(1, Relaxed);
        }
        let seen = match swap(&tats[entry.way], entry.tat, next) {
            Ok(()) => return Some(Ok(state)),
            Err(seen) => seen,
        };
        // Charged since the look-up: for this key by another shard, which counts, or for the previous key, whose
        // bucket may be larger than this one can ever owe.
        if rule.can_owe(Tick(seen), now) {
            return None;
        }
        swap(&tats[entry.way], seen, next).ok().map(|()| Ok(state))
    }

    fn set(&self, key: KeyHash) -> &[[AtomicU64; WAYS]; 2] {
        &self.words[self.first..].as_chunks().0.as_chunks().0[key.index(self.sets)]
    }
}

impl Buckets for &IpTable {
    fn tat(&self, key: KeyHash) -> Tick {
        match self.look_up(key) {
            Place::Held(entry) => Tick(entry.tat),
            Place::Free(_) => Tick(0),
        }
    }

    fn admit(&mut self, key: KeyHash, gcra: &Gcra, now: Tick) -> Result<LimitState, LimitState> {
        IpTable::admit(self, key, gcra, now)
    }
}

fn swap(word: &AtomicU64, from: u64, to: u64) -> Result<(), u64> {
    word.compare_exchange(from, to, SeqCst, SeqCst).map(drop)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Barrier;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::core::config::checked::Rate;
    use crate::core::limit::OpenIdTable;

    const THREADS: usize = 4;

    fn gcra(per_second: u32, burst: u32) -> Gcra {
        let (count, burst) = (NonZeroU32::new(per_second).unwrap(), NonZeroU32::new(burst).unwrap());
        Gcra::new(&Rate { count, per: Duration::from_secs(1), burst })
    }

    fn key(number: u64) -> KeyHash {
        KeyHash(number).salted(1)
    }

    /// Runs `work(thread)` on all threads at once and adds up what they return.
    fn together(work: impl Fn(usize) -> usize + Sync) -> usize {
        let (start, work) = (&Barrier::new(THREADS), &work);
        let run = |thread| {
            start.wait();
            work(thread)
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || run(thread))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        })
    }

    #[test]
    fn addresses_count_by_host_and_by_prefix() {
        let hasher = KeyHasher::new([1, 2, 3, 4]);
        let check = |one: &str, other: &str, same: bool| {
            let [one, other] = [one, other].map(|ip| ip_key(&hasher, ip.parse().unwrap()));
            assert_eq!(one == other, same);
        };
        check("203.0.113.7", "::ffff:203.0.113.7", true);
        check("203.0.113.7", "203.0.113.8", false);
        check("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true);
        check("2001:db8:1:2::1", "2001:db8:1:3::1", false);
        check("0.0.0.0", "::", false);
    }

    #[test]
    fn alone_it_decides_as_the_table_of_openids() {
        let (ips, mut openids, rule) = (IpTable::new(16), OpenIdTable::new(16), gcra(1000, 3));
        for step in 0..20_000_u64 {
            // More keys than entries: displacement must agree as well.
            let (key, now) = (key(step * step % 61), Tick(step * 40_000));
            assert_eq!(ips.admit(key, &rule, now), openids.admit(key, &rule, now));
        }
        assert!(ips.displaced() > 0);
        assert_eq!((ips.displaced(), ips.contended()), (openids.displaced(), 0));
    }

    #[test]
    fn shards_together_admit_a_burst_once() {
        for round in 0..50 {
            let (table, rule, now) = (IpTable::new(16), gcra(1, 1000), Tick(round));
            let admitted = together(|_| (0..2000).filter(|_| table.admit(key(round), &rule, now).is_ok()).count());
            assert_eq!(admitted, 1000, "one key in a quiet set is claimed once");
        }
    }

    #[test]
    fn shards_that_claim_a_set_at_once_err_by_one_request_each() {
        const KEYS: usize = 8;
        for round in 0..200 {
            let (table, rule, now) = (IpTable::new(4), gcra(1, 5), Tick(1));
            let admitted = together(|thread| {
                let order = (0..KEYS * 10).map(|step| ((step + thread) % KEYS) as u64 + round * 100);
                order.filter(|&number| table.admit(key(number), &rule, now).is_ok()).count()
            });
            let allowed = KEYS * 5;
            assert!(admitted <= allowed + KEYS * (THREADS - 1) + table.displaced() as usize * 5, "{admitted}");
            assert!(admitted + table.contended() as usize >= KEYS * 4, "{admitted}");
        }
    }

    #[test]
    fn a_key_never_inherits_a_debt_larger_than_its_own_bucket() {
        let hour = Rate { count: NonZeroU32::MIN, per: Duration::from_secs(3600), burst: NonZeroU32::MIN };
        let (table, rules) = (IpTable::new(8), [gcra(1000, 2), Gcra::new(&hour)]);
        let ask = |number: u64, now| table.admit(key(number), &rules[number as usize % 2], Tick(now));
        together(|thread| {
            (0..50_000).filter(|step| ask((step * 7 + thread as u64 * 13) % 64, step * 1000).is_ok()).count()
        });
        let two_milliseconds_later = 50_000 * 1000 + 2_000_000;
        for number in (0..64).step_by(2) {
            assert!(ask(number, two_milliseconds_later).is_ok(), "the bucket of two is full again");
        }
    }
}
