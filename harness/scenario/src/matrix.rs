//! Expansion of a scenario into cells.

use policy::{Daemon, Encryption, Group, Hash, IkeVersion, Lifetime, Policy, Proposal, Proposals};

use crate::{Cell, Profile, Scenario, StandsInFor, tree::At};

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
    Ike(Proposals),
    Esp(Proposals),
    IkePart(Part),
    EspPart(Part),
    IkeLifetime(Lifetime),
    EspLifetime(Lifetime),
    Dpd(bool),
    IkeVersion(IkeVersion),
    Profile(Profile),
    Router(String, Daemon),
    Daemon(String, Daemon),
    StandsInFor(String, StandsInFor),
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
        self.choices().iter().map(|chosen| self.cell(chosen)).collect()
    }

    /// One value of every axis, in every combination.
    pub(crate) fn choices(&self) -> Vec<Vec<&AxisValue>> {
        let mut choices: Vec<Vec<&AxisValue>> = vec![Vec::new()];
        for axis in &self.axes {
            choices = choices
                .into_iter()
                .flat_map(|chosen| axis.values.iter().map(move |value| [chosen.as_slice(), &[value]].concat()))
                .collect();
        }
        choices
    }

    pub(crate) fn cell(&self, chosen: &[&AxisValue]) -> Cell {
        let labels: Vec<_> = chosen.iter().map(|value| value.label.as_str()).collect();
        let id = if labels.is_empty() { self.stem.clone() } else { format!("{}/{}", self.stem, labels.join(",")) };
        let mut cell = Cell {
            id,
            scenario: self.stem.clone(),
            title: self.title.clone(),
            about: self.about.clone(),
            clauses: self.clauses.clone(),
            axes: self.axes.iter().zip(chosen).map(|(axis, value)| (axis.name.clone(), value.name.clone())).collect(),
            cloud: self.cloud.clone(),
            customers: self.customers.clone(),
            policy: self.policy.clone(),
            ike_version: self.ike_version,
            steps: self.steps.clone(),
        };
        for placed in chosen.iter().flat_map(|value| &value.settings) {
            placed.setting.apply(&mut cell);
        }
        cell
    }
}

impl Setting {
    /// The reader made sure that the VPC or customer exists.
    fn apply(&self, cell: &mut Cell) {
        let Policy { ike, esp, ike_lifetime, esp_lifetime, dpd } = &mut cell.policy;
        match self {
            Self::Ike(proposals) => *ike = proposals.clone(),
            Self::Esp(proposals) => *esp = proposals.clone(),
            Self::IkePart(part) => *ike = ike.map(|proposal| part.applied(proposal)),
            Self::EspPart(part) => *esp = esp.map(|proposal| part.applied(proposal)),
            Self::IkeLifetime(lifetime) => *ike_lifetime = *lifetime,
            Self::EspLifetime(lifetime) => *esp_lifetime = *lifetime,
            Self::Dpd(enabled) => *dpd = *enabled,
            Self::IkeVersion(version) => cell.ike_version = Some(*version),
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
        }
    }
}

impl Part {
    fn applied(self, proposal: Proposal) -> Proposal {
        match self {
            Self::Encryption(encryption) => Proposal { encryption, ..proposal },
            Self::Hash(hash) => Proposal { hash, ..proposal },
            Self::Group(group) => Proposal { group, ..proposal },
        }
    }
}
