//! One line of the access log: what a shard hands to the log thread, and its JSON.
//! Never here: a path, a query, a header or a body. A record has no place for one, so no secret can get in.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::core::ids::{RequestId, RouteId, ShardId};
use crate::core::method::Method;
use crate::core::time::UnixSeconds;

/// Fixed size, no heap: it crosses a queue by copy.
#[derive(Clone, Copy, Debug)]
pub struct AccessRecord {
    pub unix: UnixSeconds,
    /// Below one million.
    pub micros: u32,
    pub request_id: RequestId,
    pub route: Option<RouteId>,
    /// `None`: the request could not be read.
    pub method: Option<Method>,
    pub status: u16,
    pub fault_code: Option<u32>,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub duration: Duration,
    pub shard: ShardId,
    /// Pseudonym of the user, see `core::mask`.
    pub openid_hash: Option<u64>,
    pub remote: IpAddr,
}

#[derive(Serialize)]
struct Line<'a> {
    /// Seconds since 1970, to the microsecond.
    time: f64,
    request_id: &'a str,
    /// The pattern, never the path: a path may hold a user's data.
    route: &'a str,
    method: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<u32>,
    bytes_in: u64,
    bytes_out: u64,
    duration_us: u128,
    shard: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Hex>,
    remote: IpAddr,
}

struct Hex(u64);

impl AccessRecord {
    /// Appends one JSON object and a line feed. `routes`: the labels of the routes by `RouteId`, see
    /// [`route_label`](crate::core::ledger::catalogue::route_label); a request without one has `none`.
    pub fn write_json(&self, routes: &[String], out: &mut Vec<u8>) {
        let label = self.route.and_then(|RouteId(index)| routes.get(usize::from(index)));
        let line = Line {
            time: (self.unix.0 as f64 * 1e6 + f64::from(self.micros)) / 1e6,
            request_id: self.request_id.as_str(),
            route: label.map_or("none", String::as_str),
            method: self.method.map_or("-", Method::as_str),
            status: self.status,
            fault: self.fault_code,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            duration_us: self.duration.as_micros(),
            shard: self.shard.0,
            user: self.openid_hash.map(Hex),
            remote: self.remote,
        };
        let written = serde_json::to_writer(&mut *out, &line);
        debug_assert!(written.is_ok(), "numbers and text into memory");
        out.push(b'\n');
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:016x}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> AccessRecord {
        AccessRecord {
            unix: UnixSeconds(1_763_000_000),
            micros: 7,
            request_id: RequestId::from_number(0xabc),
            route: Some(RouteId(0)),
            method: Some(Method::Get),
            status: 200,
            fault_code: None,
            bytes_in: 512,
            bytes_out: 1024,
            duration: Duration::from_nanos(81_999),
            shard: ShardId(3),
            openid_hash: Some(0x1f),
            remote: "10.0.0.7".parse().unwrap(),
        }
    }

    fn check(record: &AccessRecord, line: &str) {
        let mut out = Vec::new();
        record.write_json(&[r#"GET /a/{"x"}"#.to_owned()], &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), format!("{line}\n"));
    }

    #[test]
    fn a_line_has_the_pattern_and_the_pseudonym() {
        check(
            &record(),
            r#"{"time":1763000000.000007,"request_id":"0000000000000abc","route":"GET /a/{\"x\"}","method":"GET","status":200,"bytes_in":512,"bytes_out":1024,"duration_us":81,"shard":3,"user":"000000000000001f","remote":"10.0.0.7"}"#,
        );
    }

    #[test]
    fn a_line_without_route_and_user_says_so() {
        let record = AccessRecord {
            route: None,
            openid_hash: None,
            status: 404,
            fault_code: Some(40400),
            remote: "2001:db8::1".parse().unwrap(),
            ..record()
        };
        check(
            &record,
            r#"{"time":1763000000.000007,"request_id":"0000000000000abc","route":"none","method":"GET","status":404,"fault":40400,"bytes_in":512,"bytes_out":1024,"duration_us":81,"shard":3,"remote":"2001:db8::1"}"#,
        );
    }
}
