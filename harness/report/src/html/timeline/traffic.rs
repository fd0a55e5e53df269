//! Packets that were sent one by one: when they arrived, and the gaps in which they were lost.

use runner::record::CellRecord;
use wire::audit::{FlowAccount, Loss};

use super::{Axis, BAR, Rows};
use crate::format;

/// More flows are counted, not drawn.
const FLOWS: usize = 16;
/// So many gaps of a flow, the longest, say how long they are; all of them are drawn.
const TOLD: usize = 16;
/// Packets of a stream come one after another. Those of an exchange are sent at once, and the table of flows has them.
const STREAM_MS: u64 = 1_000;
const SHORTEST: i32 = 2;

/// A stream in one direction. All times are milliseconds since the cell began.
pub struct Stream<'a> {
    flow: &'a FlowAccount,
    began_ns: u64,
    pub first: u64,
    pub last: u64,
}

/// The streams of a cell, if it is known when it began.
pub fn streams(cell: &CellRecord) -> Vec<Stream<'_>> {
    let began_ns = cell.began_ns;
    let flows = cell.account.iter().flat_map(|account| &account.flows).filter(|_| began_ns > 0);
    let streams = flows.filter(|flow| flow.first_sent_ns > 0).map(|flow| {
        let [first, last] = [flow.first_sent_ns, flow.last_sent_ns].map(|time| milliseconds(time, began_ns));
        Stream { flow, began_ns, first, last }
    });
    streams.filter(Stream::is_counted).collect()
}

/// A row for each stream.
pub fn draw(rows: &mut Rows, streams: &[Stream]) {
    if streams.is_empty() {
        return;
    }
    rows.heading("Traffic");
    for stream in streams.iter().take(FLOWS) {
        stream.draw(rows);
    }
    if let more @ 1.. = streams.len().saturating_sub(FLOWS) {
        rows.label(&format!("and {} more", format::plural(more, "flow")));
        rows.next();
    }
}

fn milliseconds(time_ns: u64, began_ns: u64) -> u64 {
    time_ns.saturating_sub(began_ns) / 1_000_000
}

impl Stream<'_> {
    /// A flow that lost packets which it was to deliver has findings, and nobody put down when it lost them.
    fn is_counted(&self) -> bool {
        let FlowAccount { sent, received, ref losses, .. } = *self.flow;
        !losses.is_empty() || (received == sent && received > 0 && self.last.saturating_sub(self.first) >= STREAM_MS)
    }

    fn draw(&self, rows: &mut Rows) {
        let FlowAccount { source, destination, .. } = self.flow;
        rows.label(&format!("{source} \u{2192} {destination}"));
        let (from, to) = (rows.axis.x(self.first), rows.axis.x(self.last).max(rows.axis.x(self.first) + 3));
        let gaps = self.gaps(rows.axis);
        let mut arrived = String::new();
        let mut at = from;
        for (begin, end) in gaps.iter().map(|gap| (gap.from, gap.to)).chain([(to, to)]) {
            if begin > at {
                arrived.push_str(&format!("M{at} {}h{}v{BAR}H{at}z", rows.y + 1, begin - at));
            }
            at = end;
        }
        if !gaps.is_empty() {
            // It shows wherever nothing arrived.
            rows.drawing.path(&format!("M{from} {}H{}", rows.y + 1 + BAR / 2, to.max(at)), "lost");
        }
        rows.drawing.shape(&arrived, "xa", &self.title());
        let mut longest: Vec<&Gap> = gaps.iter().collect();
        longest.sort_by_key(|gap| std::cmp::Reverse(gap.longest));
        for gap in longest.into_iter().take(TOLD) {
            rows.drawing.bar(gap.from, rows.y + 1, gap.to - gap.from, BAR, "gap", &gap.title());
        }
        rows.next();
    }

    fn title(&self) -> String {
        let FlowAccount { exchange, source, destination, sent, received, ref losses, .. } = *self.flow;
        let lost = losses.iter().map(|loss| loss.packets).fold(0, u64::saturating_add);
        // What nobody could tell the way was never seen as sent.
        let all = sent.max(received.saturating_add(lost));
        let longest = losses.iter().map(|loss| self.span(loss)).map(|(begin, end)| end.saturating_sub(begin)).max();
        let gaps = match longest {
            None => "no gap".to_owned(),
            Some(ms) => {
                format!("{}, the longest {} ms", format::plural(losses.len(), "gap"), format::count(ms))
            }
        };
        format!(
            "exchange {exchange}, {source} to {destination}, {} to {}: {} of {} packets arrived, {gaps}",
            format::clock(self.first),
            format::clock(self.last),
            format::count(received),
            format::count(all)
        )
    }

    /// A gap that nothing ended goes on to the last packet.
    fn span(&self, loss: &Loss) -> (u64, u64) {
        let at = |time_ns| milliseconds(time_ns, self.began_ns);
        (at(loss.from_ns), loss.until_ns.map_or(self.last, at))
    }

    /// In the order of time; those with less than a pixel between them are one.
    fn gaps(&self, axis: &Axis) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = Vec::new();
        for loss in &self.flow.losses {
            let (begin, end) = self.span(loss);
            let from = axis.x(begin);
            let to = axis.x(end.max(begin)).max(from + SHORTEST);
            let longest = end.saturating_sub(begin);
            match gaps.last_mut().filter(|last| from <= last.to) {
                Some(last) => {
                    last.to = last.to.max(to);
                    last.end = last.end.max(end);
                    last.losses += 1;
                    last.packets = last.packets.saturating_add(loss.packets);
                    last.longest = last.longest.max(longest);
                }
                None => gaps.push(Gap { from, to, begin, end, losses: 1, packets: loss.packets, longest }),
            }
        }
        gaps
    }
}

/// A gap as it is drawn: one or more losses.
struct Gap {
    from: i32,
    to: i32,
    begin: u64,
    end: u64,
    losses: usize,
    packets: u64,
    /// Of the longest loss, in milliseconds.
    longest: u64,
}

impl Gap {
    fn title(&self) -> String {
        let packets = format::plural(usize::try_from(self.packets).unwrap_or(usize::MAX), "packet");
        let (begin, end) = (format::clock(self.begin), format::clock(self.end));
        let longest = format::count(self.longest);
        match self.losses {
            1 => format!("{packets} lost in {longest} ms, {begin} to {end}"),
            losses => format!("{packets} lost in {losses} gaps, the longest {longest} ms, {begin} to {end}"),
        }
    }
}
