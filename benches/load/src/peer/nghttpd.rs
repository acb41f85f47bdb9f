//! nghttpd with one worker: the file server that comes with nghttp2.
//! Never here: plain HTTP/1.1, which it does not speak.

use std::io::{Error, ErrorKind, Result};
use std::process::Command;

use super::{Site, documents};

/// Fails without a certificate.
pub fn command(site: &Site<'_>) -> Result<Command> {
    let certificate = site.certificate.ok_or_else(|| Error::new(ErrorKind::InvalidInput, "nghttpd speaks only TLS"))?;
    let mut command = Command::new("nghttpd");
    command.args(["--address", "127.0.0.1", "--workers", "1", "--htdocs"]).arg(documents::write(site)?);
    command.arg(site.port.to_string()).arg(&certificate.key).arg(&certificate.chain);
    Ok(command)
}
