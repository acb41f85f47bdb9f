//! One exchange of a login code at WeChat per node, on the shard that the code hashes to; a retry gets what the first try got.
//! Never here: a second exchange of a code that may have been consumed; a session_key off its owner's shard, but for the hop.

use std::rc::Rc;

use futures_channel::oneshot;

use crate::actions::admit::Place;
use crate::actions::desk::Desk;
use crate::actions::revoke::revoke;
use crate::backends::lane::answered;
use crate::backends::wechat::WechatAsk;
use crate::core::admission::{Priority, Resource};
use crate::core::fault::{Backend, Fault};
use crate::core::ids::{AppId, SessionId};
use crate::core::login_codes::{Begun, CodeKey, LoginOutcome};
use crate::core::session::key::SessionKey;
use crate::core::session::{Login, Opened};
use crate::net::entropy::random;

type Reply = oneshot::Sender<Result<LoginOutcome, Fault>>;

/// A code that a client sent, for one of our mini-programs.
#[derive(Clone)]
pub struct LoginCode {
    pub app: AppId,
    pub code: String,
}

/// A login code on its way, and how much its route matters.
struct Attempt {
    login: LoginCode,
    priority: Priority,
}

/// Whom the code names, and the session that its first use opened.
///
/// # Errors
/// What WeChat says of the code; it may not be asked now; WeChat or the table of codes is busy.
pub async fn exchange(desk: &Rc<Desk>, login: LoginCode, priority: Priority) -> Result<LoginOutcome, Fault> {
    let key = desk.common.codes.key(&login.app, &login.code);
    let home = desk.common.owners.owner(key.route());
    desk.ask(home, move |desk, reply| begin(desk, key, Attempt { login, priority }, reply)).await?
}

fn begin(desk: &Rc<Desk>, key: CodeKey, attempt: Attempt, reply: Reply) {
    let begun = desk.codes.borrow_mut().begin(key, reply, desk.tick());
    match begun {
        Begun::Joined => desk.ledger.logins.joined.one(),
        Begun::Known(reply, outcome) => {
            desk.ledger.logins.repeated.one();
            let _ = reply.send(Ok(outcome));
        }
        Begun::Full(reply) => {
            let _ = reply.send(Err(Fault::Busy(Backend::Wechat)));
        }
        Begun::Exchange(reply) => {
            let leader = Leader { desk: desk.clone(), key, reply: Some(reply) };
            // Without room for a task it is dropped, and tells its waiters so.
            desk.driver.spawn(async move { leader.lead(attempt).await });
        }
    }
}

/// One exchange under way. Whatever becomes of it, also if it panics, its waiters get an answer.
struct Leader {
    desk: Rc<Desk>,
    key: CodeKey,
    reply: Option<Reply>,
}

impl Leader {
    async fn lead(mut self, attempt: Attempt) {
        let result = first_use(&self.desk, attempt).await;
        self.land(&result);
    }

    fn land(&mut self, result: &Result<LoginOutcome, Fault>) {
        let Some(reply) = self.reply.take() else { return };
        let desk = &self.desk;
        let waiters = desk.codes.borrow_mut().finish(self.key, result.as_ref().ok().cloned(), desk.tick());
        let logins = &desk.ledger.logins;
        if result.is_ok() {
            logins.exchanged.one()
        } else {
            logins.failed.one()
        }
        for waiter in std::iter::once(reply).chain(waiters) {
            // A waiter that left is no error.
            let _ = waiter.send(result.clone());
        }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.land(&Err(Fault::Overloaded));
    }
}

/// Asks WeChat, then opens the session where the user lives.
async fn first_use(desk: &Rc<Desk>, attempt: Attempt) -> Result<LoginOutcome, Fault> {
    let Attempt { login, priority } = attempt;
    let place = Place::take(desk, Resource::Wechat, priority)?;
    let lane = &desk.common.backends.wechat;
    let app = login.app.clone();
    let answer = lane.ask(|reply| WechatAsk::Exchange { app, code: login.code, reply });
    desk.count_ask(Backend::Wechat, &answer);
    let answer = match answer {
        Ok(answer) => answer,
        Err(full) => return place.give_back(Err(full)),
    };
    let exchanged = answered(answer).await;
    desk.count_answer(Backend::Wechat);
    let exchanged = place.give_back(exchanged)?;
    let session = SessionId(u128::from_le_bytes(random()));
    let key = SessionKey::new(exchanged.session_key.reveal()).ok_or(Fault::Internal)?;
    let outcome = LoginOutcome { openid: exchanged.openid, session };
    let (opened_for, owner) = (outcome.clone(), desk.owner(&outcome.openid).1);
    // WeChat has consumed the code: what it named must not be lost to a mailbox that is full for a moment.
    let opened = desk.insist(owner, move |desk, reply| {
        let new = Login { openid: &opened_for.openid, appid: &login.app, session, key: key.clone() };
        let opened = desk.sessions.borrow_mut().open(new, desk.tick());
        if opened != Opened::Fits {
            desk.ledger.sessions.evicted.one();
        }
        let _ = reply.send(opened);
    });
    if let Opened::DisplacedOwn(oldest) = opened.await {
        revoke(desk, &outcome.openid, vec![oldest]).await;
    }
    Ok(outcome)
}
