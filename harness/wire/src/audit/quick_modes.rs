//! Quick Modes (RFC 2409 section 5.5): what each agreed on, whether it exchanged keys of its own, and whether kernels use
//! what came of it. Where no key opens one, the lengths of its messages tell whether a key exchange fits into them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use policy::{Group, Hash};

use super::{Code, Demanded, Facts, Finding, Pfs, QuickMode, SaKeys, Sealed, frames::KEPT, negotiations::Sent};
use crate::{
    hex,
    isakmp::{Body, Identification, Seen, Sessions, protocol},
};

/// Of one IKE SA, by message ID.
#[derive(Default)]
pub(super) struct QuickModes {
    modes: BTreeMap<u32, Tracked>,
}

struct Tracked {
    account: QuickMode,
    /// Whether the initiator's and the responder's message were opened, and have a KE payload.
    exchanged: [Option<Option<usize>>; 2],
    /// Encrypted bytes of these messages.
    lengths: [Option<usize>; 2],
    ordinal: u32,
}

/// By SPI and destination: those that Quick Modes agreed on.
pub(super) type Agreed = BTreeSet<(u32, Ipv4Addr)>;

impl QuickModes {
    /// Whether there is room for it.
    pub(super) fn see(
        &mut self,
        sent: &Sent<'_>,
        seen: &Seen,
        hash: Option<Hash>,
        facts: &Facts,
        findings: &mut Vec<Finding>,
    ) -> bool {
        let message_id = sent.message.message_id;
        if self.modes.len() as u64 >= KEPT && !self.modes.contains_key(&message_id) {
            return false;
        }
        let tracked = self.modes.entry(message_id).or_insert_with(|| Tracked {
            account: QuickMode {
                message_id,
                initiator: *sent.source.ip(),
                frames: Vec::new(),
                chosen: None,
                pfs: Pfs::Unknown,
                selectors: None,
                spis: [None; 2],
                keys_match: None,
            },
            exchanged: [None; 2],
            lengths: [None; 2],
            ordinal: 0,
        });
        tracked.see(sent, seen, facts, findings);
        if let (Sealed::Closed, Some(hash)) = (seen.sealed, hash) {
            tracked.judge_length(hash, facts.demanded.as_ref(), findings);
        }
        true
    }

    /// Compares what was agreed on with what kernels hold.
    pub(super) fn compare(
        &mut self,
        sa: Option<usize>,
        sessions: &mut Sessions,
        facts: &Facts,
        agreed: &mut Agreed,
        findings: &mut Vec<Finding>,
    ) {
        for tracked in self.modes.values_mut() {
            let mode = &mut tracked.account;
            for spi in mode.spis.into_iter().flatten() {
                let mut held = facts.sas.iter().filter(|held| held.spi == spi).peekable();
                // The third message has the responder install the other half.
                if held.peek().is_none() && tracked.ordinal >= 3 && !facts.sas.is_empty() {
                    let text = format!("SPI {spi:#010x} of Quick Mode {:#010x} is in none", mode.message_id);
                    findings.push(Code::SaNotInstalled.finding(mode.frames.clone(), text));
                }
                for held in held {
                    agreed.insert((spi, held.destination));
                    let fits = sa.and_then(|sa| fits(sessions, sa, mode.message_id, held));
                    if fits == Some(false) {
                        let text = format!("SPI {spi:#010x} to {} has others", held.destination);
                        findings.push(Code::KeysDiffer.finding(mode.frames.clone(), text));
                    }
                    mode.keys_match = match (mode.keys_match, fits) {
                        (Some(false), _) | (_, Some(false)) => Some(false),
                        (known, None) => known,
                        (_, fits) => fits,
                    };
                }
            }
        }
    }

    pub(super) fn finish(self) -> Vec<QuickMode> {
        let mut modes: Vec<_> = self.modes.into_values().map(|tracked| tracked.account).collect();
        modes.sort_by_key(|mode| mode.frames.first().copied());
        modes
    }
}

fn fits(sessions: &mut Sessions, sa: usize, message_id: u32, held: &SaKeys) -> Option<bool> {
    let [cipher, integrity] = [hex::decode(&held.encryption_key)?, hex::decode(&held.integrity_key)?];
    let length = cipher.len() + integrity.len();
    sessions.key_material_fits(sa, message_id, held.spi, length, |material| {
        material.split_at_checked(cipher.len()) == Some((&cipher, &integrity))
    })
}

impl Tracked {
    fn see(&mut self, sent: &Sent<'_>, seen: &Seen, facts: &Facts, findings: &mut Vec<Finding>) {
        self.account.frames.push(sent.frame.number);
        self.ordinal = self.ordinal.max(seen.ordinal);
        let end = match seen.ordinal {
            1 => 0,
            2 => 1,
            _ => return,
        };
        self.lengths[end] = Some(sent.message.body.len());
        if seen.sealed == Sealed::Closed {
            return;
        }
        let mut key_exchange = None;
        let mut clients = Vec::new();
        for body in &seen.payloads {
            match body {
                Body::SecurityAssociation(sa) => {
                    let proposal = sa.proposals.iter().find(|proposal| proposal.protocol == protocol::ESP);
                    let spi = proposal.and_then(|proposal| proposal.spi.as_slice().try_into().ok());
                    self.account.spis[end] = spi.map(u32::from_be_bytes);
                    if end == 1 {
                        let transform = proposal.and_then(|proposal| proposal.transforms.first());
                        self.account.chosen = transform.map(|transform| transform.phase_2());
                    }
                }
                Body::KeyExchange(public) => key_exchange = Some(public.len()),
                Body::Identification(client) => clients.push(client),
                _ => {}
            }
        }
        self.exchanged[end] = Some(key_exchange);
        if let ([from, to], 0) = (&clients[..], end) {
            self.account.selectors = Some([from.to_string(), to.to_string()]);
            findings.extend(self.strangers([from, to], facts));
        }
        if end == 1 {
            self.answered(facts.demanded.as_ref(), findings);
        }
    }

    /// Once both ends have spoken.
    fn answered(&mut self, demanded: Option<&Demanded>, findings: &mut Vec<Finding>) {
        let [Some(offered), Some(answered)] = self.exchanged else { return };
        let group = |length| Group::ALL.into_iter().find(|group| group.public_len() == length);
        self.account.pfs = match (offered, answered) {
            (Some(offered), Some(answered)) => Pfs::Seen { group: group(offered).filter(|_| offered == answered) },
            _ => Pfs::None,
        };
        let Some(demanded) = demanded else { return };
        findings.extend(self.exchange_differs(demanded));
        let Some(chosen) = &self.account.chosen else { return };
        let esp = demanded.esp;
        if chosen.encryption != Some(esp.encryption) || chosen.integrity != Some(esp.hash) {
            let text = format!("{}, where {}-{} is demanded", chosen.text, esp.encryption, esp.hash);
            findings.push(Code::WrongTransform.finding(self.frames(), text));
        }
    }

    /// What is not as demanded in the key exchange, seen or inferred.
    fn exchange_differs(&self, demanded: &Demanded) -> Option<Finding> {
        let wanted = demanded.esp.group;
        let name = format!("Quick Mode {:#010x}", self.account.message_id);
        let (found, how) = match self.account.pfs {
            Pfs::Seen { group } => (Some(group), "has a KE payload"),
            Pfs::None => (None, "has no KE payload"),
            Pfs::Inferred { group } => (group.map(Some), "is as long as messages are"),
            Pfs::Unknown => return None,
        };
        match (wanted, found) {
            (Some(wanted), None) => Some(Code::PfsMissing.finding(
                self.frames(),
                format!("{name} {how}{}, and {wanted} is demanded", without(self.account.pfs)),
            )),
            (None, Some(group)) => {
                Some(Code::PfsNotDemanded.finding(self.frames(), format!("{name} {how} of {}", in_words(group))))
            }
            (Some(wanted), Some(group)) if group != Some(wanted) => Some(
                Code::WrongGroup
                    .finding(self.frames(), format!("{name} {how} of {}, and {wanted} is demanded", in_words(group))),
            ),
            _ => None,
        }
    }

    /// The answer first, since it decides.
    fn frames(&self) -> Vec<u64> {
        self.account.frames.iter().rev().copied().collect()
    }

    /// Clients that are not one network of each side. Of a foreign capture the networks may not be known.
    fn strangers(&self, clients: [&Identification; 2], facts: &Facts) -> Option<Finding> {
        if facts.local.is_empty() || facts.remote.is_empty() {
            return None;
        }
        let within = |nets: &[ipnet::Ipv4Net], client: &Identification| {
            client.network().is_some_and(|network| nets.iter().any(|net| net.contains(&network)))
        };
        let [from, to] = clients;
        let between = |one, other| within(one, from) && within(other, to);
        if between(&facts.local, &facts.remote) || between(&facts.remote, &facts.local) {
            return None;
        }
        let text = format!("Quick Mode {:#010x} is for {from} and {to}", self.account.message_id);
        Some(Code::WrongSelectors.finding(self.account.frames.clone(), text))
    }

    /// Whether there is room for a key exchange, and of which group, in messages that stay closed.
    fn judge_length(&mut self, hash: Hash, demanded: Option<&Demanded>, findings: &mut Vec<Finding>) {
        let ([Some(offer), Some(answer)], Pfs::Unknown) = (self.lengths, self.account.pfs) else { return };
        let groups = [offer, answer].map(|length| group_that_fits(length, hash));
        let [Some(offered), Some(answered)] = groups else { return };
        if offered == answered {
            self.account.pfs = Pfs::Inferred { group: offered };
            findings.extend(demanded.and_then(|demanded| self.exchange_differs(demanded)));
        }
    }
}

/// What daemons put into the first two messages of a Quick Mode besides a key exchange and a hash, in bytes: one
/// proposal with one transform (44 to 64), a nonce of 16 to 32 and two networks of 12 with their headers, and padding to
/// whole blocks. A KE payload of group 2 is 132 bytes, one of group 5 is 64 more: more than this differs by.
const BESIDES: std::ops::RangeInclusive<usize> = 96..=159;

/// The group of the one key exchange that fits into so many encrypted bytes, or none of the two; nothing if it is not
/// clear.
fn group_that_fits(length: usize, hash: Hash) -> Option<Option<Group>> {
    let room = |group: &Option<Group>| {
        let exchange = group.map_or(0, |group| group.public_len() + 4);
        let besides = length.checked_sub(exchange + hash.digest_len() + 4);
        besides.is_some_and(|besides| BESIDES.contains(&besides))
    };
    let mut fitting = [None].into_iter().chain(Group::ALL.map(Some)).filter(room);
    let only = fitting.next()?;
    fitting.next().is_none().then_some(only)
}

fn in_words(group: Option<Group>) -> String {
    group.map_or_else(|| "a group that is not known".to_owned(), |group| group.to_string())
}

fn without(pfs: Pfs) -> &'static str {
    if matches!(pfs, Pfs::Inferred { .. }) { " without a key exchange" } else { "" }
}
