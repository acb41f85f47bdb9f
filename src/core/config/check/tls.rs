//! [tls], [[tls.certificate]] and [redirect]: which doors there are beside the plain one, and what they show.
//! Never here: reading a certificate; its file may change while the server runs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use toml::Value;

use crate::core::bounds;
use crate::core::config::check::knobs::{self, address};
use crate::core::config::checked::Config;
use crate::core::config::error::Complaint;
use crate::core::config::section::{Section, text, whole};
use crate::core::config::tls::{CertificateFiles, ClientCertificates, Profile, Protocol, Redirect, TicketKeys, Tls};

pub(super) const TLS: &[&str] = &[
    "listen",
    "profile",
    "alpn",
    "handshake_timeout",
    "handshakes_max",
    "certificate",
    "ticket_keys",
    "client_certificates",
    "client_ca",
    "client_crl",
];
pub(super) const CERTIFICATE: &[&str] = &["chain", "key"];
pub(super) const REDIRECT: &[&str] = &["listen", "host", "port"];

pub(super) fn tls(root: &Section<'_>) -> Tls {
    let section = knobs::open(root, "tls", TLS);
    let tls = Tls {
        listen: section.read("listen", None, address_or_off),
        profile: section.read("profile", Profile::Intermediate, |value| match text(value)? {
            "intermediate" => Ok(Profile::Intermediate),
            "modern" => Ok(Profile::Modern),
            _ => Err(Complaint::new("must be \"intermediate\" or \"modern\"", "modern refuses all before TLS 1.3")),
        }),
        alpn: alpn(&section),
        handshake_timeout: section.duration(
            "handshake_timeout",
            Duration::from_millis(100)..=Duration::from_mins(1),
            "a handshake takes two round trips, on bad networks seconds",
        ),
        handshakes_max: section.count("handshakes_max", 1..=1_000_000, "each holds about 20KiB, per shard"),
        certificates: certificates(&section),
        ticket_keys: section.read("ticket_keys", TicketKeys::Random, |value| match text(value)? {
            "random" => Ok(TicketKeys::Random),
            _ => path(value).map(TicketKeys::File).map_err(|_| {
                let cure = "a file is for nodes that share sessions: openssl rand -base64 32 > FILE";
                Complaint::new("must be \"random\" or an absolute path", cure)
            }),
        }),
        clients: section.read("client_certificates", ClientCertificates::Off, |value| match text(value)? {
            "off" => Ok(ClientCertificates::Off),
            "optional" => Ok(ClientCertificates::Optional),
            "required" => Ok(ClientCertificates::Required),
            _ => Err(Complaint::new("must be \"off\", \"optional\" or \"required\"", "")),
        }),
        client_ca: section.read("client_ca", None, path_or_off),
        client_crl: section.read("client_crl", None, path_or_off),
    };
    relate(&section, &tls);
    tls
}

pub(super) fn redirect(root: &Section<'_>) -> Redirect {
    let section = knobs::open(root, "redirect", REDIRECT);
    Redirect {
        listen: section.read("listen", None, address_or_off),
        host: section.read("host", None, |value| match text(value)? {
            "same" => Ok(None),
            host if is_name(host) => Ok(Some(host.to_owned())),
            _ => {
                Err(Complaint::new("must be \"same\" or a host name", "\"same\" is the host that the client asked for"))
            }
        }),
        port: section
            .read("port", 443, |value| whole(value, &(1..=65_535), "where clients find https").map(|p| p as u16)),
    }
}

/// What sections say of doors together.
pub(super) fn relate_doors(root: &Section<'_>, config: &Config) {
    let known = root.report.knows("tls.listen") || root.report.knows("server.listen");
    if config.server.listen.is_none() && config.tls.listen.is_none() && !known {
        let complaint = Complaint::new("must not be \"off\" together with tls.listen", "else nobody can come in");
        root.report.add("server.listen", None, complaint);
    }
    if !config.http2.enabled && !config.tls.alpn.contains(&Protocol::Http11) && !root.report.knows("tls.alpn") {
        let need = "must hold \"http/1.1\" while http2.enabled is false";
        root.report.add("tls.alpn", None, Complaint::new(need, "else nothing is offered"));
    }
    let (need, cure) = match (config.tls.listen, config.tls.clients) {
        (None, _) => ("must be \"off\" while tls.listen is", "nobody can show one in the clear"),
        (Some(_), ClientCertificates::Off) => (
            "must be \"off\" while tls.client_certificates is",
            "clients are asked for one by tls.client_certificates = \"optional\" or \"required\"",
        ),
        (Some(_), ClientCertificates::Optional | ClientCertificates::Required) => return,
    };
    for (index, route) in config.routes.iter().enumerate() {
        if route.client_certificate == ClientCertificates::Required {
            let key = format!("route[{index} {}].client_certificate", route.path);
            root.report.add(key, None, Complaint::new(need, cure));
        }
    }
}

/// `ADDRESS:PORT`, or `None` for `"off"`.
pub(super) fn address_or_off(value: &Value) -> Result<Option<SocketAddr>, Complaint> {
    if text(value)? == "off" {
        return Ok(None);
    }
    let form = "such as \"0.0.0.0:8443\" or \"[::]:8443\"";
    address(value).map(Some).map_err(|_| Complaint::new("must be \"off\" or ADDRESS:PORT", form))
}

fn alpn(section: &Section<'_>) -> Vec<Protocol> {
    let known = [Protocol::Http2, Protocol::Http11];
    let alpn = section.each("alpn", known.len(), |value| {
        let protocol = known.into_iter().find(|protocol| value.as_str() == Some(protocol.name()));
        protocol.ok_or_else(|| Complaint::new("must be \"h2\" or \"http/1.1\"", ""))
    });
    if alpn.is_empty() && !section.report.knows(&section.at("alpn")) {
        section.complain("alpn", Complaint::new("must be a list of \"h2\" and \"http/1.1\"", "such as [\"http/1.1\"]"));
    }
    alpn
}

fn certificates(section: &Section<'_>) -> Vec<CertificateFiles> {
    let places = section.tables("certificate", bounds::TLS_CERTIFICATES_MAX);
    let file = |certificate: &Section<'_>, key: &str| certificate.read(key, PathBuf::new(), path);
    let files = places.into_iter().map(|place| {
        let certificate = Section::open(place, CERTIFICATE, section.report);
        CertificateFiles { chain: file(&certificate, "chain"), key: file(&certificate, "key") }
    });
    files.collect()
}

fn relate(section: &Section<'_>, tls: &Tls) {
    let complain = |key: &str, need: &str, cure: &str| {
        if !section.report.knows(&section.at(key)) {
            section.complain(key, Complaint::new(need, cure));
        }
    };
    if tls.listen.is_some() && tls.certificates.is_empty() {
        complain("certificate", "must be given at least once", "write [[tls.certificate]] with chain and key");
    }
    match (tls.clients, &tls.client_ca) {
        (ClientCertificates::Off, Some(_)) => {
            complain("client_ca", "must be \"off\" while tls.client_certificates is", "nobody is asked for one");
        }
        (ClientCertificates::Optional | ClientCertificates::Required, None) => {
            complain("client_ca", "must be an absolute path", "it says who may sign certificates of clients");
        }
        _ => {}
    }
    if tls.client_crl.is_some() && tls.client_ca.is_none() {
        complain("client_crl", "must be \"off\" while tls.client_ca is", "it revokes what that authority has signed");
    }
}

fn path_or_off(value: &Value) -> Result<Option<PathBuf>, Complaint> {
    if text(value)? == "off" { Ok(None) } else { path(value).map(Some) }
}

fn path(value: &Value) -> Result<PathBuf, Complaint> {
    let text = text(value)?;
    if text.starts_with('/') {
        return Ok(PathBuf::from(text));
    }
    Err(Complaint::new("must be an absolute path", "such as \"/etc/tidegate/tls/fullchain.pem\""))
}

/// A DNS name, or an IPv4 address.
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        let bytes = || label.bytes();
        (1..=63).contains(&label.len())
            && bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}
