//! The conversation of IKE as a sequence diagram: a lifeline for each gateway, an arrow for each message.
//!
//! What became of a message is told by a word and by the weight of its arrow, never by colour alone.

use std::net::Ipv4Addr;

use runner::record::CellRecord;
use wire::audit::{IkeMessage, Sealed};

use super::{
    plan::Plan,
    svg::{self, Drawing},
};
use crate::{format, words};

/// So many messages are drawn in the report; a file of its own has room for more.
pub const IN_THE_REPORT: usize = 30;
const IN_A_FILE: usize = 300;

const FIRST_LINE: i32 = 210;
const LAST_LINE: i32 = 812;
const TIME_X: i32 = 64;
const FRAME_X: i32 = 122;
const STATE_X: i32 = 828;
const BOX_WIDTH: i32 = 150;
const BOX_HEIGHT: i32 = 40;
const TOP: i32 = 62;
const LABEL: i32 = 16;
const DETAIL: i32 = 15;
const GAP: i32 = 14;
const BAND: i32 = 24;
/// Of a message, so many lines of payloads are shown.
const DETAILS: usize = 6;

/// What every drawing of the report has in common.
pub const BASE: &str = include_str!("../../template/drawing.css");
pub const STYLE: &str = include_str!("../../template/sequence.css");
/// The report's colours by day: not every viewer of drawings knows variables.
const COLOURS: [(&str, &str); 5] = [
    ("var(--card)", "#fff"),
    ("var(--ink)", "#1b2230"),
    ("var(--mute)", "#5a6475"),
    ("var(--soft)", "#f0f1f4"),
    ("var(--p)", "#19703f"),
];

/// The diagram as a file that opens by itself.
pub fn file(cell: &CellRecord) -> Option<String> {
    let drawing = draw(cell, IN_A_FILE)?;
    let (attributes, inside) = drawing.strip_prefix("<svg")?.split_once('>')?;
    let style = COLOURS.iter().fold(format!("{BASE}{STYLE}"), |style, (name, colour)| style.replace(name, colour));
    Some(format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg"{attributes}><style>{style}</style><rect width="100%" height="100%" fill="#fff"/>{inside}
"##
    ))
}

/// The diagram, unless there is no conversation.
pub fn draw(cell: &CellRecord, most: usize) -> Option<String> {
    let messages = &cell.account.as_ref().filter(|account| !account.messages.is_empty())?.messages;
    let lines = lifelines(cell, messages);
    let mut diagram = Diagram { drawing: Drawing::new(), lines: &lines, y: TOP };
    // A pair is repeated as a whole: the band follows the answer.
    let mut band: Option<String> = None;
    for (i, message) in messages.iter().take(most).enumerate() {
        diagram.message(message, messages[0].time_ns);
        if let Some(text) = band.take() {
            diagram.band(&text);
        }
        match words::repeats(message) {
            Some(text) if messages.get(i + 1).is_some_and(|next| answers(next, message)) => band = Some(text),
            Some(text) => diagram.band(&text),
            None => {}
        }
    }
    if let Some(text) = band {
        diagram.band(&text);
    }
    if let more @ 1.. = messages.len().saturating_sub(most) {
        diagram.note(&format!("{} more: see the ladder", format::plural(more, "message")));
    }
    Some(diagram.finish(messages.len()))
}

/// Whether it is the other half of a pair.
fn answers(next: &IkeMessage, message: &IkeMessage) -> bool {
    (next.source, next.destination) == (message.destination, message.source) && next.exchange == message.exchange
}

/// A gateway, and where it stands.
struct Lifeline {
    address: Ipv4Addr,
    role: String,
    x: i32,
}

/// Routers first, then customers, then whoever else spoke.
fn lifelines(cell: &CellRecord, messages: &[IkeMessage]) -> Vec<Lifeline> {
    let plan = Plan::new(cell).unwrap_or_default();
    let routers = plan.vpcs.iter().map(|vpc| (&vpc.address, format!("router of {}", vpc.name)));
    let customers = plan.customers.iter().map(|customer| (&customer.address, format!("customer {}", customer.name)));
    let known: Vec<(Ipv4Addr, String)> =
        routers.chain(customers).filter_map(|(address, role)| Some((address.parse().ok()?, role))).collect();
    let mut spoke: Vec<Ipv4Addr> = Vec::new();
    for address in messages.iter().flat_map(|message| [*message.source.ip(), *message.destination.ip()]) {
        if !spoke.contains(&address) {
            spoke.push(address);
        }
    }
    let place = |address: &Ipv4Addr| known.iter().position(|(known, _)| known == address).unwrap_or(known.len());
    spoke.sort_by_key(place);
    let steps = i32::try_from(spoke.len()).map_or(1, |count| (count - 1).max(1));
    (0..)
        .zip(spoke)
        .map(|(i, address)| {
            let known = known.iter().find(|(known, _)| *known == address);
            let role = known.map_or("gateway".to_owned(), |(_, role)| role.trim().to_owned());
            Lifeline { address, role, x: FIRST_LINE + (LAST_LINE - FIRST_LINE) * i / steps }
        })
        .collect()
}

struct Diagram<'a> {
    drawing: Drawing,
    lines: &'a [Lifeline],
    y: i32,
}

impl Diagram<'_> {
    fn x(&self, address: &Ipv4Addr) -> i32 {
        self.lines.iter().find(|line| line.address == *address).map_or(FIRST_LINE, |line| line.x)
    }

    fn message(&mut self, message: &IkeMessage, begin_ns: u64) {
        let (from, to) = (self.x(message.source.ip()), self.x(message.destination.ip()));
        let (line, head) = classes(message.sealed);
        let middle = from.midpoint(to);
        let characters = usize::try_from((to - from).abs() / 7).unwrap_or(0);
        self.drawing.text(middle, self.y + 11, "c t o", &svg::fit(&words::message(message), characters));
        self.y += LABEL;
        let time = format::seconds(message.time_ns.saturating_sub(begin_ns));
        self.drawing.text(TIME_X, self.y + 4, "e k m", &time);
        self.drawing.text(FRAME_X, self.y + 4, "e k", &format::count(message.frame));
        self.drawing.text(STATE_X, self.y + 4, "", words::sealed(message.sealed));
        self.arrow(from, to, line, head);
        self.payloads(message, from.min(to) + 14);
        if let Some(again) = words::sent_again(message) {
            self.y += DETAIL;
            self.drawing.text(STATE_X, self.y + 4, "m", "retransmitted");
            self.drawing.text(middle, self.y - 3, "c m o", &again);
            self.arrow(from, to, "arrow again", "head");
        }
        self.y += GAP;
    }

    fn arrow(&mut self, from: i32, to: i32, line: &'static str, head: &'static str) {
        let back = if from < to { -9 } else { 9 };
        self.drawing.line((from, self.y), (to + back, self.y), line);
        self.drawing.path(&format!("M{to} {}l{back} -4.5v9z", self.y), head);
    }

    fn payloads(&mut self, message: &IkeMessage, x: i32) {
        let room = usize::try_from((STATE_X - x) / 7).unwrap_or(0);
        let mut lines = Vec::new();
        for (names, details) in words::payloads(&message.payloads) {
            match details.as_slice() {
                [] => lines.push(names),
                details => lines.push(format!("{names}: {}", details.join("; "))),
            }
        }
        lines.extend(words::pieces(message));
        let more = lines.len().saturating_sub(DETAILS);
        if more > 0 {
            lines.truncate(DETAILS - 1);
            lines.push(format!("and {} more", more + 1));
        }
        for line in lines {
            self.y += DETAIL;
            self.drawing.text(x, self.y + 2, "k o", &svg::fit(&line, room));
        }
    }

    /// What went on in the same way, between all lifelines.
    fn band(&mut self, text: &str) {
        self.drawing.rectangle(FIRST_LINE, self.y, LAST_LINE - FIRST_LINE, BAND, "band");
        self.drawing.text((FIRST_LINE + LAST_LINE) / 2, self.y + 16, "c", text);
        self.y += BAND + GAP;
    }

    fn note(&mut self, text: &str) {
        self.drawing.text((FIRST_LINE + LAST_LINE) / 2, self.y + 12, "c t o", text);
        self.y += LABEL + GAP;
    }

    /// Lifelines go beneath everything, when it is known how far down they reach.
    fn finish(self, messages: usize) -> String {
        let mut drawing = Drawing::new();
        drawing.text(TIME_X, 24, "e m", "seconds");
        drawing.text(FRAME_X, 24, "e m", "frame");
        let between = (LAST_LINE - FIRST_LINE) / i32::try_from(self.lines.len()).map_or(1, |count| (count - 1).max(1));
        let width = BOX_WIDTH.min(between - 8);
        let characters = usize::try_from(width / 7).unwrap_or(0);
        for line in self.lines {
            drawing.line((line.x, BOX_HEIGHT + 4), (line.x, self.y), "life");
            drawing.rectangle(line.x - width / 2, 4, width, BOX_HEIGHT, "box gate");
            drawing.text(line.x, 20, "c t", &svg::fit(&line.role, characters));
            drawing.text(line.x, 36, "c k", &line.address.to_string());
        }
        drawing.cover(self.drawing);
        let ends: Vec<String> = self.lines.iter().map(|line| format!("{} ({})", line.role, line.address)).collect();
        let title = format!("The conversation of IKE between {}", ends.join(" and "));
        let about =
            format!("{}, each with its time, frame, exchange and payloads", format::plural(messages, "message"));
        drawing.finish_described(self.y + 6, &title, &about)
    }
}

fn classes(sealed: Sealed) -> (&'static str, &'static str) {
    match sealed {
        Sealed::Clear => ("arrow", "head"),
        Sealed::Authenticated => ("arrow strong", "head strong"),
        Sealed::Opened => ("arrow opened", "head"),
        Sealed::Closed => ("arrow closed", "head closed"),
    }
}
