//! The least pace of a client, over all its streams together: they share its network, and one of them may be slow because
//! the others are not.
//! Never here: a clock, a pause of one stream; that is the stage's own deadline.

use crate::core::config::checked::Server;
use crate::core::pace::{Demand, Pace};
use crate::core::time::Tick;

use super::stage::Stage;

/// What a client moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A body that it sends.
    Body,
    /// An answer that it takes.
    Answer,
}

/// Both ways of one connection.
pub struct Paces([Track; 2]);

struct Track {
    demand: Demand,
    /// Since the first stream waits for the client; `None` while none does.
    pace: Option<Pace>,
    bytes: usize,
}

impl Paces {
    pub fn new(server: &Server) -> Self {
        Self([Demand::of_bodies(server), Demand::of_answers(server)].map(|demand| Track {
            demand,
            pace: None,
            bytes: 0,
        }))
    }

    pub const fn moved(&mut self, way: Way, bytes: usize) {
        self.0[way as usize].bytes += bytes;
    }

    /// Takes note of what waits for the client by now.
    pub fn follow<'s>(&mut self, stages: impl Iterator<Item = &'s Stage>, now: Tick) {
        let mut waits = [false; 2];
        stages.filter_map(Stage::way).for_each(|way| waits[way as usize] = true);
        for (Track { demand, pace, bytes }, waits) in self.0.iter_mut().zip(waits) {
            *pace = waits.then(|| pace.unwrap_or_else(|| Pace::begin(*demand, *bytes, now)));
        }
    }

    /// When a stage has waited long enough, by itself or together with the others.
    pub fn deadline(&self, stage: &Stage, now: Tick) -> Tick {
        let together = stage.way().and_then(|way| {
            let Track { demand, pace, bytes } = &self.0[way as usize];
            pace.map(|pace| pace.due(*demand, *bytes, now))
        });
        together.map_or(stage.deadline(), |due| due.min(stage.deadline()))
    }
}
