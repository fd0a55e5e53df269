//! What the audit read of IKE, in words that every view has in common.

use std::net::Ipv4Addr;

use policy::Version;
use wire::{
    audit::{
        Account, ChosenChild, ChosenTransform, IkeMessage, LeftOut, Negotiation, PathMtu, PayloadShown, Pfs, QuickMode,
        Rekey, Sealed, Secrecy,
    },
    isakmp,
};

use crate::format;

/// The responder's choice in phase 1.
pub fn chosen(chosen: &ChosenTransform) -> String {
    let known = [
        chosen.encryption.map(|encryption| encryption.to_string()),
        chosen.hash.map(|hash| hash.to_string()),
        chosen.group.map(|group| group.to_string()),
        chosen.pre_shared_key.then(|| "pre-shared key".to_owned()),
        chosen.lifetime_seconds.map(seconds),
    ];
    known.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The responder's choice in Quick Mode.
pub fn child(chosen: &ChosenChild) -> String {
    let known = [
        chosen.encryption.map(|encryption| encryption.to_string()),
        chosen.integrity.map(|hash| hash.to_string()),
        chosen.group.map(|group| group.to_string()),
        chosen.lifetime_seconds.map(seconds),
        chosen.lifetime_kilobytes.map(|kilobytes| format!("{} kB", format::count(kilobytes))),
    ];
    known.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn seconds(seconds: u64) -> String {
    format!("{seconds} s")
}

/// How much was put up for choice.
pub fn offered(negotiation: &Negotiation) -> String {
    let noun = match negotiation.version {
        Version::V1 => "transform",
        Version::V2 => "proposal",
    };
    format::plural(negotiation.offered, noun)
}

/// Whether a Quick Mode had a key exchange of its own.
pub fn pfs(pfs: Pfs) -> String {
    match pfs {
        Pfs::Seen { group: Some(group) } => format!("{group}, seen in both messages"),
        Pfs::Seen { group: None } => "seen, of a group whose length is none of the known ones".to_owned(),
        Pfs::None => "none: neither message has a key exchange".to_owned(),
        Pfs::Inferred { group: Some(group) } => format!("{group}, inferred from the lengths of the messages"),
        Pfs::Inferred { group: None } => "none, inferred from the lengths of the messages".to_owned(),
        Pfs::Unknown => "not known".to_owned(),
    }
}

/// How much of what was encrypted could be read.
pub fn secrecy(negotiation: &Negotiation) -> String {
    match &negotiation.secrecy {
        Secrecy::Decrypted => {
            let authenticated = usize::try_from(negotiation.authenticated).unwrap_or(usize::MAX);
            format!("all decrypted, {} authenticated", format::plural(authenticated, "message"))
        }
        Secrecy::NothingEncrypted => "nothing was encrypted".to_owned(),
        Secrecy::NotDecrypted { reason } => format!("not decrypted: {reason}"),
    }
}

/// Probes and answers of dead peer detection, unless there were none.
pub fn dpd(negotiation: &Negotiation) -> Option<String> {
    let [probes, answers] = negotiation.dpd.map(|count| usize::try_from(count).unwrap_or(usize::MAX));
    (probes + answers > 0)
        .then(|| format!("{}, {}", format::plural(probes, "probe"), format::plural(answers, "answer")))
}

/// Initiator's and responder's, where they could be read.
pub fn identities(negotiation: &Negotiation) -> Option<String> {
    let [initiator, responder] = negotiation.identities.each_ref().map(Option::as_deref);
    let unread = "not read";
    (initiator.is_some() || responder.is_some())
        .then(|| format!("{} and {}", initiator.unwrap_or(unread), responder.unwrap_or(unread)))
}

/// What the SAs of a Quick Mode are for.
pub fn selectors(mode: &QuickMode) -> Option<String> {
    mode.selectors.as_ref().map(|[initiator, responder]| format!("{initiator} and {responder}"))
}

/// The SPIs that its two ends receive with.
pub fn spis(mode: &QuickMode, negotiation: &Negotiation) -> Option<String> {
    let responder = if mode.initiator == negotiation.initiator { negotiation.responder } else { negotiation.initiator };
    let to = |end: Ipv4Addr, spi: Option<u32>| spi.map(|spi| format!("{} to {end}", format::spi(spi)));
    let spis = [to(mode.initiator, mode.spis[0]), to(responder, mode.spis[1])];
    let spis: Vec<_> = spis.into_iter().flatten().collect();
    (!spis.is_empty()).then(|| spis.join(", "))
}

/// Whether the keys that it leads to are in use.
pub fn keys(mode: &QuickMode) -> &'static str {
    match mode.keys_match {
        Some(true) => "those of the SAs",
        Some(false) => "others than those of the SAs",
        None => "not computed",
    }
}

/// What became of a message that may be encrypted.
pub fn sealed(sealed: Sealed) -> &'static str {
    match sealed {
        Sealed::Clear => "in clear",
        Sealed::Authenticated => "authenticated",
        Sealed::Opened => "opened",
        Sealed::Closed => "closed",
    }
}

/// The exchange, which message of it this is, and the port where it is not the usual one.
pub fn message(message: &IkeMessage) -> String {
    let ports = [message.source.port(), message.destination.port()];
    let port = ports.into_iter().find(|port| *port != isakmp::PORT);
    let port = port.map_or(String::new(), |port| format!(", port {port}"));
    format!("{} {}{port}", message.exchange, message.ordinal)
}

/// Payloads with what they tell. Those that follow each other under one name share it, and so do those that tell nothing
/// but their length.
pub fn payloads(payloads: &[PayloadShown]) -> Vec<(String, Vec<&str>)> {
    let alike = |a: &PayloadShown, b: &PayloadShown| match (tells(a), tells(b)) {
        (false, false) => true,
        (true, true) => a.name == b.name,
        _ => false,
    };
    payloads
        .chunk_by(alike)
        .map(|group| {
            let mut names: Vec<&str> = group.iter().map(|payload| payload.name.as_str()).collect();
            names.dedup();
            let telling = group.iter().filter(|payload| tells(payload));
            (names.join(", "), telling.flat_map(|payload| &payload.details).map(String::as_str).collect())
        })
        .collect()
}

/// Of a hash or a nonce only the length is shown, which helps nobody.
fn tells(payload: &PayloadShown) -> bool {
    let length = |detail: &String| detail.strip_suffix(" bytes").is_some_and(|length| length.parse::<u64>().is_ok());
    !payload.details.iter().all(length)
}

/// Which SA followed which, and where it began to.
pub fn successors(rekey: &Rekey) -> String {
    let [old, new] = rekey.spis.map(format::spi);
    format!("{old}, then {new} from frame {}", format::count(rekey.frame))
}

pub fn networks(rekey: &Rekey) -> String {
    rekey.selectors.join(" and ")
}

/// How long both were in use, or neither.
pub fn overlap(rekey: &Rekey) -> String {
    let late = match rekey.late_packets {
        0 => "no packet of the old one after the first of the new".to_owned(),
        1 => "1 packet of the old one after the first of the new".to_owned(),
        late => format!("{} packets of the old one after the first of the new", format::count(late)),
    };
    format!("{}, {late}", format::signed_seconds(rekey.overlap_ns))
}

/// What routers said at one point of the longest packet that gets through, unless they said nothing.
pub fn path_mtu(account: &Account, point: &str) -> Option<String> {
    let told: Vec<_> = account.path_mtus.iter().filter(|told| told.point == point).map(one_path_mtu).collect();
    (!told.is_empty()).then(|| told.join(", "))
}

fn one_path_mtu(told: &PathMtu) -> String {
    let mtu = if told.mtu == 0 { "MTU not told".to_owned() } else { format!("MTU {}", format::count(told.mtu.into())) };
    let times = if told.frames > 1 { format!(", {} times", format::count(told.frames)) } else { String::new() };
    format!("{mtu} (first in frame {}{times})", told.first_frame)
}

/// What is not listed of the conversation, unless all of it is.
pub fn left_out(account: &Account) -> Option<String> {
    let LeftOut { messages, of_negotiations, of_quick_modes } = account.left_out;
    let kinds = [
        (messages, "not told one by one"),
        (of_negotiations, "of negotiations that are not followed"),
        (of_quick_modes, "of Quick Modes that are not followed"),
    ];
    let told: Vec<_> = kinds
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", format::count(count)))
        .collect();
    (!told.is_empty()).then(|| format!("more messages of IKE: {}", told.join(", ")))
}

/// In which frames a message came, unless it came whole.
pub fn pieces(message: &IkeMessage) -> Option<String> {
    let frames = format::frames(&message.pieces)?;
    Some(format!("came in {}: {frames}", format::plural(message.pieces.len(), "piece")))
}

/// How often a message was sent again, unless it was not.
pub fn sent_again(message: &IkeMessage) -> Option<String> {
    match message.retransmissions {
        0 => None,
        1 => Some("sent again".to_owned()),
        times => Some(format!("sent again {} times", format::count(times))),
    }
}

/// How often a pair of messages is repeated, unless it is not.
pub fn repeats(message: &IkeMessage) -> Option<String> {
    if message.repeats == 0 {
        return None;
    }
    // Dead peer detection asks R-U-THERE (RFC 3706 section 5.3).
    let mut details = message.payloads.iter().flat_map(|payload| &payload.details);
    let what =
        if details.any(|detail| detail.contains("R-U-THERE")) { "DPD probe and answer" } else { "this and its answer" };
    let until = message.last_frame.map_or(String::new(), |frame| format!(" up to frame {}", format::count(frame)));
    Some(format!("{what}, {} more{until}", format::count(message.repeats)))
}
