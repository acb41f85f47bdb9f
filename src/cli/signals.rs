//! SIGTERM and SIGINT: the first asks for a drain, the next ends its lingering, another one the process.
//! Never here: work inside a signal handler.

use std::io;
use std::sync::Arc;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::shards::control::{Control, Phase};

/// The signals that end a server, caught from now on.
pub struct Endings(Signals);

impl Endings {
    /// # Errors
    /// The system refuses the handlers.
    pub fn catch() -> io::Result<Self> {
        Signals::new([SIGTERM, SIGINT]).map(Self)
    }

    /// Waits for the first one.
    pub fn wait(&mut self) {
        let _ = self.0.forever().next();
    }

    /// From now on a further one hurries, for the operator who does not want to wait: the node stops lingering, and if it
    /// does not linger the process ends at once.
    pub fn then_hurry(mut self, control: Arc<Control>) {
        // Ends with the process: a drain that completes exits first.
        std::thread::spawn(move || {
            for _ in self.0.forever() {
                if control.phase() > Phase::Lingering {
                    std::process::exit(130);
                }
                control.advance(Phase::Draining);
            }
        });
    }
}
