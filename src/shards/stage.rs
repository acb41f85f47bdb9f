//! How far a request has come that went to another shard: what it waits for there, seen from here.
//! Never here: waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::core::fault::Backend;

/// One end is with the shard that was asked, the other with the one that asks. Nothing hangs on it but the name in a 504.
#[derive(Clone, Debug)]
pub struct Stage(Arc<AtomicU8>);

const STAGES: [Backend; 3] = [Backend::Owner, Backend::Database, Backend::Wechat];

impl Stage {
    /// On its way.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(AtomicU8::new(0)))
    }

    /// From now on it waits for this.
    pub fn reach(&self, backend: Backend) {
        let stage = STAGES.iter().position(|known| *known == backend).unwrap_or_default();
        self.0.store(stage as u8, Ordering::Relaxed);
    }

    #[must_use]
    pub fn waits_on(&self) -> Backend {
        STAGES.get(usize::from(self.0.load(Ordering::Relaxed))).copied().unwrap_or(Backend::Owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_end_reaches_the_other_sees() {
        let here = Stage::new();
        let there = here.clone();
        assert_eq!(here.waits_on(), Backend::Owner);
        for backend in [Backend::Database, Backend::Wechat, Backend::Owner] {
            there.reach(backend);
            assert_eq!(here.waits_on(), backend);
        }
    }
}
