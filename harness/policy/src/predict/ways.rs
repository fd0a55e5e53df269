//! The ways of daemons, where they differ from each other or from the book. Each is known from a run in the laboratory.

use super::{Notification, choose::Side};
use crate::{Daemon, Version};

/// What a responder says to a first message from an address that it knows nothing of.
pub(super) fn to_a_stranger(_: Option<Daemon>, _: Version) -> Option<Notification> {
    Some(Notification::NoProposalChosen)
}

/// What a responder says to a first message of a version of IKE that it is not to speak.
pub(super) fn to_another_version(_: Option<Daemon>, _: Version) -> Option<Notification> {
    Some(Notification::NoProposalChosen)
}

/// What a responder says to proposals for the IKE SA of which it accepts none.
pub(super) fn to_no_proposal(_: Option<Daemon>, _: &Side<'_>, _: Version) -> Option<Notification> {
    Some(Notification::NoProposalChosen)
}

/// What a responder says to an initiator that has another pre-shared key.
pub(super) fn to_another_key(_: Option<Daemon>, version: Version) -> Option<Notification> {
    match version {
        Version::V1 => Some(Notification::PayloadMalformed),
        Version::V2 => Some(Notification::AuthenticationFailed),
    }
}
