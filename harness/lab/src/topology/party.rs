//! Parties: gateways by the names that a scenario has for them, a VPC's for its router and a customer's for its own; and
//! what may become of their daemons and machines.

use std::{
    collections::BTreeMap,
    sync::{Arc, MutexGuard, PoisonError, Weak},
};

use policy::Initiator;

use super::{Customer, Lab, VirtualRouter};
use crate::{
    Error, Result,
    fault::{Faults, Place},
    gateway::Tunnel,
    meter::{self, Work},
};

enum Party {
    Router(Arc<VirtualRouter>),
    Customer(Arc<Customer>),
}

impl Lab {
    /// Kills the daemon as `kill -9` does: the kernel keeps what it has of tunnels.
    pub async fn kill_daemon(&self, party: &str) -> Result<()> {
        let _clock = meter::start(Work::Daemons);
        self.faults.note();
        match self.party(party)? {
            Party::Router(router) => router.kill_daemon().await,
            Party::Customer(customer) => {
                customer.kill_daemon().await;
                Ok(())
            }
        }
    }

    /// Starts the daemon anew, and tells it the tunnels that it had. The side that begins begins again.
    pub async fn restart_daemon(&self, party: &str) -> Result<()> {
        match self.party(party)? {
            Party::Router(router) => router.restart_daemon().await,
            Party::Customer(customer) => customer.restart_daemon(self.customers_begin()).await,
        }
    }

    /// Pulls the plug of a customer's gateway: what is only in memory is gone.
    pub async fn power_off(&self, customer: &str) -> Result<()> {
        let _clock = meter::start(Work::Laboratory);
        self.faults.note();
        self.customer(customer)?.power_off().await
    }

    /// Switches a customer's gateway on again, with the tunnels that it was configured for.
    pub async fn power_on(&self, customer: &str) -> Result<()> {
        let _clock = meter::start(Work::Laboratory);
        self.customer(customer)?.power_on(self.customers_begin()).await
    }

    /// Gives a customer's gateway other settings for its tunnel to a VPC, whatever the tunnel's name says. What is up is
    /// taken down there, and comes up again with the new ones if the customer begins.
    pub async fn reconfigure(&self, customer: &str, vpc: &str, tunnel: Tunnel) -> Result<()> {
        let _clock = meter::start(Work::Laboratory);
        let tunnel = Tunnel { name: Customer::tunnel_to(vpc), ..tunnel };
        self.customer(customer)?.reconfigure(tunnel, self.customers_begin()).await
    }

    /// Has a customer's NAT forget its flows. It uses other outer ports from then on, and forwards nothing that it does
    /// not know: the customer has to be heard first.
    pub async fn rebind(&self, customer: &str) -> Result<()> {
        let _clock = meter::start(Work::Laboratory);
        self.customer(customer)?.rebind().await
    }

    fn customers_begin(&self) -> bool {
        self.plan.initiator == Initiator::Customer
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    pub(crate) async fn place(&self, party: &str) -> Result<Place> {
        match self.party(party)? {
            Party::Router(router) => router.place().await,
            Party::Customer(customer) => Ok(customer.place()),
        }
    }

    fn party(&self, name: &str) -> Result<Party> {
        if let Ok(customer) = self.customer(name) {
            return Ok(Party::Customer(customer));
        }
        let router = self.known_routers().get(name).and_then(Weak::upgrade);
        let unknown =
            || Error::Address(format!("there is no customer `{name}`, and no VPC `{name}` with a router now"));
        router.map(Party::Router).ok_or_else(unknown)
    }

    pub(super) fn known_routers(&self) -> MutexGuard<'_, BTreeMap<String, Weak<VirtualRouter>>> {
        self.routers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
