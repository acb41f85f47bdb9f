//! What SQLite costs on a real file, through its lanes and threads: a read of one row, the demo's write of a login alone and in
//! groups. Times are CPU time of the whole process, so that waiting for the disk is not in them.

use std::fs;
use std::future::Future;
use std::ops::Range;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_channel::oneshot::Receiver;
use tidegate::backends::database::{Database, DatabaseAsk, ReadAsk, WriteAsk, Written};
use tidegate::backends::sqlite::{Sqlite, run_script};
use tidegate::backends::threads::BackendThreads;
use tidegate::core::config::checked::{Config, Param, Value};
use tidegate::core::config::{Outside, load_with};
use tidegate::core::fault::Fault;

const DEMO: &str = include_str!("../src/demo/demo.toml");
const SHOP: &str = include_str!("../src/demo/shop.sql");
/// So many that a group of logins touches as many pages.
const USERS: u64 = 200_000;

fn config(url: &str) -> Config {
    let variable = |name: &str| match name {
        "DEMO_LISTEN" | "DEMO_OPS" => Some("127.0.0.1:0".to_owned()),
        "DEMO_WECHAT" => Some("http://127.0.0.1:9".to_owned()),
        "DEMO_DB" => Some(url.to_owned()),
        "DEMO_TOKEN_KEY" => Some("0123456789abcdef".repeat(4)),
        _ => None,
    };
    let file = |path: &Path| fs::read_to_string(path);
    // A login in the same second would change nothing, and SQLite does not write what is the same.
    let demo = DEMO.replace("SET last_login_at = unixepoch()", "SET last_login_at = last_login_at + 1");
    assert_ne!(demo, DEMO);
    load_with(&demo, &[], &Outside { variable: &variable, file: &file }).expect("the demo's configuration")
}

/// CPU time of all threads of this process. A thread that yields has its time booked up to now.
fn cpu() -> Duration {
    thread::yield_now();
    let tasks = fs::read_dir("/proc/self/task").expect("proc is mounted");
    let nanos = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

fn on_cpu(work: impl FnOnce()) -> Duration {
    let before = cpu();
    work();
    cpu().saturating_sub(before).max(Duration::from_nanos(1))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// What an ask is answered.
fn wait<R>(mut answer: Receiver<Result<R, Fault>>) -> R {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match Pin::new(&mut answer).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => return answer.expect("a thread").expect("an answer"),
            Poll::Pending => thread::park(),
        }
    }
}

/// Users as the simulator makes them: 28 characters, in no order.
fn openid(number: u64) -> Value {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Value::Text(format!("o{:011x}{mixed:016x}", mixed.rotate_left(21) >> 20))
}

fn read(config: &Config, database: &Database, id: i64) {
    let query = Arc::clone(&config.queries["product"]);
    let ask = |reply| DatabaseAsk::Read(ReadAsk { query, params: vec![Value::Integer(id)], page: None, reply });
    wait(database.reads.ask(ask).expect("room")).expect("a row");
}

fn log_in(config: &Config, database: &Database, user: u64) -> Receiver<Result<Written, Fault>> {
    let transaction = Arc::clone(&config.transactions["remember_user"]);
    let value = |param: &Param| match param.name.as_str() {
        "openid" => openid(user),
        _ => Value::Text("wx4f4bc4dec97d474b".to_owned()),
    };
    let params = transaction.params.iter().map(value).collect();
    let ask = |reply| DatabaseAsk::Write(WriteAsk { transaction, params, idempotency: None, reply });
    database.writes.ask(ask).expect("room")
}

/// Users from `first` on log in, all asked before the first answer is awaited.
fn log_in_together(config: &Config, database: &Database, users: Range<u64>) {
    let mut answers: Vec<_> = users.map(|user| log_in(config, database, user % USERS)).collect();
    // The last first: this thread sleeps once.
    while let Some(answer) = answers.pop() {
        wait(answer);
    }
}

fn database(bench: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("shop.db");
    run_script(&path, SHOP).expect("the demo's shop");
    let config = config(&format!("sqlite://{}", path.display()));
    let mut threads = BackendThreads::default();
    let database = Sqlite::open(&config).and_then(|sqlite| sqlite.start(&mut threads)).expect("a database");
    for start in (0..USERS).step_by(1_000) {
        log_in_together(&config, &database, start..start + 1_000);
    }
    bench.bench_function("sqlite/read one row of 1 KB", |b| {
        b.iter_custom(|count| on_cpu(|| (0..count).for_each(|id| read(&config, &database, 1 + id as i64 % 1_000))));
    });
    let mut user = 0;
    for waiting in [1, 16, 256] {
        let mut group = bench.benchmark_group("sqlite");
        group.throughput(Throughput::Elements(waiting)).sample_size(20);
        group.bench_function(format!("log in, {waiting} at once"), |b| {
            b.iter_custom(|count| {
                on_cpu(|| {
                    for _ in 0..count {
                        log_in_together(&config, &database, user..user + waiting);
                        user += waiting;
                    }
                })
            });
        });
    }
    drop(database);
    assert!(threads.join().is_empty());
}

criterion_group!(benches, database);
criterion_main!(benches);
