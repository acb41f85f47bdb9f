//! When the node refuses work so that the rest is done in time.

use std::time::Duration;

#[derive(Debug)]
pub struct Overload {
    /// Requests that may always wait for a backend, per node and backend.
    pub concurrency_min: usize,
    /// A wait for a query up to this is never too long; `None`: none is.
    pub read_wait: Option<Duration>,
    /// The same for a transaction.
    pub write_wait: Option<Duration>,
    /// The same for WeChat.
    pub wechat_wait: Option<Duration>,
    /// What is ready may wait so long for its shard; `None`: for ever.
    pub lag_target: Option<Duration>,
    /// A refused client is asked to wait at least a second and at most this.
    pub retry_after_max: Duration,
}
