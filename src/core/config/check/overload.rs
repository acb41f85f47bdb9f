//! [overload]: what is refused so that the rest is done in time.
//! Never here: a default.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Value;

use crate::core::config::check::knobs::open;
use crate::core::config::overload::Overload;
use crate::core::config::section::{Section, span};

pub(super) const OVERLOAD: &[&str] =
    &["concurrency_min", "read_wait", "write_wait", "wechat_wait", "lag_target", "retry_after_max"];

const NOTICED: &str = "or \"off\"; users hardly notice a shorter one";
const WAIT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(30);
const LAG: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(1);
const RETRY: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(5);

pub(super) fn overload(root: &Section<'_>) -> Overload {
    let section = open(root, "overload", OVERLOAD);
    let or_off = |key: &str, range: &RangeInclusive<Duration>, why: &str| {
        section.read(key, None, |value| match value {
            Value::String(text) if text == "off" => Ok(None),
            value => span(value, range, why).map(Some),
        })
    };
    Overload {
        concurrency_min: section.count("concurrency_min", 1..=65_536, "so many may always wait, per node and backend"),
        read_wait: or_off("read_wait", &WAIT, NOTICED),
        write_wait: or_off("write_wait", &WAIT, NOTICED),
        wechat_wait: or_off("wechat_wait", &WAIT, NOTICED),
        lag_target: or_off("lag_target", &LAG, "or \"off\"; a shard that keeps up has none"),
        retry_after_max: section.duration("retry_after_max", RETRY, "refused clients come back spread over it"),
    }
}
