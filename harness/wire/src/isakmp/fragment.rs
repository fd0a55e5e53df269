//! Messages in pieces: the fragmentation of version 1 that Cisco, Microsoft, strongSwan and libreswan have in common
//! ([MS-IKEE] section 2.2.3.1). A piece is a payload alone in a message of its own, behind the header of the whole one.

use std::{collections::BTreeMap, net::Ipv4Addr};

use super::{Cookie, Message, payload};
use crate::{
    Error, Result,
    error::{array, part},
};

const WHAT: &str = "a fragment of an ISAKMP message";

/// The fragment payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Of the whole message; many daemons have 1 for all of them.
    pub id: u16,
    /// From 1.
    pub number: u8,
    pub last: bool,
    /// The message with its header, from where the piece before ended.
    pub data: Vec<u8>,
}

impl Fragment {
    pub(super) fn parse(body: &[u8]) -> Result<Self> {
        let [i0, i1, number, flags] = array(WHAT, body, 0)?;
        if number == 0 {
            return Err(Error::Field { what: WHAT, field: "number", found: 0, expected: "at least 1" });
        }
        let data = part(WHAT, body, 4..body.len())?.to_vec();
        Ok(Self { id: u16::from_be_bytes([i0, i1]), number, last: flags & 1 != 0, data })
    }

    pub(super) fn emit(&self) -> Vec<u8> {
        [&self.id.to_be_bytes()[..], &[self.number, self.last.into()], &self.data].concat()
    }
}

/// Messages whose pieces are kept at once, and how long one can be: UDP carries no longer one.
const OPEN: usize = 64;
const LONGEST: usize = 65_507;

/// Puts messages together.
#[derive(Default)]
pub struct Fragments {
    /// In the order of their first pieces.
    sets: Vec<Set>,
    given_up: Vec<Incomplete>,
}

/// What a message has to do with pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Nothing: it came whole.
    None,
    /// Others of its pieces are missing yet.
    Waits,
    /// It is the last one that was missing.
    Completes {
        message: Vec<u8>,
        /// Numbers of the frames with its pieces, in the order in which they came.
        frames: Vec<u64>,
    },
}

/// A message of which pieces are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incomplete {
    pub source: Ipv4Addr,
    pub exchange: u8,
    pub frames: Vec<u64>,
    /// The pieces that were seen, by number, and the number of the last one if it is among them.
    pub numbers: Vec<u8>,
    pub last: Option<u8>,
}

/// What the pieces of one message have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    source: Ipv4Addr,
    cookies: [Cookie; 2],
    exchange: u8,
    message_id: u32,
    id: u16,
}

struct Set {
    key: Key,
    pieces: BTreeMap<u8, Fragment>,
    frames: Vec<u64>,
    /// It was put together, and stays for a while, since its pieces may be sent again.
    done: bool,
}

impl Fragments {
    /// The next message, of which `source` is the sender.
    pub fn take(&mut self, source: Ipv4Addr, message: &Message<'_>, frame: u64) -> Result<Piece> {
        if message.is_ikev2() || message.encrypted || message.first_payload != payload::FRAGMENT {
            return Ok(Piece::None);
        }
        let body = message.payloads().next().transpose()?.map_or(&[][..], |found| found.body);
        let fragment = Fragment::parse(body)?;
        let key = Key {
            source,
            cookies: [message.initiator_cookie, message.responder_cookie],
            exchange: message.exchange,
            message_id: message.message_id,
            id: fragment.id,
        };
        let index = self.set_for(key, &fragment);
        let set = &mut self.sets[index];
        if set.pieces.contains_key(&fragment.number) {
            // Sent again: as a whole, once its last piece is.
            return Ok(if set.done && fragment.last { set.complete() } else { Piece::Waits });
        }
        set.frames.push(frame);
        set.pieces.insert(fragment.number, fragment);
        if set.pieces.values().map(|piece| piece.data.len()).sum::<usize>() > LONGEST {
            let set = self.sets.remove(index);
            self.given_up.push(set.incomplete());
            return Ok(Piece::Waits);
        }
        if set.last().is_some_and(|last| usize::from(last) == set.pieces.len()) {
            set.done = true;
            return Ok(set.complete());
        }
        Ok(Piece::Waits)
    }

    /// Where the pieces are that this one belongs to. One that contradicts them begins another message.
    fn set_for(&mut self, key: Key, fragment: &Fragment) -> usize {
        if let Some(index) = self.sets.iter().position(|set| set.key == key) {
            if self.sets[index].takes(fragment) {
                return index;
            }
            self.give_up(index);
        } else if self.sets.len() == OPEN {
            self.give_up(self.sets.iter().position(|set| set.done).unwrap_or(0));
        }
        self.sets.push(Set { key, pieces: BTreeMap::new(), frames: Vec::new(), done: false });
        self.sets.len() - 1
    }

    fn give_up(&mut self, index: usize) {
        let set = self.sets.remove(index);
        self.given_up.extend((!set.done).then(|| set.incomplete()));
    }

    /// Messages whose missing pieces are waited for no more.
    pub fn given_up(&mut self) -> impl Iterator<Item = Incomplete> + use<> {
        std::mem::take(&mut self.given_up).into_iter()
    }

    /// At the end nothing is waited for.
    pub fn finish(mut self) -> impl Iterator<Item = Incomplete> {
        while !self.sets.is_empty() {
            self.give_up(0);
        }
        self.given_up.into_iter()
    }
}

impl Set {
    fn last(&self) -> Option<u8> {
        self.pieces.values().find(|piece| piece.last).map(|piece| piece.number)
    }

    fn takes(&self, fragment: &Fragment) -> bool {
        match self.pieces.get(&fragment.number) {
            Some(known) => known == fragment,
            None if self.done => false,
            None => match self.last() {
                Some(last) => !fragment.last && fragment.number < last,
                None => !fragment.last || self.pieces.keys().all(|number| *number < fragment.number),
            },
        }
    }

    fn complete(&self) -> Piece {
        let message = self.pieces.values().flat_map(|piece| piece.data.iter().copied()).collect();
        Piece::Completes { message, frames: self.frames.clone() }
    }

    fn incomplete(self) -> Incomplete {
        let (last, Key { source, exchange, .. }) = (self.last(), self.key);
        Incomplete { source, exchange, frames: self.frames, numbers: self.pieces.into_keys().collect(), last }
    }
}

impl Incomplete {
    /// Which pieces are missing, in words.
    pub fn missing(&self) -> String {
        let end = self.last.or(self.numbers.last().copied()).unwrap_or(0);
        let missing = (1..=end).filter(|number| !self.numbers.contains(number)).map(|number| number.to_string());
        let behind = self.last.is_none().then(|| format!("those behind {end}"));
        missing.chain(behind).collect::<Vec<_>>().join(", ")
    }
}
