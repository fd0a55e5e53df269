//! The packet account in words: frames by capture point and class, and negotiations.

use std::collections::BTreeMap;

use runner::record::SaSummary;
use serde::Serialize;
use wire::audit::{Account, Negotiation, PointAccount, QuickMode, Rekey, Side};

use super::{flows, sas};
use crate::{format, traffic::Traffic, words};

/// How many of the packets that were meant to arrive were seen protected, equal, and received.
#[derive(Serialize)]
pub struct Packets {
    proven: String,
    sent: String,
}

impl Packets {
    pub fn new(account: &Account) -> Option<Self> {
        let Traffic { sent, proven, .. } = Traffic::new(account);
        (sent > 0).then(|| Self { proven: format::count(proven), sent: format::count(sent) })
    }
}

#[derive(Serialize)]
pub struct Shown<'a> {
    frames: String,
    /// Frames that no class counts, or that two classes count; none in a sound account.
    unaccounted: Option<String>,
    /// The classes, those of most frames first: the columns of the points.
    classes: Vec<&'a str>,
    points: Vec<Point<'a>>,
    traffic: Option<flows::Traffic>,
    sas: Vec<sas::Sa>,
    rekeys: Vec<Successor>,
    negotiations: Vec<Negotiated<'a>>,
    /// What is not told of IKE, in words.
    left_out: Option<String>,
}

impl<'a> Shown<'a> {
    pub fn new(account: &'a Account, kernel: &[SaSummary]) -> Self {
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        for (class, count) in account.points.iter().flat_map(|point| &point.classes).filter(|(_, count)| **count > 0) {
            let sum = sums.entry(class).or_default();
            *sum = sum.saturating_add(*count);
        }
        let counted = sums.values().copied().fold(0, u64::saturating_add);
        let mut classes: Vec<&str> = sums.keys().copied().collect();
        classes.sort_by_key(|class| std::cmp::Reverse(sums[class]));
        let mut points: Vec<&PointAccount> = account.points.iter().collect();
        points.sort_by_key(|point| (way(point.side), point.name.as_str()));
        Self {
            frames: format::count(account.frames),
            unaccounted: (counted != account.frames).then(|| format::count(counted.abs_diff(account.frames))),
            points: points.into_iter().map(|point| Point::new(account, point, &classes)).collect(),
            classes,
            traffic: (!account.flows.is_empty()).then(|| flows::Traffic::new(account)),
            sas: sas::rows(account, kernel),
            rekeys: account.rekeys.iter().map(Successor::new).collect(),
            negotiations: account.negotiations.iter().map(Negotiated::new).collect(),
            left_out: words::left_out(account),
        }
    }
}

/// The order in which a packet from the VPC passes the points.
fn way(side: Side) -> u8 {
    match side {
        Side::Local => 0,
        Side::Internet => 1,
        Side::Remote => 2,
    }
}

#[derive(Serialize)]
struct Point<'a> {
    name: &'a str,
    side: &'static str,
    total: String,
    /// For each class its frames, and whether it is one that refutes.
    classes: Vec<(String, bool)>,
    path_mtu: Option<String>,
}

impl<'a> Point<'a> {
    fn new(account: &Account, point: &'a PointAccount, classes: &[&str]) -> Self {
        let count = |class: &&str| match point.classes.get(*class).copied().unwrap_or(0) {
            0 => ("\u{2013}".to_owned(), false),
            count => (format::count(count), refutes(class)),
        };
        Self {
            name: &point.name,
            side: match point.side {
                Side::Internet => "internet",
                Side::Local => "VPC",
                Side::Remote => "customer",
            },
            total: format::count(point.classes.values().copied().fold(0, u64::saturating_add)),
            classes: classes.iter().map(count).collect(),
            path_mtu: words::path_mtu(account, &point.name),
        }
    }
}

/// Classes in which every frame is a finding.
fn refutes(class: &str) -> bool {
    matches!(class, "clear-text" | "unexplained" | "malformed" | "truncated" | "fragment")
}

/// A count that is meant to equal a whole, and by how much it misses it.
#[derive(Serialize)]
pub struct Part {
    count: String,
    missing: Option<String>,
}

impl Part {
    pub fn new(count: u64, whole: u64) -> Self {
        let missing = match whole as i128 - count as i128 {
            0 => None,
            less @ 1.. => Some(format!("\u{2212}{less}")),
            more => Some(format!("+{}", -more)),
        };
        Self { count: format::count(count), missing }
    }
}

/// One SA that followed another.
#[derive(Serialize)]
struct Successor {
    source: String,
    destination: String,
    networks: String,
    spis: String,
    overlap: String,
}

impl Successor {
    fn new(rekey: &Rekey) -> Self {
        Self {
            source: rekey.source.to_string(),
            destination: rekey.destination.to_string(),
            networks: words::networks(rekey),
            spis: words::successors(rekey),
            overlap: words::overlap(rekey),
        }
    }
}

#[derive(Serialize)]
struct Negotiated<'a> {
    initiator: String,
    responder: String,
    cookies: &'a [String; 2],
    exchange: &'a str,
    frame: Option<u64>,
    chosen: Option<String>,
    /// The attributes as they stand in the answer.
    attributes: &'a str,
    /// How much was put up for choice, in words.
    offered: String,
    secrecy: String,
    identities: Option<String>,
    dpd: Option<String>,
    quick_modes: Vec<Quick>,
    vendor_ids: &'a [String],
}

impl<'a> Negotiated<'a> {
    fn new(negotiation: &'a Negotiation) -> Self {
        Self {
            initiator: negotiation.initiator.to_string(),
            responder: negotiation.responder.to_string(),
            cookies: &negotiation.cookies,
            exchange: &negotiation.exchange,
            frame: negotiation.answer_frame,
            chosen: negotiation.chosen.as_ref().map(words::chosen),
            attributes: negotiation.chosen.as_ref().map_or("", |chosen| &chosen.text),
            offered: words::offered(negotiation),
            secrecy: words::secrecy(negotiation),
            identities: words::identities(negotiation),
            dpd: words::dpd(negotiation),
            quick_modes: negotiation.quick_modes.iter().map(|mode| Quick::new(mode, negotiation)).collect(),
            vendor_ids: &negotiation.vendor_ids,
        }
    }
}

/// A Quick Mode: a row of the negotiation's table.
#[derive(Serialize)]
struct Quick {
    id: String,
    initiator: String,
    frames: String,
    chosen: Option<String>,
    attributes: String,
    pfs: String,
    selectors: Option<String>,
    spis: Option<String>,
    keys: &'static str,
    /// Whether the keys are others than those in use.
    differ: bool,
}

impl Quick {
    fn new(mode: &QuickMode, negotiation: &Negotiation) -> Self {
        Self {
            id: format!("{:08x}", mode.message_id),
            initiator: mode.initiator.to_string(),
            frames: format::frames(&mode.frames).unwrap_or_default(),
            chosen: mode.chosen.as_ref().map(words::child),
            attributes: mode.chosen.as_ref().map_or(String::new(), |chosen| chosen.text.clone()),
            pfs: words::pfs(mode.pfs),
            selectors: words::selectors(mode),
            spis: words::spis(mode, negotiation),
            keys: words::keys(mode),
            differ: mode.keys_match == Some(false),
        }
    }
}
