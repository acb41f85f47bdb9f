//! Actions that only tests need: they panic, wait for the test, answer in pieces, fill a lane, measure.
//! Never here: an action that a configuration of a real node could name.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::FutureExt;
use futures_util::stream::{self, StreamExt};
use tidegate::actions::admit::Place;
use tidegate::actions::call::Call;
use tidegate::actions::desk::Desk;
use tidegate::actions::{Action, Home, Outcome, Registry};
use tidegate::backends::database::{DatabaseAsk, ReadAsk};
use tidegate::core::admission::Resource;
use tidegate::core::config::checked::{Query, Value};
use tidegate::core::fault::{Backend, Fault};
use tidegate::core::ids::ShardId;
use tidegate::proto::reply::{Body, Chunks, Reply};

use super::stopwatch::{Stopwatch, Thread};
use super::until;

/// More than the sockets of a connection hold.
pub const LARGE_BYTES: usize = 16 << 20;
/// As `tests/support/node.toml` says of `/huge`.
pub const HUGE_BYTES: usize = 64 << 20;
pub const PIECE: &[u8] = b"0123456789abcdef";
/// How long the timer of `/timer` runs.
pub const TIMER: Duration = Duration::from_millis(3);

/// Requests that wait until the test lets them go.
#[derive(Clone, Default)]
pub struct Gate(Arc<Mutex<Waiters>>);

#[derive(Default)]
struct Waiters {
    open: bool,
    waiting: Vec<oneshot::Sender<()>>,
}

/// What the measuring actions noted.
#[derive(Clone, Default)]
pub struct Samples(Arc<Mutex<Vec<Duration>>>);

impl Gate {
    /// Waits until so many requests wait here.
    pub fn until_waiting(&self, count: usize) {
        until(&format!("{count} requests wait"), || self.waiting() == count);
    }

    pub fn waiting(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).waiting.iter().filter(|one| !one.is_canceled()).count()
    }

    /// Lets everyone go who waits, and everyone who comes from now on.
    pub fn open(&self) {
        let mut waiters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiters.open = true;
        waiters.waiting.drain(..).for_each(|one| {
            let _ = one.send(());
        });
    }

    fn enter(&self) -> oneshot::Receiver<()> {
        let (go, wait) = oneshot::channel();
        let mut waiters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiters.open {
            let _ = go.send(());
        } else {
            waiters.waiting.push(go);
        }
        wait
    }
}

impl Samples {
    pub fn note(&self, sample: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
    }

    pub fn take(&self) -> Vec<Duration> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The bodies that reached an action.
#[derive(Clone, Default)]
pub struct Recorded(Arc<Mutex<Vec<Vec<u8>>>>);

impl Recorded {
    pub fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The standard actions and the tests' own.
pub fn registry(gate: &Gate, samples: &Samples, recorded: &Recorded) -> Registry {
    let recorded = recorded.clone();
    let (waits, streams) = (gate.clone(), gate.clone());
    let (crowd, hold) = (gate.clone(), gate.clone());
    let (foreign, timer) = (samples.clone(), samples.clone());
    Registry::standard()
        .with("echo", |_, _| Ok(Box::new(Echo)))
        .with("record", move |_, _| Ok(Box::new(Record(recorded.clone()))))
        .with("whoami", |_, _| Ok(Box::new(WhoAmI)))
        .with("large", |value, _| Ok(Box::new(Large(bytes(value)))))
        .with("wait", move |value, _| {
            let home = if value.is_str() { Home::Owner } else { Home::Anywhere };
            Ok(Box::new(Wait(waits.clone(), home)))
        })
        .with("abandon", |_, _| Ok(Box::new(Abandon)))
        .with("stream", move |value, _| Ok(Box::new(Pieces { kind: text(value)?, gate: streams.clone() })))
        .with("panic", |value, _| Ok(Box::new(Panics(text(value)?))))
        .with("foreign", move |_, _| Ok(Box::new(Foreign(foreign.clone()))))
        .with("timer", move |_, _| Ok(Box::new(Timer(timer.clone()))))
        .with("hold", move |_, _| Ok(Box::new(Hold(hold.clone()))))
        .with("spin", |_, _| Ok(Box::new(Spin)))
        .with("crowd", move |_, _| Ok(Box::new(Crowd(crowd.clone()))))
        .with("flood", |value, config| {
            let query = config.queries.get(&text(value)?).ok_or("must be a query")?;
            Ok(Box::new(Flood(query.clone())))
        })
}

fn text(value: &toml::Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| "must be a text".into())
}

/// As many bytes as it says, else `LARGE_BYTES`.
fn bytes(value: &toml::Value) -> usize {
    value.as_integer().and_then(|bytes| bytes.try_into().ok()).unwrap_or(LARGE_BYTES)
}

fn json(text: String) -> Reply {
    Reply::json(Body::Owned(text.into_bytes()))
}

/// Answers the body as it came, or the query when there is none.
struct Echo;

impl Action for Echo {
    fn call(&self, _: &Rc<Desk>, call: Call<'_>) -> Result<Outcome, Fault> {
        let body = if call.request.body.is_empty() { call.request.query.as_bytes() } else { call.request.body };
        Ok(Outcome::Now(Reply::json(Body::Owned(body.to_vec()))))
    }
}

/// Keeps each body, and answers it as it came.
struct Record(Recorded);

impl Action for Record {
    fn call(&self, _: &Rc<Desk>, call: Call<'_>) -> Result<Outcome, Fault> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).push(call.request.body.to_vec());
        Ok(Outcome::Now(Reply::json(Body::Owned(call.request.body.to_vec()))))
    }
}

/// Tells where a request is served: `{"shard":…}`, on the shard of its user.
struct WhoAmI;

impl Action for WhoAmI {
    fn call(&self, desk: &Rc<Desk>, _: Call<'_>) -> Result<Outcome, Fault> {
        Ok(Outcome::Now(json(format!(r#"{{"shard":{}}}"#, desk.shard.0))))
    }

    fn home(&self) -> Home {
        Home::Owner
    }
}

/// Bytes in plenty, there at once.
struct Large(usize);

impl Action for Large {
    fn call(&self, _: &Rc<Desk>, _: Call<'_>) -> Result<Outcome, Fault> {
        Ok(Outcome::Now(Reply::json(Body::Owned(vec![b'x'; self.0]))))
    }
}

/// Waits as if for the database.
struct Wait(Gate, Home);

impl Action for Wait {
    fn call(&self, _: &Rc<Desk>, _: Call<'_>) -> Result<Outcome, Fault> {
        let gate = self.0.clone();
        Ok(Outcome::Later(
            Backend::Database,
            Box::pin(async move {
                let _ = gate.enter().await;
                Ok(json(r#"{"released":true}"#.into()))
            }),
        ))
    }

    fn home(&self) -> Home {
        self.1
    }
}

struct Pieces {
    kind: String,
    gate: Gate,
}

impl Action for Pieces {
    fn call(&self, _: &Rc<Desk>, _: Call<'_>) -> Result<Outcome, Fault> {
        let piece = || Ok(PIECE.to_vec());
        let pieces = match self.kind.as_str() {
            "three" => stream::iter([piece(), piece(), piece()]).boxed(),
            "large" => stream::repeat_with(|| Ok(vec![b'x'; 1 << 20])).take(LARGE_BYTES >> 20).boxed(),
            "endless" => stream::repeat_with(|| Ok(vec![b'x'; 24 << 10])).boxed(),
            "fault" => stream::iter([piece(), Err(Fault::Timeout(Backend::Database)), piece()]).boxed(),
            "panic" => {
                stream::iter(0..2).map(move |index| if index == 0 { piece() } else { panic!("told to") }).boxed()
            }
            _ => {
                let gate = self.gate.clone();
                let waits = stream::once(async move {
                    let _ = gate.enter().await;
                    Ok(PIECE.to_vec())
                });
                stream::iter([piece()]).chain(waits).boxed()
            }
        };
        Ok(Outcome::Now(Reply::json(Body::Stream(Chunks(pieces)))))
    }
}

struct Panics(String);

impl Action for Panics {
    fn call(&self, desk: &Rc<Desk>, _: Call<'_>) -> Result<Outcome, Fault> {
        if self.0 == "job" {
            return Ok(trap(desk));
        }
        if self.0 == "dropped" {
            let trap = PanicsOnDrop;
            let pending = async move {
                let _trap = trap;
                std::future::pending().await
            };
            return Ok(Outcome::Later(Backend::Owner, Box::pin(pending)));
        }
        if self.0 != "later" {
            panic!("told to");
        }
        Ok(Outcome::Later(
            Backend::Owner,
            Box::pin(async {
                let (go, wait) = oneshot::channel::<()>();
                std::thread::spawn(move || drop(go));
                let _ = wait.await;
                panic!("told to, after an await");
            }),
        ))
    }

    fn home(&self) -> Home {
        if self.0 == "owner" { Home::Owner } else { Home::Anywhere }
    }
}

/// Leaves a job that panics on the other of two shards, then asks that shard something.
fn trap(desk: &Rc<Desk>) -> Outcome {
    let desk = desk.clone();
    Outcome::Later(
        Backend::Owner,
        Box::pin(async move {
            let other = ShardId(1 - desk.shard.0);
            desk.peers.post(other, Box::new(|_| panic!("told to")))?;
            desk.ask(other, |_, reply| reply.send(()).unwrap_or_default()).await?;
            Ok(json("{}".into()))
        }),
    )
}

/// Asks the other of two shards twice while it is held up, and gives both questions up before it goes on.
struct Abandon;

impl Action for Abandon {
    fn call(&self, desk: &Rc<Desk>, _: Call<'_>) -> Result<Outcome, Fault> {
        let (desk, other) = (desk.clone(), ShardId(1 - desk.shard.0));
        let work = async move {
            let (go_on, held_up) = std::sync::mpsc::channel::<()>();
            desk.peers.post(other, Box::new(move |_| held_up.recv().unwrap_or_default()))?;
            let [asked, insisted] = [Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false))];
            let mark = |done: &Arc<AtomicBool>| {
                let done = done.clone();
                move |_: &Rc<Desk>, reply: oneshot::Sender<()>| {
                    done.store(true, Ordering::SeqCst);
                    let _ = reply.send(());
                }
            };
            assert!(desk.ask(other, mark(&asked)).now_or_never().is_none());
            assert!(desk.insist(other, mark(&insisted)).now_or_never().is_none());
            drop(go_on);
            desk.ask(other, |_, reply| reply.send(()).unwrap_or_default()).await?;
            let [asked, insisted] = [asked, insisted].map(|done| done.load(Ordering::SeqCst));
            Ok(json(format!(r#"{{"asked":{asked},"insisted":{insisted}}}"#)))
        };
        Ok(Outcome::Later(Backend::Owner, Box::pin(work)))
    }
}

struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("told to, when it was given up");
    }
}

/// Asks the database until its lane is full, and waits for none of the answers.
struct Flood(Arc<Query>);

impl Action for Flood {
    fn call(&self, desk: &Rc<Desk>, call: Call<'_>) -> Result<Outcome, Fault> {
        let steps: i64 = call.path.get("steps").and_then(|text| text.parse().ok()).unwrap_or_default();
        let lane = &desk.common.backends.database;
        let ask = || {
            lane.reads.ask(|reply| {
                DatabaseAsk::Read(ReadAsk {
                    query: self.0.clone(),
                    params: vec![Value::Integer(steps)],
                    page: None,
                    reply,
                })
            })
        };
        // The first is kept, or the thread would skip it.
        let first = ask()?;
        let mut asked = 1;
        let mut kept = Vec::new();
        let full = loop {
            match ask() {
                Ok(answer) => kept.push(answer),
                Err(fault) => break fault,
            }
            asked += 1;
        };
        assert_eq!(full, Fault::Busy(Backend::Database));
        drop(kept);
        desk.driver.spawn(async move { drop(first.await) });
        Ok(Outcome::Now(json(format!(r#"{{"asked":{asked}}}"#))))
    }
}

/// Waits at the gate in a place among those that wait for a query.
struct Hold(Gate);

impl Action for Hold {
    fn call(&self, desk: &Rc<Desk>, call: Call<'_>) -> Result<Outcome, Fault> {
        let (desk, gate, priority) = (desk.clone(), self.0.clone(), desk.priority(call.route));
        let work = async move {
            let place = Place::take(&desk, Resource::Reads, priority)?;
            let _ = gate.enter().await;
            place.give_back(Ok(json("{}".into())))
        };
        Ok(Outcome::Later(Backend::Database, Box::pin(work)))
    }
}

/// Keeps its shard from everything else for a while.
struct Spin;

impl Action for Spin {
    fn call(&self, _: &Rc<Desk>, _: Call<'_>) -> Result<Outcome, Fault> {
        let began = std::time::Instant::now();
        while began.elapsed() < TIMER {
            std::hint::spin_loop();
        }
        Ok(Outcome::Now(json("{}".into())))
    }
}

/// Begins tasks that wait for the test until the shard takes no more.
struct Crowd(Gate);

impl Action for Crowd {
    fn call(&self, desk: &Rc<Desk>, _: Call<'_>) -> Result<Outcome, Fault> {
        let mut tasks = 0;
        let begin = || {
            let gate = self.0.clone();
            desk.driver.spawn(async move {
                let _ = gate.enter().await;
            })
        };
        while begin() {
            tasks += 1;
        }
        Ok(Outcome::Now(json(format!(r#"{{"tasks":{tasks}}}"#))))
    }
}

/// Answered from another thread; notes how long the wake took.
struct Foreign(Samples);

impl Action for Foreign {
    fn call(&self, _: &Rc<Desk>, _: Call<'_>) -> Result<Outcome, Fault> {
        let samples = self.0.clone();
        Ok(Outcome::Later(
            Backend::Owner,
            Box::pin(async move {
                let (tell, told) = oneshot::channel();
                let shard = Thread::this();
                std::thread::spawn(move || tell.send(Stopwatch::start(&shard)));
                let stopwatch = told.await.map_err(|_| Fault::Internal)?;
                samples.note(stopwatch.stop());
                Ok(json("{}".into()))
            }),
        ))
    }
}

/// Waits for a timer of its shard; notes how late it came.
struct Timer(Samples);

impl Action for Timer {
    fn call(&self, desk: &Rc<Desk>, _: Call<'_>) -> Result<Outcome, Fault> {
        let (desk, samples) = (desk.clone(), self.0.clone());
        Ok(Outcome::Later(
            Backend::Owner,
            Box::pin(async move {
                let stopwatch = Stopwatch::start(&Thread::this());
                desk.driver.sleep(TIMER).await;
                samples.note(stopwatch.stop().saturating_sub(TIMER));
                Ok(json("{}".into()))
            }),
        ))
    }
}
