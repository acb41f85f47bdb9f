//! A panic in one request is a 500 for that request: counted, logged with its identity, and nobody else's affair.
//! Never here: a panic swallowed without a trace.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt;

use crate::actions::Pending;
use crate::actions::desk::Desk;
use crate::core::fault::Fault;
use crate::core::ids::RequestId;
use crate::net::tasks::panic_text;
use crate::proto::reply::Reply;

/// Runs the part of a request that does not wait.
///
/// # Errors
/// What `serve` says; `Internal` when it panics.
pub fn guard<T>(desk: &Desk, id: RequestId, serve: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    // State that a panic leaves half-changed is a cell of this shard: borrows are released by unwinding, tables stay valid
    // because they are changed through whole operations.
    catch_unwind(AssertUnwindSafe(serve)).unwrap_or_else(|cause| Err(panicked(desk, id, &*cause)))
}

/// Runs the part that waits.
///
/// # Errors
/// As [`guard`].
pub async fn guard_pending(desk: &Desk, id: RequestId, pending: Pending) -> Result<Reply, Fault> {
    AssertUnwindSafe(pending).catch_unwind().await.unwrap_or_else(|cause| Err(panicked(desk, id, &*cause)))
}

fn panicked(desk: &Desk, id: RequestId, cause: &(dyn Any + Send)) -> Fault {
    desk.ledger.panics.one();
    tracing::error!(request_id = id.as_str(), cause = panic_text(cause), "a request panicked");
    Fault::Internal
}
