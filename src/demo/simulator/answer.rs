//! The platform's texts: error codes with their messages, answers in JSON, identities made from names, the query string.
//! Never here: state.

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Errors of `jscode2session`: the documented ones, and those that it is known to answer besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Errcode {
    Busy,
    GrantTypeInvalid,
    AppidInvalid,
    CodeInvalid,
    SecretInvalid,
    CodeUsed,
    UserBlocked,
    AppidMissing,
    SecretMissing,
    CodeMissing,
    QuotaUsedUp,
    CodeExpired,
}

/// What a successful exchange tells about a user.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Session {
    pub openid: String,
    /// Half of the users have one, as if only some mini-programs were bound to an Open Platform account.
    pub unionid: Option<String>,
    /// Base64 of 16 bytes; another code of the same user brings another key.
    pub session_key: String,
}

impl Errcode {
    const ALL: [Self; 12] = [
        Self::Busy,
        Self::GrantTypeInvalid,
        Self::AppidInvalid,
        Self::CodeInvalid,
        Self::SecretInvalid,
        Self::CodeUsed,
        Self::UserBlocked,
        Self::AppidMissing,
        Self::SecretMissing,
        Self::CodeMissing,
        Self::QuotaUsedUp,
        Self::CodeExpired,
    ];

    pub(super) fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    pub(super) const fn number(self) -> i32 {
        self.parts().0
    }

    /// Numbers and messages as the platform writes them.
    const fn parts(self) -> (i32, &'static str) {
        match self {
            Self::Busy => (-1, "system error"),
            Self::GrantTypeInvalid => (40002, "invalid grant_type"),
            Self::AppidInvalid => (40013, "invalid appid"),
            Self::CodeInvalid => (40029, "invalid code"),
            Self::SecretInvalid => (40125, "invalid appsecret"),
            Self::CodeUsed => (40163, "code been used"),
            Self::UserBlocked => (40226, "code blocked"),
            Self::AppidMissing => (41002, "appid missing"),
            Self::SecretMissing => (41004, "appsecret missing"),
            Self::CodeMissing => (41008, "missing code"),
            Self::QuotaUsedUp => (45011, "api minute-quota reach limit mustslower retry next minute"),
            Self::CodeExpired => (61010, "code is expired"),
        }
    }

    /// `{"errcode":40029,"errmsg":"invalid code, rid: 6553c1f2-04a1b2c3-5d6e7f80"}`
    pub(super) fn to_json(self, rid: u128) -> String {
        let (number, message) = self.parts();
        let digits = format!("{:024x}", rid >> 32);
        format!(
            r#"{{"errcode":{number},"errmsg":"{message}, rid: {}-{}-{}"}}"#,
            &digits[..8],
            &digits[8..16],
            &digits[16..]
        )
    }
}

impl Session {
    /// Openid and unionid depend on the name (and mini-program) alone, the session key on the code as well.
    pub(super) fn new(appid: &str, name: &str, code: &str) -> Self {
        let person = hash(&["unionid", name]);
        Self {
            openid: format!("o{}", first_27(&hash(&["openid", appid, name]))),
            unionid: (person[31] & 1 == 0).then(|| format!("o{}", first_27(&person))),
            session_key: STANDARD.encode(&hash(&["session_key", appid, code])[..16]),
        }
    }

    /// No `errcode`: its absence is success.
    pub(super) fn to_json(&self) -> String {
        let Self { openid, unionid, session_key } = self;
        let unionid = unionid.as_ref().map_or(String::new(), |id| format!(r#","unionid":"{id}""#));
        format!(r#"{{"session_key":"{session_key}","openid":"{openid}"{unionid}}}"#)
    }
}

/// The first parameter of that name, percent-decoded; `None` when absent, empty or not UTF-8.
pub(super) fn param<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let raw = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?.1;
    let value = if raw.contains(['%', '+']) { Cow::Owned(percent_decoded(raw)?) } else { Cow::Borrowed(raw) };
    (!value.is_empty()).then_some(value)
}

fn hash(parts: &[&str]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, parts.join("\n").as_bytes()).as_ref());
    bytes
}

fn first_27(hash: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(hash).chars().take(27).collect()
}

/// `%41` → `A`, `+` → space; `None` for digits that are none or a result that is not UTF-8.
fn percent_decoded(raw: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    let hex = |digit: Option<u8>| char::from(digit?).to_digit(16).and_then(|value| u8::try_from(value).ok());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex(rest.next())? << 4 | hex(rest.next())?,
            b'+' => b' ',
            plain => plain,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_look_like_the_platforms() {
        assert_eq!(
            Errcode::CodeInvalid.to_json(0x6553_c1f2_04a1_b2c3_5d6e_7f80_ffff_ffff),
            r#"{"errcode":40029,"errmsg":"invalid code, rid: 6553c1f2-04a1b2c3-5d6e7f80"}"#
        );
        assert_eq!(
            Errcode::Busy.to_json(1 << 32),
            r#"{"errcode":-1,"errmsg":"system error, rid: 00000000-00000000-00000001"}"#
        );
    }

    #[test]
    fn every_number_leads_back_to_its_error() {
        for code in Errcode::ALL {
            assert_eq!(Errcode::from_number(code.number()), Some(code));
        }
        assert_eq!(Errcode::from_number(0), None);
    }

    #[test]
    fn identities_have_the_platforms_shape_and_stay() {
        let names: Vec<String> = (0..64).map(|number| format!("user{number}")).collect();
        let mut unionids = 0;
        for name in &names {
            let session = Session::new("wx1", name, &format!("demo-{name}"));
            assert_eq!(session, Session::new("wx1", name, &format!("demo-{name}")), "the same code says the same");
            assert!(session.openid.len() == 28 && session.openid.starts_with('o'));
            assert_eq!(STANDARD.decode(&session.session_key).expect("base64").len(), 16);
            assert!(session.unionid.as_ref().is_none_or(|id| id.len() == 28 && id.starts_with('o')));
            unionids += usize::from(session.unionid.is_some());

            let again = Session::new("wx1", name, &format!("demo-{name}.2"));
            assert_eq!((&again.openid, &again.unionid), (&session.openid, &session.unionid));
            assert_ne!(again.session_key, session.session_key, "a new login brings a new key");

            let other = Session::new("wx2", name, &format!("demo-{name}"));
            assert_ne!(other.openid, session.openid, "an openid belongs to one mini-program");
            assert_eq!(other.unionid, session.unionid, "a unionid belongs to the person");
        }
        assert!((16..=48).contains(&unionids), "some users have a unionid, {unionids} of 64 have");
    }

    #[test]
    fn sessions_are_json_with_the_platforms_fields() {
        let session = Session { openid: "o1".into(), unionid: Some("o2".into()), session_key: "a2V5".into() };
        assert_eq!(session.to_json(), r#"{"session_key":"a2V5","openid":"o1","unionid":"o2"}"#);
        let session = Session { unionid: None, ..session };
        assert_eq!(session.to_json(), r#"{"session_key":"a2V5","openid":"o1"}"#);
    }

    #[test]
    fn parameters_are_decoded() {
        let check = |query: &str, expect: Option<&str>| assert_eq!(param(query, "a").as_deref(), expect, "{query}");
        check("a=1&b=2", Some("1"));
        check("b=2&a=1", Some("1"));
        check("a=1&a=2", Some("1"));
        check("a=%41%2bb+c", Some("A+b c"));
        check("a=%e5%bc%a0", Some("张"));
        for absent in ["", "a", "a=", "b=a", "aa=1", "a=%", "a=%4", "a=%zz", "a=%ff"] {
            check(absent, None);
        }
    }
}
