//! One cell without packets: the part of it that goes through the API.
//!
//! In the modelled world the simulator runs in this process, over routers that answer as is predicted, and by a
//! clock that does not wait. Against a foreign cloud there is the API alone.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc, time::Duration};

use cloud::{Modelled, ModelledCustomer};
use scenario::{Cell, Gateway, Party, Step};

use super::{
    Drive, Failure, FarSide, Notebook, Tell,
    api::{Api, Session},
    simulator::Simulator,
};
use crate::{limits::Limits, observation::Observation};

/// Networks for documentation (RFC 5737), as in a laboratory.
const ROUTERS: [u8; 3] = [198, 51, 100];
const CUSTOMERS: [u8; 3] = [203, 0, 113];

/// Runs the cell over routers that are only modelled. The runtime's clock should be paused.
pub(crate) async fn modelled(cell: &Cell, tell: Tell<'_>) -> Observation {
    let notebook = Notebook::open();
    let addresses: BTreeMap<_, _> = cell.customers.keys().cloned().zip(hosts(CUSTOMERS)).collect();
    let fabric = Arc::new(customers(cell, &addresses));
    let driven = match Simulator::serve(cell, hosts(ROUTERS).collect(), fabric, None, None).await {
        Ok(service) => {
            let mut session = Session::of_the_simulator(&service);
            session.client = session.client.holding_time();
            let driven = drive(cell, Customers { limits: Limits::Modelled, addresses }, session, &notebook, tell).await;
            service.stop().await;
            driven
        }
        Err(failure) => Err(failure),
    };
    close(notebook, driven)
}

/// Runs the cell against a cloud that others run too. Whatever happens, what it made there is deleted.
pub(crate) async fn foreign(
    cell: &Cell,
    limits: Limits,
    addresses: BTreeMap<String, Ipv4Addr>,
    session: Session,
    tell: Tell<'_>,
) -> Observation {
    let notebook = Notebook::open();
    let driven = drive(cell, Customers { limits, addresses }, session, &notebook, tell).await;
    close(notebook, driven)
}

async fn drive(
    cell: &Cell,
    customers: Customers,
    session: Session,
    notebook: &Notebook,
    tell: Tell<'_>,
) -> Result<(), Failure> {
    let api = Api::new(cell, session, notebook.clone());
    let mut drive = Drive::new(cell, customers, api, notebook, tell);
    let driven = drive.all().await;
    let undone = drive.undo().await;
    let Err(failure) = driven else { return undone };
    // What is left in a cloud that others use has to be told wherever the end of the cell is.
    let mut reason = failure.reason().to_owned();
    notebook.write(|pages| reason.extend(pages.steps.last().map(|undo| format!("; then {}", undo.outcome))));
    Err(Failure::Broken(reason))
}

fn close(notebook: Notebook, driven: Result<(), Failure>) -> Observation {
    if let Err(failure) = driven {
        notebook.write(|pages| pages.broken = Some(failure.reason().to_owned()));
    }
    notebook.close()
}

fn customers(cell: &Cell, addresses: &BTreeMap<String, Ipv4Addr>) -> Modelled {
    let each = addresses.iter().flat_map(|(customer, address)| {
        cell.cloud.vpcs.iter().filter_map(move |(name, vpc)| {
            let [_, end] = cell.ends(name, customer)?;
            let (router, initiator) = (Some(vpc.router), cell.initiator);
            Some(ModelledCustomer { address: *address, vpc: vpc.cidr, router, end, initiator })
        })
    });
    Modelled::with(each)
}

fn hosts(network: [u8; 3]) -> impl Iterator<Item = Ipv4Addr> {
    let [a, b, c] = network;
    (1..=254).map(move |host| Ipv4Addr::new(a, b, c, host))
}

/// Customers that have an address and nothing behind it that we could reach.
struct Customers {
    limits: Limits,
    addresses: BTreeMap<String, Ipv4Addr>,
}

impl FarSide for Customers {
    fn refusal(&self, step: &Step) -> Option<String> {
        self.limits.refusal(step)
    }

    fn answers(&self) -> bool {
        self.limits.answers()
    }

    fn address(&self, customer: &str) -> Result<Ipv4Addr, Failure> {
        let address = self.addresses.get(customer).copied();
        address.ok_or_else(|| Failure::Broken(format!("the customer `{customer}` has no address")))
    }

    /// Nobody here configures it: it is modelled, or it is as its owner has it.
    async fn configure(&self, _: &Cell, _: &str, _: &str, _: Ipv4Addr) -> Result<(), Failure> {
        Ok(())
    }

    async fn exchange(&mut self, _: &Cell, _: &[Party; 2], _: u32) -> Result<String, Failure> {
        Err(self.no_packets())
    }

    async fn exchange_nothing(&mut self, _: &Cell) -> Result<String, Failure> {
        Err(self.no_packets())
    }

    async fn stream(&mut self, _: &Cell, _: &[Party; 2], _: Duration) -> Result<String, Failure> {
        Err(self.no_packets())
    }

    async fn end_streams(&mut self, _: Option<(&str, &str)>) {}

    async fn fault(&mut self, _: &Step) -> Result<String, Failure> {
        Err(self.no_packets())
    }

    async fn end_fault(&mut self, _: &Step) -> Result<(), Failure> {
        Ok(())
    }

    async fn reconfigure(&mut self, _: &Cell, _: &str, _: &Gateway) -> Result<String, Failure> {
        Err(self.no_packets())
    }

    async fn holds_sas(&self, _: &str) -> Result<bool, Failure> {
        Err(self.no_packets())
    }

    fn streams_are(&self, _: bool) -> Result<bool, Failure> {
        Err(self.no_packets())
    }
}

impl Customers {
    fn no_packets(&self) -> Failure {
        Failure::Skipped(self.limits.no_packets().into())
    }
}
