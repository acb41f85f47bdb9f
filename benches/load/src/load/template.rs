//! Requests as text with holes: `{token}`, `{id}` and `{n}`.
//! Never here: which value goes into a hole.

use std::io::Write;

use clap::ValueEnum;

/// A request cut at its holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

/// What fills the holes of one request.
pub struct Values<'a> {
    pub token: &'a str,
    pub id: u64,
    pub number: u64,
}

/// Header fields of the built-in requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HeaderSet {
    /// Host, and Authorization where there are tokens: comparable with wrk
    Minimal,
    /// What WeChat on a phone sends, about 600 bytes
    Phone,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Token,
    Id,
    Number,
}

const HOLES: [(&[u8], Piece); 3] = [(b"{token}", Piece::Token), (b"{id}", Piece::Id), (b"{n}", Piece::Number)];

/// No accept-encoding: every server is to send the same bytes, and only some compress.
const PHONE_FIELDS: &str = "\
user-agent: Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 \
MicroMessenger/8.0.50(0x18003237) NetType/WIFI Language/zh_CN\r\n\
referer: https://servicewechat.com/wx4f4bc4dec97d474b/12/page-frame.html\r\n\
content-type: application/json\r\n\
accept: */*\r\n\
accept-language: zh-CN,zh-Hans;q=0.9\r\n\
x-forwarded-for: 203.0.113.7\r\n\
traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\
connection: keep-alive\r\n";

impl Template {
    /// A GET of `path`, which may have holes, with a bearer token when `token` asks for a hole.
    pub fn get(path: &str, host: &str, fields: HeaderSet, token: TokenHole) -> Result<Self, String> {
        let fields = match fields {
            HeaderSet::Minimal => "",
            HeaderSet::Phone => PHONE_FIELDS,
        };
        let authorization = match token {
            TokenHole::None => "",
            TokenHole::Bearer => "authorization: Bearer {token}\r\n",
        };
        Self::parse(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{fields}{authorization}\r\n").as_bytes())
    }

    /// Cuts the text at its holes. Any other brace is text.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = Vec::new();
        let mut rest = text;
        while let Some(&byte) = rest.first() {
            if let Some((hole, piece)) = HOLES.iter().find(|(hole, _)| rest.starts_with(hole)) {
                if !literal.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut literal)));
                }
                pieces.push(piece.clone());
                rest = &rest[hole.len()..];
            } else {
                literal.push(byte);
                rest = &rest[1..];
            }
        }
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        if pieces.is_empty() { Err("a request template must not be empty".to_owned()) } else { Ok(Self { pieces }) }
    }

    pub fn needs_token(&self) -> bool {
        self.pieces.contains(&Piece::Token)
    }

    /// Appends the request.
    pub fn render(&self, values: &Values<'_>, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Token => out.extend_from_slice(values.token.as_bytes()),
                Piece::Id => write!(out, "{}", values.id).expect("a Vec takes every write"),
                Piece::Number => write!(out, "{}", values.number).expect("a Vec takes every write"),
            }
        }
    }
}

/// Whether a built-in request carries a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenHole {
    None,
    Bearer,
}

/// Gives a template file the line ends of HTTP: editors save LF. The body, after the first empty line, stays as it is.
pub fn with_crlf(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
        rest = &rest[end + 1..];
        if line.is_empty() {
            break;
        }
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(template: &str, expected: &str) {
        let mut out = Vec::new();
        let values = Values { token: "tok", id: 42, number: 7 };
        Template::parse(template.as_bytes()).unwrap().render(&values, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn holes_are_filled_and_other_braces_stay() {
        check("{id}", "42");
        check("GET /p/{id}?n={n} {token}{token}", "GET /p/42?n=7 toktok");
        check(r#"{"code":"{n}"}"#, r#"{"code":"7"}"#);
        check("{ids} {i {", "{ids} {i {");
        assert!(Template::parse(b"").is_err());
    }

    #[test]
    fn a_built_in_request_is_whole_and_within_sixteen_fields() {
        for fields in [HeaderSet::Minimal, HeaderSet::Phone] {
            let template = Template::get("/a/{id}", "h:1", fields, TokenHole::Bearer).unwrap();
            assert!(template.needs_token());
            let mut out = Vec::new();
            template.render(&Values { token: "t", id: 1, number: 0 }, &mut out);
            let text = String::from_utf8(out).unwrap();
            assert!(
                text.starts_with("GET /a/1 HTTP/1.1\r\nhost: h:1\r\n") && text.ends_with("Bearer t\r\n\r\n"),
                "{text}"
            );
            assert!(text.matches("\r\n").count() <= 16 + 2, "{text}");
        }
    }

    #[test]
    fn heads_of_template_files_get_crlf_and_bodies_stay() {
        let check =
            |text: &str, expected: &str| assert_eq!(with_crlf(text.as_bytes()), expected.as_bytes(), "{text:?}");
        check("GET / HTTP/1.1\nhost: a\n\n", "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        check("GET / HTTP/1.1\r\nhost: a\r\n\r\n", "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        check("POST / HTTP/1.1\n\na\nb\n", "POST / HTTP/1.1\r\n\r\na\nb\n");
    }
}
