//! Session tickets: a client brings back what we gave it, sealed, and skips half of the handshake. One set of keys for all
//! shards, from a file also for all nodes.
//! Never here: a ticket for a client with a certificate (it could have been revoked since), early data.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::server::ProducesTickets;

use crate::core::bounds::{TLS_TICKET_BYTES_MAX, TLS_TICKET_KEYS_MAX, TLS_TICKET_LIFE};
use crate::core::config::ConfigError;
use crate::core::time::UnixSeconds;
use crate::net::clock::unix_now;
use crate::net::entropy::random;

use super::files::{complaint, read};

const KEY: &str = "tls.ticket_keys";
const KEY_BYTES: usize = 32;
const ID_BYTES: usize = 8;
/// Seconds since 1970 at which it was sealed, in front of what rustls wants to find again.
const TIME_BYTES: usize = 8;
/// Keys of the process kept beside the one that seals: its tickets are good for as long as it was in use.
const PREVIOUS_KEPT: usize = 1;

/// The keys in use; the first seals, all open.
pub(super) struct Tickets(RwLock<Arc<[Arc<TicketKey>]>>);

struct TicketKey {
    /// Tells which key opens a ticket; the same on every node.
    id: [u8; ID_BYTES],
    /// GCM-SIV: nodes share a key for as long as the operator likes, and random nonces that meet must not give it away
    /// (RFC 8452 §9: 2^48 tickets and more).
    seal: LessSafeKey,
}

impl Tickets {
    /// Keys that nobody else has.
    pub fn random() -> Self {
        Self(RwLock::new([TicketKey::new(&random())].into()))
    }

    /// # Errors
    /// The file is not one key in base64 a line.
    pub fn of_file(path: &Path) -> Result<Self, ConfigError> {
        read_keys(path).map(|keys| Self(RwLock::new(keys.into())))
    }

    /// A new key seals from now on; the one before it still opens.
    pub fn rotate(&self) {
        let mut keys = vec![TicketKey::new(&random())];
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        keys.extend(held.iter().take(PREVIOUS_KEPT).cloned());
        *held = keys.into();
    }

    /// Takes over the keys of a file as it is now.
    pub fn replace(&self, other: Self) {
        let keys = other.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    fn keys(&self) -> Arc<[Arc<TicketKey>]> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn seal(&self, state: &[u8], now: UnixSeconds) -> Option<Vec<u8>> {
        let keys = self.keys();
        let key = keys.first()?;
        let nonce: [u8; NONCE_LEN] = random();
        let mut sealed = [&now.0.to_be_bytes(), state].concat();
        key.seal.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(key.id), &mut sealed).ok()?;
        Some([key.id.as_slice(), &nonce, &sealed].concat())
    }

    fn open(&self, ticket: &[u8], now: UnixSeconds) -> Option<Vec<u8>> {
        if ticket.len() > TLS_TICKET_BYTES_MAX {
            return None;
        }
        let (id, rest) = ticket.split_first_chunk::<ID_BYTES>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let keys = self.keys();
        let key = keys.iter().find(|key| key.id == *id)?;
        let mut sealed = sealed.to_vec();
        let opened = key.seal.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(id), &mut sealed).ok()?;
        let (sealed_at, state) = opened.split_first_chunk::<TIME_BYTES>()?;
        let age = now.0.checked_sub(u64::from_be_bytes(*sealed_at));
        // Nodes' clocks differ a little: a ticket from the near future is as good as one from now.
        (age.unwrap_or_default() <= TLS_TICKET_LIFE.as_secs()).then(|| state.to_vec())
    }
}

impl TicketKey {
    fn new(bytes: &[u8; KEY_BYTES]) -> Arc<Self> {
        let mut id = [0; ID_BYTES];
        let named = digest(&SHA256, &[b"tidegate session ticket key".as_slice(), bytes].concat());
        id.iter_mut().zip(named.as_ref()).for_each(|(to, from)| *to = *from);
        let key = UnboundKey::new(&AES_256_GCM_SIV, bytes).expect("a key of 32 bytes, as its type says");
        Arc::new(Self { id, seal: LessSafeKey::new(key) })
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        TLS_TICKET_LIFE.as_secs() as u32
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.seal(plain, unix_now())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.open(cipher, unix_now())
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Tickets(…)")
    }
}

fn read_keys(path: &Path) -> Result<Vec<Arc<TicketKey>>, ConfigError> {
    let text = read(KEY, path)?;
    let wrong = |need: String| complaint(KEY, path, need, "make a key with: openssl rand -base64 32");
    let text = String::from_utf8(text).map_err(|_| wrong("must be text".into()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut keys = Vec::new();
    for (index, line) in lines.enumerate() {
        let bytes = STANDARD.decode(line).ok().and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes).ok());
        let bytes =
            bytes.ok_or_else(|| wrong(format!("must have {KEY_BYTES} bytes in base64 as key {}", index + 1)))?;
        keys.push(TicketKey::new(&bytes));
    }
    if (1..=TLS_TICKET_KEYS_MAX).contains(&keys.len()) {
        return Ok(keys);
    }
    Err(wrong(format!("must have 1..={TLS_TICKET_KEYS_MAX} keys, one a line, has {}", keys.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn later(seconds: u64) -> UnixSeconds {
        UnixSeconds(NOW.0 + seconds)
    }

    fn file(keys: &[[u8; KEY_BYTES]]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines: Vec<String> = keys.iter().map(|key| STANDARD.encode(key)).collect();
        std::fs::write(file.path(), format!("# newest first\n\n{}\n", lines.join("\n"))).unwrap();
        file
    }

    #[test]
    fn a_ticket_opens_with_the_keys_that_made_it_and_with_no_others() {
        let tickets = Tickets::random();
        let ticket = tickets.seal(b"state", NOW).unwrap();
        assert_eq!(tickets.open(&ticket, NOW).as_deref(), Some(b"state".as_slice()));
        assert_ne!(tickets.seal(b"state", NOW).unwrap(), ticket, "two tickets tell nobody that they are of one client");
        assert_eq!(Tickets::random().open(&ticket, NOW), None);
        for cut in 0..ticket.len() {
            assert_eq!(tickets.open(&ticket[..cut], NOW), None);
            let mut bent = ticket.clone();
            bent[cut] ^= 1;
            assert_eq!(tickets.open(&bent, NOW), None, "byte {cut}");
        }
        assert_eq!(tickets.open(&vec![0; TLS_TICKET_BYTES_MAX + 1], NOW), None);
    }

    #[test]
    fn a_ticket_ends_with_its_life() {
        let tickets = Tickets::random();
        let ticket = tickets.seal(b"state", NOW).unwrap();
        let life = TLS_TICKET_LIFE.as_secs();
        assert!(tickets.open(&ticket, later(life)).is_some());
        assert!(tickets.open(&ticket, later(life + 1)).is_none());
        assert!(tickets.open(&ticket, UnixSeconds(NOW.0 - 60)).is_some(), "clocks of nodes differ");
    }

    #[test]
    fn a_rotation_keeps_the_tickets_of_the_key_before_it() {
        let tickets = Tickets::random();
        let first = tickets.seal(b"1", NOW).unwrap();
        tickets.rotate();
        let second = tickets.seal(b"2", NOW).unwrap();
        assert!(tickets.open(&first, NOW).is_some() && tickets.open(&second, NOW).is_some());
        tickets.rotate();
        assert!(tickets.open(&first, NOW).is_none() && tickets.open(&second, NOW).is_some());
    }

    #[test]
    fn nodes_with_the_same_file_open_each_others_tickets() {
        let (old, new) = ([1; KEY_BYTES], [2; KEY_BYTES]);
        let here = Tickets::of_file(file(&[old]).path()).unwrap();
        let there = Tickets::of_file(file(&[new, old]).path()).unwrap();
        let ticket = here.seal(b"state", NOW).unwrap();
        assert!(there.open(&ticket, NOW).is_some());
        assert!(here.open(&there.seal(b"state", NOW).unwrap(), NOW).is_none(), "the first key seals");
        here.replace(there);
        assert!(here.open(&ticket, NOW).is_some());
    }

    #[test]
    fn a_file_of_keys_is_checked() {
        let check = |text: &str, words: &str| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), text).unwrap();
            let error = Tickets::of_file(file.path()).err().unwrap().to_string();
            assert!(error.contains(words) && error.contains("tls.ticket_keys"), "{error}");
        };
        check("", "must have 1..=8 keys");
        check(&format!("{}\n", STANDARD.encode([7; KEY_BYTES])).repeat(9), "has 9");
        check("c2hvcnQ=", "key 1");
        check(&format!("{}\nno base64", STANDARD.encode([7; KEY_BYTES])), "key 2");
    }
}
