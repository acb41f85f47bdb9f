//! HAProxy with one thread and `http-request return`: its configuration as text.
//! Never here: a backend. What it costs to proxy is not the question.

use std::fmt::Write;
use std::io::{Error, ErrorKind, Result};
use std::process::Command;

use super::Site;

/// Writes configuration and body into the site's folder. Fails without a certificate.
pub fn command(site: &Site<'_>) -> Result<Command> {
    let (config, body) = (site.dir.join("haproxy.cfg"), site.dir.join("haproxy.body"));
    std::fs::write(&body, &site.answer.body)?;
    std::fs::write(&config, text(site, &body.to_string_lossy())?)?;
    let mut command = Command::new("haproxy");
    // In the foreground and without a master, so that the process that was started is the one that serves.
    command.arg("-db").arg("-f").arg(config);
    Ok(command)
}

fn text(site: &Site<'_>, body: &str) -> Result<String> {
    let certificate =
        site.certificate.ok_or_else(|| Error::new(ErrorKind::InvalidInput, "HAProxy is given TLS only"))?;
    let mut headers = String::new();
    for (name, value) in site.answer.own_headers().filter(|(name, _)| !name.eq_ignore_ascii_case("content-type")) {
        write!(headers, " hdr {name} {}", quoted(value)).expect("a String takes every write");
    }
    let content_type = quoted(site.answer.header("content-type").unwrap_or("application/json"));
    let (port, pem) = (site.port, certificate.both.display());
    Ok(format!(
        "global
  nbthread 1
  maxconn 16000
  no strict-limits
defaults
  mode http
  timeout client 1h
  timeout connect 1h
  timeout server 1h
  timeout http-keep-alive 1h
frontend peer
  bind 127.0.0.1:{port} backlog 4096 ssl crt {pem} alpn h2,http/1.1
  http-request return status 200 content-type {content_type} file {body}{headers}
"
    ))
}

/// Within double quotes a backslash escapes, `$` starts a variable, and `%` a format.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$").replace('%', "%%");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Answer;
    use crate::peer::certificate::Certificate;

    #[test]
    fn the_configuration_carries_body_type_and_own_fields() {
        let certificate = Certificate { chain: "c".into(), key: "k".into(), both: "/b.pem".into() };
        let answer = Answer::synthetic(1024);
        let site =
            Site { answer: &answer, port: 8443, certificate: Some(&certificate), dir: "/tmp".as_ref(), paths: &[] };
        let config = text(&site, "/body").unwrap();
        assert!(config.contains("bind 127.0.0.1:8443 backlog 4096 ssl crt /b.pem alpn h2,http/1.1\n"), "{config}");
        assert!(config.contains("content-type \"application/json\" file /body hdr x-request-id"), "{config}");
        assert!(config.contains(r#" hdr etag "\"0123456789abcdef\"""#), "{config}");
        assert!(text(&Site { certificate: None, ..site }, "/body").is_err());
    }

    #[test]
    fn what_the_configuration_would_read_is_escaped() {
        assert_eq!(quoted(r#"a"\ $b 5%"#), r#""a\"\\ \$b 5%%""#);
    }
}
