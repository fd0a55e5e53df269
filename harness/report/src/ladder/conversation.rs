//! The messages of IKE, each an arrow between the two ends that talk.

use std::{collections::HashSet, net::Ipv4Addr};

use wire::audit::{Account, IkeMessage, PayloadShown, Sealed, Secrecy};

use super::{
    Tone,
    page::{Page, printable},
};
use crate::{format, words};

/// Columns before the arrow: time and frame.
const MARGIN: usize = 20;
/// Columns behind it: what became of the message.
const STATE: usize = 15;
/// Of an offer with many transforms, so many are shown.
const DETAILS: usize = 8;

pub(super) fn write(page: &mut Page, account: &Account) {
    let Some(first) = account.messages.first() else {
        page.heading("No message of IKE");
        return;
    };
    let mut told = HashSet::new();
    for ends in ends(&account.messages) {
        let [left, right] = ends;
        page.heading(&format!("IKE between {left} and {right}"));
        page.line("");
        let room = page.width() - MARGIN - STATE;
        let (left, right) = (left.to_string(), right.to_string());
        page.line(&format!("{:>10}  {:>6}  {left}{right:>rest$}", "seconds", "frame", rest = room - left.len()));
        for message in
            account.messages.iter().filter(|message| between(message) == ends || between(message) == [ends[1], ends[0]])
        {
            arrow(page, message, ends, first.time_ns);
            payloads(page, &message.payloads);
            if let Some(reason) = why_closed(account, message).filter(|_| told.insert(message.cookies.clone())) {
                page.paragraph(MARGIN + 2, &format!("closed: {reason}"));
            }
            afterwards(page, message);
        }
    }
    if let Some(text) = words::left_out(account) {
        page.line("");
        page.paragraph(2, &text);
    }
}

fn between(message: &IkeMessage) -> [Ipv4Addr; 2] {
    [*message.source.ip(), *message.destination.ip()]
}

/// Who talks with whom, in the order of their first words; who spoke first is on the left.
fn ends(messages: &[IkeMessage]) -> Vec<[Ipv4Addr; 2]> {
    let mut all: Vec<[Ipv4Addr; 2]> = Vec::new();
    for message in messages {
        let [source, destination] = between(message);
        if !all.iter().any(|ends| ends.contains(&source) && ends.contains(&destination)) {
            all.push([source, destination]);
        }
    }
    all
}

fn arrow(page: &mut Page, message: &IkeMessage, ends: [Ipv4Addr; 2], begin_ns: u64) {
    let room = page.width() - MARGIN - STATE;
    let label = format!(" {} ", printable(&words::message(message)));
    let line = format!("{label:─^width$}", width = room.saturating_sub(2));
    let line = if *message.source.ip() == ends[0] { format!("├{line}▶") } else { format!("◀{line}┤") };
    let time = format::seconds(message.time_ns.saturating_sub(begin_ns));
    let state = page.paint(tone(message.sealed), words::sealed(message.sealed));
    page.line(&format!("{time:>10}  {:>6}  {line}  {state}", message.frame));
}

fn tone(sealed: Sealed) -> Tone {
    match sealed {
        Sealed::Authenticated => Tone::Good,
        Sealed::Closed => Tone::Open,
        Sealed::Clear | Sealed::Opened => Tone::Heading,
    }
}

fn payloads(page: &mut Page, payloads: &[PayloadShown]) {
    for (names, details) in words::payloads(payloads) {
        if details.is_empty() {
            page.paragraph(MARGIN + 2, &names);
        }
        for (i, detail) in details.iter().take(DETAILS).enumerate() {
            page.payload(MARGIN + 2, if i == 0 { &names } else { " " }, detail);
        }
        if let more @ 1.. = details.len().saturating_sub(DETAILS) {
            page.payload(MARGIN + 2, " ", &format!("and {more} more"));
        }
    }
}

/// What keeps a message closed, as far as its negotiation tells.
fn why_closed<'a>(account: &'a Account, message: &IkeMessage) -> Option<&'a str> {
    let negotiation = account.negotiations.iter().find(|negotiation| negotiation.cookies == message.cookies)?;
    match &negotiation.secrecy {
        Secrecy::NotDecrypted { reason } if message.sealed == Sealed::Closed => Some(reason),
        _ => None,
    }
}

fn afterwards(page: &mut Page, message: &IkeMessage) {
    let after = [words::pieces(message), words::sent_again(message), words::repeats(message)];
    for text in after.into_iter().flatten() {
        page.paragraph(MARGIN + 2, &text);
    }
}
