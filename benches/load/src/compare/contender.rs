//! The servers that are compared: their names and how each is started.
//! Never here: a difference in how they are measured.

use std::process::{Command, Stdio};

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Contender {
    FloorRing,
    FloorEpoll,
    Gateway,
    Nginx,
    Hyper,
    May,
}

impl Contender {
    /// Name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::FloorRing => "floor: io_uring",
            Self::FloorEpoll => "floor: epoll",
            Self::Gateway => "**tidegate**",
            Self::Nginx => "nginx `return 200`",
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
            Self::Gateway | Self::Nginx => None,
        }
    }
}

/// Whether a program can be started at all.
pub fn installed(program: &str, version_flag: &str) -> bool {
    let status = Command::new(program).arg(version_flag).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
