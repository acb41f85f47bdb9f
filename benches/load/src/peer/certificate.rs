//! A throw-away certificate on P-256, made by `openssl` so that every server reads the same files.
//! Never here: a key that outlives the directory.

use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Certificate {
    pub chain: PathBuf,
    pub key: PathBuf,
    /// Both in one file, as HAProxy wants them.
    pub both: PathBuf,
}

impl Certificate {
    /// Fails when `openssl` is not installed.
    pub fn make(dir: &Path) -> Result<Self> {
        let certificate = Self { chain: dir.join("chain.pem"), key: dir.join("key.pem"), both: dir.join("both.pem") };
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        command.args(["-days", "7", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
        command.arg("-keyout").arg(&certificate.key).arg("-out").arg(&certificate.chain);
        let output = command.output().map_err(|error| Error::new(error.kind(), format!("openssl: {error}")))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Error::new(ErrorKind::InvalidData, format!("openssl made no certificate: {said}")));
        }
        let both = [std::fs::read(&certificate.chain)?, std::fs::read(&certificate.key)?].concat();
        std::fs::write(&certificate.both, both)?;
        Ok(certificate)
    }
}
