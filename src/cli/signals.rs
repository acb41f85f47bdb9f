//! SIGTERM and SIGINT: the first asks for a drain, the second ends the process. SIGHUP: files are opened again.
//! Never here: work inside a signal handler.

use std::io;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

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

    /// From now on a further one ends the process at once, for the operator who does not want to wait.
    pub fn then_abort(mut self) {
        // Ends with the process: a drain that completes exits first.
        std::thread::spawn(move || {
            if self.0.forever().any(|signal| signal != SIGHUP) {
                std::process::exit(130);
            }
        });
    }
}
