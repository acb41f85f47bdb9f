//! How a request begins: its identity, what it wishes for, and the bound of its body.
//! Never here: what it is answered.

use crate::actions::desk::Desk;
use crate::core::fault::Fault;
use crate::core::ids::RequestId;
use crate::core::method::Method;
use crate::core::routes::Found;
use crate::proto::request::{Header, Request, header};
use crate::proto::wishes::Wishes;

use super::booking::Open;
use super::door::DoorKind;

/// A request whose head and body are here.
pub fn open(desk: &Desk, request: &Request<'_>, bytes_in: usize) -> Open {
    let id = request_id(desk, request.headers);
    let wishes = Wishes::of(request.headers, desk.common.service.config.compression.codings);
    Open { id, method: Some(request.method), began: desk.tick(), bytes_in, wishes }
}

/// A request that could not be read has nothing but an identity.
pub fn unread(desk: &Desk, bytes_in: usize) -> Open {
    Open { id: own_request_id(desk), method: None, began: desk.tick(), bytes_in, wishes: Wishes::default() }
}

/// The client's identity when it is well formed, else one of ours.
fn request_id(desk: &Desk, headers: &[Header<'_>]) -> RequestId {
    header(headers, "x-request-id").and_then(RequestId::from_client).unwrap_or_else(|| own_request_id(desk))
}

/// An identity of ours.
pub fn own_request_id(desk: &Desk) -> RequestId {
    let next = &desk.front.next_request;
    next.set(next.get().wrapping_add(1));
    RequestId::from_number(next.get())
}

/// A body is bounded by its route; a path without one is refused before its body is read.
pub fn body_max(desk: &Desk, door: DoorKind, method: Method, path: &str) -> Result<usize, Fault> {
    if door == DoorKind::Redirect {
        // Whatever it is, it is read away: the client learns where to send it.
        return Ok(desk.common.service.config.server.body_bytes_max);
    }
    match desk.common.service.router.find(method, path) {
        Found::Route { route, .. } => Ok(route.body_bytes_max),
        // What it might mean is nobody's affair; it is read and dropped.
        Found::Options { .. } => Ok(desk.common.service.config.server.body_bytes_max),
        Found::WrongMethod { allow } => Err(Fault::MethodNotAllowed { allow: allow.to_owned().into() }),
        Found::Unknown => Err(Fault::RouteUnknown),
    }
}
