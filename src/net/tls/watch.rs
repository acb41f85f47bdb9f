//! Whether files have changed, by what the file system says of them.
//! Never here: their content.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::core::config::tls::{TicketKeys, Tls};

/// The state of all files at one look; `None` for one that is not there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stamps(Vec<Option<Stamp>>);

/// Links are followed: a new target is a new file.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Stamps {
    pub fn of(paths: &[PathBuf]) -> Self {
        Self(paths.iter().map(|path| stamp(path)).collect())
    }
}

/// Every file that an identity is made of.
pub(super) fn files(tls: &Tls) -> Vec<PathBuf> {
    let pairs = tls.certificates.iter().flat_map(|files| [&files.chain, &files.key]);
    let tickets = match &tls.ticket_keys {
        TicketKeys::File(path) => Some(path),
        TicketKeys::Random => None,
    };
    pairs.chain(tickets).chain(&tls.client_ca).chain(&tls.client_crl).cloned().collect()
}

fn stamp(path: &Path) -> Option<Stamp> {
    let facts = std::fs::metadata(path).ok()?;
    Some(Stamp {
        device: facts.dev(),
        inode: facts.ino(),
        bytes: facts.size(),
        modified: (facts.mtime(), facts.mtime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_change_a_file_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let look = || Stamps::of(std::slice::from_ref(&path));
        let absent = look();
        std::fs::write(&path, "one").unwrap();
        let first = look();
        assert_ne!(absent, first);
        assert_eq!(first, look());
        std::fs::write(&path, "four").unwrap();
        let longer = look();
        assert_ne!(first, longer);
        let other = folder.path().join("other");
        std::fs::write(&other, "four").unwrap();
        std::fs::rename(&other, &path).unwrap();
        let renamed = look();
        assert_ne!(longer, renamed);
        let target = folder.path().join("target");
        std::fs::rename(&path, &target).unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert_eq!(renamed, look(), "a link is the file behind it");
    }
}
