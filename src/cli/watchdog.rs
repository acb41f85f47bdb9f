//! systemd: ready, stopping, and alive as long as every shard's heart beats.
//! Never here: a sign of life that is not looked for.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;

use sd_notify::NotifyState;

use crate::ops::pages::OpsPages;

/// Tells systemd of life until it is dropped; does nothing when systemd did not ask.
pub struct Watchdog {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    pub fn start(pages: Arc<OpsPages>) -> Self {
        notify(NotifyState::Ready);
        let Some(period) = sd_notify::watchdog_enabled() else { return Self { stop: None, thread: None } };
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            while stopped.recv_timeout(period / 3) == Err(RecvTimeoutError::Timeout) {
                if pages.healthy() {
                    notify(NotifyState::Watchdog);
                }
            }
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        notify(NotifyState::Stopping);
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn notify(state: NotifyState<'_>) {
    // Without systemd there is nobody to tell, which is no error.
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::debug!(%error, "systemd was not told");
    }
}
