//! `respond`: a fixed answer from the configuration.
//! `action = { respond = { body = '{"up":true}', status = 200, content_type = "application/json; charset=utf-8" } }`

use std::rc::Rc;
use std::sync::Arc;

use serde::Deserialize;

use crate::actions::call::Call;
use crate::actions::desk::Desk;
use crate::actions::{Action, Outcome};
use crate::core::config::checked::Config;
use crate::core::fault::Fault;
use crate::proto::reply::{Body, Rendered, Reply};
use crate::proto::request::header;

struct Respond {
    status: u16,
    rendered: Arc<Rendered>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    body: String,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default = "json")]
    content_type: String,
}

/// # Errors
/// What the value must be.
pub fn build(value: &toml::Value, _: &Config) -> Result<Box<dyn Action>, String> {
    let spec = read(value)?;
    let rendered = Arc::new(Rendered::new(spec.content_type, spec.body.into_bytes()));
    Ok(Box::new(Respond { status: spec.status, rendered }))
}

fn read(value: &toml::Value) -> Result<Spec, String> {
    let spec = Spec::deserialize(value.clone()).map_err(|error| error.to_string().trim().replace('\n', " "))?;
    if !(200..=599).contains(&spec.status) {
        return Err("status must be 200..=599".into());
    }
    // RFC 9110 §15.3.5, §15.3.6, §15.4.5.
    if matches!(spec.status, 204 | 205 | 304) && !spec.body.is_empty() {
        return Err(format!("body must be \"\": an answer with status {} has none", spec.status));
    }
    if spec.content_type.is_empty() || spec.content_type.bytes().any(|byte| !(0x20..0x7f).contains(&byte)) {
        return Err("content_type must be printable ASCII".into());
    }
    Ok(spec)
}

impl Action for Respond {
    fn call(&self, _: &Rc<Desk>, call: Call<'_>) -> Result<Outcome, Fault> {
        let reply = Reply::new(self.status, Body::Shared(self.rendered.clone()));
        // RFC 9110 §14.2, §14.3: a server may ignore ranges, and tells who asks for one that the next is in vain.
        let ranged = header(call.request.headers, "range").is_some();
        Ok(Outcome::Now(if ranged { reply.with("accept-ranges", "none") } else { reply }))
    }
}

const fn ok() -> u16 {
    200
}

fn json() -> String {
    "application/json; charset=utf-8".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(spec: &str, expect: Result<u16, &str>) {
        let table: toml::Table = spec.parse().expect("TOML");
        let got = read(&toml::Value::Table(table)).map(|spec| spec.status);
        assert_eq!(got.as_ref().map_err(String::as_str), expect.as_ref().map_err(|why| *why), "{spec}");
    }

    #[test]
    fn statuses_and_bodies_fit_together() {
        check("body = '{}'", Ok(200));
        check("body = ''\nstatus = 204", Ok(204));
        check("body = ''\nstatus = 205", Ok(205));
        check("body = 'x'\nstatus = 599", Ok(599));
        check("body = 'x'\nstatus = 600", Err("status must be 200..=599"));
        check("body = 'x'\nstatus = 199", Err("status must be 200..=599"));
        for status in [204, 205, 304] {
            let why = format!("body must be \"\": an answer with status {status} has none");
            check(&format!("body = 'x'\nstatus = {status}"), Err(&why));
        }
        check("body = ''\ncontent_type = \"a\\u007f\"", Err("content_type must be printable ASCII"));
    }
}
