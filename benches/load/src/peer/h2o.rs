//! h2o with one thread, serving files: its configuration as text.
//! Never here: neverbleed. The other servers keep the key in the process that serves, too.

use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use super::{Site, documents};

/// Writes configuration and documents into the site's folder. Fails without a certificate.
pub fn command(site: &Site<'_>) -> Result<Command> {
    let config = site.dir.join("h2o.conf");
    std::fs::write(&config, text(site, &documents::write(site)?)?)?;
    let mut command = Command::new("h2o");
    command.arg("--mode").arg("worker").arg("--conf").arg(config);
    Ok(command)
}

fn text(site: &Site<'_>, documents: &Path) -> Result<String> {
    let certificate = site.certificate.ok_or_else(|| Error::new(ErrorKind::InvalidInput, "h2o is given TLS only"))?;
    // Started by root it would become nobody, who cannot read the documents.
    let user = if std::fs::metadata("/proc/self")?.uid() == 0 { "user: root\n" } else { "" };
    Ok(format!(
        "{user}num-threads: 1
max-connections: 16000
tcp-fastopen: 0
http1-request-timeout: 3600
http2-idle-timeout: 3600
listen:
  host: 127.0.0.1
  port: {}
  ssl:
    certificate-file: {}
    key-file: {}
    neverbleed: OFF
    ocsp-update-interval: 0
ssl-session-resumption:
  mode: ticket
file.mime.setdefaulttype: application/json
hosts:
  default:
    paths:
      /:
        file.dir: {}
",
        site.port,
        certificate.chain.display(),
        certificate.key.display(),
        documents.display()
    ))
}
