//! IKE: who offered what, what was chosen, in phase 1 or IKE_SA_INIT; and what was agreed on under its protection, as far
//! as keys open it.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::SocketAddrV4,
};

use policy::Version;

use super::{
    ChosenTransform, Code, Demanded, EncryptionKey, Facts, Finding, IkeMessage, LeftOut, Negotiation, Sealed, Secrecy,
    conversation::Conversation,
    frames::{Defect, KEPT},
    quick_modes::{Agreed, QuickModes},
};
use crate::{
    Error, hex,
    isakmp::{
        Body, ByCookies, Cookie, Fragments, Incomplete, Message, Piece, Seen, Sessions, UNKNOWN, exchange, ikev2,
        notification_kind, payload, vendor_name,
    },
    pcapng,
};

/// In the order of their first messages.
pub(super) struct Negotiations<'a> {
    facts: &'a Facts,
    fragments: Fragments,
    sessions: Sessions,
    negotiations: Vec<Tracked>,
    by_cookies: ByCookies,
    /// Every message is seen at several points. What counts is the one that saw the first message with the same
    /// initiator's cookie.
    homes: HashMap<Cookie, usize>,
    conversation: Conversation,
    left_out: LeftOut,
    /// SPIs that the last message had deleted.
    deleted: Vec<u32>,
}

pub(super) struct Tracked {
    account: Negotiation,
    /// Zero until the responder spoke.
    responder: Cookie,
    /// In [`Sessions`].
    sa: Option<usize>,
    offer_seen: bool,
    encrypted: bool,
    quick_modes: QuickModes,
}

/// What came of it all.
pub(super) struct Ike {
    pub negotiations: Vec<Negotiation>,
    pub messages: Vec<IkeMessage>,
    pub left_out: LeftOut,
    /// For who wants to read the conversation elsewhere.
    pub encryption_keys: Vec<EncryptionKey>,
}

/// A message on its way, once.
pub(super) struct Sent<'a> {
    pub frame: &'a pcapng::Frame,
    pub source: SocketAddrV4,
    pub destination: SocketAddrV4,
    pub message: &'a Message<'a>,
    /// Numbers of the frames with its pieces, if it did not come whole.
    pub pieces: &'a [u64],
}

impl<'a> Negotiations<'a> {
    pub(super) fn new(facts: &'a Facts, findings: &mut Vec<Finding>) -> Self {
        let (sessions, unusable) = Sessions::new(&facts.ike);
        findings.extend(unusable.into_iter().map(|e| Code::UnusableKeys.finding([], e.to_string())));
        Self {
            facts,
            fragments: Fragments::default(),
            sessions,
            negotiations: Vec::new(),
            by_cookies: ByCookies::default(),
            homes: HashMap::new(),
            conversation: Conversation::default(),
            left_out: LeftOut::default(),
            deleted: Vec::new(),
        }
    }

    pub(super) fn see(&mut self, sent: &Sent<'_>, findings: &mut Vec<Finding>) -> Result<(), Defect> {
        let &Sent { frame, source, message, .. } = sent;
        let homes = self.homes.len() as u64;
        let home = match self.homes.entry(message.initiator_cookie) {
            Entry::Occupied(home) => Some(*home.get()),
            Entry::Vacant(new) => (homes < KEPT).then(|| *new.insert(frame.point)),
        };
        if home != Some(frame.point) {
            self.left_out.of_negotiations += u64::from(home.is_none());
            for payload in message.payloads() {
                payload?;
            }
            return Ok(());
        }
        let piece = self.fragments.take(*source.ip(), message, frame.number)?;
        findings.extend(self.fragments.given_up().map(incomplete));
        match piece {
            Piece::None => self.see_whole(sent, findings),
            Piece::Waits => Ok(()),
            Piece::Completes { message: bytes, frames } => {
                let whole = Message::parse(&bytes)?;
                if whole.initiator_cookie != message.initiator_cookie {
                    let found = u64::from_be_bytes(whole.initiator_cookie);
                    let (what, field) = ("an ISAKMP message in pieces", "initiator cookie");
                    return Err(Error::Field { what, field, found, expected: "that of its pieces" }.into());
                }
                self.see_whole(&Sent { message: &whole, pieces: &frames, ..*sent }, findings)
            }
        }
    }

    fn see_whole(&mut self, sent: &Sent<'_>, findings: &mut Vec<Finding>) -> Result<(), Defect> {
        let &Sent { frame, source, message, .. } = sent;
        let seen = self.sessions.see(*source.ip(), message)?;
        let line = line(sent, &seen);
        if seen.retransmission {
            self.conversation.again(&line);
            return Ok(());
        }
        self.conversation.add(line);
        let deletes = seen.payloads.iter().filter_map(|body| match body {
            Body::Delete(delete) => Some(delete.esp_spis()),
            _ => None,
        });
        self.deleted.extend(deletes.flatten());
        if seen.wrong_hash {
            let name = exchange::name(message.exchange);
            let text = format!("message {} of {name} {:#010x} has another", seen.ordinal, message.message_id);
            findings.push(Code::WrongHash.finding([frame.number], text));
        }
        // A responder that first wants a cookie or another group has not answered yet (RFC 7296 sections 1.2 and 2.6).
        let has_sa = seen.payloads.iter().any(|payload| payload.kind() == payload::SECURITY_ASSOCIATION_2);
        if message.exchange == exchange::IKE_SA_INIT && !has_sa {
            return Ok(());
        }
        // What an offer begins, and what must not be without one.
        let (negotiates, follows) = match message.exchange {
            exchange::MAIN_MODE | exchange::AGGRESSIVE_MODE | exchange::IKE_SA_INIT => (true, false),
            exchange::QUICK_MODE | exchange::IKE_AUTH => (false, true),
            _ => (false, false),
        };
        let known = self.by_cookies.find(message);
        let index = match known {
            Some(index) => index,
            None if (negotiates || follows) && self.negotiations.len() as u64 >= KEPT => {
                self.left_out.of_negotiations += 1;
                return Ok(());
            }
            None if negotiates || follows => self.add(sent),
            // An informational exchange alone is no negotiation; and IKEv2 makes new SAs inside old ones.
            None => return Ok(()),
        };
        self.by_cookies.learn(message, index);
        let tracked = &mut self.negotiations[index];
        tracked.sa = tracked.sa.or(seen.sa);
        if known.is_none() && message.exchange == exchange::AGGRESSIVE_MODE {
            let text = format!("{} negotiates in aggressive mode with {}", source.ip(), sent.destination.ip());
            findings.push(Code::AggressiveMode.finding([frame.number], text));
        }
        if tracked.responder == UNKNOWN && message.responder_cookie != UNKNOWN {
            tracked.responder = message.responder_cookie;
            tracked.account.cookies[1] = hex::encode(&message.responder_cookie);
        }
        tracked.note(&seen);
        if negotiates {
            tracked.phase_1(sent, &seen, self.facts.demanded.as_ref(), findings)?;
        } else if message.exchange == exchange::QUICK_MODE {
            let hash = tracked.account.chosen.as_ref().and_then(|chosen| chosen.hash);
            let followed = tracked.quick_modes.see(sent, &seen, hash, self.facts, findings);
            self.left_out.of_quick_modes += u64::from(!followed);
        }
        Ok(())
    }

    /// SPIs that the sender of the last message receives with no more.
    pub(super) fn deleted(&mut self) -> impl Iterator<Item = u32> + use<> {
        std::mem::take(&mut self.deleted).into_iter()
    }

    fn add(&mut self, sent: &Sent<'_>) -> usize {
        let message = sent.message;
        let cookies = [message.initiator_cookie, message.responder_cookie].map(|cookie| hex::encode(&cookie));
        let account = Negotiation {
            initiator: *sent.source.ip(),
            responder: *sent.destination.ip(),
            cookies,
            version: version(message),
            exchange: exchange::name(message.exchange),
            answer_frame: None,
            chosen: None,
            offered: 0,
            vendor_ids: Vec::new(),
            secrecy: Secrecy::Decrypted,
            identities: [None, None],
            quick_modes: Vec::new(),
            dpd: [0; 2],
            authenticated: 0,
        };
        self.negotiations.push(Tracked {
            account,
            responder: message.responder_cookie,
            sa: None,
            offer_seen: false,
            encrypted: false,
            quick_modes: QuickModes::default(),
        });
        self.negotiations.len() - 1
    }

    pub(super) fn finish(mut self, findings: &mut Vec<Finding>) -> Ike {
        findings.extend(self.fragments.finish().map(incomplete));
        let keys = self.negotiations.iter().filter_map(|tracked| self.sessions.encryption_key(tracked.sa?));
        let encryption_keys = keys.collect();
        let mut agreed = Agreed::new();
        for tracked in &mut self.negotiations {
            tracked.quick_modes.compare(tracked.sa, &mut self.sessions, self.facts, &mut agreed, findings);
        }
        let negotiations: Vec<_> = self.negotiations.into_iter().map(Tracked::finish).collect();
        // Of what was not decrypted, nobody knows the SPIs.
        let whole = |negotiation: &Negotiation| {
            negotiation.version == Version::V1
                && matches!(negotiation.secrecy, Secrecy::Decrypted | Secrecy::NothingEncrypted)
        };
        let complete = self.left_out.of_negotiations + self.left_out.of_quick_modes == 0;
        let read = complete && negotiations.iter().any(|negotiation| negotiation.authenticated > 0);
        if read && negotiations.iter().all(whole) {
            for sa in self.facts.sas.iter().filter(|sa| !agreed.contains(&(sa.spi, sa.destination))) {
                let text = format!("SPI {:#010x} to {} comes of no Quick Mode", sa.spi, sa.destination);
                findings.push(Code::SaNotNegotiated.finding([], text));
            }
        }
        let (messages, left_out) = self.conversation.finish();
        let left_out = LeftOut { messages: left_out, ..self.left_out };
        Ike { negotiations, messages, left_out, encryption_keys }
    }
}

fn incomplete(set: Incomplete) -> Finding {
    let (name, source) = (exchange::name(set.exchange), set.source);
    let text = format!("of a message of {name} from {source} these pieces are missing: {}", set.missing());
    Code::IncompleteMessage.finding(set.frames, text)
}

fn version(message: &Message<'_>) -> Version {
    if message.is_ikev2() { Version::V2 } else { Version::V1 }
}

fn line(sent: &Sent<'_>, seen: &Seen) -> IkeMessage {
    let &Sent { frame, source, destination, message, pieces } = sent;
    IkeMessage {
        frame: frame.number,
        time_ns: frame.time_ns,
        source,
        destination,
        cookies: [message.initiator_cookie, message.responder_cookie].map(|cookie| hex::encode(&cookie)),
        version: version(message),
        exchange: exchange::name(message.exchange),
        message_id: message.message_id,
        length: message.length,
        ordinal: seen.ordinal,
        sealed: seen.sealed,
        payloads: seen.payloads.iter().map(Body::shown).collect(),
        pieces: pieces.to_vec(),
        retransmissions: 0,
        repeats: 0,
        last_frame: None,
    }
}

/// What an SA payload puts up for choice.
struct Terms {
    chosen: Vec<ChosenTransform>,
    /// Whether one of them leaves nothing open.
    whole: bool,
}

impl Terms {
    fn of(body: &Body) -> Result<Option<Self>, Defect> {
        Ok(match body {
            Body::SecurityAssociation(sa) => {
                Some(Self { chosen: sa.transforms().map(|transform| transform.phase_1()).collect(), whole: true })
            }
            Body::Version2 { kind: payload::SECURITY_ASSOCIATION_2, body } => {
                let proposals = ikev2::Proposal::all(body)?;
                let whole = proposals.iter().all(ikev2::Proposal::is_a_choice);
                Some(Self { chosen: proposals.iter().map(ikev2::Proposal::chosen).collect(), whole })
            }
            _ => None,
        })
    }
}

impl Tracked {
    /// What any message may say.
    fn note(&mut self, seen: &Seen) {
        self.encrypted |= seen.sealed != Sealed::Clear;
        self.account.authenticated += u64::from(seen.sealed == Sealed::Authenticated);
        if let (Some(reason), Secrecy::Decrypted) = (&seen.closed, &self.account.secrecy) {
            self.account.secrecy = Secrecy::NotDecrypted { reason: reason.clone() };
        }
        for body in &seen.payloads {
            match body {
                Body::VendorId(id) | Body::Version2 { kind: payload::VENDOR_ID_2, body: id } => {
                    let name = vendor_name(id);
                    if !self.account.vendor_ids.contains(&name) {
                        self.account.vendor_ids.push(name);
                    }
                }
                Body::Notification(notification) => match notification.kind {
                    notification_kind::R_U_THERE => self.account.dpd[0] += 1,
                    notification_kind::R_U_THERE_ACK => self.account.dpd[1] += 1,
                    _ => {}
                },
                _ => {}
            }
        }
    }

    fn phase_1(
        &mut self,
        sent: &Sent<'_>,
        seen: &Seen,
        demanded: Option<&Demanded>,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Defect> {
        let end = usize::from(*sent.source.ip() != self.account.initiator);
        for body in &seen.payloads {
            if let Some(terms) = Terms::of(body)? {
                // Only the first two messages have an SA payload, and only the first lacks this cookie.
                match sent.message.responder_cookie {
                    UNKNOWN => self.offer(&terms),
                    _ => self.answer(sent.frame.number, terms, demanded, findings),
                }
            }
            match body {
                Body::Identification(id) => self.account.identities[end] = Some(id.to_string()),
                Body::KeyExchange(public) => {
                    let group = demanded.map(|demanded| demanded.ike.ike_group());
                    if let Some(group) = group.filter(|group| group.public_len() != public.len()) {
                        let text = format!("{} sends {} bytes, and {group} has others", sent.source.ip(), public.len());
                        findings.push(Code::WrongGroup.finding([sent.frame.number], text));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn offer(&mut self, terms: &Terms) {
        if !std::mem::replace(&mut self.offer_seen, true) {
            self.account.offered = terms.chosen.len();
        }
    }

    /// The responder must choose exactly one transform (RFC 2408 section 4.2, RFC 2409 section 5), or one of each kind
    /// (RFC 7296 section 2.7).
    fn answer(&mut self, frame: u64, terms: Terms, demanded: Option<&Demanded>, findings: &mut Vec<Finding>) {
        if self.account.answer_frame.is_some() {
            return;
        }
        self.account.answer_frame = Some(frame);
        if let ([only], true) = (&terms.chosen[..], terms.whole) {
            findings.extend(demanded.and_then(|demanded| difference(only, demanded, frame)));
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

    fn finish(self) -> Negotiation {
        let mut account = Negotiation { quick_modes: self.quick_modes.finish(), ..self.account };
        if !self.encrypted {
            account.secrecy = Secrecy::NothingEncrypted;
        }
        account
    }
}

/// What an answer has of its own. Lifetimes are left to the ends: the shorter one rules.
fn difference(chosen: &ChosenTransform, demanded: &Demanded, frame: u64) -> Option<Finding> {
    let Demanded { ike, .. } = demanded;
    let group = ike.ike_group();
    let observed = format!("{}, where {}-{} with {group} is demanded", chosen.text, ike.encryption, ike.hash);
    if chosen.group != Some(group) {
        return Some(Code::WrongGroup.finding([frame], observed));
    }
    // Version 2 tells authentication only where it is encrypted.
    let authenticates = chosen.pre_shared_key || demanded.version == Version::V2;
    let agrees = chosen.encryption == Some(ike.encryption) && chosen.hash == Some(ike.hash) && authenticates;
    (!agrees).then(|| Code::WrongTransform.finding([frame], observed))
}
