//! nginx with one process: its configuration as text, with `return 200`, or with a file that it compresses.
//! Never here: the master process. A worker of its own is pinned like every other server here, and ends when it is killed.

use std::fmt::Write;
use std::io::{Error, ErrorKind, Result};
use std::process::Command;

use super::{Site, documents};

/// What answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// `return 200` with the body from the configuration
    Return,
    /// The body as a file: a word of nginx's configuration ends at 4 KiB
    File(Gzip),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gzip {
    Off,
    /// 1..=9
    Level(u8),
}

/// Writes the configuration into the site's folder, which takes the pid file as well.
pub fn command(site: &Site<'_>, handler: Handler) -> Result<Command> {
    let config = site.dir.join("nginx.conf");
    std::fs::write(&config, text(site, &location(site, handler)?))?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(site.dir).args(["-e", "stderr", "-c"]).arg(config);
    Ok(command)
}

fn text(site: &Site<'_>, location: &str) -> String {
    let (port, dir) = (site.port, site.dir.display());
    let (ssl, certificate) = match site.certificate {
        None => ("", String::new()),
        Some(made) => {
            let (chain, key) = (made.chain.display(), made.key.display());
            (
                " ssl http2",
                format!(
                    "
    ssl_certificate {chain};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_tickets on;"
                ),
            )
        }
    };
    format!(
        "daemon off;
master_process off;
pid {dir}/nginx.pid;
error_log stderr error;
worker_rlimit_nofile 65536;
events {{ worker_connections 32768; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  server_tokens off;
  tcp_nodelay on;
  server {{
    listen 127.0.0.1:{port} backlog=4096{ssl};{certificate}
    location / {{
{location}    }}
  }}
}}
"
    )
}

/// Fails when a `return` would contain a dollar sign, for which nginx has no escape.
fn location(site: &Site<'_>, handler: Handler) -> Result<String> {
    let answer = site.answer;
    let content_type = answer.header("content-type").unwrap_or("application/json");
    match handler {
        Handler::Return => {
            let mut headers = String::new();
            for (name, value) in answer.own_headers().filter(|(name, _)| !name.eq_ignore_ascii_case("content-type")) {
                writeln!(headers, "      add_header {name} '{}';", quoted(value)?).expect("a String takes every write");
            }
            let body = quoted(&String::from_utf8_lossy(&answer.body))?;
            Ok(format!("      default_type '{content_type}';\n{headers}      return 200 '{body}';\n"))
        }
        Handler::File(gzip) => {
            let root = documents::write(site)?;
            let gzip = match gzip {
                Gzip::Off => String::new(),
                Gzip::Level(level) => {
                    format!("      gzip on;\n      gzip_comp_level {level};\n      gzip_types *;\n")
                }
            };
            let root = root.display();
            Ok(format!(
                "      default_type '{content_type}';\n      root {root};\n      open_file_cache max=1000;\n{gzip}"
            ))
        }
    }
}

/// Inside single quotes nginx reads a backslash as an escape and `$` as the start of a variable.
fn quoted(text: &str) -> Result<String> {
    if text.contains('$') {
        return Err(Error::new(
            ErrorKind::InvalidData,
            "an answer with a dollar sign cannot be given by nginx: leave nginx out",
        ));
    }
    Ok(text.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Answer;
    use crate::peer::certificate::Certificate;

    fn config(certificate: Option<&Certificate>, handler: Handler) -> String {
        let answer = Answer::synthetic(1024);
        let site = Site { answer: &answer, port: 8080, certificate, dir: "/nowhere".as_ref(), paths: &[] };
        text(&site, &location(&site, handler).unwrap())
    }

    #[test]
    fn the_configuration_carries_body_type_and_own_fields() {
        let text = config(None, Handler::Return);
        assert!(text.contains("listen 127.0.0.1:8080 backlog=4096;"));
        assert!(text.contains("default_type 'application/json';"));
        assert!(text.contains("add_header etag '\"0123456789abcdef\"';"));
        assert!(text.contains("return 200 '{\"code\":0,"));
        assert!(!text.contains("add_header date") && !text.contains("add_header content-"));
    }

    #[test]
    fn tls_and_gzip_are_there_when_asked_for() {
        let certificate = Certificate { chain: "/c.pem".into(), key: "/k.pem".into(), both: "/b.pem".into() };
        let text = config(Some(&certificate), Handler::File(Gzip::Level(6)));
        assert!(text.contains("listen 127.0.0.1:8080 backlog=4096 ssl http2;\n    ssl_certificate /c.pem;"), "{text}");
        assert!(text.contains("root /nowhere/documents;") && text.contains("gzip_comp_level 6;"), "{text}");
        let text = config(None, Handler::File(Gzip::Off));
        assert!(!text.contains("ssl") && !text.contains("gzip") && !text.contains("return"), "{text}");
    }

    #[test]
    fn quotes_and_backslashes_are_escaped() {
        assert_eq!(quoted(r"it's \ here").unwrap(), r"it\'s \\ here");
        assert!(quoted("$5").is_err());
    }
}
