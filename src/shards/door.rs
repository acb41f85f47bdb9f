//! The kinds of doors that a shard has: what is spoken at each.
//! Never here: who may come in, see `accept`.

use std::net::{SocketAddr, TcpListener};

/// What is spoken behind a listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoorKind {
    /// HTTP in the clear.
    Plain,
}

/// One address of the node: a socket for each shard.
pub struct OpenDoor {
    pub kind: DoorKind,
    pub addr: SocketAddr,
    pub listeners: Vec<TcpListener>,
}
