//! [proxy_protocol]: whether balancers tell who connects to them, and which balancers are believed.
//! Never here: a default.

use crate::core::bounds;
use crate::core::config::error::Complaint;
use crate::core::config::proxy::{ProxyMode, ProxyProtocol};
use crate::core::config::section::{Section, text};
use crate::core::network::Network;

use super::knobs::open;

pub(super) const PROXY_PROTOCOL: &[&str] = &["mode", "trusted"];

pub(super) fn proxy_protocol(root: &Section<'_>) -> ProxyProtocol {
    let section = open(root, "proxy_protocol", PROXY_PROTOCOL);
    let mode = section.read("mode", ProxyMode::Off, |value| match text(value)? {
        "off" => Ok(ProxyMode::Off),
        "optional" => Ok(ProxyMode::Optional),
        "required" => Ok(ProxyMode::Required),
        _ => Err(Complaint::new("must be \"off\", \"optional\" or \"required\"", "")),
    });
    let trusted = section.each("trusted", bounds::PROXY_NETWORKS_MAX, |value| {
        Network::parse(text(value)?).map_err(|need| Complaint::new(need, "the network of your balancers"))
    });
    if mode != ProxyMode::Off && trusted.is_empty() && !section.report.knows(&section.at("trusted")) {
        let need = "must name a network unless proxy_protocol.mode is \"off\"";
        section.complain("trusted", Complaint::new(need, "else nobody's header is believed"));
    }
    ProxyProtocol { mode, trusted }
}
