//! Other servers that answer the same bytes: what a reader knows, beside what he is shown.
//! Never here: tuning against a peer. Each runs as its own documentation recommends, on one core.

pub mod certificate;
mod documents;
pub mod h2o;
pub mod haproxy;
pub mod hyper;
pub mod may;
pub mod nghttpd;
pub mod nginx;

use std::path::Path;

use self::certificate::Certificate;
use crate::answer::Answer;

/// What a peer that is a program of its own serves, and where.
pub struct Site<'a> {
    pub answer: &'a Answer,
    /// Port on 127.0.0.1
    pub port: u16,
    /// `None`: plain HTTP/1.1. With a certificate TLS, inside it HTTP/2 or HTTP/1.1 as ALPN says.
    pub certificate: Option<&'a Certificate>,
    /// Where its configuration and documents go.
    pub dir: &'a Path,
    /// What will be asked for; a server of files needs one for each.
    pub paths: &'a [String],
}
