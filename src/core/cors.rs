//! Which pages of other origins may call a route (Fetch standard, §3.2), as the configuration says it.
//! Never here: headers. What a browser is told is made where requests are served.

use std::time::Duration;

/// What pages of other origins may do (Fetch standard, §3.2).
#[derive(Debug)]
pub struct CorsPolicy {
    /// Never empty; `Any` stands alone.
    pub origins: Vec<Origin>,
    /// Request headers that pages may send, as a list; may be empty.
    pub headers: String,
    pub credentials: Credentials,
    /// How long a browser may remember the answer to a preflight.
    pub max_age: Duration,
}

/// Whether browsers may send cookies along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    Omit,
    /// Never with `Origin::Any`.
    Include,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Any,
    /// As browsers write it: `https://h5.example.com`, without the port of the scheme.
    Exact(String),
}

impl CorsPolicy {
    /// Index of the origin that admits the value of an `Origin` header.
    #[must_use]
    pub fn admits(&self, origin: &[u8]) -> Option<u16> {
        let index = self.origins.iter().position(|known| match known {
            Origin::Any => true,
            Origin::Exact(text) => text.as_bytes() == origin,
        })?;
        u16::try_from(index).ok()
    }
}

impl Origin {
    /// As in `Access-Control-Allow-Origin`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Any => "*",
            Self::Exact(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_byte_by_byte() {
        let check = |origins: &[&str], given: &str, expect| {
            let origin = |text: &&str| if *text == "*" { Origin::Any } else { Origin::Exact((*text).to_owned()) };
            let origins = origins.iter().map(origin).collect();
            let policy =
                CorsPolicy { origins, headers: String::new(), credentials: Credentials::Omit, max_age: Duration::ZERO };
            assert_eq!(policy.admits(given.as_bytes()), expect, "{given}");
        };
        let two = ["https://a.example", "http://b.example:8080"];
        check(&two, "https://a.example", Some(0));
        check(&two, "http://b.example:8080", Some(1));
        for other in
            ["", "null", "http://a.example", "https://A.example", "https://a.example/", "https://a.example.b", "*"]
        {
            check(&two, other, None);
        }
        check(&["*"], "null", Some(0));
    }
}
