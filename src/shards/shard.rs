//! The life of one shard: built on its own pinned thread, turns, is drained, leaves.
//! Never here: a shard that leaves before the node says so; others may still ask it.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ahash::RandomState;
use crossbeam::channel::Sender;
use futures_channel::oneshot;
use glommio::{ExecutorJoinHandle, LocalExecutorBuilder, Placement};

use crate::actions::desk::{Common, DateText, Desk, Front, Peers, Spare};
use crate::core::admission::{Admission, Resource};
use crate::core::bounds;
use crate::core::cache::{Cache, Spaces};
use crate::core::fault::Backend;
use crate::core::flight::Flights;
use crate::core::ids::ShardId;
use crate::core::jitter::Jitter;
use crate::core::ledger::ShardLedger;
use crate::core::ledger::access::AccessRecord;
use crate::core::limit::OpenIdTable;
use crate::core::login_codes::LoginCodes;
use crate::core::per_turn::PerTurn;
use crate::core::session::Sessions;
use crate::core::time::{Tick, UnixSeconds, nanos};
use crate::core::token::memory::TokenMemory;
use crate::core::token::revoked::Revocations;
use crate::net::clock::ClockZero;
use crate::net::driver::{Driver, DriverLimits, Hooks};
use crate::net::entropy::random_u64;
use crate::net::listener::ListenerKey;
use crate::proto::compress::PieceEncoders;
use crate::proto::json::parse::Scratch;

use super::accept::door;
use super::control::{Control, Phase};
use super::door::DoorKind;
use super::mesh::{Mailbox, Mesh};

/// glommio's own rings carry nothing: the driver takes the thread.
const GLOMMIO_RING_DEPTH: usize = 128;
const GLOMMIO_IO_BYTES: usize = 64 << 10;
/// How often gauges are taken and what has ended is dropped.
const HOUSEKEEPING: Duration = Duration::from_secs(1);
/// How often a draining shard looks whether it is empty.
const DRAIN_LOOK: Duration = Duration::from_millis(5);
/// Tasks that a shard without work has while it drains: housekeeping and the look-out.
const RESIDENT_TASKS: usize = 2;
/// Ended entries dropped per round and table: a bounded pause, and more than a second of logins can add.
const EXPIRED_PER_ROUND: usize = 20_000;

/// Everything that a shard is made of, on its way to its thread.
pub struct Seed {
    pub id: ShardId,
    pub cpu: usize,
    pub common: Arc<Common>,
    pub boxes: Arc<[Mailbox]>,
    pub control: Arc<Control>,
    pub doors: Vec<(DoorKind, TcpListener)>,
    pub ledger: Arc<ShardLedger>,
    pub zero: ClockZero,
    pub access: Option<Sender<AccessRecord>>,
    /// Told once: the shard serves, or why it cannot.
    pub ready: Sender<io::Result<()>>,
}

struct Shard {
    desk: Rc<Desk>,
    mesh: Mesh,
    control: Arc<Control>,
    doors: RefCell<Vec<ListenerKey>>,
    phase: Cell<Phase>,
    /// Keeps the look-out asleep.
    look_out: Cell<Option<oneshot::Sender<()>>>,
}

/// Starts the shard's thread.
///
/// # Errors
/// The CPU is not there, or no thread can be made.
pub fn spawn(seed: Seed) -> Result<ExecutorJoinHandle<()>, String> {
    let (name, cpu) = (format!("shard-{}", seed.id.0), seed.cpu);
    LocalExecutorBuilder::new(Placement::Fixed(cpu))
        .name(&name)
        .ring_depth(GLOMMIO_RING_DEPTH)
        .io_memory(GLOMMIO_IO_BYTES)
        .spawn(move || live(seed))
        .map_err(|error| format!("{name} on CPU {cpu}: {error}"))
}

async fn live(seed: Seed) {
    let ready = seed.ready.clone();
    let (shard, driver) = match Shard::new(seed) {
        Ok(built) => built,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    let _ = ready.send(Ok(()));
    // While one shard keeps its end, the node does not notice that another has ended without a word.
    drop(ready);
    let desk = shard.desk.clone();
    driver.spawn(async move { keep_house(&desk).await });
    shard.post_look_out();
    let indispensable = Indispensable(shard.desk.shard);
    driver.run(&shard);
    std::mem::forget(indispensable);
}

/// Ends the process when the driver panics: the shard's share of the connections would wait for nobody, and its users'
/// requests with them. Whoever supervises the process starts it again.
struct Indispensable(ShardId);

impl Drop for Indispensable {
    fn drop(&mut self) {
        // Not through the log, whose thread would not get round to it.
        eprintln!("shard {} cannot go on", self.0.0);
        std::process::abort();
    }
}

impl Shard {
    fn new(seed: Seed) -> io::Result<(Self, Driver)> {
        let server = &seed.common.service.config.server;
        let limits = DriverLimits {
            sockets_max: server.connections_max,
            // A waiting request may have a task for its work and, on another shard, one for its errand.
            background_tasks_max: 2 * server.in_flight_max + RESIDENT_TASKS,
        };
        let doorbell = seed.boxes[usize::from(seed.id.0)].doorbell().clone();
        let driver = Driver::new(limits, doorbell, seed.zero)?;
        let mesh = Mesh::new(seed.boxes.clone(), seed.id);
        let desk = Rc::new(desk(&seed, driver.clone(), mesh.clone()));
        let listen = |(kind, listener)| driver.listen(listener, door(&desk, kind));
        let doors = RefCell::new(seed.doors.into_iter().map(listen).collect());
        let (phase, look_out) = (Cell::new(Phase::Serving), Cell::new(None));
        let shard = Self { desk, mesh, control: seed.control, doors, phase, look_out };
        Ok((shard, driver))
    }

    /// Begins the task that sees when the shard is empty. It begins with the shard: when the shard is told to drain the table
    /// of tasks may be full.
    fn post_look_out(&self) {
        let (desk, control) = (self.desk.clone(), self.control.clone());
        let (drains, drained) = oneshot::channel::<()>();
        self.look_out.set(Some(drains));
        let posted = desk.clone().driver.spawn(async move {
            // An error: the shard drains.
            let _ = drained.await;
            while desk.driver.sockets() > 0 || desk.driver.doors() > 0 || desk.driver.tasks() > RESIDENT_TASKS {
                desk.driver.sleep(DRAIN_LOOK).await;
            }
            control.drained();
        });
        assert!(posted, "the table of tasks has room for those who live there");
    }

    fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        match phase {
            Phase::Serving | Phase::Lingering => {}
            Phase::Draining => self.drain(),
            Phase::Stopped => self.desk.driver.stop(),
        }
    }

    fn drain(&self) {
        self.desk.front.draining.set(true);
        for door in self.doors.take() {
            self.desk.driver.close_door(door);
        }
        self.desk.driver.interrupt_waits();
        // Dropping it wakes the look-out.
        self.look_out.take();
    }
}

impl Hooks for Shard {
    fn receive(&self) {
        let phase = self.control.phase();
        if phase != self.phase.get() {
            self.enter(phase);
        }
        self.mesh.work_off(&self.desk);
    }

    fn has_mail(&self) -> bool {
        self.control.phase() != self.phase.get() || self.mesh.has_mail()
    }

    fn lagged(&self, lag: Duration, now: Tick) {
        self.desk.admission.borrow_mut().pressure.measured(lag, now);
    }

    fn turn_ended(&self, began: Tick, ended: Tick) {
        let turns = &self.desk.ledger.turns;
        turns.turns.one();
        turns.busy_nanos.add(ended.0.saturating_sub(began.0));
        turns.heartbeat_nanos.set(ended.0);
    }
}

fn desk(seed: &Seed, driver: Driver, mesh: Mesh) -> Desk {
    let config = &seed.common.service.config;
    let shards = usize::from(mesh.count());
    let share = |total: usize| total.div_ceil(shards);
    let spaces = Spaces::of(config);
    Desk {
        shard: seed.id,
        common: seed.common.clone(),
        driver,
        peers: Box::new(mesh),
        ledger: seed.ledger.clone(),
        limits: RefCell::new(OpenIdTable::new(share(config.limiter.openids_max))),
        remembered: RefCell::new(TokenMemory::new(config.token.remembered_max, random_state())),
        revoked: RefCell::new(Revocations::new()),
        sessions: RefCell::new(Sessions::new(
            share(config.token.sessions_max),
            config.token.session_idle,
            random_state(),
        )),
        codes: RefCell::new(LoginCodes::new(share(bounds::LOGIN_CODES_MAX))),
        cache: RefCell::new(Cache::new(config.cache.bytes_max, &spaces, seed.common.hasher.clone())),
        flights: RefCell::new(Flights::new(&spaces, seed.common.hasher.clone())),
        admission: RefCell::new(Admission::new(config, shards)),
        jitter: RefCell::new(Jitter::new(random_u64())),
        json: RefCell::new(Scratch::new()),
        codecs: RefCell::default(),
        piece_encoders: PieceEncoders::default(),
        spare: Spare::default(),
        front: front(seed.access.clone()),
    }
}

fn front(access: Option<Sender<AccessRecord>>) -> Front {
    Front {
        access,
        in_flight: Cell::new(0),
        waits_on: Cell::new(Backend::Owner),
        draining: Cell::new(false),
        handshakes: Cell::new(0),
        handshake_steps: PerTurn::default(),
        variant_bytes: PerTurn::default(),
        next_request: Cell::new(random_u64()),
        date: Cell::new(DateText { at: UnixSeconds(u64::MAX), text: [0; 29] }),
        bufs: RefCell::default(),
    }
}

fn random_state() -> RandomState {
    RandomState::with_seeds(random_u64(), random_u64(), random_u64(), random_u64())
}

/// Drops what has ended and takes gauges and totals, once a second.
async fn keep_house(desk: &Rc<Desk>) {
    loop {
        desk.driver.sleep(HOUSEKEEPING).await;
        let (tick, unix) = (desk.tick(), desk.unix());
        desk.sessions.borrow_mut().expire(tick, EXPIRED_PER_ROUND);
        desk.codes.borrow_mut().expire(tick, EXPIRED_PER_ROUND);
        desk.revoked.borrow_mut().expire(unix);
        take_gauges(desk, tick);
    }
}

fn take_gauges(desk: &Desk, tick: Tick) {
    let ledger = &desk.ledger;
    ledger.turns.heartbeat_nanos.set(tick.0);
    ledger.tls.in_flight.set(desk.front.handshakes.get() as u64);
    ledger.sessions.open.set(desk.sessions.borrow().len() as u64);
    let stats = desk.cache.borrow().stats();
    ledger.cache.bytes.set(stats.bytes as u64);
    ledger.cache.entries.set(stats.entries as u64);
    ledger.cache.hits.reach(stats.hits);
    ledger.cache.negative.reach(stats.negatives);
    ledger.cache.misses.reach(stats.misses);
    ledger.cache.inserts.reach(stats.inserts);
    ledger.cache.evictions.reach(stats.evictions);
    ledger.limiter.displaced.reach(desk.limits.borrow().displaced() + of_node(desk, desk.common.ips.displaced()));
    for resource in Resource::ALL {
        let mut admission = desk.admission.borrow_mut();
        let concurrency = admission.of(resource);
        concurrency.roll(tick);
        ledger.overloads.limits[resource as usize].set(concurrency.limit() as u64);
        ledger.overloads.waiting[resource as usize].set(concurrency.in_flight() as u64);
    }
    ledger.overloads.lag_nanos.set(nanos(desk.admission.borrow_mut().pressure.take_longest()));
    let backends = &desk.common.backends;
    ledger.lane(Backend::Database).queue.set(of_node(desk, backends.database.waiting() as u64));
    ledger.lane(Backend::Wechat).queue.set(of_node(desk, backends.wechat.len() as u64));
}

/// What the node has once stands in the books of its first shard.
fn of_node(desk: &Desk, number: u64) -> u64 {
    if desk.shard == ShardId(0) { number } else { 0 }
}
