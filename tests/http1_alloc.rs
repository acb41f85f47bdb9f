//! The steady state of HTTP/1 allocates nothing: a request that arrives whole, its answer into a buffer that is there.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use tidegate::core::time::UnixSeconds;
use tidegate::proto::http1::{Event, HeaderTable, Limits, Machine, ReplyContext, imf_fixdate, query, write_reply};
use tidegate::proto::reply::{Body, Rendered, Reply};

/// The system's allocator, counting the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and `at` came from `System`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn whole_requests_and_their_answers_allocate_nothing() {
    let get = b"GET /api/v1/products/42?page=1 HTTP/1.1\r\nHost: shop.example\r\nAuthorization: Bearer abc\r\n\r\n";
    let post = b"POST /api/v1/orders HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 2\r\n\r\n{}";
    let chunked =
        b"POST /api/v1/orders HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    let mut bytes = [&get[..], post, chunked].concat().repeat(5);
    let rendered = Rendered::json(vec![b'x'; 1024]);
    let reply = Reply::json(Body::Shared(Arc::new(rendered)));
    let date = imf_fixdate(UnixSeconds(0));
    let mut out = Vec::with_capacity(64 * 1024);
    let mut machine = Machine::new(Limits::default());
    let mut requests = 0;

    let before = ALLOCATIONS.get();
    let mut at = 0;
    loop {
        let mut table = HeaderTable::new();
        let advance = machine.advance(&mut bytes[at..], &mut table, |_, _| Ok(16));
        at += advance.consumed;
        let Event::Request { request, wire } = advance.event else { break };
        let _ = query::find(request.query, "page");
        write_reply(&mut out, &reply, &ReplyContext { date: &date, request_id: "0123456789abcdef", wire });
        requests += 1;
    }
    assert_eq!((requests, ALLOCATIONS.get() - before), (15, 0));
}
