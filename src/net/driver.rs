//! The driver: one turn submits what is queued, takes what has completed, fires timers, and polls the tasks concerned.
//! Never here: a blocking call, a task polled outside of `turn`, a buffer of the kernel kept past the end of a turn.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::core::time::Tick;

use super::bufs::BufPool;
use super::clock::{Clock, ClockZero};
use super::doorbell::Doorbell;
use super::lag::Lag;
use super::listener::Listener;
use super::ring::{Completion, Op, Ring};
use super::slots::{Key, Slots};
use super::sockets::{DeadlineCheck, Owner, Socket};
use super::stream::Stream;
use super::tasks::Tasks;
use super::timers::{Due, Timers};
use super::tls::Scratch as TlsScratch;

/// Bounds of one driver.
#[derive(Clone, Copy, Debug)]
pub struct DriverLimits {
    pub sockets_max: usize,
    /// Tasks without a socket: requests that other shards asked for, housekeeping.
    pub background_tasks_max: usize,
}

/// What the layer above does within a turn.
pub trait Hooks {
    /// Handles messages from other threads; called once a turn, before tasks are polled.
    fn receive(&self);
    /// Whether `receive` would find something.
    fn has_mail(&self) -> bool;
    /// Something that became ready `lag` ago has its turn now.
    fn lagged(&self, lag: Duration, now: Tick);
    /// The turn is over and took from `began` to `ended`.
    fn turn_ended(&self, began: Tick, ended: Tick);
}

/// A handle to the driver of this thread.
#[derive(Clone)]
pub struct Driver {
    pub(super) inner: Rc<Inner>,
}

pub(super) struct Inner {
    /// Before `bufs`: the kernel lets go of the buffers when the ring goes.
    pub ring: RefCell<Ring>,
    pub bufs: Rc<BufPool>,
    pub sockets: RefCell<Slots<Socket>>,
    pub listeners: RefCell<Slots<Listener>>,
    pub timers: RefCell<Timers>,
    pub tasks: Tasks,
    pub lag: Lag,
    pub clock: Clock,
    pub doorbell: Arc<Doorbell>,
    /// Sockets to look at when the tasks of this turn have run.
    pub touched: RefCell<Vec<Key>>,
    /// For sessions of TLS, one at a time.
    pub scratch: RefCell<TlsScratch>,
    stopping: Cell<bool>,
}

/// Most listeners per shard: the front door, a redirect door, one to spare for a hand-over.
const LISTENERS_MAX: usize = 8;

impl Driver {
    /// Builds the ring on the calling thread, which must stay its only user.
    ///
    /// # Errors
    /// The host refuses the ring or its buffers; `net::probe` says why and what to do.
    pub fn new(limits: DriverLimits, doorbell: Arc<Doorbell>, zero: ClockZero) -> io::Result<Self> {
        let ring = Ring::new()?;
        let bufs = Rc::new(BufPool::new());
        bufs.register(ring.uring())?;
        let inner = Inner {
            ring: RefCell::new(ring),
            bufs,
            sockets: RefCell::new(Slots::new(limits.sockets_max)),
            listeners: RefCell::new(Slots::new(LISTENERS_MAX)),
            timers: RefCell::new(Timers::new()),
            tasks: Tasks::new(limits.sockets_max + limits.background_tasks_max, doorbell.clone()),
            lag: Lag::new()?,
            clock: Clock::new(zero),
            doorbell,
            touched: RefCell::default(),
            scratch: RefCell::default(),
            stopping: Cell::new(false),
        };
        Ok(Self { inner: Rc::new(inner) })
    }

    /// The clock of this shard, refreshed at the start of every turn.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Starts a task without a socket. False when the table is full; the task is dropped then.
    pub fn spawn(&self, job: impl Future<Output = ()> + 'static) -> bool {
        self.inner.tasks.spawn(Box::pin(job)).is_some()
    }

    /// Gives a connected socket to a task of its own. `first` are bytes that were received elsewhere.
    /// The descriptor comes back when a table is full.
    pub fn serve<F>(&self, fd: OwnedFd, first: Vec<u8>, job: impl FnOnce(Stream) -> F) -> Result<(), OwnedFd>
    where
        F: Future<Output = ()> + 'static,
    {
        if self.inner.tasks.is_full() {
            return Err(fd);
        }
        let mut socket = Socket::new(fd, Owner::Closing);
        socket.backlog = first;
        let key = self.inner.sockets.borrow_mut().insert(socket).map_err(|socket| socket.fd)?;
        let stream = Stream::new(self.inner.clone(), key);
        let task = self.inner.tasks.spawn(Box::pin(job(stream))).expect("the table had room above");
        self.inner.with_socket(key, |socket| socket.owner = Owner::Task(task));
        self.inner.touched.borrow_mut().push(key);
        Ok(())
    }

    /// Sockets open on this shard, those that only linger included.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.inner.sockets.borrow().len()
    }

    /// Tasks on this shard, those of connections included.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.inner.tasks.len()
    }

    /// Doors that are open or still handing over what they had accepted.
    #[must_use]
    pub fn doors(&self) -> usize {
        self.inner.listeners.borrow().len()
    }

    /// Ends every wait for bytes once, with `RecvError::Interrupted`: the tasks look around and decide.
    pub fn interrupt_waits(&self) {
        let keys: Vec<Key> = self.inner.sockets.borrow().keys().collect();
        for key in keys {
            self.inner.interrupt(key);
        }
    }

    /// Tasks that panicked outside of every guard.
    #[must_use]
    pub fn task_panics(&self) -> u64 {
        self.inner.tasks.panics()
    }

    /// Waits for `wait`, to the precision of a turn. When too many sleep already it stays awake and looks every turn: a loop
    /// round a sleep must never become a loop within one turn.
    pub async fn sleep(&self, wait: Duration) {
        let until = self.inner.clock.now().tick.after(wait);
        let mut key = None;
        poll_fn(|cx| {
            if self.inner.clock.now().tick >= until {
                return Poll::Ready(());
            }
            if key.is_none() {
                key = self.inner.timers.borrow_mut().sleep(until, cx.waker());
            }
            if key.is_none() {
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await;
    }

    /// Ends `run` after the present turn; tasks that still exist are dropped and their sockets closed.
    pub fn stop(&self) {
        self.inner.stopping.set(true);
        self.inner.doorbell.ring();
    }

    /// Turns until `stop`, sleeping in between when there is nothing to do. Takes the thread: the driver is the only task
    /// of its executor, because an executor that decides when the driver may run also decides how late a wake arrives.
    pub fn run(&self, hooks: &impl Hooks) {
        self.inner.watch_doorbell();
        self.inner.watch_mark();
        Doorbell::defer_rings();
        let mut scratch = Scratch::default();
        while !self.inner.stopping.get() {
            if self.inner.turn(hooks, &mut scratch) == Turn::FoundNothing {
                self.inner.sleep(hooks);
            }
        }
        // Doors and tasks hold this driver: without this nobody would ever be freed.
        self.inner.listeners.replace(Slots::new(LISTENERS_MAX));
        self.inner.refuse_accepted(&mut scratch.completions);
        self.inner.tasks.clear();
        Doorbell::stop_deferring();
    }
}

/// Vectors that every turn uses again.
#[derive(Default)]
struct Scratch {
    completions: Vec<Completion>,
    tasks: Vec<Key>,
    touched: Vec<Key>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Worked,
    FoundNothing,
}

impl Inner {
    fn turn(&self, hooks: &impl Hooks, scratch: &mut Scratch) -> Turn {
        let began = self.clock.refresh().tick;
        {
            let mut ring = self.ring.borrow_mut();
            if !ring.is_quiet() {
                ring.enter();
                ring.reap(&mut scratch.completions);
            }
        }
        self.lag.put_when_due(began);
        let mut worked = !scratch.completions.is_empty();
        for completion in scratch.completions.drain(..) {
            match completion.op {
                Op::Mark => self.mark_came_out(hooks, completion),
                _ => self.complete(completion),
            }
        }
        self.fire_timers(began);
        self.tasks.collect_woken();
        worked |= hooks.has_mail();
        hooks.receive();
        worked |= self.tasks.run(&mut scratch.tasks) > 0;
        self.settle(&mut scratch.touched);
        Doorbell::ring_deferred();
        if worked {
            hooks.turn_ended(began, self.clock.refresh_tick());
            Turn::Worked
        } else {
            Turn::FoundNothing
        }
    }

    fn complete(&self, completion: Completion) {
        match completion.op {
            Op::Accept => self.accepted(completion),
            Op::Recv => self.received(completion),
            Op::Writable => self.writable(completion),
            Op::Doorbell if !completion.more => self.watch_doorbell(),
            // The cancelled operation reports by itself; who rang has left his message elsewhere.
            Op::Cancel | Op::Doorbell | Op::Mark => {}
        }
    }

    fn mark_came_out(&self, hooks: &impl Hooks, completion: Completion) {
        let now = self.clock.refresh_tick();
        if let Some(lag) = self.lag.came_out(now) {
            hooks.lagged(lag, now);
        }
        if !completion.more {
            self.watch_mark();
        }
    }

    fn fire_timers(&self, now: Tick) {
        loop {
            let Some((asked, due)) = self.timers.borrow_mut().pop_due(now) else { return };
            match due {
                Due::Socket(key) => self.socket_due(key, asked, now),
                Due::Sleeper(key) => {
                    let waker = self.timers.borrow_mut().wake(key);
                    if let Some(waker) = waker {
                        waker.wake();
                    }
                }
                Due::Accept(key) => self.resume_accepting(key),
                Due::Close(key) => self.shut_door(key),
            }
        }
    }

    fn socket_due(&self, key: Key, asked: Tick, now: Tick) {
        let check = self.with_socket(key, |socket| (socket.check_deadline(asked, now), socket.owner));
        match check {
            Some((DeadlineCheck::AskAgain(at), _)) => self.arm(at, key),
            Some((DeadlineCheck::Passed, Owner::Task(task) | Owner::Leaving(task))) => self.tasks.make_ready(task),
            Some((DeadlineCheck::Passed, Owner::Lingering | Owner::Closing)) => self.close_now(key),
            Some((DeadlineCheck::None, _)) | None => {}
        }
    }

    /// Puts the deadline of a socket on the heap.
    pub fn arm(&self, at: Tick, key: Key) {
        let mut timers = self.timers.borrow_mut();
        timers.add(at, Due::Socket(key));
        if timers.is_stale(self.sockets.borrow().len() + self.listeners.borrow().len()) {
            let mut sockets = self.sockets.borrow_mut();
            timers.sweep(|at, key| sockets.get_mut(key).is_some_and(|socket| socket.timer_at == Some(at)));
        }
    }

    fn interrupt(&self, key: Key) {
        let task = self.with_socket(key, |socket| match socket.owner {
            Owner::Task(task) if socket.waiting => {
                socket.waiting = false;
                socket.interrupted = true;
                Some(task)
            }
            _ => None,
        });
        if let Some(task) = task.flatten() {
            self.tasks.make_ready(task);
        }
    }

    /// Runs `change` on a socket, for one statement. `None` when it is gone.
    pub fn with_socket<R>(&self, key: Key, change: impl FnOnce(&mut Socket) -> R) -> Option<R> {
        self.sockets.borrow_mut().get_mut(key).map(change)
    }
}

/// Lets the other tasks of this shard go first, until the next turn.
pub async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
