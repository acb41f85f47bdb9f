//! `logout`: closes the caller's session, or with `{"everywhere":true}` all sessions of the user. `action = { logout = {} }`
//! Never here: an answer before every shard refuses the tokens.

use std::rc::Rc;

use crate::actions::call::Call;
use crate::actions::desk::Desk;
use crate::actions::params::json_body;
use crate::actions::revoke::revoke;
use crate::actions::{Action, Home, Outcome, later, no_options};
use crate::core::config::checked::Config;
use crate::core::fault::{Backend, Fault};
use crate::proto::json::parse::Scalar;
use crate::proto::reply::{Body, Reply};

struct LogOut;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    ThisSession,
    Everywhere,
}

/// # Errors
/// What the value must be.
pub fn build(value: &toml::Value, _: &Config) -> Result<Box<dyn Action>, String> {
    no_options(value)?;
    Ok(Box::new(LogOut))
}

impl Action for LogOut {
    fn call(&self, desk: &Rc<Desk>, mut call: Call<'_>) -> Result<Outcome, Fault> {
        let caller = call.caller.ok_or(Fault::TokenMissing)?.clone();
        let reach = reach(desk, &mut call)?;
        let desk = desk.clone();
        Ok(later(Backend::Owner, async move {
            let carried = desk.clone();
            let close = async move {
                let mut closed = match reach {
                    Reach::Everywhere => carried.sessions.borrow_mut().close_all(&caller.openid),
                    Reach::ThisSession => {
                        carried.sessions.borrow_mut().close(&caller.openid, caller.session);
                        Vec::new()
                    }
                };
                // Also when the table did not know it: the token is valid, and must not be any longer.
                if !closed.contains(&caller.session) {
                    closed.push(caller.session);
                }
                revoke(&carried, &caller.openid, closed).await;
                Ok(Reply::json(Body::Static(br#"{"code":0,"message":"ok","data":null}"#)))
            };
            desk.carry_out(close).await
        }))
    }

    fn home(&self) -> Home {
        Home::Owner
    }
}

fn reach(desk: &Desk, call: &mut Call<'_>) -> Result<Reach, Fault> {
    if call.request.body.is_empty() {
        return Ok(Reach::ThisSession);
    }
    let mut json = desk.json.borrow_mut();
    match json_body(&mut call.request, &mut json)?.get("everywhere") {
        None | Some(Scalar::Null | Scalar::Bool(false)) => Ok(Reach::ThisSession),
        Some(Scalar::Bool(true)) => Ok(Reach::Everywhere),
        Some(_) => Err(Fault::InvalidParam { name: "everywhere".into(), need: "must be true or false".into() }),
    }
}
