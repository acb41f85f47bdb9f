//! The access log: one JSON line a request, formatted and written by a thread of its own.
//! Never here: a shard that waits. A full queue drops the record and the shard counts it; a full disk drops lines and says so.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
    reopen: Arc<AtomicBool>,
}

/// Where the lines go.
struct Out {
    target: Target,
    file: Box<dyn Write + Send>,
    reopen: Arc<AtomicBool>,
}

impl AccessLog {
    /// Starts the writer; `None` when the log is off. `labels`: the name of each route.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn start(target: &Target, labels: Vec<String>) -> io::Result<Option<Self>> {
        if *target == Target::Off {
            return Ok(None);
        }
        let reopen = Arc::new(AtomicBool::new(false));
        let out = Out { file: open(target)?, target: target.clone(), reopen: reopen.clone() };
        let (records, queue) = bounded(ACCESS_RECORDS_MAX);
        let writer =
            std::thread::Builder::new().name("access-log".into()).spawn(move || write_all(&queue, &labels, out))?;
        Ok(Some(Self { records: Some(records), writer: Some(writer), reopen }))
    }

    /// Opens the file anew before the next line: the old one has been moved away.
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::Release);
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

impl Out {
    /// Writes a batch of whole lines, into the file that has the name now.
    fn write(&mut self, batch: &[u8]) -> io::Result<()> {
        if self.reopen.swap(false, Ordering::AcqRel) {
            match open(&self.target) {
                Ok(file) => self.file = file,
                Err(error) => tracing::error!(%error, "the access log cannot be opened again, the old file is used"),
            }
        }
        self.file.write_all(batch).and_then(|()| self.file.flush())
    }
}

fn open(target: &Target) -> io::Result<Box<dyn Write + Send>> {
    Ok(match target {
        Target::Off => Box::new(io::sink()),
        Target::Stdout => Box::new(io::stdout()),
        Target::File(path) => Box::new(OpenOptions::new().create(true).append(true).open(path)?),
    })
}

fn write_all(queue: &Receiver<AccessRecord>, labels: &[String], mut out: Out) {
    let mut batch = Vec::with_capacity(2 * BATCH_BYTES);
    let mut failing = false;
    while let Ok(first) = queue.recv() {
        first.write_json(labels, &mut batch);
        while batch.len() < BATCH_BYTES
            && let Ok(next) = queue.try_recv()
        {
            next.write_json(labels, &mut batch);
        }
        let written = out.write(&batch);
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

    /// What logrotate does: it moves the file away, says so, and takes the old one once it is no longer written.
    #[test]
    fn a_log_that_was_moved_away_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
        let log = AccessLog::start(&Target::File(path.clone()), Vec::new()).unwrap().unwrap();
        let lines = |path: &std::path::Path| std::fs::read_to_string(path).unwrap_or_default().lines().count();
        let sender = log.sender();
        sender.send(record(1)).unwrap();
        while lines(&path) == 0 {
            std::thread::yield_now();
        }
        std::fs::rename(&path, &moved).unwrap();
        log.reopen();
        sender.send(record(2)).unwrap();
        drop(sender);
        drop(log);
        assert_eq!((lines(&moved), lines(&path)), (1, 1));
    }

    #[test]
    fn a_log_that_is_off_has_no_thread_and_one_that_cannot_open_says_so() {
        assert!(AccessLog::start(&Target::Off, Vec::new()).unwrap().is_none());
        assert!(AccessLog::start(&Target::File("/no/such/folder/log".into()), Vec::new()).is_err());
    }
}
