//! Everything that can go wrong with a request, whose fault it is, and what the client is told.
//! Never here: a secret, a token or a personal datum inside a message.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// A backend that can be busy, slow or gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    Database,
    Wechat,
    /// The shard that owns the user or the key.
    Owner,
}

/// Who has to change something so that the request succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    Client,
    Gateway,
    Backend,
    Operator,
}

/// Whether the same request may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    Never,
    After(Duration),
    /// After a wait that differs from client to client: those who are refused together must not come back together.
    Spread,
    /// After a new `wx.login`.
    AfterLogin,
}

/// State of a rate limit at the moment of a decision; becomes `RateLimit-*` headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitState {
    /// Requests admitted at once from a full bucket.
    pub limit: u32,
    /// Requests that would be admitted right now.
    pub remaining: u32,
    /// Until one more request is admitted (refused) or the bucket is full (admitted).
    pub reset: Duration,
}

/// A request that does not get what it asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Bytes that are not the HTTP we accept; the connection closes.
    Malformed(&'static str),
    /// A parameter is missing or outside its declared type or range.
    InvalidParam {
        name: Cow<'static, str>,
        need: Cow<'static, str>,
    },
    /// The body is not the JSON object that the route declares.
    InvalidBody(&'static str),
    /// The body is not whole, or not what its content coding says.
    BodyCoding {
        coding: &'static str,
    },
    TokenMissing,
    TokenInvalid,
    TokenExpired,
    SessionRevoked,
    RefreshInvalid,
    /// A refresh token that was already exchanged: the session is closed.
    RefreshReused,
    /// WeChat does not know the login code, or it was used or is too old.
    LoginCodeInvalid,
    /// WeChat blocks this user (40226).
    UserBlocked,
    /// The route is for clients that showed a certificate.
    ClientCertificateMissing,
    RouteUnknown,
    RowMissing,
    /// `Allow` lists the methods the path has.
    MethodNotAllowed {
        allow: Cow<'static, str>,
    },
    HeadTimeout,
    BodyTimeout,
    /// A named expectation of a transaction did not hold, for example `out_of_stock`.
    Conflict(Cow<'static, str>),
    /// The same idempotency key came with another request.
    IdempotencyMismatch,
    BodyTooLarge {
        bytes_max: usize,
    },
    TargetTooLong {
        bytes_max: usize,
    },
    MediaType,
    /// The body has a content coding that the route does not accept; `accepted` lists those that it does.
    ContentCoding {
        accepted: Cow<'static, str>,
    },
    RateLimited(LimitState),
    /// WeChat's own quota is used up for this minute or day.
    WechatQuota {
        wait: Duration,
    },
    HeadTooLarge {
        bytes_max: usize,
    },
    HeadersTooMany {
        count_max: usize,
    },
    /// A panic or a broken invariant of ours.
    Internal,
    MethodUnknown,
    TransferCodingUnknown,
    ExpectationUnknown,
    /// The backend answered what it never should, or is misconfigured; `code` is its own error number.
    BackendRefused {
        backend: Backend,
        code: i64,
    },
    /// A queue towards the backend is full, or the backend asks us to come back.
    Busy(Backend),
    /// The gateway is at a bound of its own.
    Overloaded,
    /// Not all can be served in time, and this request was among those that matter less.
    Shed,
    /// The backend did not answer within the deadline.
    Timeout(Backend),
    VersionUnsupported,
}

/// What the client reads of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub status: u16,
    /// Stable: clients may switch on it. Status × 100 + a number of ours.
    pub code: u32,
    pub blame: Blame,
    pub retry: Retry,
}

const SOON: Duration = Duration::from_secs(1);

impl Fault {
    /// The one place where a fault becomes a status and a code.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        use Blame::{Backend as Peer, Client, Gateway, Operator};
        use Retry::{After, AfterLogin, Never, Spread};
        let (status, number, blame, retry) = match self {
            Self::Malformed(_) => (400, 0, Client, Never),
            Self::InvalidParam { .. } => (400, 1, Client, Never),
            Self::InvalidBody(_) => (400, 2, Client, Never),
            Self::BodyCoding { .. } => (400, 3, Client, Never),
            Self::TokenMissing => (401, 0, Client, AfterLogin),
            Self::TokenInvalid => (401, 1, Client, AfterLogin),
            Self::TokenExpired => (401, 2, Client, AfterLogin),
            Self::SessionRevoked => (401, 3, Client, AfterLogin),
            Self::RefreshInvalid => (401, 4, Client, AfterLogin),
            Self::RefreshReused => (401, 5, Client, AfterLogin),
            Self::LoginCodeInvalid => (401, 10, Client, AfterLogin),
            Self::UserBlocked => (403, 1, Client, Never),
            Self::ClientCertificateMissing => (403, 2, Client, Never),
            Self::RouteUnknown => (404, 0, Client, Never),
            Self::RowMissing => (404, 1, Client, Never),
            Self::MethodNotAllowed { .. } => (405, 0, Client, Never),
            Self::HeadTimeout => (408, 0, Client, After(SOON)),
            Self::BodyTimeout => (408, 1, Client, After(SOON)),
            Self::Conflict(_) => (409, 0, Client, Never),
            Self::IdempotencyMismatch => (409, 1, Client, Never),
            Self::BodyTooLarge { .. } => (413, 0, Client, Never),
            Self::TargetTooLong { .. } => (414, 0, Client, Never),
            Self::MediaType => (415, 0, Client, Never),
            Self::ContentCoding { .. } => (415, 1, Client, Never),
            Self::ExpectationUnknown => (417, 0, Client, Never),
            Self::RateLimited(state) => (429, 0, Client, After(state.reset)),
            Self::WechatQuota { wait } => (429, 1, Peer, After(*wait)),
            Self::HeadTooLarge { .. } => (431, 0, Client, Never),
            Self::HeadersTooMany { .. } => (431, 1, Client, Never),
            Self::Internal => (500, 0, Gateway, Never),
            Self::MethodUnknown => (501, 0, Client, Never),
            Self::TransferCodingUnknown => (501, 1, Client, Never),
            Self::BackendRefused { .. } => (502, 0, Operator, Never),
            Self::Busy(_) => (503, 0, Peer, Spread),
            Self::Overloaded => (503, 1, Gateway, Spread),
            Self::Shed => (503, 3, Gateway, Spread),
            Self::Timeout(_) => (504, 0, Peer, After(SOON)),
            Self::VersionUnsupported => (505, 0, Client, Never),
        };
        Verdict { status, code: status as u32 * 100 + number, blame, retry }
    }

    /// Whether the byte stream can no longer be trusted or is not worth reading on.
    #[must_use]
    pub const fn closes(&self) -> bool {
        matches!(
            self,
            Self::Malformed(_)
                | Self::HeadTimeout
                | Self::BodyTimeout
                | Self::BodyTooLarge { .. }
                | Self::TargetTooLong { .. }
                | Self::HeadTooLarge { .. }
                | Self::HeadersTooMany { .. }
                | Self::Internal
                | Self::MethodUnknown
                | Self::TransferCodingUnknown
                | Self::ExpectationUnknown
                | Self::VersionUnsupported
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(out, "malformed request: {what}"),
            Self::InvalidParam { name, need } => write!(out, "parameter {name}: {need}"),
            Self::InvalidBody(what) => write!(out, "invalid body: {what}"),
            Self::BodyCoding { coding } => write!(out, "invalid body: not one whole body in {coding}"),
            Self::TokenMissing => out.write_str("no token: send authorization: Bearer TOKEN"),
            Self::TokenInvalid => out.write_str("token not valid"),
            Self::TokenExpired => out.write_str("token expired: refresh it"),
            Self::SessionRevoked => out.write_str("session closed: log in again"),
            Self::RefreshInvalid => out.write_str("refresh token not valid: log in again"),
            Self::RefreshReused => out.write_str("refresh token already used, session closed: log in again"),
            Self::LoginCodeInvalid => out.write_str("login code not valid, used or expired: call wx.login again"),
            Self::UserBlocked => out.write_str("login refused by WeChat for this user"),
            Self::ClientCertificateMissing => out.write_str("this route asks for a client certificate"),
            Self::RouteUnknown => out.write_str("no such path"),
            Self::RowMissing => out.write_str("not found"),
            Self::MethodNotAllowed { allow } => write!(out, "method not allowed here: use {allow}"),
            Self::HeadTimeout => out.write_str("request head took too long"),
            Self::BodyTimeout => out.write_str("request body took too long"),
            Self::Conflict(name) => out.write_str(name),
            Self::IdempotencyMismatch => out.write_str("idempotency key was used for another request"),
            Self::BodyTooLarge { bytes_max } => write!(out, "body too large: at most {bytes_max} bytes"),
            Self::TargetTooLong { bytes_max } => write!(out, "request target too long: at most {bytes_max} bytes"),
            Self::MediaType => out.write_str("unsupported media type: send content-type: application/json"),
            Self::ContentCoding { accepted } => {
                write!(out, "unsupported content-encoding: this path accepts {accepted}")
            }
            Self::RateLimited(_) => out.write_str("too many requests"),
            Self::WechatQuota { .. } => out.write_str("WeChat's quota is used up: retry later"),
            Self::HeadTooLarge { bytes_max } => write!(out, "request head too large: at most {bytes_max} bytes"),
            Self::HeadersTooMany { count_max } => write!(out, "too many headers: at most {count_max}"),
            Self::Internal => out.write_str("internal error"),
            Self::MethodUnknown => out.write_str("method not implemented"),
            Self::TransferCodingUnknown => out.write_str("transfer coding not implemented: only chunked"),
            Self::ExpectationUnknown => out.write_str("expectation not supported: only 100-continue"),
            Self::BackendRefused { backend, code } => write!(out, "{} refused with code {code}", backend.name()),
            Self::Busy(backend) => write!(out, "{} busy: retry later", backend.name()),
            Self::Overloaded => out.write_str("server at its limit: retry later"),
            Self::Shed => out.write_str("server is overloaded: retry later"),
            Self::Timeout(backend) => write!(out, "{} did not answer in time", backend.name()),
            Self::VersionUnsupported => out.write_str("HTTP version not supported: use HTTP/1.1"),
        }
    }
}

impl std::error::Error for Fault {}

impl Backend {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Wechat => "wechat",
            Self::Owner => "owner shard",
        }
    }
}
