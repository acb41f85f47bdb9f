//! GET of small pages over HTTP/1.1 by may_minihttp: methods, framing, status lines, panics.
//! Never here: what a page says, and a request of a phone.

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use may_minihttp::{HttpService, Request, Response};

use super::coroutines::{Listening, listen};
use crate::core::bounds::OPS_BODY_BYTES_MAX;

/// Answers by path. One coroutine thread serves all pages, so a page is made without waiting for a lock or for I/O.
pub trait Pages: Send + Sync + 'static {
    /// `path` is the target up to `?`, `query` what follows it, both as sent. Unknown: [`Page::not_found`].
    fn page(&self, path: &str, query: &str) -> Page;
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub status: u16,
    pub content_type: ContentType,
    pub body: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType {
    Text,
    Html,
    Json,
    /// Prometheus text exposition format 0.0.4.
    Metrics,
}

/// Who may reach the plane. The server behind it survives friends only, so other hosts are a decision of the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Only this host; any other address is refused.
    Loopback,
    /// The operator wrote the address down.
    Configured,
}

/// A running plane. Dropping it stops it.
pub struct OpsServer {
    listening: Listening,
}

impl OpsServer {
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.listening.addr()
    }

    /// Closes the listener; connections end when their clients close them.
    pub fn stop(mut self) {
        self.listening.stop();
    }
}

impl Page {
    #[must_use]
    pub fn ok(content_type: ContentType, body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, content_type, body: body.into() }
    }

    #[must_use]
    pub fn not_found() -> Self {
        Self::plain(404, "no such page\n")
    }

    /// A line of text with any status.
    #[must_use]
    pub fn plain(status: u16, text: &str) -> Self {
        Self { status, content_type: ContentType::Text, body: text.into() }
    }
}

/// Serves `pages` on `addr`. Port 0 means any free port; see [`OpsServer::addr`].
///
/// # Errors
/// `InvalidInput` for an address of other hosts under [`Reach::Loopback`], else what binding says.
pub fn serve(addr: SocketAddr, reach: Reach, pages: Arc<dyn Pages>) -> io::Result<OpsServer> {
    if reach == Reach::Loopback && !addr.ip().is_loopback() {
        let why = format!("{addr} can be reached from other hosts: use 127.0.0.1, or configure the address on purpose");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let connection = Connection { pages, framing: Framing::Known };
    Ok(OpsServer { listening: listen(addr, connection)? })
}

#[derive(Clone)]
struct Connection {
    pages: Arc<dyn Pages>,
    framing: Framing,
}

/// Whether we still know where the next request begins. may_minihttp gives no way to close a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    Known,
    Lost,
}

impl HttpService for Connection {
    fn call(&mut self, request: Request, response: &mut Response) -> io::Result<()> {
        if self.framing == Framing::Lost || !body_is_framed(request.headers()) {
            self.framing = Framing::Lost;
            write(response, Page::plain(400, "body not understood: send none\n"));
            return Ok(());
        }
        match request.method() {
            "GET" => write(response, guarded(&*self.pages, request.path())),
            method => refuse(response, method),
        }
        // Unread body bytes would be taken for the next request; dropping the reader reads them.
        drop(request.body());
        Ok(())
    }
}

/// may_minihttp knows no transfer coding, takes the first of several lengths, and panics on one that is no number.
fn body_is_framed(headers: &[httparse::Header<'_>]) -> bool {
    let is = |name: &'static str| move |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case(name);
    let mut lengths = headers.iter().filter(is("content-length"));
    let length = match lengths.next() {
        None => Some(0),
        Some(header) if header.value.iter().all(u8::is_ascii_digit) => {
            std::str::from_utf8(header.value).ok().and_then(|digits| digits.parse::<usize>().ok())
        }
        Some(_) => None,
    };
    let coded = headers.iter().any(|header| is("transfer-encoding")(&header));
    length.is_some_and(|bytes| bytes <= OPS_BODY_BYTES_MAX) && lengths.next().is_none() && !coded
}

/// A page that panics is a 500, and the plane lives.
fn guarded(pages: &dyn Pages, target: &str) -> Page {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    catch_unwind(AssertUnwindSafe(|| pages.page(path, query)))
        .unwrap_or_else(|_| Page::plain(500, "this page failed: see the log\n"))
}

fn refuse(response: &mut Response, method: &str) {
    response.header("allow: GET");
    let mut page = Page::plain(405, "only GET\n");
    if method == "HEAD" {
        // RFC 9110 §9.3.2: no content in the answer to HEAD, or the client takes it for the next answer.
        page.body.clear();
    }
    write(response, page);
}

fn write(response: &mut Response, page: Page) {
    response.status_code(usize::from(page.status), reason(page.status));
    response.header(page.content_type.header()).header("cache-control: no-store");
    response.body_vec(page.body);
}

impl ContentType {
    const fn header(self) -> &'static str {
        match self {
            Self::Text => "content-type: text/plain; charset=utf-8",
            Self::Html => "content-type: text/html; charset=utf-8",
            Self::Json => "content-type: application/json",
            Self::Metrics => "content-type: text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// RFC 9112 §4: the phrase may be empty; these are for people who read raw answers.
const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
