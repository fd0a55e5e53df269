//! Two gateways and what is behind them: no cloud, no capture. What a tunnel costs in itself, which what a whole cell
//! costs is compared with.

use std::{path::PathBuf, sync::Arc, time::Duration};

use ipnet::Ipv4Net;
use policy::{Daemon, IkeVersion, Initiator, Policy, PreSharedKey};
use serde::{Deserialize, Serialize};
use wire::audit::Expected;

use super::{Customer, CustomerPlan, Flow, Lab, Plan, Stock};
use crate::{
    Error, Result,
    gateway::{self, Tunnel},
};

const NAMES: [&str; 2] = ["near", "far"];
const TUNNEL: &str = "bare";
/// How long SAs may take to come, and probes to arrive; and how long SAs may take to go.
const PATIENCE: Duration = Duration::from_secs(45);

/// Two gateways, which may have any number of tunnels one after the other.
pub struct Bare {
    lab: Arc<Lab>,
    ends: [Arc<Customer>; 2],
    exchanges: u32,
}

/// What stands at the ends of every tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pair {
    /// The one that begins first.
    pub daemons: [Daemon; 2],
    pub nets: [Ipv4Net; 2],
}

impl Bare {
    /// Daemons of gateways that are not in the stock log into the folder, which exists.
    pub async fn build(pair: Pair, folder: PathBuf, trees: Vec<(Daemon, PathBuf)>, stock: Arc<Stock>) -> Result<Self> {
        let customers = [0, 1].map(|end| CustomerPlan {
            name: NAMES[end].to_owned(),
            daemon: pair.daemons[end],
            subnets: vec![pair.nets[end]],
            nat: false,
        });
        let plan = Plan {
            folder,
            routers: Default::default(),
            customers: customers.into(),
            initiator: Initiator::Customer,
            trees,
            standing: None,
            captured: false,
        };
        let lab = Lab::build(plan, stock).await?;
        let ends = [lab.customer(NAMES[0])?, lab.customer(NAMES[1])?];
        Ok(Self { lab, ends, exchanges: 0 })
    }

    /// A tunnel's life: both daemons are told of it, it comes up, carries probes both ways, is taken down and forgotten.
    pub async fn round(&mut self, policy: &Policy, key: &PreSharedKey, ike: IkeVersion, packets: u32) -> Result<()> {
        let [near, far] = &self.ends;
        let tunnel = Tunnel {
            name: TUNNEL.to_owned(),
            local: near.address(),
            identity: None,
            peer: far.address(),
            local_nets: near.subnets().to_vec(),
            peer_nets: far.subnets().to_vec(),
            policy: policy.clone(),
            key: key.clone(),
            ike,
            encapsulate: false,
        };
        far.configure(tunnel.seen_from_the_peer()).await?;
        near.configure(tunnel.clone()).await?;
        near.initiate(TUNNEL).await?;
        let daemon = near.gateway()?;
        let came_up = gateway::comes_up(daemon.as_ref(), &tunnel, PATIENCE).await?;
        came_up.map_err(|last| late("the tunnel", last))?;
        let [a, b] = NAMES.map(|name| self.lab.stations_of(name));
        let mut flows = Vec::new();
        for (a, b) in a.iter().zip(&b) {
            flows.push(Flow { from: Arc::clone(a), to: Arc::clone(b) });
            flows.push(Flow { from: Arc::clone(b), to: Arc::clone(a) });
        }
        self.exchanges += 1;
        let sent = self.lab.exchange(self.exchanges, &flows, packets, Expected::Delivered, PATIENCE).await?;
        if let Some(missing) = sent.missing.first() {
            return Err(late("all probes", format!("{missing} is missing")));
        }
        near.forget(TUNNEL).await?;
        gateway::is_gone(daemon.as_ref(), &tunnel, PATIENCE).await?;
        far.forget(TUNNEL).await
    }

    /// Takes away what is behind the gateways, and gives them back to the stock.
    pub async fn leave(self) -> Result<()> {
        let Self { lab, ends, .. } = self;
        // A gateway that somebody holds on to is not given back.
        drop(ends);
        lab.leave().await
    }
}

fn late(what: &str, last: String) -> Error {
    Error::Deadline { what: what.to_owned(), waited_ms: PATIENCE.as_millis(), last }
}
