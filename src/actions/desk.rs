//! What an action finds on its shard: state that lives here and nowhere else, lanes to the backends, ways to other shards.
//! Never here: a lock. A `RefCell` is borrowed for a statement, never across an await.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::Sender;
use futures_channel::oneshot;

use crate::actions::load::Loaded;
use crate::actions::service::Service;
use crate::backends::Backends;
use crate::core::admission::{Admission, Priority};
use crate::core::bounds::SEND_BUF_BYTES;
use crate::core::cache::Cache;
use crate::core::config::checked::Value;
use crate::core::fault::{Backend, Fault};
use crate::core::flight::Flights;
use crate::core::hash::{KeyHash, KeyHasher};
use crate::core::ids::{OpenId, RouteId, ShardId};
use crate::core::jitter::Jitter;
use crate::core::ledger::ShardLedger;
use crate::core::ledger::access::AccessRecord;
use crate::core::limit::{IpTable, OpenIdTable, Seats};
use crate::core::login_codes::{CodeHasher, LoginCodes, LoginOutcome};
use crate::core::mask::OpenIdMask;
use crate::core::owner::OwnerMap;
use crate::core::per_turn::PerTurn;
use crate::core::session::Sessions;
use crate::core::time::{Tick, UnixSeconds};
use crate::core::token::keys::KeyRing;
use crate::core::token::memory::TokenMemory;
use crate::core::token::revoked::Revocations;
use crate::net::driver::Driver;
use crate::net::tls::keeper::Keeper;
use crate::proto::compress::{Encoders, PieceEncoders};
use crate::proto::json::parse::Scratch;
use crate::proto::json::rows::Answer;

/// Pause before a full mailbox is tried again.
const FULL_MAILBOX_PAUSE: Duration = Duration::from_millis(1);

/// The same for all shards of a node, made once.
pub struct Common {
    pub service: Service,
    pub owners: OwnerMap,
    pub hasher: KeyHasher,
    pub ips: IpTable,
    /// `None`: an address may have any number of connections.
    pub seats: Option<Seats>,
    /// From this descriptor on there is no room for another client: the rest belongs to the backends, logs and pages.
    pub files_max: RawFd,
    pub keys: KeyRing,
    pub codes: CodeHasher,
    pub mask: OpenIdMask,
    /// `None`: no TLS here.
    pub tls: Option<Arc<Keeper>>,
    pub backends: Backends,
}

/// One shard's desk.
pub struct Desk {
    pub shard: ShardId,
    pub common: Arc<Common>,
    pub driver: Driver,
    pub peers: Box<dyn Peers>,
    pub ledger: Arc<ShardLedger>,
    pub limits: RefCell<OpenIdTable>,
    pub remembered: RefCell<TokenMemory>,
    pub revoked: RefCell<Revocations>,
    pub sessions: RefCell<Sessions>,
    pub codes: RefCell<LoginCodes<oneshot::Sender<Result<LoginOutcome, Fault>>>>,
    pub cache: RefCell<Cache<Answer>>,
    pub flights: RefCell<Flights<oneshot::Sender<Result<Loaded, Fault>>>>,
    pub admission: RefCell<Admission>,
    pub jitter: RefCell<Jitter>,
    pub json: RefCell<Scratch>,
    pub codecs: RefCell<Encoders>,
    pub piece_encoders: PieceEncoders,
    pub spare: Spare,
    pub front: Front,
}

/// What the connections of a shard share.
pub struct Front {
    /// Where finished requests are reported; `None`: no access log.
    pub access: Option<Sender<AccessRecord>>,
    /// Requests that wait for a backend or another shard.
    pub in_flight: Cell<usize>,
    /// What the request that was polled last waits for: set before it is polled, and by it when it knows better.
    pub waits_on: Cell<Backend>,
    pub draining: Cell<bool>,
    /// TLS handshakes in flight.
    pub handshakes: Cell<usize>,
    /// Receives of handshakes that were worked on.
    pub handshake_steps: PerTurn,
    /// Bytes of bodies that were compressed to be kept.
    pub variant_bytes: PerTurn,
    /// Number of the next request id.
    pub next_request: Cell<u64>,
    pub date: Cell<DateText>,
    /// Empty buffers for answers.
    pub bufs: RefCell<Vec<Vec<u8>>>,
}

/// Buffers kept for reuse: more connections than this rarely answer within one turn.
const SPARE_BUFS_MAX: usize = 64;

/// The `date` header, made once a second.
#[derive(Clone, Copy)]
pub struct DateText {
    pub at: UnixSeconds,
    pub text: [u8; 29],
}

/// Vectors that one request after the other borrows, so that the steady state allocates nothing.
#[derive(Default)]
pub struct Spare {
    pub values: Cell<Vec<Value>>,
    pub key: Cell<Vec<u8>>,
}

/// Work for another shard. It runs there within a turn; what takes longer is spawned.
pub type Job = Box<dyn FnOnce(&Rc<Desk>) + Send>;

/// The other shards of this node.
pub trait Peers {
    /// # Errors
    /// That shard's mailbox is full, or the shard has ended.
    fn post(&self, to: ShardId, job: Job) -> Result<(), Fault>;

    /// How many shards there are, this one included.
    fn count(&self) -> u16;
}

impl Front {
    /// An empty buffer, used before where there is one.
    pub fn take_buf(&self) -> Vec<u8> {
        self.bufs.borrow_mut().pop().unwrap_or_default()
    }

    /// Keeps a buffer for whoever needs one next, unless there are enough or it has grown beyond what is usual.
    pub fn give_buf_back(&self, mut buf: Vec<u8>) {
        buf.clear();
        let mut bufs = self.bufs.borrow_mut();
        if bufs.len() < SPARE_BUFS_MAX && (1..=2 * SEND_BUF_BYTES).contains(&buf.capacity()) {
            bufs.push(buf);
        }
    }
}

impl Desk {
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.driver.clock().now().tick
    }

    /// The number of this turn.
    #[must_use]
    pub fn turn(&self) -> u64 {
        self.ledger.turns.turns.get()
    }

    #[must_use]
    pub fn unix(&self) -> UnixSeconds {
        self.driver.clock().now().unix
    }

    /// How much a route matters.
    #[must_use]
    pub fn priority(&self, route: RouteId) -> Priority {
        self.common.service.routes[usize::from(route.0)].priority
    }

    /// The shard that owns a user, and the hash that its tables know him by.
    #[must_use]
    pub fn owner(&self, openid: &OpenId) -> (KeyHash, ShardId) {
        self.common.owners.of(openid.as_str())
    }

    /// Runs `job` on a shard, this one included, and waits for what it sends back. It is not begun there when nobody waits for
    /// it any more: the request has had its deadline, or its client has left.
    ///
    /// # Errors
    /// The shard's mailbox is full, or it dropped the question.
    pub async fn ask<T: Send + 'static>(
        self: &Rc<Self>,
        to: ShardId,
        job: impl FnOnce(&Rc<Self>, oneshot::Sender<T>) + Send + 'static,
    ) -> Result<T, Fault> {
        let wanted = move |desk: &Rc<Self>, reply: oneshot::Sender<T>| {
            if reply.is_canceled() {
                desk.ledger.overloads.abandoned.one();
            } else {
                job(desk, reply);
            }
        };
        self.order(to, wanted).await
    }

    /// As [`Desk::ask`], but the job is done whoever waits for it.
    async fn order<T: Send + 'static>(
        self: &Rc<Self>,
        to: ShardId,
        job: impl FnOnce(&Rc<Self>, oneshot::Sender<T>) + Send + 'static,
    ) -> Result<T, Fault> {
        let (reply, answer) = oneshot::channel();
        if to == self.shard {
            job(self, reply);
            return answer.await.map_err(|_| Fault::Busy(Backend::Owner));
        }
        let posted = self.peers.post(to, Box::new(move |desk| job(desk, reply)));
        self.count_ask(Backend::Owner, &posted);
        posted?;
        let answer = answer.await;
        self.count_answer(Backend::Owner);
        answer.map_err(|_| Fault::Busy(Backend::Owner))
    }

    /// As [`Desk::ask`], but the job is done once the mailbox has it, and a full mailbox is tried again until it takes it: for
    /// what must not be given up.
    pub async fn insist<T: Send + 'static>(
        self: &Rc<Self>,
        to: ShardId,
        job: impl Fn(&Rc<Self>, oneshot::Sender<T>) + Clone + Send + 'static,
    ) -> T {
        loop {
            if let Ok(answer) = self.order(to, job.clone()).await {
                return answer;
            }
            self.driver.sleep(FULL_MAILBOX_PAUSE).await;
        }
    }

    /// Books one question to a backend.
    pub fn count_ask<T>(&self, backend: Backend, accepted: &Result<T, Fault>) {
        let lane = self.ledger.lane(backend);
        if accepted.is_ok() { lane.asked.one() } else { lane.full.one() }
    }

    /// Books one answer of a backend, whatever it says.
    pub fn count_answer(&self, backend: Backend) {
        self.ledger.lane(backend).answered.one();
    }

    /// Runs `work` to its end even if the one who waits for it leaves.
    ///
    /// # Errors
    /// What `work` says; `Overloaded` when this shard has too many tasks.
    pub async fn carry_out<T: 'static>(
        &self,
        work: impl Future<Output = Result<T, Fault>> + 'static,
    ) -> Result<T, Fault> {
        let (reply, answer) = oneshot::channel();
        let spawned = self.driver.spawn(async move {
            let _ = reply.send(work.await);
        });
        if !spawned {
            return Err(Fault::Overloaded);
        }
        // A dropped reply means that the work panicked.
        answer.await.unwrap_or(Err(Fault::Internal))
    }
}
