//! The place of a connection among those of its address, from the moment when the address is known until it ends, on
//! whatever shard.
//! Never here: a place that is not given back.

use std::net::IpAddr;
use std::sync::Arc;

use crate::actions::desk::{Common, Desk};
use crate::core::limit::{SeatIndex, Seated, ip_key};

/// Dropping it gives it back. It goes where its connection goes.
pub struct Seat {
    common: Arc<Common>,
    /// `None`: it is not counted.
    at: Option<SeatIndex>,
}

impl Seat {
    /// `None`: the address has as many connections as it may. To be asked with the client's address, not the balancer's.
    pub fn take(desk: &Desk, addr: IpAddr) -> Option<Self> {
        let common = desk.common.clone();
        let seated = common.seats.as_ref().map(|seats| seats.take(ip_key(&common.hasher, addr)));
        match seated {
            Some(Seated::Full) => None,
            Some(Seated::At(at)) => Some(Self { common, at: Some(at) }),
            Some(Seated::Uncounted) | None => Some(Self { common, at: None }),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let (Some(at), Some(seats)) = (self.at.take(), &self.common.seats) {
            seats.give_back(at);
        }
    }
}
