//! From a checked configuration to a served node and back: logs, shards, ops plane, signals, drain.
//! Never here: what a route does.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use crate::actions::Registry;
use crate::core::config::checked::Config;
use crate::core::ledger::catalogue::route_label;
use crate::net::probe::probe;
use crate::ops::access_log::AccessLog;
use crate::ops::events;
use crate::ops::http::{OpsServer, Reach, serve as serve_pages};
use crate::ops::pages::OpsPages;
use crate::shards::door::DoorKind;
use crate::shards::node::{Drained, Node, NodeError, NodeParts};

use super::memory;
use super::signals::{Caught, Hangup};
use super::watchdog::Watchdog;
use super::{EXIT_HOST, fail};

/// What a started server tells its user.
pub struct Serving {
    /// The kinds of doors and where they are; never empty.
    pub doors: Vec<(DoorKind, SocketAddr)>,
    pub ops_addr: SocketAddr,
}

/// Serves until SIGTERM or SIGINT, then drains. SIGHUP loads certificates and opens the access log again. `started` runs once everything answers.
pub fn serve(config: Arc<Config>, hangup: Hangup, started: impl FnOnce(&Serving)) -> ExitCode {
    memory::use_small_pages();
    if let Err(refusal) = probe() {
        return fail(EXIT_HOST, &format!("this host does not let a shard use io_uring\n{refusal}"));
    }
    let _events = events::start(config.log.level);
    let mut signals = match Caught::catch(hangup) {
        Ok(signals) => signals,
        Err(error) => return fail(1, &format!("cannot catch signals: {error}")),
    };
    let labels: Vec<String> = config.routes.iter().map(|route| route_label(route)).collect();
    let access = match AccessLog::start(&config.log.access, labels.clone()) {
        Ok(access) => access,
        Err(error) => return fail(1, &format!("log.access: {error}; give a file that this user may write")),
    };
    let parts = NodeParts { registry: Registry::standard(), access: access.as_ref().map(AccessLog::sender) };
    let node = match Node::start(config.clone(), parts) {
        Ok(node) => node,
        Err(error @ NodeError::Host(_)) => return fail(EXIT_HOST, &error.to_string()),
        Err(error) => return fail(1, &error.to_string()),
    };
    let pages = Arc::new(OpsPages::new(&node, labels));
    let ops = match serve_ops(&config, &pages) {
        Ok(ops) => ops,
        Err(message) => return fail(1, &message),
    };
    started(&Serving { doors: node.doors().to_vec(), ops_addr: ops.addr() });
    let watchdog = Watchdog::start(pages);
    signals.wait(|| {
        node.reload();
        if let Some(access) = &access {
            access.reopen();
        }
    });
    signals.then_hurry(node.control());
    drop(watchdog);
    let drained = node.drain();
    ops.stop();
    drop(access);
    match drained {
        Drained::Whole => ExitCode::SUCCESS,
        Drained::CutOff { shards } => {
            fail(1, &format!("{shards} shards were still busy at the end of server.drain_timeout"))
        }
    }
}

fn serve_ops(config: &Config, pages: &Arc<OpsPages>) -> Result<OpsServer, String> {
    let addr = config.ops.listen;
    serve_pages(addr, Reach::Loopback, pages.clone())
        .map_err(|error| format!("ops.listen = {addr}: {error}; choose a free loopback port"))
}
