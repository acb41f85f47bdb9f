//! A question to another shard and back: mailbox, wake, answer. Both shards are otherwise idle, so this is the slowest hop;
//! under load a hop costs no wake. Never here: a request of a client.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

use tidegate::actions::call::Call;
use tidegate::actions::desk::Desk;
use tidegate::actions::{Action, Outcome, Registry};
use tidegate::core::config::{Outside, load};
use tidegate::core::fault::{Backend, Fault};
use tidegate::core::ids::ShardId;
use tidegate::proto::reply::{Body, Reply};
use tidegate::shards::node::{Node, NodeParts};

const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"
shards = 2
request_timeout = "20s"
[limiter]
ip = "off"
[database]
primary = "sqlite::memory:"
[[app]]
appid = "wx4f4bc4dec97d474b"
secret = "not asked for"
[[token.key]]
kid = "bench"
secret = "a key of the bench that has more than thirty-two bytes"
[[route]]
path = "/hop"
method = "GET"
auth = "none"
action = { hop = {} }
"#;

/// How many hops the next request makes, and how long they took.
static HOPS: AtomicU64 = AtomicU64::new(0);
static NANOS: AtomicU64 = AtomicU64::new(0);

struct Hop;

impl Action for Hop {
    fn call(&self, desk: &Rc<Desk>, _: Call<'_>) -> Result<Outcome, Fault> {
        let desk = desk.clone();
        let hops = async move {
            let other = ShardId(1 - desk.shard.0);
            let began = desk.driver.clock().refresh_tick();
            for _ in 0..HOPS.load(Ordering::Relaxed) {
                desk.ask(other, |_, reply| {
                    let _ = reply.send(());
                })
                .await?;
            }
            let took = desk.driver.clock().refresh_tick().since(began);
            NANOS.store(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
            Ok(Reply::json(Body::Static(b"{}")))
        };
        Ok(Outcome::Later(Backend::Owner, Box::pin(hops)))
    }
}

fn hop(criterion: &mut Criterion) {
    let outside = Outside { variable: &|_| None, file: &|path| std::fs::read_to_string(path) };
    let config = Arc::new(load(CONFIG, &outside).expect("the bench's own configuration"));
    let registry = Registry::standard().with("hop", |_, _| Ok(Box::new(Hop)));
    let node = Node::start(config, NodeParts { registry, access: None }).expect("two shards");
    let mut stream = TcpStream::connect(node.addr()).expect("a door");
    criterion.bench_function("owner hop, both shards idle", |bencher| {
        bencher.iter_custom(|hops| {
            HOPS.store(hops, Ordering::Relaxed);
            stream.write_all(b"GET /hop HTTP/1.1\r\nhost: bench\r\n\r\n").expect("a request");
            let mut answer = [0; 1024];
            let read = stream.read(&mut answer).expect("an answer");
            assert!(answer[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..read]));
            Duration::from_nanos(NANOS.load(Ordering::Relaxed))
        });
    });
    node.drain();
}

criterion_group!(benches, hop);
criterion_main!(benches);
