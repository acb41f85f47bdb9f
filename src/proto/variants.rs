//! A body in its content codings, made on first demand and kept with it, whichever shards share it.
//! Never here: a lock. Who finds a variant being made does without it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use crate::core::coding::Coding;

/// The variants of one body.
#[derive(Debug)]
pub struct Variants {
    /// By [`Coding`]; an empty one is known to be not worth keeping.
    slots: [OnceLock<Option<Box<Variant>>>; Coding::ALL.len()],
    /// Codings that somebody makes.
    claimed: AtomicU8,
    /// What all variants together may still take.
    room: AtomicUsize,
}

/// A body in one coding.
#[derive(Debug, PartialEq, Eq)]
pub struct Variant {
    pub body: Box<[u8]>,
    /// Strong, quotes included, and different from that of any other variant.
    pub etag: Box<str>,
}

/// What is known of a variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    Made,
    /// It saves nothing, or has no room.
    Useless,
    /// Somebody is making it.
    Claimed,
    Unmade,
}

impl Variants {
    /// Room for as many bytes, which whoever keeps the body has to count with it.
    #[must_use]
    pub const fn within(bytes: usize) -> Self {
        Self {
            slots: [const { OnceLock::new() }; Coding::ALL.len()],
            claimed: AtomicU8::new(0),
            room: AtomicUsize::new(bytes),
        }
    }

    #[must_use]
    pub fn get(&self, coding: Coding) -> Option<&Variant> {
        self.slot(coding).get()?.as_deref()
    }

    #[must_use]
    pub fn known(&self, coding: Coding) -> Known {
        match self.slot(coding).get() {
            Some(Some(_)) => Known::Made,
            Some(None) => Known::Useless,
            None if self.claimed.load(Ordering::Relaxed) & bit(coding) != 0 => Known::Claimed,
            None => Known::Unmade,
        }
    }

    /// Takes it upon the caller to make a variant; true for one caller until [`Variants::give_up`], and never again once the
    /// variant is kept.
    #[must_use]
    pub fn claim(&self, coding: Coding) -> bool {
        self.slot(coding).get().is_none() && self.claimed.fetch_or(bit(coding), Ordering::Relaxed) & bit(coding) == 0
    }

    /// Lets another make it.
    pub fn give_up(&self, coding: Coding) {
        self.claimed.fetch_and(!bit(coding), Ordering::Relaxed);
    }

    /// Ends a claim: the variant, or word that there is none. What finds no room is not kept.
    pub fn keep(&self, coding: Coding, variant: Option<Variant>) -> Known {
        let fits = |variant: &Variant| {
            let take = |room: usize| room.checked_sub(variant.bytes());
            self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
        };
        // Set once: a claim has one holder.
        let _ = self.slot(coding).set(variant.filter(fits).map(Box::new));
        self.known(coding)
    }

    const fn slot(&self, coding: Coding) -> &OnceLock<Option<Box<Variant>>> {
        match coding {
            Coding::Br => &self.slots[0],
            Coding::Zstd => &self.slots[1],
            Coding::Gzip => &self.slots[2],
        }
    }
}

impl Variant {
    /// Memory that it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.body.len() + self.etag.len()
    }
}

const fn bit(coding: Coding) -> u8 {
    1 << coding as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variant(bytes: usize) -> Variant {
        let etag = "\"0123456789abcdef-br5\"";
        Variant { body: vec![7; bytes - size_of::<Variant>() - etag.len()].into(), etag: etag.into() }
    }

    #[test]
    fn a_variant_is_made_by_one_and_found_by_all() {
        let variants = Variants::within(1000);
        assert_eq!(variants.known(Coding::Br), Known::Unmade);
        assert!(variants.claim(Coding::Br) && !variants.claim(Coding::Br) && variants.claim(Coding::Gzip));
        assert_eq!((variants.known(Coding::Br), variants.get(Coding::Br)), (Known::Claimed, None));
        variants.give_up(Coding::Br);
        assert_eq!(variants.known(Coding::Br), Known::Unmade);
        assert!(variants.claim(Coding::Br));
        assert_eq!(variants.keep(Coding::Br, Some(variant(400))), Known::Made);
        assert_eq!(variants.get(Coding::Br), Some(&variant(400)));
        assert_eq!(variants.keep(Coding::Gzip, None), Known::Useless);
        assert!(!variants.claim(Coding::Br) && !variants.claim(Coding::Gzip), "made once");
        assert_eq!(variants.known(Coding::Zstd), Known::Unmade);
    }

    #[test]
    fn variants_keep_to_their_room() {
        let check = |sizes: [usize; 3], expect: [Known; 3]| {
            let variants = Variants::within(1000);
            let kept = [0, 1, 2].map(|at| variants.keep(Coding::ALL[at], Some(variant(sizes[at]))));
            assert_eq!(kept, expect, "{sizes:?}");
        };
        check([400, 300, 299], [Known::Made; 3]);
        check([400, 300, 300], [Known::Made; 3]);
        check([400, 300, 301], [Known::Made, Known::Made, Known::Useless]);
        check([1001, 1000, 100], [Known::Useless, Known::Made, Known::Useless]);
    }

    #[test]
    fn threads_agree_on_one_maker() {
        let variants = Variants::within(1000);
        let makers = std::thread::scope(|scope| {
            let claim = |_| scope.spawn(|| usize::from(variants.claim(Coding::Gzip)));
            let threads: Vec<_> = (0..4).map(claim).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum::<usize>()
        });
        assert_eq!(makers, 1);
    }
}
