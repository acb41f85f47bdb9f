//! The kinds of doors that a shard has: what is spoken at each.
//! Never here: who may come in, see `accept`.

use std::net::{SocketAddr, TcpListener};

/// What is spoken behind a listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoorKind {
    /// HTTP in the clear.
    Plain,
    /// HTTP behind TLS.
    Tls,
    /// HTTP in the clear, answered with the way to the TLS door.
    Redirect,
}

impl DoorKind {
    /// The key of the configuration that opens it.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Plain => "server.listen",
            Self::Tls => "tls.listen",
            Self::Redirect => "redirect.listen",
        }
    }
}

/// One address of the node: a socket for each shard.
pub struct OpenDoor {
    pub kind: DoorKind,
    pub addr: SocketAddr,
    pub listeners: Vec<TcpListener>,
}
