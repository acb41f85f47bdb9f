//! `query`: a named SQL read. `action = { query = "product" }`
//! Never here: SQL text; an answer of one user for another.

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
use crate::proto::request::{Request, header};

struct Read {
    query: Arc<Query>,
    cached: Option<Cached>,
}

struct Cached {
    rule: CacheRule,
    space: SpaceId,
    copies: Copies,
}

/// What the client wants of the answer, besides the answer.
struct Shape {
    fields: Option<Box<str>>,
    if_none_match: Option<Box<[u8]>>,
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
            Lookup::Hit(answer) => shaped(&answer, &call.request).map(Outcome::Now),
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
        let shape = Shape::of(&call.request)?;
        let desk = desk.clone();
        Ok(later(Backend::Database, async move {
            let answer = load(desk, wanted).await?.ok_or(Fault::RowMissing)?;
            shape.apply(&answer)
        }))
    }

    fn read(&self, desk: &Rc<Desk>, call: &Call<'_>, mut values: Vec<Value>) -> Outcome {
        let page = self.page(&mut values);
        let shape = Shape::of(&call.request);
        let plain = Plain { query: self.query.clone(), values, page, priority: desk.priority(call.route) };
        let desk = desk.clone();
        later(Backend::Database, async move {
            let shape = shape?;
            let answer = read(&desk, plain).await?.ok_or(Fault::RowMissing)?;
            shape.apply(&answer)
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

impl Shape {
    fn of(request: &Request<'_>) -> Result<Self, Fault> {
        Ok(Self {
            fields: query::find(request.query, "fields")?.map(|fields| (*fields).into()),
            if_none_match: header(request.headers, "if-none-match").map(Into::into),
        })
    }

    fn apply(&self, answer: &Answer) -> Result<Reply, Fault> {
        shape(answer, self.fields.as_deref(), self.if_none_match.as_deref())
    }
}

fn shaped(answer: &Answer, request: &Request<'_>) -> Result<Reply, Fault> {
    let fields = if request.query.is_empty() { None } else { query::find(request.query, "fields")? };
    shape(answer, fields.as_deref(), header(request.headers, "if-none-match"))
}

/// The answer as the client asked for it: selected columns, or only word that he has it already.
fn shape(answer: &Answer, fields: Option<&str>, if_none_match: Option<&[u8]>) -> Result<Reply, Fault> {
    let rendered = match fields {
        None => answer.rendered.clone(),
        Some(fields) => answer.select(fields)?,
    };
    if if_none_match.is_some_and(|tags| matches_any(tags, &rendered.etag)) {
        let etag = rendered.etag.to_string();
        return Ok(Reply { status: 304, headers: Vec::new(), body: Body::Empty }.with("etag", etag));
    }
    Ok(Reply::json(Body::Shared(rendered)))
}

/// Weak comparison (RFC 9110 §13.1.2): `*`, or any tag of the list, `W/` ignored. Our tags contain no comma.
fn matches_any(tags: &[u8], etag: &str) -> bool {
    tags.split(|byte| *byte == b',').map(|tag| tag.trim_ascii()).any(|tag| {
        let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
        tag == b"*" || tag == etag.as_bytes()
    })
}

fn home_of_user(desk: &Desk, openid: &OpenId) -> crate::core::ids::ShardId {
    desk.owner(openid).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_none_match_compares_weakly_and_in_lists() {
        let check = |tags: &str, matches: bool| assert_eq!(matches_any(tags.as_bytes(), "\"ab\""), matches, "{tags}");
        check("\"ab\"", true);
        check("W/\"ab\"", true);
        check("\"x\", \"ab\"", true);
        check("*", true);
        check("\"abc\"", false);
        check("ab", false);
        check("", false);
    }
}
