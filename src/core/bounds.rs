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
/// Fields of the one object in a request body. Routes declare a handful; names are compared pairwise, which this keeps below 10 µs.
pub const JSON_FIELDS_MAX: usize = 128;
/// Bodies above this size are parsed with buffers of their own, so that one large body does not stay in a shard's memory.
pub const JSON_SCRATCH_BYTES_MAX: usize = 256 * 1024;
/// Longest answer made from rows. A phone reads tens of KiB; beyond this the statement lacks a LIMIT.
pub const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
const _: () = assert!(ANSWER_BYTES_MAX < u32::MAX as usize, "spans of an answer are kept as u32");
/// Longest answer read from WeChat. A login's has about 200 bytes.
pub const WECHAT_BODY_BYTES_MAX: usize = 64 * 1024;
/// Longest wait for a connection to WeChat: a lost SYN is sent again after one and after three seconds.
pub const WECHAT_CONNECT_WAIT: Duration = Duration::from_millis(3500);
/// How long an unused connection to WeChat is kept: below the 60 s after which common servers close theirs.
pub const WECHAT_IDLE: Duration = Duration::from_secs(50);
/// SQLite's virtual-machine steps between two looks at the clock: some 10 µs of work, against 30 ns for the look.
pub const SQLITE_STEPS_PER_LOOK: i32 = 1000;
/// How long the answer to an idempotency key is kept: a phone that retries later than a day asks something new.
pub const IDEMPOTENCY_KEEP: Duration = Duration::from_secs(24 * 3600);
/// Writes with a key between two purges of expired keys.
pub const IDEMPOTENCY_PURGE_EVERY: u32 = 32;
/// Expired keys deleted per purge: more than were written since the last one, and few enough to add well below a millisecond.
pub const IDEMPOTENCY_PURGE_ROWS: u32 = 64;
const _: () = assert!(IDEMPOTENCY_PURGE_ROWS > IDEMPOTENCY_PURGE_EVERY, "purging must outrun writing");
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
