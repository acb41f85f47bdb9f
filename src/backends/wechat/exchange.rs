//! One exchange of a login code over HTTP: request, bounded answer, deadline, and a line in the log when it fails.
//! Never here: the URL, the secret or the code in an error or a log.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::http::uri::{Authority, Scheme};
use hyper::{Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::backends::StartError;
use crate::core::bounds;
use crate::core::config::checked::{Config, Secret};
use crate::core::fault::{Backend, Fault};
use crate::core::ids::AppId;
use crate::net::clock;
use crate::proto::json::parse::Scratch;
use crate::proto::wechat::{Exchanged, Refusal, advice, exchange_path, read_exchange};

/// The HTTP client towards WeChat and the secrets it signs in with.
pub struct Exchanger {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    scheme: Scheme,
    authority: Authority,
    secrets: HashMap<AppId, Secret>,
    timeout: Duration,
}

impl Exchanger {
    /// # Errors
    /// [`StartError::Wechat`] when `wechat.base_url` is not scheme, host and port.
    pub fn new(config: &Config) -> Result<Self, StartError> {
        let (scheme, authority) = base(&config.wechat.base_url).ok_or_else(|| StartError::Wechat {
            reason: format!(
                "base_url = {}: must be http:// or https:// with host and port only, https://api.weixin.qq.com suits most",
                config.wechat.base_url
            ),
        })?;
        let secrets = config.apps.iter().map(|app| (app.id.clone(), app.secret.clone())).collect();
        Ok(Self { client: client(config), scheme, authority, secrets, timeout: config.wechat.timeout })
    }

    /// Exchanges a login code once. The deadline counts from `accepted`, so that waiting in the lane is part of it.
    /// Cancelling it closes the connection; WeChat may have consumed the code.
    ///
    /// # Errors
    /// WeChat's refusal as a fault; `Timeout` at the deadline; `Busy` when WeChat cannot be reached.
    pub async fn exchange(&self, app: &AppId, code: &str, accepted: Instant) -> Result<Exchanged, Fault> {
        let deadline = tokio::time::Instant::from_std(accepted) + self.timeout;
        if clock::instant() >= accepted + self.timeout {
            return Err(Fault::Timeout(Backend::Wechat));
        }
        let outcome = tokio::time::timeout_at(deadline, self.round_trip(app, code)).await;
        outcome.unwrap_or_else(|_| Err(Refusal::plain(Fault::Timeout(Backend::Wechat), 0))).map_err(|refusal| {
            log(&refusal, app);
            refusal.fault
        })
    }

    async fn round_trip(&self, app: &AppId, code: &str) -> Result<Exchanged, Refusal> {
        let request = self.request(app, code).ok_or_else(|| Refusal::plain(Fault::Internal, 0))?;
        let response = self.client.request(request).await.map_err(|error| unreachable_peer(&error))?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), bounds::WECHAT_BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Refusal::plain(Fault::BackendRefused { backend: Backend::Wechat, code: status.into() }, status.into())
            } else {
                unreachable_peer(&*error)
            }
        })?;
        read_exchange(status, &mut Vec::from(body.to_bytes()), &mut Scratch::new())
    }

    /// `None` for an app that is not configured.
    fn request(&self, app: &AppId, code: &str) -> Option<Request<Empty<Bytes>>> {
        let path = exchange_path(app, self.secrets.get(app)?, code);
        let uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path)
            .build()
            .ok()?;
        Request::get(uri).body(Empty::new()).ok()
    }
}

fn base(url: &str) -> Option<(Scheme, Authority)> {
    let parts = url.parse::<Uri>().ok()?.into_parts();
    let scheme = parts.scheme.filter(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS)?;
    let bare = parts.path_and_query.is_none_or(|path| path == "/");
    if bare { Some((scheme, parts.authority?)) } else { None }
}

fn client(config: &Config) -> Client<HttpsConnector<HttpConnector>, Empty<Bytes>> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(bounds::WECHAT_CONNECT_WAIT.min(config.wechat.timeout)));
    let tls = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().wrap_connector(tcp);
    // The client tries again by itself only a request of which no byte was written, on a connection that had been idle.
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(bounds::WECHAT_IDLE)
        .pool_max_idle_per_host(config.wechat.connections_max)
        .http1_max_headers(bounds::HEADERS_MAX)
        .build(tls)
}

/// WeChat cannot be reached, or went away in the middle. The error's text has addresses and reasons, never the URL.
fn unreachable_peer(error: &(dyn std::error::Error + 'static)) -> Refusal {
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        reason.push_str(": ");
        reason.push_str(&cause.to_string());
        source = cause.source();
    }
    tracing::warn!(reason, "wechat not reachable");
    Refusal::plain(Fault::Busy(Backend::Wechat), 0)
}

fn log(refusal: &Refusal, app: &AppId) {
    let Refusal { fault, code, rid } = refusal;
    let (app, rid) = (app.as_str(), rid.as_deref());
    match fault {
        Fault::BackendRefused { .. } => tracing::error!(app, code, rid, advice = advice(*code), "wechat refused"),
        Fault::LoginCodeInvalid | Fault::UserBlocked => tracing::debug!(app, code, rid, "login refused"),
        other => tracing::warn!(app, code, rid, advice = advice(*code), fault = %other, "login not possible"),
    }
}
