//! The generator's side of TLS: one cipher suite and one curve first, so that every server does the same cryptography.
//! Never here: trust. Targets are on this machine, and their certificates were made a moment ago.

use std::io::{Error, ErrorKind, Result};
use std::net::TcpStream;
use std::sync::Arc;

use clap::ValueEnum;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, SupportedCipherSuite, version};

/// What phones and h2load offer first, and every server here takes.
const CIPHER_SUITE: SupportedCipherSuite = aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
/// The first is sent with a key share, so that it is taken by whoever knows it; nghttpd knows the second alone. OpenSSL 3.0
/// has no post-quantum groups, and a group that only some servers know would compare nothing.
const GROUPS: [&dyn SupportedKxGroup; 2] = [aws_lc_rs::kx_group::X25519, aws_lc_rs::kx_group::SECP256R1];
/// Tickets that a client keeps. A server sends one or two with each handshake, and each is used once.
const TICKETS_MAX: usize = 8;
const SERVER_NAME: &str = "localhost";

/// What is spoken inside: the one name in the ALPN extension (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Inside {
    Http1,
    Http2,
}

/// Whether a later connection may take up an earlier one's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tickets {
    Keep,
    Ignore,
}

/// TLS 1.3 alone.
pub fn client(inside: Inside, tickets: Tickets) -> Result<Arc<ClientConfig>> {
    let provider = CryptoProvider {
        cipher_suites: vec![CIPHER_SUITE],
        kx_groups: GROUPS.to_vec(),
        ..aws_lc_rs::default_provider()
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&version::TLS13])
        .map_err(Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth();
    config.alpn_protocols = vec![inside.alpn().to_vec()];
    config.resumption = match tickets {
        Tickets::Keep => Resumption::in_memory_sessions(TICKETS_MAX),
        Tickets::Ignore => Resumption::disabled(),
    };
    Ok(Arc::new(config))
}

/// Shakes hands over a blocking socket. Fails when the server has chosen no protocol, or another one.
pub fn handshake(config: &Arc<ClientConfig>, stream: &mut TcpStream) -> Result<ClientConnection> {
    let name = ServerName::try_from(SERVER_NAME).expect("a valid name");
    let mut session = ClientConnection::new(config.clone(), name).map_err(Error::other)?;
    while session.is_handshaking() {
        session.complete_io(stream)?;
    }
    let chosen = session.alpn_protocol();
    if chosen.is_some() && chosen == config.alpn_protocols.first().map(Vec::as_slice) {
        return Ok(session);
    }
    let chosen = String::from_utf8_lossy(chosen.unwrap_or(b"nothing"));
    Err(Error::new(ErrorKind::Unsupported, format!("the server chose {chosen} by ALPN")))
}

impl Inside {
    fn alpn(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }
}

#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("only TLS 1.3 is offered".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
