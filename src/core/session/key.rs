//! WeChat's session_key: kept to decrypt and verify what a phone sends, never to be sent anywhere.
//! Never here: a way to print one.

use std::fmt;

use crate::core::bounds::SESSION_KEY_BYTES_MAX;

/// WeChat's key for a user's data and signatures, as the base64 text that WeChat sent.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey {
    len: u8,
    text: [u8; SESSION_KEY_BYTES_MAX],
}

/// A phone may still use the key that a newer login has replaced, so both are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionKeys {
    pub current: SessionKey,
    pub previous: Option<SessionKey>,
}

impl SessionKey {
    /// `None` when the text is empty or longer than [`SESSION_KEY_BYTES_MAX`].
    #[must_use]
    pub fn new(base64: &str) -> Option<Self> {
        let mut text = [0; SESSION_KEY_BYTES_MAX];
        text.get_mut(..base64.len())?.copy_from_slice(base64.as_bytes());
        let len = u8::try_from(base64.len()).ok().filter(|&len| len > 0)?;
        Some(Self { len, text })
    }

    /// The base64 text, for the one place that needs it: WeChat signs with the text, and encrypts with what it decodes to.
    #[must_use]
    pub fn reveal(&self) -> &str {
        std::str::from_utf8(&self.text[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SessionKey(…)")
    }
}

impl SessionKeys {
    /// A login may bring the key that is current already; then the previous one stays.
    pub(super) fn replace(&mut self, key: SessionKey) {
        if self.current != key {
            self.previous = Some(std::mem::replace(&mut self.current, key));
        }
    }
}
