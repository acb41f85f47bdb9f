//! A certificate for trying out: made for this run, signed by itself, gone with it.
//! Never here: a certificate that anybody else should trust.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

use crate::net::entropy::random_u64;

/// What the demo is called on this machine.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Files in a temporary folder, which goes when this is dropped.
pub struct Throwaway {
    folder: PathBuf,
}

impl Throwaway {
    /// # Errors
    /// No temporary folder can be made.
    pub fn make() -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("tidegate-tls-{:016x}", random_u64()));
        DirBuilder::new().mode(0o700).create(&folder).map_err(|error| format!("no temporary folder: {error}"))?;
        let made = Self { folder };
        made.write().map(|()| made)
    }

    /// For `curl --cacert`.
    pub fn chain(&self) -> PathBuf {
        self.folder.join("certificate.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.folder.join("key.pem")
    }

    fn write(&self) -> Result<(), String> {
        let mut params = CertificateParams::new(NAMES.map(str::to_owned)).map_err(|error| error.to_string())?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "tidegate demo");
        let key = KeyPair::generate().map_err(|error| error.to_string())?;
        let certificate = params.self_signed(&key).map_err(|error| error.to_string())?;
        let write = |path: &Path, text: &str| write_private(path, text).map_err(|e| format!("{}: {e}", path.display()));
        write(&self.chain(), &certificate.pem())?;
        write(&self.key(), &key.serialize_pem())
    }
}

impl Drop for Throwaway {
    fn drop(&mut self) {
        // What is left in a temporary folder hurts nobody.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}
