//! The access log: one JSON line a request, formatted and written by a thread of its own.
//! Never here: a shard that waits. A full queue drops the record and the shard counts it; a full disk drops lines and says so.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::thread::JoinHandle;

use crossbeam::channel::{Receiver, Sender, bounded};

use crate::core::bounds::ACCESS_RECORDS_MAX;
use crate::core::config::checked::AccessLog as Target;
use crate::core::ledger::access::AccessRecord;

/// Lines are written together up to so many bytes, or when the queue is empty.
const BATCH_BYTES: usize = 64 * 1024;

pub struct AccessLog {
    records: Option<Sender<AccessRecord>>,
    writer: Option<JoinHandle<()>>,
}

impl AccessLog {
    /// Starts the writer; `None` when the log is off. `labels`: the name of each route.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn start(target: &Target, labels: Vec<String>) -> io::Result<Option<Self>> {
        let out: Box<dyn Write + Send> = match target {
            Target::Off => return Ok(None),
            Target::Stdout => Box::new(io::stdout()),
            Target::File(path) => Box::new(OpenOptions::new().create(true).append(true).open(path)?),
        };
        let (records, queue) = bounded(ACCESS_RECORDS_MAX);
        let writer =
            std::thread::Builder::new().name("access-log".into()).spawn(move || write_all(&queue, &labels, out))?;
        Ok(Some(Self { records: Some(records), writer: Some(writer) }))
    }

    /// For each shard.
    ///
    /// # Panics
    /// Never: the sender is there until the log is dropped.
    #[must_use]
    pub fn sender(&self) -> Sender<AccessRecord> {
        self.records.clone().expect("taken only by drop")
    }
}

/// Writes what was accepted, then ends. The shards must have ended before.
impl Drop for AccessLog {
    fn drop(&mut self) {
        self.records = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn write_all(queue: &Receiver<AccessRecord>, labels: &[String], mut out: impl Write) {
    let mut batch = Vec::with_capacity(2 * BATCH_BYTES);
    let mut failing = false;
    while let Ok(first) = queue.recv() {
        first.write_json(labels, &mut batch);
        while batch.len() < BATCH_BYTES
            && let Ok(next) = queue.try_recv()
        {
            next.write_json(labels, &mut batch);
        }
        let written = out.write_all(&batch).and_then(|()| out.flush());
        match &written {
            Err(error) if !failing => tracing::error!(%error, "the access log cannot be written, lines are lost"),
            Ok(()) if failing => tracing::warn!("the access log can be written again"),
            _ => {}
        }
        failing = written.is_err();
        batch.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::{RequestId, ShardId};
    use crate::core::time::UnixSeconds;
    use std::time::Duration;

    fn record(number: u64) -> AccessRecord {
        AccessRecord {
            unix: UnixSeconds(1),
            micros: 0,
            request_id: RequestId::from_number(number),
            route: None,
            method: None,
            status: 400,
            fault_code: Some(40000),
            bytes_in: 1,
            bytes_out: 2,
            duration: Duration::from_micros(3),
            shard: ShardId(0),
            openid_hash: None,
            remote: "127.0.0.1".parse().unwrap(),
        }
    }

    #[test]
    fn everything_accepted_is_written_before_the_log_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let log = AccessLog::start(&Target::File(path.clone()), Vec::new()).unwrap().unwrap();
        let sender = log.sender();
        for number in 0..1000 {
            sender.send(record(number)).unwrap();
        }
        drop(sender);
        drop(log);
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(text.lines().count(), 1000);
        for (number, line) in text.lines().enumerate() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["request_id"], RequestId::from_number(number as u64).as_str());
        }
    }

    #[test]
    fn a_log_that_is_off_has_no_thread_and_one_that_cannot_open_says_so() {
        assert!(AccessLog::start(&Target::Off, Vec::new()).unwrap().is_none());
        assert!(AccessLog::start(&Target::File("/no/such/folder/log".into()), Vec::new()).is_err());
    }
}
