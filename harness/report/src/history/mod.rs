//! The ordered history of a cell: everything that the record says happened, in the order of time, without what is
//! random in every run. Two runs that did the same have the same history.

mod difference;
mod names;

use policy::Version;
use runner::record::{ApiCall, CellRecord};
use wire::audit::{FlowAccount, IkeMessage, PayloadShown, Sealed};

use crate::format;

pub use difference::{Difference, Side, Times, difference};
use names::Names;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Virtual milliseconds since the cell began; none if the record does not tell when the cell began.
    pub at_ms: Option<u64>,
    pub kind: Kind,
    /// Random values are replaced by names in the order of their first appearance, dates by a word.
    pub text: String,
    /// What has an order of its own among what happens in one moment.
    lane: String,
}

/// Without times, what is nearer than that is one moment, in milliseconds: nobody promises which of two machines is
/// first within a few ticks, and who waits for something looks every 50 ms. Whoever waits on purpose waits a second.
const NEAR_MS: u64 = 250;

/// Of what happened in one moment, the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Step,
    StepDone,
    Api,
    State,
    Fault,
    Ike,
    SaAdded,
    Traffic,
    SaDeleted,
    /// What the capture holds as a whole.
    Capture,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::StepDone => "step-done",
            Self::Api => "api",
            Self::State => "state",
            Self::Fault => "fault",
            Self::Ike => "ike",
            Self::SaAdded => "sa-added",
            Self::Traffic => "traffic",
            Self::SaDeleted => "sa-deleted",
            Self::Capture => "capture",
        }
    }
}

/// The history of a cell. A moment is a millisecond, or what happened at about one time if times do not count.
pub fn of(cell: &CellRecord, times: Times) -> Vec<Event> {
    let mut events = Vec::new();
    doings(cell, times, &mut events);
    packets(cell, times, &mut events);
    // What has no time comes last. Of one kind in one moment the record's own order is kept.
    events.sort_by_key(|event| event.at_ms.unwrap_or(u64::MAX));
    let near = if times == Times::Exact { 0 } else { NEAR_MS };
    let (mut moment, mut last) = (0_usize, None);
    let mut placed: Vec<(usize, Event)> = Vec::with_capacity(events.len());
    for event in events {
        let apart = match (last, event.at_ms) {
            (Some(Some(last)), Some(at)) => at - last > near,
            (Some(last), at) => last != at,
            (None, _) => false,
        };
        moment += usize::from(apart);
        last = Some(event.at_ms);
        placed.push((moment, event));
    }
    placed.sort_by(|(one, a), (other, b)| (one, a.kind, &a.lane).cmp(&(other, b.kind, &b.lane)));
    let mut events: Vec<Event> = placed.into_iter().map(|(_, event)| event).collect();
    let mut names = Names::new(cell);
    for event in &mut events {
        event.text = names.instead(&event.text);
    }
    events
}

/// Steps, requests, states, faults, and what the kernels held.
fn doings(cell: &CellRecord, times: Times, events: &mut Vec<Event>) {
    let mut add = |at_ms, kind, text| events.push(Event { at_ms: Some(at_ms), kind, text, lane: String::new() });
    for step in &cell.steps {
        add(step.begin_ms, Kind::Step, step.text.clone());
        let outcome = match times {
            Times::Exact => step.outcome.clone(),
            Times::Ignored => without_seconds(&step.outcome),
        };
        add(step.end_ms, Kind::StepDone, format!("{}: {outcome}", step.text));
    }
    for (number, call) in cell.api.iter().enumerate() {
        let before = number.checked_sub(1).and_then(|before| cell.api.get(before));
        if times == Times::Ignored && only_waits(call, before) {
            continue;
        }
        let parameters: Vec<_> = call.parameters.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        let answer = whole_words(&call.answer);
        add(
            call.at_ms,
            Kind::Api,
            format!("{}{} answered {}: {answer}", call.command, parameters.concat(), call.status),
        );
    }
    for change in &cell.states {
        add(change.at_ms, Kind::State, format!("{} is {}", change.connection, change.state));
    }
    for fault in &cell.faults {
        add(fault.at_ms, Kind::Fault, fault.text.clone());
    }
    for sa in &cell.sas {
        let lane = format!("{} to {} on {}", sa.source, sa.destination, sa.machine);
        let name = format!("{} {lane}", format::spi(sa.spi));
        let added = format!("{name}, {}", sa.suite);
        events.push(Event { at_ms: Some(sa.added_ms), kind: Kind::SaAdded, text: added, lane: lane.clone() });
        if sa.deleted_ms.is_some() {
            let deleted = format!("{name}, {} packets", sa.packets);
            events.push(Event { at_ms: sa.deleted_ms, kind: Kind::SaDeleted, text: deleted, lane });
        }
    }
}

/// What the capture shows: the conversation, packets that were lost, and how many frames of each class there were.
fn packets(cell: &CellRecord, times: Times, events: &mut Vec<Event>) {
    let Some(account) = &cell.account else { return };
    let began_ns = cell.began_ns;
    let at = |time_ns: u64| (began_ns > 0).then(|| time_ns.saturating_sub(began_ns) / 1_000_000);
    let mut add = |at_ms, kind, text| events.push(Event { at_ms, kind, text, lane: String::new() });
    for message in &account.messages {
        add(at(message.time_ns), Kind::Ike, ike(message, times));
    }
    for flow in &account.flows {
        let FlowAccount { exchange, source, destination, sent, protected, received, .. } = flow;
        let name = format!("exchange {exchange}, {source} to {destination}");
        if flow.first_sent_ns > 0 {
            add(at(flow.first_sent_ns), Kind::Traffic, format!("{name}: the first packet is sent"));
        }
        for loss in &flow.losses {
            let packets = format::plural(usize::try_from(loss.packets).unwrap_or(usize::MAX), "packet");
            let text = format!("{name}: lost from number {} on: {packets}", loss.sequence);
            add(at(loss.from_ns), Kind::Traffic, text);
        }
        let last = if flow.last_sent_ns > 0 { at(flow.last_sent_ns) } else { None };
        let text = format!("{name}: the last packet; {sent} sent, {protected} protected, {received} received");
        add(last, Kind::Traffic, text);
    }
    for point in &account.points {
        // How often a kernel asks for a neighbour's address is random and says nothing of a tunnel.
        let told = point.classes.iter().filter(|(class, _)| *class != "arp");
        let classes: Vec<_> = told.map(|(class, frames)| format!("{frames} {class}")).collect();
        add(None, Kind::Capture, format!("{}: {}", point.name, classes.join(", ")));
    }
}

/// A message without what only this capture says of it: its frame.
fn ike(message: &IkeMessage, times: Times) -> String {
    let IkeMessage { source, destination, cookies: [initiator, responder], version, exchange, .. } = message;
    let sealed = match message.sealed {
        Sealed::Clear => "clear",
        Sealed::Authenticated => "authenticated",
        Sealed::Opened => "opened",
        Sealed::Closed => "closed",
    };
    // Version 2 counts its messages, version 1 draws a number for each exchange.
    let id = match version {
        Version::V1 if message.message_id != 0 => format!("{:#010x}", message.message_id),
        _ => message.message_id.to_string(),
    };
    let mut text = format!(
        "{source} to {destination}, {version} {exchange} {}, cookies {initiator} {responder}, message ID {id}, \
         {} bytes, {sealed}",
        message.ordinal, message.length
    );
    for PayloadShown { name, details } in &message.payloads {
        let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join("; ")) };
        text.push_str(&format!(", {name}{details}"));
    }
    // How often dead peer detection asks before something else happens is a matter of time.
    let repeats = if times == Times::Exact { message.repeats } else { 0 };
    for (number, what) in [(message.retransmissions, "retransmitted"), (repeats, "repeated")] {
        if number > 0 {
            text.push_str(&format!(", {what} {number} times"));
        }
    }
    text
}

/// How often somebody looks before something is done is a matter of time.
fn only_waits(call: &ApiCall, before: Option<&ApiCall>) -> bool {
    let unfinished = call.command == "queryAsyncJobResult" && call.answer.contains("\"jobstatus\":0");
    let asked = |call: &ApiCall| (call.command.clone(), call.parameters.clone(), call.status, call.answer.clone());
    unfinished || before.is_some_and(|before| asked(before) == asked(call))
}

/// `Connected after 148 s` without the number.
fn without_seconds(outcome: &str) -> String {
    let mut words: Vec<&str> = outcome.split(' ').collect();
    for number in 1..words.len() {
        let is_unit = words[number].trim_end_matches([',', ';', '.']) == "s";
        if is_unit && words[number - 1].bytes().all(|byte| byte.is_ascii_digit()) {
            words[number - 1] = "some";
        }
    }
    words.join(" ")
}

/// An answer that was cut may end within a random value, which nobody would know again.
fn whole_words(answer: &str) -> &str {
    match answer.strip_suffix(" ...") {
        Some(cut) => cut.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || "-:+".contains(c)),
        None => answer,
    }
}
