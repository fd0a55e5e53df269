//! What a record says of its cells together: how they were chosen, what those that failed have in common, and what
//! was expected of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Verdict;

/// Which cells were run, of those that the named files have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The word of `--cells`.
    pub cells: String,
    pub seed: u64,
    /// How many cells the files have.
    pub of: usize,
    /// How many of them were chosen; with shards, by all of them together.
    pub chosen: usize,
    /// The parts that are here, if the work was divided.
    pub shards: Option<Shards>,
}

/// Parts of a divided run, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shards {
    pub count: usize,
    pub here: Vec<usize>,
}

impl Shards {
    pub fn missing(&self) -> Vec<usize> {
        (1..=self.count).filter(|number| !self.here.contains(number)).collect()
    }
}

/// A value on an axis of a matrix.
pub type Setting = (String, String);

/// What cells of one scenario that failed alike have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// What comes before the settings in the cells' ids.
    pub scenario: String,
    /// Checks and findings that failed in the same cells, or the verdict `broken`.
    pub codes: Vec<String>,
    /// How many cells failed so, and how many passed.
    pub failed: usize,
    pub passed: usize,
    /// The smallest combinations of settings that all of the failed have and none of the passed has: more than one if
    /// the cells do not tell them apart. None if there is no such combination, or nothing passed.
    pub combinations: Vec<Vec<Setting>>,
}

/// Of many combinations the first ones are told.
const TOLD: usize = 4;

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, codes, failed, passed, combinations } = self;
        let codes = codes.join(", ");
        let all = failed + passed;
        write!(f, "{scenario}: {codes} in {failed} of {all} cells")?;
        let told: Vec<_> = combinations.iter().take(TOLD).map(|settings| with(settings)).collect();
        let it = if *failed == 1 { "it has" } else { "they all have" };
        let none = if *passed == 1 { "the one that passed does not" } else { "none that passed does" };
        match (told.as_slice(), combinations.len() - told.len()) {
            _ if *passed == 0 => f.write_str(", which is all: no setting makes the difference"),
            ([], _) => f.write_str("; no combination of settings is common to them alone: it may have several causes"),
            ([only], _) => write!(f, "; {it} {only}, and {none}"),
            (told, 0) => write!(f, "; {it} one of these, and {none}: {}", told.join("; ")),
            (told, more) => write!(f, "; {it} one of these, and {none}: {}; and {more} more", told.join("; ")),
        }
    }
}

fn with(settings: &[Setting]) -> String {
    settings.iter().map(|(axis, value)| format!("{axis}={value}")).collect::<Vec<_>>().join(" with ")
}

/// What a file of expected results says of a cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    pub verdict: Verdict,
    pub reason: String,
    pub link: Option<String>,
    /// The last day, as `2027-01-31`.
    pub until: Option<String>,
}

/// What came of comparing a run with a file of expected results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    pub file: String,
    pub complaints: Vec<Complaint>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    pub kind: Grievance,
    pub text: String,
    /// What to do about it.
    pub help: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grievance {
    /// A result is worse, or another, than is expected.
    Unexpected,
    /// Something passes that was expected to fail.
    Passes,
    /// A pattern matches no cell.
    Stale,
    /// An expectation is over.
    Expired,
    /// The laboratory failed, which says nothing about a tunnel.
    Broken,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  help: {}", self.text, self.help)
    }
}
