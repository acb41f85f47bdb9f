//! Who is served when not everybody can be: how many may wait for a backend, and what a late shard refuses.
//! Never here: a clock, a queue. What is refused is refused at once.

pub mod concurrency;
pub mod pressure;

use crate::core::admission::concurrency::{Bounds, Concurrency};
use crate::core::admission::pressure::Pressure;
use crate::core::config::checked::Config;

/// How much a route matters when not all can be served. Ordered: what is refused first comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Lists, recommendations: the page works without.
    Secondary,
    #[default]
    Normal,
    /// Logins, orders: what the service exists for.
    Core,
}

/// What requests wait for outside of their shards. One limit each, and not one per route: routes that wait for the same
/// thread share its queue, and limits that share a queue would fight for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    Reads,
    Writes,
    Wechat,
}

/// All decisions of one shard.
#[derive(Debug)]
pub struct Admission {
    resources: [Concurrency; Resource::ALL.len()],
    pub pressure: Pressure,
}

impl Priority {
    pub const ALL: [Self; 3] = [Self::Secondary, Self::Normal, Self::Core];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Secondary => "secondary",
            Self::Normal => "normal",
            Self::Core => "core",
        }
    }

    /// Hundredths of a limit that this priority may fill: what is left belongs to those above.
    const fn share(self) -> usize {
        match self {
            Self::Secondary => 70,
            Self::Normal => 85,
            Self::Core => 100,
        }
    }
}

impl Resource {
    pub const ALL: [Self; 3] = [Self::Reads, Self::Writes, Self::Wechat];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::Wechat => "wechat",
        }
    }
}

impl Admission {
    /// For one of so many shards. Each sees its own waits only, and that is enough: they are waits in the one queue that all
    /// shards fill.
    #[must_use]
    pub fn new(config: &Config, shards: usize) -> Self {
        let overload = &config.overload;
        let resource = |resource: Resource| {
            let wait = match resource {
                Resource::Reads => overload.read_wait,
                Resource::Writes => overload.write_wait,
                Resource::Wechat => overload.wechat_wait,
            };
            // A request has other things to do beside waiting.
            let wait = wait.map(|wait| wait.min(config.server.request_timeout / 2));
            let min = overload.concurrency_min.div_ceil(shards).min(config.server.in_flight_max);
            Concurrency::new(Bounds { min, max: config.server.in_flight_max, wait })
        };
        Self { resources: Resource::ALL.map(resource), pressure: Pressure::new(overload.lag_target) }
    }

    pub const fn of(&mut self, resource: Resource) -> &mut Concurrency {
        &mut self.resources[resource as usize]
    }
}
