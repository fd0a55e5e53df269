//! The virtual timeline: steps, faults, traffic, states of connections and lives of SAs over one axis of time.
//!
//! Setting up takes seconds and a scenario's hold takes hours, so the axis cannot be linear: a stretch
//! without events is drawn as wide as a small power of its length. The order of events and the times
//! at the marks are true.

mod faults;
mod traffic;

use std::{collections::BTreeMap, net::Ipv4Addr};

use runner::record::{CellRecord, StepStatus};

use faults::Span;
use traffic::Stream;

use super::{
    plan::Plan,
    svg::{self, Drawing},
};
use crate::format;

const PLOT_X: i32 = 292;
const PLOT_WIDTH: i32 = svg::WIDTH - PLOT_X - 26;
const ROW: i32 = 22;
const BAR: i32 = 14;
const TOP: i32 = 30;
const HEADING: i32 = 26;
const MARK_SPACE: i32 = 74;
/// A bar is at least so wide.
const SHORTEST: i32 = 3;
/// More kinds of faults are counted, not drawn.
const FAULTS: usize = 16;
/// The power: 0 would give every stretch one width, 1 is a linear axis.
const SHORTENING: f64 = 0.3;

/// The timeline, unless nothing happened in the cell.
pub fn draw(cell: &CellRecord) -> Option<String> {
    let lanes = sa_lanes(cell);
    if cell.steps.is_empty() && cell.states.is_empty() && cell.faults.is_empty() && lanes.is_empty() {
        return None;
    }
    let streams = traffic::streams(cell);
    let axis = Axis::new(cell, &streams);
    let mut rows = Rows { drawing: Drawing::new(), y: TOP, axis: &axis };

    if !cell.steps.is_empty() {
        rows.heading("Steps");
    }
    for step in &cell.steps {
        let (mark, class, text) = match step.status {
            StepStatus::Done => ("", "xa", ""),
            StepStatus::Failed => ("\u{2717} ", "xw", "failed"),
            StepStatus::Skipped => ("\u{2013} ", "xo", "not run"),
        };
        rows.label(&format!("{mark}{}", step.text));
        let title = format!("{}: {}", step.text, step.outcome);
        rows.bar(step.begin_ms, step.end_ms, class, &title, text);
        rows.next();
    }
    rows.faults(&faults::spans(&cell.faults));
    traffic::draw(&mut rows, &streams);
    let mut states: BTreeMap<&str, Vec<(u64, &str)>> = BTreeMap::new();
    for change in &cell.states {
        states.entry(&change.connection).or_default().push((change.at_ms, &change.state));
    }
    if !states.is_empty() {
        rows.heading("Connections");
    }
    for (connection, mut changes) in states {
        changes.sort_by_key(|(at, _)| *at);
        rows.label(connection);
        let ends = changes.iter().skip(1).map(|(at, _)| *at).chain([axis.end()]);
        for (&(begin, state), end) in changes.iter().zip(ends) {
            rows.bar(begin, end, state_class(state), &format!("{state} from {}", format::clock(begin)), state);
        }
        rows.next();
    }
    if !lanes.is_empty() {
        rows.heading("Security associations");
    }
    let names = names(cell);
    let mut labelled = None;
    for (direction, lane) in lanes {
        if labelled.replace(direction) != Some(direction) {
            let name = |end: Ipv4Addr| names.get(&end).cloned().unwrap_or_else(|| end.to_string());
            rows.label(&format!("{} \u{2192} {}", name(direction.0), name(direction.1)));
        }
        for sa in lane {
            let until = sa.end.map_or("the end".to_owned(), format::clock);
            let packets = format::plural(usize::try_from(sa.packets).unwrap_or(usize::MAX), "packet");
            let title = format!(
                "{} from {} to {}, {}, {packets}: {} to {until}",
                sa.spi,
                direction.0,
                direction.1,
                sa.suite,
                format::clock(sa.begin)
            );
            let (class, text) = match sa.packets {
                0 => ("xo", format!("{} idle", sa.spi)),
                _ => ("xa", format!("{} {packets}", sa.spi)),
            };
            rows.bar(sa.begin, sa.end.unwrap_or(axis.end()), class, &title, &text);
        }
        rows.next();
    }
    Some(rows.finish())
}

/// What the two ends of the SAs are called.
fn names(cell: &CellRecord) -> BTreeMap<Ipv4Addr, String> {
    let plan = Plan::new(cell).unwrap_or_default();
    let vpcs = plan.vpcs.iter().map(|vpc| (&vpc.address, &vpc.name));
    let customers = plan.customers.iter().map(|customer| (&customer.address, &customer.name));
    vpcs.chain(customers).filter_map(|(address, name)| Some((address.parse().ok()?, name.clone()))).collect()
}

fn state_class(state: &str) -> &'static str {
    match state.to_ascii_lowercase().as_str() {
        "connected" => "xg",
        "error" => "xw",
        "connecting" | "pending" | "disconnecting" => "xh",
        _ => "xo",
    }
}

/// Rows being drawn from top to bottom.
struct Rows<'a> {
    drawing: Drawing,
    y: i32,
    axis: &'a Axis,
}

impl Rows<'_> {
    fn heading(&mut self, text: &str) {
        self.drawing.text(0, self.y + HEADING - 8, "t", text);
        self.y += HEADING;
    }

    fn label(&mut self, text: &str) {
        self.drawing.text(0, self.y + 12, "", &svg::fit(text, 40));
    }

    /// A bar in the row, with its own text in it where there is room.
    fn bar(&mut self, begin: u64, end: u64, class: &'static str, title: &str, text: &str) {
        let (from, to) = (self.axis.x(begin), self.axis.x(end.max(begin)));
        self.drawing.bar(from, self.y + 1, (to - from - 1).max(SHORTEST), BAR, class, title);
        let width = i32::try_from(text.chars().count()).unwrap_or(i32::MAX).saturating_mul(7).saturating_add(8);
        if !text.is_empty() && width <= to - from {
            let on = if matches!(class, "xo" | "xh") { "i dark" } else { "i" };
            self.drawing.text(from + 5, self.y + 12, on, text);
        }
    }

    fn next(&mut self) {
        self.y += ROW;
    }

    /// A row for each kind of fault, in the order of the first of each.
    fn faults(&mut self, spans: &[Span]) {
        let mut labels: Vec<&str> = Vec::new();
        for span in spans {
            if !labels.contains(&span.label.as_str()) {
                labels.push(&span.label);
            }
        }
        if !labels.is_empty() {
            self.heading("Faults");
        }
        for label in labels.iter().take(FAULTS) {
            self.label(label);
            let mut drawn = i32::MIN;
            for span in spans.iter().filter(|span| span.label == *label) {
                let end = span.end.unwrap_or(self.axis.end());
                // A bar that would be hidden behind the one before is not drawn.
                let to = self.axis.x(end);
                if to <= drawn {
                    continue;
                }
                drawn = to.max(self.axis.x(span.begin) + SHORTEST);
                let begin = format::clock(span.begin);
                let title = match span.end {
                    Some(end) if end == span.begin => format!("{} at {begin}", span.text),
                    Some(end) => format!("{}: {begin} to {}", span.text, format::clock(end)),
                    None => format!("{}: {begin} to the end", span.text),
                };
                let text = if span.text == *label { "" } else { &span.text };
                self.bar(span.begin, end, "xw", &title, text);
            }
            self.next();
        }
        if let more @ 1.. = labels.len().saturating_sub(FAULTS) {
            self.label(&format!("and {} more", format::plural(more, "kind")));
            self.next();
        }
    }

    /// The axis goes beneath everything, when it is known how far down it reaches.
    fn finish(self) -> String {
        let mut drawing = Drawing::new();
        for (x, label) in self.axis.marks() {
            drawing.line((x, TOP - 6), (x, self.y + 2), "mark");
            drawing.text(x, TOP - 12, "c k m", &label);
        }
        for x in self.axis.breaks() {
            drawing.path(&format!("M{} {}l4 -10m3 10l4 -10", x - 5, TOP - 1), "break");
        }
        drawing.cover(self.drawing);
        drawing.finish(self.y + 8, "Timeline of steps, faults, traffic, connection states and security associations")
    }
}

/// The axis: every moment at which something happens, and where it is drawn.
struct Axis {
    moments: Vec<u64>,
    places: Vec<i32>,
}

impl Axis {
    fn new(cell: &CellRecord, streams: &[Stream]) -> Self {
        let steps = cell.steps.iter().flat_map(|step| [step.begin_ms, step.end_ms]);
        let states = cell.states.iter().map(|change| change.at_ms);
        let sas = cell.sas.iter().flat_map(|sa| [Some(sa.added_ms), sa.deleted_ms]).flatten();
        let faults = cell.faults.iter().map(|fault| fault.at_ms);
        // Of the gaps there may be thousands: they are drawn where they fall.
        let streams = streams.iter().flat_map(|stream| [stream.first, stream.last]);
        let ends = [0, cell.virtual_ms];
        let mut moments: Vec<u64> = steps.chain(states).chain(sas).chain(faults).chain(streams).chain(ends).collect();
        moments.sort_unstable();
        moments.dedup();
        let mut sums = vec![0.0];
        for pair in moments.windows(2) {
            let width = ((pair[1] - pair[0]) as f64).powf(SHORTENING);
            sums.push(sums.last().copied().unwrap_or(0.0) + width);
        }
        let total = sums.last().copied().unwrap_or(0.0).max(1.0);
        let places = sums.iter().map(|sum| PLOT_X + (sum / total * f64::from(PLOT_WIDTH)).round() as i32).collect();
        Self { moments, places }
    }

    fn end(&self) -> u64 {
        self.moments.last().copied().unwrap_or(0)
    }

    /// Within a stretch time is linear.
    fn x(&self, moment: u64) -> i32 {
        let after = self.moments.partition_point(|&known| known <= moment);
        let Some(before) = after.checked_sub(1) else { return PLOT_X };
        let place = self.places[before];
        match (self.moments.get(after), self.places.get(after)) {
            (Some(&next), Some(&next_place)) => {
                let share = (moment - self.moments[before]) as f64 / (next - self.moments[before]) as f64;
                place + (share * f64::from(next_place - place)).round() as i32
            }
            _ => place,
        }
    }

    /// The first moment, the last, and as many between as leave room for their labels.
    fn marks(&self) -> Vec<(i32, String)> {
        let all: Vec<(i32, u64)> = self.places.iter().copied().zip(self.moments.iter().copied()).collect();
        let (Some(&first), Some(&last)) = (all.first(), all.last()) else { return Vec::new() };
        let mut marks = vec![first];
        for &(x, moment) in &all {
            let before = marks.last().map_or(0, |(x, _)| *x);
            if x - before >= MARK_SPACE && last.0 - x >= MARK_SPACE {
                marks.push((x, moment));
            }
        }
        if last != first {
            marks.push(last);
        }
        marks.into_iter().map(|(x, moment)| (x, format::moment(moment))).collect()
    }

    /// The middles of stretches that are drawn much shorter than they are.
    fn breaks(&self) -> Vec<i32> {
        let end = self.end().max(1) as f64;
        let drawn = |i: usize| f64::from(self.places[i + 1] - self.places[i]) / f64::from(PLOT_WIDTH);
        let real = |i: usize| (self.moments[i + 1] - self.moments[i]) as f64 / end;
        let shortened =
            (0..self.moments.len().saturating_sub(1)).filter(|&i| real(i) > 1.6 * drawn(i) && real(i) > 0.05);
        shortened.map(|i| self.places[i].midpoint(self.places[i + 1])).collect()
    }
}

/// From which gateway to which.
type Direction = (Ipv4Addr, Ipv4Addr);

/// The life of one SA, which the kernels of both ends tell about.
struct Life {
    packets: u64,
    spi: String,
    suite: String,
    begin: u64,
    end: Option<u64>,
}

/// SAs by direction, in as few lanes as show no two at one time in one place.
fn sa_lanes(cell: &CellRecord) -> Vec<(Direction, Vec<Life>)> {
    let mut lives: BTreeMap<Direction, BTreeMap<u32, Life>> = BTreeMap::new();
    for sa in &cell.sas {
        let direction = lives.entry((sa.source, sa.destination)).or_default();
        let new = || Life {
            packets: 0,
            spi: format::spi(sa.spi),
            suite: sa.suite.clone(),
            begin: sa.added_ms,
            end: sa.deleted_ms,
        };
        let life = direction.entry(sa.spi).or_insert_with(new);
        life.packets = life.packets.max(sa.packets);
        life.begin = life.begin.min(sa.added_ms);
        life.end = life.end.zip(sa.deleted_ms).map(|(a, b)| a.max(b));
    }
    let mut lanes = Vec::new();
    for (direction, lives) in lives {
        let mut lives: Vec<Life> = lives.into_values().collect();
        lives.sort_by_key(|life| life.begin);
        let first = lanes.len();
        for life in lives {
            let free = |lane: &&mut (Direction, Vec<Life>)| {
                lane.1.last().and_then(|last: &Life| last.end).is_some_and(|end| end <= life.begin)
            };
            match lanes[first..].iter_mut().find(free) {
                Some(lane) => lane.1.push(life),
                None => lanes.push((direction, vec![life])),
            }
        }
    }
    lanes
}
