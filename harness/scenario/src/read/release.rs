//! Whether the CloudStack of each cell's profile takes the cell's policy: what a release does not know, its service
//! refuses, and the cell could never be proven.

use std::fmt::Display;

use ::policy::{Group, Proposal, Proposals};

use crate::{
    Cell, Profile, Scenario,
    diagnostic::Problems,
    matrix::{AxisValue, Part, Setting},
    tree::At,
};

/// Reports what some cell's profile does not take, where the file has it: `ike` and `esp` are the places of the
/// policy's own proposals.
pub(super) fn check(scenario: &Scenario, ike: &[At], esp: &[At], problems: &mut Problems<'_>) {
    let mut found: Vec<(At, Fault)> = Vec::new();
    for chosen in scenario.choices() {
        let cell = scenario.cell(&chosen);
        for (phase, places) in [(Phase::Ike, ike), (Phase::Esp, esp)] {
            for (number, proposal) in phase.proposals(&cell).iter().enumerate() {
                for fault in faults(cell.cloud.profile, phase, proposal) {
                    let place = phase.place(fault.part, &chosen).or(places.get(number).copied());
                    let fault = (place.unwrap_or(At::START), fault);
                    // Most cells share it.
                    if !found.contains(&fault) {
                        found.push(fault);
                    }
                }
            }
        }
    }
    for (at, fault) in found {
        problems.report(at, fault.message, fault.help);
    }
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
    part: Kind,
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

    /// Where the value was chosen that this part of the cell has, if an axis varies it. No two axes vary the same.
    fn place(self, part: Kind, chosen: &[&AxisValue]) -> Option<At> {
        let sets = |setting: &Setting| match (self, setting) {
            (Self::Ike, Setting::Ike(_)) | (Self::Esp, Setting::Esp(_)) => true,
            (Self::Ike, Setting::IkePart(found)) | (Self::Esp, Setting::EspPart(found)) => {
                matches!((part, found), (Kind::Hash, Part::Hash(_)) | (Kind::Group, Part::Group(_)))
            }
            _ => false,
        };
        let mut settings = chosen.iter().flat_map(|value| &value.settings);
        settings.find(|placed| sets(&placed.setting)).map(|placed| placed.at)
    }
}

fn faults(profile: Profile, phase: Phase, proposal: Proposal) -> Vec<Fault> {
    let hash = unknown(profile, Kind::Hash, proposal.hash, Profile::hashes);
    let group = match proposal.group {
        Some(group) => unknown(profile, Kind::Group, group, Profile::groups),
        None if phase == Phase::Ike && profile.ike_needs_group() => Some(Fault {
            part: Kind::Group,
            message: format!("profile `{profile}` takes no IKE policy without a group, as in `{proposal}`"),
            help: format!("write `{proposal};{}`, or another group", Group::Modp2048),
        }),
        None => None,
    };
    [hash, group].into_iter().flatten().collect()
}

/// That the profile does not know an algorithm, and which one does.
fn unknown<T: Copy + PartialEq + Display>(
    profile: Profile,
    part: Kind,
    value: T,
    known: fn(Profile) -> &'static [T],
) -> Option<Fault> {
    if known(profile).contains(&value) {
        return None;
    }
    let what = match part {
        Kind::Hash => "hash",
        Kind::Group => "group",
    };
    let words: Vec<_> = known(profile).iter().map(T::to_string).collect();
    let knows = |other: &Profile| known(*other).contains(&value);
    let other = Profile::ALL.into_iter().find(knows);
    let other = other.map_or_else(String::new, |other| format!("; or `profile: {other}` in `cloud`, which knows it"));
    Some(Fault {
        part,
        message: format!("profile `{profile}` does not know the {what} `{value}`"),
        help: format!("write one of {}{other}", words.join(", ")),
    })
}
