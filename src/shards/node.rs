//! All shards of one process: started together, drained together, with the backends beside them.
//! Never here: a node that half-starts. Either every shard serves or nothing is left behind.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded};
use glommio::ExecutorJoinHandle;

use crate::actions::Registry;
use crate::actions::desk::Common;
use crate::actions::service::Service;
use crate::backends::threads::BackendThreads;
use crate::backends::{self, StartError};
use crate::core::bounds;
use crate::core::config::ConfigError;
use crate::core::config::checked::Config;
use crate::core::config::tls::Protocol;
use crate::core::hash::KeyHasher;
use crate::core::ids::ShardId;
use crate::core::ledger::ShardLedger;
use crate::core::ledger::access::AccessRecord;
use crate::core::limit::{IpTable, Seats};
use crate::core::login_codes::CodeHasher;
use crate::core::mask::OpenIdMask;
use crate::core::owner::OwnerMap;
use crate::core::token::keys::KeyRing;
use crate::net::clock::{Clock, ClockZero};
use crate::net::doorbell::Doorbell;
use crate::net::entropy::{random, random_u64};
use crate::net::files::descriptors_max;
use crate::net::listener;
use crate::net::tls::keeper::{Keeper, Watcher};

use super::control::{Control, Phase};
use super::door::{DoorKind, OpenDoor};
use super::mesh::Mailbox;
use super::plan::{Plan, allowed_cpus, plan};
use super::shard::{Seed, spawn};

/// What is spoken behind TLS; the first only if it is switched on.
const SPOKEN: [Protocol; 2] = [Protocol::Http2, Protocol::Http11];

/// How often a draining node looks whether its shards are empty.
const DRAIN_LOOK: Duration = Duration::from_millis(5);

/// A running node. Dropping it without `drain` stops the shards where they are.
pub struct Node {
    doors: Vec<(DoorKind, SocketAddr)>,
    drain_linger: Duration,
    drain_timeout: Duration,
    control: Arc<Control>,
    ledgers: Vec<Arc<ShardLedger>>,
    zero: ClockZero,
    shards: Vec<ExecutorJoinHandle<()>>,
    common: Option<Arc<Common>>,
    threads: Option<BackendThreads>,
    /// Of the certificates, where there are any.
    watcher: Option<Watcher>,
}

/// What may differ between two nodes of one configuration.
pub struct NodeParts {
    pub registry: Registry,
    /// Where finished requests are reported.
    pub access: Option<Sender<AccessRecord>>,
}

/// Why a node cannot start.
#[derive(Debug)]
pub enum NodeError {
    Config(Vec<ConfigError>),
    Plan(String),
    Backend(StartError),
    Listen {
        kind: DoorKind,
        addr: SocketAddr,
        error: io::Error,
    },
    /// The host refuses what a shard needs.
    Host(String),
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Everything was finished.
    Whole,
    /// The time was up with so many shards still busy.
    CutOff { shards: usize },
}

impl Node {
    /// Starts backends and shards; when it returns, the port answers.
    ///
    /// # Errors
    /// [`NodeError`], with nothing left running.
    pub fn start(config: Arc<Config>, parts: NodeParts) -> Result<Self, NodeError> {
        let cpus = allowed_cpus().map_err(|error| NodeError::Host(error.to_string()))?;
        let plan = plan(&config.server.shards, &cpus).map_err(NodeError::Plan)?;
        let service = Service::build(config.clone(), &parts.registry).map_err(NodeError::Config)?;
        let tls = load_tls(&config)?;
        let doors = open_doors(&config, plan.len())?;
        let (backends, threads) = backends::start(&config).map_err(NodeError::Backend)?;
        let watcher = watch(tls.as_ref())?;
        let common = Arc::new(Common { tls, ..common(service, backends, plan.len()) });
        let zero = ClockZero::now();
        let mut node = Self {
            doors: doors.iter().map(|door| (door.kind, door.addr)).collect(),
            drain_linger: config.server.drain_linger,
            drain_timeout: config.server.drain_timeout,
            control: Arc::new(Control::new(Vec::new())),
            ledgers: Vec::new(),
            zero,
            shards: Vec::new(),
            common: Some(common.clone()),
            threads: Some(threads),
            watcher,
        };
        node.start_shards(Batch { plan, doors, zero, common, access: parts.access })?;
        Ok(node)
    }

    /// The address that really listens behind a kind of door, for a configured port of zero. `None`: there is none.
    #[must_use]
    pub fn door(&self, kind: DoorKind) -> Option<SocketAddr> {
        self.doors.iter().find(|(open, _)| *open == kind).map(|(_, addr)| *addr)
    }

    /// Every door and the address that it really listens on.
    #[must_use]
    pub fn doors(&self) -> &[(DoorKind, SocketAddr)] {
        &self.doors
    }

    /// Where HTTP is spoken in the clear.
    ///
    /// # Panics
    /// When it is spoken nowhere.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.door(DoorKind::Plain).expect("the configuration has a plain door")
    }

    /// Loads the certificates now, whether they look changed or not. What comes of it is in the log and in the books.
    pub fn reload(&self) {
        if let Some(watcher) = &self.watcher {
            watcher.reload();
        }
    }

    /// What the node shows behind TLS.
    #[must_use]
    pub fn tls(&self) -> Option<Arc<Keeper>> {
        self.common.as_ref().and_then(|common| common.tls.clone())
    }

    /// The books of the shards, in the order of their ids.
    #[must_use]
    pub fn ledgers(&self) -> &[Arc<ShardLedger>] {
        &self.ledgers
    }

    /// The zero of this node's ticks.
    #[must_use]
    pub const fn clock_zero(&self) -> ClockZero {
        self.zero
    }

    /// What the shards are told to do.
    #[must_use]
    pub fn control(&self) -> Arc<Control> {
        self.control.clone()
    }

    /// Says that it is not ready and serves on for a while; then stops accepting, finishes what runs, closes idle
    /// connections; cuts off what is left when the time is up.
    pub fn drain(mut self) -> Drained {
        let clock = Clock::new(self.zero);
        let began = clock.now().tick;
        let wait = |wait: Duration, on: &dyn Fn() -> bool| {
            while on() && clock.refresh_tick() < began.after(wait) {
                std::thread::park_timeout(DRAIN_LOOK);
            }
        };
        self.control.advance(Phase::Lingering);
        wait(self.drain_linger, &|| self.control.phase() == Phase::Lingering);
        self.control.advance(Phase::Draining);
        wait(self.drain_timeout, &|| self.control.busy() > 0);
        let busy = self.control.busy();
        self.stop();
        if busy == 0 { Drained::Whole } else { Drained::CutOff { shards: busy } }
    }

    fn start_shards(&mut self, batch: Batch) -> Result<(), NodeError> {
        let Batch { plan, mut doors, zero, common, access } = batch;
        let mut boxes = Vec::new();
        for _ in &plan {
            boxes.push(Mailbox::new(Arc::new(Doorbell::new().map_err(|error| NodeError::Host(error.to_string()))?)));
        }
        let boxes: Arc<[Mailbox]> = boxes.into();
        self.control = Arc::new(Control::new(boxes.iter().map(|mailbox| mailbox.doorbell().clone()).collect()));
        let routes = common.service.config.routes.len();
        let (ready, started) = bounded(plan.len());
        for (index, cpu) in plan.into_iter().enumerate() {
            let id = ShardId(index as u16);
            let ledger = Arc::new(ShardLedger::new(id, routes));
            self.ledgers.push(ledger.clone());
            let seed = Seed {
                id,
                cpu,
                common: common.clone(),
                boxes: boxes.clone(),
                control: self.control.clone(),
                doors: doors.iter_mut().filter_map(|door| Some((door.kind, door.listeners.pop()?))).collect(),
                ledger,
                zero,
                access: access.clone(),
                ready: ready.clone(),
            };
            self.shards.push(spawn(seed).map_err(NodeError::Host)?);
        }
        drop(ready);
        await_shards(&started, self.shards.len())
    }

    fn stop(&mut self) {
        self.control.advance(Phase::Stopped);
        for shard in self.shards.drain(..) {
            if let Err(error) = shard.join() {
                tracing::error!(%error, "a shard ended badly");
            }
        }
        self.watcher = None;
        // The lanes go with the desks and this; then the backends finish what they accepted.
        self.common = None;
        if let Some(threads) = self.threads.take() {
            for name in threads.join() {
                tracing::error!(name, "a backend thread panicked");
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What the shards are started with.
struct Batch {
    plan: Plan,
    doors: Vec<OpenDoor>,
    zero: ClockZero,
    common: Arc<Common>,
    access: Option<Sender<AccessRecord>>,
}

/// Certificates and keys, if there is a door that shows them.
fn load_tls(config: &Config) -> Result<Option<Arc<Keeper>>, NodeError> {
    let spoken = if config.http2.enabled { &SPOKEN[..] } else { &SPOKEN[1..] };
    let load = |_| Keeper::load(&config.tls, spoken).map(Arc::new).map_err(NodeError::Config);
    config.tls.listen.map(load).transpose()
}

fn watch(keeper: Option<&Arc<Keeper>>) -> Result<Option<Watcher>, NodeError> {
    let start = |keeper: &Arc<Keeper>| Watcher::start(keeper.clone());
    keeper.map(start).transpose().map_err(|error| NodeError::Host(error.to_string()))
}

/// Every address that the configuration names.
fn open_doors(config: &Config, shards: usize) -> Result<Vec<OpenDoor>, NodeError> {
    let open = |(kind, addr)| {
        let listeners = listeners(kind, addr, shards)?;
        Ok(OpenDoor { kind, addr: local_addr(&listeners, addr), listeners })
    };
    let doors = [
        (DoorKind::Plain, config.server.listen),
        (DoorKind::Tls, config.tls.listen),
        (DoorKind::Redirect, config.redirect.listen),
    ];
    doors.into_iter().filter_map(|(kind, addr)| Some((kind, addr?))).map(open).collect()
}

/// One socket per shard on the same port. A port of zero becomes a free one, the same for all.
fn listeners(kind: DoorKind, addr: SocketAddr, shards: usize) -> Result<Vec<TcpListener>, NodeError> {
    let failed = |error| NodeError::Listen { kind, addr, error };
    // Doors of ours share the port among themselves, but a port that somebody else listens on is a mistake, not a share.
    drop(TcpListener::bind(addr).map_err(failed)?);
    let first = listener::open(addr).map_err(failed)?;
    let bound = first.local_addr().map_err(failed)?;
    let mut listeners = vec![first];
    while listeners.len() < shards {
        listeners.push(listener::open(bound).map_err(failed)?);
    }
    Ok(listeners)
}

fn local_addr(listeners: &[TcpListener], configured: SocketAddr) -> SocketAddr {
    listeners.first().and_then(|listener| listener.local_addr().ok()).unwrap_or(configured)
}

fn common(service: Service, backends: backends::Backends, shards: usize) -> Common {
    let config = &service.config;
    let hasher = KeyHasher::new([random_u64(), random_u64(), random_u64(), random_u64()]);
    Common {
        owners: OwnerMap::new(shards as u16, hasher.clone()),
        ips: IpTable::new(config.limiter.ips_max),
        seats: config.server.connections_per_ip_max.map(|max| Seats::new(config.limiter.ips_max, max)),
        files_max: files_max(config),
        keys: KeyRing::new(&config.token),
        codes: CodeHasher::new(&random()),
        mask: OpenIdMask::new(&random::<32>()),
        tls: None,
        hasher,
        backends,
        service,
    }
}

/// The lowest descriptor is always the next: one that is this high says that so many are taken.
fn files_max(config: &Config) -> RawFd {
    let all = descriptors_max();
    let reserved = bounds::FILES_RESERVED + config.wechat.connections_max;
    all - RawFd::try_from(reserved).unwrap_or(RawFd::MAX).min(all / 2)
}

fn await_shards(started: &Receiver<io::Result<()>>, count: usize) -> Result<(), NodeError> {
    for _ in 0..count {
        match started.recv() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(NodeError::Host(format!("io_uring: {error}; tidegate doctor says more"))),
            Err(_) => return Err(NodeError::Host("a shard ended before it served".into())),
        }
    }
    Ok(())
}

impl fmt::Display for NodeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(errors) => {
                let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
                out.write_str(&lines.join("\n"))
            }
            Self::Plan(text) | Self::Host(text) => out.write_str(text),
            Self::Backend(error) => error.fmt(out),
            Self::Listen { kind, addr, error } => write!(out, "{} = {addr}: {error}; choose a free port", kind.key()),
        }
    }
}

impl std::error::Error for NodeError {}
