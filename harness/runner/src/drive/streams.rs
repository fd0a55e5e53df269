//! Streams: probes in the background, one after every period, each of which is accounted for at the end.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lab::topology::Flow;
use tokio::{
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval},
};
use wire::{
    audit::{Expected, ProbeSent},
    probe::Probe,
};

use super::Failure;
use crate::judge::history::STOPPED;

/// How long a packet may be on its way, and how often it is looked for.
const ON_ITS_WAY: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(20);

/// Every stream of a cell, those that are over too.
#[derive(Default)]
pub(super) struct Streams(Vec<Stream>);

struct Stream {
    exchange: u32,
    /// The VPC and the customer.
    connection: (String, String),
    flows: Arc<Vec<Flow>>,
    sent: Arc<Mutex<Sent>>,
    sender: JoinHandle<()>,
    over: bool,
}

/// When one was sent along each flow, in nanoseconds since 1970.
#[derive(Default)]
struct Sent {
    times_ns: Vec<u64>,
    failed: Option<String>,
}

impl Streams {
    pub fn begin(&mut self, exchange: u32, connection: (String, String), every: Duration, flows: Vec<Flow>) {
        let (flows, sent) = (Arc::new(flows), Arc::<Mutex<Sent>>::default());
        let sender = tokio::spawn(send(exchange, every, Arc::clone(&flows), Arc::clone(&sent)));
        self.0.push(Stream { exchange, connection, flows, sent, sender, over: false });
    }

    /// Ends those between a VPC and a customer; without any, all.
    pub fn end(&mut self, connection: Option<(&str, &str)>) {
        for stream in &mut self.0 {
            let (vpc, customer) = &stream.connection;
            if connection.is_none_or(|ends| ends == (vpc, customer)) {
                stream.sender.abort();
                stream.over = true;
            }
        }
    }

    /// Waits until what was sent last has arrived, as far as it does.
    pub async fn settle(&self) {
        let deadline = Instant::now() + ON_ITS_WAY;
        while Instant::now() < deadline && !self.0.iter().all(Stream::is_settled) {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Whether packets arrive along every flow of every stream, or along none.
    pub fn are(&self, flowing: bool) -> Result<bool, Failure> {
        let mut open = self.0.iter().filter(|stream| !stream.over).peekable();
        if open.peek().is_none() {
            return Err(Failure::Broken("there is no stream of packets at this step".into()));
        }
        let mut all = true;
        for stream in open {
            all &= stream.is(flowing)?;
        }
        Ok(all)
    }

    /// Every packet that was sent, in the order of its stream.
    pub fn sent(&self) -> impl Iterator<Item = ProbeSent> {
        self.0.iter().flat_map(|stream| {
            let times = stream.sent().times_ns.clone();
            (1..).zip(times).flat_map(move |(sequence, time_ns)| {
                stream.flows.iter().map(move |flow| {
                    let Probe { exchange, source, destination, .. } = stream.probe(flow, sequence);
                    let (expected, asked_ns) = (Expected::Counted, Some(time_ns));
                    ProbeSent { exchange, source, destination, sequence, expected, asked_ns }
                })
            })
        })
    }
}

impl Stream {
    fn sent(&self) -> std::sync::MutexGuard<'_, Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn probe(&self, Flow { from, to }: &Flow, sequence: u32) -> Probe {
        Probe { exchange: self.exchange, source: from.address(), destination: to.address(), sequence }
    }

    fn is_settled(&self) -> bool {
        let last = self.sent().times_ns.len() as u32;
        last == 0 || self.flows.iter().all(|flow| flow.to.has_received(&self.probe(flow, last)))
    }

    /// Flowing is a flow of whose last packets one arrived; stopped, one of whose last packets none did.
    fn is(&self, flowing: bool) -> Result<bool, Failure> {
        let sent = self.sent();
        if let Some(reason) = &sent.failed {
            return Err(Failure::Broken(reason.clone()));
        }
        let last = sent.times_ns.len() as u32;
        if last < STOPPED {
            return Ok(false);
        }
        let arrived = |flow: &Flow| (last - STOPPED + 1..=last).any(|n| flow.to.has_received(&self.probe(flow, n)));
        Ok(self.flows.iter().all(|flow| arrived(flow) == flowing))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.sender.abort();
    }
}

async fn send(exchange: u32, every: Duration, flows: Arc<Vec<Flow>>, sent: Arc<Mutex<Sent>>) {
    let mut ticks = interval(every);
    // In time that does not wait a late tick must not be made up for by a burst.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for sequence in 1.. {
        ticks.tick().await;
        // Counted first: what was sent and is not accounted for would be a stranger in the capture.
        sent.lock().unwrap_or_else(PoisonError::into_inner).times_ns.push(now_ns());
        for Flow { from, to } in &*flows {
            let probe = Probe { exchange, source: from.address(), destination: to.address(), sequence };
            if let Err(e) = from.send(&probe).await {
                sent.lock().unwrap_or_else(PoisonError::into_inner).failed = Some(e.to_string());
                return;
            }
        }
    }
}

/// Of the clock that captures use.
fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
