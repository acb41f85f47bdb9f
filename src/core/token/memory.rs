//! Verified access tokens, remembered so that the second request of a user costs no HMAC. One per shard.
//! Never here: a token that was not verified; a caller handed out for a text that differs in one byte.
//!
//! Full, it forgets one token per new one, by second chance (CLOCK): dropping a whole generation at once would free tens of
//! thousands of texts in one turn of the shard. A session has one entry, its newest token: a phone does not go back to
//! the one it has refreshed, and a client that collects tokens cannot fill the table with them. An entry takes about 0.7 KiB: 330 bytes of text, the caller, the indexes.

use std::sync::Arc;

use ahash::RandomState;
use hashbrown::HashTable;
use subtle::ConstantTimeEq;

use crate::core::bounds::TOKEN_BYTES_MAX;
use crate::core::ids::SessionId;
use crate::core::time::UnixSeconds;
use crate::core::token::access::Caller;

/// Entries that one insertion looks at for one that was not used since; then the last of them goes, used or not.
const SECOND_CHANCES_MAX: usize = 16;

/// Bytes of a token that are hashed. They lie within its signature, an HMAC: different for different verified tokens and
/// not to be chosen by a client, so hashing the other 300 bytes would separate nothing more.
const HASHED_BYTES: usize = 32;

pub struct TokenMemory {
    hasher: RandomState,
    count_max: usize,
    by_token: HashTable<u32>,
    by_session: HashTable<u32>,
    entries: Vec<Option<Entry>>,
    vacant: Vec<u32>,
    /// Where the search for an entry to forget goes on.
    hand: usize,
}

struct Entry {
    hash: u64,
    expires: UnixSeconds,
    text: Box<[u8]>,
    caller: Arc<Caller>,
    session: SessionId,
    used: bool,
}

impl TokenMemory {
    /// `count_max`: at least 1, at most `u32::MAX`; the checker keeps it far below.
    #[must_use]
    pub fn new(count_max: usize, hasher: RandomState) -> Self {
        assert!(count_max > 0 && u32::try_from(count_max).is_ok(), "count_max must fit an index");
        Self {
            hasher,
            count_max,
            // Twice the room: at half load a removal hardly ever leaves a tombstone, so the tables do not rehash on a request.
            by_token: HashTable::with_capacity(2 * count_max),
            by_session: HashTable::with_capacity(2 * count_max),
            entries: Vec::with_capacity(count_max),
            vacant: Vec::with_capacity(count_max),
            hand: 0,
        }
    }

    /// The caller of a token that was remembered and has not ended. Allocates nothing.
    #[inline]
    pub fn lookup(&mut self, token: &[u8], now: UnixSeconds) -> Option<Arc<Caller>> {
        let index = self.find(self.hash(token), token)?;
        let entry = self.entries[index as usize].as_mut()?;
        if now < entry.expires {
            entry.used = true;
            return Some(Arc::clone(&entry.caller));
        }
        self.remove(index);
        None
    }

    /// Keeps what [`verify`](crate::core::token::access::verify) said about `token`.
    pub fn remember(&mut self, token: &[u8], caller: Arc<Caller>) {
        assert!(token.len() <= TOKEN_BYTES_MAX, "only verified tokens are remembered, and those are short");
        let hash = self.hash(token);
        if self.find(hash, token).is_some() {
            return;
        }
        let (session, expires) = (caller.session, caller.expires);
        self.forget_session(session);
        let index = self.vacancy();
        self.entries[index as usize] = Some(Entry { hash, expires, text: token.into(), caller, session, used: false });
        let entries = &self.entries;
        self.by_token.insert_unique(hash, index, |&at| entries[at as usize].as_ref().map_or(0, |entry| entry.hash));
        self.by_session.insert_unique(session_hash(session), index, |&at| {
            entries[at as usize].as_ref().map_or(0, |entry| session_hash(entry.session))
        });
        debug_assert!(self.by_token.len() <= self.count_max && self.by_token.len() == self.by_session.len());
    }

    /// Forgets the token of a session that was closed.
    pub fn forget_session(&mut self, session: SessionId) {
        let of_session = |&at: &u32| self.entries[at as usize].as_ref().is_some_and(|entry| entry.session == session);
        if let Some(&index) = self.by_session.find(session_hash(session), of_session) {
            self.remove(index);
        }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.by_token.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_token.is_empty()
    }

    fn hash(&self, token: &[u8]) -> u64 {
        match token.last_chunk::<HASHED_BYTES>() {
            Some(tail) => self.hasher.hash_one(tail),
            None => self.hasher.hash_one(token),
        }
    }

    /// The hash only finds candidates; the whole text decides, so no collision can pass one token for another.
    fn find(&self, hash: u64, token: &[u8]) -> Option<u32> {
        let matches = |entry: &Entry| entry.hash == hash && same_text(&entry.text, token);
        self.by_token.find(hash, |&at| self.entries[at as usize].as_ref().is_some_and(matches)).copied()
    }

    /// A free index: one that was given up, one never used, or that of an entry forgotten for it.
    fn vacancy(&mut self) -> u32 {
        if let Some(index) = self.vacant.pop() {
            return index;
        }
        if self.entries.len() < self.count_max {
            self.entries.push(None);
            return (self.entries.len() - 1) as u32;
        }
        let index = self.least_deserving();
        self.detach(index);
        index
    }

    fn least_deserving(&mut self) -> u32 {
        for _ in 0..SECOND_CHANCES_MAX {
            self.hand = (self.hand + 1) % self.count_max;
            match &mut self.entries[self.hand] {
                Some(entry) if entry.used => entry.used = false,
                _ => break,
            }
        }
        self.hand as u32
    }

    fn detach(&mut self, index: u32) {
        let Some(entry) = self.entries[index as usize].take() else { return };
        remove_index(&mut self.by_token, entry.hash, index);
        remove_index(&mut self.by_session, session_hash(entry.session), index);
    }

    fn remove(&mut self, index: u32) {
        self.detach(index);
        self.vacant.push(index);
    }
}

/// Session identities are random and ours, so any 64 bits of one are a hash.
const fn session_hash(session: SessionId) -> u64 {
    session.0 as u64
}

fn remove_index(table: &mut HashTable<u32>, hash: u64, index: u32) {
    let found = table.find_entry(hash, |&at| at == index);
    debug_assert!(found.is_ok(), "both tables index every entry");
    if let Ok(entry) = found {
        entry.remove();
    }
}

/// Equal texts, in a time that tells nothing about where they differ. Words are folded before `subtle` decides: its own
/// comparison of slices goes byte by byte through an optimisation barrier, which is ten times slower at this length.
fn same_text(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let (left_words, left_rest) = left.as_chunks::<8>();
    let (right_words, right_rest) = right.as_chunks::<8>();
    let mut difference = 0;
    for (l, r) in left_words.iter().zip(right_words) {
        difference |= u64::from_ne_bytes(*l) ^ u64::from_ne_bytes(*r);
    }
    for (l, r) in left_rest.iter().zip(right_rest) {
        difference |= u64::from(l ^ r);
    }
    difference.ct_eq(&0).into()
}
