//! `refresh`: a refresh token becomes a new pair; used twice, it closes the session. `action = { refresh = {} }`
//! Body: `{"refresh_token":"…"}`. A retry within ten seconds gets the same generation again.

use std::rc::Rc;

use crate::actions::call::Call;
use crate::actions::desk::Desk;
use crate::actions::params::json_body;
use crate::actions::revoke::revoke;
use crate::actions::token_pair::token_pair;
use crate::actions::{Action, Outcome, later, no_options};
use crate::core::config::checked::Config;
use crate::core::fault::{Backend, Fault};
use crate::core::session::Rotation;
use crate::core::token::Subject;
use crate::core::token::refresh::{RefreshGrant, verify};
use crate::proto::json::parse::Scalar;
use crate::proto::reply::Reply;

struct Refresh;

/// # Errors
/// What the value must be.
pub fn build(value: &toml::Value, _: &Config) -> Result<Box<dyn Action>, String> {
    no_options(value)?;
    Ok(Box::new(Refresh))
}

impl Action for Refresh {
    fn call(&self, desk: &Rc<Desk>, mut call: Call<'_>) -> Result<Outcome, Fault> {
        let mut json = desk.json.borrow_mut();
        let body = json_body(&mut call.request, &mut json)?;
        let Some(Scalar::Text(token)) = body.get("refresh_token") else {
            return Err(Fault::InvalidParam { name: "refresh_token".into(), need: "must be text".into() });
        };
        let grant = verify(&desk.common.keys, token.as_bytes(), desk.unix())?;
        let desk = desk.clone();
        Ok(later(Backend::Owner, async move {
            let carried = desk.clone();
            // To its end: between a closed session and its revoked tokens there must be nobody who can leave.
            desk.carry_out(async move { rotate(&carried, grant).await }).await
        }))
    }
}

async fn rotate(desk: &Rc<Desk>, grant: RefreshGrant) -> Result<Reply, Fault> {
    let owner = desk.owner(&grant.openid).1;
    let presented = grant.clone();
    let rotated = desk.ask(owner, move |desk, reply| {
        let RefreshGrant { openid, session, generation, .. } = presented;
        let rotated = desk.sessions.borrow_mut().rotate(&openid, session, generation, desk.tick());
        if rotated == Rotation::Reused {
            desk.ledger.sessions.reused.one();
        }
        let _ = reply.send(rotated);
    });
    match rotated.await? {
        Rotation::Fresh(generation) | Rotation::Repeat(generation) => {
            let subject = Subject { openid: &grant.openid, appid: &grant.appid, session: grant.session };
            token_pair(desk, subject, generation)
        }
        Rotation::Reused => {
            revoke(desk, &grant.openid, vec![grant.session]).await;
            Err(Fault::RefreshReused)
        }
        Rotation::Unknown => Err(Fault::RefreshInvalid),
    }
}
