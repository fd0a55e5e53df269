//! What the capture has to say, as the audit accounts for it.

use policy::{Lifetime, Prediction, Proposal};
use wire::audit::{ChosenTransform, Code, Expected, Negotiation};

use super::{Evidence, check};
use crate::record::Check;

/// Every phase 1 is Main Mode with a pre-shared key, and its answer is the policy.
pub(super) fn phase_1(Evidence { prediction, account, cell, .. }: &Evidence<'_>) -> Option<Check> {
    let Prediction::Established { ike, .. } = prediction else { return None };
    let lifetime = cell.policy.ike_lifetime;
    let wrong = account.negotiations.iter().find_map(|negotiation| difference(negotiation, *ike, lifetime));
    let observed = match (wrong, account.negotiations.as_slice()) {
        (Some(wrong), _) => Err(wrong),
        (None, []) => Err("no negotiation".into()),
        (None, [_]) => Ok("the answer of the one negotiation".into()),
        (None, all) => Ok(format!("the answers of all {} negotiations", all.len())),
    };
    let wanted = format!("main mode, pre-shared key, {ike}, {} s", lifetime.0);
    check("phase-1", "RFC 2409 sections 5 and 5.4", wanted, observed)
}

fn difference(negotiation: &Negotiation, ike: Proposal, lifetime: Lifetime) -> Option<String> {
    let at = negotiation.answer_frame.map_or("no frame".to_owned(), |frame| format!("frame {frame}"));
    if negotiation.exchange != "main mode" {
        return Some(format!("{} from {}", negotiation.exchange, negotiation.initiator));
    }
    let Some(ChosenTransform { encryption, hash, group, pre_shared_key, lifetime_seconds, text }) = &negotiation.chosen
    else {
        return Some(format!("no answer to {} from {}", negotiation.cookies[0], negotiation.initiator));
    };
    let same = *encryption == Some(ike.encryption)
        && *hash == Some(ike.hash)
        && *group == Some(ike.ike_group())
        && *pre_shared_key
        && *lifetime_seconds == Some(u64::from(lifetime.0));
    (!same).then(|| format!("{text} in {at}"))
}

/// With DPD, both ends say that they know it (RFC 3706 section 5.2).
pub(super) fn dead_peer_detection(Evidence { cell, account, .. }: &Evidence<'_>) -> Option<Check> {
    const NAME: &str = "DPD (RFC 3706)";
    if !cell.policy.dpd || account.negotiations.is_empty() {
        return None;
    }
    let silent = account.negotiations.iter().find(|n| !n.vendor_ids.iter().any(|name| name == NAME));
    let observed = match silent {
        Some(negotiation) => Err(format!("not in the negotiation that {} began", negotiation.initiator)),
        None => Ok("in every negotiation".into()),
    };
    check("dpd-announced", "RFC 3706 section 5.2", "the vendor ID of dead peer detection".into(), observed)
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
        Some(first) => Err(format!("{} frames, the first: {}", leaks.len(), first.text)),
        None => Ok("none".into()),
    };
    check("clear-text", "RFC 4301 section 5.1", "none on the internet at any time".into(), observed)
}

/// Every frame has its class, and no finding is left.
pub(super) fn left_over(Evidence { account, .. }: &Evidence<'_>) -> Option<Check> {
    let explained: u64 = account.points.iter().flat_map(|point| point.classes.values()).sum();
    let observed = match account.findings.first() {
        Some(first) => {
            let at = first.frame.map_or(String::new(), |frame| format!(" (frame {frame})"));
            Err(format!("{} findings, the first: {}{at}: {}", account.findings.len(), first.code, first.text))
        }
        None if explained == account.frames => Ok(format!("{explained} frames, each in its class")),
        None => Err(format!("{explained} of {} frames", account.frames)),
    };
    check("nothing-left-over", "the audit", "every captured frame explained".into(), observed)
}
