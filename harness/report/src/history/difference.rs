//! The first difference of two histories, with what led to it.

use super::Event;
use crate::format;

/// Whether times count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// To the millisecond, as virtual time can promise.
    Exact,
    /// The order alone.
    Ignored,
}

/// So many events before a difference are told, and so many characters of a long one.
const BEFORE: usize = 3;
const SHOWN: usize = 160;
/// Characters of a long event before the first that differs.
const LEAD: usize = 60;

/// Where two histories part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which event it is, from 1.
    pub number: usize,
    /// Both did the same, at different times.
    pub only_time: bool,
    /// Events before it, which both have.
    pub before: Vec<String>,
    /// The event in each history.
    pub sides: [Side; 2],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    Event(String),
    /// This history is over.
    Over,
}

/// Where they part, if they do.
pub fn difference(histories: [&[Event]; 2], times: Times) -> Option<Difference> {
    let [a, b] = histories;
    let same = |(a, b): (&Event, &Event)| {
        a.kind == b.kind && a.text == b.text && (times == Times::Ignored || a.at_ms == b.at_ms)
    };
    let place = a.iter().zip(b).take_while(|pair| same(*pair)).count();
    let (one, other) = (a.get(place), b.get(place));
    if one.is_none() && other.is_none() {
        return None;
    }
    // Where the texts part, in characters.
    let apart = one.zip(other).map_or(0, |(one, other)| {
        one.text.chars().zip(other.text.chars()).take_while(|(one, other)| one == other).count()
    });
    let only_time = one.zip(other).is_some_and(|(one, other)| one.kind == other.kind && one.text == other.text);
    // What is the same needs no more than its beginning.
    let from = if only_time { 0 } else { apart };
    let side = |event: Option<&Event>| event.map_or(Side::Over, |event| Side::Event(line(event, from)));
    let before = a[place.saturating_sub(BEFORE)..place].iter().map(|event| line(event, 0)).collect();
    Some(Difference { number: place + 1, only_time, before, sides: [side(one), side(other)] })
}

fn line(event: &Event, apart: usize) -> String {
    let time = event.at_ms.map_or_else(|| "-".to_owned(), format::clock);
    format!("{time:>9} {:<10} {}", event.kind.name(), around(&event.text, apart))
}

/// A long text around one of its characters.
fn around(text: &str, place: usize) -> String {
    let length = text.chars().count();
    if length <= SHOWN {
        return text.to_owned();
    }
    let from = if place < SHOWN - LEAD { 0 } else { place - LEAD };
    let shown: String = text.chars().skip(from).take(SHOWN).collect();
    let [begin, end] = [from > 0, from + SHOWN < length].map(|cut| if cut { "\u{2026}" } else { "" });
    format!("{begin}{shown}{end}")
}
