//! Every bound that is not a knob, and every default and ceiling of one that is, with its reason.
//! Never here: a bound without a reason.

use std::time::Duration;

/// Longest request head accepted by default. Phones send 0.6–1.2 KiB; 12 KiB leaves 4 KiB for fields beside the longest target.
pub const HEAD_BYTES_MAX: usize = 12 * 1024;
/// Longest request target by default: RFC 9112 §3 asks for request lines of 8,000 bytes at least.
pub const TARGET_BYTES_MAX: usize = 8 * 1024;
const _: () = assert!(TARGET_BYTES_MAX < HEAD_BYTES_MAX, "a legal target must fit a legal head");
/// Longest method that may be one. The longest registered is UPDATEREDIRECTREF; a line without a space behind it is no request.
pub const METHOD_BYTES_MAX: usize = 64;
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
/// Longest PROXY header of version 1, line end included (proxy-protocol.txt §2.1).
pub const PROXY_LINE_BYTES_MAX: usize = 107;
/// Longest PROXY header of version 2. Its addresses take 216 bytes at most; balancers add names, a checksum, an identity of
/// the virtual network and the facts of a TLS session, together below 1 KiB.
pub const PROXY_HEADER_BYTES_MAX: usize = 4 * 1024;
const _: () = assert!(PROXY_HEADER_BYTES_MAX < RECV_BUF_BYTES, "a legal header must fit one buffer");
/// Networks of balancers whose PROXY header is believed: compared one after the other, once per connection.
pub const PROXY_NETWORKS_MAX: usize = 64;
/// Longest chunk-size line with its extensions (RFC 9112 §7.1.1 asks for a limit).
pub const CHUNK_LINE_BYTES_MAX: usize = 256;
/// All chunk extensions of one body together; we use none. Without it a client could send 250 bytes for each byte of content.
pub const CHUNK_EXTENSION_BYTES_MAX: usize = 4 * 1024;
/// Trailer section after a chunked body; read and dropped.
pub const TRAILER_BYTES_MAX: usize = 4 * 1024;
/// What the kernel keeps of a client's bytes that we do not take, and about as much of memory. By itself it would go up to 6 MiB,
/// which 20,000 clients fill. A window of 128 KiB carries 2.5 MB/s over 50 ms: a body of 1 MiB in half a second.
pub const KERNEL_RECV_BYTES: usize = 128 * 1024;
const _: () = assert!(KERNEL_RECV_BYTES >= 4 * RECV_BUF_BYTES, "a receive must not find the window closed every time");
/// What the kernel keeps of an answer that its client does not take. By itself it would go up to 4 MiB. 256 KiB carry 5 MB/s
/// over 50 ms.
pub const KERNEL_SEND_BYTES: usize = 256 * 1024;
/// Answers are collected up to this size before a send, so that one pipelining client cannot grow the buffer; after it the
/// connection gives way until the next turn. Some 170 small answers: 0.2 ms of a shard, far below what a waiter notices.
pub const SEND_BUF_BYTES: usize = 32 * 1024;
/// Requests that one shard refuses a second because it is late. A refusal costs some 5 µs, receive and send included: so many
/// are a tenth of the shard's time, and the rest is left for whom it serves.
pub const SHEDS_PER_SECOND_MAX: u64 = 20_000;
/// Descriptors that no client gets, beside one for each connection to WeChat: rings, doors, databases, logs, and the pages of
/// the ops plane, whose server knows no rest when it runs out of them.
pub const FILES_RESERVED: usize = 128;
/// Slots that openids hash into; shards own ranges of them. Far more than shards, so that ranges differ by <2 % at 64 shards.
pub const VIRTUAL_SHARDS: usize = 4096;
/// Shards on one node: as many as a large two-socket host has cores to give.
pub const SHARDS_MAX: usize = 128;
const _: () = assert!(SHARDS_MAX * 32 <= VIRTUAL_SHARDS, "every shard must own enough slots to be even");
/// Pending questions between shards, per receiving shard. One turn answers all; more than this means a stuck shard.
pub const MAILBOX_ITEMS_MAX: usize = 4096;
/// Pending questions to one backend from the whole node.
pub const LANE_ITEMS_MAX: usize = 4096;
/// Origins of one CORS policy: compared one after the other, for requests of pages only.
pub const CORS_ORIGINS_MAX: usize = 64;
/// Headers that a CORS policy lets pages send; a preflight's answer lists them all.
pub const CORS_HEADERS_MAX: usize = 32;
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
/// Writes committed together. One sync of the disk (0.1–10 ms) is shared by so many that it no longer counts: at 256 it adds
/// below 40 µs to each.
pub const WRITE_GROUP_ITEMS_MAX: usize = 256;
const _: () = assert!(WRITE_GROUP_ITEMS_MAX <= LANE_ITEMS_MAX, "a group is what waits in the lane");
/// How long a group of writes grows before it is committed: the first of it waits for the last. As long as a slow disk's sync.
pub const WRITE_GROUP_TIME: Duration = Duration::from_millis(10);
/// Answers held until their group is committed: the longest one and as much again. Beyond it the group is committed as it is.
pub const WRITE_GROUP_BYTES_MAX: usize = ANSWER_BYTES_MAX;
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
/// Stack of a coroutine of the ops plane, in words of 8 bytes: 256 KiB, touched pages only. may's default of 32 KiB is too
/// small for formatting, and a panic needs room to unwind.
pub const COROUTINE_STACK_WORDS: usize = 32 * 1024;
/// Request body that the ops plane reads away so that the connection can go on. Its clients send none.
pub const OPS_BODY_BYTES_MAX: usize = 64 * 1024;
/// Login codes that the WeChat simulator remembers as used: 26 s at 10,000 logins a second, about 16 MiB.
/// The oldest is forgotten, and works again, when there are more.
pub const SIMULATED_CODES_MAX: usize = 256 * 1024;
/// Key spaces of the cache: one per cached query at most, and a configuration with more queries than routes is a mistake.
pub const CACHE_SPACES_MAX: usize = ROUTES_MAX;
const _: () = assert!(CACHE_SPACES_MAX <= u16::MAX as usize, "a space id is 16 bits");
/// A cached answer takes at most this share of its shard's cache, or one answer would evict a crowd of others.
pub const CACHE_ENTRY_SHARE: usize = 8;
/// Entries that one eviction may pass over because they were asked for. Each costs a cache miss or two, so the longest
/// eviction stays near 100 µs, whatever the size of the cache.
pub const CACHE_REPRIEVES_MAX: usize = 1024;
/// Loads in flight per shard: what its lane to the backend could hold if it were alone.
pub const FLIGHT_KEYS_MAX: usize = LANE_ITEMS_MAX;
/// Requests that wait for one load: what may come in from other shards in one turn. More than this waits for an outage.
pub const FLIGHT_WAITERS_MAX: usize = MAILBOX_ITEMS_MAX;

/// Revoked sessions remembered per shard until their last access token has ended. Two hours of ten logouts a second;
/// about 4 MiB. Beyond it whole slots are refused, see `core::token::revoked`.
pub const REVOKED_SESSIONS_MAX: usize = 65_536;
/// Sessions of one user. A phone, a tablet, a PC and a few that were never logged out; the ninth login ends the one
/// that was idle longest.
pub const USER_SESSIONS_MAX: usize = 8;
/// Longest session_key accepted from WeChat. Real ones are 16 bytes in base64: 24 characters.
pub const SESSION_KEY_BYTES_MAX: usize = 32;
/// How long the previous refresh token is answered with the current pair: a phone that lost the answer retries within
/// its next request, a thief hours later.
pub const REFRESH_GRACE: Duration = Duration::from_secs(10);
/// Login codes in flight or known per shard. 800 logins a second for `LOGIN_CODE_KEEP`; about 32 MiB when full.
pub const LOGIN_CODES_MAX: usize = 262_144;
/// Requests that wait for the exchange of one code. A phone has ten connections; a retry gives up the request before it.
pub const LOGIN_WAITERS_MAX: usize = 64;
/// Parameters in one route pattern: the routing tree keeps three in place, a fourth would allocate on every lookup.
pub const PATH_PARAMS_MAX: usize = 3;
/// Mini-programs on one gateway. A company has a handful.
pub const APPS_MAX: usize = 64;
/// Token keys at a time: the one that signs, the one before, and room for a careful rotation.
pub const TOKEN_KEYS_MAX: usize = 8;
/// Shortest token secret: HS256 must not be weaker than its hash (RFC 7518 §3.2).
pub const TOKEN_SECRET_BYTES_MIN: usize = 32;
/// Longest secret of any kind; a longer one is the wrong file.
pub const SECRET_BYTES_MAX: usize = 1024;
/// Parameters of one query or transaction; SQLite binds far more, a reader does not.
pub const PARAMS_MAX: usize = 32;
/// Steps of one transaction: the writer is held from the first to the last.
pub const STEPS_MAX: usize = 32;
/// Keys and key spaces that one transaction invalidates; each is a message to every shard.
pub const INVALIDATIONS_MAX: usize = 16;
/// Longest SQL text of one statement.
pub const SQL_BYTES_MAX: usize = 16 * 1024;
/// Characters of one text parameter. Longer texts are files, not fields.
pub const TEXT_CHARS_MAX: usize = 64 * 1024;
/// Rows of one answer: it is built in memory whole.
pub const ROWS_MAX: u32 = 10_000;
/// Rows of one page: 1,000 rows of 1 KB are already a megabyte to a phone.
pub const PAGE_ROWS_MAX: u32 = 1_000;
/// Last page that can be asked for: the database reads and drops every row before it.
pub const PAGE_MAX: u32 = 1_000_000;
const _: () = assert!(PAGE_MAX as u64 * PAGE_ROWS_MAX as u64 <= i64::MAX as u64, "an offset must fit an SQL integer");
/// Rate limits of one kind on one route; each is a probe per request.
pub const LIMITS_PER_ROUTE_MAX: usize = 4;
/// Count and burst of a rate; beyond a million per second a limit limits nothing.
pub const RATE_COUNT_MAX: u32 = 1_000_000;
/// Burst when a rate names none is its count, but not more than this: 3,600/h must not mean 3,600 at once.
pub const RATE_BURST_DEFAULT_MAX: u32 = 1_000;
/// Access records that wait for the log's thread: a tenth of a second at 160,000 requests a second, 3 MiB.
pub const ACCESS_RECORDS_MAX: usize = 16 * 1024;
/// Requests at a time on one HTTP/2 connection, ceiling of the knob. RFC 9113 §6.5.2 advises at least 100.
pub const HTTP2_STREAMS_CEILING: usize = 256;
/// What an HTTP/2 connection has to say and its socket has not taken yet. Beyond it the library waits, and then its client:
/// as much as a connection may keep of what it receives.
pub const HTTP2_OUT_BYTES_MAX: usize = 64 * 1024;
const _: () = assert!(HTTP2_OUT_BYTES_MAX >= 2 * HTTP2_FRAME_BYTES_MAX, "a frame is written while another one leaves");
/// Bodies of requests that one HTTP/2 connection gathers at a time, together: sixteen of the default length. A route's longest
/// body fits in any case, alone. One more is refused, which says that nothing was done and it may be tried again.
pub const HTTP2_BODIES_BYTES_MAX: usize = 16 * BODY_BYTES_MAX;
/// Longest HTTP/2 frame accepted: the least that RFC 9113 §4.2 allows. It is kept in memory until it is whole.
pub const HTTP2_FRAME_BYTES_MAX: usize = 16 * 1024;
/// Longest list of header fields in HTTP/2, as RFC 9113 §6.5.2 counts: with 32 bytes for each field, so that a head of
/// `HEAD_BYTES_MAX` in small fields still fits. Beyond it the library answers 431 by itself.
pub const HTTP2_HEADER_LIST_BYTES_MAX: usize = 16 * 1024;
const _: () =
    assert!(HEAD_BYTES_MAX + 32 * HEADERS_MAX <= HTTP2_HEADER_LIST_BYTES_MAX, "a legal head must fit the list");
/// Certificates of one node: names of a company, each perhaps as ECDSA and RSA.
pub const TLS_CERTIFICATES_MAX: usize = 256;
/// Longest PEM file read: a revocation list of some 100,000 entries.
pub const TLS_FILE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Plaintext sealed before the socket is asked to take it: four records of 16 KiB, so that a slow reader holds few of them.
pub const TLS_SEAL_BYTES_MAX: usize = 64 * 1024;
/// Records that a socket has not taken. What was sealed, and alerts and key updates behind it; a peer that asks for more
/// of these without reading is cut off.
pub const TLS_UNSENT_BYTES_MAX: usize = 2 * TLS_SEAL_BYTES_MAX;
/// Received bytes kept until a record or a message of the handshake is whole. RFC 8446 §5.1: a record has 16 KiB and a
/// little; rustls takes messages of at most 64 KiB.
pub const TLS_PARTIAL_BYTES_MAX: usize = 96 * 1024;
/// Receives of handshakes worked on by one shard within one turn: each may be the one that makes a signature, 0.1 ms (P-256;
/// RSA 1 ms) in which nobody else on the shard is served.
pub const TLS_HANDSHAKE_STEPS_PER_TURN: usize = 16;
/// How long a ticket resumes a session. Half a day: a phone comes back in the evening.
pub const TLS_TICKET_LIFE: Duration = Duration::from_secs(12 * 3600);
/// Keys for tickets in one file: the one that seals and those before it.
pub const TLS_TICKET_KEYS_MAX: usize = 8;
/// Longest ticket looked at. Ours have about 200 bytes.
pub const TLS_TICKET_BYTES_MAX: usize = 4 * 1024;
/// Longest body that is compressed in one go; a longer one goes in pieces of this size, between which others are served.
/// At the slowest level, br 5, it takes 0.9 ms of the shard; docs/perf.md.
pub const COMPRESS_AT_ONCE_BYTES_MAX: usize = 48 * 1024;
/// Bodies compressed to be kept within one turn of a shard, some 4 ms: beyond it an answer leaves as it is, and the next one
/// that asks for it makes the variant. After a purge of the cache everything would have to be made at once.
pub const COMPRESS_KEPT_BYTES_PER_TURN: usize = 4 * COMPRESS_AT_ONCE_BYTES_MAX;
/// What compressing must save, or the answer stays as it is: the fields that tell of a coding take about as much.
pub const COMPRESS_GAIN_BYTES_MIN: usize = 64;
/// Answers compressed in pieces at a time, per shard; one more goes uncompressed. Each holds tables: gzip 0.3, zstd 1.2, br 1.5 MiB.
pub const COMPRESS_STREAMS_MAX: usize = 32;
/// Window of zstd and br answers that go in pieces, as a power of two: 256 KiB remember enough of a list of rows.
pub const COMPRESS_WINDOW_LOG: u32 = 18;
/// Body of a route that accepts compressed requests: it is decoded in one go, some 3 ms of the shard a MiB.
pub const DECODED_BYTES_CEILING: usize = 4 * 1024 * 1024;
const _: () = assert!(DECODED_BYTES_CEILING <= BODY_BYTES_CEILING, "a decoded body is a body");
/// A compressed request body may grow to so many times its size. JSON grows 4 to 20 times, a list of equal rows 60 times.
pub const DECODED_RATIO_MAX: usize = 100;
/// Below this size the ratio is not asked for: a few repeated words say nothing about intentions.
pub const DECODED_RATIO_FREE_BYTES: usize = 64 * 1024;
/// Largest window that a zstd body may ask for, as a power of two: 8 MiB, what every decoder must support (RFC 8878 §3.1.1.1.2).
pub const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Members of `accept-encoding` that are read; browsers send four, all codings registered are eight.
pub const ACCEPTED_CODINGS_MAX: usize = 16;
/// Entity tags of `if-none-match` that are compared. A client has one, a cache a few variants; with the others the answer
/// is sent again.
pub const ENTITY_TAGS_MAX: usize = 4;
