//! What guests sent each other: a row for each exchange, and beneath it every flow.

use std::collections::BTreeMap;

use serde::Serialize;
use wire::audit::Account;

use super::account::Part;
use crate::{
    format,
    traffic::{Flow, flows},
};

#[derive(Serialize)]
pub struct Traffic {
    exchanges: Vec<Exchange>,
    flows: Vec<Row>,
    count: String,
    /// Whether packets are missing that were meant to arrive: then the flows are unfolded.
    short: bool,
}

impl Traffic {
    pub fn new(account: &Account) -> Self {
        let flows = flows(account);
        let mut exchanges: BTreeMap<u32, Vec<&Flow>> = BTreeMap::new();
        for flow in &flows {
            exchanges.entry(flow.account.exchange).or_default().push(flow);
        }
        Self {
            exchanges: exchanges.into_iter().map(|(number, flows)| Exchange::new(number, &flows)).collect(),
            count: format::plural(flows.len(), "flow"),
            short: flows.iter().any(|flow| flow.meant && flow.account.received != flow.account.sent),
            flows: flows.iter().map(Row::new).collect(),
        }
    }
}

#[derive(Serialize)]
struct Exchange {
    number: u32,
    flows: String,
    sent: String,
    protected: Part,
    received: Part,
    meant: bool,
}

impl Exchange {
    fn new(number: u32, flows: &[&Flow]) -> Self {
        let sum = |of: fn(&Flow) -> u64| flows.iter().map(|flow| of(flow)).fold(0, u64::saturating_add);
        let meant = flows.iter().any(|flow| flow.meant);
        let sent = sum(|flow| flow.account.sent);
        Self {
            number,
            flows: format::plural(flows.len(), "flow"),
            sent: format::count(sent),
            protected: part(sum(|flow| flow.account.protected), sent, meant),
            received: part(sum(|flow| flow.account.received), sent, meant),
            meant,
        }
    }
}

#[derive(Serialize)]
struct Row {
    exchange: u32,
    source: String,
    destination: String,
    sent: String,
    protected: Part,
    received: Part,
}

impl Row {
    fn new(flow: &Flow) -> Self {
        let Flow { account, meant } = *flow;
        Self {
            exchange: account.exchange,
            source: account.source.to_string(),
            destination: account.destination.to_string(),
            sent: format::count(account.sent),
            protected: part(account.protected, account.sent, meant),
            received: part(account.received, account.sent, meant),
        }
    }
}

/// Of what was not meant to arrive nothing is missing.
fn part(count: u64, sent: u64, meant: bool) -> Part {
    Part::new(count, if meant { sent } else { count })
}
