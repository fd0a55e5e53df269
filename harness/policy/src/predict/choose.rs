//! A responder's choice among what is offered.

use crate::Proposal;

/// What one end offers, in order of preference, and what the other accepts.
pub(super) struct Side<'a> {
    pub offered: &'a [Proposal],
    pub accepted: &'a [Proposal],
}

impl Side<'_> {
    /// The first proposal offered that is accepted.
    pub fn choose(&self) -> Option<Proposal> {
        self.choose_by(|offered, accepted| offered == accepted)
    }

    /// The same, for a responder with ways of its own.
    pub fn choose_by(&self, takes: impl Fn(Proposal, Proposal) -> bool) -> Option<Proposal> {
        let accepts = |offered: &&Proposal| self.accepted.iter().any(|accepted| takes(**offered, *accepted));
        self.offered.iter().find(accepts).copied()
    }

    /// Why there is none: the part of a proposal that is to blame, or nothing, and a sentence.
    pub fn difference(&self) -> (&'static str, &'static str) {
        if !self.have_common(|p| p.encryption) {
            ("encryption", "no encryption is common")
        } else if !self.have_common(|p| p.hash) {
            ("hash", "no hash is common")
        } else if !self.have_common(|p| p.group) {
            ("group", "no group is common")
        } else {
            ("", "no combination is common")
        }
    }

    fn have_common<T: PartialEq>(&self, part: impl Fn(&Proposal) -> T) -> bool {
        self.offered.iter().any(|offered| self.accepted.iter().any(|accepted| part(offered) == part(accepted)))
    }
}

pub(super) fn list(proposals: &[Proposal]) -> String {
    proposals.iter().map(Proposal::to_string).collect::<Vec<_>>().join(" or ")
}
