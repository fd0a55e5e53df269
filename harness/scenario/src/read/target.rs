//! What an axis may vary, by its path.

use super::{
    cloud, gateway,
    names::Names,
    policy_path::{self, PolicyPath, named},
    scalar,
};
use crate::{
    diagnostic::Problems,
    matrix::Setting,
    tree::{At, Node},
};

/// Where a path leads.
pub(super) enum Target<'p> {
    Policy(PolicyPath),
    Initiator,
    Profile,
    Router(&'p str),
    Daemon(&'p str),
    StandsInFor(&'p str),
    Gateway(&'p str, gateway::Path),
}

/// `policy.` may stand before what belongs to the policy.
pub(super) fn normalised(path: &str) -> &str {
    path.strip_prefix("policy.").unwrap_or(path)
}

/// Every path that may be varied in this file.
pub(super) fn paths(names: &Names) -> Vec<String> {
    let policy = policy_path::PATHS.into_iter().chain(["initiator", "cloud.profile"]);
    let vpcs = names.vpcs().into_iter().map(|vpc| format!("cloud.vpcs.{vpc}.router"));
    let own = gateway::paths().map(|key| format!("gateway.{key}"));
    let keys: Vec<_> = ["daemon", "stands-in-for"].into_iter().map(str::to_owned).chain(own).collect();
    let customers = names.customers().into_iter();
    let customers = customers.flat_map(|c| keys.iter().map(move |key| format!("customers.{c}.{key}")));
    policy.map(str::to_owned).chain(vpcs).chain(customers).collect()
}

impl<'p> Target<'p> {
    pub(super) fn parse(path: &'p str, names: &Names) -> Option<Self> {
        let segments: Vec<_> = path.split('.').collect();
        Some(match segments.as_slice() {
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
            policy => Self::Policy(PolicyPath::parse(policy)?),
        })
    }

    /// Whether its values must not be shown, and so cannot name themselves.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self, Self::Gateway(_, path) if path.is_secret())
    }

    /// The setting, and the name of its value. `key` is where the path stands.
    pub(super) fn setting(&self, node: &Node, key: At, problems: &mut Problems<'_>) -> Option<(Setting, String)> {
        Some(match self {
            Self::Policy(path) => {
                let (setting, name) = path.setting(node, problems)?;
                (Setting::Policy(setting), name)
            }
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
