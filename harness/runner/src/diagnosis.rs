//! What cells that failed have in common: the smallest combination of settings that all of them have and no cell that
//! passed has. Pure.
//!
//! Cells that failed otherwise say nothing, for what ended them may have hidden the rest.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::{CellRecord, Diagnosis, Setting, Verdict};

/// A diagnosis for each way in which cells of a scenario failed, if there are others to compare them with.
pub fn diagnose(cells: &[CellRecord]) -> Vec<Diagnosis> {
    let mut scenarios: BTreeMap<&str, Vec<&CellRecord>> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| !cell.axes.is_empty()) {
        let scenario = cell.id.rsplit_once('/').map_or(cell.id.as_str(), |(scenario, _)| scenario);
        scenarios.entry(scenario).or_default().push(cell);
    }
    scenarios.into_iter().flat_map(|(scenario, cells)| of_scenario(scenario, &cells)).collect()
}

fn of_scenario(scenario: &str, cells: &[&CellRecord]) -> Vec<Diagnosis> {
    let passed: Vec<&CellRecord> = cells.iter().copied().filter(|cell| passes(cell)).collect();
    let mut failed: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, cell) in cells.iter().enumerate() {
        for code in codes(cell) {
            failed.entry(code).or_default().push(number);
        }
    }
    // What fails in the same cells is told once.
    let mut together: BTreeMap<Vec<usize>, Vec<String>> = BTreeMap::new();
    for (code, numbers) in failed {
        together.entry(numbers).or_default().push(code.to_owned());
    }
    let mut diagnoses: Vec<Diagnosis> = together
        .into_iter()
        .filter(|(numbers, _)| numbers.len() + passed.len() > 1)
        .map(|(numbers, codes)| {
            let failed: Vec<_> = numbers.iter().map(|number| cells[*number]).collect();
            let combinations = smallest(&failed, &passed);
            let scenario = scenario.to_owned();
            Diagnosis { scenario, codes, failed: failed.len(), passed: passed.len(), combinations }
        })
        .collect();
    diagnoses.sort_by_key(|diagnosis| std::cmp::Reverse(diagnosis.failed));
    diagnoses
}

/// Without packets nothing is proven; there a cell passes if all that could be checked holds.
fn passes(cell: &CellRecord) -> bool {
    let holds = || !cell.checks.is_empty() && cell.checks.iter().all(|check| check.holds);
    cell.verdict == Verdict::Proven || cell.verdict == Verdict::Skipped && holds()
}

/// The checks that do not hold in a cell, and what the audit found in it, each once.
fn codes(cell: &CellRecord) -> BTreeSet<&str> {
    match cell.verdict {
        Verdict::Refuted => {
            let checks = cell.checks.iter().filter(|check| !check.holds).map(|check| check.code.as_str());
            let findings = cell.account.iter().flat_map(|account| &account.findings);
            checks.chain(findings.map(|finding| finding.code.as_str())).collect()
        }
        Verdict::Broken => [Verdict::Broken.name()].into(),
        Verdict::Proven | Verdict::Unsupported | Verdict::Skipped => BTreeSet::new(),
    }
}

/// More axes that vary than this cannot be in a matrix, whose cells are counted.
const MOST: usize = 16;

/// All combinations of the smallest size that every failed cell has and no passed one.
fn smallest(failed: &[&CellRecord], passed: &[&CellRecord]) -> Vec<Vec<Setting>> {
    let Some((first, others)) = failed.split_first() else { return Vec::new() };
    let common = first.axes.iter().filter(|setting| others.iter().all(|cell| cell.axes.contains(setting)));
    // What all have makes no difference.
    let common = common.filter(|setting| passed.iter().any(|cell| !cell.axes.contains(setting)));
    let common: Vec<&Setting> = common.take(MOST).collect();
    // For each cell that passed the settings that it lacks: one of them has to be in the combination.
    let lacks = |cell: &&CellRecord| mask(common.iter().map(|setting| !cell.axes.contains(setting)));
    let lacking: BTreeSet<u32> = passed.iter().map(lacks).collect();
    if lacking.is_empty() || lacking.contains(&0) {
        return Vec::new();
    }
    let hits = |combination: u32| lacking.iter().all(|lacking| combination & lacking != 0);
    let all: Vec<u32> = (1..1_u32 << common.len()).filter(|combination| hits(*combination)).collect();
    let size = all.iter().map(|combination| combination.count_ones()).min();
    let settings = |combination: u32| {
        let chosen = common.iter().enumerate().filter(|(bit, _)| combination & (1 << bit) != 0);
        chosen.map(|(_, setting)| (*setting).clone()).collect()
    };
    all.into_iter().filter(|combination| Some(combination.count_ones()) == size).map(settings).collect()
}

fn mask(bits: impl Iterator<Item = bool>) -> u32 {
    bits.enumerate().fold(0, |mask, (bit, set)| mask | u32::from(set) << bit)
}

#[cfg(test)]
mod tests;
