//! The kinds of floods that a client of HTTP/2 can send: frames that cost us more than they cost it.
//! Never here: how much of each is allowed.

/// What there can be too much of on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flood {
    /// Requests that the client took back (CVE-2023-44487).
    RapidReset,
    /// Streams that had to be reset because of what the client sent on them (CVE-2025-8671).
    ProvokedReset,
    Ping,
    Settings,
    Priority,
    EmptyData,
    /// Windows opened by a few bytes.
    WindowUpdate,
    Continuation,
    /// Bytes of header blocks.
    HeaderBytes,
    /// Answers that the client asked for and did not take within the write timeout.
    Stall,
    /// What the HTTP/2 library counts by itself.
    Library,
}

impl Flood {
    pub const ALL: [Self; 11] = [
        Self::RapidReset,
        Self::ProvokedReset,
        Self::Ping,
        Self::Settings,
        Self::Priority,
        Self::EmptyData,
        Self::WindowUpdate,
        Self::Continuation,
        Self::HeaderBytes,
        Self::Stall,
        Self::Library,
    ];

    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::RapidReset => "rapid_reset",
            Self::ProvokedReset => "provoked_reset",
            Self::Ping => "ping",
            Self::Settings => "settings",
            Self::Priority => "priority",
            Self::EmptyData => "empty_data",
            Self::WindowUpdate => "window_update",
            Self::Continuation => "continuation",
            Self::HeaderBytes => "header_bytes",
            Self::Stall => "stall",
            Self::Library => "library",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_its_index() {
        for (index, flood) in Flood::ALL.into_iter().enumerate() {
            assert_eq!(flood as usize, index);
        }
    }
}
