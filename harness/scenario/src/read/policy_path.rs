//! What belongs to a policy, by its path: of the file's own, and beneath `gateway` of a customer's device.

use std::time::Duration;

use ::policy::{Encryption, Group, Hash};

use super::{policy, scalar};
use crate::{
    diagnostic::Problems,
    duration,
    matrix::{Part, PolicySetting},
    nearest::one_of,
    tree::Node,
};

/// Every such path that an axis can vary.
pub(super) const PATHS: [&str; 12] = [
    "ike",
    "ike.encryption",
    "ike.hash",
    "ike.group",
    "esp",
    "esp.encryption",
    "esp.hash",
    "esp.group",
    "ike-lifetime",
    "esp-lifetime",
    "dpd",
    "ike-version",
];

#[derive(Clone, Copy)]
pub(super) enum PolicyPath {
    Ike,
    Esp,
    IkePart(PartName),
    EspPart(PartName),
    IkeLifetime,
    EspLifetime,
    Dpd,
    IkeVersion,
}

#[derive(Clone, Copy)]
pub(super) enum PartName {
    Encryption,
    Hash,
    Group,
}

impl PolicyPath {
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
            _ => return None,
        })
    }

    /// The setting, and the name of its value.
    pub(super) fn setting(self, node: &Node, problems: &mut Problems<'_>) -> Option<(PolicySetting, String)> {
        let lifetime = |problems: &mut Problems<'_>| {
            let lifetime = policy::lifetime(node, problems)?;
            Some((lifetime, duration::format(Duration::from_secs(lifetime.0.into()))))
        };
        Some(match self {
            Self::Ike => named(policy::proposals(node, problems)?, PolicySetting::Ike),
            Self::Esp => named(policy::proposals(node, problems)?, PolicySetting::Esp),
            Self::IkePart(part) => {
                let (part, name) = part.read(&[], node, problems)?;
                (PolicySetting::IkePart(part), name)
            }
            // Without a group there is no perfect forward secrecy.
            Self::EspPart(part) => {
                let (part, name) = part.read(&["none"], node, problems)?;
                (PolicySetting::EspPart(part), name)
            }
            Self::IkeLifetime => {
                let (lifetime, name) = lifetime(problems)?;
                (PolicySetting::IkeLifetime(lifetime), name)
            }
            Self::EspLifetime => {
                let (lifetime, name) = lifetime(problems)?;
                (PolicySetting::EspLifetime(lifetime), name)
            }
            Self::Dpd => named(scalar::boolean(node, "dpd", problems)?, PolicySetting::Dpd),
            Self::IkeVersion => named(policy::version(node, problems)?, PolicySetting::IkeVersion),
        })
    }
}

impl PartName {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "encryption" => Some(Self::Encryption),
            "hash" => Some(Self::Hash),
            "group" => Some(Self::Group),
            _ => None,
        }
    }

    /// `no_group` is the word for no group at all, where that is possible.
    fn read(self, no_group: &[&str], node: &Node, problems: &mut Problems<'_>) -> Option<(Part, String)> {
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

/// A value that names itself.
pub(super) fn named<T: ToString, S>(value: T, set: impl FnOnce(T) -> S) -> (S, String) {
    let name = value.to_string();
    (set(value), name)
}
