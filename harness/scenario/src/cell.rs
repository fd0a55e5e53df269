//! One fully concrete case of a scenario: a topology, a policy and the steps to take.

use std::{collections::BTreeMap, fmt};

use ipnet::Ipv4Net;
use policy::{Daemon, Group, Hash, IkeVersion, Initiator, Policy, PreSharedKey};
use serde::{Deserialize, Serialize};

use crate::{Gateway, Step};

/// One choice of every matrix axis. It can be run alone, by its id, and travels as JSON to a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The scenario's stem, `/`, and what was chosen on each axis; readable, stable, a folder's name.
    pub id: String,
    /// The stem of the scenario.
    pub scenario: String,
    pub title: String,
    pub about: String,
    /// Sections of the specification which this proves.
    pub clauses: Vec<String>,
    /// What was chosen on each axis, as `(axis, value)`.
    pub axes: Vec<(String, String)>,
    pub cloud: Cloud,
    pub customers: BTreeMap<String, Customer>,
    /// The policy of both ends, but for what a customer's gateway has of its own.
    pub policy: Policy,
    /// The version of IKE that both ends are told to speak, if the file says so.
    pub ike_version: Option<IkeVersion>,
    /// Whose gateway begins.
    #[serde(default)]
    pub initiator: Initiator,
    pub steps: Vec<Step>,
}

impl Cell {
    /// Whether it waits longer than a run in real time should.
    pub fn needs_virtual_time(&self) -> bool {
        self.steps.iter().any(Step::needs_virtual_time)
    }

    /// The version of IKE that both ends are told to speak: without a word in the file, what the profile tells them.
    pub fn ike(&self) -> IkeVersion {
        self.ike_version.unwrap_or(self.cloud.profile.ike())
    }
}

/// The system under test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cloud {
    pub profile: Profile,
    pub vpcs: BTreeMap<String, Vpc>,
}

/// Which CloudStack the simulator behaves like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Profile {
    /// The specification of 2012, CloudStack 4.0.
    #[serde(rename = "spec-2012")]
    Spec2012,
    /// CloudStack 4.22.
    #[serde(rename = "4.22")]
    V4_22,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpc {
    pub cidr: Ipv4Net,
    /// The daemon of its virtual router.
    pub router: Daemon,
    /// In the order of the file.
    pub tiers: Vec<(String, Ipv4Net)>,
}

/// A customer gateway and the subnets behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    pub daemon: Daemon,
    /// The device that the daemon is configured like.
    pub stands_in_for: Option<StandsInFor>,
    pub subnets: Vec<Ipv4Net>,
    pub psk: PreSharedKey,
    /// Its gateway has an address of its own network, which a device before it translates.
    #[serde(default)]
    pub nat: bool,
    /// The cloud is told to wrap ESP in UDP in any case: `forceencap`, since CloudStack 4.3.
    #[serde(default)]
    pub force_encapsulation: bool,
    /// What its own device has otherwise.
    #[serde(default)]
    pub gateway: Gateway,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StandsInFor {
    CiscoIos,
    Junos,
}

impl StandsInFor {
    pub const ALL: [Self; 2] = [Self::CiscoIos, Self::Junos];

    /// The word of scenario files.
    pub fn name(self) -> &'static str {
        match self {
            Self::CiscoIos => "cisco-ios",
            Self::Junos => "junos",
        }
    }

    /// The device's name, as in "strongSwan standing in for Cisco IOS".
    pub fn device(self) -> &'static str {
        match self {
            Self::CiscoIos => "Cisco IOS",
            Self::Junos => "Juniper Junos",
        }
    }
}

impl Profile {
    pub const ALL: [Self; 2] = [Self::Spec2012, Self::V4_22];

    pub fn name(self) -> &'static str {
        match self {
            Self::Spec2012 => "spec-2012",
            Self::V4_22 => "4.22",
        }
    }

    /// The hashes that its policies may name: SHA-2 came with CloudStack 4.10.
    pub fn hashes(self) -> &'static [Hash] {
        match self {
            Self::Spec2012 => &[Hash::Md5, Hash::Sha1],
            Self::V4_22 => &Hash::ALL,
        }
    }

    /// The groups that its policies may name: those of RFC 3526 beyond 1,536 bits came with CloudStack 4.10.
    pub fn groups(self) -> &'static [Group] {
        match self {
            Self::Spec2012 => &[Group::Modp1024, Group::Modp1536],
            Self::V4_22 => &Group::ALL,
        }
    }

    /// The version of IKE that its gateways speak unless they are told otherwise.
    pub fn ike(self) -> IkeVersion {
        match self {
            Self::Spec2012 => IkeVersion::V1,
            Self::V4_22 => IkeVersion::Either,
        }
    }

    /// Whether a customer gateway has the parameter `ikeversion`, as since CloudStack 4.15.1.
    pub fn has_ike_version(self) -> bool {
        match self {
            Self::Spec2012 => false,
            Self::V4_22 => true,
        }
    }

    /// Whether a connection has the parameter `passive`, as since CloudStack 4.3: its router waits for the peer.
    pub fn has_passive(self) -> bool {
        match self {
            Self::Spec2012 => false,
            Self::V4_22 => true,
        }
    }

    /// Whether a customer gateway has the parameter `forceencap`, as since CloudStack 4.3.
    pub fn has_force_encapsulation(self) -> bool {
        match self {
            Self::Spec2012 => false,
            Self::V4_22 => true,
        }
    }

    /// Whether each proposal of an IKE policy has to name its group, as since CloudStack 4.10.
    pub fn ike_needs_group(self) -> bool {
        match self {
            Self::Spec2012 => false,
            Self::V4_22 => true,
        }
    }
}

/// The state of a VPN connection, in the API's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ConnectionState {
    Pending,
    /// The router has been told; the monitor has not looked yet. Only in 4.22.
    Connecting,
    Connected,
    Disconnected,
    Error,
}

impl ConnectionState {
    pub const ALL: [Self; 5] = [Self::Pending, Self::Connecting, Self::Connected, Self::Disconnected, Self::Error];

    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Connecting => "Connecting",
            Self::Connected => "Connected",
            Self::Disconnected => "Disconnected",
            Self::Error => "Error",
        }
    }
}

macro_rules! named {
    ($($kind:ident),*) => {$(
        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    )*};
}

named!(Profile, StandsInFor, ConnectionState);
