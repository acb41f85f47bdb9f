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
    let spec = Spec::deserialize(value.clone()).map_err(|error| error.to_string().trim().replace('\n', " "))?;
    if !(200..=599).contains(&spec.status) {
        return Err("status must be 200..=599".into());
    }
    if spec.content_type.is_empty() || spec.content_type.bytes().any(|byte| !(0x20..0x7f).contains(&byte)) {
        return Err("content_type must be printable ASCII".into());
    }
    let rendered = Arc::new(Rendered::new(spec.content_type, spec.body.into_bytes()));
    Ok(Box::new(Respond { status: spec.status, rendered }))
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
