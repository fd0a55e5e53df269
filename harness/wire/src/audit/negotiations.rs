//! Phase 1, or IKE_SA_INIT, as far as it is in clear: who offered what, what was chosen, and who they are.

use std::collections::{BTreeMap, HashMap};

use policy::Version;

use super::{ChosenTransform, Code, Finding, Negotiation, Pfs, QuickMode, Secrecy, frames::Defect};
use crate::{
    hex, ipv4,
    isakmp::{Message, SecurityAssociation, exchange, ikev2, payload, vendor_name},
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
    quick_modes: BTreeMap<u32, QuickMode>,
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
        // A responder that first wants a cookie or another group has not answered yet (RFC 7296 sections 1.2 and 2.6).
        let has_sa = payloads.iter().any(|payload| payload.kind == payload::SECURITY_ASSOCIATION_2);
        if message.exchange == exchange::IKE_SA_INIT && !has_sa {
            return Ok(());
        }
        // What an offer begins, and what must not be without one.
        let (negotiates, follows) = match message.exchange {
            exchange::MAIN_MODE | exchange::AGGRESSIVE_MODE | exchange::IKE_SA_INIT => (true, false),
            exchange::QUICK_MODE | exchange::IKE_AUTH => (false, true),
            _ => (false, false),
        };
        let known = self.find(message);
        let index = match known {
            Some(index) => index,
            None if negotiates || follows => self.add(packet, message),
            // An informational exchange alone is no negotiation; and IKEv2 makes new SAs inside old ones.
            None => return Ok(()),
        };
        let tracked = &mut self.negotiations[index];
        if known.is_none() && message.exchange == exchange::AGGRESSIVE_MODE {
            let text = format!("{} negotiates in aggressive mode with {}", packet.source, packet.destination);
            findings.push(Code::AggressiveMode.finding([frame], text));
        }
        if tracked.responder == UNKNOWN && message.responder_cookie != UNKNOWN {
            tracked.responder = message.responder_cookie;
            tracked.account.cookies[1] = hex::encode(&message.responder_cookie);
        }
        if message.exchange == exchange::QUICK_MODE {
            let mode = tracked.quick_modes.entry(message.message_id).or_insert_with(|| QuickMode {
                message_id: message.message_id,
                initiator: packet.source,
                frames: Vec::new(),
                chosen: None,
                pfs: Pfs::Unknown,
                selectors: None,
                spis: [None; 2],
                keys_match: None,
            });
            mode.frames.push(frame);
        }
        for payload in payloads {
            match payload.kind {
                payload::VENDOR_ID | payload::VENDOR_ID_2 => {
                    let name = vendor_name(payload.body);
                    if !tracked.account.vendor_ids.contains(&name) {
                        tracked.account.vendor_ids.push(name);
                    }
                }
                payload::SECURITY_ASSOCIATION | payload::SECURITY_ASSOCIATION_2 if negotiates => {
                    let terms = Terms::parse(&tracked.account, payload.body)?;
                    // Only the first two messages have an SA payload, and only the first lacks this cookie.
                    let answers = message.responder_cookie != UNKNOWN;
                    if answers { tracked.answer(frame, terms, findings) } else { tracked.offer(&terms) }
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
            version: if message.is_ikev2() { Version::V2 } else { Version::V1 },
            exchange: exchange::name(message.exchange),
            answer_frame: None,
            chosen: None,
            offered: 0,
            vendor_ids: Vec::new(),
            secrecy: Secrecy::NotDecrypted { reason: "no key was given".to_owned() },
            identities: [None, None],
            quick_modes: Vec::new(),
            dpd: [0; 2],
            authenticated: 0,
        };
        let responder = message.responder_cookie;
        self.negotiations.push(Tracked { account, responder, offer_seen: false, quick_modes: BTreeMap::new() });
        let index = self.negotiations.len() - 1;
        self.by_initiator.entry(message.initiator_cookie).or_default().push(index);
        index
    }

    pub(super) fn finish(self) -> Vec<Negotiation> {
        self.negotiations.into_iter().map(Tracked::finish).collect()
    }
}

/// What an SA payload puts up for choice.
struct Terms {
    chosen: Vec<ChosenTransform>,
    /// Whether one of them leaves nothing open.
    whole: bool,
}

impl Terms {
    fn parse(negotiation: &Negotiation, body: &[u8]) -> Result<Self, Defect> {
        Ok(match negotiation.version {
            Version::V1 => {
                let sa = SecurityAssociation::parse(body)?;
                Self { chosen: sa.transforms().map(|transform| transform.phase_1()).collect(), whole: true }
            }
            Version::V2 => {
                let proposals = ikev2::Proposal::all(body)?;
                let whole = proposals.iter().all(ikev2::Proposal::is_a_choice);
                Self { chosen: proposals.iter().map(ikev2::Proposal::chosen).collect(), whole }
            }
        })
    }
}

impl Tracked {
    fn finish(self) -> Negotiation {
        Negotiation { quick_modes: self.quick_modes.into_values().collect(), ..self.account }
    }

    fn offer(&mut self, terms: &Terms) {
        if !std::mem::replace(&mut self.offer_seen, true) {
            self.account.offered = terms.chosen.len();
        }
    }

    /// The responder must choose exactly one transform (RFC 2408 section 4.2, RFC 2409 section 5), or one of each kind
    /// (RFC 7296 section 2.7).
    fn answer(&mut self, frame: u64, terms: Terms, findings: &mut Vec<Finding>) {
        if self.account.answer_frame.is_some() {
            return;
        }
        self.account.answer_frame = Some(frame);
        if let ([only], true) = (&terms.chosen[..], terms.whole) {
            self.account.chosen = Some(only.clone());
            return;
        }
        let (responder, count) = (self.account.responder, terms.chosen.len());
        let text = match self.account.version {
            Version::V1 => format!("{responder} answers with {count} transforms instead of one"),
            Version::V2 if count == 1 => format!("{responder} answers with a proposal that leaves something open"),
            Version::V2 => format!("{responder} answers with {count} proposals instead of one"),
        };
        findings.push(Code::AmbiguousAnswer.finding([frame], text));
    }
}
