//! Whether the CloudStack of each cell's profile takes the cell's policy: what a release does not know, its service
//! refuses, and the cell could never be proven.

use std::fmt::Display;

use ::policy::{Group, Proposal, Proposals};

use super::{
    names::child,
    policy::{Written, places},
};
use crate::{
    Cell, Gateway, Profile, Scenario,
    diagnostic::Problems,
    matrix::{AxisValue, Part, PolicySetting, Setting},
    tree::{At, Node},
};

/// What the cloud is told beside the policy, and where the file has it.
#[derive(Default)]
pub(super) struct Told {
    pub changes: Vec<Change>,
    /// `force-encapsulation: true`.
    pub forced: Vec<At>,
}

/// What a step changes of the policy that the cloud is told.
pub(super) struct Change {
    ike: Vec<(Proposal, At)>,
    esp: Vec<(Proposal, At)>,
    ike_version: Option<At>,
}

impl Change {
    /// `node` is what was read.
    pub(super) fn of(to: &Gateway, node: &Node) -> Self {
        let placed = |proposals: &Option<Proposals>, key: &str| {
            let proposals = proposals.iter().flat_map(Proposals::iter);
            proposals.zip(child(node, key).map(places).unwrap_or_default()).collect()
        };
        let ike_version = to.ike_version.and(child(node, "ike-version")).map(|node| node.at);
        Self { ike: placed(&to.ike, "ike"), esp: placed(&to.esp, "esp"), ike_version }
    }
}

/// Reports what some cell's profile does not take, where the file has it.
pub(super) fn check(scenario: &Scenario, written: &Written, told: &Told, problems: &mut Problems<'_>) {
    let mut found: Vec<(At, Fault)> = Vec::new();
    let mut add = |place: Option<At>, fault: Fault| {
        let fault = (place.unwrap_or(At::START), fault);
        // Most cells share it.
        if !found.contains(&fault) {
            found.push(fault);
        }
    };
    for chosen in scenario.choices() {
        let cell = scenario.cell(&chosen);
        let profile = cell.cloud.profile;
        for (phase, places) in [(Phase::Ike, &written.ike), (Phase::Esp, &written.esp)] {
            for (number, proposal) in phase.proposals(&cell).iter().enumerate() {
                for (kind, fault) in faults(profile, phase, proposal) {
                    let varied = place(&chosen, |setting| phase.sets(kind, setting));
                    add(varied.or(places.get(number).copied()), fault);
                }
            }
        }
        if cell.ike_version.is_some() && !profile.has_ike_version() {
            let varied = place(&chosen, |setting| matches!(setting, Setting::Policy(PolicySetting::IkeVersion(_))));
            add(varied.or(written.ike_version.map(|(_, at)| at)), without_version(profile));
        }
        for change in &told.changes {
            for (phase, proposals) in [(Phase::Ike, &change.ike), (Phase::Esp, &change.esp)] {
                for (proposal, at) in proposals {
                    faults(profile, phase, *proposal).into_iter().for_each(|(_, fault)| add(Some(*at), fault));
                }
            }
            if change.ike_version.is_some() && !profile.has_ike_version() {
                add(change.ike_version, without_version(profile));
            }
        }
        if !profile.has_force_encapsulation() {
            told.forced.iter().for_each(|at| add(Some(*at), without_encapsulation(profile)));
        }
    }
    for (at, fault) in found {
        problems.report(at, fault.message, fault.help);
    }
}

/// Where the value was chosen that such a setting has, if an axis varies it. No two axes vary the same.
fn place(chosen: &[&AxisValue], is_it: impl Fn(&Setting) -> bool) -> Option<At> {
    let mut settings = chosen.iter().flat_map(|value| &value.settings);
    settings.find(|placed| is_it(&placed.setting)).map(|placed| placed.at)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Ike,
    Esp,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Hash,
    Group,
}

#[derive(PartialEq, Eq)]
struct Fault {
    message: String,
    help: String,
}

impl Phase {
    fn proposals(self, cell: &Cell) -> &Proposals {
        match self {
            Self::Ike => &cell.policy.ike,
            Self::Esp => &cell.policy.esp,
        }
    }

    /// Whether a setting sets this.
    fn sets(self, kind: Kind, setting: &Setting) -> bool {
        let Setting::Policy(setting) = setting else { return false };
        match (self, setting) {
            (Self::Ike, PolicySetting::Ike(_)) | (Self::Esp, PolicySetting::Esp(_)) => true,
            (Self::Ike, PolicySetting::IkePart(found)) | (Self::Esp, PolicySetting::EspPart(found)) => {
                matches!((kind, found), (Kind::Hash, Part::Hash(_)) | (Kind::Group, Part::Group(_)))
            }
            _ => false,
        }
    }
}

fn faults(profile: Profile, phase: Phase, proposal: Proposal) -> Vec<(Kind, Fault)> {
    let hash = unknown(profile, "hash", proposal.hash, Profile::hashes);
    let group = match proposal.group {
        Some(group) => unknown(profile, "group", group, Profile::groups),
        None if phase == Phase::Ike && profile.ike_needs_group() => Some(Fault {
            message: format!("profile `{profile}` takes no IKE policy without a group, as in `{proposal}`"),
            help: format!("write `{proposal};{}`, or another group", Group::Modp2048),
        }),
        None => None,
    };
    let hash = hash.map(|fault| (Kind::Hash, fault));
    hash.into_iter().chain(group.map(|fault| (Kind::Group, fault))).collect()
}

fn without_version(profile: Profile) -> Fault {
    let message = format!("profile `{profile}` has no `ike-version`: its gateways speak `{}`", profile.ike());
    Fault { message, help: format!("leave it out{}", or_another(Profile::has_ike_version)) }
}

fn without_encapsulation(profile: Profile) -> Fault {
    let message = format!("profile `{profile}` has no `force-encapsulation`: it came with CloudStack 4.3");
    Fault { message, help: format!("leave it out{}", or_another(Profile::has_force_encapsulation)) }
}

/// The profile to write instead, if one has it.
fn or_another(has_it: fn(Profile) -> bool) -> String {
    let other = Profile::ALL.into_iter().find(|other| has_it(*other));
    other.map_or_else(String::new, |other| format!(", or write `profile: {other}` in `cloud`"))
}

/// That the profile does not know an algorithm, and which one does.
fn unknown<T: Copy + PartialEq + Display>(
    profile: Profile,
    what: &str,
    value: T,
    known: fn(Profile) -> &'static [T],
) -> Option<Fault> {
    if known(profile).contains(&value) {
        return None;
    }
    let words: Vec<_> = known(profile).iter().map(T::to_string).collect();
    let other = Profile::ALL.into_iter().find(|other| known(*other).contains(&value));
    let other = other.map_or_else(String::new, |other| format!("; or `profile: {other}` in `cloud`, which knows it"));
    let message = format!("profile `{profile}` does not know the {what} `{value}`");
    Some(Fault { message, help: format!("write one of {}{other}", words.join(", ")) })
}
