//! What the capture has to say, as the audit accounts for it.

use std::collections::BTreeSet;

use policy::{Lifetime, Proposal, Version};
use wire::audit::{ChosenTransform, Code, Expected, Negotiation};

use super::{Evidence, by_version, check, disturbed::Disturbed, shown_by};
use crate::record::Check;

/// Every negotiation of an IKE SA has the version that is spoken, and its answer is the policy. In version 1 that is
/// Main Mode with a pre-shared key; version 2 tells authentication only encrypted, and negotiates no lifetime.
pub(super) fn phase_1(Evidence { cell, prediction, account, .. }: &Evidence<'_>) -> Option<Check> {
    let together = Disturbed::by(cell).ends_agree();
    let agreement = prediction.agreement()?;
    let (ike, lifetimes) = (agreement.ike, agreement.ike_lifetimes);
    let requirement = by_version(prediction, ["RFC 2409 sections 5 and 5.4", "RFC 7296 sections 1.2 and 3.3"]);
    let main_mode = format!("main mode, pre-shared key, {ike}, {}", seconds(lifetimes));
    let wanted = by_version(prediction, [main_mode, format!("IKE_SA_INIT, {ike}")]);
    // Who calls a machine that is not there gets no answer.
    let answered = |negotiation: &&Negotiation| together || negotiation.chosen.is_some();
    let wrong = account.negotiations.iter().filter(answered).find_map(|negotiation| match agreement.version {
        version if negotiation.version != version => {
            Some(format!("{} of {} from {}", negotiation.exchange, negotiation.version, negotiation.initiator))
        }
        Version::V1 => in_main_mode(negotiation, ike, lifetimes),
        Version::V2 => in_ike_sa_init(negotiation, ike),
    });
    let observed = match (wrong, account.negotiations.as_slice()) {
        (Some(wrong), _) => Err(wrong),
        (None, []) => Err("no negotiation".into()),
        (None, [_]) => Ok("the answer of the one negotiation".into()),
        (None, all) => Ok(format!("the answers of all {} negotiations", all.len())),
    };
    shown_by(
        check("phase-1", requirement, wanted, observed),
        account.negotiations.iter().filter_map(|n| n.answer_frame),
    )
}

/// What is wrong with a negotiation of version 1.
fn in_main_mode(negotiation: &Negotiation, ike: Proposal, lifetimes: [Lifetime; 2]) -> Option<String> {
    if negotiation.exchange != "main mode" {
        return Some(format!("{} from {}", negotiation.exchange, negotiation.initiator));
    }
    let agrees = |chosen: &ChosenTransform| {
        chosen.pre_shared_key && is_one_of(chosen.lifetime_seconds, lifetimes) && has(chosen, ike)
    };
    difference(negotiation, agrees)
}

/// Where the ends have different lifetimes, either may be named: each keeps its own, whatever was said.
pub(super) fn is_one_of(told: Option<u64>, lifetimes: [Lifetime; 2]) -> bool {
    lifetimes.iter().any(|lifetime| told == Some(lifetime.0.into()))
}

pub(super) fn seconds([router, customer]: [Lifetime; 2]) -> String {
    if router == customer { format!("{} s", router.0) } else { format!("{} s or {} s", router.0, customer.0) }
}

/// What is wrong with a negotiation of version 2.
fn in_ike_sa_init(negotiation: &Negotiation, ike: Proposal) -> Option<String> {
    difference(negotiation, |chosen| has(chosen, ike))
}

fn has(chosen: &ChosenTransform, ike: Proposal) -> bool {
    chosen.encryption == Some(ike.encryption) && chosen.hash == Some(ike.hash) && chosen.group == Some(ike.ike_group())
}

fn difference(negotiation: &Negotiation, agrees: impl Fn(&ChosenTransform) -> bool) -> Option<String> {
    let at = negotiation.answer_frame.map_or("no frame".to_owned(), |frame| format!("frame {frame}"));
    match &negotiation.chosen {
        None => Some(format!("no answer to {} from {}", negotiation.cookies[0], negotiation.initiator)),
        Some(chosen) if agrees(chosen) => None,
        Some(chosen) => Some(format!("{} in {at}", chosen.text)),
    }
}

/// With DPD, both ends say that they know it (RFC 3706 section 5.2). Version 2 has it without saying so.
pub(super) fn dead_peer_detection(Evidence { cell, prediction, account, .. }: &Evidence<'_>) -> Option<Check> {
    let together = Disturbed::by(cell).ends_agree();
    const NAME: &str = "DPD (RFC 3706)";
    let agreement = prediction.agreement()?;
    if agreement.dpd != [true; 2] || account.negotiations.is_empty() || agreement.version == Version::V2 {
        return None;
    }
    let mut answered = account.negotiations.iter().filter(|n| together || n.chosen.is_some());
    let silent = answered.find(|n| !n.vendor_ids.iter().any(|name| name == NAME));
    let observed = match silent {
        Some(negotiation) => Err(format!("not in the negotiation that {} began", negotiation.initiator)),
        None => Ok("in every negotiation".into()),
    };
    check("dpd-announced", "RFC 3706 section 5.2", "the vendor ID of dead peer detection".into(), observed)
}

/// ESP is wrapped in UDP where an address is translated on the way or the cloud is told so, and nowhere else.
pub(super) fn encapsulation(Evidence { cell, account, .. }: &Evidence<'_>) -> Option<Check> {
    let mut wanted = cell.customers.values().map(|customer| customer.nat || customer.force_encapsulation);
    let wrapped = wanted.next()?;
    // Of customers that differ, the ends would have to be told apart.
    if account.sas.is_empty() || wanted.any(|other| other != wrapped) {
        return None;
    }
    let (all, in_udp) =
        account.sas.iter().fold((0, 0), |(all, in_udp), sa| (all + sa.packets, in_udp + sa.encapsulated));
    let text = format!("{in_udp} of {all} packets in UDP");
    let observed = if in_udp == if wrapped { all } else { 0 } { Ok(text) } else { Err(text) };
    let expected = if wrapped { "every ESP packet in UDP" } else { "no ESP packet in UDP" };
    check("encapsulation", "RFC 3948, `forceencap` of CloudStack 4.3", expected.into(), observed)
}

/// Each probe that was to arrive was sent once, seen in ESP once at every point, and received once.
pub(super) fn probes(Evidence { account, facts, .. }: &Evidence<'_>) -> Option<Check> {
    let delivered = |exchange: u32| {
        facts.probes.iter().any(|probe| probe.exchange == exchange && probe.expected == Expected::Delivered)
    };
    let flows: Vec<_> = account.flows.iter().filter(|flow| delivered(flow.exchange)).collect();
    if flows.is_empty() {
        return None;
    }
    let sent: u64 = flows.iter().map(|flow| flow.sent).sum();
    let wanted = facts.probes.iter().filter(|probe| probe.expected == Expected::Delivered).count() as u64;
    let short = flows.iter().find(|flow| flow.protected != flow.sent || flow.received != flow.sent);
    let observed = match short {
        Some(flow) => Err(format!(
            "exchange {}, {} to {}: {} sent, {} protected, {} received",
            flow.exchange, flow.source, flow.destination, flow.sent, flow.protected, flow.received
        )),
        None if sent == wanted => Ok(format!("all {sent} in {} flows", flows.len())),
        None => Err(format!("{sent} were seen")),
    };
    check("probes", "RFC 4303 section 3", format!("{wanted} sent, protected and received once each"), observed)
}

/// Nothing between the protected networks was ever in clear on the internet.
pub(super) fn clear_text(Evidence { account, .. }: &Evidence<'_>) -> Option<Check> {
    let leaks: Vec<_> = account.findings.iter().filter(|finding| finding.code == Code::ClearText.name()).collect();
    let observed = match leaks.first() {
        Some(first) => Err(format!("{} frames, the first: {}", leaks.len(), first.observed)),
        None => Ok("none".into()),
    };
    let check = check("clear-text", "RFC 4301 section 5.1", "none on the internet at any time".into(), observed);
    shown_by(check, leaks.iter().flat_map(|finding| finding.frames.clone()))
}

/// Every frame has its class, and no finding is left.
pub(super) fn left_over(Evidence { cell, account, .. }: &Evidence<'_>) -> Option<Check> {
    let explained: u64 = account.points.iter().flat_map(|point| point.classes.values()).sum();
    let disturbed = Disturbed::by(cell);
    let (excused, findings): (Vec<_>, Vec<_>) =
        account.findings.iter().partition(|finding| disturbed.excuses(&finding.code).is_some());
    let excuses: BTreeSet<_> = excused.iter().filter_map(|finding| disturbed.excuses(&finding.code)).collect();
    let excuses: Vec<_> = excuses.into_iter().collect();
    let observed = match findings.first() {
        Some(first) => {
            let at = first.frame().map_or(String::new(), |frame| format!(" (frame {frame})"));
            Err(format!("{} findings, the first: {}{at}: {}", findings.len(), first.code, first.observed))
        }
        None if explained == account.frames && !excused.is_empty() => {
            let (count, why) = (excused.len(), excuses.join(" and "));
            Ok(format!(
                "{explained} frames, each in its class; {count} findings come of the scenario's own faults: {why}"
            ))
        }
        None if explained == account.frames => Ok(format!("{explained} frames, each in its class")),
        None => Err(format!("{explained} of {} frames", account.frames)),
    };
    let check = check("nothing-left-over", "the audit", "every captured frame explained".into(), observed);
    shown_by(check, findings.iter().flat_map(|finding| finding.frames.clone()))
}
