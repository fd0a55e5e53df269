//! Networks among each other: a packet's addresses must say where it comes from and where it goes.

use std::fmt;

use ipnet::Ipv4Net;

use crate::{diagnostic::Problems, tree::At};

/// Every network of a file, in the order of the walk.
#[derive(Debug, Default)]
pub(super) struct Networks(Vec<Network>);

#[derive(Debug)]
struct Network {
    owner: Owner,
    net: Ipv4Net,
    at: At,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Vpc(String),
    Tier { vpc: String, tier: String },
    Subnet { customer: String },
}

impl Networks {
    pub(super) fn add(&mut self, owner: Owner, net: Ipv4Net, at: At) {
        self.0.push(Network { owner, net, at });
    }

    pub(super) fn check(&self, problems: &mut Problems<'_>) {
        for (i, network) in self.0.iter().enumerate() {
            self.check_inside(network, problems);
            let overlapping = self.0[..i].iter().find(|other| network.must_be_apart(other) && network.overlaps(other));
            if let Some(other) = overlapping {
                let message = format!("{network} overlaps {other} on line {}", other.at.line);
                problems.report(network.at, message, "give each a range of its own");
            }
        }
    }

    fn check_inside(&self, network: &Network, problems: &mut Problems<'_>) {
        let Owner::Tier { vpc, .. } = &network.owner else { return };
        let outer = self.0.iter().find(|n| matches!(&n.owner, Owner::Vpc(name) if name == vpc));
        if let Some(outer) = outer.filter(|outer| !outer.net.contains(&network.net)) {
            let message = format!("{network} is not inside {outer}");
            problems.report(network.at, message, format!("write a part of `{}`", outer.net));
        }
    }
}

impl Network {
    /// A tier is within its VPC, so that only tiers of the same VPC need to be compared beside VPCs and
    /// subnets; all else would be said twice.
    fn must_be_apart(&self, other: &Self) -> bool {
        match (&self.owner, &other.owner) {
            (Owner::Tier { vpc: a, .. }, Owner::Tier { vpc: b, .. }) => a == b,
            (Owner::Tier { .. }, _) | (_, Owner::Tier { .. }) => false,
            _ => true,
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.net.contains(&other.net) || other.net.contains(&self.net)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.owner {
            Owner::Vpc(vpc) => write!(f, "VPC `{vpc}` {}", self.net),
            Owner::Tier { vpc, tier } => write!(f, "tier `{vpc}.{tier}` {}", self.net),
            Owner::Subnet { customer } => write!(f, "subnet {} of customer `{customer}`", self.net),
        }
    }
}
