//! Every bound that is not a knob, and every default and ceiling of one that is, with its reason.
//! Never here: a bound without a reason.

use std::time::Duration;

/// Longest request head accepted by default. Phones send 0.6–1.2 KiB; 8 KiB leaves room for cookies of H5 pages.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Longest request target by default. Browsers and balancers start to refuse near 8,000; no mini-program needs half of it.
pub const TARGET_BYTES_MAX: usize = 4 * 1024;
const _: () = assert!(TARGET_BYTES_MAX < HEAD_BYTES_MAX, "a legal target must fit a legal head");
/// Most header fields in a request. Phones send 10–20; the table lives on the stack of the parser.
pub const HEADERS_MAX: usize = 64;
/// Request body accepted by default; a route may say otherwise.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Ceiling of the knob: a body is held in memory whole.
pub const BODY_BYTES_CEILING: usize = 64 * 1024 * 1024;
/// One provided buffer holds a whole legal head and the first slice of the body.
pub const RECV_BUF_BYTES: usize = 16 * 1024;
const _: () = assert!(HEAD_BYTES_MAX < RECV_BUF_BYTES, "a legal head must fit one buffer");
/// Provided buffers per shard. One turn of the driver holds a few hundred at most; 512 × 16 KiB = 8 MiB.
pub const RECV_BUFS: u16 = 512;
const _: () = assert!(RECV_BUFS.is_power_of_two(), "the kernel masks the ring index");
/// Longest chunk-size line with its extensions (RFC 9112 §7.1.1 asks for a limit).
pub const CHUNK_LINE_BYTES_MAX: usize = 256;
/// All chunk extensions of one body together; we use none. Without it a client could send 250 bytes for each byte of content.
pub const CHUNK_EXTENSION_BYTES_MAX: usize = 4 * 1024;
/// Trailer section after a chunked body; read and dropped.
pub const TRAILER_BYTES_MAX: usize = 4 * 1024;
/// Answers are collected up to this size before a send, so that one pipelining client cannot grow the buffer.
pub const SEND_BUF_BYTES: usize = 64 * 1024;
/// Slots that openids hash into; shards own ranges of them. Far more than shards, so that ranges differ by <2 % at 64 shards.
pub const VIRTUAL_SHARDS: usize = 4096;
/// Shards on one node: as many as a large two-socket host has cores to give.
pub const SHARDS_MAX: usize = 128;
const _: () = assert!(SHARDS_MAX * 32 <= VIRTUAL_SHARDS, "every shard must own enough slots to be even");
/// Pending questions between shards, per receiving shard. One turn answers all; more than this means a stuck shard.
pub const MAILBOX_ITEMS_MAX: usize = 4096;
/// Pending questions to one backend from the whole node.
pub const LANE_ITEMS_MAX: usize = 4096;
/// Routes in one configuration; a route costs a row of counters per shard.
pub const ROUTES_MAX: usize = 1024;
/// Nesting of JSON in a request body. Our bodies are flat; 32 covers what later routes pass on.
pub const JSON_DEPTH_MAX: usize = 32;
/// Longest openid accepted from WeChat. Real ones have 28.
pub const OPENID_BYTES_MAX: usize = 64;
/// Longest login code forwarded to WeChat. Real ones have 32.
pub const LOGIN_CODE_BYTES_MAX: usize = 128;
/// How long the outcome of a login code is kept for a client's retry: the code's own life at WeChat.
pub const LOGIN_CODE_KEEP: Duration = Duration::from_secs(300);
/// Longest token looked at. Ours have about 330 bytes.
pub const TOKEN_BYTES_MAX: usize = 1024;
const _: () = assert!(TOKEN_BYTES_MAX < HEAD_BYTES_MAX, "a legal token must fit a legal head");
/// Longest idempotency key. UUIDs have 36.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;
