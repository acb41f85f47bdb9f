//! After a commit the entries that it made false leave every shard, before the writer gets its answer.
//! Two rounds: in the first every shard drops what it has and cuts its running loads off; between the rounds a shard may still
//! have copied an old entry from a home that had not heard yet; the second drops those. After it nobody has an old row.
//! Never here: an invalidation that is given up because a mailbox is full.

use std::rc::Rc;
use std::sync::Arc;

use futures_util::future::join_all;

use crate::actions::desk::Desk;
use crate::core::cache::SpaceId;
use crate::core::ids::ShardId;

/// What leaves.
#[derive(Clone, Debug)]
pub enum Stale {
    Key(Box<[u8]>),
    Space(SpaceId),
}

/// Drops the entries everywhere on this node; returns when it is done.
pub async fn invalidate(desk: &Rc<Desk>, stale: Vec<Stale>) {
    if stale.is_empty() {
        return;
    }
    let stale: Arc<[Stale]> = stale.into();
    // A single shard has nobody to copy from.
    let rounds = if desk.peers.count() > 1 { 2 } else { 1 };
    for _ in 0..rounds {
        let stale = stale.clone();
        on_all_shards(desk, move |desk| drop_entries(desk, &stale)).await;
    }
}

/// Runs `job` once on every shard and waits for all of them.
pub async fn on_all_shards(desk: &Rc<Desk>, job: impl Fn(&Rc<Desk>) + Clone + Send + 'static) {
    let told = (0..desk.peers.count()).map(|shard| {
        let job = job.clone();
        desk.insist(ShardId(shard), move |desk, reply| {
            job(desk);
            let _ = reply.send(());
        })
    });
    join_all(told).await;
}

fn drop_entries(desk: &Desk, stale: &[Stale]) {
    let mut cache = desk.cache.borrow_mut();
    let mut flights = desk.flights.borrow_mut();
    for entry in stale {
        match entry {
            Stale::Key(key) => {
                cache.remove(key);
                flights.invalidate(key);
            }
            Stale::Space(space) => {
                cache.remove_space(*space);
                flights.invalidate_space(*space);
            }
        }
    }
}
