//! Which streams of a connection have something to do: a bit for each, set by its waker.
//! Never here: a wake of a task that runs anyway. The library wakes streams from within their own task.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::task::{Wake, Waker};

use crate::core::bounds::HTTP2_STREAMS_CEILING;

const WORD_BITS: usize = u64::BITS as usize;
const WORDS: usize = HTTP2_STREAMS_CEILING / WORD_BITS;
const _: () = assert!(WORDS * WORD_BITS == HTTP2_STREAMS_CEILING, "every place has its bit");

/// Shared by the task of a connection and the wakers of its streams.
pub struct Ready {
    words: [AtomicU64; WORDS],
    /// The task runs and will look at the bits before it rests.
    runs: AtomicBool,
    task: Waker,
}

struct PlaceWaker {
    ready: Arc<Ready>,
    place: usize,
}

impl Ready {
    pub fn new(task: Waker) -> Arc<Self> {
        Arc::new(Self { words: [const { AtomicU64::new(0) }; WORDS], runs: AtomicBool::new(true), task })
    }

    /// The waker of one place.
    pub fn waker(self: &Arc<Self>, place: usize) -> Waker {
        Waker::from(Arc::new(PlaceWaker { ready: self.clone(), place }))
    }

    /// The task begins to run.
    pub fn run(&self) {
        self.runs.store(true, SeqCst);
    }

    /// The task is about to rest. False when there is something to do after all.
    pub fn rest(&self) -> bool {
        // Either a waker sees that the task no longer runs and wakes it, or the bit that it has set before is seen here.
        self.runs.store(false, SeqCst);
        let rests = self.words.iter().all(|word| word.load(SeqCst) == 0);
        self.runs.store(!rests, SeqCst);
        rests
    }

    /// Takes the places that have something to do out of one word.
    pub fn take(&self) -> impl Iterator<Item = usize> + use<> {
        let words: [u64; WORDS] = std::array::from_fn(|index| match self.words[index].load(SeqCst) {
            0 => 0,
            _ => self.words[index].swap(0, SeqCst),
        });
        words.into_iter().enumerate().flat_map(|(index, mut word)| {
            std::iter::from_fn(move || {
                let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
                word &= word - 1;
                Some(index * WORD_BITS + bit)
            })
        })
    }
}

impl Wake for PlaceWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let Self { ready, place } = &**self;
        ready.words[place / WORD_BITS].fetch_or(1 << (place % WORD_BITS), SeqCst);
        if !ready.runs.load(SeqCst) {
            ready.task.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn a_task_that_runs_is_not_woken_and_one_that_rests_is() {
        let woken = Arc::new(Woken::default());
        let ready = Ready::new(Waker::from(woken.clone()));
        let last = HTTP2_STREAMS_CEILING - 1;
        for place in [0, 63, 64, last] {
            ready.waker(place).wake();
        }
        assert_eq!(woken.0.load(SeqCst), 0);
        assert!(!ready.rest(), "there is something to do");
        assert_eq!(ready.take().collect::<Vec<_>>(), [0, 63, 64, last]);
        assert_eq!(ready.take().count(), 0);
        assert!(ready.rest());
        ready.waker(5).wake();
        assert_eq!(woken.0.load(SeqCst), 1);
        ready.run();
        assert_eq!(ready.take().collect::<Vec<_>>(), [5]);
    }
}
