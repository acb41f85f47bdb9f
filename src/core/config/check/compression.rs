//! [compression], and the codings that a route accepts for its bodies.
//! Never here: a level; those are measured, not chosen.

use toml::Value;

use crate::core::bounds;
use crate::core::coding::{Coding, CodingSet};
use crate::core::config::checked::Compression;
use crate::core::config::error::Complaint;
use crate::core::config::section::{Section, text};

use super::knobs::open;

pub(super) const COMPRESSION: &[&str] = &["codings", "bytes_min"];

pub(super) fn compression(root: &Section<'_>) -> Compression {
    let section = open(root, "compression", COMPRESSION);
    Compression {
        codings: codings(&section, "codings"),
        bytes_min: section.bytes(
            "bytes_min",
            256..=bounds::COMPRESS_AT_ONCE_BYTES_MAX,
            "shorter answers fit one packet as they are",
        ),
    }
}

pub(super) fn codings(section: &Section<'_>, key: &str) -> CodingSet {
    section.each(key, Coding::ALL.len(), coding).into_iter().collect()
}

/// The bound on bodies of a route that decodes them.
pub(super) fn check_decoding(section: &Section<'_>, body_bytes_max: usize) {
    let (key, max) = ("request_encoding", bounds::DECODED_BYTES_CEILING);
    if body_bytes_max > max && !section.report.knows(&section.at(key)) {
        let need = format!("must not be given where body_bytes_max is above {} MiB", max >> 20);
        section.complain(key, Complaint::new(need, "a body is decoded in one go, while others wait"));
    }
}

fn coding(value: &Value) -> Result<Coding, Complaint> {
    let name = text(value)?;
    let known = Coding::ALL.into_iter().find(|coding| coding.name() == name);
    known.ok_or_else(|| Complaint::new("must be \"br\", \"zstd\" or \"gzip\"", ""))
}
