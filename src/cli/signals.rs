//! SIGTERM and SIGINT: the first asks for a drain, the next ends its lingering, another one the process. SIGHUP: files are
//! opened again.
//! Never here: work inside a signal handler.

use std::io;
use std::sync::Arc;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::shards::control::{Control, Phase};

/// The signals of a server, caught from now on.
pub struct Caught(Signals);

/// What SIGHUP is: word from an operator, or the end of the terminal that a person has closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangup {
    Reloads,
    Ends,
}

impl Caught {
    /// # Errors
    /// The system refuses the handlers.
    pub fn catch(hangup: Hangup) -> io::Result<Self> {
        let caught: &[i32] = match hangup {
            Hangup::Reloads => &[SIGTERM, SIGINT, SIGHUP],
            Hangup::Ends => &[SIGTERM, SIGINT],
        };
        Signals::new(caught).map(Self)
    }

    /// Waits for the first one that ends the server; `reload` runs at each SIGHUP before.
    pub fn wait(&mut self, reload: impl Fn()) {
        for signal in self.0.forever() {
            if signal != SIGHUP {
                return;
            }
            reload();
        }
    }

    /// From now on a further one hurries, for the operator who does not want to wait: the node stops lingering, and if it
    /// does not linger the process ends at once.
    pub fn then_hurry(mut self, control: Arc<Control>) {
        // Ends with the process: a drain that completes exits first.
        std::thread::spawn(move || {
            for _ in self.0.forever().filter(|signal| *signal != SIGHUP) {
                if control.phase() > Phase::Lingering {
                    std::process::exit(130);
                }
                control.advance(Phase::Draining);
            }
        });
    }
}
