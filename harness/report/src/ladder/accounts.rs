//! What came of the conversation: negotiations, SAs, capture points, findings.

use wire::audit::{Account, Finding, QuickMode, SaAccount, Side};

use super::{Tone, page::Page};
use crate::{format, traffic::Traffic, words};

/// Of findings with one code, so many are told in full.
const ALIKE: usize = 5;

pub(super) fn negotiations(page: &mut Page, account: &Account) {
    if account.negotiations.is_empty() {
        return;
    }
    page.heading("Negotiations");
    for negotiation in &account.negotiations {
        let [initiator_cookie, responder_cookie] = &negotiation.cookies;
        page.paragraph(
            2,
            &format!(
                "{} from {} to {}, cookies {initiator_cookie} {responder_cookie}",
                negotiation.exchange, negotiation.initiator, negotiation.responder
            ),
        );
        let answer = match (&negotiation.chosen, negotiation.answer_frame) {
            (Some(chosen), Some(frame)) => format!("{}, in frame {frame}", words::chosen(chosen)),
            (Some(chosen), None) => words::chosen(chosen),
            (None, _) => "nothing".to_owned(),
        };
        page.item(4, "chosen", &format!("{answer}; {} offered", words::offered(negotiation)));
        if let Some(identities) = words::identities(negotiation) {
            page.item(4, "identities", &identities);
        }
        page.item(4, "secrecy", &words::secrecy(negotiation));
        if let Some(dpd) = words::dpd(negotiation) {
            page.item(4, "DPD", &dpd);
        }
        for mode in &negotiation.quick_modes {
            quick_mode(page, mode, words::spis(mode, negotiation));
        }
    }
}

fn quick_mode(page: &mut Page, mode: &QuickMode, spis: Option<String>) {
    let frames = format::frames(&mode.frames).unwrap_or_default();
    page.paragraph(4, &format!("Quick Mode {:08x} from {}, {frames}", mode.message_id, mode.initiator));
    let chosen = mode.chosen.as_ref().map(words::child);
    let items = [
        ("chosen", chosen),
        ("PFS", Some(words::pfs(mode.pfs))),
        ("selectors", words::selectors(mode)),
        ("SPIs", spis),
        ("keys", Some(words::keys(mode).to_owned())),
    ];
    for (name, text) in items {
        if let Some(text) = text {
            page.item(6, name, &text);
        }
    }
}

pub(super) fn sas(page: &mut Page, account: &Account) {
    if account.sas.is_empty() {
        return;
    }
    page.heading("ESP");
    let times = account.sas.iter().flat_map(|sa| [Some(sa.first_seen_ns), sa.added_ns]).flatten();
    let messages = account.messages.iter().map(|message| message.time_ns);
    // As in the ladder, where there is one.
    let begin_ns = messages.min().or(times.min()).unwrap_or(0);
    for sa in &account.sas {
        page.paragraph(
            2,
            &format!(
                "{} from {} to {}, {}-{}",
                format::spi(sa.spi),
                sa.source,
                sa.destination,
                sa.encryption,
                sa.integrity
            ),
        );
        let verified = match sa.packets - sa.verified.min(sa.packets) {
            0 => "all verified".to_owned(),
            wrong => format!("{} verified, {} not", format::count(sa.verified), format::count(wrong)),
        };
        let encapsulated = match sa.encapsulated {
            0 => String::new(),
            some => format!(", {} of them in UDP", format::count(some)),
        };
        page.item(4, "packets", &format!("{}, {verified}{encapsulated}", format::count(sa.packets)));
        if sa.verified > 0 {
            page.item(4, "inside", &format!("{} bytes", format::count(sa.inner_bytes)));
            page.item(4, "sequence", &format!("{} to {}", sa.first_sequence, sa.last_sequence));
        }
        page.item(4, "seen", &seen(sa, begin_ns));
        if let Some(held) = held(sa, begin_ns) {
            page.item(4, "held", &held);
        }
    }
}

pub(super) fn rekeys(page: &mut Page, account: &Account) {
    if account.rekeys.is_empty() {
        return;
    }
    page.heading("From one SA to the next");
    for rekey in &account.rekeys {
        page.paragraph(2, &format!("from {} to {}, {}", rekey.source, rekey.destination, words::networks(rekey)));
        page.item(4, "SPIs", &words::successors(rekey));
        page.item(4, "overlap", &words::overlap(rekey));
    }
}

fn seen(sa: &SaAccount, begin_ns: u64) -> String {
    format!("{} to {}", since(sa.first_seen_ns, begin_ns), since(sa.last_seen_ns, begin_ns))
}

/// How long the kernels had it, where they were watched.
fn held(sa: &SaAccount, begin_ns: u64) -> Option<String> {
    let added = sa.added_ns?;
    let deleted = sa.deleted_ns.map_or("the end".to_owned(), |deleted| since(deleted, begin_ns));
    Some(format!("{} to {deleted}, by a kernel", since(added, begin_ns)))
}

/// Seconds from the first message on; what was before it has a sign.
fn since(time_ns: u64, begin_ns: u64) -> String {
    let sign = if time_ns < begin_ns { "-" } else { "" };
    format!("{sign}{}", format::seconds(time_ns.abs_diff(begin_ns)))
}

pub(super) fn points(page: &mut Page, account: &Account) {
    page.heading(&format!("{} frames", format::count(account.frames)));
    for point in &account.points {
        let side = match point.side {
            Side::Internet => "internet",
            Side::Local => "VPC",
            Side::Remote => "customer",
        };
        let classes: Vec<_> =
            point.classes.iter().map(|(class, count)| format!("{} {class}", format::count(*count))).collect();
        let classes = if classes.is_empty() { "none".to_owned() } else { classes.join(", ") };
        page.paragraph(2, &format!("{} ({side}): {classes}", point.name));
        if let Some(told) = words::path_mtu(account, &point.name) {
            page.item(4, "path", &told);
        }
    }
    let Traffic { sent, proven, .. } = Traffic::new(account);
    if sent > 0 {
        let (sent, proven) = (format::count(sent), format::count(proven));
        page.paragraph(2, &format!("probes: {proven} of {sent} were seen in ESP, equal, and received"));
    }
}

pub(super) fn findings(page: &mut Page, account: &Account) {
    if account.findings.is_empty() {
        return page.heading_in(Tone::Good, "No findings");
    }
    page.heading_in(Tone::Bad, &format::plural(account.findings.len(), "finding"));
    let mut codes: Vec<&str> = Vec::new();
    for finding in &account.findings {
        if !codes.contains(&finding.code.as_str()) {
            codes.push(&finding.code);
        }
    }
    for code in codes {
        let alike: Vec<&Finding> = account.findings.iter().filter(|finding| finding.code == code).collect();
        with_code(page, code, &alike);
    }
}

fn with_code(page: &mut Page, code: &str, alike: &[&Finding]) {
    page.paragraph(2, code);
    if let Some(first) = alike.first() {
        page.item(4, "required by", &first.requirement);
        page.item(4, "expected", &first.expected);
    }
    for finding in alike.iter().take(ALIKE) {
        let frames = format::frames_and(&finding.frames, finding.more);
        let frames = frames.map_or(String::new(), |frames| format!("{frames}: "));
        page.item(4, "observed", &format!("{frames}{}", finding.observed));
    }
    if let more @ 1.. = alike.len().saturating_sub(ALIKE) {
        page.item(4, " ", &format!("and {} more like it", format::count(more as u64)));
    }
}
