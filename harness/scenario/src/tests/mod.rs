#![allow(clippy::unwrap_used)]

mod cells;
mod expected;
mod fault_steps;
mod faults;
mod mutations;
mod steps;

use crate::{Scenario, parse};

const FILE: &str = "scenarios/quickstart.yaml";
const QUICKSTART: &str = include_str!("../../../../scenarios/quickstart.yaml");

/// The quickstart with one piece of its text replaced, everywhere it stands.
fn edited(old: &str, new: &str) -> String {
    assert!(QUICKSTART.contains(old), "the quickstart does not contain {old:?}");
    QUICKSTART.replace(old, new)
}

/// The quickstart with another matrix.
fn with_matrix(matrix: &str) -> String {
    let (before, rest) = QUICKSTART.split_once("matrix:\n").unwrap();
    let (_, steps) = rest.split_once("\nsteps:").unwrap();
    format!("{before}matrix:\n{matrix}\nsteps:{steps}")
}

fn read(text: &str) -> Scenario {
    parse(FILE, text).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}
