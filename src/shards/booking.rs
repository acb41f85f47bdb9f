//! A request that has begun and is not in the books yet; both protocols keep one for each request.
//! Never here: a request that gets two lines in the books, or none.

use std::net::IpAddr;
use std::rc::Rc;

use crate::actions::desk::Desk;
use crate::core::ids::RequestId;
use crate::core::ledger::Outcome;
use crate::core::ledger::access::AccessRecord;
use crate::core::method::Method;
use crate::core::time::Tick;
use crate::proto::wishes::Wishes;

use super::pipeline::Tag;

/// In the books, of a request that got no answer.
const NO_STATUS: u16 = 0;

/// A request as it begins.
#[derive(Clone, Debug)]
pub struct Open {
    pub id: RequestId,
    /// `None`: it could not be read.
    pub method: Option<Method>,
    pub began: Tick,
    pub bytes_in: usize,
    pub wishes: Wishes,
}

/// What only the answer knows.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub status: u16,
    pub fault_code: Option<u32>,
    /// Head and body.
    pub bytes_out: usize,
}

/// The debt of one request to the books, paid at the latest when this is dropped: whatever ends a connection, be it in the
/// middle of a request, the request gets its line.
pub struct Booking {
    desk: Rc<Desk>,
    remote: IpAddr,
    pub open: Open,
    pub tag: Tag,
    /// The line as it would be written now.
    entry: Entry,
}

impl Booking {
    /// Counts the request as in flight.
    #[must_use]
    pub fn begin(desk: &Rc<Desk>, remote: IpAddr, open: Open) -> Self {
        desk.ledger.request_started();
        let entry = Entry { status: NO_STATUS, fault_code: None, bytes_out: 0 };
        Self { desk: desk.clone(), remote, open, tag: Tag::default(), entry }
    }

    /// The head of an answer has been written.
    pub const fn answered(&mut self, entry: Entry) {
        self.entry = entry;
    }

    /// More of the answer has been written.
    pub const fn wrote(&mut self, bytes: usize) {
        self.entry.bytes_out += bytes;
    }

    /// The answer broke off.
    pub const fn broke(&mut self, fault_code: u32) {
        self.entry.fault_code = Some(fault_code);
    }
}

impl Drop for Booking {
    fn drop(&mut self) {
        let Self { desk, remote, open, tag, entry } = self;
        let clock = desk.driver.clock();
        let duration = clock.refresh_tick().since(open.began);
        let &mut Entry { status, fault_code, bytes_out } = entry;
        let (bytes_in, bytes_out) = (open.bytes_in as u64, bytes_out as u64);
        desk.ledger.record(&Outcome { route: tag.route, status, fault_code, duration, bytes_in, bytes_out });
        let Some(access) = &desk.front.access else { return };
        let (unix, micros) = clock.wall();
        let record = AccessRecord {
            unix,
            micros,
            request_id: open.id,
            route: tag.route,
            method: open.method,
            status,
            fault_code,
            bytes_in,
            bytes_out,
            duration,
            shard: desk.shard,
            openid_hash: tag.user.map(|user| user.hash.0),
            remote: *remote,
        };
        if access.try_send(record).is_err() {
            desk.ledger.access_log_dropped.one();
        }
    }
}
