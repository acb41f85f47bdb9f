//! A saturated shard still hears its other threads and its timers promptly. Alone in its program, so that nothing but the
//! load that it makes itself is on the shard.
//! Never here: any other timed assertion; this one is the requirement.

mod support;

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use support::client::{Client, get};
use support::node::TestNode;
use support::until;

const SAMPLES: usize = 100;
const PROMPT: Duration = Duration::from_millis(2);

/// Keeps a shard busy without pause until `stop`.
fn saturate(client: &Client, stop: &Arc<AtomicBool>) -> [std::thread::JoinHandle<()>; 2] {
    let (mut writer, mut reader) = (client.second_handle(), client.second_handle());
    let batch = get("/ping").repeat(256);
    let (stop_writing, stop_reading) = (stop.clone(), stop.clone());
    let write = move || while !stop_writing.load(Ordering::Relaxed) && writer.write_all(batch.as_bytes()).is_ok() {};
    let read = move || {
        let mut bytes = vec![0; 1 << 20];
        while !stop_reading.load(Ordering::Relaxed) && reader.read(&mut bytes).is_ok_and(|read| read > 0) {}
    };
    [std::thread::spawn(write), std::thread::spawn(read)]
}

#[track_caller]
fn check(path: &str) {
    let node = TestNode::start(&[]);
    let load = node.connect();
    let stop = Arc::new(AtomicBool::new(false));
    let threads = saturate(&load, &stop);
    let answered = || node.sum(|ledger| ledger.requests_begun());
    until("the load is on", || answered() > 1000);
    let mut client = node.connect();
    let before = answered();
    for _ in 0..SAMPLES {
        assert_eq!(client.ask(get(path)).status, 200);
    }
    let meanwhile = answered() - before;
    stop.store(true, Ordering::Relaxed);
    load.second_handle().shutdown(std::net::Shutdown::Both).expect("it is connected");
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    let mut samples = node.samples.take();
    samples.sort_unstable();
    println!("{path}: median {:?}, 90 % {:?}", samples[SAMPLES / 2], samples[SAMPLES * 9 / 10]);
    assert!(meanwhile > 10 * SAMPLES as u64, "{meanwhile} requests are no load");
    assert_eq!(samples.len(), SAMPLES);
    assert!(samples[SAMPLES / 2] <= PROMPT, "{path}: median {:?}", samples[SAMPLES / 2]);
}

/// One test, so that the two do not share the cores.
#[test]
fn wakes_and_timers_are_prompt_on_a_saturated_shard() {
    check("/foreign");
    check("/timer");
}
