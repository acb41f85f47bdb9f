//! The backends' threads: named, and joined by whoever started them.
//! Never here: a thread that outlives its lane.

use std::thread::{Builder, JoinHandle};

use crate::backends::StartError;

/// Join handles of the backends' threads. Each ends once every clone of its lane is dropped and what was accepted is done.
#[derive(Debug, Default)]
pub struct BackendThreads(Vec<(&'static str, JoinHandle<()>)>);

impl BackendThreads {
    /// Waits for every thread to end. Returns the names of those that panicked.
    #[must_use]
    pub fn join(self) -> Vec<&'static str> {
        self.0.into_iter().filter_map(|(name, handle)| handle.join().is_err().then_some(name)).collect()
    }

    /// Starts a thread. Linux shows the first 15 bytes of its name.
    ///
    /// # Errors
    /// [`StartError::Thread`] when the system gives no thread.
    pub fn spawn(&mut self, name: &'static str, body: impl FnOnce() + Send + 'static) -> Result<(), StartError> {
        let handle = Builder::new()
            .name(name.to_owned())
            .spawn(body)
            .map_err(|error| StartError::Thread { name, reason: error.to_string() })?;
        self.0.push((name, handle));
        Ok(())
    }
}
