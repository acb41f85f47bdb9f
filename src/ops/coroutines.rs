//! The one place that starts may: its process-wide settings, and HTTP listeners that can be stopped again.
//! Never here: pages, and anything that a shard waits for.
//!
//! may_minihttp trusts its peers: no limit on a head, no time-outs, and a head of more than 16 fields closes the
//! connection without an answer. That is why only loopback, or a network that the operator names, may reach it.

use std::io;
use std::net::SocketAddr;
use std::sync::Once;

use may::coroutine::JoinHandle;
use may_minihttp::{HttpServer, HttpService};

use crate::core::bounds::COROUTINE_STACK_WORDS;

/// A listener and the coroutine that accepts on it. Dropping it stops it.
pub struct Listening {
    addr: SocketAddr,
    accepting: Option<JoinHandle<()>>,
}

impl Listening {
    /// Where it really listens; the port is never 0.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Closes the listener and returns when that is done. Connections end when their clients close them.
    pub fn stop(&mut self) {
        let Some(accepting) = self.accepting.take() else { return };
        // SAFETY: cancelling unwinds the coroutine where it waits. It waits only in `accept` and owns nothing but the
        // listener and the service that it clones from, and dropping these two is what stopping means.
        unsafe { accepting.coroutine().cancel() };
        // The only error is the cancellation itself.
        let _ = accepting.join();
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Settings that may reads once, at its first coroutine. Whoever starts first sets them; later calls change nothing.
pub fn configure() {
    static CONFIGURED: Once = Once::new();
    CONFIGURED.call_once(|| {
        // One thread serves a scrape every few seconds. It must not be pinned: may would choose the CPU of shard 0.
        may::config().set_workers(1).set_stack_size(COROUTINE_STACK_WORDS).set_worker_pin(false);
        // How often an idle worker looks around. What is due wakes it anyhow; may's own 10 ms cost 0.3 % of a CPU.
        may::config().set_timeout_ns(1_000_000_000);
    });
}

/// Accepts on `addr` and gives each connection a clone of `service`. Port 0 means any free port.
///
/// # Errors
/// What binding says, above all `AddrInUse`.
pub fn listen<S>(addr: SocketAddr, service: S) -> io::Result<Listening>
where
    S: HttpService + Clone + Send + Sync + 'static,
{
    configure();
    let (addr, held) = settle(addr)?;
    let accepting = HttpServer(service).start(addr)?;
    drop(held);
    Ok(Listening { addr, accepting: Some(accepting) })
}

/// The address that will be used, and for port 0 a listener that holds it meanwhile: may_minihttp tells nobody which
/// port it got. may binds with `SO_REUSEPORT`, so both fit one port, and a second process of the same user would join
/// a given port instead of being refused: that is why it is tried without first.
fn settle(addr: SocketAddr) -> io::Result<(SocketAddr, Option<may::net::TcpListener>)> {
    if addr.port() == 0 {
        let held = may::net::TcpListener::bind(addr)?;
        return Ok((held.local_addr()?, Some(held)));
    }
    std::net::TcpListener::bind(addr)?;
    Ok((addr, None))
}
