//! The packet account in words: frames by capture point, flows, SAs, negotiations.

use runner::record::SaSummary;
use serde::Serialize;
use wire::audit::{Account, FlowAccount, Negotiation, PointAccount, SaAccount, Side};

use crate::format;

/// How many of the packets that guests sent were seen protected, decrypted and equal.
#[derive(Serialize)]
pub struct Packets {
    proven: String,
    sent: String,
}

impl Packets {
    pub fn new(account: &Account) -> Option<Self> {
        let sum = |of: fn(&FlowAccount) -> u64| account.flows.iter().map(of).fold(0, u64::saturating_add);
        let (proven, sent) = (sum(|flow| flow.protected), sum(|flow| flow.sent));
        (!account.flows.is_empty()).then(|| Self { proven: format::count(proven), sent: format::count(sent) })
    }
}

#[derive(Serialize)]
pub struct Shown<'a> {
    frames: String,
    /// Frames that no class counts, or that two classes count; none in a sound account.
    unaccounted: Option<String>,
    points: Vec<Point<'a>>,
    flows: Vec<Flow>,
    sas: Vec<Sa>,
    negotiations: Vec<Negotiated<'a>>,
}

impl<'a> Shown<'a> {
    pub fn new(account: &'a Account, kernel: &[SaSummary]) -> Self {
        let classes = account.points.iter().flat_map(|point| point.classes.values());
        let counted = classes.copied().fold(0, u64::saturating_add);
        Self {
            frames: format::count(account.frames),
            unaccounted: (counted != account.frames).then(|| format::count(counted.abs_diff(account.frames))),
            points: account.points.iter().map(Point::new).collect(),
            flows: account.flows.iter().map(Flow::new).collect(),
            sas: account.sas.iter().map(|sa| Sa::new(sa, kernel)).collect(),
            negotiations: account.negotiations.iter().map(Negotiated::new).collect(),
        }
    }
}

#[derive(Serialize)]
struct Point<'a> {
    name: &'a str,
    side: &'static str,
    total: String,
    classes: Vec<(&'a str, String)>,
}

impl<'a> Point<'a> {
    fn new(point: &'a PointAccount) -> Self {
        let mut classes: Vec<_> = point.classes.iter().filter(|(_, count)| **count > 0).collect();
        classes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        Self {
            name: &point.name,
            side: match point.side {
                Side::Internet => "internet",
                Side::Local => "VPC",
                Side::Remote => "customer",
            },
            total: format::count(point.classes.values().copied().fold(0, u64::saturating_add)),
            classes: classes.into_iter().map(|(class, count)| (class.as_str(), format::count(*count))).collect(),
        }
    }
}

#[derive(Serialize)]
struct Flow {
    exchange: u32,
    source: String,
    destination: String,
    sent: String,
    protected: Part,
    received: Part,
}

impl Flow {
    fn new(flow: &FlowAccount) -> Self {
        Self {
            exchange: flow.exchange,
            source: flow.source.to_string(),
            destination: flow.destination.to_string(),
            sent: format::count(flow.sent),
            protected: Part::new(flow.protected, flow.sent),
            received: Part::new(flow.received, flow.sent),
        }
    }
}

/// A count that is meant to equal a whole, and by how much it misses it.
#[derive(Serialize)]
struct Part {
    count: String,
    missing: Option<String>,
}

impl Part {
    fn new(count: u64, whole: u64) -> Self {
        let missing = match whole as i128 - count as i128 {
            0 => None,
            less @ 1.. => Some(format!("\u{2212}{less}")),
            more => Some(format!("+{}", -more)),
        };
        Self { count: format::count(count), missing }
    }
}

#[derive(Serialize)]
struct Sa {
    spi: String,
    source: String,
    destination: String,
    algorithms: String,
    packets: String,
    verified: Part,
    inner_bytes: String,
    sequence: String,
    seen: String,
    /// What the kernels at the two ends counted, once if they agree.
    kernel: String,
}

impl Sa {
    fn new(sa: &SaAccount, kernel: &[SaSummary]) -> Self {
        let same = |k: &&SaSummary| k.spi == sa.spi && k.source == sa.source && k.destination == sa.destination;
        let mut counts: Vec<u64> = kernel.iter().filter(same).map(|k| k.packets).collect();
        counts.dedup();
        Self {
            spi: format::spi(sa.spi),
            source: sa.source.to_string(),
            destination: sa.destination.to_string(),
            algorithms: format!("{}-{}", sa.encryption, sa.integrity),
            packets: format::count(sa.packets),
            verified: Part::new(sa.verified, sa.packets),
            inner_bytes: format::count(sa.inner_bytes),
            sequence: match sa.packets {
                0 => "\u{2013}".to_owned(),
                _ => format!("{}\u{2013}{}", sa.first_sequence, sa.last_sequence),
            },
            seen: format::length(sa.last_seen_ns.saturating_sub(sa.first_seen_ns) / 1_000_000),
            kernel: counts.into_iter().map(format::count).collect::<Vec<_>>().join(" / "),
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
    offered: usize,
    quick_modes: u64,
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
            offered: negotiation.offered,
            quick_modes: negotiation.quick_modes,
            vendor_ids: &negotiation.vendor_ids,
        }
    }
}
