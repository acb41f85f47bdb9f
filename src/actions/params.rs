//! From a request to the typed values that a statement binds, exactly as the configuration declares them.
//! Never here: SQL. A value that does not fit its declaration goes no further than this file.

use std::borrow::Cow;
use std::sync::Arc;

use crate::actions::call::Call;
use crate::core::config::checked::{Kind, Param, Source, Value};
use crate::core::fault::Fault;
use crate::core::routes::PathParams;
use crate::core::token::access::Caller;
use crate::proto::http1::query;
use crate::proto::json::parse::{Object, Scalar, Scratch};
use crate::proto::request::{Request, header};

/// Where values may come from, apart from the body.
struct Sources<'a> {
    path: &'a PathParams<'a, 'a>,
    query: &'a str,
    caller: Option<&'a Arc<Caller>>,
}

/// Appends one value per parameter, in their order.
///
/// # Errors
/// The first parameter that is missing, of another type, or out of range; a body that is not a JSON object.
pub fn bind(params: &[Param], call: &mut Call<'_>, json: &mut Scratch, values: &mut Vec<Value>) -> Result<(), Fault> {
    let Call { request, path, caller, .. } = call;
    let sources = Sources { path, query: request.query, caller: *caller };
    let wants_body = params.iter().any(|param| matches!(param.source, Source::Body(_)));
    let body = if wants_body { Some(json_body(request, json)?) } else { None };
    for param in params {
        values.push(value(param, &sources, body.as_ref())?);
    }
    Ok(())
}

/// The body as a JSON object.
///
/// # Errors
/// Another media type, or not an object.
pub fn json_body<'a>(request: &'a mut Request<'_>, json: &'a mut Scratch) -> Result<Object<'a>, Fault> {
    let content_type = header(request.headers, "content-type").unwrap_or_default();
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if !essence.eq_ignore_ascii_case(b"application/json") {
        return Err(Fault::MediaType);
    }
    json.parse(request.body)
}

fn value(param: &Param, sources: &Sources<'_>, body: Option<&Object<'_>>) -> Result<Value, Fault> {
    let found = match &param.source {
        Source::Path(name) => sources.path.get(name).map(|text| from_text(param, text)),
        Source::Query(name) => query::find(sources.query, name)?.map(|text| from_text(param, &text)),
        Source::Body(name) => from_json(param, body.and_then(|body| body.get(name))),
        Source::TokenOpenId => sources.caller.map(|caller| Ok(Value::Text(caller.openid.as_str().into()))),
        Source::TokenAppId => sources.caller.map(|caller| Ok(Value::Text(caller.appid.as_str().into()))),
    };
    match (found, &param.default) {
        (Some(value), _) => value,
        (None, Some(default)) => Ok(default.clone()),
        (None, None) => Err(invalid(param, Cow::Borrowed("missing"))),
    }
}

fn from_text(param: &Param, text: &str) -> Result<Value, Fault> {
    match &param.kind {
        Kind::Integer(range) => match text.parse::<i64>() {
            Ok(number) if range.contains(&number) && canonical(text) => Ok(Value::Integer(number)),
            _ => Err(misfit(param)),
        },
        Kind::Text(range) => {
            if range.contains(&text.chars().count()) {
                Ok(Value::Text(text.into()))
            } else {
                Err(misfit(param))
            }
        }
        Kind::Float => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Float(number)),
            _ => Err(misfit(param)),
        },
        Kind::Bool => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(misfit(param)),
        },
    }
}

/// One number, one text: `+7` and `007` would be further names, and cache keys, of 7.
fn canonical(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.starts_with('+') && (digits == "0" || !digits.starts_with('0'))
}

/// `null` counts as absent, as `wx.request` sends it for an undefined field.
fn from_json(param: &Param, scalar: Option<Scalar<'_>>) -> Option<Result<Value, Fault>> {
    let value = match (&param.kind, scalar?) {
        (_, Scalar::Null) => return None,
        (Kind::Integer(range), Scalar::Integer(number)) if range.contains(&number) => Value::Integer(number),
        (Kind::Integer(range), Scalar::Unsigned(number)) => match i64::try_from(number) {
            Ok(number) if range.contains(&number) => Value::Integer(number),
            _ => return Some(Err(misfit(param))),
        },
        (Kind::Text(range), Scalar::Text(text)) if range.contains(&text.chars().count()) => Value::Text(text.into()),
        (Kind::Float, Scalar::Float(number)) if number.is_finite() => Value::Float(number),
        (Kind::Float, Scalar::Integer(number)) => Value::Float(number as f64),
        (Kind::Float, Scalar::Unsigned(number)) => Value::Float(number as f64),
        (Kind::Bool, Scalar::Bool(flag)) => Value::Bool(flag),
        _ => return Some(Err(misfit(param))),
    };
    Some(Ok(value))
}

fn misfit(param: &Param) -> Fault {
    let need = match &param.kind {
        Kind::Integer(range) => format!("must be an integer in {}..={}", range.start(), range.end()),
        Kind::Text(range) => format!("must be text of {} to {} characters", range.start(), range.end()),
        Kind::Float => "must be a finite number".into(),
        Kind::Bool => "must be true or false".into(),
    };
    invalid(param, need.into())
}

/// Names the parameter as the client knows it, not as SQL does.
fn invalid(param: &Param, need: Cow<'static, str>) -> Fault {
    let name = match &param.source {
        Source::Path(name) | Source::Query(name) | Source::Body(name) => name,
        Source::TokenOpenId | Source::TokenAppId => &param.name,
    };
    Fault::InvalidParam { name: name.clone().into(), need }
}
