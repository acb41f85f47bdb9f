//! The identity in use, and the thread that loads it again when its files change or when it is told to. Files that do not
//! fit together, as in the middle of a renewal, leave everything as it was.
//! Never here: a shard that waits for a file.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::core::bounds::TLS_TICKET_LIFE;
use crate::core::config::ConfigError;
use crate::core::config::tls::{Protocol, TicketKeys, Tls};
use crate::core::ledger::counter::{Counter, Gauge};
use crate::net::clock::instant;

use super::identity::Identity;
use super::tickets::Tickets;
use super::watch::{Stamps, files};

/// How often the files are looked at: a renewal is in use before its operator has opened a browser.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What a node shows now. Read once per handshake; a connection lives on with what it began with.
pub struct Keeper {
    tls: Tls,
    offered: Vec<Protocol>,
    tickets: Arc<Tickets>,
    current: RwLock<Arc<Identity>>,
    pub books: Books,
}

/// Written by the thread that loads.
#[derive(Debug, Default)]
pub struct Books {
    pub reloads: Counter,
    pub reloads_failed: Counter,
    /// Seconds since 1970 at which the first certificate ends.
    pub expires: Gauge,
}

/// The thread that watches the files; it ends when this is dropped.
pub struct Watcher {
    orders: Arc<Orders>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Orders {
    reload: AtomicBool,
    stop: AtomicBool,
}

impl Keeper {
    /// Loads the files for the first time. `spoken`: the protocols that the server has.
    ///
    /// # Errors
    /// Every file that is not what it should be.
    pub fn load(tls: &Tls, spoken: &[Protocol]) -> Result<Self, Vec<ConfigError>> {
        let offered: Vec<Protocol> = tls.alpn.iter().copied().filter(|protocol| spoken.contains(protocol)).collect();
        let tickets = Arc::new(tickets(tls).map_err(|error| vec![error])?);
        let identity = Identity::load(tls, &offered, &tickets)?;
        let books = Books::default();
        books.expires.set(identity.expires.0);
        Ok(Self { tls: tls.clone(), offered, tickets, current: RwLock::new(Arc::new(identity)), books })
    }

    #[must_use]
    pub fn current(&self) -> Arc<Identity> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Loads everything, then changes everything, or nothing.
    fn load_again(&self) -> Result<(), Vec<ConfigError>> {
        let fresh = match &self.tls.ticket_keys {
            TicketKeys::File(path) => Some(Tickets::of_file(path).map_err(|error| vec![error])?),
            TicketKeys::Random => None,
        };
        let identity = Identity::load(&self.tls, &self.offered, &self.tickets)?;
        self.books.expires.set(identity.expires.0);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(identity);
        if let Some(fresh) = fresh {
            self.tickets.replace(fresh);
        }
        Ok(())
    }
}

impl Watcher {
    /// # Errors
    /// No thread can be made.
    pub fn start(keeper: Arc<Keeper>) -> std::io::Result<Self> {
        let orders = Arc::new(Orders::default());
        let told = orders.clone();
        let paths = files(&keeper.tls);
        // Before the thread runs: a change from now on is seen.
        let loaded = Stamps::of(&paths);
        let round = Round { keeper, paths, loaded, complaint: None };
        let thread = std::thread::Builder::new().name("certificates".into()).spawn(move || watch(round, &told))?;
        Ok(Self { orders, thread: Some(thread) })
    }

    /// Loads the files now, whether they look changed or not.
    pub fn reload(&self) {
        self.orders.reload.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.orders.stop.store(true, Ordering::Release);
        self.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the thread remembers from one look to the next.
struct Round {
    keeper: Arc<Keeper>,
    paths: Vec<PathBuf>,
    /// As the files were when they were read last.
    loaded: Stamps,
    /// Why they could not be used then.
    complaint: Option<String>,
}

/// Why the thread looks at the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occasion {
    Routine,
    Asked,
}

impl Round {
    /// Loads the files if they have changed, if somebody asks for it, or if they were no good the last time.
    fn look(&mut self, occasion: Occasion) {
        // Taken before reading: what changes meanwhile is read once more.
        let now = Stamps::of(&self.paths);
        let fresh = occasion == Occasion::Asked || now != self.loaded;
        if !fresh && self.complaint.is_none() {
            return;
        }
        self.loaded = now;
        match self.keeper.load_again() {
            Ok(()) => {
                self.complaint = None;
                self.keeper.books.reloads.one();
                tracing::info!(certificates = self.keeper.tls.certificates.len(), "certificates loaded again");
            }
            Err(errors) => {
                if fresh {
                    self.keeper.books.reloads_failed.one();
                }
                self.complain(&errors);
            }
        }
    }

    /// Says what is wrong once, and not at every look.
    fn complain(&mut self, errors: &[ConfigError]) {
        let reasons = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        if self.complaint.as_ref() != Some(&reasons) {
            tracing::error!(reasons, "certificates cannot be loaded, those before stay in use");
        }
        self.complaint = Some(reasons);
    }
}

fn watch(mut round: Round, orders: &Orders) {
    let mut rotated = instant();
    while !orders.stop.load(Ordering::Acquire) {
        if round.keeper.tls.ticket_keys == TicketKeys::Random && rotated.elapsed() >= TLS_TICKET_LIFE {
            round.keeper.tickets.rotate();
            rotated = instant();
        }
        let asked = orders.reload.swap(false, Ordering::AcqRel);
        round.look(if asked { Occasion::Asked } else { Occasion::Routine });
        std::thread::park_timeout(LOOK_EVERY);
    }
}

fn tickets(tls: &Tls) -> Result<Tickets, ConfigError> {
    match &tls.ticket_keys {
        TicketKeys::Random => Ok(Tickets::random()),
        TicketKeys::File(path) => Tickets::of_file(path),
    }
}
