//! Exchanges between the parties of a scenario.

use std::{sync::Arc, time::Duration};

use lab::{
    station::Station,
    topology::{Flow, Lab},
};
use scenario::{Cell, Party};
use wire::audit::{Expected, ProbeSent};

use super::{Failure, streams::Streams};

/// How long probes may take, renegotiation after a lost SA included.
const LIMIT: Duration = Duration::from_secs(60);
/// How many probes each way are to be kept from going out in clear.
const FORBIDDEN: u32 = 5;

/// All probes of a cell.
#[derive(Default)]
pub(super) struct Traffic {
    exchanges: u32,
    sent: Vec<ProbeSent>,
    pub streams: Streams,
}

impl Traffic {
    pub fn sent(&self) -> Vec<ProbeSent> {
        self.sent.iter().copied().chain(self.streams.sent()).collect()
    }

    /// Begins packets both ways between the parties, one each after every period.
    pub fn stream(&mut self, lab: &Lab, cell: &Cell, between: &[Party; 2], every: Duration) -> Result<String, Failure> {
        let flows = flows(&[[stations(lab, cell, &between[0])?, stations(lab, cell, &between[1])?]]);
        let [mut vpc, mut customer] = between.each_ref().map(Party::owner);
        if !between[0].is_of_a_vpc() {
            (vpc, customer) = (customer, vpc);
        }
        self.exchanges += 1;
        let told = format!("begun in {} flows, as exchange {}", flows.len(), self.exchanges);
        self.streams.begin(self.exchanges, (vpc.to_owned(), customer.to_owned()), every, flows);
        Ok(told)
    }

    /// Both ways between every station of the one party and every station of the other; all must arrive.
    pub async fn between(
        &mut self,
        lab: &Lab,
        cell: &Cell,
        [one, other]: &[Party; 2],
        packets: u32,
    ) -> Result<String, Failure> {
        let (one, other) = (stations(lab, cell, one)?, stations(lab, cell, other)?);
        self.exchange(lab, &[[one, other]], packets, Expected::Delivered).await
    }

    /// Both ways between every tier of every VPC and every subnet of every customer.
    pub async fn everywhere(&mut self, lab: &Lab, cell: &Cell, expected: Expected) -> Result<String, Failure> {
        let mut groups = Vec::new();
        for vpc in cell.cloud.vpcs.keys() {
            for customer in cell.customers.keys() {
                groups.push([lab.stations_of(vpc), lab.stations_of(customer)]);
            }
        }
        self.exchange(lab, &groups, FORBIDDEN, expected).await
    }

    async fn exchange(
        &mut self,
        lab: &Lab,
        groups: &[[Vec<Arc<Station>>; 2]],
        packets: u32,
        expected: Expected,
    ) -> Result<String, Failure> {
        let flows = flows(groups);
        self.exchanges += 1;
        let exchange = lab.exchange(self.exchanges, &flows, packets, expected, LIMIT).await?;
        let sent = exchange.sent.len();
        self.sent.extend(exchange.sent);
        if let Some(first) = exchange.missing.first() {
            let missing = exchange.missing.len();
            return Err(Failure::Refuted(format!("{missing} of {sent} packets did not arrive, the first is {first}")));
        }
        Ok(match expected {
            Expected::Delivered => format!("{sent} packets in {} flows arrived", flows.len()),
            Expected::NotInClear | Expected::Counted => format!("{sent} packets in {} flows were sent", flows.len()),
        })
    }
}

/// Both ways between every station of the one and every station of the other.
fn flows(groups: &[[Vec<Arc<Station>>; 2]]) -> Vec<Flow> {
    let mut flows = Vec::new();
    for [one, other] in groups {
        for a in one {
            for b in other {
                flows.push(Flow { from: Arc::clone(a), to: Arc::clone(b) });
                flows.push(Flow { from: Arc::clone(b), to: Arc::clone(a) });
            }
        }
    }
    flows
}

fn stations(lab: &Lab, cell: &Cell, party: &Party) -> Result<Vec<Arc<Station>>, Failure> {
    match party {
        Party::Vpc(name) | Party::Customer(name) => Ok(lab.stations_of(name)),
        Party::Tier { vpc, tier } => Ok(vec![lab.station(&format!("{vpc}.{tier}"))?]),
        Party::Subnet { customer, net } => {
            let subnets = cell.customers.get(customer).map(|customer| customer.subnets.as_slice()).unwrap_or_default();
            let number = subnets.iter().position(|subnet| subnet == net).unwrap_or_default();
            Ok(vec![lab.station(&format!("{customer}.{number}"))?])
        }
    }
}
