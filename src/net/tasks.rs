//! The tasks of one shard. The driver polls the task of a socket itself, in the turn in which its bytes arrived; a waker is
//! needed only where something else wakes the task: another shard, a backend thread, a timer.
//! Never here: a task that runs on two threads, or twice in a turn without having been woken.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crossbeam::queue::SegQueue;

use super::doorbell::Doorbell;
use super::slots::{Key, Slots};

type Job = Pin<Box<dyn Future<Output = ()>>>;

/// Where wakers of one shard leave their word. Bounded by the number of tasks: each is in here at most once.
#[derive(Debug)]
struct Home {
    woken: SegQueue<Key>,
    doorbell: Arc<Doorbell>,
}

struct TaskWaker {
    home: Arc<Home>,
    /// Packed key, set once the task has its slot.
    key: AtomicU64,
    queued: AtomicBool,
}

/// A task, moved out of its slot while it is polled.
struct Task {
    job: Job,
    waker: Waker,
    wake_state: Arc<TaskWaker>,
}

pub(super) struct Tasks {
    slots: RefCell<Slots<Option<Task>>>,
    home: Arc<Home>,
    /// Tasks to poll in this turn.
    ready: RefCell<Vec<Key>>,
    panics: Cell<u64>,
}

impl Tasks {
    pub fn new(tasks_max: usize, doorbell: Arc<Doorbell>) -> Self {
        Self {
            slots: RefCell::new(Slots::new(tasks_max)),
            home: Arc::new(Home { woken: SegQueue::new(), doorbell }),
            ready: RefCell::default(),
            panics: Cell::new(0),
        }
    }

    pub fn len(&self) -> usize {
        self.slots.borrow().len()
    }

    pub fn is_full(&self) -> bool {
        self.slots.borrow().is_full()
    }

    /// Takes a task in and polls it in this turn or the next; `None` when the table is full, and the task is dropped.
    pub fn spawn(&self, job: Job) -> Option<Key> {
        let wake_state =
            Arc::new(TaskWaker { home: self.home.clone(), key: AtomicU64::new(0), queued: AtomicBool::new(false) });
        let task = Task { job, waker: Waker::from(wake_state.clone()), wake_state: wake_state.clone() };
        let inserted = self.slots.borrow_mut().insert(Some(task));
        // A refused task is dropped here, after the borrow: its destructors may come back.
        let key = inserted.ok()?;
        wake_state.key.store(key.pack(), Ordering::Release);
        self.ready.borrow_mut().push(key);
        Some(key)
    }

    pub fn make_ready(&self, key: Key) {
        self.ready.borrow_mut().push(key);
    }

    /// Moves what wakers left into the list of this turn.
    pub fn collect_woken(&self) {
        let mut ready = self.ready.borrow_mut();
        // Bounded by what is there now, so that tasks that wake each other do not keep the turn alive.
        for _ in 0..self.home.woken.len() {
            let Some(key) = self.home.woken.pop() else { break };
            ready.push(key);
        }
    }

    pub fn any_woken(&self) -> bool {
        !self.home.woken.is_empty() || !self.ready.borrow().is_empty()
    }

    /// Polls every ready task once. Returns how many were polled.
    pub fn run(&self, batch: &mut Vec<Key>) -> usize {
        std::mem::swap(batch, &mut self.ready.borrow_mut());
        let polled = batch.len();
        for key in batch.drain(..) {
            self.poll(key);
        }
        polled
    }

    /// Drops every task: what they hold is released by their destructors.
    pub fn clear(&self) {
        let keys: Vec<Key> = self.slots.borrow().keys().collect();
        for key in keys {
            let task = self.slots.borrow_mut().remove(key);
            drop(task);
        }
    }

    /// Tasks that panicked and were dropped. Handlers are guarded further up, so this stays zero unless the driver is wrong.
    pub const fn panics(&self) -> u64 {
        self.panics.get()
    }

    fn poll(&self, key: Key) {
        let Some(mut task) = self.slots.borrow_mut().get_mut(key).and_then(Option::take) else { return };
        task.wake_state.be_polled();
        let polled = catch_unwind(AssertUnwindSafe(|| task.job.as_mut().poll(&mut Context::from_waker(&task.waker))));
        match polled {
            Ok(Poll::Pending) => self.put_back(key, task),
            Ok(Poll::Ready(())) => self.remove(key),
            Err(cause) => {
                self.panics.set(self.panics.get() + 1);
                tracing::error!(cause = panic_text(&*cause), "a task panicked and was dropped");
                self.remove(key);
            }
        }
    }

    fn put_back(&self, key: Key, task: Task) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(key) {
            *slot = Some(task);
        }
    }

    fn remove(&self, key: Key) {
        // The task is dropped after the borrow has ended: destructors may come back here.
        let task = self.slots.borrow_mut().remove(key);
        drop(task);
    }
}

impl TaskWaker {
    /// Lets the next wake queue the task again; called before the poll, so that a wake during it is not lost.
    fn be_polled(&self) {
        // A swap, not a store: a store could become visible after the poll's first loads, and a waker in between would see
        // its word still queued while the poll misses what it did. Not queued is the usual case: the driver polls by itself.
        if self.queued.load(Ordering::Relaxed) {
            self.queued.swap(false, Ordering::AcqRel);
        }
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.home.woken.push(Key::unpack(self.key.load(Ordering::Acquire)));
            self.home.doorbell.ring_soon();
        }
    }
}

/// The text of a panic, where it has one.
#[must_use]
pub fn panic_text(cause: &(dyn Any + Send)) -> &str {
    let text = cause.downcast_ref::<&str>().copied();
    text.or_else(|| cause.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::rc::Rc;

    fn tasks(len_max: usize) -> Tasks {
        Tasks::new(len_max, Arc::new(Doorbell::new().unwrap()))
    }

    fn turn(tasks: &Tasks) -> usize {
        tasks.collect_woken();
        tasks.run(&mut Vec::new())
    }

    #[test]
    fn a_task_runs_when_spawned_and_when_woken_and_not_otherwise() {
        let tasks = tasks(4);
        let polls = Rc::new(Cell::new(0));
        let waker = Rc::new(RefCell::new(None));
        let (seen, kept) = (polls.clone(), waker.clone());
        let job = poll_fn(move |cx| {
            seen.set(seen.get() + 1);
            kept.replace(Some(cx.waker().clone()));
            if seen.get() == 3 { Poll::Ready(()) } else { Poll::Pending }
        });
        tasks.spawn(Box::pin(job)).unwrap();
        assert_eq!((turn(&tasks), turn(&tasks)), (1, 0));
        let from_elsewhere: Waker = waker.take().unwrap();
        std::thread::spawn(move || (from_elsewhere.wake_by_ref(), from_elsewhere.wake())).join().unwrap();
        assert_eq!(turn(&tasks), 1, "two wakes between two turns are one poll");
        waker.take().unwrap().wake();
        assert_eq!((turn(&tasks), tasks.len(), polls.get()), (1, 0, 3));
    }

    #[test]
    fn a_panicking_task_is_dropped_and_counted_and_others_run() {
        let tasks = tasks(4);
        let ran = Rc::new(Cell::new(false));
        let flag = ran.clone();
        tasks.spawn(Box::pin(async { panic!("told to") })).unwrap();
        tasks.spawn(Box::pin(async move { flag.set(true) })).unwrap();
        assert_eq!(turn(&tasks), 2);
        assert_eq!((tasks.panics(), tasks.len(), ran.get()), (1, 0, true));
    }

    #[test]
    fn the_table_is_bounded() {
        let tasks = tasks(1);
        assert!(tasks.spawn(Box::pin(std::future::pending())).is_some());
        assert!(tasks.is_full() && tasks.spawn(Box::pin(std::future::pending())).is_none());
        tasks.clear();
        assert_eq!(tasks.len(), 0);
    }

    #[test]
    fn the_destructor_of_a_refused_task_may_look_at_the_table() {
        struct Looks(Rc<Tasks>, Rc<Cell<usize>>);
        impl Drop for Looks {
            fn drop(&mut self) {
                self.1.set(self.0.len());
                self.0.spawn(Box::pin(std::future::pending()));
            }
        }
        let (tasks, seen) = (Rc::new(tasks(1)), Rc::new(Cell::new(0)));
        tasks.spawn(Box::pin(std::future::pending())).unwrap();
        let looks = Looks(tasks.clone(), seen.clone());
        let job = Box::pin(async move {
            let _looks = looks;
            std::future::pending().await
        });
        assert!(tasks.spawn(job).is_none());
        assert_eq!(seen.get(), 1);
    }
}
