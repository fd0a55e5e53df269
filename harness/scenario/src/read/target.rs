//! What an axis may vary, by its path.

use std::time::Duration;

use ::policy::{Encryption, Group, Hash};

use super::{cloud, gateway, names::Names, policy, scalar};
use crate::{
    diagnostic::Problems,
    duration,
    matrix::{Part, Setting},
    nearest::one_of,
    tree::{At, Node},
};

/// Where a path leads.
pub(super) enum Target<'p> {
    Ike,
    Esp,
    IkePart(PartName),
    EspPart(PartName),
    IkeLifetime,
    EspLifetime,
    Dpd,
    IkeVersion,
    Initiator,
    Profile,
    Router(&'p str),
    Daemon(&'p str),
    StandsInFor(&'p str),
    Gateway(&'p str, gateway::Path),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PartName {
    Encryption,
    Hash,
    Group,
}

/// `policy.` may stand before what belongs to the policy.
pub(super) fn normalised(path: &str) -> &str {
    path.strip_prefix("policy.").unwrap_or(path)
}

/// Every path that may be varied in this file.
pub(super) fn paths(names: &Names) -> Vec<String> {
    let policy = ["ike", "ike.encryption", "ike.hash", "ike.group", "esp", "esp.encryption", "esp.hash", "esp.group"];
    let policy =
        policy.into_iter().chain(["ike-lifetime", "esp-lifetime", "dpd", "ike-version", "initiator", "cloud.profile"]);
    let vpcs = names.vpcs().into_iter().map(|vpc| format!("cloud.vpcs.{vpc}.router"));
    let own = gateway::KEYS.into_iter().chain(gateway::PARTS).map(|key| format!("gateway.{key}"));
    let keys: Vec<_> = ["daemon", "stands-in-for"].into_iter().map(str::to_owned).chain(own).collect();
    let customers = names.customers().into_iter();
    let customers = customers.flat_map(|c| keys.iter().map(move |key| format!("customers.{c}.{key}")));
    policy.map(str::to_owned).chain(vpcs).chain(customers).collect()
}

impl<'p> Target<'p> {
    pub(super) fn parse(path: &'p str, names: &Names) -> Option<Self> {
        let segments: Vec<_> = path.split('.').collect();
        Some(match segments.as_slice() {
            ["ike"] => Self::Ike,
            ["esp"] => Self::Esp,
            ["ike", part] => Self::IkePart(PartName::parse(part)?),
            ["esp", part] => Self::EspPart(PartName::parse(part)?),
            ["ike-lifetime"] => Self::IkeLifetime,
            ["esp-lifetime"] => Self::EspLifetime,
            ["dpd"] => Self::Dpd,
            ["ike-version"] => Self::IkeVersion,
            ["initiator"] => Self::Initiator,
            ["cloud", "profile"] => Self::Profile,
            ["cloud", "vpcs", vpc, "router"] if names.vpcs.contains_key(*vpc) => Self::Router(vpc),
            ["customers", customer, "gateway", own @ ..] if names.customers.contains_key(*customer) => {
                Self::Gateway(customer, gateway::Path::parse(own)?)
            }
            ["customers", customer, key] if names.customers.contains_key(*customer) => match *key {
                "daemon" => Self::Daemon(customer),
                "stands-in-for" => Self::StandsInFor(customer),
                _ => return None,
            },
            _ => return None,
        })
    }

    /// Whether its values must not be shown, and so cannot name themselves.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self, Self::Gateway(_, path) if path.is_secret())
    }

    /// The setting, and the name of its value. `key` is where the path stands.
    pub(super) fn setting(&self, node: &Node, key: At, problems: &mut Problems<'_>) -> Option<(Setting, String)> {
        Some(match self {
            Self::Ike => named(policy::proposals(node, problems)?, Setting::Ike),
            Self::Esp => named(policy::proposals(node, problems)?, Setting::Esp),
            Self::IkePart(name) => {
                let (part, name) = name.read(&[], node, problems)?;
                (Setting::IkePart(part), name)
            }
            // Without a group there is no perfect forward secrecy.
            Self::EspPart(name) => {
                let (part, name) = name.read(&["none"], node, problems)?;
                (Setting::EspPart(part), name)
            }
            Self::IkeLifetime => {
                let lifetime = policy::lifetime(node, problems)?;
                (Setting::IkeLifetime(lifetime), duration::format(Duration::from_secs(lifetime.0.into())))
            }
            Self::EspLifetime => {
                let lifetime = policy::lifetime(node, problems)?;
                (Setting::EspLifetime(lifetime), duration::format(Duration::from_secs(lifetime.0.into())))
            }
            Self::Dpd => named(scalar::boolean(node, "dpd", problems)?, Setting::Dpd),
            Self::IkeVersion => named(policy::version(node, problems)?, Setting::IkeVersion),
            Self::Initiator => named(scalar::initiator(node, problems)?, Setting::Initiator),
            Self::Profile => named(cloud::profile(node, problems)?, Setting::Profile),
            Self::Router(vpc) => named(cloud::daemon(node, problems)?, |d| Setting::Router((*vpc).to_owned(), d)),
            Self::Daemon(customer) => {
                named(cloud::daemon(node, problems)?, |d| Setting::Daemon((*customer).to_owned(), d))
            }
            Self::StandsInFor(customer) => {
                named(cloud::device(node, problems)?, |device| Setting::StandsInFor((*customer).to_owned(), device))
            }
            Self::Gateway(customer, path) => {
                let (own, name) = path.own(node, key, problems)?;
                (Setting::Gateway((*customer).to_owned(), own), name)
            }
        })
    }
}

impl PartName {
    pub(super) fn parse(word: &str) -> Option<Self> {
        match word {
            "encryption" => Some(Self::Encryption),
            "hash" => Some(Self::Hash),
            "group" => Some(Self::Group),
            _ => None,
        }
    }

    /// `no_group` is the word for no group at all, where that is possible.
    pub(super) fn read(self, no_group: &[&str], node: &Node, problems: &mut Problems<'_>) -> Option<(Part, String)> {
        Some(match self {
            Self::Encryption => named(scalar::word(node, "encryption", &Encryption::ALL, problems)?, Part::Encryption),
            Self::Hash => named(scalar::word(node, "hash", &Hash::ALL, problems)?, Part::Hash),
            Self::Group => {
                let known = [&Group::ALL.map(Group::name), no_group].concat();
                let word = scalar::raw(node, "group", || one_of("", &known), problems)?;
                if !known.contains(&word) {
                    let message = format!("unknown Diffie-Hellman group `{word}`");
                    problems.report(node.at, message, one_of(word, &known));
                    return None;
                }
                (Part::Group(word.parse().ok()), word.to_owned())
            }
        })
    }
}

fn named<T: ToString, S>(value: T, set: impl FnOnce(T) -> S) -> (S, String) {
    let name = value.to_string();
    (set(value), name)
}
