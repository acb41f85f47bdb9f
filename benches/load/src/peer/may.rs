//! may_minihttp with one worker: a coroutine per connection.
//! Never here: more than 16 request headers, which it cannot take.

use std::io;

use may_minihttp::{HttpServer, HttpService, Request, Response};

use crate::args::ServerArgs;

/// Stack of a coroutine in words: the parser's tables live on it.
const STACK_WORDS: usize = 0x1000;

/// The answer as the library wants it: static, because the process serves it until its end.
#[derive(Clone, Copy)]
struct Fixed {
    headers: &'static [String],
    body: &'static str,
}

/// Serves until it is killed.
pub fn serve(args: &ServerArgs) -> io::Result<()> {
    let (listener, answer) = args.start()?;
    // The library binds by itself; the listener was only asked for its port.
    let addr = listener.local_addr()?;
    drop(listener);

    let headers: Vec<String> = answer.own_headers().map(|(name, value)| format!("{name}: {value}")).collect();
    let body = String::from_utf8(answer.body).map_err(io::Error::other)?;
    let fixed = Fixed { headers: headers.leak(), body: body.leak() };

    may::config().set_workers(1).set_stack_size(STACK_WORDS);
    // The affinity of the process decides; a worker that pins itself would take CPU 0 whatever was asked for.
    may::config().set_worker_pin(false);
    let server = HttpServer(fixed).start(addr)?;
    server.join().map_err(|_| io::Error::other("the server coroutine has panicked"))
}

impl HttpService for Fixed {
    fn call(&mut self, _req: Request, res: &mut Response) -> io::Result<()> {
        for header in self.headers {
            res.header(header);
        }
        res.body(self.body);
        Ok(())
    }
}
