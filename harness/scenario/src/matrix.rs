//! Expansion of a scenario into cells.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use policy::{
    Daemon, Encryption, Group, Hash, IkeVersion, Initiator, Lifetime, Policy, PreSharedKey, Proposal, Proposals,
};

use crate::{Cell, Gateway, Profile, Scenario, StandsInFor, tree::At};

/// One axis of a matrix; axes multiply.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// As reports show it: a path such as `ike.encryption`, or the author's own name for a bundle.
    pub name: String,
    /// Never empty; their labels differ.
    pub values: Vec<AxisValue>,
}

#[derive(Clone, Debug)]
pub(crate) struct AxisValue {
    pub name: String,
    /// What it contributes to the cell's id. Without commas, which separate the axes there.
    pub label: String,
    pub settings: Vec<Placed>,
}

/// A setting, and where the file has its value.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub setting: Setting,
    pub at: At,
}

/// One thing that an axis varies, with its value.
#[derive(Clone, Debug)]
pub(crate) enum Setting {
    Policy(PolicySetting),
    Initiator(Initiator),
    Profile(Profile),
    Router(String, Daemon),
    Daemon(String, Daemon),
    StandsInFor(String, StandsInFor),
    Gateway(String, Own),
}

/// One thing of what both ends are told to agree on, or of what one has instead.
#[derive(Clone, Debug)]
pub(crate) enum PolicySetting {
    Ike(Proposals),
    Esp(Proposals),
    IkePart(Part),
    EspPart(Part),
    IkeLifetime(Lifetime),
    EspLifetime(Lifetime),
    Dpd(bool),
    IkeVersion(IkeVersion),
}

/// One thing that a customer's gateway has of its own.
#[derive(Clone, Debug)]
pub(crate) enum Own {
    Policy(PolicySetting),
    Psk(PreSharedKey),
    Subnets(Vec<Ipv4Net>),
    PeerNets(Vec<Ipv4Net>),
    Peer(Ipv4Addr),
}

/// A part of every proposal of a policy.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    Encryption(Encryption),
    Hash(Hash),
    Group(Option<Group>),
}

impl Scenario {
    /// All cells, the last axis turning fastest.
    pub fn cells(&self) -> Vec<Cell> {
        self.choices().map(|chosen| self.cell(&chosen)).collect()
    }

    /// Their ids alone.
    pub fn ids(&self) -> impl Iterator<Item = String> {
        self.choices().map(|chosen| self.id(&chosen))
    }

    pub fn with_id(&self, id: &str) -> Option<Cell> {
        // Most ids are of other files.
        let ours = id.strip_prefix(&self.stem).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let chosen = ours.then(|| self.choices().find(|chosen| self.id(chosen) == id))??;
        Some(self.cell(&chosen))
    }

    fn id(&self, chosen: &[&AxisValue]) -> String {
        let labels: Vec<_> = chosen.iter().map(|value| value.label.as_str()).collect();
        if labels.is_empty() { self.stem.clone() } else { format!("{}/{}", self.stem, labels.join(",")) }
    }

    /// One value of every axis, in every combination.
    pub(crate) fn choices(&self) -> impl Iterator<Item = Vec<&AxisValue>> {
        (0..self.size()).map(|number| self.choice(number))
    }

    /// The combination of this number: a numeral whose digits are the values.
    pub(crate) fn choice(&self, mut number: usize) -> Vec<&AxisValue> {
        let mut chosen = Vec::with_capacity(self.axes.len());
        for axis in self.axes.iter().rev() {
            chosen.push(&axis.values[number % axis.values.len()]);
            number /= axis.values.len();
        }
        chosen.reverse();
        chosen
    }

    pub(crate) fn cell(&self, chosen: &[&AxisValue]) -> Cell {
        let mut cell = Cell {
            id: self.id(chosen),
            scenario: self.stem.clone(),
            title: self.title.clone(),
            about: self.about.clone(),
            clauses: self.clauses.clone(),
            axes: self.axes.iter().zip(chosen).map(|(axis, value)| (axis.name.clone(), value.name.clone())).collect(),
            cloud: self.cloud.clone(),
            customers: self.customers.clone(),
            policy: self.policy.clone(),
            ike_version: self.ike_version,
            initiator: self.initiator,
            steps: self.steps.clone(),
        };
        // A part of what a customer's gateway has of its own is a change of what it would have otherwise, which has to be
        // known first.
        let (own, told): (Vec<_>, Vec<_>) =
            chosen.iter().flat_map(|value| &value.settings).partition(|placed| placed.setting.is_own());
        for placed in told.into_iter().chain(own) {
            placed.setting.apply(&mut cell);
        }
        cell
    }
}

impl Setting {
    fn is_own(&self) -> bool {
        matches!(self, Self::Gateway(..))
    }

    /// The reader made sure that the VPC or customer exists.
    fn apply(&self, cell: &mut Cell) {
        match self {
            Self::Policy(setting) => setting.apply(cell),
            Self::Initiator(initiator) => cell.initiator = *initiator,
            Self::Profile(profile) => cell.cloud.profile = *profile,
            Self::Router(vpc, daemon) => {
                cell.cloud.vpcs.entry(vpc.clone()).and_modify(|vpc| vpc.router = *daemon);
            }
            Self::Daemon(customer, daemon) => {
                cell.customers.entry(customer.clone()).and_modify(|customer| customer.daemon = *daemon);
            }
            Self::StandsInFor(customer, device) => {
                cell.customers.entry(customer.clone()).and_modify(|customer| customer.stands_in_for = Some(*device));
            }
            Self::Gateway(customer, own) => {
                let Cell { customers, policy, .. } = cell;
                customers.entry(customer.clone()).and_modify(|customer| own.set_beside(&mut customer.gateway, policy));
            }
        }
    }
}

impl PolicySetting {
    fn apply(&self, cell: &mut Cell) {
        let Policy { ike, esp, ike_lifetime, esp_lifetime, dpd } = &mut cell.policy;
        match self {
            Self::Ike(proposals) => *ike = proposals.clone(),
            Self::Esp(proposals) => *esp = proposals.clone(),
            Self::IkePart(part) => *ike = part.changed(ike),
            Self::EspPart(part) => *esp = part.changed(esp),
            Self::IkeLifetime(lifetime) => *ike_lifetime = *lifetime,
            Self::EspLifetime(lifetime) => *esp_lifetime = *lifetime,
            Self::Dpd(enabled) => *dpd = *enabled,
            Self::IkeVersion(version) => cell.ike_version = Some(*version),
        }
    }

    fn set(self, gateway: &mut Gateway) {
        match self {
            Self::Ike(proposals) => gateway.ike = Some(proposals),
            Self::Esp(proposals) => gateway.esp = Some(proposals),
            Self::IkePart(part) => gateway.ike = gateway.ike.as_ref().map(|ike| part.changed(ike)),
            Self::EspPart(part) => gateway.esp = gateway.esp.as_ref().map(|esp| part.changed(esp)),
            Self::IkeLifetime(lifetime) => gateway.ike_lifetime = Some(lifetime),
            Self::EspLifetime(lifetime) => gateway.esp_lifetime = Some(lifetime),
            Self::Dpd(enabled) => gateway.dpd = Some(enabled),
            Self::IkeVersion(version) => gateway.ike_version = Some(version),
        }
    }
}

impl Own {
    /// A part changes what the gateway has, or else what the cloud is told.
    fn set_beside(&self, gateway: &mut Gateway, told: &Policy) {
        match self {
            Self::Policy(PolicySetting::IkePart(_)) if gateway.ike.is_none() => gateway.ike = Some(told.ike.clone()),
            Self::Policy(PolicySetting::EspPart(_)) if gateway.esp.is_none() => gateway.esp = Some(told.esp.clone()),
            _ => {}
        }
        self.clone().set(gateway);
    }

    pub(crate) fn set(self, gateway: &mut Gateway) {
        match self {
            Self::Policy(setting) => setting.set(gateway),
            Self::Psk(key) => gateway.psk = Some(key),
            Self::Subnets(nets) => gateway.subnets = Some(nets),
            Self::PeerNets(nets) => gateway.peer_nets = Some(nets),
            Self::Peer(address) => gateway.peer = Some(address),
        }
    }
}

impl Part {
    /// Every proposal, with this part instead of its own.
    fn changed(self, proposals: &Proposals) -> Proposals {
        proposals.map(|proposal| self.applied(proposal))
    }

    fn applied(self, proposal: Proposal) -> Proposal {
        match self {
            Self::Encryption(encryption) => Proposal { encryption, ..proposal },
            Self::Hash(hash) => Proposal { hash, ..proposal },
            Self::Group(group) => Proposal { group, ..proposal },
        }
    }
}
