//! Cache keys as templates: `product:{id}`, and the spaces they live in: `products:*`.
//! Never here: a rendered key.

use crate::core::config::checked::{KeyPart, KeyTemplate, Param};
use crate::core::config::error::Complaint;
use crate::core::config::section::suggestion;

/// Reads a template over `params`. Its key space is not empty, and ends with `:` where a parameter follows.
pub(super) fn parse(text: &str, params: &[Param]) -> Result<KeyTemplate, Complaint> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((literal, after)) = rest.split_once('{') {
        if literal.is_empty() && matches!(parts.last(), Some(KeyPart::Param(_))) {
            return Err(Complaint::new("must part its parameters", "write {a}:{b}"));
        }
        push_literal(&mut parts, literal)?;
        let (name, after) = after.split_once('}').ok_or_else(form)?;
        let index = params.iter().position(|param| param.name == name).ok_or_else(|| {
            let known = params.iter().map(|param| param.name.as_str());
            Complaint::new(format!("must name declared parameters, not {{{name}}}"), suggestion(name, known))
        })?;
        parts.push(KeyPart::Param(index));
        rest = after;
    }
    push_literal(&mut parts, rest)?;
    let template = KeyTemplate(parts);
    let spaced = template.0.len() == 1 || template.space().ends_with(':');
    if spaced && !template.space().is_empty() { Ok(template) } else { Err(form()) }
}

/// `products:*` → `products:`; `None` when the text is a key and no space.
pub(super) fn parse_space(text: &str) -> Option<Result<&str, Complaint>> {
    let space = text.strip_suffix('*')?;
    if space.is_empty() || space.contains(['{', '}', '*']) {
        return Some(Err(Complaint::new(
            "must be literal text before its star",
            "a star clears a whole key space, such as \"products:*\"",
        )));
    }
    Some(Ok(space))
}

/// Whether both have the same text at the same places.
pub(super) fn same_shape(left: &KeyTemplate, right: &KeyTemplate) -> bool {
    left.0.len() == right.0.len()
        && left.0.iter().zip(&right.0).all(|parts| match parts {
            (KeyPart::Literal(left), KeyPart::Literal(right)) => left == right,
            (KeyPart::Param(_), KeyPart::Param(_)) => true,
            (KeyPart::Literal(_), KeyPart::Param(_)) | (KeyPart::Param(_), KeyPart::Literal(_)) => false,
        })
}

fn push_literal(parts: &mut Vec<KeyPart>, literal: &str) -> Result<(), Complaint> {
    if !literal.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'}' | b'*')) {
        return Err(form());
    }
    if !literal.is_empty() {
        parts.push(KeyPart::Literal(literal.to_owned()));
    }
    Ok(())
}

fn form() -> Complaint {
    Complaint::new("must be a key such as \"product:{id}\"", "text that ends with :, then parameters in braces, no *")
}
