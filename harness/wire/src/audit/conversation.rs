//! The conversation as a ladder shows it: each message once, sent again or not, and what only repeats itself counted.

use std::{collections::HashMap, net::SocketAddrV4};

use super::{IkeMessage, PayloadShown, Sealed, frames::KEPT};
use crate::isakmp::exchange;

/// The messages of IKE in the order of the capture.
#[derive(Default)]
pub(super) struct Conversation {
    messages: Vec<IkeMessage>,
    /// Where the latest of them is that could be sent again.
    latest: HashMap<Place, usize>,
    /// Those behind the first [`KEPT`], once there are so many: from then on the last one is always among them.
    left_out: u64,
    /// Pairs of a request and its answer since the last message that was neither, by what they look like.
    pairs: HashMap<[Shape; 2], usize>,
    /// A request at the end that has no answer yet.
    asked: Option<Shape>,
}

/// Where a message has its place in the conversation, in which it is the same however often it is sent.
#[derive(PartialEq, Eq, Hash)]
struct Place {
    cookies: [String; 2],
    message_id: u32,
    exchange: String,
    source: SocketAddrV4,
    ordinal: u32,
}

impl Place {
    fn of(message: &IkeMessage) -> Self {
        let IkeMessage { cookies, message_id, exchange, source, ordinal, .. } = message.clone();
        Self { cookies, message_id, exchange, source, ordinal }
    }
}

/// What makes two messages alike, whatever numbers they carry.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Shape {
    cookies: [String; 2],
    source: SocketAddrV4,
    length: u32,
    sealed: Sealed,
    /// Names, and of notifications their first detail, which is the type.
    payloads: Vec<(String, Option<String>)>,
}

impl Shape {
    fn of(message: &IkeMessage) -> Self {
        let payload = |PayloadShown { name, details }: &PayloadShown| (name.clone(), details.first().cloned());
        Self {
            cookies: message.cookies.clone(),
            source: message.source,
            length: message.length,
            sealed: message.sealed,
            payloads: message.payloads.iter().map(payload).collect(),
        }
    }
}

impl Conversation {
    pub(super) fn add(&mut self, message: IkeMessage) {
        let informational = [exchange::name(exchange::INFORMATIONAL), exchange::name(exchange::INFORMATIONAL_2)];
        if !informational.contains(&message.exchange) {
            self.pairs.clear();
            self.asked = None;
            self.push(message);
            return;
        }
        let shape = Shape::of(&message);
        let Some(request) = self.asked.take().filter(|request| answers(request, &shape)) else {
            self.asked = Some(shape);
            self.push(message);
            return;
        };
        match self.pairs.get(&[request.clone(), shape.clone()]) {
            Some(&first) => {
                // The request of this pair is at the end, and goes with it.
                self.pop();
                let first = &mut self.messages[first];
                first.repeats += 1;
                first.last_frame = Some(message.frame);
            }
            None => {
                if let (0, Some(last)) = (self.left_out, self.messages.len().checked_sub(1)) {
                    self.pairs.insert([request, shape], last);
                }
                self.push(message);
            }
        }
    }

    fn push(&mut self, message: IkeMessage) {
        if self.messages.len() as u64 >= KEPT {
            self.left_out += 1;
            return;
        }
        self.latest.insert(Place::of(&message), self.messages.len());
        self.messages.push(message);
    }

    fn pop(&mut self) {
        if self.left_out > 0 {
            self.left_out -= 1;
        } else if let Some(message) = self.messages.pop() {
            self.latest.remove(&Place::of(&message));
        }
    }

    /// Counts one that was sent again, if the first of it is still there.
    pub(super) fn again(&mut self, message: &IkeMessage) {
        let known = self.latest.get(&Place::of(message)).and_then(|&latest| self.messages.get_mut(latest));
        if let Some(known) = known {
            known.retransmissions += 1;
        }
    }

    /// The messages, and how many there were besides.
    pub(super) fn finish(self) -> (Vec<IkeMessage>, u64) {
        (self.messages, self.left_out)
    }
}

/// The other end of the same SA speaks.
fn answers(request: &Shape, shape: &Shape) -> bool {
    request.cookies == shape.cookies && request.source != shape.source
}

#[cfg(test)]
mod tests {
    use policy::Version;

    use super::*;

    const ENDS: [&str; 2] = ["198.51.100.2:500", "203.0.113.2:500"];

    fn message(frame: u64, from: usize, exchange: u8, kind: &str) -> IkeMessage {
        let end = |at: usize| ENDS[at].parse().unwrap_or(SocketAddrV4::new([0; 4].into(), 0));
        IkeMessage {
            frame,
            time_ns: frame,
            source: end(from),
            destination: end(1 - from),
            cookies: ["01".repeat(8), "02".repeat(8)],
            version: Version::V1,
            exchange: exchange::name(exchange),
            message_id: frame as u32,
            length: 92,
            ordinal: 1,
            sealed: Sealed::Authenticated,
            payloads: vec![PayloadShown {
                name: "N".to_owned(),
                details: vec![kind.to_owned(), format!("sequence number {frame}")],
            }],
            pieces: Vec::new(),
            retransmissions: 0,
            repeats: 0,
            last_frame: None,
        }
    }

    /// Frames, and how often what they begin was repeated.
    fn told(messages: impl IntoIterator<Item = IkeMessage>) -> Vec<(u64, u64, Option<u64>)> {
        let mut conversation = Conversation::default();
        messages.into_iter().for_each(|message| conversation.add(message));
        conversation.finish().0.iter().map(|message| (message.frame, message.repeats, message.last_frame)).collect()
    }

    #[test]
    fn dead_peer_detection_of_a_day_takes_two_lines() {
        let pair = |n: u64| {
            [(2 * n, 0, "R-U-THERE"), (2 * n + 1, 1, "R-U-THERE-ACK")]
                .map(|(frame, from, kind)| message(frame, from, exchange::INFORMATIONAL, kind))
        };
        assert_eq!(told((0..2880u64).flat_map(pair)), [(0, 2879, Some(5759)), (1, 0, None)]);
    }

    #[test]
    fn what_is_too_much_is_counted_and_a_pair_that_repeats_itself_is_not() {
        let mut conversation = Conversation::default();
        let probe = |frame, from, kind| message(frame, from, exchange::INFORMATIONAL, kind);
        let pair = |frame| [probe(frame, 0, "R-U-THERE"), probe(frame + 1, 1, "R-U-THERE-ACK")];
        for frame in 0..KEPT - 3 {
            conversation.add(message(frame, 0, exchange::QUICK_MODE, "none"));
        }
        pair(KEPT).into_iter().for_each(|message| conversation.add(message));
        for frame in 1..9 {
            pair(2 * frame + KEPT).into_iter().for_each(|message| conversation.add(message));
            conversation.again(&probe(KEPT, 0, "R-U-THERE"));
        }
        let other = [probe(1, 0, "one"), probe(2, 1, "other")];
        other.into_iter().for_each(|message| conversation.add(message));
        pair(3).into_iter().for_each(|message| conversation.add(message));
        let (messages, left_out) = conversation.finish();
        assert_eq!((messages.len() as u64, left_out), (KEPT, 1));
        let repeated = &messages[messages.len() - 3];
        assert_eq!((repeated.frame, repeated.repeats, repeated.retransmissions), (KEPT, 9, 8));
    }

    #[test]
    fn probes_of_both_ends_are_told_apart() {
        let four = |n: u64| {
            [(0, "R-U-THERE"), (1, "R-U-THERE-ACK"), (1, "R-U-THERE"), (0, "R-U-THERE-ACK")]
                .into_iter()
                .enumerate()
                .map(move |(i, (from, kind))| message(4 * n + i as u64, from, exchange::INFORMATIONAL, kind))
        };
        assert_eq!(told((0..3u64).flat_map(four)), [(0, 2, Some(9)), (1, 0, None), (2, 2, Some(11)), (3, 0, None)]);
    }

    #[test]
    fn a_probe_without_an_answer_stays_a_line_of_its_own() {
        let probe = |frame| message(frame, 0, exchange::INFORMATIONAL, "R-U-THERE");
        let answer = |frame| message(frame, 1, exchange::INFORMATIONAL, "R-U-THERE-ACK");
        let lines = told([probe(1), answer(2), probe(3), probe(4), answer(5)]);
        assert_eq!(lines, [(1, 1, Some(5)), (2, 0, None), (3, 0, None)]);
    }

    #[test]
    fn a_quick_mode_begins_the_count_anew() {
        let pair = |frame| {
            [(frame, 0, "R-U-THERE"), (frame + 1, 1, "R-U-THERE-ACK")]
                .map(|(frame, from, kind)| message(frame, from, exchange::INFORMATIONAL, kind))
        };
        let quick = [message(3, 0, exchange::QUICK_MODE, "none")];
        let lines = told(pair(1).into_iter().chain(quick).chain(pair(4)).chain(pair(6)));
        assert_eq!(lines, [(1, 0, None), (2, 0, None), (3, 0, None), (4, 1, Some(7)), (5, 0, None)]);
    }
}
