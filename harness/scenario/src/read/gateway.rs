//! What a customer's own device has otherwise than the cloud is told, as a whole or as one value of an axis.

use std::{net::Ipv4Addr, time::Duration};

use ipnet::Ipv4Net;

use super::{
    cloud,
    fields::{Fields, list},
    policy, scalar,
    target::PartName,
};
use crate::{
    Gateway,
    diagnostic::Problems,
    duration,
    matrix::Own,
    tree::{At, Node, Value},
};

/// The keys of `gateway`, and so the ends of paths beneath it.
pub(super) const KEYS: [&str; 10] =
    ["ike", "esp", "ike-lifetime", "esp-lifetime", "dpd", "ike-version", "psk", "subnets", "peer-nets", "peer"];
/// Parts of a key, which an axis can vary alone.
pub(super) const PARTS: [&str; 6] =
    ["ike.encryption", "ike.hash", "ike.group", "esp.encryption", "esp.hash", "esp.group"];

const WHAT: &str = "a customer's gateway";

pub(super) fn read(node: &Node, owner: At, problems: &mut Problems<'_>) -> Gateway {
    let mut gateway = Gateway::default();
    let Some(fields) = Fields::read(node, owner, WHAT, &KEYS, problems) else { return gateway };
    for key in KEYS {
        let Some(node) = fields.get(key) else { continue };
        if let Some((own, _)) = Path::parse(&[key]).and_then(|path| path.own(node, fields.at(key), problems)) {
            own.set(&mut gateway);
        }
    }
    if matches!(&node.value, Value::Map(entries) if entries.is_empty()) {
        let help = format!("write what it has otherwise than the cloud is told: {}; or leave it out", KEYS.join(", "));
        problems.report(owner, format!("{WHAT} has nothing of its own"), help);
    }
    gateway
}

/// What stands behind `customers.NAME.gateway.`.
#[derive(Clone, Copy)]
pub(super) enum Path {
    Ike,
    Esp,
    IkePart(PartName),
    EspPart(PartName),
    IkeLifetime,
    EspLifetime,
    Dpd,
    IkeVersion,
    Psk,
    Subnets,
    PeerNets,
    Peer,
}

impl Path {
    pub(super) fn parse(segments: &[&str]) -> Option<Self> {
        Some(match segments {
            ["ike"] => Self::Ike,
            ["esp"] => Self::Esp,
            ["ike", part] => Self::IkePart(PartName::parse(part)?),
            ["esp", part] => Self::EspPart(PartName::parse(part)?),
            ["ike-lifetime"] => Self::IkeLifetime,
            ["esp-lifetime"] => Self::EspLifetime,
            ["dpd"] => Self::Dpd,
            ["ike-version"] => Self::IkeVersion,
            ["psk"] => Self::Psk,
            ["subnets"] => Self::Subnets,
            ["peer-nets"] => Self::PeerNets,
            ["peer"] => Self::Peer,
            _ => return None,
        })
    }

    /// Whether its values must not be shown, and so cannot name themselves.
    pub(super) fn is_secret(self) -> bool {
        matches!(self, Self::Psk)
    }

    /// The setting, and the name of its value. `name` is where its key stands.
    pub(super) fn own(self, node: &Node, name: At, problems: &mut Problems<'_>) -> Option<(Own, String)> {
        let lifetime = |problems: &mut Problems<'_>| {
            let lifetime = policy::lifetime(node, problems)?;
            Some((lifetime, duration::format(Duration::from_secs(lifetime.0.into()))))
        };
        Some(match self {
            Self::Ike => named(policy::proposals(node, problems)?, Own::Ike),
            Self::Esp => named(policy::proposals(node, problems)?, Own::Esp),
            Self::IkePart(part) => {
                let (part, name) = part.read(&[], node, problems)?;
                (Own::IkePart(part), name)
            }
            Self::EspPart(part) => {
                let (part, name) = part.read(&["none"], node, problems)?;
                (Own::EspPart(part), name)
            }
            Self::IkeLifetime => {
                let (lifetime, name) = lifetime(problems)?;
                (Own::IkeLifetime(lifetime), name)
            }
            Self::EspLifetime => {
                let (lifetime, name) = lifetime(problems)?;
                (Own::EspLifetime(lifetime), name)
            }
            Self::Dpd => named(scalar::boolean(node, "dpd", problems)?, Own::Dpd),
            Self::IkeVersion => named(policy::version(node, problems)?, Own::IkeVersion),
            Self::Psk => named(cloud::psk(node, name, problems)?, Own::Psk),
            Self::Subnets => of_networks(networks(node, "subnets", problems)?, Own::Subnets),
            Self::PeerNets => of_networks(networks(node, "peer-nets", problems)?, Own::PeerNets),
            Self::Peer => named(address(node, problems)?, Own::Peer),
        })
    }
}

fn named<T: ToString>(value: T, set: impl FnOnce(T) -> Own) -> (Own, String) {
    let name = value.to_string();
    (set(value), name)
}

fn of_networks(nets: Vec<Ipv4Net>, set: impl FnOnce(Vec<Ipv4Net>) -> Own) -> (Own, String) {
    let words: Vec<_> = nets.iter().map(Ipv4Net::to_string).collect();
    (set(nets), words.join(","))
}

/// They need not be apart from others: what they are is what a device believes.
fn networks(node: &Node, what: &'static str, problems: &mut Problems<'_>) -> Option<Vec<Ipv4Net>> {
    let nodes = list(node, what, &format!("`{what}: [172.16.20.0/24]`"), problems)?;
    let nets: Vec<_> = nodes.iter().filter_map(|node| scalar::network(node, what, problems)).collect();
    (nets.len() == nodes.len()).then_some(nets)
}

fn address(node: &Node, problems: &mut Problems<'_>) -> Option<Ipv4Addr> {
    let help = || "write an address that the router does not have, such as `198.51.100.250`".to_owned();
    let text = scalar::raw(node, "peer", help, problems)?;
    let address = text.parse().ok();
    if address.is_none() {
        problems.report(node.at, format!("peer: `{text}` is not an IPv4 address"), help());
    }
    address
}
