//! The packet account in words: frames by capture point and class, and negotiations.

use std::collections::BTreeMap;

use policy::Version;
use runner::record::SaSummary;
use serde::Serialize;
use wire::audit::{Account, Negotiation, PointAccount, Side};

use super::{flows, sas};
use crate::{format, traffic::Traffic};

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
    negotiations: Vec<Negotiated<'a>>,
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
            points: points.into_iter().map(|point| Point::new(point, &classes)).collect(),
            classes,
            traffic: (!account.flows.is_empty()).then(|| flows::Traffic::new(account)),
            sas: sas::rows(account, kernel),
            negotiations: account.negotiations.iter().map(Negotiated::new).collect(),
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
}

impl<'a> Point<'a> {
    fn new(point: &'a PointAccount, classes: &[&str]) -> Self {
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
    quick_modes: usize,
    vendor_ids: &'a [String],
}

impl<'a> Negotiated<'a> {
    fn new(negotiation: &'a Negotiation) -> Self {
        let chosen = negotiation.chosen.as_ref().map(|chosen| {
            let known = [
                chosen.encryption.map(|encryption| encryption.to_string()),
                chosen.hash.map(|hash| hash.to_string()),
                chosen.group.map(|group| group.to_string()),
                chosen.pre_shared_key.then(|| "pre-shared key".to_owned()),
                chosen.lifetime_seconds.map(|seconds| format!("{seconds} s")),
            ];
            known.into_iter().flatten().collect::<Vec<_>>().join(", ")
        });
        Self {
            initiator: negotiation.initiator.to_string(),
            responder: negotiation.responder.to_string(),
            cookies: &negotiation.cookies,
            exchange: &negotiation.exchange,
            frame: negotiation.answer_frame,
            chosen,
            attributes: negotiation.chosen.as_ref().map_or("", |chosen| &chosen.text),
            offered: match (negotiation.version, negotiation.offered) {
                (Version::V1, 1) => "1 transform".to_owned(),
                (Version::V1, many) => format!("{many} transforms"),
                (Version::V2, 1) => "1 proposal".to_owned(),
                (Version::V2, many) => format!("{many} proposals"),
            },
            quick_modes: negotiation.quick_modes.len(),
            vendor_ids: &negotiation.vendor_ids,
        }
    }
}
