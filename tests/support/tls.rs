//! Clients behind TLS, with every choice that a test wants to make.
//! Never here: a client that trusts what it should not.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::client::{ClientConnection, Resumption};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore, StreamOwned, SupportedProtocolVersion};

use super::PATIENCE;
use super::client::Client;
use super::pki::{Authority, ClientIdentity};

pub type TlsSocket = StreamOwned<ClientConnection, TcpStream>;

/// A kind of client; its copies share their tickets.
#[derive(Clone)]
pub struct Dialer {
    pub config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// What a handshake came to.
pub struct Agreed {
    pub kind: Option<HandshakeKind>,
    pub version: Option<ProtocolVersion>,
    pub alpn: Option<Vec<u8>>,
    /// The server's own certificate.
    pub certificate: Vec<u8>,
}

impl Dialer {
    /// Asks for `name`, trusts `authority`, speaks TLS 1.3 and 1.2.
    pub fn new(authority: &Authority, name: &str) -> Self {
        Self::with(authority, name, &[&rustls::version::TLS13, &rustls::version::TLS12], None)
    }

    pub fn with(
        authority: &Authority,
        name: &str,
        versions: &[&'static SupportedProtocolVersion],
        identity: Option<&ClientIdentity>,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der()).expect("an authority");
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions that the provider has")
            .with_root_certificates(roots);
        let mut config = match identity {
            None => config.with_no_client_auth(),
            Some(identity) => config.with_client_auth_cert(identity.chain.clone(), identity.key()).expect("a pair"),
        };
        config.resumption = Resumption::in_memory_sessions(16);
        let name = ServerName::try_from(name.to_owned()).expect("a name or an address");
        Self { config: Arc::new(config), name }
    }

    /// With other settings, and tickets of its own.
    pub fn adjusted(&self, adjust: impl FnOnce(&mut ClientConfig)) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = Resumption::in_memory_sessions(16);
        adjust(&mut config);
        Self { config: Arc::new(config), name: self.name.clone() }
    }

    /// Connects and makes the handshake.
    pub fn try_dial(&self, addr: SocketAddr) -> std::io::Result<TlsSocket> {
        self.try_dial_over(TcpStream::connect(addr)?)
    }

    /// Makes the handshake on a connection that something has been said on.
    pub fn try_dial_over(&self, socket: TcpStream) -> std::io::Result<TlsSocket> {
        self.handshake(socket, &[])
    }

    /// As `try_dial`, with these bytes before the handshake's first and in one send with them.
    pub fn try_dial_behind(&self, addr: SocketAddr, header: &[u8]) -> std::io::Result<TlsSocket> {
        self.handshake(TcpStream::connect(addr)?, header)
    }

    fn handshake(&self, mut socket: TcpStream, header: &[u8]) -> std::io::Result<TlsSocket> {
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        let mut session =
            ClientConnection::new(self.config.clone(), self.name.clone()).map_err(std::io::Error::other)?;
        let mut first = header.to_vec();
        session.write_tls(&mut first)?;
        socket.write_all(&first)?;
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        Ok(StreamOwned::new(session, socket))
    }

    pub fn dial(&self, addr: SocketAddr) -> TlsSocket {
        self.try_dial(addr).expect("the handshake succeeds")
    }

    pub fn connect(&self, addr: SocketAddr) -> Client {
        Client::over_tls(self.dial(addr))
    }

    /// What the server answers to `request`, and what was agreed; by then the client has its tickets.
    pub fn ask(&self, addr: SocketAddr, request: &str) -> (super::client::Answer, Agreed) {
        let mut client = self.connect(addr);
        let answer = client.ask(request);
        let agreed = client.agreed();
        (answer, agreed)
    }
}

pub fn agreed(session: &ClientConnection) -> Agreed {
    Agreed {
        kind: session.handshake_kind(),
        version: session.protocol_version(),
        alpn: session.alpn_protocol().map(<[u8]>::to_vec),
        certificate: session
            .peer_certificates()
            .and_then(|chain| chain.first())
            .map(|c| c.to_vec())
            .unwrap_or_default(),
    }
}
