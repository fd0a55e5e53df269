//! The ways of daemons, where they differ from each other or from the book. Each is known from cells of
//! `scenarios/policy/mismatch`, which say so again with every run: libreswan 5.2, strongSwan 6.0.1 and 5.9.8.

use super::Notification;
use crate::{Daemon, Proposal, Version};

/// What a responder says to a first message from an address that it knows nothing of.
pub(super) fn to_a_stranger(daemon: Option<Daemon>, version: Version) -> Option<Notification> {
    not_for_any_connection(daemon, version)
}

/// What a responder says to a first message of a version of IKE that it is not to speak.
pub(super) fn to_another_version(daemon: Option<Daemon>, version: Version) -> Option<Notification> {
    not_for_any_connection(daemon, version)
}

/// libreswan logs that no connection has been authorized, and drops the message of version 1 (cells `peer` and
/// `ike-version` of `at-once`); version 2 it answers, as strongSwan does both.
fn not_for_any_connection(daemon: Option<Daemon>, version: Version) -> Option<Notification> {
    match (daemon, version) {
        (Some(Daemon::Libreswan), Version::V1) => None,
        _ => Some(Notification::NoProposalChosen),
    }
}

/// What a responder says to an initiator that has another pre-shared key. In version 1 the keys of the IKE SA follow from
/// it, and the message that shows it decrypts to nonsense: strongSwan says so, under its own keys, which the initiator
/// cannot read; libreswan says nothing (cells `key` of `at-once`).
pub(super) fn to_another_key(daemon: Option<Daemon>, version: Version) -> Option<Notification> {
    match (daemon, version) {
        (Some(Daemon::Libreswan), Version::V1) => None,
        (_, Version::V1) => Some(Notification::PayloadMalformed),
        (_, Version::V2) => Some(Notification::AuthenticationFailed),
    }
}

/// Whether a responder takes a Quick Mode that is offered with a group, having another one itself, or none. RFC 2409
/// section 5.5 leaves it to the responder; libreswan grants it, whatever its `pfs` and `esp` say, and strongSwan does not
/// (`pfs-granted` and `pfs-refused`). Without a group neither takes it if its own policy has one.
pub(super) fn grants(daemon: Option<Daemon>, offered: Proposal, accepted: Proposal) -> bool {
    let transform = |proposal: Proposal| Proposal { group: None, ..proposal };
    let same = transform(offered) == transform(accepted);
    same && match daemon {
        Some(Daemon::Libreswan) => offered.group.is_some() || accepted.group.is_none(),
        _ => offered.group == accepted.group,
    }
}
