//! Phase 1 as far as it is in clear: who offered what, what was chosen, and who they are.

use std::collections::{HashMap, HashSet};

use super::{ChosenTransform, Code, Finding, Negotiation, frames::Defect};
use crate::{
    hex, ipv4,
    isakmp::{Message, SecurityAssociation, exchange, payload, vendor_name},
};

type Cookie = [u8; 8];

const UNKNOWN: Cookie = [0; 8];

/// In the order of their first messages.
#[derive(Default)]
pub(super) struct Negotiations {
    negotiations: Vec<Tracked>,
    /// Several have the same initiator cookie if its first message was answered twice.
    by_initiator: HashMap<Cookie, Vec<usize>>,
}

struct Tracked {
    account: Negotiation,
    /// Zero until the responder spoke.
    responder: Cookie,
    offer_seen: bool,
    quick_modes: HashSet<u32>,
}

impl Negotiations {
    /// Every message is seen at several points, and perhaps sent again: only what is new counts.
    pub(super) fn see(
        &mut self,
        frame: u64,
        packet: &ipv4::Packet<'_>,
        message: &Message<'_>,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Defect> {
        let mut payloads = Vec::new();
        for payload in message.payloads() {
            payloads.push(payload?);
        }
        let negotiates = matches!(message.exchange, exchange::MAIN_MODE | exchange::AGGRESSIVE_MODE);
        let known = self.find(message);
        let index = match known {
            Some(index) => index,
            // An informational exchange alone is no negotiation.
            None if negotiates || message.exchange == exchange::QUICK_MODE => self.add(packet, message),
            None => return Ok(()),
        };
        let tracked = &mut self.negotiations[index];
        if known.is_none() && message.exchange == exchange::AGGRESSIVE_MODE {
            let text = format!("{} negotiates in aggressive mode with {}", packet.source, packet.destination);
            findings.push(Code::AggressiveMode.finding(frame, text));
        }
        if tracked.responder == UNKNOWN && message.responder_cookie != UNKNOWN {
            tracked.responder = message.responder_cookie;
            tracked.account.cookies[1] = hex::encode(&message.responder_cookie);
        }
        if message.exchange == exchange::QUICK_MODE {
            tracked.quick_modes.insert(message.message_id);
        }
        for payload in payloads {
            match payload.kind {
                payload::VENDOR_ID => {
                    let name = vendor_name(payload.body);
                    if !tracked.account.vendor_ids.contains(&name) {
                        tracked.account.vendor_ids.push(name);
                    }
                }
                payload::SECURITY_ASSOCIATION if negotiates => {
                    let sa = SecurityAssociation::parse(payload.body)?;
                    // Only the first two messages have an SA payload, and only the first lacks this cookie.
                    let answers = message.responder_cookie != UNKNOWN;
                    if answers { tracked.answer(frame, &sa, findings) } else { tracked.offer(&sa) }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn find(&self, message: &Message<'_>) -> Option<usize> {
        let same = |index: &usize| {
            let responder = self.negotiations[*index].responder;
            [responder, message.responder_cookie].contains(&UNKNOWN) || responder == message.responder_cookie
        };
        self.by_initiator.get(&message.initiator_cookie)?.iter().copied().find(same)
    }

    fn add(&mut self, packet: &ipv4::Packet<'_>, message: &Message<'_>) -> usize {
        let cookies = [message.initiator_cookie, message.responder_cookie].map(|cookie| hex::encode(&cookie));
        let account = Negotiation {
            initiator: packet.source,
            responder: packet.destination,
            cookies,
            exchange: exchange::name(message.exchange),
            answer_frame: None,
            chosen: None,
            offered: 0,
            vendor_ids: Vec::new(),
            quick_modes: 0,
        };
        let responder = message.responder_cookie;
        self.negotiations.push(Tracked { account, responder, offer_seen: false, quick_modes: HashSet::new() });
        let index = self.negotiations.len() - 1;
        self.by_initiator.entry(message.initiator_cookie).or_default().push(index);
        index
    }

    pub(super) fn finish(self) -> Vec<Negotiation> {
        let finish =
            |tracked: Tracked| Negotiation { quick_modes: tracked.quick_modes.len() as u64, ..tracked.account };
        self.negotiations.into_iter().map(finish).collect()
    }
}

impl Tracked {
    fn offer(&mut self, sa: &SecurityAssociation) {
        if !std::mem::replace(&mut self.offer_seen, true) {
            self.account.offered = sa.transforms().count();
        }
    }

    /// The responder must choose exactly one transform (RFC 2408 section 4.2, RFC 2409 section 5).
    fn answer(&mut self, frame: u64, sa: &SecurityAssociation, findings: &mut Vec<Finding>) {
        if self.account.answer_frame.is_some() {
            return;
        }
        self.account.answer_frame = Some(frame);
        let chosen: Vec<ChosenTransform> = sa.transforms().map(|transform| transform.phase_1()).collect();
        if let [only] = &chosen[..] {
            self.account.chosen = Some(only.clone());
            return;
        }
        let text = format!("{} answers with {} transforms instead of one", self.account.responder, chosen.len());
        findings.push(Code::AmbiguousAnswer.finding(frame, text));
    }
}
