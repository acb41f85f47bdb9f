//! Cache keys from templates: `product:{id}` and the value 7 make `product:7`.
//! Never here: two different lists of values that make the same key.

use crate::core::config::checked::{KeyPart, KeyTemplate, Value};

/// Appends the key. Texts are written with their length before them, so that no text can imitate a separator.
pub fn write_key(template: &KeyTemplate, values: &[Value], key: &mut Vec<u8>) {
    for part in &template.0 {
        match part {
            KeyPart::Literal(text) => key.extend_from_slice(text.as_bytes()),
            KeyPart::Param(index) => {
                debug_assert!(*index < values.len(), "the checker resolves names to parameters");
                write_value(values.get(*index).unwrap_or(&Value::Null), key);
            }
        }
    }
}

fn write_value(value: &Value, key: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    match value {
        Value::Null => key.push(b'~'),
        Value::Integer(number) => key.extend_from_slice(digits.format(*number).as_bytes()),
        // The bits, because -0 and 0 are equal numbers and different texts.
        Value::Float(number) => key.extend_from_slice(digits.format(number.to_bits()).as_bytes()),
        Value::Bool(flag) => key.push(if *flag { b't' } else { b'f' }),
        Value::Text(text) => {
            key.extend_from_slice(digits.format(text.len()).as_bytes());
            key.push(b'\'');
            key.extend_from_slice(text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(template: &[KeyPart], values: &[Value]) -> String {
        let mut key = Vec::new();
        write_key(&KeyTemplate(template.to_vec()), values, &mut key);
        String::from_utf8(key).unwrap()
    }

    #[test]
    fn numbers_stand_as_they_are() {
        let template = [KeyPart::Literal("product:".into()), KeyPart::Param(0)];
        assert_eq!(key(&template, &[Value::Integer(7)]), "product:7");
        assert_eq!(key(&template, &[Value::Integer(-7)]), "product:-7");
    }

    #[test]
    fn texts_cannot_imitate_separators() {
        let template =
            [KeyPart::Literal("a:".into()), KeyPart::Param(0), KeyPart::Literal(":".into()), KeyPart::Param(1)];
        let text = |text: &str| Value::Text(text.into());
        let pairs = [("x:y", "z"), ("x", "y:z"), ("", "x:y:z"), ("1'x", ""), ("x:1'y", "z"), ("x", "1'y:z")];
        for (index, (a, b)) in pairs.iter().enumerate() {
            for (c, d) in &pairs[index + 1..] {
                assert_ne!(key(&template, &[text(a), text(b)]), key(&template, &[text(c), text(d)]));
            }
        }
    }
}
