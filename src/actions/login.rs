//! `login`: a `wx.login` code becomes our tokens. `action = { login = { on_login = "remember_user" } }`
//! Body: `{"code":"…","appid":"…"?}`; without `appid` the first configured app is meant.

use std::rc::Rc;
use std::sync::Arc;

use serde::Deserialize;

use crate::actions::call::Call;
use crate::actions::desk::Desk;
use crate::actions::exchange::{LoginCode, exchange};
use crate::actions::params::json_body;
use crate::actions::token_pair::token_pair;
use crate::actions::transaction::Follow;
use crate::actions::{Action, Outcome, later};
use crate::core::admission::Priority;
use crate::core::bounds::LOGIN_CODE_BYTES_MAX;
use crate::core::config::checked::{Config, Source, Value};
use crate::core::fault::{Backend, Fault};
use crate::core::ids::AppId;
use crate::core::login_codes::LoginOutcome;
use crate::core::token::Subject;
use crate::proto::json::parse::Scalar;
use crate::proto::reply::Reply;

struct LogIn {
    apps: Arc<[AppId]>,
    follow: Option<Arc<Follow>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    on_login: Option<String>,
}

/// # Errors
/// What the value must be.
pub fn build(value: &toml::Value, config: &Config) -> Result<Box<dyn Action>, String> {
    let spec = Spec::deserialize(value.clone()).map_err(|error| error.to_string().trim().replace('\n', " "))?;
    let follow = spec.on_login.map(|name| follow(&name, config)).transpose()?;
    let apps = config.apps.iter().map(|app| app.id.clone()).collect();
    Ok(Box::new(LogIn { apps, follow: follow.map(Arc::new) }))
}

fn follow(name: &str, config: &Config) -> Result<Follow, String> {
    let follow = Follow::named(name, config)?;
    let params = &follow.transaction().params;
    let from_token = |source: &Source| matches!(source, Source::TokenOpenId | Source::TokenAppId);
    if params.iter().all(|param| from_token(&param.source)) {
        Ok(follow)
    } else {
        Err(format!("transaction {name} may take only parameters from the token: a login has nothing else"))
    }
}

impl Action for LogIn {
    fn call(&self, desk: &Rc<Desk>, mut call: Call<'_>) -> Result<Outcome, Fault> {
        let login = self.read(desk, &mut call)?;
        let (desk, follow, priority) = (desk.clone(), self.follow.clone(), desk.priority(call.route));
        Ok(later(Backend::Wechat, async move { log_in(&desk, login, follow, priority).await }))
    }
}

impl LogIn {
    fn read(&self, desk: &Desk, call: &mut Call<'_>) -> Result<LoginCode, Fault> {
        let mut json = desk.json.borrow_mut();
        let body = json_body(&mut call.request, &mut json)?;
        let code = text(body.get("code"), "code")?.ok_or_else(|| invalid("code", "missing"))?;
        if !(1..=LOGIN_CODE_BYTES_MAX).contains(&code.len()) {
            return Err(invalid("code", "must have 1 to 128 bytes"));
        }
        let app = match text(body.get("appid"), "appid")? {
            None => self.apps.first(),
            Some(appid) => self.apps.iter().find(|app| app.as_str() == appid),
        };
        let app = app.ok_or_else(|| invalid("appid", "not served here"))?.clone();
        Ok(LoginCode { app, code: code.into() })
    }
}

async fn log_in(
    desk: &Rc<Desk>,
    login: LoginCode,
    follow: Option<Arc<Follow>>,
    priority: Priority,
) -> Result<Reply, Fault> {
    let app = login.app.clone();
    let outcome = exchange(desk, login, priority).await?;
    if let Some(follow) = follow {
        follow.run(desk, token_values(&follow, &outcome, &app), priority).await?;
    }
    let generation = generation(desk, &outcome).await?;
    let subject = Subject { openid: &outcome.openid, appid: &app, session: outcome.session };
    token_pair(desk, subject, generation)
}

/// The session may have been refreshed since the code was first used, or closed: then the code is used up.
async fn generation(desk: &Rc<Desk>, outcome: &LoginOutcome) -> Result<u64, Fault> {
    let (openid, session) = (outcome.openid.clone(), outcome.session);
    let owner = desk.owner(&openid).1;
    let found = desk.ask(owner, move |desk, reply| {
        let now = desk.tick();
        let found = desk.sessions.borrow_mut().find(&openid, session, now).map(|session| session.generation);
        let _ = reply.send(found);
    });
    found.await?.ok_or(Fault::LoginCodeInvalid)
}

fn token_values(follow: &Follow, outcome: &LoginOutcome, app: &AppId) -> Vec<Value> {
    let value = |source: &Source| match source {
        Source::TokenAppId => Value::Text(app.as_str().into()),
        _ => Value::Text(outcome.openid.as_str().into()),
    };
    follow.transaction().params.iter().map(|param| value(&param.source)).collect()
}

fn text<'a>(scalar: Option<Scalar<'a>>, name: &'static str) -> Result<Option<&'a str>, Fault> {
    match scalar {
        None | Some(Scalar::Null) => Ok(None),
        Some(Scalar::Text(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(name, "must be text")),
    }
}

fn invalid(name: &'static str, need: &'static str) -> Fault {
    Fault::InvalidParam { name: name.into(), need: need.into() }
}
