//! The way of a request, top to bottom: address limit → route → is the shard in time → token → owner shard (openid limits) → action.
//! Never here: bytes, sockets, SQL. A guard either lets pass or answers.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{Either, select};

use crate::actions::admit::shed;
use crate::actions::call::{Call, Held};
use crate::actions::desk::Desk;
use crate::actions::service::{ServedRoute, Service};
use crate::actions::{Home, Outcome};
use crate::core::admission::Priority;
use crate::core::config::checked::Auth;
use crate::core::config::tls::ClientCertificates;
use crate::core::fault::{Backend, Fault, LimitState};
use crate::core::hash::KeyHash;
use crate::core::ids::{RequestId, RouteId, ShardId};
use crate::core::ledger::refusals::Short;
use crate::core::limit::Rule;
use crate::core::method::Method;
use crate::core::routes::{Found, PathParams};
use crate::core::token::access::{self, Caller};
use crate::proto::reply::{Body, Reply};
use crate::proto::request::{Request, header};

use super::cors;
use super::door::DoorKind;
use super::guard::{guard, guard_pending};
use super::incoming::decoded;
use super::redirect;
use super::stage::Stage;

/// What the books want to know of a request beside its answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tag {
    pub route: Option<RouteId>,
    pub user: Option<User>,
    /// Index of the request's origin in the policy of its route, if a page sent it that may.
    pub origin: Option<u16>,
}

/// A user as the node knows him.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    pub hash: KeyHash,
    pub owner: ShardId,
}

/// Who sends a request.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The address, as the limiter knows it.
    pub ip: KeyHash,
    pub id: RequestId,
    pub door: DoorKind,
    pub proof: Proof,
}

/// How the client has proved who it is, before it asked anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    Nothing,
    /// A certificate that our authority has signed and not revoked.
    Certificate,
}

/// Where the rest of a request happens.
enum Place {
    Here,
    /// The owner counts, the action runs here.
    LimitThere,
    /// The owner counts and acts.
    AllThere,
}

/// Serves a request: at once where everything is on this shard.
///
/// # Errors
/// What the client is told.
pub fn serve(desk: &Rc<Desk>, from: Arrival, request: Request<'_>, tag: &mut Tag) -> Result<Outcome, Fault> {
    let service = &desk.common.service;
    if let Err(fault) = admit_ip(desk, from.ip, &service.ip_rules) {
        tag_early(service, from, &request, tag);
        return Err(fault);
    }
    if from.door == DoorKind::Redirect {
        return redirect::answer(desk, &request).map(Outcome::Now);
    }
    if request.method == Method::Options
        && let Some(reply) = options(service, &request)
    {
        return Ok(Outcome::Now(reply));
    }
    let (id, params) = find(service, &request)?;
    tag.route = Some(id);
    tag.origin = cors::admitted(service, id, &request);
    let route = &service.routes[usize::from(id.0)];
    if route.client_certificate == ClientCertificates::Required && from.proof == Proof::Nothing {
        return Err(Fault::ClientCertificateMissing);
    }
    keep_time(desk, route.priority)?;
    admit_ip(desk, from.ip, &route.ip_rules)?;
    if route.auth == Auth::None {
        return call(desk, Call { request, path: &params, caller: None, route: id });
    }
    let (caller, user) = authenticate(desk, &request)?;
    tag.user = Some(user);
    match place(desk, route, user) {
        Place::Here => {
            admit_user(desk, user.hash, &route.openid_rules)?;
            call(desk, Call { request, path: &params, caller: Some(&caller), route: id })
        }
        Place::LimitThere => Ok(limit_there(desk, Held::of(&request), caller, user, id)),
        Place::AllThere => Ok(send_there(desk, Held::of(&request), Errand { caller, user, route: id, id: from.id })),
    }
}

/// Finds out which page asks, only so that it can read why it is refused.
fn tag_early(service: &Service, from: Arrival, request: &Request<'_>, tag: &mut Tag) {
    if from.door != DoorKind::Redirect
        && let Ok((id, _)) = find(service, request)
    {
        tag.route = Some(id);
        tag.origin = cors::admitted(service, id, request);
    }
}

/// What a path can do, for pages of other origins first. `None`: a route of its own answers.
fn options(service: &Service, request: &Request<'_>) -> Option<Reply> {
    let found = service.router.find(request.method, request.path);
    let preflight = cors::preflight(service, request);
    match (found, preflight) {
        (Found::Options { allow }, None) => Some(Reply::new(204, Body::Empty).with("allow", allow.to_owned())),
        (_, preflight) => preflight,
    }
}

fn admit_ip(desk: &Desk, ip: KeyHash, rules: &[Rule]) -> Result<(), Fault> {
    if rules.is_empty() {
        return Ok(());
    }
    // Read anew: all shards share these buckets, and their turns began at different times. 20 ns.
    let now = desk.driver.clock().refresh_tick();
    match desk.common.ips.admit_all(ip, rules, now) {
        Ok(_) => Ok(()),
        Err(state) => {
            desk.ledger.limiter.refused_ip.one();
            Err(Fault::RateLimited(state))
        }
    }
}

/// A shard that is late refuses what matters less, before anything costly is done for it.
fn keep_time(desk: &Desk, priority: Priority) -> Result<(), Fault> {
    let sheds = desk.admission.borrow_mut().pressure.sheds(priority, desk.tick());
    if sheds { Err(shed(desk, Short::Time, priority)) } else { Ok(()) }
}

fn find<'r, 'p>(service: &'r Service, request: &Request<'p>) -> Result<(RouteId, PathParams<'r, 'p>), Fault> {
    match service.router.find(request.method, request.path) {
        Found::Route { id, params, .. } => Ok((id, params)),
        Found::WrongMethod { allow } | Found::Options { allow } => {
            Err(Fault::MethodNotAllowed { allow: allow.to_owned().into() })
        }
        Found::Unknown => Err(Fault::RouteUnknown),
    }
}

/// A token that this shard has verified before costs a look-up; any other an HMAC.
fn authenticate(desk: &Desk, request: &Request<'_>) -> Result<(Arc<Caller>, User), Fault> {
    let token = bearer(request)?;
    let known = desk.remembered.borrow_mut().lookup(token, desk.unix());
    let caller = match known {
        Some(caller) => {
            desk.ledger.tokens.remembered.one();
            caller
        }
        None => verify(desk, token)?,
    };
    let (hash, owner) = desk.owner(&caller.openid);
    let refused = desk.revoked.borrow().refuses(&caller, desk.common.owners.slot(hash));
    match refused {
        None => Ok((caller, User { hash, owner })),
        Some(fault) => {
            desk.ledger.tokens.refused.one();
            Err(fault)
        }
    }
}

fn bearer<'a>(request: &Request<'a>) -> Result<&'a [u8], Fault> {
    let value = header(request.headers, "authorization").ok_or(Fault::TokenMissing)?;
    // The scheme is case-insensitive (RFC 9110 §11.1), the token is not.
    match value.split_first_chunk::<7>() {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => Ok(token.trim_ascii_start()),
        _ => Err(Fault::TokenMissing),
    }
}

fn verify(desk: &Desk, token: &[u8]) -> Result<Arc<Caller>, Fault> {
    match access::verify(&desk.common.keys, token, desk.unix()) {
        Ok(caller) => {
            let caller = Arc::new(caller);
            desk.ledger.tokens.verified.one();
            desk.remembered.borrow_mut().remember(token, caller.clone());
            Ok(caller)
        }
        Err(fault) => {
            desk.ledger.tokens.refused.one();
            Err(fault)
        }
    }
}

fn place(desk: &Desk, route: &ServedRoute, user: User) -> Place {
    if user.owner == desk.shard {
        return Place::Here;
    }
    match (route.action.home(), route.openid_rules.is_empty()) {
        (Home::Owner, _) => Place::AllThere,
        (Home::Anywhere, false) => Place::LimitThere,
        (Home::Anywhere, true) => Place::Here,
    }
}

/// On the owner's shard only: the bucket is there and nowhere else.
fn admit_user(desk: &Desk, user: KeyHash, rules: &[Rule]) -> Result<(), Fault> {
    if rules.is_empty() {
        return Ok(());
    }
    let admitted: Result<Option<LimitState>, LimitState> = desk.limits.borrow_mut().admit_all(user, rules, desk.tick());
    match admitted {
        Ok(_) => {
            desk.ledger.limiter.admitted.one();
            Ok(())
        }
        Err(state) => {
            desk.ledger.limiter.refused_openid.one();
            Err(Fault::RateLimited(state))
        }
    }
}

/// One question to the owner, then the action here.
fn limit_there(desk: &Rc<Desk>, mut held: Held, caller: Arc<Caller>, user: User, id: RouteId) -> Outcome {
    let desk = desk.clone();
    Outcome::Later(
        Backend::Owner,
        Box::pin(async move {
            let asked = desk.ask(user.owner, move |owner, reply| {
                let route = &owner.common.service.routes[usize::from(id.0)];
                let _ = reply.send(admit_user(owner, user.hash, &route.openid_rules));
            });
            asked.await??;
            match held.with(|request| act(&desk, request, &caller, id))? {
                Outcome::Now(reply) => Ok(reply),
                Outcome::Later(backend, pending) => waiting(&desk, || backend, pending).await,
            }
        }),
    )
}

/// Waits, and tells whoever polls what for.
async fn waiting<T>(desk: &Desk, backend: impl Fn() -> Backend, pending: impl Future<Output = T> + Unpin) -> T {
    let mut pending = pending;
    poll_fn(|cx| {
        let polled = pending.poll_unpin(cx);
        desk.front.waits_on.set(backend());
        polled
    })
    .await
}

/// What a request needs on its user's shard.
struct Errand {
    caller: Arc<Caller>,
    user: User,
    route: RouteId,
    id: RequestId,
}

/// The whole request goes to the owner, the reply comes back.
fn send_there(desk: &Rc<Desk>, held: Held, errand: Errand) -> Outcome {
    let (desk, stage) = (desk.clone(), Stage::new());
    Outcome::Later(
        Backend::Owner,
        Box::pin(async move {
            let (here, there) = (stage.clone(), stage);
            let asked = desk.ask(errand.user.owner, move |owner, mut reply| {
                let worker = owner.clone();
                // If the table of tasks is full the reply is dropped with the task, which tells the asker.
                owner.driver.spawn(async move {
                    let work = pin!(run_errand(&worker, held, errand, &there));
                    // Given up with its asker, as it would be here: what must not be is carried out by a task of its own.
                    let done = match select(work, reply.cancellation()).await {
                        Either::Left((done, _)) => done,
                        Either::Right(_) => return,
                    };
                    let _ = reply.send(done);
                });
            });
            waiting(&desk, || here.waits_on(), pin!(asked)).await?
        }),
    )
}

async fn run_errand(owner: &Rc<Desk>, mut held: Held, errand: Errand, stage: &Stage) -> Result<Reply, Fault> {
    let Errand { caller, user, route, id } = errand;
    let rules = &owner.common.service.routes[usize::from(route.0)].openid_rules;
    let outcome = guard(owner, id, || {
        admit_user(owner, user.hash, rules)?;
        held.with(|request| act(owner, request, &caller, route))
    })?;
    match outcome {
        Outcome::Now(reply) => Ok(reply),
        Outcome::Later(backend, pending) => {
            stage.reach(backend);
            guard_pending(owner, id, pending).await
        }
    }
}

fn act(desk: &Rc<Desk>, request: Request<'_>, caller: &Arc<Caller>, id: RouteId) -> Result<Outcome, Fault> {
    let service = &desk.common.service;
    let (_, params) = find(service, &request)?;
    call(desk, Call { request, path: &params, caller: Some(caller), route: id })
}

/// The last step before the action: its body without a content coding.
fn call(desk: &Rc<Desk>, call: Call<'_>) -> Result<Outcome, Fault> {
    let service = &desk.common.service;
    let index = usize::from(call.route.0);
    let action = &service.routes[index].action;
    match decoded(desk, &service.config.routes[index], &call.request)? {
        None => action.call(desk, call),
        Some(mut body) => action.call(desk, Call { request: Request { body: &mut body, ..call.request }, ..call }),
    }
}
