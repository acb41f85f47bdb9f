//! The generator's loop: one thread, one epoll, many keep-alive connections, in a closed or an open loop.
//! Never here: what a request says. That is the workload's.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use super::conn::{Conn, Flight};
use super::report::{Failure, Report, Tally};
use super::response::{Answered, Connection};
use super::schedule::Schedule;
use super::wire::Way;
use super::workload::Workload;
use crate::sys;
use crate::sys::epoll::{Epoll, Interest, Ready};

/// One recv takes an answer of any usual size whole.
const RECV_BYTES: usize = 64 * 1024;
/// How often requests are looked at for their timeout, and the longest wait when nothing happens.
const SWEEP_EVERY: Duration = Duration::from_millis(100);

pub struct Plan {
    pub way: Way,
    pub connections: usize,
    pub stop: Stop,
    pub pace: Pace,
    /// A request without an answer for so long has failed, and its connection is replaced.
    pub timeout: Duration,
}

/// When no further request is sent. Those in flight are waited for.
#[derive(Clone, Copy)]
pub enum Stop {
    After(Duration),
    Requests(u64),
}

#[derive(Clone, Copy)]
pub enum Pace {
    /// Each connection asks again as soon as it has its answer.
    Closed,
    /// Requests are due at fixed times, whatever happened to earlier ones.
    Open(Schedule),
}

/// Connects, drives the server to the end of the plan, and counts. Fails when a connection cannot be opened at the start.
pub fn run(plan: &Plan, workload: &mut impl Workload) -> io::Result<Report> {
    sys::process::lift_file_limit()?;
    sys::process::exact_timers()?;
    let mut engine = Engine::connect(plan, workload)?;
    engine.drive()?;
    Ok(engine.tally.report(engine.started.elapsed(), engine.unsent()))
}

struct Engine<'a, W> {
    plan: &'a Plan,
    workload: &'a mut W,
    epoll: Epoll,
    /// `None`: lost, and could not be opened again.
    conns: Vec<Option<Conn>>,
    idle: VecDeque<usize>,
    in_flight: usize,
    tally: Tally,
    started: Instant,
    request: Vec<u8>,
    buf: Vec<u8>,
}

impl<'a, W: Workload> Engine<'a, W> {
    fn connect(plan: &'a Plan, workload: &'a mut W) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        let mut conns = Vec::with_capacity(plan.connections);
        for slot in 0..plan.connections {
            let conn = Conn::open(&plan.way).map_err(|error| {
                io::Error::new(error.kind(), format!("cannot open connection {slot} to {}: {error}", plan.way.addr))
            })?;
            epoll.add(conn.wire.stream(), slot as u64, Interest::ReadWrite)?;
            conns.push(Some(conn));
        }
        Ok(Self {
            plan,
            workload,
            epoll,
            conns,
            idle: (0..plan.connections).collect(),
            in_flight: 0,
            tally: Tally::new(),
            started: Instant::now(),
            request: Vec::new(),
            buf: vec![0; RECV_BYTES],
        })
    }

    fn drive(&mut self) -> io::Result<()> {
        let mut ready = Vec::new();
        let mut swept = self.started;
        self.dispatch();
        while self.in_flight > 0 || self.more_to_send() {
            self.epoll.wait(Some(self.wait()), &mut ready)?;
            for event in ready.drain(..) {
                self.ready(event);
                self.dispatch();
            }
            self.dispatch();
            if swept.elapsed() >= SWEEP_EVERY {
                self.time_out();
                swept = Instant::now();
            }
        }
        Ok(())
    }

    /// Sends what is due on idle connections.
    fn dispatch(&mut self) {
        while let Some(&slot) = self.idle.front() {
            let now = Instant::now();
            let Some(due) = self.next_due(now) else { return };
            self.idle.pop_front();
            self.send(slot, Flight { due, sent: now });
        }
    }

    /// Due time of the next request when it is not after `now` and before the end of the plan.
    fn next_due(&self, now: Instant) -> Option<Instant> {
        let due = match self.plan.pace {
            Pace::Closed => now,
            Pace::Open(schedule) => self.started + schedule.due(self.tally.requests),
        };
        let before_end = match self.plan.stop {
            Stop::After(duration) => now.max(due) < self.started + duration,
            Stop::Requests(count) => self.tally.requests < count,
        };
        (before_end && due <= now).then_some(due)
    }

    fn send(&mut self, slot: usize, flight: Flight) {
        let Some(conn) = &mut self.conns[slot] else { return };
        self.request.clear();
        self.workload.request(slot, &mut self.request);
        conn.flight = Some(flight);
        self.tally.requests += 1;
        self.in_flight += 1;
        if let Err(failure) = conn.send(&self.request) {
            self.lost(slot, failure);
        }
    }

    fn ready(&mut self, event: Ready) {
        let slot = event.key as usize;
        let Some(conn) = &mut self.conns[slot] else { return };
        let outcome = conn
            .flush()
            .and_then(|()| conn.receive(event.peer, &mut self.buf, |bytes| self.workload.body(slot, bytes)));
        match outcome {
            Ok(Some(answered)) => self.answered(slot, answered),
            Ok(None) => {}
            Err(failure) => self.lost(slot, failure),
        }
    }

    fn answered(&mut self, slot: usize, answered: Answered) {
        let flight = self.conns[slot].as_mut().and_then(|conn| conn.flight.take());
        let flight = flight.expect("an answer is only taken on a connection that waits for one");
        self.in_flight -= 1;
        self.tally.answered(answered, flight.due.elapsed());
        self.workload.answered(slot, answered.status);
        self.idle.push_back(slot);
        if answered.connection == Connection::Close {
            self.reopen(slot);
        }
    }

    fn lost(&mut self, slot: usize, failure: Failure) {
        self.tally.failed(failure);
        if self.conns[slot].as_mut().is_some_and(|conn| conn.flight.take().is_some()) {
            self.in_flight -= 1;
            self.idle.push_back(slot);
        }
        self.reopen(slot);
    }

    fn reopen(&mut self, slot: usize) {
        // Closed before the new one opens, so that the number of open files stays the same.
        self.conns[slot] = None;
        match Conn::open(&self.plan.way) {
            Ok(conn) if self.epoll.add(conn.wire.stream(), slot as u64, Interest::ReadWrite).is_ok() => {
                self.conns[slot] = Some(conn)
            }
            _ => self.tally.failed(Failure::Connect),
        }
    }

    fn more_to_send(&self) -> bool {
        let before_end = match self.plan.stop {
            Stop::After(duration) => self.started.elapsed() < duration,
            Stop::Requests(count) => self.tally.requests < count,
        };
        before_end && self.conns.iter().any(Option::is_some)
    }

    /// How long nothing can be due.
    fn wait(&self) -> Duration {
        match self.plan.pace {
            Pace::Open(schedule) if !self.idle.is_empty() => {
                let due = schedule.due(self.tally.requests);
                due.saturating_sub(self.started.elapsed()).min(SWEEP_EVERY)
            }
            _ => SWEEP_EVERY,
        }
    }

    fn time_out(&mut self) {
        let late = |conn: &Option<Conn>| {
            let flight = conn.as_ref().and_then(|conn| conn.flight);
            flight.is_some_and(|flight| flight.sent.elapsed() >= self.plan.timeout)
        };
        let slots: Vec<usize> = (0..self.conns.len()).filter(|&slot| late(&self.conns[slot])).collect();
        for slot in slots {
            self.lost(slot, Failure::Timeout);
        }
    }

    fn unsent(&self) -> u64 {
        match (self.plan.pace, self.plan.stop) {
            (Pace::Open(schedule), Stop::After(duration)) => {
                schedule.due_before(duration).saturating_sub(self.tally.requests)
            }
            _ => 0,
        }
    }
}
