//! What was refused because not all could be served, by what was short and by how much the request mattered.
//! Never here: a decision.

use crate::core::admission::{Priority, Resource};
use crate::core::ledger::counter::{Counter, Gauge};

/// What there was too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Short {
    /// Places to wait for a backend.
    Places(Resource),
    /// The shard's own time.
    Time,
}

#[derive(Debug, Default)]
pub struct Overloads {
    shed: [[Counter; Priority::ALL.len()]; Short::ALL.len()],
    /// Questions of other shards that were not begun, because nobody waited for the answer any more.
    pub abandoned: Counter,
    /// How many may wait, by resource.
    pub limits: [Gauge; Resource::ALL.len()],
    /// How many wait, by resource.
    pub waiting: [Gauge; Resource::ALL.len()],
    /// Longest wait of what was ready for its turn, in the last second.
    pub lag_nanos: Gauge,
}

impl Short {
    pub const ALL: [Self; 4] =
        [Self::Places(Resource::Reads), Self::Places(Resource::Writes), Self::Places(Resource::Wechat), Self::Time];

    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Places(resource) => resource.name(),
            Self::Time => "shard",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Places(resource) => resource as usize,
            Self::Time => Resource::ALL.len(),
        }
    }
}

impl Overloads {
    pub fn shed(&self, short: Short, priority: Priority) {
        self.shed[short.index()][priority as usize].one();
    }

    #[must_use]
    pub fn shed_so_far(&self, short: Short, priority: Priority) -> u64 {
        self.shed[short.index()][priority as usize].get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_its_own() {
        let books = Overloads::default();
        for short in Short::ALL {
            for priority in Priority::ALL {
                assert_eq!(books.shed_so_far(short, priority), 0, "{short:?} {priority:?}");
                books.shed(short, priority);
                assert_eq!(books.shed_so_far(short, priority), 1);
            }
        }
    }
}
