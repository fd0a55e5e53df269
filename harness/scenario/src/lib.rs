//! Scenario files: text in, cells out.
//!
//! A [`Scenario`] is a cloud, its customers, a policy, steps, and a matrix of what varies. [`parse`]
//! reads one and reports everything that is wrong with it at once, each problem with its line, column
//! and what to write instead. [`Scenario::cells`] expands it into [`Cell`]s, which are fully concrete;
//! [`Scenario::select`] makes only as many as every two values need to meet, or a sample.
//!
//! Reading goes in two passes: YAML into a tree whose nodes know where they stand, then a walk over the
//! tree that knows the format. Nothing here touches the outside, except [`load`], which opens a file.

mod cell;
mod diagnostic;
mod duration;
mod ends;
mod expected;
pub mod fault;
mod load;
mod matrix;
mod nearest;
mod read;
mod select;
mod step;
#[cfg(test)]
mod tests;
mod tree;
mod verdict;

use std::collections::BTreeMap;

use policy::{IkeVersion, Initiator, Policy};

use crate::{diagnostic::Problems, matrix::Axis};

pub use cell::{Cell, Cloud, ConnectionState, Customer, Profile, StandsInFor, Vpc};
pub use diagnostic::{Diagnostic, Diagnostics, Snippet};
pub use ends::Gateway;
pub use expected::{Date, ExpectedResult, Pattern, load_expected, parse_expected};
pub use load::load;
pub use nearest::nearest;
pub use select::{Selection, Shard};
pub use step::{Alert, Condition, Expectation, Party, Step, Traffic};
pub use verdict::Verdict;

/// A scenario file that is free of errors.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its path beneath `scenarios/` without `.yaml`, or, elsewhere, its file name without it.
    pub stem: String,
    pub title: String,
    pub about: String,
    /// Sections of the specification which it proves.
    pub clauses: Vec<String>,
    cloud: Cloud,
    customers: BTreeMap<String, Customer>,
    policy: Policy,
    ike_version: Option<IkeVersion>,
    initiator: Initiator,
    steps: Vec<Step>,
    axes: Vec<Axis>,
}

/// Reads the text of a scenario file; `file` is its path, for messages and the stem.
pub fn parse(file: &str, text: &str) -> Result<Scenario, Diagnostics> {
    let mut problems = Problems::new(file, text);
    let root = tree::read(text, &mut problems);
    let scenario = root.and_then(|root| read::scenario(load::stem(file), &root, &mut problems));
    problems.unless_found(scenario)
}
