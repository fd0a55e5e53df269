//! What a customer's own device has otherwise than the cloud is told, as a whole or as one value of an axis; and what a
//! step gives either of the two from then on.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::{
    cloud,
    fields::{Fields, list},
    policy_path::{self, PolicyPath, named},
    scalar,
};
use crate::{
    Gateway,
    diagnostic::Problems,
    matrix::Own,
    tree::{At, Node, Value},
};

/// The keys of `gateway`, and so the ends of paths beneath it.
const KEYS: [&str; 10] =
    ["ike", "esp", "ike-lifetime", "esp-lifetime", "dpd", "ike-version", "psk", "subnets", "peer-nets", "peer"];

/// The ends of all paths beneath it; of a policy an axis can vary a part alone.
pub(super) fn paths() -> impl Iterator<Item = &'static str> {
    KEYS.into_iter().chain(policy_path::PATHS.into_iter().filter(|path| !KEYS.contains(path)))
}

/// Where such settings stand, for messages.
pub(super) struct Place {
    what: &'static str,
    nothing: &'static str,
    /// What to write, before the keys.
    help: &'static str,
    has_peer_nets: bool,
}

pub(super) const OWN: Place = Place {
    what: "a customer's gateway",
    nothing: "a customer's gateway has nothing of its own",
    help: "write what it has otherwise than the cloud is told",
    has_peer_nets: true,
};

/// What a step gives a customer's gateway.
pub(super) const CHANGED: Place = Place {
    what: "a change of a customer's gateway",
    nothing: "nothing is changed on the customer's gateway",
    help: "write what it has from now on",
    has_peer_nets: true,
};

/// What a step tells the cloud.
pub(super) const IN_CLOUD: Place = Place {
    what: "a change in the cloud",
    nothing: "nothing is changed in the cloud",
    help: "write what it is told from now on",
    has_peer_nets: false,
};

pub(super) fn read(node: &Node, owner: At, place: &Place, problems: &mut Problems<'_>) -> Gateway {
    let mut gateway = Gateway::default();
    let Some(fields) = Fields::read(node, owner, place.what, &KEYS, problems) else { return gateway };
    for key in KEYS {
        let Some(node) = fields.get(key) else { continue };
        if key == "peer-nets" && !place.has_peer_nets {
            let message = "the cloud is not told `peer-nets`: from there they are the VPC's own network";
            problems.report(fields.at(key), message, "leave it out; the customer's networks are `subnets`");
            continue;
        }
        if let Some((own, _)) = Path::parse(&[key]).and_then(|path| path.own(node, fields.at(key), problems)) {
            own.set(&mut gateway);
        }
    }
    if matches!(&node.value, Value::Map(entries) if entries.is_empty()) {
        let keys: Vec<_> = KEYS.into_iter().filter(|key| place.has_peer_nets || *key != "peer-nets").collect();
        problems.report(owner, place.nothing, format!("{}: {}; or leave it out", place.help, keys.join(", ")));
    }
    gateway
}

/// What stands behind `customers.NAME.gateway.`.
#[derive(Clone, Copy)]
pub(super) enum Path {
    Policy(PolicyPath),
    Psk,
    Subnets,
    PeerNets,
    Peer,
}

impl Path {
    pub(super) fn parse(segments: &[&str]) -> Option<Self> {
        Some(match segments {
            ["psk"] => Self::Psk,
            ["subnets"] => Self::Subnets,
            ["peer-nets"] => Self::PeerNets,
            ["peer"] => Self::Peer,
            policy => Self::Policy(PolicyPath::parse(policy)?),
        })
    }

    /// Whether its values must not be shown, and so cannot name themselves.
    pub(super) fn is_secret(self) -> bool {
        matches!(self, Self::Psk)
    }

    /// The setting, and the name of its value. `name` is where its key stands.
    pub(super) fn own(self, node: &Node, name: At, problems: &mut Problems<'_>) -> Option<(Own, String)> {
        Some(match self {
            Self::Policy(path) => {
                let (setting, name) = path.setting(node, problems)?;
                (Own::Policy(setting), name)
            }
            Self::Psk => named(cloud::psk(node, name, problems)?, Own::Psk),
            Self::Subnets => of_networks(networks(node, "subnets", problems)?, Own::Subnets),
            Self::PeerNets => of_networks(networks(node, "peer-nets", problems)?, Own::PeerNets),
            Self::Peer => named(address(node, problems)?, Own::Peer),
        })
    }
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
    let help = || "write an address that the other end does not have, such as `198.51.100.250`".to_owned();
    let text = scalar::raw(node, "peer", help, problems)?;
    let address = text.parse().ok();
    if address.is_none() {
        problems.report(node.at, format!("peer: `{text}` is not an IPv4 address"), help());
    }
    address
}
