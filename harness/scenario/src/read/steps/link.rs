//! Links to the internet: cut, impaired, narrow; and two machines that do not hear each other.

use super::walk::Walk;
use crate::{
    Step,
    diagnostic::Problems,
    fault::{Impairment, LinkChange, Share, Way},
    nearest::one_of,
    read::{
        fields::{Entry, Fields, list},
        scalar,
    },
    tree::Node,
};

const KEYS: [&str; 12] =
    ["of", "state", "mtu", "told", "loss", "duplicate", "corrupt", "reorder", "delay", "jitter", "rate", "way"];
const IMPAIRMENTS: [&str; 8] = ["loss", "duplicate", "corrupt", "reorder", "delay", "jitter", "rate", "way"];
const EXAMPLE: &str = "`state: down`, `loss: 1%`, `delay: 300ms`, `rate: 512kbit` or `mtu: 1280`";

/// The smallest that every host must take (RFC 791 section 3.1), and that of jumbo frames.
const MTU: [u32; 2] = [576, 9_000];

/// A packet that is on its way for longer is a lost one.
const LONGEST_DELAY_MS: u32 = 60_000;

const FASTEST_KBIT: u32 = 10_000_000;

impl Walk<'_> {
    pub(super) fn link(&mut self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Step> {
        let fields = Fields::read(entry.node, entry.at, "a link", &KEYS, problems)?;
        let of = fields.require("of", "`of: NAME`, a VPC or a customer", problems);
        let of = of.and_then(|node| self.machine(node, problems));
        let impaired = IMPAIRMENTS.into_iter().find(|key| fields.get(key).is_some());
        let kinds = [first(&fields, &["state"]), first(&fields, &["mtu", "told"]), impaired];
        let change = match kinds {
            [None, None, None] if fields.has_unknown => None,
            [None, None, None] => {
                problems.report(entry.at, "nothing happens to the link", format!("write {EXAMPLE}"));
                None
            }
            [Some("state"), None, None] => state(fields.get("state")?, problems),
            [None, Some(_), None] => mtu(&fields, problems),
            [None, None, Some(_)] => impairment(&fields, problems),
            [a, b, c] => {
                let mut kinds = [a, b, c].into_iter().flatten();
                let (one, other) = (kinds.next()?, kinds.next()?);
                let message = format!("`{other}` cannot stand beside `{one}`: a link changes in one way at a time");
                problems.report(fields.at(other), message, "begin a new step for it: `- link: ...`");
                None
            }
        };
        let (of, change) = (of?, change?);
        let is_down = self.links.get(&of).copied();
        let (is_right, already) = match change {
            LinkChange::Up => (is_down.is_some(), "is whole at this step"),
            LinkChange::Down => (is_down != Some(true), "is down already"),
            LinkChange::Impaired { .. } | LinkChange::Mtu { .. } => (is_down != Some(true), "is down at this step"),
        };
        let message = || format!("the link of `{of}` {already}");
        let help = || match change {
            LinkChange::Up => "put a change of it before, or leave this step out".to_owned(),
            _ => format!("put `- link: {{ of: {of}, state: up }}` before it, or leave this step out"),
        };
        self.order(is_right, entry.at, message, help, problems);
        match change {
            LinkChange::Up => drop(self.links.remove(&of)),
            _ => drop(self.links.insert(of.clone(), change == LinkChange::Down)),
        }
        Some(Step::Link { of, change })
    }

    /// The VPC comes first, whichever the file has first.
    pub(super) fn partition(&self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Step> {
        let fields = Fields::read(entry.node, entry.at, "a partition", &["between", "for"], problems)?;
        let lasting = fields.require("for", "`for: 10m`, how long it lasts", problems);
        let lasting = lasting.and_then(|node| scalar::duration(node, "for", problems));
        let example = "`between: [main, branch]`, a VPC and a customer";
        let between = fields.require("between", example, problems)?;
        let nodes = list(between, "the two sides", example, problems)?;
        let names: Vec<_> = nodes.iter().map(|node| self.machine(node, problems)).collect();
        let [one, other] = names.as_slice() else {
            let message = format!("a partition is between two, not {}", nodes.len());
            problems.report(between.at, message, format!("write {example}"));
            return None;
        };
        let (one, other) = (one.clone()?, other.clone()?);
        let is_vpc = |name: &String| self.names.vpcs.contains_key(name);
        let (vpc, customer) = match (is_vpc(&one), is_vpc(&other)) {
            (true, false) => (one, other),
            (false, true) => (other, one),
            _ => {
                let message = format!("`{one}` and `{other}` are on the same side of the tunnel");
                problems.report(nodes.last()?.at, message, format!("write {example}"));
                return None;
            }
        };
        self.needs_connection(&vpc, &customer, entry.at, problems);
        Some(Step::Partition { between: [vpc, customer], lasting: lasting? })
    }
}

fn first(fields: &Fields<'_>, keys: &[&'static str]) -> Option<&'static str> {
    keys.iter().copied().find(|key| fields.get(key).is_some())
}

fn state(node: &Node, problems: &mut Problems<'_>) -> Option<LinkChange> {
    let known = ["down", "up"];
    match scalar::raw(node, "state", || one_of("", &known), problems)? {
        "down" => Some(LinkChange::Down),
        "up" => Some(LinkChange::Up),
        word => {
            problems.report(node.at, format!("unknown state of a link `{word}`"), one_of(word, &known));
            None
        }
    }
}

fn mtu(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<LinkChange> {
    let told = fields.get("told").map_or(Some(true), |node| scalar::boolean(node, "told", problems));
    let Some(node) = fields.get("mtu") else {
        let help = "write `mtu: 1280`, the longest packet that the link carries, beside it";
        problems.report(fields.at("told"), "`told` says whether senders hear of an `mtu`, and there is none", help);
        return None;
    };
    let bytes = scalar::number(node, "mtu", MTU, problems)?;
    Some(LinkChange::Mtu { bytes: u16::try_from(bytes).ok()?, told: told? })
}

fn impairment(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<LinkChange> {
    let way = fields.get("way").map_or(Some(Way::Both), |node| scalar::word(node, "way", &Way::ALL, problems));
    if IMPAIRMENTS.into_iter().all(|key| key == "way" || fields.get(key).is_none()) {
        let message = "`way` says which packets are impaired, but not how";
        problems.report(fields.at("way"), message, "write `loss: 1%`, `delay: 300ms` or `rate: 512kbit` beside it");
        return None;
    }
    let mut of = |key: &str| fields.get(key).map_or(Some(Share::default()), |node| share(node, problems));
    let [loss, duplicate, corrupt, reorder] = ["loss", "duplicate", "corrupt", "reorder"].map(&mut of);
    let mut of = |key: &str| fields.get(key).map_or(Some(0), |node| milliseconds(node, problems));
    let [delay, jitter] = ["delay", "jitter"].map(&mut of);
    let rate = fields.get("rate").map(|node| rate(node, problems));
    let mut right = true;
    for key in ["reorder", "jitter"] {
        if fields.get(key).is_some() && fields.get("delay").is_none() {
            let why = if key == "reorder" { "overtake the others" } else { "take longer or shorter" };
            let message = format!("`{key}` takes a delay: without one no packet can {why}");
            problems.report(fields.at(key), message, "write `delay: 300ms` beside it");
            right = false;
        }
    }
    let (delay_ms, jitter_ms) = (delay?, jitter?);
    if right && jitter_ms > delay_ms {
        let message = "the jitter is longer than the delay, which cannot be less than nothing";
        let help = format!("write at most `jitter: {delay_ms}ms`");
        problems.report(fields.get("jitter").map_or(fields.at("jitter"), |node| node.at), message, help);
        right = false;
    }
    let rate_kbit = match rate {
        Some(rate) => Some(rate?),
        None => None,
    };
    let impairment = Impairment {
        loss: loss?,
        duplicate: duplicate?,
        corrupt: corrupt?,
        reorder: reorder?,
        delay_ms,
        jitter_ms,
        rate_kbit,
    };
    right.then_some(LinkChange::Impaired { way: way?, impairment })
}

/// `1%` or `0.25%`.
fn share(node: &Node, problems: &mut Problems<'_>) -> Option<Share> {
    let help = "write a part of all packets, such as `1%` or `0.5%`; the finest is `0.01%`";
    let text = scalar::raw(node, "a share", || help.to_owned(), problems)?;
    match hundredths(text).map(Share::new) {
        Ok(Some(share)) if !share.is_none() => return Some(share),
        Ok(Some(_)) => problems.report(node.at, format!("share `{text}` is nothing"), "write more, or leave it out"),
        Ok(None) => problems.report(node.at, format!("share `{text}` is more than all packets"), help),
        Err(problem) => problems.report(node.at, format!("share `{text}` {problem}"), help),
    }
    None
}

fn hundredths(text: &str) -> Result<u16, String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.strip_suffix('%').unwrap_or(text);
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    if !digits(whole) || !digits(part) {
        return Err("is not a number with a percent sign".to_owned());
    }
    if number == text {
        return Err(format!("has no percent sign: did you mean `{text}%`?"));
    }
    if part.len() > 2 {
        return Err("is finer than a hundredth of a percent".to_owned());
    }
    // What is too large to be counted is more than the whole all the same.
    let count = format!("{whole}{part:0<2}").parse::<u32>().unwrap_or(u32::MAX);
    Ok(u16::try_from(count).unwrap_or(u16::MAX))
}

/// `300ms` or `2s`: how long a packet is on its way.
fn milliseconds(node: &Node, problems: &mut Problems<'_>) -> Option<u32> {
    let help = "write a whole number and a unit: `300ms` or `2s`, at most `60s`";
    let text = scalar::raw(node, "a delay", || help.to_owned(), problems)?;
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(number.len()..) {
        Some("ms") => Some(1),
        Some("s") => Some(1_000),
        _ => None,
    };
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let problem = match (unit, is_number) {
        (_, false) => "is not a whole number with a unit".to_owned(),
        (None, true) if number == text => format!("has no unit: did you mean `{text}ms`?"),
        (None, true) => "is not in milliseconds or seconds".to_owned(),
        (Some(unit), true) => match number.parse::<u32>().ok().and_then(|number| number.checked_mul(unit)) {
            Some(0) => "is nothing".to_owned(),
            Some(count) if count <= LONGEST_DELAY_MS => return Some(count),
            _ => "is longer than a minute".to_owned(),
        },
    };
    problems.report(node.at, format!("delay `{text}` {problem}"), help);
    None
}

/// `512kbit` or `10mbit`: thousands of bits a second.
fn rate(node: &Node, problems: &mut Problems<'_>) -> Option<u32> {
    let help = "write bits a second as a whole number and a unit: `512kbit` or `10mbit`";
    let text = scalar::raw(node, "a rate", || help.to_owned(), problems)?;
    let unit = [("kbit", 1), ("mbit", 1_000)].into_iter().find_map(|(unit, factor)| {
        let number = text.strip_suffix(unit)?;
        let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        is_number.then_some((number, factor))
    });
    let problem = match unit.map(|(number, factor)| number.parse::<u32>().ok().map(|n| n.saturating_mul(factor))) {
        None => "is not a whole number with a unit",
        Some(Some(0)) => "is nothing: `state: down` cuts the link",
        Some(Some(rate)) if rate <= FASTEST_KBIT => return Some(rate),
        Some(_) => "is faster than any link here",
    };
    problems.report(node.at, format!("rate `{text}` {problem}"), help);
    None
}
