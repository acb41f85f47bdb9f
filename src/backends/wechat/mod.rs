//! WeChat on one thread with a tokio runtime of its own: a bounded number of exchanges at once, each within its deadline.
//! Never here: a second try of an exchange that may have reached WeChat, because the code may be consumed.

mod exchange;

pub use exchange::Exchanger;

use std::sync::Arc;

use futures_channel::oneshot;
use tokio::runtime::Builder;
use tokio::sync::Semaphore;

use crate::backends::StartError;
use crate::backends::lane::{Accepted, Lane, LaneEnd, lane};
use crate::backends::threads::BackendThreads;
use crate::core::bounds;
use crate::core::fault::{Backend, Fault};
use crate::core::ids::AppId;
use crate::proto::wechat::Exchanged;

/// One question to WeChat.
pub enum WechatAsk {
    /// Exchanges a login code. Asked twice, the second fails: the caller keeps the outcome of the first.
    Exchange { app: AppId, code: String, reply: oneshot::Sender<Result<Exchanged, Fault>> },
}

/// Starts the thread, which ends when the last clone of the lane is dropped and what was accepted is answered.
///
/// # Errors
/// [`StartError::Thread`].
pub fn start(
    exchanger: Exchanger,
    connections_max: usize,
    threads: &mut BackendThreads,
) -> Result<Lane<WechatAsk>, StartError> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| StartError::Thread { name: "wechat", reason: error.to_string() })?;
    let (lane, end) = lane(Backend::Wechat, bounds::LANE_ITEMS_MAX);
    threads.spawn("wechat", move || runtime.block_on(run(exchanger, connections_max, end)))?;
    Ok(lane)
}

async fn run(exchanger: Exchanger, connections_max: usize, mut end: LaneEnd<WechatAsk>) {
    let exchanger = Arc::new(exchanger);
    let slots = Arc::new(Semaphore::new(connections_max));
    // A slot first, the ask second: what cannot run yet waits in the lane, where it is bounded and counted.
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        let Some(accepted) = end.next().await else {
            break;
        };
        let exchanger = Arc::clone(&exchanger);
        tokio::spawn(async move {
            serve(&exchanger, accepted).await;
            drop(slot);
        });
    }
    // All slots back means that every exchange has been answered.
    let all = u32::try_from(connections_max).unwrap_or(u32::MAX);
    let _all = slots.acquire_many(all).await;
}

async fn serve(exchanger: &Exchanger, accepted: Accepted<WechatAsk>) {
    let Accepted { ask: WechatAsk::Exchange { app, code, reply }, at } = accepted;
    if !reply.is_canceled() {
        // Whoever asked may have gone meanwhile; the outcome is lost with it.
        let _ = reply.send(exchanger.exchange(&app, &code, at).await);
    }
}

#[cfg(test)]
mod tests;
