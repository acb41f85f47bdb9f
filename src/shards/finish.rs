//! What an action or a guard says becomes the reply that leaves, whatever protocol carries it.
//! Never here: bytes of a protocol.

use crate::actions::desk::Desk;
use crate::core::fault::{Fault, Retry};
use crate::proto::reply::Reply;

use super::booking::Open;
use super::cors;
use super::pipeline::Tag;
use super::represent::represent;

/// A reply as it leaves.
pub struct Finished {
    pub reply: Reply,
    /// Of the fault that it tells.
    pub fault_code: Option<u32>,
    /// Whether the connection cannot go on after it, where requests follow each other on it.
    pub closes: bool,
}

/// Turns the result of a request into its reply.
#[must_use]
pub fn finish(desk: &Desk, open: &Open, tag: &Tag, result: Result<Reply, Fault>) -> Finished {
    let (reply, fault_code, closes) = match result {
        Ok(reply) => (represent(desk, open, reply), None, false),
        Err(fault) => {
            if let Fault::Timeout(backend) = fault {
                desk.ledger.lane(backend).timeouts.one();
            }
            let reply = tell(desk, &fault, open.id.as_str());
            (reply, Some(fault.verdict().code), fault.closes())
        }
    };
    Finished { reply: cors::mark(&desk.common.service, tag, reply), fault_code, closes }
}

/// What the client is told of a fault, and when it should come back.
#[must_use]
pub fn tell(desk: &Desk, fault: &Fault, request_id: &str) -> Reply {
    let reply = Reply::from_fault(fault, request_id);
    match fault.verdict().retry {
        Retry::Spread => {
            let longest = desk.common.service.config.overload.retry_after_max;
            reply.retry_after(desk.jitter.borrow_mut().up_to(longest))
        }
        Retry::Never | Retry::After(_) | Retry::AfterLogin => reply,
    }
}
