//! The steady state allocates nothing: counted on the shard's own thread while real requests are served.
//! Never here: another test; the counter counts for the whole process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidegate::actions::Registry;
use tidegate::core::config::{Outside, load_with};
use tidegate::core::ids::{AppId, OpenId, SessionId};
use tidegate::core::time::UnixSeconds;
use tidegate::core::token::keys::KeyRing;
use tidegate::core::token::{Subject, access};
use tidegate::shards::node::{Node, NodeParts};

struct Counting;

static ON_SHARD: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static IS_SHARD: Cell<Option<bool>> = const { Cell::new(None) };
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches no memory of the caller.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: `at` came from `alloc` above with this layout.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count() {
    // Threads are told apart by their kernel name, read without allocating, once each.
    let on_shard = IS_SHARD.try_with(|known| {
        known.get().unwrap_or_else(|| {
            let mut name = [0u8; 16];
            // SAFETY: PR_GET_NAME writes at most 16 bytes to the buffer.
            unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
            let is = name.starts_with(b"shard-");
            // Before glommio has named its thread it is nobody's.
            if is {
                known.set(Some(true));
            }
            is
        })
    });
    if on_shard == Ok(true) {
        ON_SHARD.fetch_add(1, Ordering::Relaxed);
    }
}

const KEY: &str = "a key of the test that has more than thirty-two bytes";
const WARM_UP: usize = 2_000;
const COUNTED: usize = 5_000;

#[test]
fn the_steady_state_of_a_ping_and_of_a_cached_product_allocates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("shop.db");
    tidegate::backends::sqlite::run_script(&database, include_str!("../src/demo/shop.sql")).unwrap();
    let variable = |name: &str| match name {
        "DEMO_LISTEN" => Some("127.0.0.1:0".to_owned()),
        "DEMO_OPS" => Some("127.0.0.1:9464".to_owned()),
        "DEMO_WECHAT" => Some("http://127.0.0.1:9".to_owned()),
        "DEMO_DB" => Some(format!("sqlite://{}", database.display())),
        "DEMO_TOKEN_KEY" => Some(KEY.to_owned()),
        _ => None,
    };
    let outside = Outside { variable: &variable, file: &|path| std::fs::read_to_string(path) };
    let set = ["server.shards=1", "limiter.openid=1000000/s burst 1000000", "limiter.ip=1000000/s"].map(str::to_owned);
    let config = Arc::new(load_with(include_str!("../src/demo/demo.toml"), &set, &outside).unwrap());
    let keys = KeyRing::new(&config.token);
    let node = Node::start(config, NodeParts { registry: Registry::standard(), access: None }).unwrap();
    let (openid, appid) = (OpenId::new("oABCDEFGHIJKLMNOPQRSTUVWXYZ0"), AppId::new("wx4f4bc4dec97d474b"));
    let subject = Subject { openid: &openid, appid: &appid, session: SessionId(7) };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let token = access::mint(&keys, subject, UnixSeconds(now)).unwrap();

    assert_eq!(allocations(node.addr(), "GET /ping HTTP/1.1\r\nhost: shop\r\n\r\n"), 0, "GET /ping");
    let product = format!("GET /api/v1/products/7 HTTP/1.1\r\nhost: shop\r\nauthorization: Bearer {token}\r\n\r\n");
    assert_eq!(allocations(node.addr(), &product), 0, "GET /api/v1/products/7");
    node.drain();
}

/// Allocations on shards per thousand requests of one keep-alive connection, rounded down: housekeeping once a second
/// may have one of its own.
fn allocations(addr: SocketAddr, request: &str) -> u64 {
    let mut stream = TcpStream::connect(addr).unwrap();
    serve(&mut stream, request, WARM_UP);
    let before = ON_SHARD.load(Ordering::Relaxed);
    serve(&mut stream, request, COUNTED);
    (ON_SHARD.load(Ordering::Relaxed) - before) * 1000 / COUNTED as u64
}

fn serve(stream: &mut TcpStream, request: &str, times: usize) {
    let mut answer = vec![0; 8192];
    for _ in 0..times {
        stream.write_all(request.as_bytes()).unwrap();
        let read = stream.read(&mut answer).unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&answer[..read]));
    }
}
