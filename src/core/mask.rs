//! What a log may show instead of a personal datum or a secret.
//! Never here: a way back to the original.

use aws_lc_rs::hmac;
use xxhash_rust::xxh3::xxh3_64_with_secret;

use crate::core::ids::OpenId;

/// Longest text that xxh3 mixes with its secret at once; its own default has the same size.
const SECRET_BYTES: usize = 192;

/// Digits of a Chinese mobile number. Of a shorter one, three and four digits would be most of it.
const PHONE_CHARS: usize = 11;

/// Turns openids into pseudonyms: the same user has the same one on every node with the same key, and nobody without the key
/// can test whether a line is about a given user. Ten nanoseconds, because every line of the access log has one.
pub struct OpenIdMask {
    secret: [u8; SECRET_BYTES],
}

impl OpenIdMask {
    /// `key`: at least 32 bytes, secret, the same on all nodes whose logs are read together.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        assert!(key.len() >= 32, "a pseudonym is as secret as its key");
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let mut secret = [0; SECRET_BYTES];
        for (block, part) in (0u8..).zip(secret.chunks_mut(32)) {
            // The label keeps these bytes apart from whatever else the key may be used for.
            let bytes = hmac::sign(&key, &[b"tidegate openid mask ".as_slice(), &[block]].concat());
            part.copy_from_slice(bytes.as_ref());
        }
        Self { secret }
    }

    /// The pseudonym; logs print it as 16 hex digits.
    #[must_use]
    pub fn hash(&self, openid: &OpenId) -> u64 {
        xxh3_64_with_secret(openid.as_str().as_bytes(), &self.secret)
    }
}

/// `13812340000` → `138****0000`; what is shorter shows nothing.
#[must_use]
pub fn phone(number: &str) -> String {
    let count = number.chars().count();
    if count < PHONE_CHARS {
        return "*".repeat(count);
    }
    let head: String = number.chars().take(3).collect();
    let tail: String = number.chars().skip(count - 4).collect();
    format!("{head}****{tail}")
}

/// The first six characters of a token: enough to tell kinds apart, useless as a token. A short text shows nothing.
#[must_use]
pub fn token(text: &str) -> String {
    let shown = if text.len() < 24 { 0 } else { 6 };
    text.chars().take(shown).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pseudonyms_are_stable_under_one_key_and_unrelated_under_another() {
        let openid = OpenId::new("oGZUI0egBJY1zhBYw2KhdUfwVJJE");
        let (one, same, other) = (OpenIdMask::new(&[1; 32]), OpenIdMask::new(&[1; 32]), OpenIdMask::new(&[2; 32]));
        assert_eq!(one.hash(&openid), same.hash(&openid));
        assert_ne!(one.hash(&openid), other.hash(&openid));
        assert_ne!(one.hash(&openid), one.hash(&OpenId::new("oGZUI0egBJY1zhBYw2KhdUfwVJJF")));
    }

    #[test]
    fn phone_numbers_keep_three_and_four_digits() {
        let check = |number: &str, shown: &str| assert_eq!(phone(number), shown);
        check("13812340000", "138****0000");
        check("+8613812340000", "+86****0000");
        check("1381234000", "**********");
        check("", "");
        check("电话号码一二三四五六七", "电话号****四五六七");
    }

    #[test]
    fn tokens_show_six_characters() {
        assert_eq!(token("eyJ0eXAiOiJKV1QiLCJhbGciO"), "eyJ0eX…");
        assert_eq!(token("abcdefgh"), "…");
    }
}
