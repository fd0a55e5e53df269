//! One end of a connection, as its own device has it. The two ends need not agree: that is what a prediction is about.

use std::fmt;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::{Daemon, IkeVersion, Policy, PreSharedKey};

/// Whose gateway sends the first message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initiator {
    /// The VPC's router.
    #[default]
    Cloud,
    Customer,
}

impl Initiator {
    pub const ALL: [Self; 2] = [Self::Cloud, Self::Customer];

    pub fn name(self) -> &'static str {
        match self {
            Self::Cloud => "cloud",
            Self::Customer => "customer",
        }
    }

    /// The gateway, in words.
    pub fn gateway(self) -> &'static str {
        match self {
            Self::Cloud => "the router",
            Self::Customer => "the customer gateway",
        }
    }

    pub fn other(self) -> Self {
        match self {
            Self::Cloud => Self::Customer,
            Self::Customer => Self::Cloud,
        }
    }
}

impl fmt::Display for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What one gateway is configured with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Whose ways it has; without one, it goes by the book.
    pub daemon: Option<Daemon>,
    pub policy: Policy,
    pub ike: IkeVersion,
    pub key: PreSharedKey,
    /// Whether the address that it has for the other end is the other's.
    pub knows_peer: bool,
    pub local_nets: Vec<Ipv4Net>,
    pub peer_nets: Vec<Ipv4Net>,
}

impl End {
    /// The other end of it, if that agrees with it in everything.
    pub fn seen_from_the_peer(&self) -> Self {
        Self { local_nets: self.peer_nets.clone(), peer_nets: self.local_nets.clone(), ..self.clone() }
    }

    /// The pairs of networks that it has tunnels for, its own first: one each (RFC 2409 section 5.5).
    pub fn pairs(&self) -> impl Iterator<Item = (Ipv4Net, Ipv4Net)> + '_ {
        self.local_nets.iter().flat_map(|&local| self.peer_nets.iter().map(move |&peer| (local, peer)))
    }
}
