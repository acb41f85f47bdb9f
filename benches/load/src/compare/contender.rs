//! The servers that are compared: their names and how each is started.
//! Never here: a difference in how they are measured.

use std::process::{Command, Stdio};

use clap::ValueEnum;

use super::rounds::Named;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Contender {
    FloorRing,
    FloorEpoll,
    Gateway,
    Nginx,
    Haproxy,
    H2o,
    Nghttpd,
    Hyper,
    May,
}

/// What a workload speaks to the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http1OverTls,
    Http2OverTls,
}

impl Contender {
    /// Name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::FloorRing => "floor: io_uring",
            Self::FloorEpoll => "floor: epoll",
            Self::Gateway => "**tidegate**",
            Self::Nginx => "nginx `return 200`",
            Self::Haproxy => "HAProxy `http-request return`",
            Self::H2o => "h2o, files",
            Self::Nghttpd => "nghttpd, files",
            Self::Hyper => "hyper on tokio",
            Self::May => "may_minihttp",
        }
    }

    /// Command of this very program that is the server, if it is one.
    pub fn own_command(self) -> Option<&'static str> {
        match self {
            Self::FloorRing => Some("floor-ring"),
            Self::FloorEpoll => Some("floor-epoll"),
            Self::Hyper => Some("peer-hyper"),
            Self::May => Some("peer-may"),
            Self::Gateway | Self::Nginx | Self::Haproxy | Self::H2o | Self::Nghttpd => None,
        }
    }

    /// What it is measured with. A peer that could do more is left out where it adds nothing.
    pub fn speaks(self, protocol: Protocol) -> bool {
        match self {
            Self::Gateway | Self::Nginx => true,
            Self::FloorRing | Self::FloorEpoll | Self::Hyper | Self::May => protocol == Protocol::Http1,
            Self::Haproxy => protocol != Protocol::Http1,
            Self::H2o | Self::Nghttpd => protocol == Protocol::Http2OverTls,
        }
    }

    /// Whether it can be started here. The gateway and our own programs were looked for before.
    pub fn is_here(self) -> bool {
        match self {
            Self::Nginx => installed("nginx", "-v"),
            Self::Haproxy => installed("haproxy", "-v"),
            Self::H2o => installed("h2o", "--version"),
            Self::Nghttpd => installed("nghttpd", "--version"),
            Self::Gateway | Self::FloorRing | Self::FloorEpoll | Self::Hyper | Self::May => true,
        }
    }
}

impl Named for Contender {
    fn name(&self) -> String {
        Self::name(*self).to_owned()
    }
}

/// Whether a program can be started at all.
pub fn installed(program: &str, version_flag: &str) -> bool {
    let status = Command::new(program).arg(version_flag).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
