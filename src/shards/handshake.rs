//! What a shard grants to handshakes: so many at once, so many steps of them within a turn, a deadline; and their books.
//! Never here: the handshake itself, see `net::tls`.

use std::rc::Rc;

use crate::actions::desk::Desk;
use crate::core::bounds::TLS_HANDSHAKE_STEPS_PER_TURN;
use crate::core::ledger::CloseReason;
use crate::net::driver::yield_once;
use crate::net::stream::Stream;
use crate::net::tls::handshake::{Failure, Made, accept};
use crate::net::transport::Transport;

use super::course::first_wait;

/// A handshake in flight; dropping it makes room for the next.
struct Slot(Rc<Desk>);

impl Slot {
    /// `None`: there are as many as may be.
    fn take(desk: &Rc<Desk>) -> Option<Self> {
        let in_flight = desk.front.handshakes.get();
        if in_flight >= desk.common.service.config.tls.handshakes_max {
            desk.ledger.tls.refused.one();
            return None;
        }
        desk.front.handshakes.set(in_flight + 1);
        Some(Self(desk.clone()))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let handshakes = &self.0.front.handshakes;
        handshakes.set(handshakes.get() - 1);
    }
}

/// Puts TLS round a connection. `None`: there is no session, and the connection is closed and booked.
pub async fn secure(desk: &Rc<Desk>, stream: Stream) -> Option<Transport> {
    let keeper = desk.common.tls.as_ref()?;
    let Some(slot) = Slot::take(desk) else {
        desk.ledger.connection_closed(CloseReason::Overload);
        return None;
    };
    let deadline = desk.tick().after(first_wait(desk, desk.common.service.config.tls.handshake_timeout));
    let config = keeper.current().config.clone();
    let made = accept(stream, config, deadline, async || wait_for_turn(desk).await).await;
    drop(slot);
    let books = &desk.ledger.tls;
    let (counter, reason) = match made {
        Ok((tls, made)) => {
            match made {
                Made::Full => books.full.one(),
                Made::Resumed => books.resumed.one(),
            }
            return Some(Transport::Tls(Box::new(tls)));
        }
        Err(Failure::TimedOut) => (&books.timed_out, CloseReason::Timeout),
        Err(Failure::Left) => (&books.left, CloseReason::Reset),
        Err(Failure::Drained) => (&books.left, CloseReason::Draining),
        Err(Failure::NotTls) => (&books.not_tls, CloseReason::Fault),
        Err(Failure::Refused) => (&books.failed, CloseReason::Fault),
    };
    counter.one();
    desk.ledger.connection_closed(reason);
    None
}

/// Waits until this turn has worked on fewer handshakes than it may.
async fn wait_for_turn(desk: &Desk) {
    while !desk.front.handshake_steps.take(desk.turn(), 1, TLS_HANDSHAKE_STEPS_PER_TURN) {
        yield_once().await;
    }
}
