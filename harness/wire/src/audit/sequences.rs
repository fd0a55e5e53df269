//! The sequence numbers of an SA that went past a capture point: which ones, and which was the highest.

use std::collections::BTreeMap;

/// Runs of numbers without a gap, so that a tunnel that loses little takes little memory however long it lives.
#[derive(Default)]
pub(super) struct Sequences {
    pub(super) highest: u32,
    /// First to last number of each run; no two of them touch.
    runs: BTreeMap<u32, u32>,
}

impl Sequences {
    /// Whether the number is seen for the first time.
    pub(super) fn insert(&mut self, number: u32) -> bool {
        let before = self.runs.range(..=number).next_back().map(|(&first, &last)| (first, last));
        if before.is_some_and(|(_, last)| number <= last) {
            return false;
        }
        let follows = before.filter(|&(_, last)| last.checked_add(1) == Some(number));
        let first = follows.map_or(number, |(first, _)| first);
        let next = number.checked_add(1).and_then(|next| self.runs.remove(&next));
        self.runs.insert(first, next.unwrap_or(number));
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashSet;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn runs_know_what_a_set_knows(numbers in vec(prop_oneof![0..40_u32, u32::MAX - 3..=u32::MAX], 0..80)) {
            let (mut sequences, mut set) = (Sequences::default(), HashSet::new());
            for number in numbers {
                prop_assert_eq!(sequences.insert(number), set.insert(number));
            }
            let runs: Vec<_> = sequences.runs.into_iter().collect();
            prop_assert_eq!(runs.iter().map(|(first, last)| last - first + 1).sum::<u32>() as usize, set.len());
            prop_assert!(runs.windows(2).all(|two| two[0].1 + 1 < two[1].0));
        }
    }

    #[test]
    fn a_long_life_without_loss_takes_one_run() {
        let mut sequences = Sequences::default();
        assert!((1..100_000).all(|number| sequences.insert(number)));
        assert_eq!(sequences.runs.len(), 1);
    }
}
