//! SIGTERM and SIGINT: the first asks for a drain, the second ends the process.
//! Never here: work inside a signal handler.

use std::io;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

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

    /// From now on a further one ends the process at once, for the operator who does not want to wait.
    pub fn then_abort(mut self) {
        // Ends with the process: a drain that completes exits first.
        std::thread::spawn(move || {
            if self.0.forever().next().is_some() {
                std::process::exit(130);
            }
        });
    }
}
