//! `query`: a named SQL read. `action = { query = "product" }`
//! Never here: SQL text; an answer of one user for another.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use crate::actions::call::Call;
use crate::actions::desk::Desk;
use crate::actions::key::write_key;
use crate::actions::load::{Copies, Plain, Wanted, load, read};
use crate::actions::params::bind;
use crate::actions::{Action, Home, Outcome, later};
use crate::backends::database::Page;
use crate::core::cache::{Lookup, SpaceId, Spaces};
use crate::core::config::checked::{CacheRule, Config, Query, Rows, Source, Value};
use crate::core::fault::{Backend, Fault};
use crate::core::ids::OpenId;
use crate::proto::http1::query;
use crate::proto::json::rows::Answer;
use crate::proto::reply::{Body, Reply};
use crate::proto::request::Request;

struct Read {
    query: Arc<Query>,
    cached: Option<Cached>,
}

struct Cached {
    rule: CacheRule,
    space: SpaceId,
    copies: Copies,
}

/// # Errors
/// What the value must be.
pub fn build(value: &toml::Value, config: &Config) -> Result<Box<dyn Action>, String> {
    let known = || config.queries.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let name = value.as_str().ok_or("must be the name of a query")?;
    let query = config.queries.get(name).ok_or_else(|| format!("no such query, use one of {}", known()))?;
    let spaces = Spaces::of(config);
    let cached = query.cache.as_ref().map(|rule| cached(rule, query, &spaces)).transpose()?;
    Ok(Box::new(Read { query: query.clone(), cached }))
}

fn cached(rule: &CacheRule, query: &Query, spaces: &Spaces) -> Result<Cached, String> {
    let space = spaces.id(rule.key.space()).ok_or("its cache key has no key space")?;
    let personal = query.params.iter().any(|param| param.source == Source::TokenOpenId);
    let copies = if personal { Copies::HomeOnly } else { Copies::Everywhere };
    Ok(Cached { rule: rule.clone(), space, copies })
}

impl Action for Read {
    fn call(&self, desk: &Rc<Desk>, mut call: Call<'_>) -> Result<Outcome, Fault> {
        let mut values = desk.spare.values.take();
        let mut key = desk.spare.key.take();
        let outcome = self.answer(desk, &mut call, &mut values, &mut key);
        values.clear();
        key.clear();
        desk.spare.values.set(values);
        desk.spare.key.set(key);
        outcome
    }

    /// A user's own entries live on his shard and nowhere else.
    fn home(&self) -> Home {
        match &self.cached {
            Some(Cached { copies: Copies::HomeOnly, .. }) => Home::Owner,
            _ => Home::Anywhere,
        }
    }
}

impl Read {
    fn answer(
        &self,
        desk: &Rc<Desk>,
        call: &mut Call<'_>,
        values: &mut Vec<Value>,
        key: &mut Vec<u8>,
    ) -> Result<Outcome, Fault> {
        bind(&self.query.params, call, &mut desk.json.borrow_mut(), values)?;
        let Some(cached) = &self.cached else {
            return Ok(self.read(desk, call, std::mem::take(values)));
        };
        write_key(&cached.rule.key, values, key);
        let found = desk.cache.borrow_mut().get(key, desk.tick());
        match found {
            Lookup::Hit(answer) => shape(&answer, fields(&call.request)?.as_deref()).map(Outcome::Now),
            Lookup::Negative => Err(Fault::RowMissing),
            Lookup::Miss => self.load(desk, call, cached, std::mem::take(values), key),
        }
    }

    fn load(
        &self,
        desk: &Rc<Desk>,
        call: &Call<'_>,
        cached: &Cached,
        mut values: Vec<Value>,
        key: &[u8],
    ) -> Result<Outcome, Fault> {
        let home = match (cached.copies, call.caller) {
            (Copies::HomeOnly, Some(caller)) => home_of_user(desk, &caller.openid),
            _ => desk.common.owners.of(key).1,
        };
        let page = self.page(&mut values);
        let wanted = Wanted {
            key: key.into(),
            space: cached.space,
            query: self.query.clone(),
            values,
            page,
            home,
            copies: cached.copies,
            priority: desk.priority(call.route),
        };
        let fields = fields(&call.request)?.map(Cow::into_owned);
        let desk = desk.clone();
        Ok(later(Backend::Database, async move {
            let answer = load(desk, wanted).await?.ok_or(Fault::RowMissing)?;
            shape(&answer, fields.as_deref())
        }))
    }

    fn read(&self, desk: &Rc<Desk>, call: &Call<'_>, mut values: Vec<Value>) -> Outcome {
        let page = self.page(&mut values);
        let fields = fields(&call.request).map(|fields| fields.map(Cow::into_owned));
        let plain = Plain { query: self.query.clone(), values, page, priority: desk.priority(call.route) };
        let desk = desk.clone();
        later(Backend::Database, async move {
            let fields = fields?;
            let answer = read(&desk, plain).await?.ok_or(Fault::RowMissing)?;
            shape(&answer, fields.as_deref())
        })
    }

    /// Takes the two values that paging has added: they are not bound by name.
    fn page(&self, values: &mut Vec<Value>) -> Option<Page> {
        let Rows::Paged { .. } = self.query.rows else { return None };
        let (size, number) = (values.pop(), values.pop());
        let narrow = |value: Option<Value>| match value {
            Some(Value::Integer(number)) => u32::try_from(number).unwrap_or(u32::MAX),
            _ => unreachable!("the checker appends page and page_size, both integers"),
        };
        Some(Page { number: narrow(number), size: narrow(size) })
    }
}

fn fields<'q>(request: &Request<'q>) -> Result<Option<Cow<'q, str>>, Fault> {
    if request.query.is_empty() { Ok(None) } else { query::find(request.query, "fields") }
}

/// The answer with the columns that the client asked for.
fn shape(answer: &Answer, fields: Option<&str>) -> Result<Reply, Fault> {
    let rendered = match fields {
        None => answer.rendered.clone(),
        Some(fields) => answer.select(fields)?,
    };
    Ok(Reply::json(Body::Shared(rendered)))
}

fn home_of_user(desk: &Desk, openid: &OpenId) -> crate::core::ids::ShardId {
    desk.owner(openid).1
}
