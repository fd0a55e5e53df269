//! Who began, and how it failed where it must: the prediction, and what the capture shows of it.

use std::collections::HashSet;

use policy::{Failure, Initiator, Notice, Notification, Version};
use scenario::Step;
use wire::audit::{IkeMessage, Sealed};

use super::{Evidence, check, shown_by};
use crate::record::Check;

/// The first message of all is from the gateway that is to begin.
pub(super) fn initiator(Evidence { cell, observation, account, .. }: &Evidence<'_>) -> Option<Check> {
    let first = account.messages.first()?;
    let by = match observation.routers.contains(first.source.ip()) {
        true => Initiator::Cloud,
        false => Initiator::Customer,
    };
    let text = format!("{} sends the first message, of {}", by.gateway(), first.exchange);
    let observed = if by == cell.initiator { Ok(text) } else { Err(text) };
    let wanted = format!("{} begins", cell.initiator.gateway());
    shown_by(check("initiator", "the scenario", wanted, observed), [first.frame])
}

/// The first negotiation gets as far as is predicted, and what is then said of it is what is predicted.
pub(super) fn failure(Evidence { cell, prediction, account, observation, .. }: &Evidence<'_>) -> Option<Check> {
    let failure = prediction.failure()?;
    if failure.at_rekey && !is_rekeyed(cell.steps.as_slice(), prediction.agreement()?.esp_lifetime().0.into()) {
        return None;
    }
    // Whoever is refused may try again; each try has a cookie of its own.
    let cookie = account.messages.first().map(|message| &message.cookies[0]);
    let messages: Vec<&IkeMessage> = account.messages.iter().filter(|m| Some(&m.cookies[0]) == cookie).collect();
    let mine: Vec<_> = messages.iter().filter(|message| message.exchange == failure.stage.name()).copied().collect();
    let last = mine.iter().map(|message| message.ordinal).max().unwrap_or(0);
    let got_as_far = format!("{} up to message {last}", failure.stage);
    let made = observation.sas.iter().map(|sa| (sa.spi, sa.destination)).collect::<HashSet<_>>().len();
    let wanted = prediction.agreement().map_or(0, |agreement| 2 * agreement.pairs.len());
    let by_router = |message: &IkeMessage| observation.routers.contains(message.source.ip());
    let observed = if last != failure.message {
        Err(got_as_far)
    } else if failure.at_rekey && made > wanted {
        Err(format!("{made} SAs, where the first are {wanted}"))
    } else {
        said(failure, &messages, by_router).map(|said| format!("{got_as_far}; {said}"))
    };
    let frames = mine.iter().filter(|message| message.ordinal == failure.message).map(|message| message.frame).take(1);
    let requirement = match failure.stage.version() {
        Version::V1 => "RFC 2408 sections 3.14 and 5.4, RFC 2409 section 5.5",
        Version::V2 => "RFC 7296 sections 1.2, 1.3 and 2.21",
    };
    shown_by(check("failure", requirement, failure.to_string(), observed), frames)
}

/// What is said of a failure, if that is as predicted; else, what is.
fn said(
    failure: &Failure,
    messages: &[&IkeMessage],
    by_router: impl Fn(&IkeMessage) -> bool,
) -> Result<String, String> {
    let begun = messages.iter().position(|m| m.exchange == failure.stage.name() && m.ordinal == 1).unwrap_or(0);
    let errors: Vec<(&IkeMessage, &str)> =
        messages[begun..].iter().flat_map(|message| errors(message).map(move |name| (*message, name))).collect();
    let Some(Notice { by, kind }) = failure.notice else {
        return match errors.first() {
            None => Ok("nobody says why".to_owned()),
            Some((message, name)) => Err(format!("{name} in frame {}", message.frame)),
        };
    };
    let name = kind.name(failure.stage.version());
    let from = |message: &IkeMessage| by.is_none_or(|by| by_router(message) == (by == Initiator::Cloud));
    match errors.first() {
        Some((message, found)) if *found == name && from(message) => Ok(format!("{name} in frame {}", message.frame)),
        Some((message, found)) => Err(format!("{found} in frame {}", message.frame)),
        // It may be in a message that no key opens.
        None => match messages[begun..].iter().find(|message| may_tell(failure, message) && from(message)) {
            Some(closed) => Ok(format!("the encrypted message in frame {} stays closed", closed.frame)),
            None => Err("nobody says why".to_owned()),
        },
    }
}

/// Whether a message that stays closed is one that may say what failed: an exchange of its own in version 1, the answer in
/// version 2.
fn may_tell(failure: &Failure, message: &IkeMessage) -> bool {
    let in_the_exchange = message.exchange == failure.stage.name();
    let there = match failure.stage.version() {
        Version::V1 => !in_the_exchange && message.ordinal == 1,
        Version::V2 => in_the_exchange && message.ordinal == 2,
    };
    there && message.sealed == Sealed::Closed
}

/// What a message says of failures.
fn errors(message: &IkeMessage) -> impl Iterator<Item = &str> {
    let is_error = |name: &str| {
        let versions = [Version::V1, Version::V2];
        Notification::ALL.iter().any(|kind| versions.iter().any(|version| kind.name(*version) == name))
    };
    let told = message.payloads.iter().filter(|payload| payload.name == "N");
    told.filter_map(|payload| payload.details.first().map(String::as_str)).filter(move |name| is_error(name))
}

/// Whether some connection is held for as long as this.
fn is_rekeyed(steps: &[Step], lifetime: u64) -> bool {
    let held = steps.iter().map(|step| if let Step::Hold(time) = step { time.as_secs() } else { 0 });
    held.sum::<u64>() >= lifetime
}
