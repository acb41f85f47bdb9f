//! A session against rustls as its client, in memory: no cut, no damage and no order of bytes makes it panic, and what
//! arrives whole is what was sent.
//! Never here: sockets.

use std::io::{Read, Write};
use std::sync::Arc;

use proptest::prelude::*;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::session::{Made, Scratch, Session};
use crate::core::bounds::{TLS_PARTIAL_BYTES_MAX, TLS_SEAL_BYTES_MAX};
use crate::net::sockets::End;

/// Both sides of a connection, with a certificate that the client trusts.
struct Pair {
    client: ClientConnection,
    server: Session,
    scratch: Scratch,
    /// What the server has opened.
    heard: Vec<u8>,
}

#[derive(Clone)]
struct Configs {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

fn configs(version: &'static SupportedProtocolVersion) -> Configs {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(["shop".to_owned()]).unwrap().self_signed(&key).unwrap();
    let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
    let provider = Arc::new(aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.clone(), PrivateKeyDer::try_from(key.serialize_der()).unwrap());
    let mut roots = RootCertStore::empty();
    roots.add(chain[0].clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Configs { server: Arc::new(server.unwrap()), client: Arc::new(client) }
}

impl Pair {
    fn new(configs: &Configs) -> Self {
        let client = ClientConnection::new(configs.client.clone(), ServerName::try_from("shop").unwrap()).unwrap();
        let server = Session::new(configs.server.clone()).unwrap();
        Self { client, server, scratch: Scratch::default(), heard: Vec::new() }
    }

    /// What the client has to send.
    fn flight(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    /// As a stream does it, with a buffer that ends where the bytes do.
    fn deliver(&mut self, bytes: &[u8]) {
        let mut input = self.server.take_partial();
        input.extend_from_slice(bytes);
        let done = self.server.open(&mut input, &mut self.heard);
        assert!(done <= input.len());
        if done < input.len() {
            self.server.keep_partial(input.split_off(done));
        }
    }

    /// Brings the server's bytes to the client; false when the client refuses them.
    fn reply(&mut self) -> bool {
        let sent = std::mem::take(&mut self.server.unsent);
        self.client_reads(&sent)
    }

    fn client_reads(&mut self, mut sent: &[u8]) -> bool {
        while !sent.is_empty() {
            if self.client.read_tls(&mut sent).is_err() || self.client.process_new_packets().is_err() {
                return false;
            }
        }
        true
    }

    fn shake_hands(mut self) -> Self {
        while self.client.is_handshaking() || self.server.is_handshaking() {
            let flight = self.flight();
            self.deliver(&flight);
            assert!(self.reply());
        }
        self
    }

    fn say(&mut self, text: &[u8]) -> Vec<u8> {
        self.client.writer().write_all(text).unwrap();
        self.flight()
    }
}

fn both(check: impl Fn(&Configs)) {
    for version in [&TLS13, &TLS12] {
        check(&configs(version));
    }
}

#[test]
fn what_is_sealed_arrives() {
    both(|configs| {
        let mut pair = Pair::new(configs).shake_hands();
        assert_eq!(pair.server.made(), Some(Made::Full));
        for len in [1, 100, 16_384, 16_385, TLS_SEAL_BYTES_MAX, TLS_SEAL_BYTES_MAX + 1] {
            let text = vec![b'x'; len];
            let (piece, records) = pair.server.seal(&text, &mut pair.scratch).unwrap();
            assert_eq!(piece, len.min(TLS_SEAL_BYTES_MAX));
            let records = records.to_vec();
            let mut got = vec![0; piece];
            // The client takes 16 KiB at a time.
            let mut from = 0;
            for part in records.chunks(8192) {
                assert!(pair.client_reads(part));
                from += pair.client.reader().read(&mut got[from..]).unwrap_or(0);
            }
            while from < piece {
                from += pair.client.reader().read(&mut got[from..]).unwrap();
            }
            assert_eq!(got, text[..piece]);
        }
    });
}

#[test]
fn a_session_at_rest_holds_nothing() {
    both(|configs| {
        let mut pair = Pair::new(configs).shake_hands();
        let said = pair.say(b"hello");
        pair.deliver(&said[..3]);
        assert!(pair.server.is_amid_record());
        pair.deliver(&said[3..]);
        assert_eq!(pair.heard, b"hello");
        let Session { opened, unsent, .. } = &pair.server;
        assert_eq!((opened.capacity(), unsent.capacity(), pair.server.is_amid_record()), (0, 0, false));
        assert!(size_of::<Session>() <= 2048, "{} bytes", size_of::<Session>());
    });
}

#[test]
fn a_goodbye_ends_what_is_read_and_not_what_is_said() {
    both(|configs| {
        let mut pair = Pair::new(configs).shake_hands();
        let mut said = pair.say(b"last");
        pair.client.send_close_notify();
        said.extend(pair.flight());
        said.extend([23, 3, 3, 0, 1, 0]);
        pair.deliver(&said);
        assert_eq!((pair.heard.as_slice(), pair.server.end), (b"last".as_slice(), Some(End::Closed)));
        assert!(pair.server.seal(b"answer", &mut pair.scratch).is_some());
        assert!(pair.server.seal_end(&mut pair.scratch).is_some());
    });
}

#[test]
fn the_beginning_of_a_record_is_bounded() {
    let mut pair = Pair::new(&configs(&TLS13));
    pair.server.keep_partial(vec![0; TLS_PARTIAL_BYTES_MAX]);
    assert_eq!(pair.server.end, None);
    pair.server.keep_partial(vec![0; TLS_PARTIAL_BYTES_MAX + 1]);
    assert_eq!(pair.server.end, Some(End::Broken));
}

/// Answers are sealed while half a message of the protocol is here.
#[test]
fn what_is_half_here_does_not_disturb_what_leaves() {
    let mut pair = Pair::new(&configs(&TLS13)).shake_hands();
    pair.client.refresh_traffic_keys().unwrap();
    let update = pair.flight();
    for cut in 1..update.len() {
        let mut pair = Pair::new(&configs(&TLS13)).shake_hands();
        pair.client.refresh_traffic_keys().unwrap();
        let update = pair.flight();
        pair.deliver(&update[..cut]);
        let records = pair.server.seal(b"answer", &mut pair.scratch).unwrap().1.to_vec();
        assert!(pair.client_reads(&records));
        pair.deliver(&update[cut..]);
        assert!(pair.reply());
        let said = pair.say(b"after");
        pair.deliver(&said);
        assert_eq!(pair.heard, b"after");
    }
}

/// What an attacker does to a flight.
#[derive(Clone, Debug)]
enum Damage {
    Flip { at: usize, with: u8 },
    Cut { at: usize },
    Insert { at: usize, bytes: Vec<u8> },
    Repeat { at: usize },
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<usize>(), 1u8..).prop_map(|(at, with)| Damage::Flip { at, with }),
        any::<usize>().prop_map(|at| Damage::Cut { at }),
        (any::<usize>(), prop::collection::vec(any::<u8>(), 1..40))
            .prop_map(|(at, bytes)| Damage::Insert { at, bytes }),
        any::<usize>().prop_map(|at| Damage::Repeat { at }),
    ]
}

impl Damage {
    fn apply(&self, flight: &mut Vec<u8>) {
        if flight.is_empty() {
            return;
        }
        let len = flight.len();
        match self {
            Self::Flip { at, with } => flight[at % len] ^= with,
            Self::Cut { at } => flight.truncate(at % len),
            Self::Insert { at, bytes } => drop(flight.splice(at % len..at % len, bytes.iter().copied())),
            Self::Repeat { at } => flight.extend_from_within(at % len..),
        }
    }
}

proptest! {
    #[test]
    fn nothing_that_a_client_sends_makes_a_session_panic(
        modern in any::<bool>(),
        rounds in prop::collection::vec(prop::option::of(damage()), 1..5),
        cuts in prop::collection::vec(1usize..300, 1..6),
    ) {
        thread_local!(static CONFIGS: [Configs; 2] = [configs(&TLS12), configs(&TLS13)]);
        let configs = CONFIGS.with(|configs| configs[usize::from(modern)].clone());
        let mut pair = Pair::new(&configs);
        for damage in &rounds {
            if !pair.client.is_handshaking() {
                let _ = pair.client.writer().write_all(b"GET / HTTP/1.1\r\n\r\n");
                let _ = pair.client.refresh_traffic_keys();
            }
            let mut flight = pair.flight();
            if let Some(damage) = damage {
                damage.apply(&mut flight);
            }
            let (mut rest, mut cuts) = (flight.as_slice(), cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                pair.deliver(piece);
                // Whoever serves the connection may answer at any time.
                if !pair.server.is_handshaking() {
                    let _ = pair.server.seal(b"answer", &mut pair.scratch);
                }
                rest = behind;
            }
            if !pair.reply() {
                break;
            }
        }
        let _ = pair.server.seal_end(&mut pair.scratch);
    }
}
