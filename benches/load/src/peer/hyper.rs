//! hyper on a current-thread tokio: HTTP/1.1 with a task per connection.
//! Never here: routing. The service returns the one answer.

use std::convert::Infallible;
use std::io::{self, Error};
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use crate::answer::Answer;
use crate::args::ServerArgs;

/// The answer in hyper's types; cloning one field is a reference count.
struct Ready {
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

/// Serves until it is killed.
pub fn serve(args: &ServerArgs) -> io::Result<()> {
    let (listener, answer) = args.start()?;
    listener.set_nonblocking(true)?;
    let ready = Arc::new(Ready::from_answer(&answer)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let ready = ready.clone();
            tokio::spawn(async move {
                let service = service_fn(move |_: Request<Incoming>| {
                    let response = ready.response();
                    async move { Ok::<_, Infallible>(response) }
                });
                // A connection that breaks is the client's business; the generator counts it.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}

impl Ready {
    fn from_answer(answer: &Answer) -> io::Result<Self> {
        let header = |(name, value): &(String, String)| -> io::Result<_> {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(Error::other)?;
            Ok((name, HeaderValue::from_str(value).map_err(Error::other)?))
        };
        let headers = answer.own_headers().map(header).collect::<io::Result<_>>()?;
        Ok(Self { headers, body: answer.body.clone().into() })
    }

    fn response(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body.clone()));
        response.headers_mut().extend(self.headers.iter().cloned());
        response
    }
}
