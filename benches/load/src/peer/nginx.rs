//! nginx with one process and `return 200`: its configuration as text.
//! Never here: the master process. A worker of its own is pinned like every other server here, and ends when it is killed.

use std::fmt::Write;
use std::io::{Error, ErrorKind, Result};

use crate::answer::Answer;

/// Configuration that answers every request with `answer`. `port` is on 127.0.0.1; `dir` takes the pid file.
/// Fails when the answer contains a dollar sign, for which nginx has no escape.
pub fn config(answer: &Answer, port: u16, dir: &str) -> Result<String> {
    let mut headers = String::new();
    for (name, value) in answer.own_headers().filter(|(name, _)| !name.eq_ignore_ascii_case("content-type")) {
        writeln!(headers, "      add_header {name} '{}';", quoted(value)?).expect("a String takes every write");
    }
    let content_type = answer.header("content-type").unwrap_or("application/json");
    let body = quoted(&String::from_utf8_lossy(&answer.body))?;
    Ok(format!(
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
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      default_type '{content_type}';
{headers}      return 200 '{body}';
    }}
  }}
}}
"
    ))
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

    #[test]
    fn the_configuration_carries_body_type_and_own_fields() {
        let text = config(&Answer::synthetic(1024), 8080, "/tmp/x").unwrap();
        assert!(text.contains("listen 127.0.0.1:8080 "));
        assert!(text.contains("default_type 'application/json';"));
        assert!(text.contains("add_header etag '\"0123456789abcdef\"';"));
        assert!(text.contains("return 200 '{\"code\":0,"));
        assert!(!text.contains("add_header date") && !text.contains("add_header content-"));
    }

    #[test]
    fn quotes_and_backslashes_are_escaped() {
        assert_eq!(quoted(r"it's \ here").unwrap(), r"it\'s \\ here");
        assert!(quoted("$5").is_err());
    }
}
