//! Closing sessions: their access tokens are refused on every shard before the client is told.
//! Never here: a session that is closed at its owner and still passes elsewhere.

use std::rc::Rc;
use std::sync::Arc;

use crate::actions::desk::Desk;
use crate::actions::invalidate::on_all_shards;
use crate::core::ids::{OpenId, SessionId};

/// Refuses the access tokens of these sessions of a user everywhere on this node; returns when it is done.
pub async fn revoke(desk: &Rc<Desk>, openid: &OpenId, sessions: Vec<SessionId>) {
    if sessions.is_empty() {
        return;
    }
    let slot = desk.common.owners.slot(desk.owner(openid).0);
    let sessions: Arc<[SessionId]> = sessions.into();
    on_all_shards(desk, move |desk| {
        let now = desk.unix();
        let until = desk.common.keys.last_access_end(now);
        for session in sessions.iter() {
            desk.remembered.borrow_mut().forget_session(*session);
            desk.revoked.borrow_mut().revoke(*session, slot, until, now);
        }
    })
    .await;
}
