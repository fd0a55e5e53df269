//! Which cells of a matrix are run: all, a covering choice, or a sample.
//!
//! Most faults need one or two settings to meet, few need three. A covering choice has every meeting of two (or
//! three) values of different axes in some cell, and needs a few dozen cells where the matrix has thousands.

mod cover;
mod random;
mod shard;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt, num::NonZero, str::FromStr};

use self::random::Random;
pub use self::shard::Shard;
use crate::{Cell, Scenario, nearest::one_of};

/// Which of a scenario's cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    #[default]
    Full,
    /// Every two values of different axes meet in some cell.
    Pairwise,
    /// Every three do.
    ThreeWay,
    /// So many, drawn without preference.
    Sample(NonZero<usize>),
}

impl Scenario {
    /// How many cells its matrix has.
    pub fn size(&self) -> usize {
        self.axes.iter().map(|axis| axis.values.len()).product()
    }

    /// The chosen cells, in the order of [`cells`](Scenario::cells). The same seed chooses the same.
    pub fn select(&self, selection: Selection, seed: u64) -> Vec<Cell> {
        match selection {
            Selection::Full => self.cells(),
            Selection::Pairwise => self.covering(2, seed),
            Selection::ThreeWay => self.covering(3, seed),
            Selection::Sample(number) => self.numbered(sample(self.size(), number.get(), seed)),
        }
    }

    fn covering(&self, strength: usize, seed: u64) -> Vec<Cell> {
        let sizes: Vec<_> = self.axes.iter().map(|axis| axis.values.len()).collect();
        let number = |row: Vec<usize>| row.iter().zip(&sizes).fold(0, |number, (value, size)| number * size + value);
        self.numbered(cover::cover(&sizes, strength, seed).into_iter().map(number).collect())
    }

    fn numbered(&self, numbers: BTreeSet<usize>) -> Vec<Cell> {
        numbers.into_iter().map(|number| self.cell(&self.choice(number))).collect()
    }
}

/// Floyd's algorithm: each set of so many numbers is as likely as any other, and only so many are drawn.
fn sample(size: usize, number: usize, seed: u64) -> BTreeSet<usize> {
    let mut random = Random::new(seed);
    let mut drawn = BTreeSet::new();
    for last in size.saturating_sub(number)..size {
        if !drawn.insert(random.below(last + 1)) {
            drawn.insert(last);
        }
    }
    drawn
}

const SAMPLE: &str = "sample:";

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("full"),
            Self::Pairwise => f.write_str("pairwise"),
            Self::ThreeWay => f.write_str("three-way"),
            Self::Sample(number) => write!(f, "{SAMPLE}{number}"),
        }
    }
}

impl FromStr for Selection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(number) = text.strip_prefix(SAMPLE) {
            let number = number.parse().map_err(|_| format!("`{number}` is not a number of cells: write `sample:20`"));
            return Ok(Self::Sample(number?));
        }
        match text {
            "full" => Ok(Self::Full),
            "pairwise" => Ok(Self::Pairwise),
            "three-way" => Ok(Self::ThreeWay),
            _ => Err(one_of(text, &["full", "pairwise", "three-way", "sample:N"])),
        }
    }
}
