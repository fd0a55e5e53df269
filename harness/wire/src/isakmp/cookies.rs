//! Which IKE SA a message belongs to, by its cookies alone.

use std::collections::HashMap;

use super::Message;

pub(crate) type Cookie = [u8; 8];

pub(crate) const UNKNOWN: Cookie = [0; 8];

/// Places of IKE SAs. Several have the same initiator's cookie if its first message was answered twice: only the first of
/// them can ever have been without a responder's.
#[derive(Default)]
pub(crate) struct ByCookies {
    first: HashMap<Cookie, First>,
    answered: HashMap<[Cookie; 2], usize>,
}

struct First {
    place: usize,
    answered: bool,
}

impl ByCookies {
    pub(crate) fn find(&self, message: &Message<'_>) -> Option<usize> {
        let first = self.first.get(&message.initiator_cookie)?;
        if message.responder_cookie == UNKNOWN || !first.answered {
            return Some(first.place);
        }
        self.answered.get(&[message.initiator_cookie, message.responder_cookie]).copied()
    }

    /// That with the first message of this initiator.
    pub(crate) fn first(&self, message: &Message<'_>) -> Option<usize> {
        self.first.get(&message.initiator_cookie).map(|first| first.place)
    }

    /// A message that [`Self::find`] does not know begins the SA at this place, or one that it knows is of the SA there.
    pub(crate) fn learn(&mut self, message: &Message<'_>, place: usize) {
        let &Message { initiator_cookie, responder_cookie, .. } = message;
        let first = self.first.entry(initiator_cookie).or_insert(First { place, answered: false });
        if responder_cookie != UNKNOWN {
            first.answered = true;
            self.answered.entry([initiator_cookie, responder_cookie]).or_insert(place);
        }
    }
}
